//! What a record reads as, whatever order its changes came in.

use proptest::prelude::*;
use rukun_authority::{Reason, Standing};
use rukun_change::{Ink, Scalar};
use serde_json::json;

use crate::fixture::{Device, IntoScalar, all_meet, record};
use crate::{ConflictKind, Place, Reading};

fn pencil() -> Device {
    Device::new(1, Ink::Pencil)
}

#[test]
fn pencil_is_still_there_under_red() {
    let (mut ppl, mut pml) = (pencil(), Device::new(2, Ink::Red));
    ppl.edit(&json!({"r304": 3}));
    pml.meet(&ppl);
    pml.edit(&json!({"r304": 4}));
    let reading = pml.reading();
    let answer = reading.answer(&Place::family("r304")).unwrap();
    let inks: Vec<(Ink, Scalar)> =
        answer.candidates.iter().map(|candidate| (candidate.ink, candidate.value.clone())).collect();
    assert_eq!(inks, [(Ink::Red, Scalar::Int(4)), (Ink::Pencil, Scalar::Int(3))]);
    assert_eq!((answer.effective().ink, answer.contested()), (Ink::Red, false));
    assert_eq!(pml.conflicts(), []);
    assert_eq!(reading.inks(), [Ink::Pencil, Ink::Red]);
}

#[test]
fn concurrent_answers_both_stay_and_the_greatest_id_is_read() {
    let (mut one, mut other) = (pencil(), Device::new(2, Ink::Pencil));
    let a = one.edit(&json!({"r304": 3}));
    let b = other.edit(&json!({"r304": 4}));
    one.meet(&other);
    let reading = one.reading();
    let answer = reading.answer(&Place::family("r304")).unwrap();
    assert_eq!(answer.candidates.len(), 2);
    assert_eq!(answer.effective().change, a.max(b));
    assert!(answer.contested());
}

#[test]
fn clearing_writes_null_and_the_old_answer_stays_in_the_log() {
    let mut ppl = pencil();
    let given = ppl.edit(&json!({"r304": 3}));
    ppl.edit(&json!({"r304": null}));
    assert_eq!(ppl.value("r304"), None);
    assert_eq!(ppl.reading().to_json(), json!({}));
    let reading = ppl.reading();
    assert_eq!(reading.log()[0].change, given);
    assert_eq!(reading.log()[0].writes, [(Place::family("r304"), Scalar::Int(3))]);
    assert_eq!(reading.log()[1].writes, [(Place::family("r304"), Scalar::Null)]);
}

#[test]
fn a_set_aside_change_hides_nothing_honest() {
    let (mut ppl, mut thief) = (pencil(), Device::new(2, Ink::Pencil));
    ppl.edit(&json!({"r304": 3, "members": {"+": {"r402": "Sari"}}}));
    thief.meet(&ppl);
    let member = thief.reading().members()[0];
    let stolen = thief.edit(&json!({"r304": 7, "members": {member.to_string(): {"r402": "X"}}}));
    ppl.meet(&thief);
    assert_eq!(ppl.value("r304"), Some(Scalar::Int(7)));
    ppl.set_aside(stolen, Reason::Revoked);
    assert_eq!(ppl.value("r304"), Some(Scalar::Int(3)));
    assert_eq!(ppl.value(&format!("{member}/r402")), Some("Sari".into_scalar()));
    // What is written over it afterwards follows what was there before, too.
    ppl.edit(&json!({"r304": 5}));
    assert_eq!(ppl.value("r304"), Some(Scalar::Int(5)));
    assert_eq!(ppl.of_kind(ConflictKind::Field), []);
    let conflicts = ppl.of_kind(ConflictKind::SetAside);
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].candidates.len(), 2);
    assert!(conflicts[0].cause.contains("its device is revoked"), "{}", conflicts[0].cause);
}

#[test]
fn honest_work_in_a_map_that_was_set_aside_is_read() {
    let (mut thief, mut ppl) = (pencil(), Device::new(2, Ink::Pencil));
    let made = thief.edit(&json!({"members": {"+": {"r402": "X"}}}));
    ppl.meet(&thief);
    let member = ppl.reading().members()[0];
    ppl.edit(&json!({"members": {member.to_string(): {"r407": 30}}}));
    ppl.set_aside(made, Reason::Revoked);
    assert_eq!(ppl.reading().to_json(), json!({"members": {member.to_string(): {"r407": 30}}}));
}

