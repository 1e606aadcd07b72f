//! The relay's end: what a device asks, in its session, becomes a grant, the same answer once more, or
//! a refusal that tells a stranger nothing. What is granted is signed and kept elsewhere.

use std::net::IpAddr;

use rukun_change::{Moment, StatementId, SurveyId};
use rukun_wire::{EnrolAnswer, EnrolAsk, EnrolRefusal};

use crate::invitation::{Fate, Invitation, InvitationState};
use crate::proof::{End, ProofKey, Session};
use crate::tries::Tries;

/// What becomes of a device that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Grant it what its invitation says, and keep that this device used it.
    Grant(Box<Invitation>),
    /// This device used its invitation before: tell it again what it was granted.
    Again(Box<Invitation>, StatementId),
    /// Answer this, and grant nothing.
    Refuse(EnrolAnswer),
}

/// Judges what a device asks, `from` this address, about the invitation that it names, if there is one.
/// Only who proves to know the code learns what became of it.
pub fn judge(
    tries: &mut Tries,
    now: Moment,
    from: IpAddr,
    session: &Session,
    ask: &EnrolAsk,
    held: Option<Invitation>,
) -> Judgement {
    if let Some(until_ms) = tries.refused_until(now.steady_ms, from) {
        let left_ms = until_ms.saturating_sub(now.steady_ms) as i64;
        let at_ms = now.wall_ms.saturating_add(left_ms);
        return Judgement::Refuse(stranger(EnrolRefusal::Guessed { until_ms: at_ms }));
    }
    let known = held.filter(|held| held.proof_key.proves(End::Device, session, &ask.proof));
    let Some(invitation) = known else {
        tries.wrong(now.steady_ms, from);
        return Judgement::Refuse(stranger(EnrolRefusal::Unknown));
    };
    let key = invitation.proof_key.clone();
    let refuse = |refusal| Judgement::Refuse(refused(&key, session, refusal));
    match (invitation.fate, invitation.state(now.wall_ms)) {
        (Fate::Used { device, grant, .. }, _) if device == session.device => {
            Judgement::Again(Box::new(invitation), grant)
        }
        (Fate::Used { at_ms, .. }, _) => refuse(EnrolRefusal::Used { at_ms }),
        (Fate::Withdrawn { at_ms }, _) => refuse(EnrolRefusal::Withdrawn { at_ms }),
        (Fate::Open, InvitationState::Open) => Judgement::Grant(Box::new(invitation)),
        (Fate::Open, _) => refuse(EnrolRefusal::Expired { at_ms: invitation.expires_ms }),
    }
}

/// The answer to a device that was granted something: the survey, and the statements from its charter
/// down to the device's grant.
pub fn granted(key: &ProofKey, session: &Session, survey: SurveyId, statements: Vec<Vec<u8>>) -> EnrolAnswer {
    EnrolAnswer::Granted { proof: key.proof(End::Relay, session), survey, statements }
}

/// The answer to a device that knows the code and is granted nothing.
pub fn refused(key: &ProofKey, session: &Session, refusal: EnrolRefusal) -> EnrolAnswer {
    EnrolAnswer::Refused { proof: Some(key.proof(End::Relay, session)), refusal }
}

fn stranger(refusal: EnrolRefusal) -> EnrolAnswer {
    EnrolAnswer::Refused { proof: None, refusal }
}
