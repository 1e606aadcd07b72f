//! The device's end: a code becomes what is asked, and the answer a grant path, once whoever answered
//! has proved to know the code too. Whether the grant path holds is checked against the survey, elsewhere.

use rukun_change::SurveyId;
use rukun_wire::{EnrolAnswer, EnrolAsk, EnrolRefusal};

use crate::code::Code;
use crate::proof::{End, Session};

/// What a relay gave to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// The survey.
    pub survey: SurveyId,
    /// Statements from its charter down to the device's grant.
    pub statements: Vec<Vec<u8>>,
}

/// What a device asks that was given this code, and that is in a survey already or not.
pub fn ask(code: &Code, session: &Session, survey: Option<SurveyId>) -> EnrolAsk {
    let proof = code.proof_key().proof(End::Device, session);
    EnrolAsk { invitation: code.invitation(), proof, survey }
}

/// Believes an answer, or says why nothing came of it.
///
/// # Errors
/// If the relay refuses, or whoever answers does not prove to know the code.
pub fn believe(code: &Code, session: &Session, answer: EnrolAnswer) -> Result<Enrolled, EnrolError> {
    let key = code.proof_key();
    let proved = |proof: &[u8; 32]| key.proves(End::Relay, session, proof);
    match answer {
        EnrolAnswer::Granted { proof, survey, statements } if proved(&proof) => {
            Ok(Enrolled { survey, statements })
        }
        EnrolAnswer::Refused { proof: None, refusal } if refusal.is_for_strangers() => {
            Err(EnrolError::Refused(refusal))
        }
        EnrolAnswer::Refused { proof: Some(proof), refusal } if proved(&proof) => {
            Err(EnrolError::Refused(refusal))
        }
        EnrolAnswer::Granted { .. } | EnrolAnswer::Refused { .. } => Err(EnrolError::Impostor),
    }
}

/// Why a device was not enrolled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnrolError {
    /// Who answers does not know the code, so it is not the office that printed it.
    #[error("whoever answers there does not know this code, so it is not the office that printed it")]
    Impostor,
    /// The relay refuses.
    #[error(transparent)]
    Refused(EnrolRefusal),
}
