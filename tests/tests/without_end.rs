//! What one device can sign without end stops nobody: however many words about trust there are, two nodes that hold
//! different ones come to hold the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use rukun_authority::{Keypair, Role, Said, Statement, Succession};
use rukun_change::Incarnation;
use rukun_replica::Event;
use rukun_tests::by_hand::{Node, World};
use rukun_wire::Message;
use rukun_wire::limits::{STATEMENT_IDS_MAX, STATEMENTS_MAX};

const OFFICE: Node = Node(0);

#[test]
fn more_statements_than_one_list_names_are_compared_in_several() {
    let mut world = World::new(1);
    let ani = world.add(20, OFFICE, Role::Enumerator, &["18110100050003"]);
    let budi = world.add(30, OFFICE, Role::Enumerator, &["18110100050004"]);
    let old = Keypair::from_seed(&[20; 32]);
    let trust = world.replicas[OFFICE.0].trust().unwrap();
    let (survey, parent) = (*trust.survey(), trust.grants_of(&old.key())[0].id);
    // As many keys follow hers as she likes to make up.
    let words = (1..=STATEMENT_IDS_MAX as u64).map(|n| {
        let mut seed = [9; 32];
        seed[..8].copy_from_slice(&n.to_be_bytes());
        let follower = Keypair::from_seed(&seed);
        let said = Succession::consented(parent, &follower, &old.key(), &survey);
        Statement::sign(&old, Incarnation::from_bytes([7; 4]), n, Some(&survey), Said::Succession(said))
    });
    let words: Vec<Vec<u8>> = words.map(|word| word.to_bytes()).collect();
    let key = world.key(ani);
    let link = world.session_by_hand(OFFICE, key);
    for items in words.chunks(STATEMENTS_MAX / 4) {
        world.say(OFFICE, link, &Message::Statements { items: items.to_vec(), last: true });
    }
    world.close_by_hand(OFFICE, link);
    let held = |world: &World, node: Node| world.replicas[node.0].statements_held().unwrap().len();
    assert!(held(&world, OFFICE) > STATEMENT_IDS_MAX, "{}", held(&world, OFFICE));
    for _ in 0..2 {
        world.link(budi, OFFICE);
        world.settle(1_000);
        let is_up = |event: &Event| matches!(event, Event::PeerUp { .. });
        assert!(world.events[budi.0].iter().any(is_up), "{:?}", world.events[budi.0].last());
        assert_eq!(held(&world, budi), held(&world, OFFICE));
        // The second time both have more than one list, and the office one more word.
        world.cut_all();
        world.events[budi.0].clear();
        world.add(40, OFFICE, Role::Enumerator, &["18110100050005"]);
    }
}
