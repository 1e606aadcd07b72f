//! The Automerge change inside a [`crate::Change`]: one uncompressed chunk becomes its causes and
//! its writes, decoded fully and within limits.

use sha2::{Digest as _, Sha256};

use crate::columns::{DecodeError, Input};
use crate::ids::{ActorId, CauseHash};
use crate::limits::{ACTORS_MAX, BODY_BYTES_MAX, DEPS_MAX, MESSAGE_BYTES_MAX};
use crate::operations::read_operations;
use crate::shape::{BodyError, COUNTER_MAX, MakeMap, Write, malformed};

/// The first bytes of every chunk, and the type of a change that is not compressed.
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHANGE: u8 = 1;
const COMPRESSED: u8 = 2;
/// Times further from 1970 are no device's, and Automerge asserts on differences beyond 64 bits.
const TIME_MS_MAX: u64 = 1 << 53;

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
