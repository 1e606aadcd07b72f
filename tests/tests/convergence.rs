//! Promises 1, 2, 4 and 8 across crates: what one node writes, every entitled node reads, whatever
//! the order, and nobody else.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rukun_authority::Role;
use rukun_change::{ChangeId, Fingerprint, Incarnation, Ink, RecordId, Scalar};
use rukun_document::{ConflictKind, Place};
use rukun_replica::{Choice, Event};
use rukun_tests::by_hand::{Node, World};
use rukun_wire::{Cursor, Exception, Hello, Message};
use serde_json::json;

const STEPS: usize = 10_000;
const HOME: &str = "1811010005000300";
const OTHER: &str = "1811010005000400";

struct Survey {
    world: World,
    office: Node,
    supervisor: Node,
    ani: Node,
    budi: Node,
}

/// An office, a supervisor and two enumerators: one SLS each, and one that both may write.
fn survey() -> Survey {
    let mut world = World::new(1);
    let office = Node(0);
    let supervisor = world.add(10, office, Role::Supervisor, &["1811010005"]);
    world.link(supervisor, office);
    world.settle(STEPS);
    let ani = world.add(20, supervisor, Role::Enumerator, &["18110100050003", "18110100050009"]);
    let budi = world.add(30, supervisor, Role::Enumerator, &["18110100050004", "18110100050009"]);
    world.settle(STEPS);
    Survey { world, office, supervisor, ani, budi }
}

fn add(world: &mut World, node: Node, home: &str, patch: &serde_json::Value) -> RecordId {
    let now = world.now();
    let home = home.parse().unwrap();
    let (record, _) = world.replicas[node.0].add_record(now, home, None, patch).unwrap();
    world.commit(node);
    record
}

fn set(world: &mut World, node: Node, record: &RecordId, patch: &serde_json::Value) {
    let now = world.now();
    world.replicas[node.0].edit(now, record, None, patch).unwrap().expect("the patch changes something");
    world.commit(node);
}

fn value(world: &World, node: Node, record: &RecordId, field: &str) -> Scalar {
    let reading = world.replicas[node.0].reading(record).unwrap();
    reading.answer(&Place { member: None, field: field.into() }).unwrap().effective().value.clone()
}

#[test]
fn a_record_travels_from_the_phone_to_the_district_and_a_correction_back() {
    let Survey { mut world, office, supervisor, ani, .. } = survey();
    let record = {
        world.link(ani, supervisor);
        world.settle(STEPS);
        add(&mut world, ani, HOME, &json!({"r108": "Siti Aminah", "r112": 1, "r304": 2}))
    };
    world.settle(STEPS);
    assert_eq!(value(&world, office, &record, "r304"), Scalar::Int(2));
    set(&mut world, supervisor, &record, &json!({"r304": 5}));
    world.settle(STEPS);
    for node in [office, supervisor, ani] {
        assert_eq!(value(&world, node, &record, "r304"), Scalar::Int(5));
        let reading = world.replicas[node.0].reading(&record).unwrap();
        assert_eq!(reading.inks(), [Ink::Pencil, Ink::Red]);
    }
}

#[test]
fn a_node_holds_only_what_it_may_read() {
    let Survey { mut world, office, supervisor, ani, budi } = survey();
    world.link(ani, supervisor);
    world.link(budi, supervisor);
    world.settle(STEPS);
    let hers = add(&mut world, ani, HOME, &json!({"r108": "Siti"}));
    let his = add(&mut world, budi, OTHER, &json!({"r108": "Wayan"}));
    world.settle(STEPS);
    for node in [office, supervisor] {
        assert_eq!(world.replicas[node.0].records(None, None, 10).unwrap().len(), 2);
    }
    assert!(world.replicas[ani.0].reading(&his).is_err());
    assert!(world.replicas[budi.0].reading(&hers).is_err());
}

