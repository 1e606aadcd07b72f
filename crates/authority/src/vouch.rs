//! A device vouches for a whole file that it gives out: the file's payload becomes one signature over
//! all of it, so that nothing can be taken out or added afterwards. What the file holds is
//! `evidence`'s to say.

use rukun_change::cose::sig_structure;
use rukun_change::{DeviceKey, Signature, SurveyId};

use crate::keypair::{Keypair, verifies};

/// The type tag of evidence.
pub const EVIDENCE_TYPE: &str = "application/rukun-evidence; v=1";

/// The device's signature over all of this evidence, made for this survey.
pub fn vouch(keypair: &Keypair, survey: &SurveyId, payload: &[u8]) -> Signature {
    keypair.sign(&sig_structure(EVIDENCE_TYPE, survey.as_bytes(), payload))
}

/// Whether the device vouched for this evidence in this survey.
pub fn vouches(device: &DeviceKey, survey: &SurveyId, payload: &[u8], signature: &Signature) -> bool {
    verifies(device, &sig_structure(EVIDENCE_TYPE, survey.as_bytes(), payload), signature)
}
