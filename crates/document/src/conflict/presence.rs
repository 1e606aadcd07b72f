//! Conflicts of presence: someone marked a record or a member gone, and answers were given by
//! people whose work whoever marked it had not seen.

use std::cmp::Reverse;

use rukun_change::{Ink, MemberId, Scalar};

use super::{Conflict, ConflictKind};
use crate::answer::{Answer, Candidate};
use crate::log::Logged;
use crate::place::Place;
use crate::reading::Reading;

/// The disputed marks of being gone: the record's, or if it is not gone its members'.
pub(super) fn disputed(reading: &Reading) -> Vec<Conflict> {
    if let Some(reason) = reading.gone() {
        return conflict(reading, None, reason).into_iter().collect();
    }
    let members = reading.all_members().iter();
    let gone = members.filter_map(|member| Some((*member, reading.member_gone(member)?)));
    gone.filter_map(|(member, reason)| conflict(reading, Some(member), reason)).collect()
}

fn conflict(reading: &Reading, member: Option<MemberId>, reason: &str) -> Option<Conflict> {
    let place = Place::gone(member);
    let answer = reading.answer(&place)?;
    let marks = || answer.candidates.iter().filter(|mark| matches!(mark.value, Scalar::Text(_)));
    let known = |logged: &Logged| {
        let by_clock =
            |mark: &Candidate| cfg!(planted = "presence-by-clock") && logged.time_ms < mark.time_ms;
        let knew = |mark: &Candidate| reading.knew(&mark.change, &logged.change) || by_clock(mark);
        marks().any(|mark| mark.change == logged.change || knew(mark))
    };
    let edits = reading.log().iter().filter(|logged| is_edit(logged, member, answer) && !known(logged));
    let mut edits: Vec<Candidate> = edits.map(still_here).collect();
    edits.sort_by_key(|edit| Reverse((edit.ink, edit.change)));
    if edits.is_empty() {
        return None;
    }
    let candidates = marks().cloned().chain(edits).collect();
    let cause = format!("marked gone ({reason}) but answered since");
    Some(Conflict::at(ConflictKind::Presence, &place, candidates, cause))
}

/// Whether the change gives an answer in the scope of a mark. The prelist does not dispute what is
/// marked in the field.
fn is_edit(logged: &Logged, member: Option<MemberId>, mark: &Answer) -> bool {
    let in_scope = |place: &Place| !place.is_gone() && (member.is_none() || place.member == member);
    logged.standing.is_good()
        && (logged.ink != Ink::Printed || mark.effective().ink == Ink::Printed)
        && logged.writes.iter().any(|(place, _)| in_scope(place))
}

/// What an edit says of a mark: that it should not be there.
fn still_here(logged: &Logged) -> Candidate {
    let Logged { change, author, ink, time_ms, .. } = *logged;
    Candidate { change, author, ink, value: Scalar::Null, time_ms }
}
