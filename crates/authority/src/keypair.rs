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
