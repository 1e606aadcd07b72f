//! A record's history: one line for each change that is held, set aside or not.

use rukun_authority::Standing;
use rukun_change::{Author, ChangeId, Ink, MemberId, Scalar};

use crate::place::Place;

/// A change as it stands in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Its id.
    pub change: ChangeId,
    /// Whose it is.
    pub author: Author,
    /// The author's own running number.
    pub n: u64,
    /// In which ink.
    pub ink: Ink,
    /// When its author says it was made, milliseconds since 1970. For showing only.
    pub time_ms: i64,
    /// The message: empty, or which changes it chose among.
    pub message: String,
    /// Whether it counts, all reasons taken together.
    pub standing: Standing,
    /// What it writes, each place once, by place.
    pub writes: Vec<(Place, Scalar)>,
    /// The members that it makes a map for in its ink, ascending.
    pub made: Vec<MemberId>,
}
