//! Where a record does not agree with itself or with the questionnaire: a reading becomes a list of
//! conflicts, each with what a person chooses among and one sentence that says why. Nothing is
//! decided here, and duplicates of identity numbers need other records, so they are found elsewhere.

use std::fmt;
use std::str::FromStr;

use rukun_change::{MemberId, RecordId};

use crate::answer::Candidate;
use crate::log::Logged;
use crate::place::Place;
use crate::questionnaire::Questionnaire;
use crate::reading::Reading;

pub(crate) mod overlay;
mod presence;
mod rule;
mod settle;

/// How many places a sentence names before it only counts.
const PLACES_NAMED_MAX: usize = 6;

/// What kind of conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConflictKind {
    /// The same field of the same ink written concurrently with different values.
    Field,
    /// A correction whose author had not seen an answer in an ink below it.
    Stale,
    /// The same NIK or KK number in two records.
    Duplicate,
    /// The record breaks the questionnaire.
    Rule,
    /// Answers to a record or member that someone marked gone.
    Presence,
    /// A change without good standing.
    SetAside,
}

impl ConflictKind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Field, Self::Stale, Self::Duplicate, Self::Rule, Self::Presence, Self::SetAside];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Field => "field",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::Rule => "rule",
            Self::Presence => "presence",
            Self::SetAside => "set-aside",
        }
    }
}

impl fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ConflictKind {
    type Err = ConflictKindError;

    fn from_str(text: &str) -> Result<Self, ConflictKindError> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| ConflictKindError { text: text.into() })
    }
}

/// A word that is no kind of conflict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no kind of conflict: field, stale, duplicate, rule, presence or set-aside")]
pub struct ConflictKindError {
    /// What was given.
    pub text: String,
}

/// One conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Of which kind.
    pub kind: ConflictKind,
    /// In which place, where it is about one.
    pub place: Option<Place>,
    /// About which member, if about one.
    pub member: Option<MemberId>,
    /// What a resolution chooses among: the highest ink first, then the greatest id. Of presence:
    /// the marks of being gone, and for each change made without knowing them a null, which takes
    /// the mark away. Of set-aside: all that the change writes, by place. Of rule: what is read in the
    /// places involved, in the order in which the rule names them.
    pub candidates: Vec<Candidate>,
    /// One sentence for people.
    pub cause: String,
    /// Of duplicates: the other records.
    pub other: Vec<RecordId>,
}

impl Conflict {
    fn at(kind: ConflictKind, place: &Place, candidates: Vec<Candidate>, cause: String) -> Self {
        let member = place.member;
        Self { kind, place: Some(place.clone()), member, candidates, cause, other: Vec::new() }
    }
}

impl Reading {
    /// All conflicts but those with other records: by kind, then by place. Rules are those of this
    /// questionnaire; without one none are checked.
    pub fn conflicts(&self, questionnaire: Option<&Questionnaire>) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        for (place, answer) in self.answers() {
            conflicts.extend(overlay::field(self, place, answer));
        }
        conflicts.extend(overlay::stale(self));
        if let Some(questionnaire) = questionnaire {
            conflicts.extend(rule::broken(self, questionnaire));
        }
        conflicts.extend(presence::disputed(self));
        conflicts.extend(self.log().iter().filter(|logged| !logged.standing.is_good()).map(set_aside));
        conflicts
    }
}

fn set_aside(logged: &Logged) -> Conflict {
    let candidate = |value: &rukun_change::Scalar| {
        let Logged { change, author, ink, time_ms, .. } = *logged;
        Candidate { change, author, ink, value: value.clone(), time_ms }
    };
    let mut places = logged.writes.iter().map(|(place, _)| place);
    let place = places.next().filter(|_| logged.writes.len() == 1).cloned();
    let mut members: Vec<MemberId> = logged.writes.iter().filter_map(|(place, _)| place.member).collect();
    members.dedup();
    let one_member = logged.writes.iter().all(|(place, _)| place.member.is_some()) && members.len() == 1;
    Conflict {
        kind: ConflictKind::SetAside,
        place,
        member: members.first().filter(|_| one_member).copied(),
        candidates: logged.writes.iter().map(|(_, value)| candidate(value)).collect(),
        cause: format!(
            "change {:.12} by {} in {} is {}; it writes {}",
            logged.change,
            logged.author.device.short(),
            logged.ink,
            logged.standing,
            named(&logged.writes.iter().map(|(place, _)| place.to_string()).collect::<Vec<_>>())
        ),
        other: Vec::new(),
    }
}

/// The places, or the first few and how many more.
fn named(places: &[String]) -> String {
    let (shown, more) = places.split_at(places.len().min(PLACES_NAMED_MAX));
    match (shown, more.len()) {
        ([], _) => "nothing that can be read".into(),
        (shown, 0) => shown.join(", "),
        (shown, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod by_definition;
#[cfg(test)]
mod tests;