#[test]
fn a_map_made_twice_is_one_member_and_both_answers_stay() {
    let mut office = Device::new(9, Ink::Printed);
    office.edit(&json!({"members": {"+": {"r402": "Sari"}}}));
    let member = office.reading().members()[0].to_string();
    let (mut one, mut other) = (pencil(), Device::new(2, Ink::Pencil));
    one.meet(&office);
    other.meet(&office);
    one.edit(&json!({"members": {&member: {"r402": "Sri", "r407": 30}}}));
    other.edit(&json!({"members": {&member: {"r402": "Sari Dewi"}}}));
    all_meet([&mut one, &mut other]);
    let reading = one.reading();
    assert_eq!(reading.all_members().len(), 1);
    let answer = reading.answer(&format!("{member}/r402").parse().unwrap()).unwrap();
    assert_eq!((answer.candidates.len(), answer.in_ink(Ink::Pencil).len()), (3, 2));
    assert_eq!(one.value(&format!("{member}/r407")), Some(Scalar::Int(30)));
    assert_eq!(one.of_kind(ConflictKind::Field).len(), 1);
    // Whoever has seen both settles it with one write into either map.
    other.edit(&json!({"members": {&member: {"r402": "Sari Dewi"}}}));
    one.meet(&other);
    assert_eq!(one.value(&format!("{member}/r402")), Some("Sari Dewi".into_scalar()));
    assert_eq!(one.of_kind(ConflictKind::Field), []);
}

#[test]
fn both_branches_of_a_fork_are_set_aside_and_named() {
    let mut ppl = pencil();
    let before = ppl.edit(&json!({"r304": 3}));
    let mut restored = ppl.clone();
    let a = ppl.edit(&json!({"r304": 4}));
    let b = restored.edit(&json!({"r304": 5}));
    ppl.meet(&restored);
    assert_eq!(ppl.standing(before), Standing::Good);
    for branch in [a, b] {
        assert_eq!(ppl.standing(branch), Standing::SetAside(Reason::Fork));
    }
    assert_eq!(ppl.value("r304"), Some(Scalar::Int(3)));
}

#[test]
fn a_fork_by_a_thief_does_not_set_aside_what_was_kept() {
    let mut ppl = pencil();
    let mut thief = ppl.clone();
    let kept = ppl.edit(&json!({"r304": 3}));
    let stolen = thief.edit(&json!({"r304": 5}));
    ppl.meet(&thief);
    ppl.set_aside(stolen, Reason::Revoked);
    assert_eq!(ppl.standing(kept), Standing::Good);
    assert_eq!(ppl.standing(stolen), Standing::SetAside(Reason::Revoked));
    assert_eq!(ppl.value("r304"), Some(Scalar::Int(3)));
}

#[test]
fn a_number_without_its_predecessor_is_set_aside() {
    let mut ppl = pencil();
    let first = ppl.edit(&json!({"r304": 3}));
    let second = ppl.edit(&json!({"r305": 3}));
    ppl.held.remove(&first);
    assert_eq!(ppl.standing(second), Standing::SetAside(Reason::Sequence));
}

#[test]
fn of_many_changes_with_one_number_one_that_was_known_is_enough_to_follow() {
    for known in [true, false] {
        let mut all = pencil();
        for number in 0..200 {
            let mut branch = pencil();
            branch.edit(&json!({"r108": format!("Sari {number}")}));
            all.meet(&branch);
        }
        let mut ppl = pencil();
        let first = ppl.edit(&json!({"r305": 1}));
        let second = ppl.edit(&json!({"r305": 2}));
        all.meet(&ppl);
        if !known {
            all.held.remove(&first);
        }
        let follows = if known { Standing::Good } else { Standing::SetAside(Reason::Sequence) };
        for logged in all.reading().log() {
            let expected = if logged.change == second { follows } else { Standing::SetAside(Reason::Fork) };
            assert_eq!(logged.standing, expected);
        }
    }
}

#[test]
fn a_write_into_a_member_that_nobody_made_is_set_aside() {
    let (mut one, mut other) = (pencil(), Device::new(2, Ink::Pencil));
    let made = one.edit(&json!({"members": {"+": {"r402": "Sari"}}}));
    other.meet(&one);
    let member = other.reading().members()[0];
    let write = other.edit(&json!({"members": {member.to_string(): {"r407": 30}}}));
    other.held.remove(&made);
    assert_eq!(other.standing(write), Standing::SetAside(Reason::Dangling));
    assert_eq!(other.reading().all_members(), []);
}

#[test]
fn the_reasons_given_and_those_found_are_taken_together() {
    let mut ppl = pencil();
    let mut restored = ppl.clone();
    let a = ppl.edit(&json!({"r304": 4}));
    restored.edit(&json!({"r304": 5}));
    ppl.meet(&restored);
    ppl.set_aside(a, Reason::Ink);
    assert_eq!(ppl.standing(a), Standing::SetAside(Reason::Ink));
}

