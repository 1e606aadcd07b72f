//! What a device's own people see of a record's conflicts, and which of them they settle: nobody is told that it is
//! done where it all stays, and a number that was corrected is shared no more at once.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rukun_authority::Role;
use rukun_change::{ChangeId, Ink, RecordId, Scalar};
use rukun_document::{ConflictKind, Place};
use rukun_replica::{ActionError, Choice};
use rukun_tests::by_hand::{Node, World};
use serde_json::{Value, json};

const STEPS: usize = 10_000;
const HOME: &str = "1811010005000300";
const OFFICE: Node = Node(0);

fn add(world: &mut World, node: Node, patch: &Value) -> RecordId {
    let now = world.now();
    let (record, _) = world.replicas[node.0].add_record(now, HOME.parse().unwrap(), None, patch).unwrap();
    world.commit(node);
    record
}

fn edit(world: &mut World, node: Node, record: &RecordId, patch: &Value) {
    let now = world.now();
    world.replicas[node.0].edit(now, record, None, patch).unwrap().unwrap();
    world.commit(node);
}

fn resolve(
    world: &mut World,
    node: Node,
    record: &RecordId,
    place: &Place,
    choice: &Choice,
) -> Result<ChangeId, ActionError> {
    let now = world.now();
    let settled = world.replicas[node.0].resolve(now, record, place, choice, None);
    world.commit(node);
    settled
}

/// What answers contradict, whatever the questionnaire says of each.
fn kinds(world: &mut World, node: Node, record: &RecordId) -> Vec<ConflictKind> {
    let shown = world.replicas[node.0].show_conflicts(record).unwrap();
    shown.iter().map(|conflict| conflict.kind).filter(|kind| *kind != ConflictKind::Rule).collect()
}

fn meet(world: &mut World, one: Node, other: Node) {
    world.link(one, other);
    world.settle(STEPS);
    world.cut_all();
}

#[test]
fn a_number_that_was_corrected_is_shared_no_more_at_once() {
    let mut world = World::new(1);
    let with_nik = |nik: &str| json!({"members": {"+1": {"r403": nik}}});
    let one = add(&mut world, OFFICE, &with_nik("1811014107850001"));
    let two = add(&mut world, OFFICE, &with_nik("1811014107850001"));
    assert_eq!(
        kinds(&mut world, OFFICE, &one),
        [ConflictKind::Duplicate],
        "nobody looked at any list before"
    );

    let members = [&one, &two].map(|record| world.replicas[0].reading(record).unwrap().members()[0]);
    let patch = json!({"members": {members[1].to_string(): {"r403": "1811014107850002"}}});
    edit(&mut world, OFFICE, &two, &patch);
    let value = Choice::Value(Scalar::Text("1811014107850003".into()));
    let settled = resolve(&mut world, OFFICE, &one, &Place::of(members[0], "r403"), &value);
    assert!(matches!(settled, Err(ActionError::NoConflict { .. })), "{settled:?}");
    assert_eq!(kinds(&mut world, OFFICE, &one), []);
}

#[test]
fn nobody_chooses_among_answers_that_were_not_shown_to_him() {
    let Corrected { mut world, ppl, pml, record } = corrected_blindly();
    let (place, value) = (Place::family("r304"), Choice::Value(Scalar::Int(6)));
    edit(&mut world, ppl, &record, &json!({"r304": 7}));
    meet(&mut world, ppl, pml);
    let now = world.now();
    let unseen = world.replicas[pml.0].resolve(now, &record, &place, &value, None);
    assert!(matches!(unseen, Err(ActionError::NewCandidate { .. })), "{unseen:?}");
    assert_eq!(kinds(&mut world, pml, &record), [ConflictKind::Stale], "it stays");
    // Now they were.
    resolve(&mut world, pml, &record, &place, &value).unwrap();
    assert_eq!(kinds(&mut world, pml, &record), []);
}

