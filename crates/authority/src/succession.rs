//! A key follows another: the new one's consent becomes part of the old one's word. What the old one
//! made stays its own.

use rukun_change::cose::sig_structure;
use rukun_change::{DeviceKey, StatementId, SurveyId};

use crate::keypair::{Keypair, verifies};
use crate::said::Succession;

/// The type tag of a consent: what else is signed with the same key has another.
const CONSENT_TYPE: &str = "application/rukun-succession; v=1";

impl Succession {
    /// A key's consent to follow `old`, in the grant that `parent` is.
    pub fn consented(parent: StatementId, successor: &Keypair, old: &DeviceKey, survey: &SurveyId) -> Self {
        let consent = successor.sign(&message(old, survey));
        Self { parent, successor: successor.key(), consent }
    }

    /// Whether the successor consented to follow `old` in this survey.
    pub fn is_consented(&self, old: &DeviceKey, survey: &SurveyId) -> bool {
        verifies(&self.successor, &message(old, survey), &self.consent)
    }
}

fn message(old: &DeviceKey, survey: &SurveyId) -> Vec<u8> {
    sig_structure(CONSENT_TYPE, survey.as_bytes(), old.as_bytes())
}
