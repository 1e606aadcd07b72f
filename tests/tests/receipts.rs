//! Promise 5: "at the district" is shown against a receipt of the district and against nothing else, and
//! what nobody else is known to hold is shown as such.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use rukun_authority::{Role, Said, Statement};
use rukun_change::{ChangeId, EncodedFingerprint, Fingerprint, RecordId, SubSls};
use rukun_replica::Reached;
use rukun_tests::by_hand::{Node, World};
use rukun_wire::{Changes, Exception, Message};
use serde_json::json;

const STEPS: usize = 10_000;
const HOME: &str = "1811010005000300";

struct Survey {
    world: World,
    office: Node,
    supervisor: Node,
    ani: Node,
}

/// An office, a supervisor and an enumerator who know each other, with no link standing.
fn survey() -> Survey {
    let mut world = World::new(1);
    let office = Node(0);
    let supervisor = world.add(10, office, Role::Supervisor, &["1811010005"]);
    world.link(supervisor, office);
    world.settle(STEPS);
    let ani = world.add(20, supervisor, Role::Enumerator, &["18110100050003"]);
    world.settle(STEPS);
    world.link(ani, supervisor);
    world.settle(STEPS);
    world.cut_all();
    Survey { world, office, supervisor, ani }
}

fn add(world: &mut World, node: Node) -> RecordId {
    let now = world.now();
    let added = world.replicas[node.0].add_record(now, HOME.parse().unwrap(), None, &json!({"r108": "Siti"}));
    world.commit(node);
    added.unwrap().0
}

fn set(world: &mut World, node: Node, record: &RecordId, value: u64) -> ChangeId {
    let now = world.now();
    let change = world.replicas[node.0].edit(now, record, None, &json!({"r304": value})).unwrap().unwrap();
    world.commit(node);
    change
}

fn meet(world: &mut World, one: Node, other: Node) -> usize {
    world.link(one, other);
    let steps = world.settle(STEPS);
    world.cut_all();
    steps
}

fn reached(world: &World, node: Node, record: &RecordId) -> Vec<Reached> {
    world.replicas[node.0].reached(record).unwrap().into_values().collect()
}

fn written(world: &mut World, node: Node) -> BTreeMap<Reached, u64> {
    world.replicas[node.0].status().unwrap().custody.written
}

fn receipts(world: &World, node: Node) -> Vec<Vec<u8>> {
    world.replicas[node.0].receipts_held(None).unwrap()
}

#[test]
fn a_superior_signs_for_what_it_holds_whoever_dials_and_whoever_asks_first() {
    for superior_dials in [false, true] {
        let Survey { mut world, supervisor, ani, .. } = survey();
        let record = add(&mut world, ani);
        for value in 1..4 {
            let (one, other) = if superior_dials { (supervisor, ani) } else { (ani, supervisor) };
            meet(&mut world, one, other);
            let shown = reached(&world, ani, &record);
            assert!(
                shown.iter().all(|reached| *reached == Reached::Supervisor),
                "{superior_dials}: {shown:?}"
            );
            // What is delivered and not signed for is signed for in the next session, which brings nothing else.
            set(&mut world, ani, &record, value);
            world.link(one, other);
            world.run(value as usize);
            world.cut_all();
            world.forget_in_flight();
        }
    }
}

#[test]
fn who_is_no_superior_there_any_more_shows_nothing_by_its_own_word() {
    let Survey { mut world, office, supervisor, ani } = survey();
    let record = add(&mut world, ani);
    meet(&mut world, ani, supervisor);
    assert_eq!(reached(&world, supervisor, &record), [Reached::Supervisor]);
    world.grant(office, supervisor, Role::Supervisor, &["1811010006"]);
    world.link(supervisor, office);
    let home: SubSls = HOME.parse().unwrap();
    let covers = |world: &mut World| {
        let regions = world.replicas[supervisor.0].status().unwrap().regions;
        regions.iter().any(|region| region.covers_sub_sls(&home))
    };
    while covers(&mut world) {
        world.run(1);
    }
    // The district has not signed for it yet.
    assert_eq!(reached(&world, supervisor, &record), [Reached::Here]);
}

