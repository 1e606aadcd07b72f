//! What a device without a grant and a relay say to each other, once each way, on a connection of its
//! own: a whole stream is one message, in deterministic CBOR. Which proof holds is `enrolment`'s.

use std::fmt;

use rukun_change::cbor::{CborError, Reader, Writer};
use rukun_change::{InvitationId, SurveyId};

use crate::limits::{ENROL_ANSWER_BYTES_MAX, ENROL_ASK_BYTES_MAX, ENROL_STATEMENTS_MAX};
use crate::rows::{read_strings, write_strings};

/// What a device asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolAsk {
    /// The invitation of its code.
    pub invitation: InvitationId,
    /// That it knows the code, in this session.
    pub proof: [u8; 32],
    /// The survey that it takes part in already: it can be enrolled into no other.
    pub survey: Option<SurveyId>,
}

/// What a relay answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnrolAnswer {
    /// The device is enrolled.
    Granted {
        /// That the relay knows the code, in this session.
        proof: [u8; 32],
        /// The survey.
        survey: SurveyId,
        /// Signed statements, opaque here: the charter and the grants down to the device's.
        statements: Vec<Vec<u8>>,
    },
    /// It is not.
    Refused {
        /// That the relay knows the code, if the device does.
        proof: Option<[u8; 32]>,
        /// Why.
        refusal: EnrolRefusal,
    },
}

/// Why a device is not enrolled. Times are by the relay's clock, milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrolRefusal {
    /// No invitation has this code, as far as a stranger is told.
    Unknown,
    /// Too many wrong codes came from the device's address.
    Guessed {
        /// Until when it is refused.
        until_ms: i64,
    },
    /// Another device used the code.
    Used {
        /// When.
        at_ms: i64,
    },
    /// The time to use it is over.
    Expired {
        /// Since when.
        at_ms: i64,
    },
    /// The office took it back.
    Withdrawn {
        /// When.
        at_ms: i64,
    },
    /// The relay's own grant no longer covers what the invitation says, or the device is one that stays out.
    NotGranted,
    /// The device takes part in another survey.
    OtherSurvey,
    /// The device has another role or other places by the relay's grant, which the new one would replace.
    HasOther,
}

impl EnrolAsk {
    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.array(3).bytes(self.invitation.as_bytes()).bytes(&self.proof);
        match &self.survey {
            Some(survey) => out.bytes(survey.as_bytes()),
            None => out.null(),
        };
        out.finish()
    }

    /// The message in a whole stream.
    ///
    /// # Errors
    /// If it is not the one spelling of one.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        check_length(bytes, ENROL_ASK_BYTES_MAX)?;
        let mut reader = Reader::new(bytes);
        reader.tuple(3)?;
        let invitation = InvitationId::from_bytes(reader.array_of()?);
        let proof = reader.array_of()?;
        let survey = if reader.null() { None } else { Some(SurveyId::from_bytes(reader.array_of()?)) };
        reader.end()?;
        Ok(Self { invitation, proof, survey })
    }
}

impl EnrolAnswer {
    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        match self {
            Self::Granted { proof, survey, statements } => {
                write_strings(out.array(4).uint(0).bytes(proof).bytes(survey.as_bytes()), statements);
            }
            Self::Refused { proof, refusal } => {
                let (kind, at_ms) = refusal.spelled();
                out.array(3).uint(kind);
                match proof {
                    Some(proof) => out.bytes(proof),
                    None => out.null(),
                };
                out.int(at_ms);
            }
        }
        out.finish()
    }

    /// The message in a whole stream.
    ///
    /// # Errors
    /// If it is not the one spelling of one within its limits.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        check_length(bytes, ENROL_ANSWER_BYTES_MAX)?;
        let mut reader = Reader::new(bytes);
        let items = reader.array(4)?;
        let answer = match (reader.uint()?, items) {
            (0, 4) => Self::Granted {
                proof: reader.array_of()?,
                survey: SurveyId::from_bytes(reader.array_of()?),
                statements: read_strings(&mut reader, ENROL_STATEMENTS_MAX, ENROL_ANSWER_BYTES_MAX)?,
            },
            (kind, 3) => {
                let proof = if reader.null() { None } else { Some(reader.array_of()?) };
                let refusal = EnrolRefusal::of(kind, reader.int()?);
                Self::Refused { proof, refusal: refusal.ok_or(CborError::Unexpected("a known refusal"))? }
            }
            _ => return Err(CborError::Unexpected("an answer to a device that wants to be enrolled")),
        };
        reader.end()?;
        Ok(answer)
    }
}

