//! The document shape: the answers a record can hold, the operations that set them, and why bytes are
//! no change that stays within it. Reading the bytes is `body`'s and `operations`'.

use crate::columns::DecodeError;
use crate::ids::{ActorId, MemberId};
use crate::limits::FIELD_BYTES_MAX;

/// Counters and sequence numbers end here, as Automerge's own do.
pub(crate) const COUNTER_MAX: u64 = u32::MAX as u64;

/// An answer: what a field can hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scalar {
    /// Cleared, or never given.
    Null,
    /// A number or a code.
    Int(i64),
    /// A text, a name, an identity number.
    Text(String),
}

/// An Automerge operation id: Lamport counter and actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId {
    /// The counter, from 1.
    pub counter: u64,
    /// The actor.
    pub actor: ActorId,
}

/// Where a write goes: the family's own answers, or the map that an operation made for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MapRef {
    /// The root of the document.
    Root,
    /// The map that this operation made.
    Made(OpId),
}

/// An operation that makes a member's map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MakeMap {
    /// The operation, which later writes name.
    pub op: OpId,
    /// The member.
    pub member: MemberId,
}

/// One field set to one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// In which map.
    pub map: MapRef,
    /// The variable's name.
    pub field: String,
    /// The value; null clears.
    pub value: Scalar,
}

/// Whether a text can be a variable's name: a small letter, then small letters, digits and `_`.
pub fn is_field_name(text: &str) -> bool {
    let rest_is_good = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    text.len() <= FIELD_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(rest_is_good)
}

pub(crate) fn malformed(part: &'static str) -> impl FnOnce(DecodeError) -> BodyError {
    move |fault| BodyError::Malformed { part, fault }
}

/// Why bytes are no change that a document can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// No change chunk.
    #[error("not an Automerge change chunk")]
    NotAChange,
    /// A compressed chunk.
    #[error("the Automerge change is compressed; only plain chunks are taken")]
    Compressed,
    /// A chunk over the limit.
    #[error("the Automerge change has {bytes} bytes where at most {max} are allowed")]
    TooLong {
        /// What it has.
        bytes: usize,
        /// What is allowed.
        max: usize,
    },
    /// A chunk that is cut off or has something behind it.
    #[error("the Automerge change claims {claimed} bytes of contents and has {bytes}")]
    Length {
        /// What it has.
        bytes: usize,
        /// What it claims.
        claimed: u64,
    },
    /// A chunk that was changed on the way.
    #[error("the Automerge change does not match its checksum")]
    Checksum,
    /// A part in another encoding than Automerge's own, or over a limit.
    #[error("the Automerge change is malformed in its {part}: {fault}")]
    Malformed {
        /// Which part.
        part: &'static str,
        /// What is wrong there.
        fault: DecodeError,
    },
    /// Bytes behind the last column.
    #[error("the Automerge change carries {bytes} extra bytes")]
    Extra {
        /// How many.
        bytes: usize,
    },
    /// An actor of another length.
    #[error("the Automerge change names an actor of {bytes} bytes; a device's has 16")]
    ActorLength {
        /// How many it has.
        bytes: u64,
    },
    /// An actor that the change does not list.
    #[error("operation {op} names actor {actor}, which the Automerge change does not list")]
    ActorUnknown {
        /// Which operation, counted from 0.
        op: usize,
        /// Its index.
        actor: u64,
    },
    /// An actor that no operation names.
    #[error("the Automerge change lists an actor that none of its operations names")]
    ActorUnused,
    /// A reference to itself, to something later, or to nothing.
    #[error("operation {op} refers to counter {counter}, which is not before it")]
    NotEarlier {
        /// Which operation, counted from 0.
        op: usize,
        /// The counter.
        counter: u64,
    },
    /// A column that only lists, texts and marks need, or an unknown one.
    #[error("the Automerge change has a column {number}, which no change of a record needs")]
    Column {
        /// Its number.
        number: u64,
    },
    /// An operation outside the document shape.
    #[error(
        "operation {op} {found}; a record holds null, integers and text under variable names, and one map per member"
    )]
    Shape {
        /// Which operation, counted from 0.
        op: usize,
        /// What it does.
        found: &'static str,
    },
}
