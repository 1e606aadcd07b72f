//! A region goes from one enumerator to another: who takes it receives what was delivered there, what
//! the first had yet to deliver is taken when it arrives, as the first one's, and nothing else moves.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use rukun_authority::{Grant, Keypair, Role, Said, Standing, Statement};
use rukun_change::{ChangeId, Fingerprint, Incarnation, RecordId, Region};
use rukun_replica::{ActionError, Event, Reached};
use rukun_tests::by_hand::{Node, World};
use rukun_wire::Message;
use serde_json::json;

const STEPS: usize = 10_000;
const SLS: &str = "18110100050003";
const HOME: &str = "1811010005000300";
const OTHER: &str = "18110100050004";
const OFFICE: Node = Node(0);

struct Team {
    world: World,
    supervisor: Node,
    ani: Node,
    budi: Node,
}

/// An office, a supervisor and two enumerators, linked; the first holds two SLS.
fn team() -> Team {
    let mut world = World::new(1);
    let supervisor = world.add(10, OFFICE, Role::Supervisor, &["1811010005"]);
    world.link(supervisor, OFFICE);
    world.settle(STEPS);
    let ani = world.add(20, supervisor, Role::Enumerator, &[SLS, OTHER]);
    let budi = world.add(30, supervisor, Role::Enumerator, &["18110100050009"]);
    world.link(ani, supervisor);
    world.link(budi, supervisor);
    world.settle(STEPS);
    Team { world, supervisor, ani, budi }
}

/// The same, after a place went over with a record that was delivered late: the supervisor has it, and what the new
/// officer wrote there; the first one is told nothing of that.
fn team_with_late_work() -> (Team, RecordId) {
    let Team { mut world, supervisor, ani, budi } = team();
    world.cut_all();
    let record = add(&mut world, ani, "Siti");
    assign(&mut world, supervisor, SLS, ani, budi).unwrap();
    world.link(supervisor, OFFICE);
    world.link(budi, supervisor);
    world.settle(STEPS);
    add(&mut world, budi, "Wati");
    world.settle(STEPS);
    world.link(ani, supervisor);
    world.settle(STEPS);
    (Team { world, supervisor, ani, budi }, record)
}

fn region(code: &str) -> Region {
    code.parse().unwrap()
}

fn add(world: &mut World, node: Node, name: &str) -> RecordId {
    add_in(world, node, HOME, name)
}

fn add_in(world: &mut World, node: Node, home: &str, name: &str) -> RecordId {
    let now = world.now();
    let home = home.parse().unwrap();
    let (record, _) = world.replicas[node.0].add_record(now, home, None, &json!({"r108": name})).unwrap();
    world.commit(node);
    record
}

fn assign(
    world: &mut World,
    at: Node,
    code: &str,
    from: Node,
    to: Node,
) -> Result<rukun_authority::HandOver, ActionError> {
    let (from, to) = (world.key(from), world.key(to));
    let assigned = world.replicas[at.0].assign(&region(code), &from, &to);
    world.commit(at);
    assigned
}

fn holds(world: &World, node: Node, record: &RecordId) -> bool {
    world.replicas[node.0].reading(record).is_ok()
}

#[test]
fn who_takes_a_region_receives_what_is_there_and_works_on() {
    let Team { mut world, supervisor, ani, budi } = team();
    let record = add(&mut world, ani, "Siti");
    world.settle(STEPS);
    assert!(holds(&world, supervisor, &record) && !holds(&world, budi, &record));
    assign(&mut world, supervisor, SLS, ani, budi).unwrap();
    world.settle(STEPS);
    assert!(holds(&world, budi, &record));
    let now = world.now();
    world.replicas[budi.0].edit(now, &record, None, &json!({"r304": 3})).unwrap().unwrap();
    world.commit(budi);
    world.settle(STEPS);
    let reading = world.replicas[OFFICE.0].reading(&record).unwrap();
    let authors: Vec<_> = reading.log().iter().map(|logged| logged.author.device).collect();
    assert_eq!(authors, [world.key(ani), world.key(budi)]);
    // Whoever gave it writes there no more, and lets go of the record: the district has it.
    let refused = world.replicas[ani.0].edit(now, &record, None, &json!({"r304": 4})).unwrap_err();
    assert!(matches!(refused, ActionError::NotGranted { .. }), "{refused}");
    assert!(!holds(&world, ani, &record));
}

