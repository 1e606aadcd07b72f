//! Frames become sealed parts, and sealed parts frames again: HPKE (RFC 9180) in its authenticated mode, with
//! DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305, between the two devices' own keys. Each part is
//! a frame; an empty one at the end says that nothing is missing.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::{Kem, X25519HkdfSha256};
use hpke::{Deserializable, OpModeR, OpModeS, Serializable, setup_receiver, setup_sender_with_rng};
use rand_chacha::ChaCha20Rng;
use rukun_authority::{Keypair, exchange_key};
use rukun_change::{DeviceKey, SurveyId};

use crate::envelope::{MAGIC, SealedBundle};

type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type Encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey;

/// What is told of each part beside its bytes.
const MORE: &[u8] = &[0];
const LAST: &[u8] = &[1];

/// A bundle that was opened: the sender made it, for this device, in this survey, and all of it is here.
#[derive(Debug, PartialEq, Eq)]
pub struct OpenedBundle {
    sender: DeviceKey,
    frames: Vec<Vec<u8>>,
}

impl OpenedBundle {
    /// Who made it.
    pub fn sender(&self) -> &DeviceKey {
        &self.sender
    }

    /// The frames, in order.
    pub fn frames(&self) -> &[Vec<u8>] {
        &self.frames
    }
}

/// Seals frames to a device.
///
/// # Errors
/// If nothing can be sealed to its key.
pub fn seal(
    keypair: &Keypair,
    survey: &SurveyId,
    recipient: &DeviceKey,
    frames: &[Vec<u8>],
    entropy: &mut ChaCha20Rng,
) -> Result<SealedBundle, SealError> {
    let sender = keypair.key();
    let failed = || SealError { recipient: *recipient };
    let to = public(recipient).ok_or_else(failed)?;
    let own = private(keypair).zip(public(&sender)).ok_or_else(failed)?;
    let (mode, info) = (OpModeS::Auth(own), info(survey, &sender, recipient));
    let (encapsulated, mut context) =
        setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(&mode, &to, &info, entropy)
            .map_err(|_| failed())?;
    let ends = std::iter::once((&[][..], LAST));
    let parts = frames.iter().map(|frame| (frame.as_slice(), MORE)).chain(ends);
    let parts = parts.map(|(frame, told)| context.seal(frame, told));
    let parts = parts.collect::<Result<Vec<_>, _>>().map_err(|_| failed())?;
    let mut half = [0; 32];
    encapsulated.write_exact(&mut half);
    Ok(SealedBundle { recipient: *recipient, sender, encapsulated: half, parts })
}

impl SealedBundle {
    /// Opens it with the key of the device that it is for.
    ///
    /// # Errors
    /// If it is for another, or not from whom it says it is, or anything in it was changed or left out.
    pub fn open(&self, keypair: &Keypair, survey: &SurveyId) -> Result<OpenedBundle, OpenError> {
        if self.recipient != keypair.key() {
            return Err(OpenError::ForAnother { recipient: self.recipient });
        }
        let from = public(&self.sender).ok_or(OpenError::NotWhole)?;
        let (own, half) = (private(keypair), Encapsulated::from_bytes(&self.encapsulated).ok());
        let (own, half) = own.zip(half).ok_or(OpenError::NotWhole)?;
        let info = info(survey, &self.sender, &self.recipient);
        let mut context = setup_receiver::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Auth(from),
            &own,
            &half,
            &info,
        )
        .map_err(|_| OpenError::NotWhole)?;
        let (end, parts) = self.parts.split_last().ok_or(OpenError::NotWhole)?;
        let frames = parts.iter().map(|part| context.open(part, MORE));
        let frames = frames.collect::<Result<Vec<_>, _>>().map_err(|_| OpenError::NotWhole)?;
        context.open(end, LAST).map_err(|_| OpenError::NotWhole)?;
        Ok(OpenedBundle { sender: self.sender, frames })
    }
}

/// What both ends must agree on. The survey's id stands in no bundle, for whoever carries it need not know it.
fn info(survey: &SurveyId, sender: &DeviceKey, recipient: &DeviceKey) -> Vec<u8> {
    [MAGIC.as_slice(), survey.as_bytes(), sender.as_bytes(), recipient.as_bytes()].concat()
}

fn public(device: &DeviceKey) -> Option<PublicKey> {
    PublicKey::from_bytes(&exchange_key(device)?).ok()
}

fn private(keypair: &Keypair) -> Option<PrivateKey> {
    PrivateKey::from_bytes(keypair.exchange_secret().as_slice()).ok()
}

