//! An id becomes eight bytes by which a sketch names it, under a key that strangers don't have. Who has
//! the key can look for two ids of one short form; another salt tells them apart again.

use std::fmt;
use std::hash::Hasher;

use siphasher::sip::SipHasher24;

/// The key of the short forms of ids.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SketchKey([u8; 16]);

/// An id's short form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Short(pub u64);

impl SketchKey {
    /// The key of these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The short form of an id.
    pub fn short(&self, id: &[u8; 32]) -> Short {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(id);
        Short(hasher.finish())
    }

    /// By this a symbol that holds one id alone is told from one that holds several.
    pub(super) fn check(&self, short: Short) -> u32 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&short.0.to_be_bytes());
        (hasher.finish() >> 32) as u32
    }
}

impl fmt::Debug for SketchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SketchKey")
    }
}
