//! Conflicts of presence: someone marked a record or a member gone, and answers were given by
//! people whose work whoever marked it had not seen. One walk over the log finds them for all members:
//! whoever may write can mark thousands gone.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rukun_change::{Ink, MemberId, Scalar};

use super::{Conflict, ConflictKind};
use crate::answer::Candidate;
use crate::causes::holds;
use crate::log::Logged;
use crate::place::Place;
use crate::reading::Reading;

/// The disputed marks of being gone: the record's, or if it is not gone its members'.
pub(super) fn disputed(reading: &Reading) -> Vec<Conflict> {
    if let Some(reason) = reading.gone() {
        return conflict(reading, None, reason, &edits(reading)).into_iter().collect();
    }
    let members = reading.all_members().iter();
    let gone = members.filter_map(|member| Some((*member, reading.member_gone(member)?)));
    let gone: Vec<(MemberId, &str)> = gone.collect();
    let edits = edits_of(reading, &gone);
    let conflict = |(member, reason): (MemberId, &str)| {
        conflict(reading, Some(member), reason, edits.get(&member).map(Vec::as_slice).unwrap_or_default())
    };
    gone.into_iter().filter_map(conflict).collect()
}

/// What speaks against a mark, of the changes that answer in its scope, by their places in the log.
fn conflict(reading: &Reading, member: Option<MemberId>, reason: &str, edits: &[usize]) -> Option<Conflict> {
    let place = Place::gone(member);
    let answer = reading.answer(&place).filter(|_| !edits.is_empty())?;
    let marks: Vec<&Candidate> =
        answer.candidates.iter().filter(|mark| matches!(mark.value, Scalar::Text(_))).collect();
    let known = reading.with_causes(marks.iter().filter_map(|mark| reading.place_of(&mark.change)));
    let latest = marks.iter().map(|mark| mark.time_ms).max();
    let by_clock = |logged: &Logged| cfg!(planted = "presence-by-clock") && Some(logged.time_ms) < latest;
    // The prelist does not dispute what is marked in the field.
    let may_dispute = |ink: Ink| ink != Ink::Printed || answer.effective().ink == Ink::Printed;
    let unknown = edits.iter().filter(|at| !holds(&known, **at)).filter_map(|at| reading.log().get(*at));
    let edits = unknown.filter(|logged| may_dispute(logged.ink) && !by_clock(logged));
    let mut edits: Vec<Candidate> = edits.map(still_here).collect();
    edits.sort_by_key(|edit| Reverse((edit.ink, edit.change)));
    if edits.is_empty() {
        return None;
    }
    let candidates = marks.into_iter().cloned().chain(edits).collect();
    let cause = format!("marked gone ({reason}) but answered since");
    Some(Conflict::at(ConflictKind::Presence, &place, candidates, cause))
}

/// Where the good changes that give any answer stand in the log.
fn edits(reading: &Reading) -> Vec<usize> {
    let good = reading.log().iter().enumerate().filter(|(_, logged)| logged.standing.is_good());
    good.filter(|(_, logged)| answered(logged).next().is_some()).map(|(at, _)| at).collect()
}

/// Where the good changes that give an answer about each of these members stand in the log.
fn edits_of(reading: &Reading, gone: &[(MemberId, &str)]) -> BTreeMap<MemberId, Vec<usize>> {
    let mut edits: BTreeMap<MemberId, Vec<usize>> =
        gone.iter().map(|(member, _)| (*member, Vec::new())).collect();
    if edits.is_empty() {
        return edits;
    }
    let good = reading.log().iter().enumerate().filter(|(_, logged)| logged.standing.is_good());
    for (at, logged) in good {
        let mut members: Vec<MemberId> = answered(logged).filter_map(|place| place.member).collect();
        // What one change writes stands by place, so that a member's are together.
        members.dedup();
        for member in members {
            if let Some(edits) = edits.get_mut(&member) {
                edits.push(at);
            }
        }
    }
    edits
}

/// The places in which a change gives an answer, which no mark is.
fn answered(logged: &Logged) -> impl Iterator<Item = &Place> {
    logged.writes.iter().map(|(place, _)| place).filter(|place| !place.is_gone())
}

/// What an edit says of a mark: that it should not be there.
pub(super) fn still_here(logged: &Logged) -> Candidate {
    let Logged { change, author, ink, time_ms, .. } = *logged;
    Candidate { change, author, ink, value: Scalar::Null, time_ms }
}