#[test]
fn what_is_seen_names_only_heads_that_no_other_one_saw() {
    let (mut ppl, mut pml, mut koseka) = (pencil(), Device::new(2, Ink::Red), Device::new(3, Ink::Green));
    ppl.edit(&json!({"r304": 3}));
    pml.meet(&ppl);
    pml.edit(&json!({"r304": 4}));
    koseka.meet(&pml);
    let reading = koseka.reading();
    assert_eq!(reading.seen_for(Ink::Green), reading.heads(Ink::Red));
    assert_eq!(reading.seen_for(Ink::Pencil), []);
    ppl.edit(&json!({"r305": 1}));
    koseka.meet(&ppl);
    assert_eq!(koseka.reading().seen_for(Ink::Green).len(), 2);
}

#[test]
fn a_member_that_is_gone_is_listed_among_all_members_only() {
    let mut ppl = pencil();
    ppl.edit(&json!({"members": {"+1": {"r402": "Sari"}, "+2": {"r402": "Budi"}}}));
    let [sari, budi] = *ppl.reading().members() else { panic!("two members") };
    ppl.write(&format!("{sari}/gone"), "pindah");
    let reading = ppl.reading();
    assert_eq!((reading.members(), reading.all_members()), (&[budi][..], &[sari, budi][..]));
    assert_eq!((reading.member_gone(&sari), reading.gone()), (Some("pindah"), None));
    assert_eq!(reading.to_json(), json!({"members": {budi.to_string(): {"r402": "Budi"}}}));
}

#[test]
fn identity_numbers_are_those_that_the_office_reads() {
    let (mut ppl, mut pml) = (pencil(), Device::new(2, Ink::Red));
    ppl.edit(&json!({"r114": "1811010101010001",
        "members": {"+1": {"r403": "1811014107850001"}, "+2": {"r403": "1811014107850002"}}}));
    let [one, two] = *ppl.reading().members() else { panic!("two members") };
    pml.meet(&ppl);
    pml.edit(&json!({"r114": "1811010101010009"}));
    pml.write(&format!("{two}/gone"), "meninggal");
    let found = pml.reading().identities(&crate::fixture::questionnaire());
    assert_eq!(
        found,
        [
            (crate::Identity::Kk, "1811010101010009".into(), Place::family("r114")),
            (crate::Identity::Nik, "1811014107850001".into(), Place::of(one, "r403")),
        ]
    );
}

/// Three devices in pencil, one in red and one restored from a backup, for a while.
fn history(steps: &[(usize, i64, usize)]) -> Device {
    let mut devices = [
        Device::new(1, Ink::Pencil),
        Device::new(2, Ink::Pencil),
        Device::new(1, Ink::Pencil),
        Device::new(3, Ink::Red),
        Device::new(4, Ink::Printed),
    ];
    let mut aside = Vec::new();
    for (at, value, from) in steps {
        let from = devices[*from].clone();
        let device = &mut devices[*at];
        device.meet(&from);
        let members = device.reading().all_members().to_vec();
        let patch = match members.first().filter(|_| value % 2 == 0) {
            Some(member) => json!({"r304": value, "members": {member.to_string(): {"r407": value}}}),
            None => json!({"r304": value, "members": {"+": {"r407": value}}}),
        };
        // A device that forked its own work can't go on, which is right.
        if let Ok(Some(draft)) = device.try_edit(&patch) {
            let change = device.sign(draft);
            aside.extend((*value == 7).then_some(change));
        }
    }
    let mut all = devices[0].clone();
    for device in &devices {
        all.meet(device);
    }
    for change in aside {
        all.set_aside(change, Reason::Revoked);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_order_of_arrival_gives_the_same_reading(
        steps in prop::collection::vec((0..5_usize, 1..8_i64, 0..5_usize), 1..14),
        keys in prop::collection::vec(any::<u32>(), 14),
    ) {
        let all = history(&steps);
        let changes = all.changes();
        let mut shuffled: Vec<_> = changes.iter().cloned().zip(keys).collect();
        shuffled.sort_by_key(|(_, key)| *key);
        let mut shuffled: Vec<_> = shuffled.into_iter().map(|(change, _)| change).collect();
        shuffled.extend(changes.first().cloned());
        let (one, other) = (Reading::read(record(), &changes), Reading::read(record(), &shuffled));
        prop_assert_eq!(one.conflicts(None), other.conflicts(None));
        prop_assert_eq!(&one, &other);
        for (at, logged) in one.log().iter().enumerate() {
            prop_assert!(one.log()[..at].iter().all(|before| !one.knew(&before.change, &logged.change)));
        }
    }
}
