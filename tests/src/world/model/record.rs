//! What is said of a record: its history, the answers that stand, its conflicts.

use std::collections::{BTreeMap, BTreeSet};

use rukun_change::{Author, ChangeId, Ink, MemberId, Scalar};

use super::Standing;

/// A field of the family (no member) or of a member.
pub type Place<'a> = (Option<MemberId>, &'a str);

/// A write that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// By which change.
    pub change: ChangeId,
    /// Whose.
    pub author: Author,
    /// In which ink.
    pub ink: Ink,
    /// What it says.
    pub value: &'a Scalar,
    /// When, as its author says.
    pub time_ms: i64,
    /// The change's place in the log.
    pub at: usize,
}

/// One change in the history of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged<'a> {
    /// The change.
    pub change: ChangeId,
    /// In which ink.
    pub ink: Ink,
    /// Whether it counts.
    pub standing: Standing,
    /// What it writes, each place once.
    pub writes: BTreeMap<Place<'a>, &'a Scalar>,
    /// The members that it makes a map for.
    pub made: BTreeSet<MemberId>,
}

/// All that a node must read in a record.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// The history.
    pub log: Vec<Logged<'a>>,
    /// Per place the answers that stand: the highest ink first, then the greatest id. The first is
    /// what the office reads.
    pub answers: BTreeMap<Place<'a>, Vec<Candidate<'a>>>,
    /// All members.
    pub all_members: BTreeSet<MemberId>,
    /// Those that are not gone.
    pub members: BTreeSet<MemberId>,
    /// Why the record is gone, if it is.
    pub gone: Option<&'a str>,
    /// The conflicts of the four kinds that need no questionnaire, sorted.
    pub conflicts: Vec<Conflict<'a>>,
}

/// What kind of conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Different answers in one ink, none of which saw another.
    Field,
    /// A correction whose author had not seen an answer below it.
    Stale,
    /// Answers to a record or member that someone marked gone.
    Presence,
    /// A change that does not count.
    SetAside,
    /// Something at odds with the questionnaire.
    Rule,
}

/// One conflict: where, and what a person chooses among, in the order in which it is shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict<'a> {
    /// Of which kind.
    pub kind: Kind,
    /// In which place, where it is about one.
    pub place: Option<Place<'a>>,
    /// About which member, if about one.
    pub member: Option<MemberId>,
    /// The changes and what they say.
    pub candidates: Vec<(ChangeId, &'a Scalar)>,
}

/// Why the record or a member is gone: the text that stands in its field `gone`.
pub(super) fn gone<'a>(
    answers: &BTreeMap<Place<'a>, Vec<Candidate<'a>>>,
    member: Option<MemberId>,
) -> Option<&'a str> {
    match answers.get(&(member, "gone"))?.first()?.value {
        Scalar::Text(reason) => Some(reason),
        Scalar::Null | Scalar::Int(_) => None,
    }
}
