//! An id becomes eight bytes by which a sketch names it, under a key that only who is in the survey has.
//! Who has it can look for two ids of one short form; another salt tells them apart again.

use std::fmt;
use std::hash::Hasher;

use rukun_change::{Digest, SurveyId};
use rukun_wire::Short;
use siphasher::sip::SipHasher24;

const CONTEXT: &[u8] = b"rukun sketch";
const KEY_BYTES: usize = 16;

/// The key of the short forms of ids.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SketchKey([u8; KEY_BYTES]);

impl SketchKey {
    /// The key of a survey under a salt.
    pub fn new(survey: &SurveyId, salt: u64) -> Self {
        let digest = Digest::of(&[CONTEXT, survey.as_bytes(), &salt.to_be_bytes()].concat());
        Self(*digest.as_bytes().first_chunk().expect("a digest is longer than a key"))
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
