//! Compression: content becomes one zstd frame that says how long its content is, and back
//! within the limit. Parts of the content that are of different kinds get blocks, and so statistics, of their own.
//! It may refer back to what the same link compressed before, and at first to what stands before every link, which
//! generated families spell; there is no stream and no second frame.

use std::borrow::Cow;
use std::cell::RefCell;

use zstd::bulk::Decompressor;
use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, InBuffer, OutBuffer, ParamSwitch, ResetDirective, SafeResult, compress_bound,
    find_frame_compressed_size, get_frame_content_size,
};

use crate::Fault;
use crate::limits::{HISTORY_BYTES_MAX, UNPACKED_BYTES_MAX};

/// How hard a sender tries to make a frame short; no part of the format, since a reader takes every level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Where a frame of interviews stops shrinking by more than the time it takes to shrink it.
    Quick,
    /// A twentieth less in five times the time: for a link that carries less than is compressed meanwhile.
    Thorough,
}

/// Shorter content takes the time of a thorough search, and saves less by it than stands in the head of a packet.
const SEARCHED_BYTES_MIN: usize = 4 * 1024;

/// What is shorter says nothing that was said before: an empty frame, the end of a list.
const REFERRING_BYTES_MIN: usize = 32;

impl Effort {
    /// A context for content of this length after a history of that length.
    fn context<'a>(self, bytes: usize, history_bytes: usize) -> CCtx<'a> {
        match self {
            _ if bytes < SEARCHED_BYTES_MIN => short_context(bytes + history_bytes),
            Self::Quick => new_context(QUICK_LEVEL),
            Self::Thorough => new_context(15),
        }
    }
}

const QUICK_LEVEL: i32 = 6;

/// Short content takes less time than to make its history searchable, and that takes least in chains of hashes,
/// and in tables no larger than what there is. They find as much as the tables that zstd makes from this level on.
fn short_context<'a>(bytes: usize) -> CCtx<'a> {
    let table = bytes.next_power_of_two().ilog2().clamp(10, 16);
    let mut context = new_context(7);
    let parameters = [
        CParameter::HashLog(table),
        CParameter::ChainLog(table),
        CParameter::UseRowMatchFinder(ParamSwitch::Disable),
    ];
    for parameter in parameters {
        context.set_parameter(parameter).expect("a parameter that zstd has");
    }
    context
}

/// What stands before all that a link compresses: fields, heads and names as interviews and edits have them. It
/// belongs to the format; `tests/src/bin/prime.rs` wrote it.
const PRIME: &[u8] = include_bytes!("../prime.bin");

/// The end of all that was compressed on one way of a link, at both of its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct History(Cow<'static, [u8]>);

impl Default for History {
    fn default() -> Self {
        Self(Cow::Borrowed(PRIME))
    }
}

impl History {
    /// Of what stands alone.
    pub(crate) fn nothing() -> Self {
        Self(Cow::Borrowed(&[]))
    }

    fn push<'a>(&mut self, parts: impl Iterator<Item = &'a [u8]>) {
        let kept = self.0.to_mut();
        for part in parts {
            let end = part.len().saturating_sub(HISTORY_BYTES_MAX);
            let part = part.get(end..).unwrap_or_default();
            let over = (kept.len() + part.len()).saturating_sub(HISTORY_BYTES_MAX);
            kept.drain(..over);
            kept.extend_from_slice(part);
        }
        kept.shrink_to(HISTORY_BYTES_MAX);
    }
}

/// A block of its own takes more than it saves where it is shorter.
const BLOCK_BYTES_MIN: usize = 128;

thread_local! {
    /// Most messages are some hundred bytes, for which making a context costs more than using it.
    /// Nothing of one message is left in it for the next.
    static PACKS: RefCell<CCtx<'static>> = RefCell::new(new_context(QUICK_LEVEL));
    static UNPACKS: RefCell<Decompressor<'static>> =
        RefCell::new(Decompressor::new().expect("a context without a dictionary needs nothing but memory"));
}

/// All parts, one behind the other, as one zstd frame that is understood alone.
pub(crate) fn pack(parts: &[Vec<u8>]) -> Vec<u8> {
    PACKS.with_borrow_mut(|context| {
        context.reset(ResetDirective::SessionOnly).expect("a session can always be ended");
        packed_with(context, parts)
    })
}