#[test]
fn what_was_not_delivered_is_taken_when_it_arrives_as_its_authors() {
    let Team { mut world, supervisor, ani, budi } = team();
    world.cut_all();
    let late = add(&mut world, ani, "Made");
    assign(&mut world, supervisor, "1811010005", ani, budi).unwrap();
    world.link(supervisor, OFFICE);
    world.link(budi, supervisor);
    world.settle(STEPS);
    assert!(!holds(&world, supervisor, &late));
    // Ani, who holds nothing any more, comes back.
    world.link(ani, supervisor);
    world.settle(STEPS);
    assert_eq!(world.replicas[OFFICE.0].trust().unwrap().reads(&world.key(ani)), []);
    for node in [OFFICE, supervisor, budi] {
        let reading = world.replicas[node.0].reading(&late).unwrap();
        assert_eq!(reading.log().len(), 1, "{node:?}");
        assert_eq!(reading.log()[0].author.device, world.key(ani), "{node:?}");
        assert_eq!(reading.log()[0].standing, Standing::Good, "{node:?}");
    }
    let status = world.replicas[supervisor.0].status().unwrap();
    let peer = status.peers.iter().find(|peer| peer.key == world.key(ani)).unwrap();
    assert!(peer.linked && peer.in_sync && peer.refused == 0, "{peer:?}");
}

#[test]
fn both_grants_are_made_in_one_commit_or_none() {
    let Team { mut world, supervisor, ani, budi } = team();
    let held = |world: &World| world.replicas[supervisor.0].statements_held().unwrap().len();
    let before = held(&world);
    let (giver, taker) = (world.key(ani), world.key(budi));
    world.replicas[supervisor.0].assign(&region(SLS), &giver, &taker).unwrap();
    assert_eq!(held(&world), before + 2);
    world.commit(supervisor);
    let refused = assign(&mut world, supervisor, HOME, ani, budi).unwrap_err();
    assert!(refused.to_string().contains("holds nothing in 1811010005000300"), "{refused}");
    assert_eq!(held(&world), before + 2);
    // To a device that is revoked nothing can be given.
    world.replicas[supervisor.0].revoke(None, &taker, "lost").unwrap();
    let with_revocation = held(&world);
    let refused = assign(&mut world, supervisor, OTHER, ani, budi).unwrap_err();
    assert!(matches!(refused, ActionError::StaysOut { .. }), "{refused}");
    assert_eq!(held(&world), with_revocation);
    // What the lost device had goes back all the same.
    assign(&mut world, supervisor, "1811010005", budi, ani).unwrap();
    let reads = world.replicas[supervisor.0].trust().unwrap().reads(&giver);
    assert_eq!(reads, [SLS, OTHER, "18110100050009"].map(region));
}

#[test]
fn only_a_hand_over_leaves_a_grant_of_no_region() {
    let Team { mut world, supervisor, ani, .. } = team();
    let new = rukun_tests::by_hand::new_grant(world.key(ani), Role::Enumerator, &[]);
    let refused = world.replicas[supervisor.0].grant(None, new).unwrap_err();
    assert!(refused.to_string().contains("name it with --region"), "{refused}");
}

