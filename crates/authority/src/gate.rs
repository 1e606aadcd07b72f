//! The gate: a [`VerifiedChange`] becomes an [`AdmittedChange`] or waits. The answer never depends on
//! the order of arrival, and admission is final.

use rukun_change::{CauseHash, Change, Ink};

use crate::trust::Trust;
use crate::verdict::{Missing, Verdict};
use crate::verified::{AdmittedChange, VerifiedChange};

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
        if !self.ever_covered(&author.device, &record.home()) {
            let missing = Missing::Grant { author: *author, home: record.home() };
            return Ok(Verdict::Wait(Box::new(change), missing));
        }
        let mut missing = None;
        for dep in &change.body().deps {
            if !held(*ink, dep)? {
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
            None => Verdict::Admit(Box::new(AdmittedChange::let_in(change))),
        })
    }
}

#[cfg(test)]
mod tests;
