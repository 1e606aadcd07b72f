//! Conflicts as they are defined, found the slow way: each answer against each other. What is found in few
//! steps must be the same, and a crowd of answers must not be asked about one by one. And what is said to
//! settle a conflict is written, to see whether it goes.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use proptest::prelude::*;
use rukun_change::{Ink, MemberId, Scalar};
use serde_json::json;

use super::{Conflict, ConflictKind, Reading};
use crate::answer::{Answer, Candidate, is_contested};
use crate::fixture::{Device, IntoScalar};
use crate::place::Place;

fn is_settled(reading: &Reading, answer: &Answer, candidates: &[Candidate]) -> bool {
    let highest = candidates.iter().map(|candidate| candidate.ink).max();
    let mut above = answer.candidates.iter().filter(|above| Some(above.ink) > highest);
    above.any(|above| candidates.iter().all(|below| reading.knew(&above.change, &below.change)))
}

fn field(reading: &Reading, place: &Place, answer: &Answer) -> Vec<Conflict> {
    let open = Ink::ALL.into_iter().rev().map(|ink| answer.in_ink(ink));
    let open = open.filter(|candidates| is_contested(candidates) && !is_settled(reading, answer, candidates));
    let cause = |candidates: &[Candidate]| match candidates.len() {
        2 => format!("two answers in {}, neither seen by the other", candidates[0].ink),
        count => format!("{count} answers in {}, none of which saw another", candidates[0].ink),
    };
    let conflict = |candidates: &[Candidate]| {
        Conflict::at(ConflictKind::Field, place, candidates.to_vec(), cause(candidates))
    };
    open.map(conflict).collect()
}

fn stale(reading: &Reading, place: &Place, answer: &Answer) -> Option<Conflict> {
    let (mut inks, mut causes, mut blind) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for correction in answer.candidates.iter().filter(|correction| correction.ink.names_seen()) {
        for unseen in &answer.candidates {
            let is_below = unseen.ink < correction.ink && unseen.ink != Ink::Printed;
            let pair = [correction.clone(), unseen.clone()];
            if is_below
                && unseen.value != correction.value
                && !reading.knew(&correction.change, &unseen.change)
                && !is_settled(reading, answer, &pair)
            {
                blind.extend([correction.change, unseen.change]);
                if inks.insert((correction.ink, unseen.ink)) {
                    causes.push(stale_cause(reading, place, correction, unseen));
                }
            }
        }
    }
    let mut candidates = answer.candidates.clone();
    candidates.retain(|candidate| blind.contains(&candidate.change));
    let conflict = Conflict::at(ConflictKind::Stale, place, candidates, causes.join("; "));
    (!blind.is_empty()).then_some(conflict)
}

fn stale_cause(reading: &Reading, place: &Place, correction: &Candidate, unseen: &Candidate) -> String {
    let knew_an_earlier = reading.log().iter().any(|logged| {
        logged.ink == unseen.ink
            && logged.writes.iter().any(|(other, _)| other == place)
            && reading.knew(&correction.change, &logged.change)
            && reading.knew(&unseen.change, &logged.change)
    });
    let given = if knew_an_earlier { " given later" } else { "" };
    format!("{} did not see the {} answer{given}", correction.ink, unseen.ink)
}

fn presence(reading: &Reading, member: Option<MemberId>) -> Option<Conflict> {
    let place = Place::gone(member);
    let answer = reading.answer(&place)?;
    let Scalar::Text(reason) = &answer.effective().value else { return None };
    let mut candidates = answer.candidates.clone();
    candidates.retain(|mark| mark.value != Scalar::Null);
    let in_scope = |place: &Place| !place.is_gone() && (member.is_none() || place.member == member);
    let mut edits = Vec::new();
    for logged in reading.log().iter().filter(|logged| logged.standing.is_good()) {
        let known =
            |mark: &Candidate| mark.change == logged.change || reading.knew(&mark.change, &logged.change);
        let prelist = logged.ink == Ink::Printed && answer.effective().ink != Ink::Printed;
        if !prelist && logged.writes.iter().any(|(place, _)| in_scope(place)) && !candidates.iter().any(known)
        {
            edits.push(super::presence::still_here(logged));
        }
    }
    edits.sort_by_key(|edit| Reverse((edit.ink, edit.change)));
    let is_disputed = !edits.is_empty();
    candidates.extend(edits);
    let cause = format!("marked gone ({reason}) but answered since");
    is_disputed.then(|| Conflict::at(ConflictKind::Presence, &place, candidates, cause))
}

fn all(reading: &Reading) -> Vec<Conflict> {
    let answers = || reading.answers().iter();
    let mut found: Vec<Conflict> =
        answers().flat_map(|(place, answer)| field(reading, place, answer)).collect();
    found.extend(answers().filter_map(|(place, answer)| stale(reading, place, answer)));
    let members = reading.all_members().iter().map(|member| Some(*member));
    match reading.gone() {
        Some(_) => found.extend(presence(reading, None)),
        None => found.extend(members.filter_map(|member| presence(reading, member))),
    }
    found
}

