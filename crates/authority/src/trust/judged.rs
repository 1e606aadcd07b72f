//! What was said against a device or about its work, and on what one who stands above can rest another such word.

use std::collections::BTreeSet;

use rukun_change::{Author, ChangeId, DeviceKey, StatementId};

use super::{RevocationView, Trust};
use crate::effects::{known_footing, path_of};
use crate::grants::Held;
use crate::losses::By;
use crate::role::Role;
use crate::said::Revocation;

impl Trust {
    /// What the device can rest its words against another on, if it stands above it at all: the seat for a root, else
    /// a grant in force for each path by which something came down to the other through it. One word takes away
    /// what came down by its own path alone.
    pub fn grants_above(&self, device: &DeviceKey, other: &DeviceKey) -> Vec<StatementId> {
        let below = |above: &[DeviceKey]| self.grants.of(other).any(|(_, held)| held.path.starts_with(above));
        let above = self.paths_to_judge_on(device).into_iter().filter(|(_, path)| below(path));
        above.map(|(parent, _)| parent).collect()
    }

    /// Whether the device revoked the other before, on the path that this statement stands on, by a word that counts:
    /// one that rested on what a thief had granted counts no more, and is said again.
    pub fn has_revoked_on(&self, parent: &StatementId, device: &DeviceKey, other: &DeviceKey) -> bool {
        let path = |parent| known_footing(&self.grants, device, parent).map(|on| path_of(&self.grants, on));
        let before = |by: &By<Revocation>| by.issuer == *device && by.said.subject == *other;
        let mut revocations = self.losses.revocations.iter().filter(|(_, by)| before(by));
        revocations.any(|(id, by)| {
            path(&by.said.parent) == path(parent)
                && self.effects().speaks(&self.grants, &self.losses, &by.said.parent, id)
        })
    }

    /// Who can end what the other goes on by whatever the device says against it, ascending: of each path the lowest
    /// that still speaks.
    pub fn granted_past(&self, device: &DeviceKey, other: &DeviceKey) -> Vec<DeviceKey> {
        let own = self.paths_to_judge_on(device);
        let past = |held: &Held| !own.iter().any(|(_, path)| held.path.starts_with(path));
        let goes_on = self.current_grants(other).filter(|(id, held)| !self.in_force(id, held).is_empty());
        let root = || self.roots().first().copied().unwrap_or(*self.root());
        let ends = |held: &Held, above: &DeviceKey| {
            self.paths_to_judge_on(above).iter().any(|(_, path)| held.path.starts_with(path))
        };
        let lowest = |held: &Held| {
            let mut up = held.path.iter().skip(1).rev();
            up.find(|above| ends(held, above)).copied().unwrap_or_else(root)
        };
        let ending = goes_on.filter(|(_, held)| past(held)).map(|(_, held)| lowest(held));
        ending.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// On what the device can rest a word against others, each with the path that has to lead to them.
    fn paths_to_judge_on(&self, device: &DeviceKey) -> Vec<(StatementId, Vec<DeviceKey>)> {
        if let Some(seat) = self.root_seat(device) {
            return vec![(seat, vec![*self.root()])];
        }
        let own = self.current_grants(device).filter(|(_, held)| held.grant.role != Role::Enumerator);
        own.map(|(id, held)| (*id, held.path_below())).collect()
    }

    /// The revocations held of a device, whatever they come to.
    pub fn revocations_of(&self, device: &DeviceKey) -> Vec<RevocationView> {
        let of = self.losses.revocations.iter().filter(|(_, by)| by.said.subject == *device);
        let hits: BTreeSet<&StatementId> =
            self.grants.by_each_path(device).flat_map(|held| self.effects().hits(held)).collect();
        let view = |(id, by): (&StatementId, &By<Revocation>)| RevocationView {
            id: *id,
            issuer: by.issuer,
            reason: by.said.reason.clone(),
            counts: hits.contains(id),
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
