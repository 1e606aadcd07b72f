//! The Automerge change inside a [`crate::Change`]: one uncompressed chunk becomes its causes and
//! its writes, decoded fully and within limits.

use sha2::{Digest as _, Sha256};

use crate::columns::{DecodeError, Input};
use crate::ids::{ActorId, CauseHash, MemberId};
use crate::limits::{ACTORS_MAX, BODY_BYTES_MAX, DEPS_MAX, FIELD_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::operations::read_operations;

/// The first bytes of every chunk, and the type of a change that is not compressed.
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHANGE: u8 = 1;
const COMPRESSED: u8 = 2;
/// Counters and sequence numbers end here, as Automerge's own do.
pub(crate) const COUNTER_MAX: u64 = u32::MAX as u64;
/// Times further from 1970 are no device's, and Automerge asserts on differences beyond 64 bits.
const TIME_MS_MAX: u64 = 1 << 53;

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
        if chunk.len() > BODY_BYTES_MAX {
            return Err(BodyError::TooLong { bytes: chunk.len(), max: BODY_BYTES_MAX });
        }
        let (hash, contents) = open(chunk)?;
        let mut input = Input::new(contents);
        let deps = read_deps(&mut input).map_err(malformed("causes"))?;
        let actor = read_actor(&mut input)?;
        let seq = read_counter(&mut input).map_err(malformed("sequence number"))?;
        let start_op = read_counter(&mut input).map_err(malformed("first operation's counter"))?;
        let time_ms = read_time(&mut input).map_err(malformed("time"))?;
        let message = input.text(MESSAGE_BYTES_MAX).map_err(malformed("message"))?.into();
        let actors = read_actors(&mut input, actor)?;
        let (maps, writes) = read_operations(&mut input, actors, start_op)?;
        Ok(Self { hash, deps, actor, seq, start_op, time_ms, message, maps, writes })
    }
}

/// The hash of a change chunk.
///
/// # Errors
/// If the bytes are not one whole change chunk, uncompressed.
pub(crate) fn chunk_hash(chunk: &[u8]) -> Result<CauseHash, BodyError> {
    open(chunk).map(|(hash, _)| hash)
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

/// The hash and the contents of a chunk.
fn open(chunk: &[u8]) -> Result<(CauseHash, &[u8]), BodyError> {
    let mut input = Input::new(chunk.strip_prefix(&MAGIC).ok_or(BodyError::NotAChange)?);
    let checksum: [u8; 4] = input.array().map_err(malformed("checksum"))?;
    let hashed = input.rest();
    match input.array().map_err(malformed("chunk type"))? {
        [CHANGE] => {}
        [COMPRESSED] => return Err(BodyError::Compressed),
        _ => return Err(BodyError::NotAChange),
    }
    let claimed = input.unsigned().map_err(malformed("length"))?;
    if claimed != input.len() as u64 {
        return Err(BodyError::Length { bytes: input.len(), claimed });
    }
    let hash: [u8; 32] = Sha256::digest(hashed).into();
    if !hash.starts_with(&checksum) {
        return Err(BodyError::Checksum);
    }
    Ok((CauseHash::from_bytes(hash), input.rest()))
}

fn read_deps(input: &mut Input<'_>) -> Result<Vec<CauseHash>, DecodeError> {
    let count = input.count(DEPS_MAX)?;
    let deps = (0..count).map(|_| input.array().map(CauseHash::from_bytes));
    let deps = deps.collect::<Result<Vec<_>, _>>()?;
    if deps.is_sorted_by(|before, after| before < after) { Ok(deps) } else { Err(DecodeError::OutOfOrder) }
}

fn read_counter(input: &mut Input<'_>) -> Result<u64, DecodeError> {
    let counter = input.unsigned()?;
    if (1..=COUNTER_MAX).contains(&counter) { Ok(counter) } else { Err(DecodeError::Number) }
}

fn read_time(input: &mut Input<'_>) -> Result<i64, DecodeError> {
    let time_ms = input.signed()?;
    if time_ms.unsigned_abs() <= TIME_MS_MAX { Ok(time_ms) } else { Err(DecodeError::Number) }
}

fn read_actor(input: &mut Input<'_>) -> Result<ActorId, BodyError> {
    let bytes = input.unsigned().map_err(malformed("actor"))?;
    if bytes != 16 {
        return Err(BodyError::ActorLength { bytes });
    }
    input.array().map(ActorId::from_bytes).map_err(malformed("actor"))
}

/// All actors that operations can name: the change's own, then the others, ascending.
fn read_actors(input: &mut Input<'_>, own: ActorId) -> Result<Vec<ActorId>, BodyError> {
    let count = input.count(ACTORS_MAX).map_err(malformed("other actors"))?;
    let mut actors = Vec::with_capacity(count + 1);
    actors.push(own);
    for _ in 0..count {
        actors.push(read_actor(input)?);
    }
    let mut others = actors.iter().skip(1);
    let in_order = others.clone().is_sorted_by(|before, after| before < after);
    if in_order && others.all(|other| *other != own) {
        Ok(actors)
    } else {
        Err(malformed("other actors")(DecodeError::OutOfOrder))
    }
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