/// What a device does next: it meets another, and then answers, settles, or marks something gone.
type Step = (usize, usize, usize, i64);

fn step(device: &mut Device, what: usize, value: i64) {
    let members = device.reading().all_members().to_vec();
    let member = members.get(value as usize % 2).map(ToString::to_string);
    let patch = match (what, member) {
        (0 | 1, _) => json!({"r304": value}),
        (2 | 3, Some(member)) => json!({"r305": 1, "members": {member: {"r407": value}}}),
        (4, Some(member)) => return mark(device, &format!("{member}/gone"), value > 1),
        (5, _) => return mark(device, "gone", value == 1),
        (6, _) => {
            device.write("r304", value);
            return;
        }
        _ => json!({"members": {"+": {"r407": value}}}),
    };
    if let Some(draft) = device.try_edit(&patch).unwrap() {
        device.sign(draft);
    }
}

fn mark(device: &mut Device, place: &str, is_gone: bool) {
    if is_gone {
        device.write(place, "pindah");
    } else {
        device.write(place, ());
    }
}

fn after(steps: &[Step]) -> Device {
    let inks = [Ink::Pencil, Ink::Pencil, Ink::Red, Ink::Red, Ink::Green, Ink::Black, Ink::Printed];
    let mut devices: Vec<Device> = (1..).zip(inks).map(|(seed, ink)| Device::new(seed, ink)).collect();
    devices[0].edit(&json!({"r304": 1, "members": {"+1": {"r407": 1}, "+2": {"r407": 2}}}));
    for (at, from, what, value) in steps {
        let from = devices[*from].clone();
        devices[*at].meet(&from);
        step(&mut devices[*at], *what, *value);
    }
    let mut all = devices[0].clone();
    for device in &devices {
        all.meet(device);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn what_is_found_in_few_steps_is_what_is_defined(
        steps in prop::collection::vec((0..7_usize, 0..7_usize, 0..8_usize, 1..4_i64), 1..28),
    ) {
        let reading = after(&steps).reading();
        prop_assert_eq!(reading.conflicts(None), all(&reading));
    }

    #[test]
    fn what_is_said_to_settle_a_conflict_does_and_nothing_else(
        steps in prop::collection::vec((0..7_usize, 0..7_usize, 0..8_usize, 1..4_i64), 6..28),
        ink in prop::sample::select(Ink::ALL.to_vec()),
        value in 1..4_i64,
    ) {
        let all = after(&steps);
        let reading = all.reading();
        for conflict in reading.conflicts(None) {
            let mut settler = Device::new(50, ink);
            settler.meet(&all);
            let place = conflict.place.clone().unwrap();
            let value = match (place.is_gone(), value) {
                (false, value) => value.into_scalar(),
                (true, 1) => ().into_scalar(),
                (true, _) => "pindah".into_scalar(),
            };
            let written = settler.write(&place.to_string(), value.clone());
            let stays = settler.conflicts().into_iter().any(|left| is_same(&conflict, &left, ink, written));
            prop_assert_eq!(reading.can_settle(&conflict, ink, &value), !stays, "{:?} in {}", conflict, ink);
        }
    }
}

/// Whether a conflict is what is left of another. A correction may disagree anew with one above it: that is
/// a new conflict.
fn is_same(before: &Conflict, left: &Conflict, ink: Ink, written: rukun_change::ChangeId) -> bool {
    let highest = |conflict: &Conflict| conflict.candidates.iter().map(|candidate| candidate.ink).max();
    let is_new = left.candidates.iter().any(|candidate| candidate.change == written);
    (&before.kind, &before.place) == (&left.kind, &left.place)
        && match before.kind {
            ConflictKind::Field => highest(before) == highest(left),
            ConflictKind::Stale => !(is_new && highest(before) <= Some(ink)),
            _ => true,
        }
}

/// A thousand devices in each of three inks, none of which saw another. Asking who settled what for each
/// two of their answers would take three thousand million questions.
#[test]
fn a_crowd_of_answers_in_one_place_is_not_asked_about_two_by_two() {
    let mut crowd = Device::new(1, Ink::Pencil);
    for (seed, ink) in [(10, Ink::Pencil), (20, Ink::Red), (30, Ink::Green)] {
        for number in 0..1000_u16 {
            let mut one = Device::new(seed + (number / 250) as u8, ink).incarnated((number % 250) as u8);
            one.edit(&json!({"r304": 1 + number % 7}));
            crowd.meet(&one);
        }
    }
    let conflicts = crowd.conflicts();
    assert_eq!(
        conflicts.iter().map(|one| one.candidates.len()).collect::<Vec<_>>(),
        [1000, 1000, 1000, 3000]
    );
    let blind = "green did not see the red answer; green did not see the pencil answer; \
                 red did not see the pencil answer";
    assert_eq!(conflicts[3].cause, blind);
}