/// The same, referring back to what was compressed before, which it then belongs to.
pub(crate) fn pack_after(history: &mut History, parts: &[Vec<u8>], effort: Effort) -> Vec<u8> {
    let bytes = parts.iter().map(Vec::len).sum();
    let packed = if bytes < REFERRING_BYTES_MIN {
        pack(parts)
    } else {
        // A context that is kept cannot refer to what is only borrowed.
        let mut context = effort.context(bytes, history.0.len());
        context.ref_prefix(&history.0).expect("nothing is being compressed yet");
        packed_with(&mut context, parts)
    };
    history.push(parts.iter().map(Vec::as_slice));
    packed
}

fn packed_with(context: &mut CCtx<'_>, parts: &[Vec<u8>]) -> Vec<u8> {
    let bytes: usize = parts.iter().map(|part| compress_bound(part.len())).sum();
    let mut packed = Vec::with_capacity(bytes);
    let written = write_parts(context, parts, &mut packed);
    written.expect("compressing from memory into memory of the right size cannot fail");
    packed
}

fn write_parts(context: &mut CCtx<'_>, parts: &[Vec<u8>], packed: &mut Vec<u8>) -> SafeResult {
    context.set_pledged_src_size(Some(parts.iter().map(|part| part.len() as u64).sum()))?;
    let mut out = OutBuffer::around(packed);
    let (last, before) = parts.split_last().map_or((&[][..], &[][..]), |(last, before)| (last, before));
    let mut unfinished = 0;
    for part in before {
        unfinished += part.len();
        let ends = unfinished >= BLOCK_BYTES_MIN;
        let then = if ends { ZSTD_EndDirective::ZSTD_e_flush } else { ZSTD_EndDirective::ZSTD_e_continue };
        write(context, part, &mut out, then)?;
        unfinished = if ends { 0 } else { unfinished };
    }
    write(context, last, &mut out, ZSTD_EndDirective::ZSTD_e_end)
}

/// Writes a part. With `e_continue` what is returned is a hint, so all of it is taken when none is left.
fn write(
    context: &mut CCtx<'_>,
    part: &[u8],
    out: &mut OutBuffer<'_, Vec<u8>>,
    then: ZSTD_EndDirective,
) -> SafeResult {
    let mut part_in = InBuffer::around(part);
    loop {
        assert!(out.pos() < out.capacity(), "what is compressed fits the bound of its parts");
        let left = context.compress_stream2(out, &mut part_in, then)?;
        let taken = part_in.pos() == part.len();
        if taken && (left == 0 || then == ZSTD_EndDirective::ZSTD_e_continue) {
            return Ok(0);
        }
    }
}

fn new_context<'a>(level: i32) -> CCtx<'a> {
    let mut context = CCtx::create();
    let level = CParameter::CompressionLevel(level);
    context.set_parameter(level).expect("a level that zstd has");
    context
}

/// The content of one zstd frame that is all of `packed` and may refer back to this history, which it then belongs
/// to. Its claim is checked before memory is taken, and content that exceeds the claim is refused.
pub(crate) fn unpack(history: &mut History, packed: &[u8]) -> Result<Vec<u8>, Fault> {
    let claimed = get_frame_content_size(packed).map_err(|_| Fault::Corrupt)?.ok_or(Fault::UnknownSize)?;
    let bytes = usize::try_from(claimed).ok().filter(|bytes| *bytes <= UNPACKED_BYTES_MAX);
    let bytes = bytes.ok_or(Fault::TooLarge { bytes: claimed, max: UNPACKED_BYTES_MAX })?;
    if find_frame_compressed_size(packed) != Ok(packed.len()) {
        return Err(Fault::Corrupt);
    }
    let content = if history.0.is_empty() {
        UNPACKS.with_borrow_mut(|context| context.decompress(packed, bytes)).ok()
    } else {
        unpack_after(&history.0, packed, bytes)
    };
    let content = content.filter(|content| content.len() == bytes).ok_or(Fault::Corrupt)?;
    history.push([content.as_slice()].into_iter());
    Ok(content)
}

fn unpack_after(before: &[u8], packed: &[u8], bytes: usize) -> Option<Vec<u8>> {
    let mut context = DCtx::create();
    context.ref_prefix(before).ok()?;
    let mut content = Vec::with_capacity(bytes);
    context.decompress(&mut content, packed).ok()?;
    Some(content)
}

#[cfg(test)]
mod tests {
    use rukun_change::Digest;

    use super::*;

    fn unpack(packed: &[u8]) -> Result<Vec<u8>, Fault> {
        super::unpack(&mut History::nothing(), packed)
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        for content in [vec![], vec![1], b"rukun tetangga ".repeat(1_000)] {
            assert_eq!(unpack(&pack(std::slice::from_ref(&content))), Ok(content));
        }
    }

