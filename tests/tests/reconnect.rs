//! Promise 6: a session costs what is new. Two nodes that agree show each other so for the same few bytes
//! whatever they hold, and who differs pays for the difference.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use rukun_authority::Role;
use rukun_change::RecordId;
use rukun_replica::{Event, Reached};
use rukun_tests::by_hand::{Node, World};
use rukun_wire::{Changes, Message};
use serde_json::json;

const STEPS: usize = 100_000;
const OFFICE: Node = Node(0);
/// What two greetings, two sketches and what goes with them may take together.
const NO_NEWS_BYTES_MAX: usize = 800;
/// What the sketches of both sides may take for each change that differs, beside the changes themselves.
const DIFFERENCE_BYTES_MAX: usize = 100;
/// How much each of two has that the other has not.
const EDITS_APART: usize = 30;
/// What an edit takes in a frame of many, and less than what it takes twice.
const EDIT_BYTES_MAX: usize = 170;

/// An office and a supervisor that hold the same families, in sub-SLS of ten.
fn scene(families: usize) -> (World, Node, Vec<RecordId>) {
    let mut world = World::new(1);
    let supervisor = world.add(10, OFFICE, Role::Supervisor, &["1811010005"]);
    let mut records = Vec::new();
    for family in 0..families {
        let (now, home) = (world.now(), format!("1811010005{:04}00", 1 + family / 10));
        let patch = json!({"r108": format!("Siti {family}"), "r304": 4});
        let added = world.replicas[OFFICE.0].add_record(now, home.parse().unwrap(), None, &patch);
        records.push(added.unwrap().0);
        if family % 64 == 0 {
            world.commit(OFFICE);
        }
    }
    world.commit(OFFICE);
    for _ in 0..2 {
        meet(&mut world, supervisor, OFFICE);
    }
    (world, supervisor, records)
}

/// One session, until nothing moves any more; gives what it took.
fn meet(world: &mut World, dialer: Node, listener: Node) -> usize {
    world.carried.clear();
    world.link(dialer, listener);
    world.settle(STEPS);
    for (node, other) in [(dialer, listener), (listener, dialer)] {
        let status = world.replicas[node.0].status().unwrap();
        let line = status.peers.iter().find(|line| line.key == world.key(other)).unwrap();
        assert!(line.in_sync, "{line:?}");
    }
    world.cut_all();
    world.carried.values().sum()
}

#[test]
fn a_session_without_news_costs_the_same_whatever_is_held() {
    let mut took = Vec::new();
    for families in [20, 1_000] {
        let (mut world, supervisor, _) = scene(families);
        let statements = world.replicas[OFFICE.0].status().unwrap().statements;
        took.push(meet(&mut world, supervisor, OFFICE));
        assert!(took.iter().all(|took| *took <= NO_NEWS_BYTES_MAX), "{took:?}: {:?}", world.carried);
        assert_eq!(world.replicas[OFFICE.0].status().unwrap().statements, statements, "nothing is signed");
    }
    eprintln!("without news: {} bytes at 20 families, {} at 1 000", took[0], took[1]);
    // The numbers of a longer log take some bytes more.
    assert!(took[1] - took[0] <= 16, "{took:?}");
}

#[test]
fn two_that_agree_and_have_never_met_send_each_other_no_change() {
    let (mut world, supervisor, _) = scene(300);
    let coordinator = world.add(11, OFFICE, Role::Coordinator, &["1811010"]);
    let other = world.add(12, OFFICE, Role::Supervisor, &["1811010005"]);
    // The coordinator has signed for what she holds, and all have heard so.
    for (dialer, listener) in [(coordinator, OFFICE), (other, OFFICE), (coordinator, other)] {
        meet(&mut world, dialer, listener);
    }
    for device in [coordinator, supervisor] {
        meet(&mut world, device, OFFICE);
    }
    let took = meet(&mut world, coordinator, supervisor);
    eprintln!("a first contact of two that agree: {took} bytes, {:?}", world.carried);
    assert!(took <= 3 * NO_NEWS_BYTES_MAX, "{took}: {:?}", world.carried);
}

#[test]
fn who_differs_pays_for_the_difference_and_not_for_what_is_held() {
    let (mut world, coordinator, supervisor) = differing_scene(EDITS_APART);
    meet(&mut world, coordinator, supervisor);
    let apart: usize = ["sketch", "symbols", "more", "lack", "unclear", "summary", "differ", "ids", "want"]
        .iter()
        .filter_map(|name| world.carried.get(name))
        .sum();
    eprintln!("{EDITS_APART} edits on each side: {apart} bytes beside the changes: {:?}", world.carried);
    assert!(!world.carried.contains_key("ids"), "{:?}", world.carried);
    assert!(apart <= 2 * EDITS_APART * DIFFERENCE_BYTES_MAX, "{apart}: {:?}", world.carried);
}

