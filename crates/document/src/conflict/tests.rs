//! What counts as a conflict, and what settles it.

use rukun_authority::Reason;
use rukun_change::{Ink, Scalar};
use serde_json::json;

use crate::ConflictKind::{Field, Presence, Rule, SetAside, Stale};
use crate::fixture::{Device, IntoScalar, all_meet};
use crate::{Conflict, Place};

fn pencil() -> Device {
    Device::new(1, Ink::Pencil)
}

fn red() -> Device {
    Device::new(11, Ink::Red)
}

fn values(conflict: &Conflict) -> Vec<(Ink, Scalar)> {
    conflict.candidates.iter().map(|candidate| (candidate.ink, candidate.value.clone())).collect()
}

/// Two enumerators who answered the same question without seeing each other, and both answers.
fn disputed() -> (Device, Device) {
    let (mut one, mut other) = (pencil(), Device::new(2, Ink::Pencil));
    one.edit(&json!({"r304": 3}));
    other.edit(&json!({"r304": 4}));
    all_meet([&mut one, &mut other]);
    (one, other)
}

#[test]
fn concurrent_answers_in_one_ink_are_a_conflict_with_a_sentence() {
    let (one, _) = disputed();
    let [conflict] = &one.conflicts()[..] else { panic!("one conflict") };
    assert_eq!((conflict.kind, conflict.place.clone()), (Field, Some(Place::family("r304"))));
    assert_eq!(conflict.cause, "two answers in pencil, neither seen by the other");
    assert!(conflict.candidates.is_sorted_by_key(|candidate| std::cmp::Reverse(candidate.change)));
    assert_eq!(conflict.candidates.len(), 2);
}

#[test]
fn the_same_answer_given_twice_is_no_conflict() {
    let (mut one, mut other) = (pencil(), Device::new(2, Ink::Pencil));
    one.edit(&json!({"r304": 3}));
    other.edit(&json!({"r304": 3}));
    one.meet(&other);
    assert_eq!(one.conflicts(), []);
}

#[test]
fn choosing_either_answer_in_the_same_ink_settles_a_field() {
    for value in [3, 4, 5] {
        let (mut one, mut other) = disputed();
        one.write("r304", value);
        other.meet(&one);
        assert_eq!((other.conflicts(), other.value("r304")), (vec![], Some(Scalar::Int(value))));
    }
    let (mut one, _) = disputed();
    one.write("r304", ());
    assert_eq!((one.conflicts(), one.value("r304")), (vec![], None));
}

#[test]
fn a_field_is_settled_in_a_higher_ink_only_with_all_answers_seen() {
    let (mut one, mut pml) = (pencil(), red());
    let mut other = Device::new(2, Ink::Pencil);
    one.edit(&json!({"r304": 3}));
    other.edit(&json!({"r304": 4}));
    pml.meet(&one);
    pml.edit(&json!({"r304": 3}));
    pml.meet(&other);
    assert_eq!(pml.conflicts().iter().map(|conflict| conflict.kind).collect::<Vec<_>>(), [Field, Stale]);
    // The same value again, but with both answers seen.
    assert!(pml.try_edit(&json!({"r304": 3})).unwrap().is_some());
    pml.write("r304", 3);
    assert_eq!((pml.conflicts(), pml.value("r304")), (vec![], Some(Scalar::Int(3))));
}

#[test]
fn a_stale_correction_is_named() {
    let (mut ppl, mut pml) = (pencil(), red());
    ppl.edit(&json!({"r304": 3}));
    pml.meet(&ppl);
    pml.edit(&json!({"r304": 4}));
    ppl.edit(&json!({"r304": 5}));
    pml.meet(&ppl);
    let [conflict] = &pml.conflicts()[..] else { panic!("one conflict") };
    assert_eq!(conflict.kind, Stale);
    assert_eq!(conflict.cause, "red did not see the pencil answer given later");
    assert_eq!(values(conflict), [(Ink::Red, Scalar::Int(4)), (Ink::Pencil, Scalar::Int(5))]);
}

#[test]
fn a_correction_that_says_the_same_or_covers_the_prelist_only_is_not_stale() {
    let (mut ppl, mut pml, mut office) = (pencil(), red(), Device::new(9, Ink::Printed));
    ppl.edit(&json!({"r304": 4}));
    office.edit(&json!({"r304": 1}));
    pml.edit(&json!({"r304": 4}));
    all_meet([&mut ppl, &mut pml, &mut office]);
    assert_eq!(pml.conflicts(), []);
}

#[test]
fn a_stale_correction_is_settled_in_its_own_ink_or_a_higher_one_that_saw_both() {
    for (seed, ink) in [(11, Ink::Red), (21, Ink::Green), (31, Ink::Black)] {
        for value in [4, 5, 6] {
            let (mut ppl, mut pml) = (pencil(), red());
            pml.edit(&json!({"r304": 4}));
            ppl.edit(&json!({"r304": 5}));
            pml.meet(&ppl);
            assert_eq!(pml.conflicts()[0].cause, "red did not see the pencil answer");
            let mut settler = if ink == Ink::Red { pml.clone() } else { Device::new(seed, ink) };
            settler.meet(&pml);
            settler.write("r304", value);
            assert_eq!(settler.conflicts(), [], "{value} in {ink}");
            assert_eq!(settler.value("r304"), Some(Scalar::Int(value)));
        }
    }
}

