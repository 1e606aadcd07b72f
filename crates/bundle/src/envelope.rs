//! A bundle's outside: bytes become who it is for, who it is from, and the sealed parts in order. Whoever
//! carries it reads no more than this, and can change none of it unnoticed.

use rukun_change::DeviceKey;

use crate::limits::{BUNDLE_BYTES_MAX, PART_BYTES_MAX};

/// What every bundle begins with.
pub(crate) const MAGIC: &[u8; 15] = b"rukun bundle 1\n";
const KEY_BYTES: usize = 32;
const LENGTH_BYTES: usize = 4;

/// A bundle that nobody has opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedBundle {
    /// The device that can open it.
    pub recipient: DeviceKey,
    /// The device that it says it is from. Only opening it proves that.
    pub sender: DeviceKey,
    /// The half of an agreed key that goes along (RFC 9180, section 4).
    pub(crate) encapsulated: [u8; KEY_BYTES],
    /// What is sealed, in order; the last part says that it is the last.
    pub(crate) parts: Vec<Vec<u8>>,
}

impl SealedBundle {
    /// Reads a file.
    ///
    /// # Errors
    /// If it is no bundle, or a part of one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(EnvelopeError::TooLong { bytes: bytes.len() });
        }
        let rest = bytes.strip_prefix(MAGIC).ok_or(EnvelopeError::NoBundle)?;
        let (recipient, rest) = key(rest)?;
        let (sender, rest) = key(rest)?;
        let (encapsulated, mut rest) = key(rest)?;
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk::<LENGTH_BYTES>().ok_or(EnvelopeError::CutOff)?;
            let length = u32::from_be_bytes(*length) as usize;
            if length > PART_BYTES_MAX {
                return Err(EnvelopeError::PartTooLong { bytes: length });
            }
            let (part, after) = after.split_at_checked(length).ok_or(EnvelopeError::CutOff)?;
            parts.push(part.to_vec());
            rest = after;
        }
        let (recipient, sender) = (DeviceKey::from_bytes(recipient), DeviceKey::from_bytes(sender));
        Ok(Self { recipient, sender, encapsulated, parts })
    }

    /// Writes the file.
    ///
    /// # Errors
    /// If it would be too long.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EnvelopeError> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.recipient.as_bytes());
        bytes.extend(self.sender.as_bytes());
        bytes.extend(self.encapsulated);
        for part in &self.parts {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            bytes.extend(length.to_be_bytes());
            bytes.extend(part);
        }
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(EnvelopeError::TooLong { bytes: bytes.len() });
        }
        Ok(bytes)
    }
}

fn key(bytes: &[u8]) -> Result<([u8; KEY_BYTES], &[u8]), EnvelopeError> {
    bytes.split_first_chunk().map(|(key, rest)| (*key, rest)).ok_or(EnvelopeError::CutOff)
}

/// Why bytes are no bundle, or can't become one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// It begins otherwise.
    #[error("it is no bundle of rukun, or of a later version of it")]
    NoBundle,
    /// It ends too early.
    #[error("it is cut off: copy it again")]
    CutOff,
    /// It is longer than a bundle may be.
    #[error("it has {bytes} bytes; a bundle has at most {BUNDLE_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// A part is longer than a part may be.
    #[error("a part of it has {bytes} bytes; it has at most {PART_BYTES_MAX}")]
    PartTooLong {
        /// How long it is.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> SealedBundle {
        let key = |byte| DeviceKey::from_bytes([byte; 32]);
        let parts = vec![vec![9; 20], Vec::new(), vec![8; 3]];
        SealedBundle { recipient: key(1), sender: key(2), encapsulated: [3; 32], parts }
    }

    #[test]
    fn what_was_written_is_read_again_and_nothing_of_it_less() {
        let bytes = bundle().to_bytes().unwrap();
        assert_eq!(SealedBundle::from_bytes(&bytes), Ok(bundle()));
        let between = [111, 135, 139];
        for cut in (0..bytes.len()).filter(|cut| !between.contains(cut)) {
            let found = SealedBundle::from_bytes(&bytes[..cut]);
            assert!(
                matches!(found, Err(EnvelopeError::CutOff | EnvelopeError::NoBundle)),
                "{cut}: {found:?}"
            );
        }
    }

    #[test]
    fn no_length_takes_memory_that_is_not_there() {
        let mut bytes = bundle().to_bytes().unwrap();
        bytes.truncate(111);
        bytes.extend(u32::MAX.to_be_bytes());
        assert_eq!(
            SealedBundle::from_bytes(&bytes),
            Err(EnvelopeError::PartTooLong { bytes: u32::MAX as usize })
        );
        let long = vec![0; BUNDLE_BYTES_MAX + 1];
        assert_eq!(SealedBundle::from_bytes(&long), Err(EnvelopeError::TooLong { bytes: long.len() }));
    }
}