#[test]
fn work_is_shown_at_a_tier_once_a_receipt_of_that_tier_has_come_and_not_before() {
    let Survey { mut world, office, supervisor, ani } = survey();
    let record = add(&mut world, ani);
    assert_eq!(reached(&world, ani, &record), [Reached::HereAlone]);
    meet(&mut world, ani, supervisor);
    assert_eq!(reached(&world, ani, &record), [Reached::Supervisor]);
    assert_eq!(reached(&world, supervisor, &record), [Reached::Supervisor]);
    meet(&mut world, supervisor, office);
    assert_eq!(reached(&world, office, &record), [Reached::District]);
    assert_eq!(reached(&world, supervisor, &record), [Reached::District]);
    assert_eq!(reached(&world, ani, &record), [Reached::Supervisor], "she has not heard of it");
    meet(&mut world, ani, supervisor);
    assert_eq!(reached(&world, ani, &record), [Reached::District]);
    assert_eq!(written(&mut world, ani), BTreeMap::from([(Reached::District, 1)]));
}

#[test]
fn a_session_without_news_makes_no_receipt_and_sends_none_again() {
    let Survey { mut world, supervisor, ani, .. } = survey();
    add(&mut world, ani);
    let with_news = meet(&mut world, ani, supervisor);
    let held = [ani, supervisor].map(|node| receipts(&world, node));
    assert_eq!((held[0].len(), &held[0]), (1, &held[1]));
    let without: Vec<usize> = (0..3).map(|_| meet(&mut world, ani, supervisor)).collect();
    assert_eq!(without[0], without[2]);
    assert!(without[0] < with_news);
    assert_eq!([ani, supervisor].map(|node| receipts(&world, node)), held);
}

#[test]
fn what_was_written_since_is_not_covered_by_the_receipt_for_what_was_there_before() {
    let Survey { mut world, office, supervisor, ani } = survey();
    let record = add(&mut world, ani);
    meet(&mut world, ani, supervisor);
    // The supervisor delivers while she writes on: the district's receipt is for her first change alone.
    let later = set(&mut world, ani, &record, 3);
    meet(&mut world, supervisor, office);
    world.link(ani, supervisor);
    world.run(STEPS);
    world.cut_all();
    let at_hers = world.replicas[ani.0].reached(&record).unwrap();
    assert_eq!(at_hers[&later], Reached::Supervisor);
    let mut tiers: Vec<Reached> = at_hers.into_values().collect();
    tiers.sort_unstable();
    assert_eq!(tiers, [Reached::Supervisor, Reached::District]);
    let written = written(&mut world, ani);
    assert_eq!(written, BTreeMap::from([(Reached::Supervisor, 1), (Reached::District, 1)]));
}

/// A receipt by hand, in the supervisor's name, is told to somebody; gives its bytes.
fn say_by_hand(world: &mut World, to: Node, fingerprint: EncodedFingerprint) -> Vec<u8> {
    let keypair = rukun_authority::Keypair::from_seed(&[10; 32]);
    let trust = world.replicas[to.0].trust().unwrap();
    let (parent, _) = trust.receipt_grant(&keypair.key(), &HOME.parse().unwrap()).unwrap();
    let said =
        Said::Receipt(rukun_authority::Receipt { parent, sub_sls: HOME.parse().unwrap(), fingerprint });
    let incarnation = rukun_change::Incarnation::from_bytes([10; 4]);
    let statement = Statement::sign(&keypair, incarnation, 1, Some(trust.survey()), said).to_bytes();
    let link = world.session_by_hand(to, keypair.key());
    world.say(to, link, &Message::Statements { items: vec![statement.clone()], last: true });
    statement
}

#[test]
fn a_receipt_whose_sum_is_no_point_proves_nothing_and_stands_in_nobodys_way() {
    let Survey { mut world, office, supervisor, ani } = survey();
    meet(&mut world, ani, supervisor);
    let record = add(&mut world, ani);
    let mut bytes = [0xff; Fingerprint::BYTES];
    bytes[..8].copy_from_slice(&1_u64.to_be_bytes());
    let before = reached(&world, ani, &record);
    let statement = say_by_hand(&mut world, ani, EncodedFingerprint::from_bytes(bytes));
    assert!(receipts(&world, ani).contains(&statement));
    assert_eq!(reached(&world, ani, &record), before);
    let other = add(&mut world, ani);
    meet(&mut world, ani, supervisor);
    meet(&mut world, supervisor, office);
    meet(&mut world, ani, supervisor);
    for record in [record, other] {
        assert_eq!(reached(&world, ani, &record), [Reached::District]);
    }
}