#[test]
fn nothing_is_granted_to_a_key_that_another_follows_or_that_stays_out() {
    let Team { mut world, supervisor, ani, budi } = team();
    let (now, was) = (world.now(), world.key(ani));
    world.replicas[ani.0].rotate(now, [21; 32]).unwrap();
    world.commit(ani);
    world.cut_all();
    world.link(ani, supervisor);
    world.settle(STEPS);
    assert!(
        world.replicas[supervisor.0].trust().unwrap().followers(&was).contains(&world.key(ani)),
        "at once"
    );
    let (new, lost) = (world.key(ani), world.key(budi));
    world.replicas[supervisor.0].revoke(None, &lost, "hilang").unwrap();
    let held = world.replicas[supervisor.0].statements_held().unwrap().len();
    let mut grants = |device| {
        let grant = rukun_tests::by_hand::new_grant(device, Role::Enumerator, &[OTHER]);
        world.replicas[supervisor.0].grant(None, grant)
    };
    let refused = grants(was).unwrap_err().to_string();
    assert!(refused.contains(&format!("name {new} instead")), "{refused}");
    let refused = grants(lost).unwrap_err();
    assert!(matches!(refused, ActionError::StaysOut { .. }), "{refused}");
    assert_eq!(grants(new).unwrap().in_force, [region(OTHER)]);
    // A refusal leaves no word and no gap among the numbers.
    assert_eq!(world.replicas[supervisor.0].statements_held().unwrap().len(), held + 1);
    world.commit(supervisor);
    world.settle(STEPS);
    assert_eq!(world.replicas[ani.0].trust().unwrap().reads(&new), [region(OTHER)]);
    let refused = world.replicas[supervisor.0].assign(&region(OTHER), &new, &was).unwrap_err();
    assert!(matches!(refused, ActionError::Followed { .. }), "{refused}");
}

#[test]
fn what_was_handed_over_leaves_the_first_device_once_the_district_is_proved_to_have_it() {
    let Team { mut world, supervisor, ani, budi } = team();
    let record = add(&mut world, ani, "Siti");
    world.settle(STEPS);
    let kept = add_in(&mut world, ani, "1811010005000400", "Tono");
    world.settle(STEPS);
    assign(&mut world, supervisor, SLS, ani, budi).unwrap();
    world.settle(STEPS);
    assert!(!holds(&world, ani, &record) && holds(&world, ani, &kept) && holds(&world, budi, &record));
    let released = world.replicas[ani.0].released().unwrap();
    assert_eq!(released.iter().map(|line| (line.record, line.own)).collect::<Vec<_>>(), [(record, 1)]);
    let listed = world.replicas[ani.0].records(None, None, usize::MAX).unwrap();
    assert_eq!(listed.iter().map(|line| line.id).collect::<Vec<_>>(), [kept]);
    // Given back, it comes again, with its own changes among it, and nothing is taken for a fork.
    assign(&mut world, supervisor, SLS, budi, ani).unwrap();
    world.settle(STEPS);
    assert!(holds(&world, ani, &record) && world.replicas[ani.0].released().unwrap().is_empty());
    let reading = world.replicas[ani.0].reading(&record).unwrap();
    assert!(reading.log().iter().all(|entry| entry.standing == Standing::Good));
}

#[test]
fn late_work_stays_and_is_marked_until_the_district_itself_has_signed_for_it() {
    let (Team { mut world, supervisor, ani, budi }, record) = team_with_late_work();
    assert!(holds(&world, supervisor, &record) && holds(&world, OFFICE, &record));
    let lines = world.replicas[ani.0].records(None, None, usize::MAX).unwrap();
    assert_eq!(lines.iter().map(|line| (line.id, line.leaving)).collect::<Vec<_>>(), [(record, true)]);
    assert_eq!(world.replicas[ani.0].status().unwrap().leaving, 1);
    world.link(ani, OFFICE);
    world.settle(STEPS);
    assert!(!holds(&world, ani, &record));
    assert_eq!(world.replicas[ani.0].status().unwrap().leaving, 0);
    assert!(holds(&world, OFFICE, &record) && holds(&world, budi, &record));
}