impl EnrolRefusal {
    /// Whether who does not know the code hears it too.
    pub fn is_for_strangers(self) -> bool {
        matches!(self, Self::Unknown | Self::Guessed { .. })
    }

    fn spelled(self) -> (u64, i64) {
        match self {
            Self::Unknown => (1, 0),
            Self::Guessed { until_ms } => (2, until_ms),
            Self::Used { at_ms } => (3, at_ms),
            Self::Expired { at_ms } => (4, at_ms),
            Self::Withdrawn { at_ms } => (5, at_ms),
            Self::NotGranted => (6, 0),
            Self::OtherSurvey => (7, 0),
            Self::HasOther => (8, 0),
        }
    }

    fn of(kind: u64, at_ms: i64) -> Option<Self> {
        match (kind, at_ms) {
            (1, 0) => Some(Self::Unknown),
            (2, until_ms) => Some(Self::Guessed { until_ms }),
            (3, at_ms) => Some(Self::Used { at_ms }),
            (4, at_ms) => Some(Self::Expired { at_ms }),
            (5, at_ms) => Some(Self::Withdrawn { at_ms }),
            (6, 0) => Some(Self::NotGranted),
            (7, 0) => Some(Self::OtherSurvey),
            (8, 0) => Some(Self::HasOther),
            _ => None,
        }
    }
}

impl fmt::Display for EnrolRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no invitation has this code",
            Self::Guessed { .. } => "too many wrong codes came from this address",
            Self::Used { .. } => "another device has used this code",
            Self::Expired { .. } => "the time to use this code is over",
            Self::Withdrawn { .. } => "the office has taken this code back",
            Self::NotGranted => "the office can't grant this device what the code is for",
            Self::OtherSurvey => "this device takes part in another survey already",
            Self::HasOther => {
                "this device has another role or other places here, which this code would take from it"
            }
        })
    }
}

impl std::error::Error for EnrolRefusal {}

fn check_length(bytes: &[u8], max: usize) -> Result<(), CborError> {
    if bytes.len() > max { Err(CborError::TooMany { items: bytes.len(), max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_one_spelling() {
        for kind in 0..10 {
            for at_ms in [0, 1, -1] {
                let bytes = Writer::new().array(3).uint(kind).null().int(at_ms).finish();
                if let Ok(read) = EnrolAnswer::decode(&bytes) {
                    assert_eq!(read.encode(), bytes);
                }
            }
        }
        let proved = Writer::new().array(3).uint(9).null().int(0).finish();
        assert!(EnrolAnswer::decode(&proved).is_err());
    }

    #[test]
    fn what_is_longer_than_it_may_be_is_refused_before_it_is_read() {
        let statements = vec![vec![0; ENROL_ANSWER_BYTES_MAX / 2]; 2];
        let answer =
            EnrolAnswer::Granted { proof: [1; 32], survey: SurveyId::from_bytes([2; 32]), statements };
        assert!(matches!(EnrolAnswer::decode(&answer.encode()), Err(CborError::TooMany { .. })));
        let many = EnrolAnswer::Granted {
            proof: [1; 32],
            survey: SurveyId::from_bytes([2; 32]),
            statements: vec![Vec::new(); ENROL_STATEMENTS_MAX + 1],
        };
        assert!(matches!(EnrolAnswer::decode(&many.encode()), Err(CborError::TooMany { .. })));
        assert!(EnrolAsk::decode(&[0; ENROL_ASK_BYTES_MAX + 1]).is_err());
    }
}
