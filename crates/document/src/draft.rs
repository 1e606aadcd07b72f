//! What an edit is given and gives: who writes, and the change made for them, not yet numbered or
//! signed, or why there is none. Making it is `edit`'s.

use rukun_authority::Standing;
use rukun_change::{Author, BodyError, CauseHash, ChangeId, Ink, MemberId};

use crate::json::AnswerFault;

/// Who writes, in which ink, and what time their device shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writer {
    /// The device in its incarnation.
    pub author: Author,
    /// The ink.
    pub ink: Ink,
    /// Milliseconds since 1970. For showing only.
    pub time_ms: i64,
}

/// A change to be numbered and signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The Automerge change.
    pub body: Vec<u8>,
    /// The heads of the lower inks that the writer saw.
    pub seen: Vec<CauseHash>,
    /// The members that the patch made, in its order.
    pub members: Vec<MemberId>,
}

/// Why an edit makes no change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Answers that can't be taken: all of them, one a line.
    #[error("{}", lines(.0))]
    Answers(Vec<AnswerFault>),
    /// This device's own earlier work there is broken, so nothing can follow it.
    #[error(
        "this device's own change {change:.12} of this record in {ink} can't be followed ({standing}): \
         was an old copy of its data folder put back? Another device can write in {ink}, and any in a higher ink"
    )]
    Own {
        /// The change.
        change: ChangeId,
        /// Its ink.
        ink: Ink,
        /// What is said of it.
        standing: Standing,
    },
    /// A change that the gate would refuse.
    #[error("the edit is too large or malformed: {0}")]
    Body(BodyError),
    /// The Automerge library's fault. Reading and relaying go on without it.
    #[error("Automerge can't make this change: {0}; the record can still be read and relayed")]
    Engine(String),
}

fn lines(faults: &[AnswerFault]) -> String {
    faults.iter().map(AnswerFault::to_string).collect::<Vec<_>>().join("\n")
}