#[test]
fn concurrent_answers_are_a_conflict_at_every_tier_until_someone_who_saw_both_settles_it() {
    let Survey { mut world, office, supervisor, ani, budi } = survey();
    world.link(ani, supervisor);
    world.settle(STEPS);
    let record = add(&mut world, ani, "1811010005000900", &json!({"r108": "Made"}));
    world.settle(STEPS);
    world.link(budi, supervisor);
    world.settle(STEPS);
    world.cut_all();
    set(&mut world, ani, &record, &json!({"r304": 1}));
    set(&mut world, budi, &record, &json!({"r304": 7}));
    for (dialer, listener) in [(budi, supervisor), (supervisor, office), (ani, supervisor)] {
        world.link(dialer, listener);
        world.settle(STEPS);
    }
    for node in [office, supervisor, ani, budi] {
        let conflicts = world.replicas[node.0].conflicts(None, Some(ConflictKind::Field)).unwrap();
        assert_eq!(conflicts.len(), 1, "{node:?}");
        assert_eq!(conflicts[0].1[0].candidates.len(), 2, "{node:?}");
    }
    let place = Place { member: None, field: "r304".into() };
    let now = world.now();
    let refused =
        world.replicas[supervisor.0].resolve(now, &record, &place, &Choice::Value(Scalar::Int(7)), None);
    assert!(refused.unwrap_err().to_string().contains("look at the candidates first"));
    let shown = world.replicas[supervisor.0].show_conflicts(&record).unwrap();
    let field = shown.iter().find(|conflict| conflict.kind == ConflictKind::Field).unwrap();
    let pick = field.candidates.iter().find(|candidate| candidate.value == Scalar::Int(7)).unwrap().change;
    world.replicas[supervisor.0].resolve(now, &record, &place, &Choice::Pick(pick), None).unwrap();
    world.commit(supervisor);
    world.settle(STEPS);
    for node in [office, supervisor, ani, budi] {
        assert_eq!(world.replicas[node.0].conflicts(None, Some(ConflictKind::Field)).unwrap(), []);
        assert_eq!(value(&world, node, &record, "r304"), Scalar::Int(7));
        assert_eq!(world.replicas[node.0].reading(&record).unwrap().log().len(), 4);
    }
    let ani_prints = world.replicas[ani.0].fingerprints(Some(&"18110100050009".parse().unwrap())).unwrap();
    let budi_prints = world.replicas[budi.0].fingerprints(Some(&"18110100050009".parse().unwrap())).unwrap();
    assert_eq!(ani_prints, budi_prints);
    assert_eq!(ani_prints.values().map(Fingerprint::count).sum::<u64>(), 4);
}

#[test]
fn a_device_without_a_grant_is_told_so_and_learns_nothing() {
    let Survey { mut world, office, .. } = survey();
    let stranger = world.add_bare(99);
    let survey = world.replicas[0].survey().unwrap();
    world.replicas[stranger.0].join(survey).unwrap();
    world.commit(stranger);
    let (near, _) = world.link(stranger, office);
    world.settle(STEPS);
    assert!(!world.is_linked(stranger, near));
    let told = |node: Node| {
        world.events[node.0].iter().any(
            |event| matches!(event, Event::PeerDown { reason, .. } if reason.contains("no grant is known")),
        )
    };
    assert!(told(stranger) && told(office));
    assert!(world.replicas[stranger.0].status().unwrap().records == 0);
}

