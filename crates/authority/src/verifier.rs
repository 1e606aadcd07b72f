//! Claims become [`VerifiedChange`]s and [`VerifiedStatement`]s on any thread, each signature checked once
//! however many peers bring it: a relay gets most of them from several. Only what held is remembered, so
//! that nobody who sends forgeries can push it out.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rukun_change::{ChangeId, Signature, SignedChange, StatementId, SurveyId};

use crate::statement::{Statement, VerifiedStatement};
use crate::verdict::StatementRefusal;
use crate::verified::{Refusal, VerifiedChange};

/// How many signatures are remembered before the oldest half is forgotten: some 800 kB.
const REMEMBERED_MAX: usize = 8_192;

/// Checks changes and statements and remembers whose signatures held. The id covers device, survey and all
/// that is signed, so that id and signature together have one verdict for ever.
#[derive(Debug, Default)]
pub struct Verifier(Mutex<Remembered>);

/// The id of a change or a statement: the formats keep their hashes apart.
type Claim = ([u8; 32], Signature);

#[derive(Debug, Default)]
struct Remembered {
    young: BTreeSet<Claim>,
    old: BTreeSet<Claim>,
}

impl Verifier {
    /// Checks signature and body of a change.
    ///
    /// # Errors
    /// [`Refusal`] if either does not hold; that verdict is final.
    pub fn verify(&self, signed: SignedChange, survey: &SurveyId) -> Result<VerifiedChange, Refusal> {
        let known = |id: &ChangeId, signature: &Signature| self.holds(id.as_bytes(), signature);
        let change = VerifiedChange::verify_unless(signed, survey, known)?;
        self.remembered().add((*change.id().as_bytes(), change.signed().signature));
        Ok(change)
    }

    /// Checks the signature of a statement that was read from its bytes.
    ///
    /// # Errors
    /// If it does not hold.
    pub fn verify_statement(
        &self,
        statement: Statement,
        survey: &SurveyId,
    ) -> Result<VerifiedStatement, StatementRefusal> {
        let known = |id: &StatementId, signature: &Signature| self.holds(id.as_bytes(), signature);
        let verified = VerifiedStatement::verify_unless(statement, survey, known)?;
        self.remembered().add((*verified.id().as_bytes(), verified.statement().signature));
        Ok(verified)
    }

    fn holds(&self, id: &[u8; 32], signature: &Signature) -> bool {
        self.remembered().holds(&(*id, *signature))
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        // Whoever panicked left the sets whole: each changes in one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remembered {
    fn holds(&self, claim: &Claim) -> bool {
        self.young.contains(claim) || self.old.contains(claim)
    }

    fn add(&mut self, claim: Claim) {
        if self.young.contains(&claim) {
            return;
        }
        if self.young.len() >= REMEMBERED_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(claim);
    }
}

#[cfg(test)]
mod tests {
    use rukun_change::Ink;

    use super::*;
    use crate::fixture::{Device, survey};

    #[test]
    fn what_held_once_does_not_lend_its_verdict_to_another_signature_or_change() {
        let verifier = Verifier::default();
        let good = Device::new(5).write(Ink::Pencil, "r301", 1);
        for _ in 0..2 {
            assert!(verifier.verify(good.clone(), &survey()).is_ok());
        }
        let mut forged = good.clone();
        forged.signature[63] ^= 1;
        let mut other = good.clone();
        other.change.n += 1;
        let elsewhere = SurveyId::from_bytes([9; 32]);
        for _ in 0..2 {
            assert_eq!(verifier.verify(forged.clone(), &survey()), Err(Refusal::Signature));
            assert_eq!(verifier.verify(other.clone(), &survey()), Err(Refusal::Signature));
            assert_eq!(verifier.verify(good.clone(), &elsewhere), Err(Refusal::Signature));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_newest_stays() {
        let mut remembered = Remembered::default();
        let claim = |number: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_be_bytes());
            (id, [0; 64])
        };
        for number in 0..3 * REMEMBERED_MAX {
            remembered.add(claim(number));
            assert!(remembered.young.len() + remembered.old.len() <= REMEMBERED_MAX);
        }
        assert!(remembered.holds(&claim(3 * REMEMBERED_MAX - 1)) && !remembered.holds(&claim(0)));
        assert!(remembered.holds(&claim(3 * REMEMBERED_MAX - REMEMBERED_MAX / 4)));
    }
}