#[test]
fn who_goes_on_under_another_key_keeps_what_was_delivered() {
    let Team { mut world, ani, .. } = team();
    let record = add(&mut world, ani, "Siti");
    world.settle(STEPS);
    let now = world.now();
    world.replicas[ani.0].rotate(now, [21; 32]).unwrap();
    world.commit(ani);
    assert!(holds(&world, ani, &record));
    assert_eq!(world.replicas[ani.0].released().unwrap(), []);
}

#[test]
fn who_gets_a_place_back_writes_nothing_there_under_the_numbers_that_it_let_go_of() {
    let Team { mut world, supervisor, ani, budi } = team();
    let record = add(&mut world, ani, "Siti");
    let edit = |world: &mut World, value: u64| {
        let now = world.now();
        world.replicas[ani.0].edit(now, &record, None, &json!({"r304": value})).unwrap().unwrap();
        world.commit(ani);
    };
    edit(&mut world, 3);
    world.settle(STEPS);
    assign(&mut world, supervisor, SLS, ani, budi).unwrap();
    world.settle(STEPS);
    assert!(!holds(&world, ani, &record));
    world.cut_all();
    assign(&mut world, supervisor, SLS, budi, ani).unwrap();
    // Its grant comes, and then the link is cut before what is there does.
    world.link(ani, supervisor);
    while !world.replicas[ani.0].trust().unwrap().may_read(&world.key(ani), &HOME.parse().unwrap()) {
        world.run(1);
    }
    world.cut_all();
    assert!(!holds(&world, ani, &record));
    edit(&mut world, 4);
    edit(&mut world, 5);
    world.link(ani, supervisor);
    world.link(supervisor, OFFICE);
    world.settle(STEPS);
    for node in [OFFICE, supervisor, ani] {
        let reading = world.replicas[node.0].reading(&record).unwrap();
        let standings: Vec<_> = reading.log().iter().map(|logged| logged.standing).collect();
        assert_eq!(standings, [Standing::Good; 4], "{node:?}");
    }
    // What it let go of and has again is known to be at the district, by the receipts of before or by new ones.
    let custody = world.replicas[ani.0].status().unwrap().custody;
    assert_eq!((custody.alone, custody.written.values().sum::<u64>()), (0, 4), "{custody:?}");
    assert_eq!(custody.written.get(&Reached::District), Some(&4), "{custody:?}");
}

#[test]
fn who_goes_on_under_another_key_while_a_place_is_leaving_lets_go_of_it_as_well() {
    let (Team { mut world, supervisor, ani, budi }, record) = team_with_late_work();
    assert_eq!(world.replicas[ani.0].status().unwrap().leaving, 1);
    let (now, was) = (world.now(), world.key(ani));
    world.replicas[ani.0].rotate(now, [21; 32]).unwrap();
    world.commit(ani);
    world.cut_all();
    world.link(ani, OFFICE);
    world.settle(STEPS);
    assert!(!holds(&world, ani, &record) && holds(&world, OFFICE, &record));
    world.link(supervisor, OFFICE);
    world.link(budi, OFFICE);
    world.settle(STEPS);
    // The place that went does not come back by the new key, and the old one has nothing.
    for node in [OFFICE, supervisor, budi] {
        let trust = world.replicas[node.0].trust().unwrap();
        assert_eq!(trust.reads(&world.key(ani)), [region(OTHER)], "{node:?}");
        assert_eq!(trust.reads(&was), [], "{node:?}");
    }
}

