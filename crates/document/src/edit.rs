//! Edits: a merge patch, or writes, become the body of the smallest change that makes them, ready
//! to be signed. An answer that is there already makes no write; one that is disputed does, even if
//! it repeats what is there. Whether the writer may use that ink is the gate's to say.

use rukun_authority::{AdmittedChange, Standing};
use rukun_change::{Body, Ink, MemberId, Scalar};
use serde_json::Value;

use crate::conflict::overlay::is_blind;
use crate::draft::{Draft, EditError, Writer};
use crate::engine;
use crate::held;
use crate::json::{AnswerFault, Patch, check};
use crate::place::Place;
use crate::questionnaire::Questionnaire;
use crate::reading::Reading;

/// Makes the change that a merge patch asks for; nothing if all of it is there already. The reading
/// must be of these changes.
///
/// # Errors
/// [`EditError::Answers`] with all that is wrong with the patch; the others if the device can't
/// write here.
pub fn edit(
    reading: &Reading,
    changes: &[(AdmittedChange, Standing)],
    questionnaire: &Questionnaire,
    writer: &Writer,
    patch: &Value,
    new_members: &mut dyn FnMut() -> MemberId,
) -> Result<Option<Draft>, EditError> {
    let mut patch = Patch::read(reading, questionnaire, patch, new_members).map_err(EditError::Answers)?;
    patch.writes.retain(|(place, value)| {
        let is_dropped = cfg!(planted = "taken-back-unwritten") && *value == Scalar::Null;
        !is_there(reading, writer.ink, place, value) && !is_dropped
    });
    draft(reading, changes, writer, &patch, "")
}

/// Makes the change that sets these places to these values, whatever stands there: to resolve, or
/// to mark gone. Nothing if there are none. The reading must be of these changes.
///
/// # Errors
/// [`EditError::Answers`] with all values that can't stand where they should; the others if the
/// device can't write here.
pub fn write(
    reading: &Reading,
    changes: &[(AdmittedChange, Standing)],
    questionnaire: &Questionnaire,
    writer: &Writer,
    writes: &[(Place, Scalar)],
    message: &str,
) -> Result<Option<Draft>, EditError> {
    let faults: Vec<AnswerFault> =
        writes.iter().filter_map(|(place, value)| fault(reading, questionnaire, place, value)).collect();
    if !faults.is_empty() {
        return Err(EditError::Answers(faults));
    }
    let patch = Patch { writes: writes.to_vec(), new_members: Vec::new() };
    draft(reading, changes, writer, &patch, message)
}

fn draft(
    reading: &Reading,
    changes: &[(AdmittedChange, Standing)],
    writer: &Writer,
    patch: &Patch,
    message: &str,
) -> Result<Option<Draft>, EditError> {
    if patch.writes.is_empty() && patch.new_members.is_empty() {
        return Ok(None);
    }
    let held = held::pick(reading, changes, writer)?;
    let body = engine::make_change(&held, writer, patch, message).map_err(EditError::Engine)?;
    Body::decode(&body).map_err(EditError::Body)?;
    let seen = reading.seen_for(writer.ink);
    Ok(Some(Draft { body, seen, members: patch.new_members.clone() }))
}

/// Whether the value stands in that place of that ink already, and nothing speaks against it.
fn is_there(reading: &Reading, ink: Ink, place: &Place, value: &Scalar) -> bool {
    let Some(answer) = reading.answer(place) else {
        return *value == Scalar::Null;
    };
    match answer.in_ink(ink) {
        [only] => only.value == *value && !is_blind(reading, answer, only),
        [] => answer.candidates.iter().all(|other| other.value == Scalar::Null) && *value == Scalar::Null,
        _ => false,
    }
}

fn fault(
    reading: &Reading,
    questionnaire: &Questionnaire,
    place: &Place,
    value: &Scalar,
) -> Option<AnswerFault> {
    let known = reading.all_members();
    if let Some(member) = place.member.filter(|member| known.binary_search(member).is_err()) {
        return Some(AnswerFault::UnknownMember { member: member.to_string(), known: known.to_vec() });
    }
    if place.is_gone() {
        let is_good = match value {
            Scalar::Null => true,
            Scalar::Text(reason) => !reason.is_empty(),
            Scalar::Int(_) => false,
        };
        return (!is_good).then(|| AnswerFault::NoReason { place: place.clone() });
    }
    let source = check(questionnaire, place.member.is_some(), &place.field, value).err()?;
    Some(AnswerFault::Answer { member: place.member.map(|member| member.to_string()), source })
}

#[cfg(test)]
mod tests;
