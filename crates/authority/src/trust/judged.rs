//! What was said against a device or about its work, and on what one who stands above can rest another such word.

use rukun_change::{Author, ChangeId, DeviceKey, StatementId};

use super::{RevocationView, Trust};
use crate::losses::By;
use crate::role::Role;
use crate::said::Revocation;

impl Trust {
    /// The statement on which the device can rest a word against another: the seat for a root, else a grant in
    /// force that stands above one of the other's.
    pub fn grant_above(&self, device: &DeviceKey, other: &DeviceKey) -> Option<StatementId> {
        let below = |above: &[DeviceKey]| self.grants.of(other).any(|(_, held)| held.path.starts_with(above));
        if let Some(seat) = self.root_seat(device).filter(|_| below(&[*self.root()])) {
            return Some(seat);
        }
        let mut own = self.current_grants(device).filter(|(_, held)| held.grant.role != Role::Enumerator);
        own.find(|(_, held)| below(&held.path_below())).map(|(id, _)| *id)
    }

    /// The revocations held of a device, whatever they come to.
    pub fn revocations_of(&self, device: &DeviceKey) -> Vec<RevocationView> {
        let of = self.losses.revocations.iter().filter(|(_, by)| by.said.subject == *device);
        let hits = |id: &StatementId| {
            self.grants.of(device).any(|(grant, _)| self.effects().hits(grant).any(|hit| hit == id))
        };
        let view = |(id, by): (&StatementId, &By<Revocation>)| RevocationView {
            id: *id,
            issuer: by.issuer,
            reason: by.said.reason.clone(),
            counts: hits(id),
        };
        of.map(view).collect()
    }

    /// The decisions held about a change, whatever they come to.
    pub fn decisions_on(&self, change: &ChangeId) -> Vec<StatementId> {
        self.losses.decisions_on(change).map(|(id, _)| *id).collect()
    }

    /// Whether a fork of this number is proved already.
    pub fn is_proved(&self, author: &Author, n: u64) -> bool {
        self.losses.proved(author, n).next().is_some()
    }

    /// How many numbers of a device are proved to have been used twice.
    pub fn forks_of(&self, device: &DeviceKey) -> usize {
        self.losses.forks_of(device)
    }
}
