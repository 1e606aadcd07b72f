//! Proofs: what follows from a code and the secret of one TLS session become 32 bytes that only who
//! knows the code can make, and that say nothing in another session, at the other end, or between
//! other devices.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use rukun_change::DeviceKey;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The two ends of an enrolment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The device that wants to be enrolled.
    Device,
    /// The node that has the invitation.
    Relay,
}

/// A TLS session between two devices that have proved their keys to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What both ends, and nobody else, export from the session.
    pub exported: [u8; 32],
    /// The device that dialed.
    pub device: DeviceKey,
    /// The node that it reached.
    pub relay: DeviceKey,
}

impl Session {
    /// The label under which both ends export.
    pub const LABEL: &'static [u8] = b"EXPORTER-rukun-enrolment-1";
}

/// What proves that one knows a code. Its memory is wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct ProofKey(Zeroizing<[u8; 32]>);

impl ProofKey {
    /// From its bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its bytes. A secret.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What this end says to prove that it knows the code.
    pub fn proof(&self, end: End, session: &Session) -> [u8; 32] {
        self.mac(end, session).finalize().into_bytes().into()
    }

    /// Whether that is what this end would say. Takes as long whatever it is.
    pub fn proves(&self, end: End, session: &Session, proof: &[u8; 32]) -> bool {
        self.mac(end, session).verify_slice(proof).is_ok()
    }

    fn mac(&self, end: End, session: &Session) -> Hmac<Sha256> {
        let says: &[u8] = match end {
            End::Device => b"rukun enrolment 1 device",
            End::Relay => b"rukun enrolment 1 relay",
        };
        let mut mac = Hmac::new_from_slice(&*self.0).expect("HMAC takes a key of any length");
        for part in [says, &session.exported, session.device.as_bytes(), session.relay.as_bytes()] {
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofKey(..)")
    }
}

/// Bytes that follow from a secret, for one purpose.
pub(crate) fn derived<const N: usize>(secret: &[u8], purpose: &str) -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0; N]);
    let info = format!("rukun enrolment 1 {purpose}");
    let expanded = Hkdf::<Sha256>::new(None, secret).expand(info.as_bytes(), &mut *bytes);
    expanded.expect("HKDF-SHA256 gives as much");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    fn session(exported: u8, device: u8, relay: u8) -> Session {
        let key = |byte| DeviceKey::from_bytes([byte; 32]);
        Session { exported: [exported; 32], device: key(device), relay: key(relay) }
    }

    #[test]
    fn a_proof_holds_for_its_code_its_end_its_session_and_its_devices() {
        let (here, code) = (session(1, 2, 3), Code::from_random(&[5; 20]).proof_key());
        let proof = code.proof(End::Device, &here);
        assert!(code.proves(End::Device, &here, &proof));
        assert!(!code.proves(End::Relay, &here, &proof), "sent back");
        assert!(!Code::from_random(&[6; 20]).proof_key().proves(End::Device, &here, &proof));
        for other in [session(9, 2, 3), session(1, 9, 3), session(1, 2, 9), session(1, 3, 2)] {
            assert!(!code.proves(End::Device, &other, &proof), "carried into {other:?}");
        }
        for at in 0..32 {
            let mut changed = proof;
            changed[at] ^= 1;
            assert!(!code.proves(End::Device, &here, &changed));
        }
    }

    /// By Python's hmac, from the golden key of `code`.
    #[test]
    fn golden_bytes_of_both_proofs() {
        let key = Code::from_random(&[0; 20]).proof_key();
        let start = |end| key.proof(end, &session(1, 2, 3))[..4].to_vec();
        assert_eq!(start(End::Device), [0x52, 0x2c, 0x8b, 0x6b]);
        assert_eq!(start(End::Relay), [0xc3, 0x0f, 0x82, 0xf7]);
    }
}
