//! What waits outside the set, and for what: a grant, or a change that it follows or saw. Known in memory, so that of
//! what waits only that is read and checked again for which something may have come. A peer may leave a thousand
//! changes whose cause never comes; they must not cost anything at each admission.

use rukun_authority::{Missing, Verdict, VerifiedChange};
use rukun_change::{CauseHash, ChangeId, DeviceKey, Ink, RecordId, SignedChange};

use crate::awaited::Awaited;
use crate::replica::{Replica, ReplicaError};

impl Replica {
    /// What waits since before the start is judged with the first that comes.
    pub(crate) fn recall_awaited(&mut self) -> Result<(), ReplicaError> {
        let waiting = self.store.waiting()?.into_iter();
        self.awaited = waiting.map(|(from, id, _)| ((from, id), Awaited::Unknown)).collect();
        Ok(())
    }

    /// A change waits.
    pub(crate) fn note_awaited(
        &mut self,
        from: DeviceKey,
        change: &VerifiedChange,
        missing: Missing,
    ) -> Result<(), ReplicaError> {
        let (record, ink) = (change.change().record, change.change().ink);
        let awaited = match missing {
            Missing::Grant { author, home } => Awaited::Grant { device: author.device, home },
            Missing::Cause(cause) => {
                let follows = change.body().deps.contains(&cause);
                let inks = if follows && !self.store.has_cause(&record, ink, &cause)? {
                    vec![ink]
                } else {
                    Ink::ALL.into_iter().filter(|lower| *lower < ink).collect()
                };
                Awaited::Cause { record, inks, cause }
            }
        };
        self.awaited.insert((from, change.id()), awaited);
        Ok(())
    }

    /// Judges once more what waits for something that may have come, and what waited for that.
    pub(crate) fn judge_waiting(&mut self) -> Result<(), ReplicaError> {
        let mut due = self.may_have_come()?;
        while let Some((from, id)) = due.pop() {
            let bytes = self.store.waiting_change(&from, &id)?;
            let verdict = match bytes.map(|bytes| SignedChange::from_bytes(&bytes)) {
                Some(Ok(claim)) => self.judge_again(claim)?,
                _ => None,
            };
            match verdict {
                Some(Verdict::Wait(change, missing)) => {
                    self.note_awaited(from, &change, missing)?;
                    continue;
                }
                Some(Verdict::Admit(change)) => {
                    self.append(&change, Some(&from))?;
                    let record = change.change().record;
                    for link in self.links.values_mut().filter(|link| link.peer == from) {
                        link.outgoing.doubt(record.home());
                    }
                    due.extend(self.awaiting(&record, &change.body().hash));
                }
                None => {}
            }
            self.store.remove_waiting(&from, &id)?;
            self.awaited.remove(&(from, id));
        }
        Ok(())
    }

    fn may_have_come(&self) -> Result<Vec<(DeviceKey, ChangeId)>, ReplicaError> {
        let Some(trust) = &self.trust else { return Ok(Vec::new()) };
        let mut due = Vec::new();
        for (key, awaited) in &self.awaited {
            let may_have_come = match awaited {
                Awaited::Unknown => true,
                Awaited::Grant { device, home } => trust.ever_covered(device, home),
                Awaited::Cause { record, inks, cause } => {
                    let mut held = false;
                    for ink in inks {
                        held = held || self.store.has_cause(record, *ink, cause)?;
                    }
                    held
                }
            };
            if may_have_come {
                due.push(*key);
            }
        }
        Ok(due)
    }

    fn awaiting(&self, record: &RecordId, come: &CauseHash) -> Vec<(DeviceKey, ChangeId)> {
        let awaits = |awaited: &Awaited| match awaited {
            Awaited::Cause { record: of, cause, .. } => of == record && cause == come,
            Awaited::Unknown | Awaited::Grant { .. } => false,
        };
        self.awaited.iter().filter(|(_, awaited)| awaits(awaited)).map(|(key, _)| *key).collect()
    }

    /// Its signature held when it came, and is checked again all the same: what waits has not passed
    /// the gate.
    fn judge_again(&self, claim: SignedChange) -> Result<Option<Verdict>, ReplicaError> {
        let Some(trust) = &self.trust else { return Ok(None) };
        match VerifiedChange::verify(claim, trust.survey()) {
            Ok(change) => self.judge(change),
            Err(_) => Ok(None),
        }
    }
}
