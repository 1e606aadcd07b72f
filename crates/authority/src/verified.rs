//! A claim becomes a [`VerifiedChange`]: what the bytes alone can tell is checked here; whether the
//! author may write there is the gate's to say.

use rukun_change::limits::SEEN_MAX;
use rukun_change::{Body, BodyError, Change, ChangeId, Signature, SignedChange, SurveyId};

use crate::keypair::{Keypair, verifies};

/// A change whose signature holds and whose body was decoded fully, within limits. Whether its
/// author may write there is not known yet. Checking costs much and needs nothing but the bytes, so
/// it can be done on any thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedChange {
    id: ChangeId,
    signed: SignedChange,
    body: Body,
}

impl VerifiedChange {
    /// Checks signature and body.
    ///
    /// # Errors
    /// [`Refusal`] if either does not hold; that verdict is final.
    pub fn verify(signed: SignedChange, survey: &SurveyId) -> Result<Self, Refusal> {
        Self::verify_unless(signed, survey, |_, _| false)
    }

    /// Checks the body, and the signature unless it is known to hold for this id.
    pub(crate) fn verify_unless(
        signed: SignedChange,
        survey: &SurveyId,
        known: impl FnOnce(&ChangeId, &Signature) -> bool,
    ) -> Result<Self, Refusal> {
        let message = signed.change.to_be_signed(survey)?;
        let id = ChangeId::of(&message);
        let holds = known(&id, &signed.signature)
            || verifies(&signed.change.author.device, &message, &signed.signature);
        if !holds && !cfg!(planted = "signature-unchecked") {
            return Err(Refusal::Signature);
        }
        Self::checked(id, signed)
    }

    /// The id, which the signature covers.
    pub fn id(&self) -> ChangeId {
        self.id
    }

    /// The change with its signature, as it travels.
    pub fn signed(&self) -> &SignedChange {
        &self.signed
    }

    /// The change.
    pub fn change(&self) -> &Change {
        &self.signed.change
    }

    /// Its decoded Automerge change.
    pub fn body(&self) -> &Body {
        &self.body
    }

    pub(crate) fn checked(id: ChangeId, signed: SignedChange) -> Result<Self, Refusal> {
        let body = Body::decode(&signed.change.body)?;
        let change = &signed.change;
        if body.actor != change.author.actor() && !cfg!(planted = "actor-unchecked") {
            return Err(Refusal::Actor);
        }
        if !change.ink.names_seen() && !change.seen.is_empty() {
            return Err(Refusal::Seen);
        }
        if change.seen.len() > SEEN_MAX {
            return Err(Refusal::TooManySeen { heads: change.seen.len() });
        }
        if !change.seen.is_sorted_by(|before, after| before < after) {
            return Err(Refusal::SeenOutOfOrder);
        }
        if change.n == 0 {
            return Err(Refusal::Number);
        }
        Ok(Self { id, signed, body })
    }
}

/// Signs a change. The claim that comes out goes through the gate like everyone else's.
///
/// # Errors
/// If the change's body is no Automerge change chunk.
///
/// # Panics
/// If the change names another device than the key's.
pub fn sign(keypair: &Keypair, change: Change, survey: &SurveyId) -> Result<SignedChange, BodyError> {
    assert_eq!(change.author.device, keypair.key(), "a device signs its own changes only");
    let signature = keypair.sign(&change.to_be_signed(survey)?);
    Ok(SignedChange { change, signature })
}

/// Why a claim can never be admitted: its author's fault, or that of whoever forged it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not the author's signature, or made for another survey.
    #[error("signature does not hold for this device and survey")]
    Signature,
    /// The Automerge change is malformed, over a limit or outside the document shape.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The Automerge actor is not the author's.
    #[error("actor does not belong to the author")]
    Actor,
    /// An ink that names no heads seen.
    #[error("names heads it saw in an ink that never does")]
    Seen,
    /// More heads seen than a change can name.
    #[error("names {heads} heads it saw where at most {SEEN_MAX} are allowed")]
    TooManySeen {
        /// How many.
        heads: usize,
    },
    /// Heads seen that are not ascending.
    #[error("names the heads it saw out of order or twice")]
    SeenOutOfOrder,
    /// Numbers start at 1.
    #[error("carries the number 0")]
    Number,
}
