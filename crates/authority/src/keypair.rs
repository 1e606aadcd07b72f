//! A device's own key: a seed becomes signatures. The seed's home is the store, sealed.

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use rukun_change::{DeviceKey, Signature};

/// The signing key of a device or of a survey's root. Its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Keypair(SigningKey);

impl Keypair {
    /// The key of this seed: 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed. A secret.
    pub fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public half, by which everyone knows this device.
    pub fn key(&self) -> DeviceKey {
        DeviceKey::from_bytes(self.0.verifying_key().to_bytes())
    }

    pub(crate) fn signing_key(&self) -> &SigningKey {
        &self.0
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message).to_bytes()
    }
}

impl std::fmt::Debug for Keypair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keypair({:?})", self.key())
    }
}

/// Whether the signature is this key's over this message. Strict always and never in batches:
/// a batch accepts signatures that single verification refuses, and then replicas disagree.
pub(crate) fn verifies(key: &DeviceKey, message: &[u8], signature: &Signature) -> bool {
    VerifyingKey::from_bytes(key.as_bytes())
        .is_ok_and(|key| key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok())
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::Verifier as _;

    use super::*;

    /// Keys of order 1, 2, 4, 4, 8, 8, 8 and 8, then two that spell the first and the third otherwise.
    const SMALL_ORDER: [&str; 10] = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d33c63339b13802886d53f05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d33c63339b13802886d53f85",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    /// The order of the group, 2^252 + 27742317777372353535851937790883648493, little-endian.
    const L: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

    fn bytes(hex: &str) -> [u8; 32] {
        data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
    }

    #[test]
    fn no_signature_holds_under_a_key_of_small_order() {
        let mut lax = 0;
        for key in SMALL_ORDER.map(bytes) {
            for r in SMALL_ORDER.map(bytes) {
                let signature: [u8; 64] = [r, [0; 32]].concat().try_into().unwrap();
                for message in 0..8_u8 {
                    assert!(!verifies(&DeviceKey::from_bytes(key), &[message], &signature));
                    let signature = ed25519_dalek::Signature::from_bytes(&signature);
                    let ordinary = VerifyingKey::from_bytes(&key);
                    lax += usize::from(ordinary.is_ok_and(|key| key.verify(&[message], &signature).is_ok()));
                }
            }
        }
        assert!(lax > 0, "an ordinary verification takes some of these");
    }

    #[test]
    fn a_signature_has_one_spelling() {
        let keypair = Keypair::from_seed(&[7; 32]);
        let signature = keypair.sign(b"message");
        assert!(verifies(&keypair.key(), b"message", &signature));
        let mut shifted = signature;
        let mut carry = 0;
        for (byte, add) in shifted[32..].iter_mut().zip(bytes(L)) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        assert_eq!(carry, 0);
        assert!(!verifies(&keypair.key(), b"message", &shifted));
        assert!(!verifies(&keypair.key(), b"massage", &signature));
    }

    #[test]
    fn bytes_that_are_no_key_verify_nothing() {
        // No point of the curve has this y.
        let no_point =
            DeviceKey::from_bytes(bytes("0200000000000000000000000000000000000000000000000000000000000000"));
        assert!(!verifies(&no_point, b"message", &[0; 64]));
    }

    #[test]
    fn a_seed_never_shows() {
        let shown = format!("{:?}", Keypair::from_seed(&[7; 32]));
        assert!(!shown.contains("07070707") && !shown.contains("[7, 7"), "{shown}");
    }
}
