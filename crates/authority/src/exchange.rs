//! A device's key becomes one that work is sealed to: the same point on the curve's other form (RFC 7748, section 4.1),
//! so that whoever was granted anything can be sealed to, and no grant needs to name a second key. Signing with
//! Ed25519 and agreeing on keys with X25519 may use one key: Thormarker, "On using the same key pair for Ed25519 and an
//! X25519 based KEM", 2021.

use ed25519_dalek::VerifyingKey;
use rukun_change::DeviceKey;
use zeroize::Zeroizing;

use crate::keypair::Keypair;

impl Keypair {
    /// The secret half for X25519.
    pub fn exchange_secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.signing_key().to_scalar_bytes())
    }
}

/// The public half for X25519 of a device's key; nothing if that is no key, or one whose secrets everybody knows.
pub fn exchange_key(device: &DeviceKey) -> Option<[u8; 32]> {
    let key = VerifyingKey::from_bytes(device.as_bytes()).ok()?;
    (!key.is_weak()).then(|| key.to_montgomery().to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 1; its X25519 half as libsodium's `crypto_sign_ed25519_pk_to_curve25519` gives it.
    #[test]
    fn a_key_of_the_standard_becomes_what_others_make_of_it() {
        let bytes = |hex: &str| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap();
        let pair =
            Keypair::from_seed(&bytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
        let exchange = exchange_key(&pair.key()).unwrap();
        assert_eq!(exchange, bytes("d85e07ec22b0ad881537c2f44d662d1a143cf830c57aca4305d85c7a90f6b62e"));
    }

    #[test]
    fn a_key_of_small_order_is_none() {
        let mut one = [0; 32];
        one[0] = 1;
        assert_eq!(exchange_key(&DeviceKey::from_bytes(one)), None);
        assert_eq!(exchange_key(&DeviceKey::from_bytes([0; 32])), None);
    }
}