#[test]
fn what_a_receipt_proved_stays_proved_when_one_that_proves_nothing_here_takes_its_place() {
    let Survey { mut world, office, supervisor, ani } = survey();
    let record = add(&mut world, ani);
    meet(&mut world, ani, supervisor);
    meet(&mut world, supervisor, office);
    meet(&mut world, ani, supervisor);
    let first = receipts(&world, ani);
    let nobodys = EncodedFingerprint::from(&[[7; 32], [8; 32], [9; 32]].iter().collect::<Fingerprint>());
    let statement = say_by_hand(&mut world, ani, nobodys);
    assert!(receipts(&world, ani).contains(&statement));
    assert_ne!(receipts(&world, ani), first);
    assert_eq!(reached(&world, ani, &record), [Reached::District]);
    let supervisors_word =
        world.replicas[ani.0].revoke(None, &rukun_authority::Keypair::from_seed(&[10; 32]).key(), "lost");
    assert!(supervisors_word.is_err(), "an enumerator revokes nobody");
}

#[test]
fn what_a_colleague_acknowledged_is_held_elsewhere_and_at_no_tier() {
    let Survey { mut world, supervisor, ani, .. } = survey();
    world.link(ani, supervisor);
    let budi = world.add(30, supervisor, Role::Enumerator, &["18110100050003"]);
    world.link(budi, supervisor);
    world.settle(STEPS);
    world.cut_all();
    let record = add(&mut world, ani);
    let custody = world.replicas[ani.0].status().unwrap().custody;
    assert_eq!((custody.alone, custody.alone_since_ms), (1, Some(world.now().wall_ms)));
    meet(&mut world, ani, budi);
    assert_eq!(reached(&world, ani, &record), [Reached::Here]);
    assert_eq!(reached(&world, budi, &record), [Reached::Here]);
    assert!(receipts(&world, ani).is_empty() && receipts(&world, budi).is_empty());
    let custody = world.replicas[ani.0].status().unwrap().custody;
    assert_eq!((custody.alone, custody.alone_since_ms), (0, None));
}

#[test]
fn a_change_that_the_peer_excepts_stays_on_this_device_alone() {
    let Survey { mut world, supervisor, ani, .. } = survey();
    add(&mut world, ani);
    let link = world.session_by_hand(ani, world.key(supervisor));
    let sent = world.hear(ani, link).into_iter().find_map(|message| match message {
        Message::Changes(changes) => Some(changes),
        _ => None,
    });
    let Changes { frame, items, .. } = sent.unwrap();
    assert_eq!((items.len(), alone(&mut world, ani)), (1, 1), "on its way is not there");
    let survey = world.replicas[ani.0].survey().unwrap();
    let id = items[0].change.to_be_signed(&survey).map(|message| ChangeId::of(&message)).unwrap();
    let refused = Message::Ack { frame, exceptions: vec![(id, Exception::Refused("no".into()))] };
    world.say(ani, link, &refused);
    assert_eq!(alone(&mut world, ani), 1);
    let other = add(&mut world, ani);
    let (frame, changes) = (frame + 1, world.replicas[ani.0].changes_of(&other).unwrap().len());
    world.say(ani, link, &Message::Ack { frame, exceptions: Vec::new() });
    assert_eq!((changes, alone(&mut world, ani)), (1, 1), "and the other one is elsewhere");
}

fn alone(world: &mut World, node: Node) -> u64 {
    world.replicas[node.0].status().unwrap().custody.alone
}