#[test]
fn what_was_set_aside_makes_no_field_conflict_but_one_of_its_own() {
    let (mut one, mut other) = (pencil(), Device::new(2, Ink::Pencil));
    one.edit(&json!({"r304": 3}));
    let bad = other.edit(&json!({"r304": 4}));
    one.meet(&other);
    one.set_aside(bad, Reason::Ink);
    let [conflict] = &one.conflicts()[..] else { panic!("one conflict") };
    assert_eq!((conflict.kind, conflict.place.clone()), (SetAside, Some(Place::family("r304"))));
    assert_eq!(values(conflict), [(Ink::Pencil, Scalar::Int(4))]);
    assert!(conflict.cause.contains("set aside: no role of its author writes this ink here; it writes r304"));
}

/// A record marked gone, and an answer given without knowing of it.
fn gone_but_answered() -> (Device, Device) {
    let (mut one, mut other) = (pencil(), Device::new(2, Ink::Pencil));
    one.edit(&json!({"r304": 3}));
    other.meet(&one);
    one.write("gone", "pindah");
    other.edit(&json!({"r305": 1}));
    all_meet([&mut one, &mut other]);
    (one, other)
}

#[test]
fn answers_given_to_what_was_marked_gone_are_named() {
    let (one, other) = gone_but_answered();
    let [conflict] = &one.conflicts()[..] else { panic!("one conflict") };
    assert_eq!((conflict.kind, conflict.place.clone()), (Presence, Some(Place::gone(None))));
    assert_eq!(conflict.cause, "marked gone (pindah) but answered since");
    // One to keep the mark, and one to take it away.
    assert_eq!(values(conflict), [(Ink::Pencil, "pindah".into_scalar()), (Ink::Pencil, Scalar::Null)]);
    assert_eq!(conflict.candidates[1].author, other.author());
}

#[test]
fn presence_is_settled_by_taking_the_mark_away_or_setting_it_with_open_eyes() {
    for value in ["", "pindah", "meninggal"] {
        let (_, mut other) = gone_but_answered();
        if value.is_empty() {
            other.write("gone", ());
        } else {
            other.write("gone", value);
        }
        assert_eq!(other.conflicts(), [], "{value:?}");
        assert_eq!(other.reading().gone().unwrap_or_default(), value);
    }
    let (one, _) = gone_but_answered();
    let mut pml = red();
    pml.meet(&one);
    pml.write("gone", "pindah");
    assert_eq!(pml.conflicts(), []);
}

#[test]
fn a_mark_in_red_is_disputed_by_what_red_had_not_seen_only() {
    let (mut ppl, mut pml, mut office) = (pencil(), red(), Device::new(9, Ink::Printed));
    office.edit(&json!({"members": {"+": {"r402": "Sari"}}}));
    let member = office.reading().members()[0];
    all_meet([&mut ppl, &mut pml, &mut office]);
    ppl.edit(&json!({"r304": 3, "members": {member.to_string(): {"r407": 30}}}));
    pml.meet(&ppl);
    pml.write(&format!("{member}/gone"), "meninggal");
    ppl.edit(&json!({"r304": 5}));
    pml.meet(&ppl);
    assert_eq!(pml.of_kind(Presence), []);
    ppl.edit(&json!({"members": {member.to_string(): {"r407": 31}}}));
    pml.meet(&ppl);
    let [conflict] = &pml.of_kind(Presence)[..] else { panic!("one conflict") };
    assert_eq!(conflict.member, Some(member));
    pml.write(&format!("{member}/gone"), ());
    assert_eq!(pml.of_kind(Presence), []);
}

#[test]
fn the_prelist_does_not_dispute_a_mark_made_in_the_field() {
    let (mut ppl, mut office) = (pencil(), Device::new(9, Ink::Printed));
    office.edit(&json!({"r108": "Sari"}));
    ppl.meet(&office);
    ppl.write("gone", "pindah");
    assert_eq!(ppl.conflicts(), []);
}

#[test]
fn rules_are_not_checked_before_the_interview_has_begun() {
    let (mut ppl, mut office) = (pencil(), Device::new(9, Ink::Printed));
    office.edit(&json!({"r108": "Sari"}));
    assert_eq!(office.of_kind(Rule), []);
    ppl.meet(&office);
    ppl.edit(&json!({"r305": 1}));
    let [conflict] = &ppl.of_kind(Rule)[..] else { panic!("one conflict") };
    assert!(conflict.cause.contains("r112") && conflict.cause.contains("r304"), "{}", conflict.cause);
    assert_eq!((conflict.place.clone(), conflict.candidates.len()), (None, 0));
    assert_eq!(ppl.conflicts(), []);
}

#[test]
fn rules_look_at_what_is_read_and_leave_out_who_is_gone() {
    let (mut ppl, mut pml) = (pencil(), red());
    ppl.edit(&json!({"r108": "Sari", "r112": 2, "r304": 3,
        "members": {"+1": {"r402": "Sari", "r407": 30}, "+2": {"r402": "Budi"}}}));
    let members = ppl.reading().members().to_vec();
    let [conflict] = &ppl.of_kind(Rule)[..] else { panic!("one conflict") };
    assert_eq!(conflict.member, Some(members[1]));
    pml.meet(&ppl);
    pml.write(&format!("{}/gone", members[1]), "meninggal");
    let [conflict] = &pml.of_kind(Rule)[..] else { panic!("one conflict") };
    assert_eq!((conflict.place.clone(), conflict.candidates[0].value.clone()), {
        (Some(Place::family("r112")), Scalar::Int(2))
    });
    pml.edit(&json!({"r112": 1}));
    assert_eq!(pml.of_kind(Rule), []);
    pml.write("gone", "pindah");
    pml.edit(&json!({"r112": 5}));
    assert_eq!(pml.of_kind(Rule), []);
}

#[test]
fn a_kind_comes_back_from_its_word() {
    for kind in crate::ConflictKind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
    }
    assert!("fields".parse::<crate::ConflictKind>().unwrap_err().to_string().contains("set-aside"));
}