#[test]
fn what_a_sketch_tells_of_comes_causes_first() {
    let (mut world, supervisor, records) = scene(600);
    let coordinator = world.add(11, OFFICE, Role::Coordinator, &["1811010"]);
    meet(&mut world, coordinator, OFFICE);
    for value in 0..EDITS_APART {
        let now = world.now();
        world.replicas[OFFICE.0]
            .edit(now, &records[0], None, &json!({"r108": format!("Siti {value} x")}))
            .unwrap();
        let now = world.now();
        world.replicas[supervisor.0]
            .edit(now, &records[300], None, &json!({"r108": format!("Siti {value} x")}))
            .unwrap();
    }
    world.commit(OFFICE);
    world.commit(supervisor);
    meet(&mut world, coordinator, OFFICE);
    meet(&mut world, coordinator, supervisor);
    assert!(world.carried.contains_key("lack") && !world.carried.contains_key("ids"), "{:?}", world.carried);
    let waits = |event: &&Event| matches!(event, Event::Waits { .. });
    assert_eq!(world.events.iter().flatten().filter(waits).collect::<Vec<_>>(), Vec::<&Event>::new());
}

#[test]
fn what_is_summed_when_a_process_starts_finds_the_same_as_what_is_summed_at_need() {
    let mut carried = Vec::new();
    for is_summed in [false, true] {
        let (mut world, coordinator, supervisor) = differing_scene(1);
        for node in [coordinator, supervisor].into_iter().filter(|_| is_summed) {
            // Sixty sub-SLS of ten families, and nothing else.
            assert_eq!(world.replicas[node.0].sum_up().unwrap(), 60);
        }
        meet(&mut world, coordinator, supervisor);
        carried.push(world.carried);
    }
    assert_eq!(carried[0], carried[1]);
    assert!(!carried[0].contains_key("more"), "its first symbols were enough: {carried:?}");
}

/// A coordinator and a supervisor that hold the same 600 families, and so many edits that the other has not. Both
/// got news from elsewhere: no cursor of the other's log says anything of it.
fn differing_scene(edits: usize) -> (World, Node, Node) {
    let (mut world, supervisor, records) = scene(600);
    let coordinator = world.add(11, OFFICE, Role::Coordinator, &["1811010"]);
    meet(&mut world, coordinator, OFFICE);
    for (at, node) in [(0, OFFICE), (300, supervisor)] {
        for record in &records[at..at + edits] {
            let now = world.now();
            world.replicas[node.0].edit(now, record, None, &json!({"r304": 5})).unwrap();
        }
        world.commit(node);
    }
    meet(&mut world, coordinator, OFFICE);
    world.carried.clear();
    (world, coordinator, supervisor)
}

#[test]
fn the_first_work_of_a_device_that_only_ever_received_goes_by_its_log_and_goes_once() {
    let (mut world, supervisor, records) = scene(300);
    for record in &records[..30] {
        let now = world.now();
        world.replicas[supervisor.0].edit(now, record, None, &json!({"r304": 5})).unwrap();
    }
    world.commit(supervisor);
    let before = world.replicas[OFFICE.0].status().unwrap().changes;
    meet(&mut world, supervisor, OFFICE);
    assert_eq!(world.replicas[OFFICE.0].status().unwrap().changes, before + 30);
    let carried = |name: &str| world.carried.get(name).copied().unwrap_or_default();
    assert_eq!((carried("symbols"), carried("more")), (0, 0), "nothing had to be found: {:?}", world.carried);
    let sent = carried("changes");
    assert!(sent < 30 * EDIT_BYTES_MAX, "thirty edits took {sent} bytes");
}

/// A supervisor that was in sync with the office has written this many edits since.
fn scene_with_news(edits: usize) -> (World, Node) {
    let (mut world, supervisor, records) = scene(100);
    let write = |world: &mut World, records: &[RecordId], answer: u64| {
        for record in records {
            let now = world.now();
            world.replicas[supervisor.0].edit(now, record, None, &json!({"r304": answer})).unwrap();
        }
        world.commit(supervisor);
    };
    // Who has only ever received was never told how far it is known to have come.
    write(&mut world, &records[..1], 5);
    meet(&mut world, supervisor, OFFICE);
    write(&mut world, &records[..edits], 6);
    world.carried.clear();
    (world, supervisor)
}

#[test]
fn what_is_new_goes_with_the_greeting_and_the_first_answer_proves_that_it_came() {
    let edits = 5;
    let (mut world, supervisor) = scene_with_news(edits);
    let before = world.replicas[OFFICE.0].status().unwrap().changes;
    world.link(supervisor, OFFICE);
    let said = world.carried.clone();
    assert_eq!(said.keys().copied().collect::<Vec<_>>(), ["changes", "hello", "sketch"], "before any answer");
    loop {
        let status = world.replicas[supervisor.0].status().unwrap();
        let is_received = status.custody.written.keys().all(|reached| *reached == Reached::District);
        let is_in_sync = status.peers.iter().all(|peer| peer.linked && peer.in_sync);
        let is_held = world.replicas[OFFICE.0].status().unwrap().changes == before + edits as u64;
        assert!(is_held || !is_in_sync && !is_received, "{status:?}");
        if is_in_sync && is_received {
            break;
        }
        world.run(1);
    }
    let beyond =
        |name: &str| world.carried.get(name).copied().unwrap_or_default() - said.get(name).unwrap_or(&0);
    // Each side tells one place in its log, and no change goes twice.
    assert!(beyond("changes") < 80 && beyond("sketch") == 0, "{said:?} {:?}", world.carried);
    world.settle(STEPS);
    world.cut_all();
    assert_eq!(meet(&mut world, supervisor, OFFICE), meet(&mut world, supervisor, OFFICE));
    assert!(!world.carried.contains_key("changes"), "{:?}", world.carried);
}

