//! What stands in one place of a record: every answer that no other one replaced, in every ink,
//! with who gave it.

use rukun_change::{Author, ChangeId, Ink, Scalar};

/// An answer that stands, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The change that gave it.
    pub change: ChangeId,
    /// Whose change that is.
    pub author: Author,
    /// In which ink.
    pub ink: Ink,
    /// The value; null cleared what was there.
    pub value: Scalar,
    /// When its author says it was given, milliseconds since 1970. For showing only.
    pub time_ms: i64,
}

/// All answers that stand in one place: the highest ink first, then the greatest id. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The answers.
    pub candidates: Vec<Candidate>,
}

impl Answer {
    /// What the office reads: the highest ink's, and of several there the one with the greatest id.
    pub fn effective(&self) -> &Candidate {
        let upside_down = cfg!(planted = "overlay-swapped");
        let read = if upside_down { self.candidates.last() } else { self.candidates.first() };
        read.expect("a place without an answer is not listed")
    }

    /// Whether the highest ink holds several different values.
    pub fn contested(&self) -> bool {
        is_contested(self.in_ink(self.effective().ink))
    }

    /// The answers that stand in higher inks.
    pub(crate) fn above(&self, ink: Ink) -> &[Candidate] {
        let end = self.candidates.partition_point(|candidate| candidate.ink > ink);
        self.candidates.get(..end).unwrap_or_default()
    }

    /// The answers that stand in one ink.
    pub fn in_ink(&self, ink: Ink) -> &[Candidate] {
        let start = self.candidates.partition_point(|candidate| candidate.ink > ink);
        let end = self.candidates.partition_point(|candidate| candidate.ink >= ink);
        self.candidates.get(start..end).unwrap_or_default()
    }
}

/// Whether answers differ from each other.
pub(crate) fn is_contested(candidates: &[Candidate]) -> bool {
    candidates.iter().zip(candidates.iter().skip(1)).any(|(one, other)| one.value != other.value)
}
