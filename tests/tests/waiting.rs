//! What waits here for a grant or a cause is read again whenever something comes that it may have waited for:
//! how much of it one peer may leave is bounded, in changes and in bytes.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rukun_authority::Role;
use rukun_tests::by_hand::{Node, World};
use rukun_wire::{Changes, Message};
use serde_json::{Map, json};

const STEPS: usize = 20_000;
/// The most bytes of one peer that may wait.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

#[test]
fn what_waits_of_one_peer_is_bounded_in_bytes() {
    let mut world = World::new(1);
    let office = Node(0);
    let supervisor = world.add(10, office, Role::Supervisor, &["1811010005"]);
    let courier = world.add(20, office, Role::Enumerator, &["1811010005"]);
    world.link(supervisor, office);
    world.settle(STEPS);
    world.cut_all();
    // The supervisor has not heard of whom the office takes on now.
    let new = world.add(30, office, Role::Enumerator, &["1811010005"]);
    world.link(new, office);
    world.settle(STEPS);
    let members = (0..20).map(|at| (format!("+{at}"), json!({"r402": "a".repeat(4_000)})));
    let patch = json!({"members": members.collect::<Map<_, _>>()});
    let (now, home) = (world.now(), "1811010005000300".parse().unwrap());
    for _ in 0..70 {
        world.replicas[new.0].add_record(now, home, None, &patch).unwrap();
    }
    world.commit(new);
    let key = world.key(supervisor);
    let signed = world.signed_by(new, key);
    let each = signed.iter().map(|change| change.to_bytes().len()).max().unwrap();
    assert!(signed.len() == 70 && each * 60 > WAITING_BYTES_MAX, "{} of at most {each} bytes", signed.len());

    let key = world.key(courier);
    let link = world.session_by_hand(supervisor, key);
    world.hear(supervisor, link);
    for (frame, items) in (1..).zip(signed.chunks(8)) {
        let changes = Changes { frame, upto: Some(frame * 1000), items: items.to_vec() };
        world.say(supervisor, link, &Message::Changes(changes));
    }
    let waiting = world.replicas[supervisor.0].status().unwrap().waiting as usize;
    assert!((WAITING_BYTES_MAX..WAITING_BYTES_MAX + 2 * each).contains(&(waiting * each)), "{waiting} wait");

    // All of it comes by the ordinary way.
    world.link(supervisor, office);
    world.settle(STEPS);
    let status = world.replicas[supervisor.0].status().unwrap();
    assert_eq!((status.changes, status.waiting), (70, 0));
}