#[test]
fn where_both_have_news_each_compares_once() {
    let (mut world, supervisor) = scene_with_news(5);
    let now = world.now();
    for family in 200..230 {
        let home = format!("1811010005{:04}00", 1 + family % 10);
        let patch = json!({"r108": format!("Siti {family}"), "r304": 4});
        world.replicas[OFFICE.0].add_record(now, home.parse().unwrap(), None, &patch).unwrap();
    }
    world.commit(OFFICE);
    meet(&mut world, supervisor, OFFICE);
    eprintln!("news on both sides: {:?}", world.carried);
    // Each has said that it is quiet, before and after the receipts, and listed nothing place by place.
    assert!(world.carried["summary"] <= 30, "{:?}", world.carried);
}

#[test]
fn what_went_with_the_greeting_comes_again_where_statements_are_exchanged_first() {
    let edits = 40;
    let (mut world, supervisor) = scene_with_news(edits);
    let before = world.replicas[OFFICE.0].status().unwrap().changes;
    world.add(12, OFFICE, Role::Supervisor, &["1811010005"]);
    meet(&mut world, supervisor, OFFICE);
    assert_eq!(world.replicas[OFFICE.0].status().unwrap().changes, before + edits as u64);
    meet(&mut world, supervisor, OFFICE);
    assert!(!world.carried.contains_key("changes"), "{:?}", world.carried);
}

#[test]
fn before_trust_is_settled_two_frames_are_passed_over_and_no_third_nor_one_that_tells_of_the_log() {
    let early = |frame| Changes { frame, upto: None, items: Vec::new() };
    let of_log = |frame| Changes { upto: Some(frame), ..early(frame) };
    let ends = [vec![early(1), early(2), early(3)], vec![early(1), of_log(2)], vec![of_log(1)]];
    for frames in ends {
        let (mut world, supervisor, _) = scene(1);
        let link = world.link_by_hand(OFFICE, world.key(supervisor));
        let hello = world.hello_by_hand();
        world.say(OFFICE, link, &Message::Hello(hello));
        world.hear(OFFICE, link);
        let (last, before) = frames.split_last().unwrap();
        for frame in before {
            world.say(OFFICE, link, &Message::Changes(frame.clone()));
            assert_eq!(world.hear(OFFICE, link), [], "it is not acknowledged");
        }
        world.say(OFFICE, link, &Message::Changes(last.clone()));
        let heard = world.hear(OFFICE, link);
        let Some(Message::Close(why)) = heard.last() else { panic!("{frames:?}: {heard:?}") };
        assert!(why.text.contains("before trust is settled"), "{frames:?}: {why:?}");
    }
}

#[test]
fn what_is_written_during_a_long_first_sync_goes_before_the_rest_of_it_and_goes_once() {
    let (families, last) = (600, 599);
    let mut took = Vec::new();
    for is_written_meanwhile in [false, true] {
        let (mut world, _, records) = scene(families);
        let write = |world: &mut World| {
            let now = world.now();
            let edited = world.replicas[OFFICE.0].edit(now, &records[last], None, &json!({"r304": 5}));
            world.commit(OFFICE);
            edited.unwrap().unwrap()
        };
        let early = (!is_written_meanwhile).then(|| write(&mut world));
        let other = world.add(12, OFFICE, Role::Supervisor, &["1811010005"]);
        world.carried.clear();
        world.link(other, OFFICE);
        let held = |world: &World| world.replicas[other.0].change_ids().unwrap().len();
        while held(&world) == 0 {
            world.run(1);
        }
        let change = early.unwrap_or_else(|| write(&mut world));
        let has = |world: &World| {
            let of_record = world.replicas[other.0].changes_of(&records[last]).unwrap();
            of_record.iter().any(|held| held.id() == change)
        };
        while !has(&world) {
            world.run(1);
        }
        let before_it = held(&world);
        eprintln!("written meanwhile {is_written_meanwhile}: after {before_it} of {families}");
        assert_eq!(is_written_meanwhile, before_it < families / 2);
        world.settle(STEPS);
        assert_eq!(held(&world), families + 1);
        took.push(world.carried["changes"]);
    }
    assert!(took[0].abs_diff(took[1]) < EDIT_BYTES_MAX * 2, "{took:?}");
}
