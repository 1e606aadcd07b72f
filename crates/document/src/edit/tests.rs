//! What an edit writes and what it refuses, upon sound and broken work alike.

use std::collections::BTreeSet;

use rukun_authority::{AdmittedChange, Reason, Standing, sign};
use rukun_change::limits::DEPS_MAX;
use rukun_change::{Author, Body, CauseHash, Change, Ink, Scalar};
use serde_json::json;

use crate::fixture::{Device, IntoScalar, SURVEY, record};
use crate::{ConflictKind, EditError, Place, Reading};

fn pencil() -> Device {
    Device::new(1, Ink::Pencil)
}

fn body(device: &Device, change: rukun_change::ChangeId) -> Body {
    device.held[&change].body().clone()
}

#[test]
fn a_patch_becomes_one_change_and_the_record_reads_as_it_says() {
    let mut ppl = pencil();
    let change = ppl.edit(&json!({"r108": "Sari", "r112": 2,
        "members": {"+1": {"r402": "Sari", "r407": 30}, "+2": {}}}));
    let [one, two] = *ppl.reading().members() else { panic!("two members") };
    assert_eq!(
        ppl.reading().to_json(),
        json!({"r108": "Sari", "r112": 2, "members": {
            one.to_string(): {"r402": "Sari", "r407": 30}, two.to_string(): {}}})
    );
    let body = body(&ppl, change);
    assert_eq!((body.seq, body.maps.len(), body.writes.len()), (1, 2, 4));
    assert_eq!((body.message.as_str(), body.time_ms), ("", ppl.writer().time_ms));
    assert_eq!(ppl.reading().log()[0].made, [one, two]);
}

#[test]
fn an_unchanged_field_makes_no_change() {
    let mut ppl = pencil();
    ppl.edit(&json!({"r304": 3, "members": {"+": {"r402": "Sari"}}}));
    let member = ppl.reading().members()[0].to_string();
    for patch in [
        json!({}),
        json!({"r304": 3}),
        json!({"r305": null}),
        json!({"members": {&member: {}}}),
        json!({"members": {&member: {"r402": "Sari", "r407": null}}}),
    ] {
        assert_eq!(ppl.try_edit(&patch), Ok(None), "{patch}");
    }
    let change = ppl.edit(&json!({"r304": 3, "r305": 4}));
    assert_eq!(body(&ppl, change).writes.len(), 1);
}

#[test]
fn the_same_value_in_another_ink_is_a_change() {
    let (mut ppl, mut pml) = (pencil(), Device::new(2, Ink::Red));
    ppl.edit(&json!({"r304": 3}));
    pml.meet(&ppl);
    pml.edit(&json!({"r304": 3}));
    assert_eq!(pml.reading().answer(&Place::family("r304")).unwrap().candidates.len(), 2);
}

#[test]
fn a_contested_field_is_settled_by_setting_it_to_either_value() {
    for value in [3, 4] {
        let (mut one, mut other) = (pencil(), Device::new(2, Ink::Pencil));
        one.edit(&json!({"r304": 3}));
        other.edit(&json!({"r304": 4}));
        one.meet(&other);
        one.edit(&json!({"r304": value}));
        assert_eq!((one.conflicts(), one.value("r304")), (vec![], Some(Scalar::Int(value))));
    }
}

#[test]
fn a_write_that_repeats_what_is_there_is_still_a_change() {
    let mut ppl = pencil();
    ppl.edit(&json!({"r304": 3, "r305": 2}));
    ppl.edit(&json!({"r305": null}));
    let (again, null) = (ppl.write("r304", 3), ppl.write("r305", ()));
    for (change, value) in [(again, Scalar::Int(3)), (null, Scalar::Null)] {
        assert_eq!(body(&ppl, change).message, "resolve abc");
        let reading = ppl.reading();
        let logged = reading.log().iter().find(|logged| logged.change == change).unwrap();
        assert_eq!(logged.writes.len(), 1);
        assert_eq!(logged.writes[0].1, value);
    }
}

