//! Conflicts with the questionnaire: what the office reads, members that are gone left out, against
//! ranges, skip rules and checks. A record that nobody visited yet breaks none.

use rukun_change::{Ink, Scalar};

use super::{Conflict, ConflictKind};
use crate::place::Place;
use crate::questionnaire::Questionnaire;
use crate::reading::Reading;
use crate::rules::{Answers, Violation, ViolationKind};
use crate::variable::Level;

/// All that is wrong; what is missing folds into one for the family and one for each member.
pub(super) fn broken(reading: &Reading, questionnaire: &Questionnaire) -> Vec<Conflict> {
    if reading.gone().is_some() || !is_begun(reading) {
        return Vec::new();
    }
    let violations = questionnaire.violations(&effective_answers(reading));
    violations.into_iter().map(|violation| conflict(reading, questionnaire, violation)).collect()
}

/// Whether the interview has begun: something good was written in any ink but the prelist's.
fn is_begun(reading: &Reading) -> bool {
    let mut good = reading.log().iter().filter(|logged| logged.standing.is_good());
    good.any(|logged| logged.ink != Ink::Printed && !logged.writes.is_empty())
}

fn effective_answers(reading: &Reading) -> Answers {
    let mut answers = Answers::default();
    for member in reading.members() {
        answers.members.entry(*member).or_default();
    }
    for (place, answer) in reading.answers() {
        let value = &answer.effective().value;
        let fields = match &place.member {
            None => Some(&mut answers.family),
            Some(member) => answers.members.get_mut(member),
        };
        if let Some(fields) = fields.filter(|_| *value != Scalar::Null && !place.is_gone()) {
            fields.insert(place.field.clone(), value.clone());
        }
    }
    answers
}

fn conflict(reading: &Reading, questionnaire: &Questionnaire, violation: Violation) -> Conflict {
    let Violation { member, kind, fields, text } = violation;
    let level = if member.is_some() { Level::Member } else { Level::Family };
    // An answer to what is asked on the other level stands here all the same.
    let is_own = kind == ViolationKind::NotAsked;
    let is_here = |field: &String| {
        is_own || questionnaire.variable(field).is_none_or(|variable| variable.level == level)
    };
    let places =
        fields.iter().map(|field| Place { member: member.filter(|_| is_here(field)), field: field.clone() });
    let places: Vec<Place> = places.collect();
    let candidates = match kind {
        ViolationKind::Missing => Vec::new(),
        _ => places.iter().filter_map(|place| Some(reading.answer(place)?.effective().clone())).collect(),
    };
    let one = match places.as_slice() {
        [place] if fields.iter().all(is_here) => Some(place.clone()),
        _ => None,
    };
    Conflict { kind: ConflictKind::Rule, place: one, member, candidates, cause: text, other: Vec::new() }
}