#[test]
fn what_a_cut_session_lost_is_found_by_fingerprints_where_no_cursor_helps() {
    let Survey { mut world, office, supervisor, ani, budi } = survey();
    // Ani's phone meets Budi's without any signal, so the supervisor's cursor for Budi knows nothing of it.
    world.link(ani, supervisor);
    world.link(budi, supervisor);
    world.settle(STEPS);
    world.cut_all();
    let record = add(&mut world, ani, "1811010005000900", &json!({"r108": "Ketut", "r302": 40}));
    world.link(ani, budi);
    world.settle(STEPS);
    world.cut_all();
    world.link(budi, supervisor);
    world.link(supervisor, office);
    world.settle(STEPS);
    assert_eq!(value(&world, office, &record, "r302"), Scalar::Int(40));
    let status = world.replicas[budi.0].status().unwrap();
    let peer = status.peers.iter().find(|peer| peer.key == world.key(supervisor)).unwrap();
    assert!(peer.in_sync && peer.lacks == 0, "{peer:?}");
}

#[test]
fn a_scope_that_grows_brings_what_was_there_before() {
    let Survey { mut world, supervisor, ani, budi, .. } = survey();
    world.link(ani, supervisor);
    world.link(budi, supervisor);
    world.settle(STEPS);
    let record = add(&mut world, ani, HOME, &json!({"r108": "Siti"}));
    world.settle(STEPS);
    assert!(world.replicas[budi.0].reading(&record).is_err());
    world.grant(supervisor, budi, Role::Enumerator, &["1811010005"]);
    world.settle(STEPS);
    assert_eq!(value(&world, budi, &record, "r108"), Scalar::Text("Siti".into()));
}

/// How a peer is shown: how many changes it lacks, and whether it is in sync.
fn shown(world: &mut World, at: Node, peer: Node) -> (u64, bool) {
    let status = world.replicas[at.0].status().unwrap();
    let line = status.peers.iter().find(|line| line.key == world.key(peer)).unwrap();
    (line.lacks, line.in_sync)
}

#[test]
fn nobody_is_shown_in_sync_while_what_is_new_is_on_its_way() {
    let Survey { mut world, office, supervisor, .. } = survey();
    let record = add(&mut world, office, HOME, &json!({"r108": "Siti"}));
    world.settle(STEPS);
    assert_eq!(shown(&mut world, office, supervisor), (0, true));
    for value in 1..3 {
        set(&mut world, office, &record, &json!({"r304": value}));
        assert_eq!(shown(&mut world, office, supervisor), (1, false));
        world.settle(STEPS);
        assert_eq!(shown(&mut world, office, supervisor), (0, true));
    }
}

#[test]
fn whose_regions_grew_while_it_was_away_is_shown_to_lack_what_is_there() {
    let Survey { mut world, supervisor, ani, budi, .. } = survey();
    world.link(ani, supervisor);
    world.link(budi, supervisor);
    world.settle(STEPS);
    add(&mut world, ani, HOME, &json!({"r108": "Siti"}));
    world.settle(STEPS);
    assert_eq!(shown(&mut world, supervisor, budi), (0, true));
    world.cut_all();
    world.grant(supervisor, budi, Role::Enumerator, &["1811010005"]);
    assert_eq!(shown(&mut world, supervisor, budi), (1, false));
}

#[test]
fn a_store_that_lost_what_a_peer_has_of_it_goes_on_under_another_incarnation() {
    let Survey { mut world, office, supervisor, .. } = survey();
    world.cut_all();
    let before = world.replicas[office.0].author();
    let (near, _) = world.link(supervisor, office);
    let status = world.replicas[office.0].status().unwrap();
    let hello = Hello {
        versions: (1, 1),
        survey: world.replicas[office.0].survey(),
        epoch: world.replicas[supervisor.0].author().incarnation,
        received: Some(Cursor { epoch: before.incarnation, seq: status.statements + status.changes + 1 }),
        held: 0,
        statements: Some(Fingerprint::default()),
        chain: Vec::new(),
    };
    world.forget_in_flight();
    world.inject(supervisor, near, Message::Hello(hello).encode());
    world.settle(STEPS);
    let after = world.replicas[office.0].author();
    assert_eq!(after.device, before.device);
    assert_ne!(after.incarnation, before.incarnation);
    assert!(world.events[supervisor.0].iter().any(
        |event| matches!(event, Event::PeerDown { reason, .. } if reason.contains("restored from a backup"))
    ));
    world.link(supervisor, office);
    world.settle(STEPS);
    let record = add(&mut world, supervisor, HOME, &json!({"r108": "Nyoman"}));
    world.settle(STEPS);
    assert_eq!(value(&world, office, &record, "r108"), Scalar::Text("Nyoman".into()));
}

