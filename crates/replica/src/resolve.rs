//! Conflicts as this device's people look at them, and the signed change by which one of them settles
//! one: it has seen all candidates, and is refused where they are others than were shown.

use std::collections::BTreeSet;

use rukun_change::limits::MESSAGE_BYTES_MAX;
use rukun_change::{ChangeId, Ink, Moment, RecordId, Scalar};
use rukun_document::{Candidate, Conflict, Place, Reading, write};

use crate::local::ActionError;
use crate::replica::{Replica, ReplicaError};

/// Room for the ids that a resolution names: a comma each, and the word before them.
const MESSAGE_IDS_BYTES_MAX: usize = MESSAGE_BYTES_MAX - 16;

/// What a resolution settles on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The value of this candidate.
    Pick(ChangeId),
    /// Another value.
    Value(Scalar),
}

impl Replica {
    /// The conflicts of a record, remembered as shown: a resolution chooses among these.
    ///
    /// # Errors
    /// If there is no such record.
    pub fn show_conflicts(&mut self, record: &RecordId) -> Result<Vec<Conflict>, ActionError> {
        // Which other records have the same numbers is known from the views alone.
        self.refresh(None, usize::MAX)?;
        let conflicts = self.conflicts_of(record)?;
        let shown = candidates(&conflicts);
        let shown: Vec<u8> = shown.iter().flat_map(|id| *id.as_bytes()).collect();
        self.store.set_setting(&shown_name(record), Some(&shown)).map_err(ReplicaError::from)?;
        Ok(conflicts)
    }

    /// Settles a conflict by an ordinary change that has seen all candidates.
    ///
    /// # Errors
    /// If the candidates were never shown or have changed since, if there is no conflict in that
    /// place, if none there would end by it in that ink, or if this device may not write there.
    pub fn resolve(
        &mut self,
        now: Moment,
        record: &RecordId,
        place: &Place,
        choice: &Choice,
        ink: Option<Ink>,
    ) -> Result<ChangeId, ActionError> {
        self.refresh(None, usize::MAX)?;
        let (held, reading) = self.held_known(record)?;
        let conflicts = self.conflicts_of(record)?;
        let at_place = || conflicts.iter().filter(|conflict| conflict.place.as_ref() == Some(place));
        let among: Vec<&Candidate> = at_place().flat_map(|conflict| &conflict.candidates).collect();
        if among.is_empty() {
            return Err(ActionError::NoConflict { record: *record, place: place.clone() });
        }
        let shown = self.store.setting(&shown_name(record)).map_err(ReplicaError::from)?;
        let shown = shown.ok_or(ActionError::NotShown { record: *record })?;
        if let Some(news) =
            among.iter().find(|candidate| !shown.chunks(32).any(|id| id == candidate.change.as_bytes()))
        {
            return Err(ActionError::NewCandidate { record: *record, change: news.change });
        }
        let value = chosen(choice, &among)?;
        let writer = self.writer(now, record, ink)?;
        let questionnaire = self.questionnaire.as_ref().ok_or(ActionError::NoQuestionnaire)?;
        let message = message_of(&among);
        let writes = [(place.clone(), value.clone())];
        let draft = write(&reading, &held, questionnaire, &writer, &writes, &message)?;
        if let Some(needed) = ink_needed(&reading, &at_place().collect::<Vec<_>>(), writer.ink, &value) {
            let (record, place) = (*record, place.clone());
            return Err(ActionError::SettlesNothing { record, place, ink: writer.ink, needed });
        }
        self.sign_and_admit(record, &writer, draft.ok_or(ActionError::Empty)?)
    }
}

/// Every change that a conflict of this record offers as a candidate, ascending.
fn candidates(conflicts: &[Conflict]) -> Vec<ChangeId> {
    let candidates = conflicts.iter().flat_map(|conflict| &conflict.candidates);
    let mut ids: Vec<ChangeId> = candidates.map(|candidate| candidate.change).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Which changes were chosen among, as many as a message holds: what was seen, the change's causes say in full.
fn message_of(among: &[&Candidate]) -> String {
    let ids: BTreeSet<String> = among.iter().map(|candidate| candidate.change.to_string()).collect();
    let named = ids.into_iter().fold(String::new(), |named, id| match named.len() + id.len() {
        0..MESSAGE_IDS_BYTES_MAX if named.is_empty() => id,
        0..MESSAGE_IDS_BYTES_MAX => format!("{named},{id}"),
        _ => named,
    });
    format!("resolve {named}")
}

fn chosen(choice: &Choice, among: &[&Candidate]) -> Result<Scalar, ActionError> {
    let change = match choice {
        Choice::Value(value) => return Ok(value.clone()),
        Choice::Pick(change) => *change,
    };
    let picked =
        among.iter().find(|candidate| candidate.change == change || cfg!(planted = "settled-by-first"));
    picked.map(|candidate| candidate.value.clone()).ok_or(ActionError::NoCandidate { change })
}

/// The lowest ink above this one in which the value would end any of the conflicts, if in this one it ends
/// none: nobody is to be told that it is done where it all stays. What only a decision ends needs no ink.
fn ink_needed(reading: &Reading, conflicts: &[&Conflict], ink: Ink, value: &Scalar) -> Option<Ink> {
    let ends = |ink: &Ink| conflicts.iter().any(|conflict| reading.can_settle(conflict, *ink, value));
    let mut above = Ink::ALL.into_iter().filter(|above| *above > ink);
    if ends(&ink) { None } else { above.find(ends) }
}

fn shown_name(record: &RecordId) -> String {
    format!("shown/{record}")
}