/// Nothing can be sealed to a device whose key is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing can be sealed to {recipient}: that is no device's key")]
pub struct SealError {
    /// The device.
    pub recipient: DeviceKey,
}

/// Why a bundle can't be opened here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is sealed to another device.
    #[error("it is for device {recipient}, and only that can open it")]
    ForAnother {
        /// That device.
        recipient: DeviceKey,
    },
    /// It does not open.
    #[error(
        "it was changed or cut off on the way, or is of another survey, or is not from the device it names"
    )]
    NotWhole,
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    const SURVEY: SurveyId = SurveyId::from_bytes([7; 32]);

    const GOLDEN: &str = "72756b756e2062756e646c6520310a8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b3948a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5cf831760add06883b0f2ccb1d19473dc2c203c2320126dd593e06d8acaca84f2100000013867a6aafb4e8642f9a8f72519caab2d257fa8900000010aef230d87b1bf3760e323a86c304ffc3";

    fn pair(seed: u8) -> Keypair {
        Keypair::from_seed(&[seed; 32])
    }

    fn sealed(frames: &[Vec<u8>]) -> SealedBundle {
        let mut entropy = ChaCha20Rng::from_seed([5; 32]);
        seal(&pair(1), &SURVEY, &pair(2).key(), frames, &mut entropy).unwrap()
    }

    fn frames() -> Vec<Vec<u8>> {
        vec![b"one".to_vec(), Vec::new(), vec![4; 70_000]]
    }

    #[test]
    fn a_bundle_is_spelt_as_it_was_in_version_1() {
        let bytes = sealed(&[b"one".to_vec()]).to_bytes().unwrap();
        assert_eq!(HEXLOWER.encode(&bytes), GOLDEN);
        let formats = include_str!("../../../docs/formats.md").replace('\n', "");
        assert!(formats.contains(GOLDEN), "docs/formats.md spells it otherwise");
    }

    #[test]
    fn who_it_is_for_opens_it_and_nobody_else() {
        let bundle = sealed(&frames());
        let opened = bundle.open(&pair(2), &SURVEY).unwrap();
        assert_eq!((opened.sender(), opened.frames()), (&pair(1).key(), frames().as_slice()));
        for other in [1, 3] {
            let recipient = pair(2).key();
            assert_eq!(bundle.open(&pair(other), &SURVEY), Err(OpenError::ForAnother { recipient }));
            let claimed = SealedBundle { recipient: pair(other).key(), ..bundle.clone() };
            assert_eq!(claimed.open(&pair(other), &SURVEY), Err(OpenError::NotWhole));
        }
        assert_eq!(bundle.open(&pair(2), &SurveyId::from_bytes([8; 32])), Err(OpenError::NotWhole));
    }

    #[test]
    fn nobody_makes_one_in_anothers_name() {
        let mut bundle = sealed(&frames());
        bundle.sender = pair(3).key();
        assert_eq!(bundle.open(&pair(2), &SURVEY), Err(OpenError::NotWhole));
    }

    #[test]
    fn a_part_that_is_left_out_moved_or_added_is_noticed() {
        let bundle = sealed(&frames());
        let without = |at: usize| {
            let mut bundle = bundle.clone();
            bundle.parts.remove(at);
            bundle
        };
        let mut swapped = bundle.clone();
        swapped.parts.swap(0, 1);
        let mut longer = bundle.clone();
        longer.parts.push(longer.parts[3].clone());
        let mut empty = bundle.clone();
        empty.parts.clear();
        for changed in [without(0), without(1), without(2), without(3), swapped, longer, empty] {
            assert_eq!(changed.open(&pair(2), &SURVEY), Err(OpenError::NotWhole));
        }
    }

    #[test]
    fn no_changed_byte_goes_unnoticed_and_no_frame_shows() {
        let whole = sealed(&[b"Siti Aminah, 1811044112700003".to_vec()]);
        let bytes = whole.to_bytes().unwrap();
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!holds(b"Siti") && !holds(b"1811044112700003") && !holds(SURVEY.as_bytes()));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let opened = SealedBundle::from_bytes(&changed).map(|bundle| bundle.open(&pair(2), &SURVEY));
            assert!(!matches!(opened, Ok(Ok(_))), "byte {at}");
        }
    }

    #[test]
    fn nothing_is_sealed_to_a_key_that_everybody_has() {
        let mut entropy = ChaCha20Rng::from_seed([5; 32]);
        let mut one = [0; 32];
        one[0] = 1;
        for recipient in [[0; 32], one].map(DeviceKey::from_bytes) {
            assert!(seal(&pair(1), &SURVEY, &recipient, &[], &mut entropy).is_err());
        }
    }
}
