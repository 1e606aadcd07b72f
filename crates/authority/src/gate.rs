//! The gate: a [`VerifiedChange`] becomes an [`AdmittedChange`] or waits. The answer never depends on
//! the order of arrival, and admission is final.

use rukun_change::{
    Author, Body, CauseHash, Change, ChangeError, ChangeId, DeviceKey, Ink, SignedChange, SubSls, SurveyId,
};

use crate::trust::Trust;
use crate::verified::{Refusal, VerifiedChange};

/// A change that the gate let in: signed, within limits, by a device that was entitled there, with
/// all its causes present. Made by [`Trust::judge`]
/// alone, or recalled from a store that was given one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmittedChange(VerifiedChange);

impl AdmittedChange {
    /// A change back from a store's sealed log. The seal vouches for the bytes, so the signature
    /// is not checked again. Only `store` calls this.
    ///
    /// # Errors
    /// If the bytes are not what [`SignedChange::to_bytes`] made of an admitted change.
    pub fn recall(bytes: &[u8], survey: &SurveyId) -> Result<Self, RecallError> {
        let signed = SignedChange::from_bytes(bytes)?;
        let message = signed.change.to_be_signed(survey).map_err(Refusal::from)?;
        Ok(Self(VerifiedChange::checked(ChangeId::of(&message), signed)?))
    }

    /// The id, which the signature covers.
    pub fn id(&self) -> ChangeId {
        self.0.id()
    }

    /// The change with its signature, as it travels.
    pub fn signed(&self) -> &SignedChange {
        self.0.signed()
    }

    /// The change.
    pub fn change(&self) -> &Change {
        self.0.change()
    }

    /// Its decoded Automerge change.
    pub fn body(&self) -> &Body {
        self.0.body()
    }
}

impl Trust {
    /// Judges a verified change. `held` tells whether one of these inks of the change's record
    /// holds the cause.
    ///
    /// # Errors
    /// Only what `held` gives.
    pub fn judge<E>(
        &self,
        change: VerifiedChange,
        mut held: impl FnMut(Ink, &CauseHash) -> Result<bool, E>,
    ) -> Result<Verdict, E> {
        let Change { author, record, ink, seen, .. } = change.change();
        let now_only = cfg!(planted = "admission-by-current-grant");
        let covered = if now_only { Self::may_read } else { Self::ever_covered };
        if !covered(self, &author.device, &record.home()) {
            let missing = Missing::Grant { author: *author, home: record.home() };
            return Ok(Verdict::Wait(Box::new(change), missing));
        }
        let mut missing = None;
        for dep in &change.body().deps {
            if !held(*ink, dep)? && !cfg!(planted = "cause-unchecked") {
                missing = Some(*dep);
                break;
            }
        }
        for head in seen {
            let mut found = false;
            for lower in Ink::ALL.into_iter().filter(|lower| lower < ink) {
                found = found || held(lower, head)?;
            }
            if !found {
                missing = missing.or(Some(*head));
                break;
            }
        }
        Ok(match missing {
            Some(cause) => Verdict::Wait(Box::new(change), Missing::Cause(cause)),
            None => Verdict::Admit(Box::new(AdmittedChange(change))),
        })
    }
}

/// What the gate says of a verified change. A bad one never gets this far: [`VerifiedChange::verify`]
/// refuses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the set, for ever.
    Admit(Box<AdmittedChange>),
    /// Something must come first. Outside the set, never acknowledged; the change is given back.
    Wait(Box<VerifiedChange>, Missing),
}

/// What a waiting change waits for: the first thing found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No grant is known by which the author ever covered this place.
    #[error("no grant is known by which device {} ever covered {home}", author.device.short())]
    Grant {
        /// Who wrote it.
        author: Author,
        /// Where the record lives.
        home: SubSls,
    },
    /// A change that it follows or saw.
    #[error("the change {0:.12} that it follows has not come")]
    Cause(CauseHash),
}

impl Missing {
    /// The device whose grant is missing, if that is what is.
    pub fn device(&self) -> Option<DeviceKey> {
        match self {
            Self::Grant { author, .. } => Some(author.device),
            Self::Cause(_) => None,
        }
    }
}

/// Why bytes of the log are no admitted change: the store's fault, a damaged log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecallError {
    /// Not the encoding.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// Not what the gate lets in.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

#[cfg(test)]
mod tests;