#[test]
fn a_stolen_supervisors_phone_gives_no_receipts_that_count() {
    let Survey { mut world, office, supervisor, ani } = survey();
    let budi = world.add(30, office, Role::Enumerator, &["18110100050003"]);
    let record = add(&mut world, ani);
    for (one, other) in [(ani, supervisor), (supervisor, office), (ani, supervisor)] {
        meet(&mut world, one, other);
    }
    let (stolen, key) = (supervisor, world.key(supervisor));
    let kept = world.replicas[office.0].revoke(None, &key, "stolen").unwrap().statements;
    assert_eq!(kept, 2, "her grant, and the receipt that she gave before");
    world.commit(office);
    meet(&mut world, budi, office);
    let later = set(&mut world, ani, &record, 4);
    meet(&mut world, ani, stolen);
    let at_hers = world.replicas[ani.0].reached(&record).unwrap();
    assert_eq!(at_hers[&later], Reached::Supervisor, "she can't know yet");
    meet(&mut world, ani, budi);
    let at_hers = world.replicas[ani.0].reached(&record).unwrap();
    assert_eq!(at_hers[&later], Reached::Here);
    let first = at_hers.into_iter().find(|(id, _)| *id != later).unwrap();
    assert_eq!(first.1, Reached::District, "what others attest stays");
}

#[test]
fn who_meets_another_superior_for_the_first_time_gets_its_receipts_for_what_both_hold() {
    let Survey { mut world, office, supervisor, ani } = survey();
    let record = add(&mut world, ani);
    meet(&mut world, ani, supervisor);
    meet(&mut world, supervisor, office);
    assert_eq!(reached(&world, ani, &record), [Reached::Supervisor]);
    let given = receipts(&world, office);
    meet(&mut world, ani, office);
    assert_eq!(receipts(&world, office), given, "nothing new is attested");
    assert_eq!(reached(&world, ani, &record), [Reached::District]);
    // And once is enough.
    let again = meet(&mut world, ani, office);
    assert_eq!(meet(&mut world, ani, office), again);
    meet(&mut world, ani, supervisor);
    assert_eq!(meet(&mut world, ani, supervisor), again, "no more is said than where there is a cursor");
}

#[test]
fn a_hole_in_an_officers_numbers_is_shown_until_the_next_session_fills_it() {
    let Survey { mut world, supervisor, ani, .. } = survey();
    let records: Vec<RecordId> = (0..3).map(|_| add(&mut world, ani)).collect();
    let signed = |at: usize| world.replicas[ani.0].changes_of(&records[at]).unwrap()[0].signed().clone();
    let items = vec![signed(0), signed(2)];
    let link = world.session_by_hand(supervisor, world.key(ani));
    world.say(supervisor, link, &Message::Changes(Changes { frame: 1, upto: None, items }));
    let officer = |world: &mut World| {
        let officers = world.replicas[supervisor.0].status().unwrap().officers;
        assert_eq!(officers.len(), 1, "the office reads more than its supervisor");
        (officers[0].changes, officers[0].incarnations[0].last, officers[0].incarnations[0].missing.clone())
    };
    assert_eq!(officer(&mut world), (2, 3, vec![2..=2]));
    meet(&mut world, ani, supervisor);
    assert_eq!(officer(&mut world), (3, 3, vec![]));
}

#[test]
fn what_others_say_of_work_is_no_hole_either() {
    let Survey { mut world, office, supervisor, ani } = survey();
    add(&mut world, ani);
    meet(&mut world, ani, supervisor);
    let record = add(&mut world, ani);
    meet(&mut world, ani, supervisor);
    set(&mut world, supervisor, &record, 6);
    let refused = rukun_tests::by_hand::new_grant(world.key(ani), Role::District, &["1811"]);
    assert!(world.replicas[supervisor.0].grant(None, refused).is_err());
    set(&mut world, supervisor, &record, 7);
    meet(&mut world, supervisor, office);
    let officers = world.replicas[office.0].status().unwrap().officers;
    assert_eq!(officers.len(), 2);
    for officer in officers {
        assert_eq!(officer.incarnations.len(), 1, "{officer:?}");
        assert!(officer.incarnations[0].missing.is_empty(), "{officer:?}");
        assert!(officer.last_contact_ms > 0 || officer.role == Some(Role::Enumerator), "{officer:?}");
    }
}
