//! Release: what is held of places that this device may read no more is taken out, once receipts of the
//! district cover all of it; until then it is kept, for it may be nowhere else. A lower tier's receipt is
//! not enough: whoever has a supervisor's key could say that it holds everything, take the region away,
//! and so destroy it.

use rukun_authority::Role;
use rukun_change::SubSls;
use rukun_store::Released;

use crate::input::Event;
use crate::replica::{Replica, ReplicaError};
use crate::view::everywhere;

impl Replica {
    /// The records that left this device's scope and were taken out, since the district has them.
    ///
    /// # Errors
    /// If the store fails.
    pub fn released(&self) -> Result<Vec<Released>, ReplicaError> {
        Ok(self.store.released()?)
    }

    /// How many records are kept although they left this device's scope: the district is not known to
    /// have all of them.
    ///
    /// # Errors
    /// If the store fails.
    pub fn outgrown_count(&self) -> Result<u64, ReplicaError> {
        let counts = self.outgrown.iter().map(|home| self.store.record_count(Some(&home.region())));
        Ok(counts.sum::<Result<u64, _>>()?)
    }

    /// Finds the places of which something is held and nothing may be read any more. What of these may go
    /// is seen to at the next commit.
    pub(crate) fn find_outgrown(&mut self) -> Result<(), ReplicaError> {
        let Some(trust) = &self.trust else { return Ok(()) };
        let (device, held) = (self.device(), self.store.fingerprints(&everywhere())?);
        let outgrown = held.into_keys().filter(|home| !trust.may_read(&device, home));
        self.outgrown = outgrown.collect();
        self.release_due.clone_from(&self.outgrown);
        Ok(())
    }

    /// Takes out what the district is proved to hold of the places that were outgrown. Gives whether there was
    /// any: then peers are to be compared with anew.
    pub(crate) fn release_what_may_go(&mut self) -> Result<bool, ReplicaError> {
        if cfg!(planted = "outgrown-kept") {
            return Ok(false);
        }
        let mut released = false;
        for home in std::mem::take(&mut self.release_due) {
            if self.is_at_the_district(&home)? || cfg!(planted = "released-unproved") {
                self.release(home)?;
                released = true;
            }
        }
        Ok(released)
    }

    /// Whether receipts of the district cover all that is held of a place.
    fn is_at_the_district(&self, home: &SubSls) -> Result<bool, ReplicaError> {
        let Some(trust) = &self.trust else { return Ok(false) };
        let mut covered = Vec::new();
        for proof in self.store.proofs(home)? {
            if proof.issuer == self.device() {
                continue;
            }
            let (receipt, rank) = self.read_receipt(proof.seq)?;
            if trust.attested_by(&rank.id, &receipt) == Some(Role::District) {
                covered.push(proof);
            }
        }
        // Peers send again what waits for them; what a repair left waiting here may be nowhere else.
        let device = self.device();
        if self.store.waiting_in(home)?.iter().any(|(from, _)| *from == device) {
            return Ok(false);
        }
        let items = self.store.items(home)?;
        Ok(items.iter().all(|item| {
            covered.iter().any(|proof| item.seq <= proof.upto && (!item.own || item.seq <= proof.own_upto))
        }))
    }

    fn release(&mut self, home: SubSls) -> Result<(), ReplicaError> {
        let words = self.store.statements_about(&home)?;
        self.note_released_work(&home)?;
        let records: Vec<_> = self.store.release(&home)?.iter().map(|line| line.record).collect();
        self.outgrown.remove(&home);
        self.unproved.remove(&home);
        self.tried.remove(&home);
        self.elsewhere.retain(|(place, _)| *place != home);
        if !words.is_empty() {
            // What was said about work there is held no more, so it must be news when it comes again; and work
            // elsewhere that shares a number with what it judged may stand otherwise.
            self.recall_trust()?;
            self.store.mark_stale(None)?;
        }
        // What was listed and wanted there will not be sent, and must not count against agreement.
        for link in self.links.values_mut().filter(|link| link.is_live()) {
            link.outgoing.compare_everywhere();
        }
        self.tell(Event::Released { sub_sls: home, records });
        Ok(())
    }
}