    #[test]
    fn content_up_to_the_limit_is_taken_and_over_it_refused() {
        assert_eq!(
            unpack(&pack(&[vec![0; UNPACKED_BYTES_MAX]])).map(|content| content.len()),
            Ok(UNPACKED_BYTES_MAX)
        );
        let bytes = UNPACKED_BYTES_MAX + 1;
        let refused = Fault::TooLarge { bytes: bytes as u64, max: UNPACKED_BYTES_MAX };
        assert_eq!(unpack(&pack(&[vec![0; bytes]])), Err(refused));
    }

    #[test]
    fn a_claim_of_2_to_the_63_is_refused_on_its_word() {
        // Magic; descriptor: one segment, size in 8 bytes; the size; an empty last block.
        let claim = [&[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..], &(1_u64 << 63).to_le_bytes(), &[1, 0, 0]].concat();
        assert_eq!(unpack(&claim), Err(Fault::TooLarge { bytes: 1 << 63, max: UNPACKED_BYTES_MAX }));
    }

    #[test]
    fn content_of_a_size_it_does_not_say_is_refused() {
        let mut silent = zstd::bulk::Compressor::new(1).unwrap();
        silent.include_contentsize(false).unwrap();
        assert_eq!(unpack(&silent.compress(b"rukun warga").unwrap()), Err(Fault::UnknownSize));
    }

    #[test]
    fn content_in_two_frames_or_with_something_after_it_is_refused() {
        let whole = pack(&[b"rukun warga".to_vec()]);
        assert_eq!(unpack(&[&whole[..], &whole].concat()), Err(Fault::Corrupt));
        assert_eq!(unpack(&[&whole[..], &[0]].concat()), Err(Fault::Corrupt));
        // A frame that zstd skips: magic, length 2.
        let skipped = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7];
        assert_eq!(unpack(&[&skipped, &whole[..]].concat()), Err(Fault::Corrupt));
        assert_eq!(unpack(&[&whole[..], &skipped].concat()), Err(Fault::Corrupt));
    }

    #[test]
    fn content_that_is_shorter_or_longer_than_it_says_is_refused() {
        let whole = pack(&[vec![7; 100]]);
        assert_eq!(whole.get(4..6), Some(&[0x20, 100][..]), "one segment, size in 1 byte");
        for lie in [99, 101] {
            let mut liar = whole.clone();
            liar[5] = lie;
            assert_eq!(unpack(&liar), Err(Fault::Corrupt));
        }
    }

    #[test]
    fn what_was_compressed_before_is_referred_to_and_needed() {
        let noise: Vec<u8> = (0..64_u8).flat_map(|at| *Digest::of(&[at]).as_bytes()).collect();
        for effort in [Effort::Quick, Effort::Thorough] {
            let (mut sent, mut received) = (History::default(), History::default());
            let first = pack_after(&mut sent, std::slice::from_ref(&noise), effort);
            let again = pack_after(&mut sent, std::slice::from_ref(&noise), effort);
            assert!(again.len() < 100 && first.len() > 1_000, "{} and {}", first.len(), again.len());
            assert_eq!(unpack(&again), Err(Fault::Corrupt), "it is not understood alone");
            for packed in [first, again] {
                assert_eq!(super::unpack(&mut received, &packed), Ok(noise.clone()));
                assert!(received.0.ends_with(&noise));
            }
            assert_eq!(sent, received);
        }
    }

    #[test]
    fn both_ends_keep_the_same_and_no_more_than_the_limit() {
        let (mut sent, mut received) = (History::default(), History::default());
        for bytes in [10, HISTORY_BYTES_MAX - 5, 3, 2 * HISTORY_BYTES_MAX, 0, 100] {
            let parts: Vec<Vec<u8>> = (1..4).map(|part| vec![part; bytes / 3]).collect();
            let packed = pack_after(&mut sent, &parts, Effort::Quick);
            assert_eq!(super::unpack(&mut received, &packed), Ok(parts.concat()));
            assert_eq!(sent, received);
            assert!(sent.0.len() <= HISTORY_BYTES_MAX);
        }
        assert_eq!(sent.0.len(), HISTORY_BYTES_MAX);
    }

    #[test]
    fn a_frame_that_refers_to_nothing_is_understood_after_anything() {
        let alone = pack(&[b"rukun warga".to_vec()]);
        let mut received = History(vec![7; 1_000].into());
        assert_eq!(super::unpack(&mut received, &alone), Ok(b"rukun warga".to_vec()));
    }
}