/// A family whose wall the enumerator corrected after the supervisor had, neither having seen the other.
struct Corrected {
    world: World,
    ppl: Node,
    pml: Node,
    record: RecordId,
}

fn corrected_blindly() -> Corrected {
    let mut world = World::new(1);
    let pml = world.add(10, OFFICE, Role::Supervisor, &["1811010005"]);
    meet(&mut world, pml, OFFICE);
    let ppl = world.add(20, pml, Role::Enumerator, &["18110100050003"]);
    meet(&mut world, ppl, pml);
    let record = add(&mut world, ppl, &json!({"r304": 3}));
    meet(&mut world, ppl, pml);
    edit(&mut world, pml, &record, &json!({"r304": 4}));
    edit(&mut world, ppl, &record, &json!({"r304": 5}));
    meet(&mut world, ppl, pml);
    for node in [ppl, pml] {
        assert_eq!(kinds(&mut world, node, &record), [ConflictKind::Stale]);
    }
    Corrected { world, ppl, pml, record }
}

#[test]
fn nobody_is_told_that_a_conflict_is_settled_by_an_ink_below_it() {
    let Corrected { mut world, ppl, pml, record } = corrected_blindly();
    let place = Place::family("r304");
    for value in [5, 6] {
        let settled = resolve(&mut world, ppl, &record, &place, &Choice::Value(Scalar::Int(value)));
        let Err(refused @ ActionError::SettlesNothing { .. }) = settled else { panic!("{settled:?}") };
        assert_eq!(
            refused.to_string(),
            format!(
                "that answer in pencil settles nothing in r304 of record {record}; settle it in red, \
                 or leave it to the supervisor"
            )
        );
    }
    let log = world.replicas[ppl.0].reading(&record).unwrap().log().len();
    assert_eq!((log, kinds(&mut world, ppl, &record)), (3, vec![ConflictKind::Stale]), "nothing was written");
    resolve(&mut world, pml, &record, &place, &Choice::Value(Scalar::Int(6))).unwrap();
    assert_eq!(kinds(&mut world, pml, &record), []);
}

#[test]
fn a_lower_ink_settles_what_it_can_by_agreeing_with_the_correction() {
    let Corrected { mut world, ppl, record, .. } = corrected_blindly();
    let shown = world.replicas[ppl.0].show_conflicts(&record).unwrap();
    let stale = shown.iter().find(|conflict| conflict.kind == ConflictKind::Stale).unwrap();
    let red = stale.candidates.iter().find(|candidate| candidate.ink == Ink::Red).unwrap().change;
    resolve(&mut world, ppl, &record, &Place::family("r304"), &Choice::Pick(red)).unwrap();
    assert_eq!(kinds(&mut world, ppl, &record), []);
}

#[test]
fn who_marked_nothing_may_stand_by_a_mark_in_a_higher_ink_and_not_take_it_away() {
    let Corrected { mut world, ppl, pml, record } = corrected_blindly();
    resolve(&mut world, pml, &record, &Place::family("r304"), &Choice::Value(Scalar::Int(4))).unwrap();
    let now = world.now();
    world.replicas[pml.0].mark_gone(now, &record, None, "pindah", None).unwrap();
    world.commit(pml);
    edit(&mut world, ppl, &record, &json!({"r108": "Siti"}));
    meet(&mut world, ppl, pml);
    assert_eq!(kinds(&mut world, ppl, &record), [ConflictKind::Presence]);
    let gone = Place::gone(None);
    let taken_away = resolve(&mut world, ppl, &record, &gone, &Choice::Value(Scalar::Null));
    assert!(
        matches!(taken_away, Err(ActionError::SettlesNothing { needed: Ink::Red, .. })),
        "{taken_away:?}"
    );
    resolve(&mut world, ppl, &record, &gone, &Choice::Value(Scalar::Text("pindah".into()))).unwrap();
    assert_eq!(kinds(&mut world, ppl, &record), []);
}
