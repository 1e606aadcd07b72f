//! Frames: a stream of bytes becomes whole bodies, each announced by its length in 4 bytes,
//! big-endian. What a body says is not looked at.

use crate::WireError;
use crate::limits::FRAME_BYTES_MAX;

const PREFIX_BYTES: usize = 4;
/// An emptied buffer that is larger gives its memory back: a node holds one for each link.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// Cuts what a link brings into frames. It holds at most one unfinished frame and what was pushed.
#[derive(Debug, Default)]
pub struct Deframer {
    buffer: Vec<u8>,
    /// What of the buffer has been given out.
    used: usize,
    refused: Option<WireError>,
}

impl Deframer {
    /// One that holds nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what the link brought. Nothing is taken once a frame was refused.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.refused.is_some() {
            return;
        }
        self.buffer.drain(..self.used);
        self.used = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole body, without its length; nothing if it is not all there yet.
    ///
    /// # Errors
    /// As soon as a length is over the limit or zero, and from then on.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, WireError> {
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        let held = self.buffer.get(self.used..).unwrap_or_default();
        let Some((prefix, held)) = held.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let bytes = u32::from_be_bytes(*prefix) as usize;
        if let Err(error) = check_length(bytes) {
            *self = Self { refused: Some(error.clone()), ..Self::default() };
            return Err(error);
        }
        let Some(body) = held.get(..bytes) else { return Ok(None) };
        let body = body.to_vec();
        self.used += PREFIX_BYTES + bytes;
        if self.used == self.buffer.len() {
            self.empty();
        }
        Ok(Some(body))
    }

    fn empty(&mut self) {
        self.used = 0;
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BYTES_MAX);
    }
}

fn check_length(bytes: usize) -> Result<(), WireError> {
    match bytes {
        0 => Err(WireError::EmptyFrame),
        1..=FRAME_BYTES_MAX => Ok(()),
        _ => Err(WireError::FrameTooLong { bytes, max: FRAME_BYTES_MAX }),
    }
}

/// A frame around the body that `fill` appends.
pub(crate) fn framed(fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = vec![0; PREFIX_BYTES];
    fill(&mut frame);
    let length = u32::try_from(frame.len() - PREFIX_BYTES).expect("no message comes near 4 GiB");
    if let Some(prefix) = frame.first_chunk_mut::<PREFIX_BYTES>() {
        *prefix = length.to_be_bytes();
    }
    frame
}