#[test]
fn what_a_peer_no_longer_has_by_its_own_greeting_is_not_shown_as_delivered() {
    let Survey { mut world, office, supervisor, .. } = survey();
    for name in ["Siti", "Made", "Ketut"] {
        add(&mut world, office, HOME, &json!({"r108": name}));
    }
    world.settle(STEPS);
    let (device, epoch) = (world.key(supervisor), world.replicas[office.0].author().incarnation);
    let lacks = |world: &mut World| {
        let status = world.replicas[office.0].status().unwrap();
        let line = status.peers.iter().find(|peer| peer.key == device).unwrap().clone();
        (line.lacks, line.in_sync)
    };
    assert_eq!(lacks(&mut world), (0, true));
    world.cut_all();
    assert_eq!(lacks(&mut world).0, 0);
    let head = {
        let status = world.replicas[office.0].status().unwrap();
        status.statements + status.changes
    };
    let other = Incarnation::from_bytes([9; 4]);
    let cursors = [
        (Some(Cursor { epoch, seq: head - 1 }), 1),
        (None, 3),
        (Some(Cursor { epoch: other, seq: head }), 3),
        // A cursor says no more than was known when the peer last had none.
        (Some(Cursor { epoch, seq: head }), 3),
    ];
    for (received, expected) in cursors {
        let link = world.link_by_hand(office, device);
        let hello = Hello { received, held: 1, ..world.hello_by_hand() };
        world.say(office, link, &Message::Hello(hello));
        world.say(office, link, &Message::StatementIds(Vec::new()));
        world.say(office, link, &Message::Statements { items: Vec::new(), last: true });
        assert_eq!(lacks(&mut world), (expected, false), "{received:?}");
    }
}

#[test]
fn what_waits_at_a_peer_is_told_as_that_and_nobody_is_said_to_refuse_it() {
    let Survey { mut world, office, supervisor, .. } = survey();
    world.cut_all();
    add(&mut world, office, HOME, &json!({"r108": "Siti"}));
    let device = world.key(supervisor);
    let link = world.session_by_hand(office, device);
    let sent = world.hear(office, link).into_iter().find_map(|message| match message {
        Message::Changes(changes) => Some(changes),
        _ => None,
    });
    let sent = sent.unwrap();
    let change = ChangeId::of(
        &sent.items[0].change.to_be_signed(&world.replicas[office.0].survey().unwrap()).unwrap(),
    );
    let exceptions = vec![(change, Exception::Waiting)];
    world.say(office, link, &Message::Ack { frame: sent.frame, exceptions });
    let told = &world.events[office.0];
    assert!(told.contains(&Event::Waits { peer: device, change }), "{told:?}");
    assert!(!told.iter().any(|event| matches!(event, Event::Refused { .. })), "{told:?}");
    let status = world.replicas[office.0].status().unwrap();
    assert!(status.peers.iter().all(|peer| peer.refused == 0));
}

#[test]
fn a_stranger_that_dials_learns_nothing_but_why_it_is_refused() {
    let mut world = World::new(1);
    let stranger = world.add_bare(99);
    let survey = world.replicas[0].survey().unwrap();
    world.replicas[stranger.0].join(survey).unwrap();
    world.commit(stranger);
    world.link(stranger, Node(0));
    world.settle(STEPS);
    assert!(world.replicas[stranger.0].trust().is_none(), "the charter is for those who were granted");
    assert_eq!(world.replicas[stranger.0].status().unwrap().statements, 0);
}