#[test]
fn all_that_is_wrong_with_a_patch_is_told_at_once() {
    let mut ppl = pencil();
    ppl.edit(&json!({"members": {"+": {"r402": "Sari"}}}));
    let member = ppl.reading().members()[0].to_string();
    let error = ppl
        .try_edit(&json!({
            "r304": 9, "r306": 1, "r402": "x", "r305": [1], "r112": 1.5, "r108": true, "gone": "pindah",
            "members": {&member: null, "m:0123456789abcdef": {"r407": 3}, "+": {"r407": "3", "gone": "x"}, "+2": 4},
        }))
        .unwrap_err();
    let EditError::Answers(faults) = &error else { panic!("{error}") };
    let text = error.to_string();
    assert_eq!((faults.len(), text.lines().count()), (12, 12), "{text}");
    for part in [
        "9 is outside 1..7",
        "did you mean r304",
        "is asked of each member",
        "r305: a list is given",
        "r112: a number that is not whole",
        "r108: true or false is given",
        &format!("rukun record gone {} --reason", record()),
        &format!("rukun record gone {} {member} --reason", record()),
        &format!("m:0123456789abcdef is no member of this record; it has {member}"),
        "+: r407 (Umur): a text is given where a number",
        "+2: a member is an object",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert!(ppl.try_edit(&json!([])).unwrap_err().to_string().contains("JSON object"));
    assert!(ppl.try_edit(&json!({"members": 3})).unwrap_err().to_string().contains("\"members\""));
}

#[test]
fn what_is_seen_goes_with_every_ink_that_names_it() {
    let (mut ppl, mut pml, mut office) = (pencil(), Device::new(2, Ink::Red), Device::new(9, Ink::Printed));
    office.edit(&json!({"r108": "Sari"}));
    ppl.meet(&office);
    let answer = ppl.edit(&json!({"r304": 3}));
    pml.meet(&ppl);
    let correction = pml.edit(&json!({"r304": 4}));
    assert_eq!(ppl.held[&answer].change().seen, []);
    assert_eq!(pml.held[&correction].change().seen.len(), 2);
    assert!(pml.reading().knew(&correction, &answer) && !pml.reading().knew(&answer, &correction));
}

#[test]
fn a_device_that_forked_its_own_work_is_told_so_and_others_go_on() {
    let mut ppl = pencil();
    let mut restored = ppl.clone();
    ppl.edit(&json!({"r304": 4}));
    restored.edit(&json!({"r304": 5}));
    ppl.meet(&restored);
    let error = ppl.try_edit(&json!({"r304": 3})).unwrap_err();
    assert!(matches!(error, EditError::Own { standing: Standing::SetAside(Reason::Fork), .. }));
    assert!(error.to_string().contains("old copy of its data folder"), "{error}");
    let mut other = Device::new(2, Ink::Pencil);
    other.meet(&ppl);
    other.edit(&json!({"r304": 3}));
    other.edit(&json!({"r305": 3}));
    assert_eq!((other.value("r304"), other.value("r305")), (Some(Scalar::Int(3)), Some(Scalar::Int(3))));
}

#[test]
fn a_fork_found_later_does_not_lock_out_who_built_on_one_branch() {
    for (mine, theirs) in [(4, 5), (5, 4)] {
        let mut cloned = pencil();
        let mut twin = cloned.clone();
        cloned.edit(&json!({"r304": mine}));
        twin.edit(&json!({"r304": theirs}));
        let mut honest = Device::new(2, Ink::Pencil);
        honest.meet(&cloned);
        honest.edit(&json!({"r305": 1}));
        honest.meet(&twin);
        honest.edit(&json!({"r305": 2}));
        assert_eq!(honest.value("r305"), Some(Scalar::Int(2)));
        assert!(honest.reading().log().iter().filter(|logged| logged.standing.is_good()).count() == 2);
    }
}

#[test]
fn an_edit_signed_twice_is_a_fork_and_stops_nobody_else() {
    let mut ppl = pencil();
    let draft = ppl.try_edit(&json!({"r304": 4})).unwrap().unwrap();
    let one = ppl.sign(draft.clone());
    let two = ppl.sign(draft);
    assert_eq!(ppl.standing(one), Standing::SetAside(Reason::Fork));
    assert_eq!(ppl.standing(two), Standing::SetAside(Reason::Fork));
    let mut other = Device::new(2, Ink::Pencil);
    other.meet(&ppl);
    other.edit(&json!({"r304": 3}));
    assert_eq!(other.value("r304"), Some(Scalar::Int(3)));
}

#[test]
fn a_new_incarnation_goes_on_where_the_old_one_forked() {
    let mut ppl = pencil();
    let mut restored = ppl.clone();
    ppl.edit(&json!({"r304": 4}));
    restored.edit(&json!({"r304": 5}));
    let mut fresh = pencil().incarnated(1);
    fresh.meet(&ppl);
    fresh.meet(&restored);
    fresh.edit(&json!({"r304": 3}));
    assert_eq!(fresh.value("r304"), Some(Scalar::Int(3)));
}

#[test]
fn more_heads_than_a_change_can_name_are_taken_in_turns() {
    let mut crowd = Device::new(2, Ink::Pencil);
    for incarnation in 0..150 {
        let mut one = Device::new(3, Ink::Pencil).incarnated(incarnation);
        one.edit(&json!({"r304": 1 + i64::from(incarnation % 7)}));
        crowd.meet(&one);
    }
    for _ in 0..3 {
        crowd.edit(&json!({"r304": 3}));
    }
    assert_eq!((crowd.conflicts(), crowd.value("r304")), (vec![], Some(Scalar::Int(3))));
    assert_eq!(crowd.reading().heads(Ink::Pencil).len(), 1);
}

/// The heads that a change can name, found the slow way: all but the first are left out, until no more are
/// heads than it can name.
fn heads_in_turns(device: &Device) -> BTreeSet<CauseHash> {
    let mut left: Vec<Body> =
        device.reading().log().iter().map(|logged| body(device, logged.change)).collect();
    loop {
        let named: BTreeSet<CauseHash> = left.iter().flat_map(|body| body.deps.clone()).collect();
        let heads = left.iter().map(|body| body.hash).filter(|hash| !named.contains(hash));
        let heads: Vec<CauseHash> = heads.collect();
        let Some(beyond) = heads.get(DEPS_MAX..).filter(|beyond| !beyond.is_empty()) else {
            return heads.into_iter().collect();
        };
        left.retain(|body| !beyond.contains(&body.hash));
    }
}

#[test]
fn heads_that_others_hid_are_taken_in_turns_too() {
    let mut crowd = Device::new(2, Ink::Pencil);
    for incarnation in 0..70 {
        let mut one = Device::new(3, Ink::Pencil).incarnated(incarnation);
        for value in 1..4 {
            one.edit(&json!({"r304": value}));
        }
        crowd.meet(&one);
    }
    let expected = heads_in_turns(&crowd);
    let first = crowd.edit(&json!({"r304": 5}));
    assert_eq!(body(&crowd, first).deps, expected.into_iter().collect::<Vec<_>>());
    assert_eq!(body(&crowd, first).deps.len(), DEPS_MAX);
    crowd.edit(&json!({"r304": 6}));
    assert_eq!((crowd.conflicts(), crowd.reading().heads(Ink::Pencil).len()), (vec![], 1));
}

#[test]
fn who_wrote_before_all_these_heads_can_write_on() {
    let mut early = pencil();
    early.edit(&json!({"r304": 1}));
    let mut crowd = early.clone();
    for incarnation in 0..64 {
        let mut one = Device::new(3, Ink::Pencil).incarnated(incarnation);
        one.meet(&early);
        one.edit(&json!({"r304": 2}));
        crowd.meet(&one);
    }
    let change = crowd.edit(&json!({"r304": 5}));
    assert_eq!(body(&crowd, change).deps.len(), DEPS_MAX);
    crowd.edit(&json!({"r304": 6}));
    assert_eq!(crowd.conflicts(), vec![]);
}

#[test]
fn what_is_written_while_other_work_is_set_aside_contradicts_it_once_that_is_upheld() {
    let mut late = pencil();
    let answer = late.edit(&json!({"r304": 5}));
    let [mut ppl, mut pml] = [(2, Ink::Pencil), (3, Ink::Red)].map(|(seed, ink)| Device::new(seed, ink));
    for device in [&mut ppl, &mut pml] {
        device.meet(&late);
        device.set_aside(answer, Reason::Revoked);
    }
    let same_ink = ppl.edit(&json!({"r304": 3}));
    let correction = pml.edit(&json!({"r304": 4}));
    assert_eq!(body(&ppl, same_ink).deps, []);
    assert_eq!(pml.held[&correction].change().seen, []);
    // Now it counts, and neither of them had read it.
    late.meet(&ppl);
    assert_eq!(late.of_kind(ConflictKind::Field).len(), 1);
    late.meet(&pml);
    assert_eq!(late.of_kind(ConflictKind::Stale).len(), 1);
}

#[test]
fn work_that_a_superior_corrected_before_it_was_set_aside_is_not_followed_either() {
    let mut late = pencil();
    let answer = late.edit(&json!({"r304": 5}));
    let [mut ppl, mut pml] = [(2, Ink::Pencil), (3, Ink::Red)].map(|(seed, ink)| Device::new(seed, ink));
    pml.meet(&late);
    pml.edit(&json!({"r305": 4}));
    ppl.meet(&late);
    ppl.meet(&pml);
    ppl.set_aside(answer, Reason::Dismissed);
    let beside = ppl.edit(&json!({"r304": 3}));
    assert_eq!(body(&ppl, beside).deps, []);
    late.meet(&ppl);
    assert_eq!(late.of_kind(ConflictKind::Field).len(), 1);
}

#[test]
fn what_is_too_large_for_a_change_is_refused_before_it_is_signed() {
    let ppl = pencil();
    let changes = ppl.changes();
    let reading = Reading::read(record(), &changes);
    let writes = [(Place::family("r304"), 3.into_scalar())];
    let questionnaire = crate::fixture::questionnaire();
    let message = "x".repeat(rukun_change::limits::MESSAGE_BYTES_MAX + 1);
    let made = crate::write(&reading, &changes, &questionnaire, &ppl.writer(), &writes, &message);
    assert!(matches!(made, Err(EditError::Body(_))), "{made:?}");
    let writes = [(Place::gone(None), "".into_scalar()), (Place::family("r304"), 9.into_scalar())];
    let made = crate::write(&reading, &changes, &questionnaire, &ppl.writer(), &writes, "");
    let Err(EditError::Answers(faults)) = made else { panic!("{made:?}") };
    assert_eq!(faults.len(), 2);
}

#[test]
fn a_change_that_automerge_cannot_take_costs_only_what_builds_on_it() {
    // A device that writes over a value that nobody ever wrote.
    let mut bad = Device::new(3, Ink::Pencil);
    let mut ghost = Device::new(3, Ink::Pencil);
    ghost.edit(&json!({"r304": 2}));
    let follows = ghost.try_edit(&json!({"r304": 3})).unwrap().unwrap();
    bad.sign(follows);
    let mut honest = pencil();
    honest.meet(&bad);
    honest.edit(&json!({"r304": 5}));
    honest.edit(&json!({"r304": 6}));
    assert_eq!(honest.value("r304"), Some(Scalar::Int(6)));
}

#[test]
fn the_draft_is_what_the_gate_would_take() {
    let mut ppl = pencil();
    let change = ppl.edit(&json!({"r304": 3}));
    let Author { device, .. } = ppl.author();
    let held: &AdmittedChange = &ppl.held[&change];
    let again: Change = held.change().clone();
    assert_eq!(again.author.device, device);
    let keypair = rukun_authority::Keypair::from_seed(&[1; 32]);
    assert_eq!(sign(&keypair, again, &SURVEY).unwrap(), *held.signed());
}
