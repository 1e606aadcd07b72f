//! The body of a frame: its type and its fields, no longer compressed. What they say is not looked at.

use crate::WireError;
use crate::kind::Kind;
use crate::pack::{History, unpack};

/// What stands in a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    pub(crate) number: u8,
    pub(crate) fields: Vec<u8>,
}

impl Body {
    /// How much memory its fields take: what was compressed may say much in few bytes.
    pub fn unpacked_bytes(&self) -> usize {
        self.fields.len()
    }

    /// The body of a frame that is understood without any other.
    ///
    /// # Errors
    /// If there is nothing in it, or what is compressed has no content within its limit.
    pub fn alone(bytes: &[u8]) -> Result<Self, WireError> {
        Self::after(&mut History::nothing(), bytes)
    }

    /// One that may refer back to this history.
    pub(crate) fn after(history: &mut History, bytes: &[u8]) -> Result<Self, WireError> {
        let (number, fields) = bytes.split_first().ok_or(WireError::EmptyFrame)?;
        let fields = match Kind::from_number(*number).filter(|kind| kind.is_packed()) {
            Some(kind) => unpack(history, fields)
                .map_err(|fault| WireError::Malformed { message: kind.name(), fault })?,
            None => fields.to_vec(),
        };
        Ok(Self { number: *number, fields })
    }
}
