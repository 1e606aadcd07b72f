//! What ends a conflict: from the ink and the value that someone writes in its place, with all of it before
//! their eyes, follows whether it goes. A lower ink ends less, and yet not nothing: an answer that
//! agrees with the correction above it leaves nothing unseen that differs.

use rukun_change::{Ink, Scalar};

use super::{Conflict, ConflictKind, overlay};
use crate::answer::Answer;
use crate::place::Place;
use crate::reading::Reading;

impl Reading {
    /// Whether one of this reading's conflicts ends when someone who saw all of it writes this value in its
    /// place in this ink. Of rules and duplicates it is told only whether the value would be read: whether the
    /// questionnaire and other records agree with it is not looked up here.
    pub fn can_settle(&self, conflict: &Conflict, ink: Ink, value: &Scalar) -> bool {
        let there = conflict.place.as_ref().and_then(|place| self.answers().get_key_value(place));
        let Some((place, answer)) = there else { return false };
        match conflict.kind {
            ConflictKind::Field => sees_or_replaces(conflict, ink),
            ConflictKind::Stale => ends_blindness(self, place, answer, ink, value),
            ConflictKind::Presence => ends_dispute(conflict, answer, ink, value),
            ConflictKind::Rule | ConflictKind::Duplicate => ink >= answer.effective().ink,
            // Only a decision does.
            ConflictKind::SetAside => false,
        }
    }
}

/// Answers of one ink: one more in it takes their place, one in a higher ink covers them if that ink says
/// what was seen.
fn sees_or_replaces(conflict: &Conflict, ink: Ink) -> bool {
    let of_ink = conflict.candidates.first().map(|candidate| candidate.ink);
    of_ink.is_some_and(|of_ink| ink == of_ink || (ink > of_ink && ink.names_seen()))
}

/// In the ink of the highest blind correction or above it any value ends all blindness. In a lower one it
/// ends that of the corrections up to it, and takes away what those above had not seen in the same ink,
/// unless it differs itself from an answer above, which nobody can have seen beside it.
fn ends_blindness(reading: &Reading, place: &Place, answer: &Answer, ink: Ink, value: &Scalar) -> bool {
    let pairs = overlay::blind_inks(reading, place, answer);
    let Some(highest) = pairs.iter().map(|(correction, _)| *correction).max() else { return true };
    let none_is_left = pairs.iter().all(|(correction, unseen)| *correction <= ink || *unseen == ink);
    ink >= highest || (none_is_left && answer.above(ink).iter().all(|above| above.value == *value))
}

/// To take a mark away it takes the ink in which it is read. To stand by one it takes only to have seen what
/// was answered, so that even a lower ink than the mark's will do.
fn ends_dispute(conflict: &Conflict, answer: &Answer, ink: Ink, value: &Scalar) -> bool {
    let mut edits = conflict.candidates.iter().filter(|candidate| candidate.value == Scalar::Null);
    match value {
        Scalar::Text(_) => edits.all(|edit| edit.ink <= ink),
        Scalar::Null | Scalar::Int(_) => ink >= answer.effective().ink,
    }
}
