//! Compression: content becomes one zstd frame that says how long its content is, and back
//! within the limit. There is no stream, no dictionary and no second frame.

use zstd::bulk::{Decompressor, compress};
use zstd::zstd_safe::{find_frame_compressed_size, get_frame_content_size};

use crate::Fault;
use crate::limits::UNPACKED_BYTES_MAX;

/// Where a frame of interviews stops shrinking by more than the time it takes to shrink it; no
/// part of the format, since a reader takes every level.
const LEVEL: i32 = 6;

pub(crate) fn pack(content: &[u8]) -> Vec<u8> {
    compress(content, LEVEL).expect("compressing from memory into memory of the right size cannot fail")
}

/// The content of one zstd frame that is all of `packed`. Its claim is checked before memory is
/// taken, and content that exceeds the claim is refused.
pub(crate) fn unpack(packed: &[u8]) -> Result<Vec<u8>, Fault> {
    let claimed = get_frame_content_size(packed).map_err(|_| Fault::Corrupt)?.ok_or(Fault::UnknownSize)?;
    let bytes = usize::try_from(claimed).ok().filter(|bytes| *bytes <= UNPACKED_BYTES_MAX);
    let bytes = bytes.ok_or(Fault::TooLarge { bytes: claimed, max: UNPACKED_BYTES_MAX })?;
    if find_frame_compressed_size(packed) != Ok(packed.len()) {
        return Err(Fault::Corrupt);
    }
    let content = Decompressor::new().and_then(|mut context| context.decompress(packed, bytes));
    content.ok().filter(|content| content.len() == bytes).ok_or(Fault::Corrupt)
}
