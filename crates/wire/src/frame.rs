//! Frames: a stream of bytes becomes whole bodies, each announced by its length in 4 bytes, big-endian. What is
//! compressed may refer back to what was compressed before it on the same link. What a body says is not looked at.

use crate::limits::FRAME_BYTES_MAX;
use crate::pack::History;
use crate::{Body, WireError};

const PREFIX_BYTES: usize = 4;
/// An emptied buffer that is larger gives its memory back: a node holds one for each link.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// Cuts what a link brings into frames. It holds at most one unfinished frame, what was pushed, and a little of what
/// was compressed before.
#[derive(Debug, Default)]
pub struct Deframer {
    buffer: Vec<u8>,
    /// What of the buffer has been given out.
    used: usize,
    history: History,
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
    /// As soon as a length is over the limit or zero, or what is compressed has no content within its limit, and
    /// from then on.
    pub fn next_frame(&mut self) -> Result<Option<Body>, WireError> {
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        let held = self.buffer.get(self.used..).unwrap_or_default();
        let Some((prefix, held)) = held.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let bytes = u32::from_be_bytes(*prefix) as usize;
        if let Err(error) = check_length(bytes) {
            return Err(self.refuse(error));
        }
        let Some(body) = held.get(..bytes) else { return Ok(None) };
        let body = match Body::after(&mut self.history, body) {
            Ok(body) => body,
            Err(error) => return Err(self.refuse(error)),
        };
        self.used += PREFIX_BYTES + bytes;
        if self.used == self.buffer.len() {
            self.empty();
        }
        Ok(Some(body))
    }

    fn refuse(&mut self, error: WireError) -> WireError {
        *self = Self { refused: Some(error.clone()), ..Self::default() };
        error
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_over_the_limit_is_refused_as_soon_as_it_is_read() {
        for length in [FRAME_BYTES_MAX as u32 + 1, 1 << 31, u32::MAX] {
            let mut deframer = Deframer::new();
            deframer.push(&length.to_be_bytes());
            let error = WireError::FrameTooLong { bytes: length as usize, max: FRAME_BYTES_MAX };
            assert_eq!(deframer.next_frame(), Err(error.clone()));
            deframer.push(&framed(|frame| frame.push(1)));
            assert_eq!(deframer.next_frame(), Err(error), "a link that lied once is not heard again");
        }
    }

    #[test]
    fn an_empty_frame_is_refused() {
        let mut deframer = Deframer::new();
        deframer.push(&[0; 4]);
        assert_eq!(deframer.next_frame(), Err(WireError::EmptyFrame));
    }

    #[test]
    fn frames_before_a_refused_one_are_given_out() {
        let mut deframer = Deframer::new();
        deframer.push(&[&framed(|frame| frame.push(7))[..], &[0xff; 9]].concat());
        assert_eq!(deframer.next_frame(), Ok(Some(Body::alone(&[7]).unwrap())));
        assert!(deframer.next_frame().is_err());
    }

    #[test]
    fn a_link_at_rest_holds_little_memory() {
        let mut deframer = Deframer::new();
        deframer.push(&framed(|frame| frame.resize(FRAME_BYTES_MAX, 1)));
        assert!(deframer.next_frame().unwrap().is_some());
        assert!(deframer.buffer.capacity() <= KEPT_BYTES_MAX);
    }
}
