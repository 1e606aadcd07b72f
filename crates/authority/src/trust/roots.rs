//! Who is the survey's root now, and what it rests its words on.

use std::collections::BTreeSet;

use rukun_change::{DeviceKey, StatementId};

use super::Trust;
use crate::grants::Footing;
use crate::said::RootSuccession;
use crate::verdict::StatementRefusal;

impl Trust {
    /// The key that founded the survey. It heads every path of grants; whether it is still root is for
    /// [`Trust::roots`] to say.
    pub fn root(&self) -> &DeviceKey {
        self.grants.roots().first()
    }

    /// The root keys in force, ascending: one, unless whoever had a root key let two follow it.
    pub fn roots(&self) -> Vec<DeviceKey> {
        let mut roots: Vec<DeviceKey> = self.grants.roots().in_force().map(|(_, key)| *key).collect();
        roots.sort_unstable();
        roots.dedup();
        roots
    }

    /// Whether the device was root at any time.
    pub fn was_root(&self, device: &DeviceKey) -> bool {
        self.grants.roots().ever(device)
    }

    /// What this key rests its words on as root: the charter, or the succession that made it root; nothing if
    /// it is none, or another follows it.
    pub fn root_seat(&self, device: &DeviceKey) -> Option<StatementId> {
        let mut seats = self.grants.roots().in_force();
        seats.find(|(_, key)| *key == device).map(|(seat, _)| *seat)
    }

    /// The successions that lead to the roots in force, each after those it rests on.
    pub fn root_chain(&self) -> Vec<StatementId> {
        let (mut chain, mut seen) = (Vec::new(), BTreeSet::new());
        for (seat, _) in self.grants.roots().in_force() {
            self.grants.roots().chain_of(seat, &mut chain, &mut seen);
        }
        chain
    }

    pub(super) fn place_root_succession(
        &mut self,
        id: StatementId,
        issuer: &DeviceKey,
        said: &RootSuccession,
    ) -> Result<Option<StatementId>, StatementRefusal> {
        match self.grants.footing(issuer, &said.parent)? {
            None => Ok(Some(said.parent)),
            Some(Footing::Grant(_)) => Err(StatementRefusal::NotTheRoot),
            Some(Footing::Root) if said.successor == *issuer => Err(StatementRefusal::NoConsent),
            Some(Footing::Root) => {
                self.grants.seat(id, said);
                Ok(None)
            }
        }
    }
}