#[test]
fn a_list_with_one_id_twice_or_of_another_place_is_signed_for_by_nobody() {
    let Team { mut world, supervisor, ani, budi } = team();
    let record = add(&mut world, ani, "Siti");
    let other = add_in(&mut world, ani, "1811010005000400", "Tono");
    world.settle(STEPS);
    let change = |record: &RecordId| world.replicas[OFFICE.0].reading(record).unwrap().log()[0].change;
    let (here, there) = (change(&record), change(&other));
    assign(&mut world, supervisor, SLS, ani, budi).unwrap();
    world.settle(STEPS);
    let home = HOME.parse().unwrap();
    let mut both = [here, there];
    both.sort_unstable();
    let mut signs_for = |ids: &[ChangeId]| {
        let key = world.key(ani);
        let link = world.session_by_hand(OFFICE, key);
        world.say(OFFICE, link, &Message::Summary(Vec::new()));
        let wrong: Fingerprint = [[7; 32]].iter().collect();
        world.say(OFFICE, link, &Message::Summary(vec![(home, wrong)]));
        world.hear(OFFICE, link);
        world.say(OFFICE, link, &Message::Ids { sub_sls: home, ids: ids.to_vec(), last: true });
        let heard = world.hear(OFFICE, link);
        world.close_by_hand(OFFICE, link);
        assert!(heard.contains(&Message::Want(Vec::new())), "{heard:?}");
        heard.iter().any(|message| matches!(message, Message::Statements { .. }))
    };
    assert!(!signs_for(&[here, here]), "one id twice");
    assert!(!signs_for(&both), "an id of another place");
    assert!(signs_for(&[here]), "what is held there");
}

#[test]
fn who_lost_a_place_and_got_it_back_in_one_message_is_compared_with_anew() {
    let Team { mut world, supervisor, ani, .. } = team();
    // By the office's word, which the supervisor does not hear until both are said.
    let joko = world.add(40, OFFICE, Role::Enumerator, &[SLS]);
    world.link(joko, OFFICE);
    world.settle(STEPS);
    world.cut_all();
    add(&mut world, ani, "Siti");
    for below in [ani, joko] {
        world.link(below, supervisor);
    }
    world.settle(STEPS);
    let joko_key = world.key(joko);
    let in_sync = |world: &World| {
        let told = world.events[supervisor.0].iter();
        told.filter(|event| matches!(event, Event::InSync { peer } if *peer == joko_key)).count()
    };
    let before = in_sync(&world);
    assert!(before > 0, "they had come to agree");
    world.grant(OFFICE, joko, Role::Enumerator, &[OTHER]);
    world.grant(OFFICE, joko, Role::Enumerator, &[SLS]);
    world.link(supervisor, OFFICE);
    world.settle(STEPS);
    assert!(in_sync(&world) > before, "what it held there in between is not known, and is asked for");
}

#[test]
fn who_was_granted_two_places_under_one_serial_has_the_same_one_under_another_key() {
    // Which of the two counts is for their ids to say, so that many are tried.
    for said in 1..=12 {
        let Team { mut world, supervisor, ani, .. } = team();
        world.cut_all();
        // Undelivered work in both, so that whichever is lost is still told of.
        for home in [HOME, "1811010005000400"] {
            add_in(&mut world, ani, home, "Siti");
        }
        let (key, survey) = (world.key(ani), world.replicas[ani.0].survey().unwrap());
        let trust = world.replicas[ani.0].trust().unwrap();
        let parent = trust.grants_of(&world.key(supervisor))[0].id;
        let link = world.session_by_hand(ani, world.key(supervisor));
        let items = [SLS, OTHER].into_iter().zip(said * 10..).map(|(place, n)| {
            let (regions, name) = (vec![region(place)], "Ani".into());
            let grant = Grant { parent, subject: key, role: Role::Enumerator, regions, serial: 2, name };
            let incarnation = Incarnation::from_bytes([9; 4]);
            let supervisor = Keypair::from_seed(&[10; 32]);
            Statement::sign(&supervisor, incarnation, n, Some(&survey), Said::Grant(grant)).to_bytes()
        });
        world.say(ani, link, &Message::Statements { items: items.collect(), last: true });
        world.commit(ani);
        let reads = |world: &World| {
            let replica = &world.replicas[ani.0];
            replica.trust().unwrap().reads(&replica.device())
        };
        let before = reads(&world);
        assert_eq!(before.len(), 1, "of two with one serial one counts");
        let now = world.now();
        world.replicas[ani.0].rotate(now, [21; 32]).unwrap();
        assert_eq!(reads(&world), before);
    }
}
