//! What is in a bundle, before any of it is believed: whether its sender was granted anything, and whether it is made of
//! messages, no more of them than somebody honest puts into so many bytes. A few bytes can claim to be gigabytes: frames
//! are unpacked one after the other, and none is kept.

use rukun_authority::{Statement, Trust, VerifiedStatement};
use rukun_bundle::OpenedBundle;
use rukun_change::{DeviceKey, SurveyId};
use rukun_wire::{Body, Message};

use crate::bundle::BundleError;
use crate::greet::ungranted;
use crate::replica::Replica;

/// How many bytes may become of each byte of a bundle: a change has a signature and hashes, which nothing makes shorter.
const UNPACKED_BYTES_PER_BYTE_MAX: usize = 64;
/// How many may become of any, however short it is: some frames that say the same all through.
const UNPACKED_BYTES_MIN: usize = 64 * 1024 * 1024;
/// How many bytes of a bundle there are at least for each change and statement in it: a signature has 64, and beside each
/// change that is left of an erased one the erasure may go again.
const SIGNED_BYTES_MIN: usize = 32;

impl Replica {
    /// Looks through a bundle of so many bytes.
    pub(crate) fn look_through(
        &self,
        survey: &SurveyId,
        bytes: usize,
        opened: &OpenedBundle,
    ) -> Result<(), BundleError> {
        let (sender, frames) = (*opened.sender(), opened.frames());
        if !self.is_granted(survey, &sender, frames.first()) {
            return Err(BundleError::Refused { sender, why: ungranted(&sender) });
        }
        weigh(bytes, frames).map_err(|fault| BundleError::Malformed { sender, fault })
    }

    /// Whether a device was ever granted anything, as far as is known here or the chain in its greeting shows.
    fn is_granted(&self, survey: &SurveyId, sender: &DeviceKey, greeting: Option<&Vec<u8>>) -> bool {
        let is_granted =
            |trust: &Option<Trust>| trust.as_ref().is_some_and(|trust| trust.ever_granted(sender));
        if is_granted(&self.trust) {
            return true;
        }
        let Some(Ok(Message::Hello(hello))) = greeting.map(|bytes| Message::decode(bytes)) else {
            return false;
        };
        let mut trust = self.trust.clone();
        for bytes in &hello.chain {
            let Ok(statement) = Statement::from_bytes(bytes) else { return false };
            match &mut trust {
                None => trust = Trust::found(&statement).ok().filter(|trust| trust.survey() == survey),
                Some(trust) => {
                    if let Ok(verified) = VerifiedStatement::verify(statement, survey) {
                        trust.judge_verified(&verified);
                    }
                }
            }
        }
        is_granted(&trust)
    }
}

/// Gives what is wrong with these frames of a bundle of so many bytes, if anything.
fn weigh(bytes: usize, frames: &[Vec<u8>]) -> Result<(), String> {
    let unpacked_max = UNPACKED_BYTES_MIN + bytes * UNPACKED_BYTES_PER_BYTE_MAX;
    let signed_max = bytes / SIGNED_BYTES_MIN;
    let (mut unpacked, mut signed) = (0, 0);
    for frame in frames {
        let body = Body::alone(frame).map_err(|fault| fault.to_string())?;
        unpacked += body.unpacked_bytes();
        if unpacked > unpacked_max {
            return Err(format!("its {bytes} bytes unpack to more than {unpacked_max}"));
        }
        signed += match Message::of(&body).map_err(|fault| fault.to_string())? {
            Message::Changes(changes) => changes.items.len(),
            Message::Stubs(stubs) => stubs.items.len(),
            Message::Statements { items, .. } => items.len(),
            _ => 0,
        };
        if signed > signed_max {
            return Err(format!("it has more than {signed_max} changes and statements in {bytes} bytes"));
        }
    }
    Ok(())
}
