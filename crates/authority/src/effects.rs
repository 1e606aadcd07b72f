//! What revocations and decisions come to: a pure function of the statements held, evaluated from the
//! root down. Only who stands on the path by which a device was granted something can take that from
//! it; the higher tier counts, and between equals the stricter word.

use std::collections::{BTreeMap, BTreeSet};

use rukun_change::{DeviceKey, StatementId};

use crate::grants::{Footing, Grants, Held};
use crate::losses::{By, Losses, Numbered};
use crate::places::cover;
use crate::role::Role;
use crate::said::Decision;

/// Which grants are revoked, and by which statements.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    /// The revocations that count, for each of the tiers that they come from, the highest first.
    by_tier: Vec<Hits>,
}

/// Revocations by their subject, and by the path by which it lost what came down: to name each grant that they hit
/// would take room for every pair of both.
type Hits = BTreeMap<DeviceKey, BTreeMap<Vec<DeviceKey>, BTreeSet<StatementId>>>;

/// The tiers that may revoke and decide, the highest first; none is the root.
const TIERS: [Option<Role>; 4] =
    [None, Some(Role::District), Some(Role::Coordinator), Some(Role::Supervisor)];

impl Effects {
    /// What these statements come to.
    pub(crate) fn of(grants: &Grants, losses: &Losses) -> Self {
        let mut effects = Self::default();
        for tier in TIERS {
            let mut found = Hits::default();
            for (id, by) in &losses.revocations {
                let Some(footing) = known_footing(grants, &by.issuer, &by.said.parent) else { continue };
                if footing.role() == tier && effects.speaks(grants, losses, &by.said.parent, id) {
                    let of_subject = found.entry(by.said.subject).or_default();
                    of_subject.entry(path_of(grants, footing)).or_default().insert(*id);
                }
            }
            effects.by_tier.push(found);
        }
        effects
    }

    /// Whether nothing was ever taken from anybody: nobody is revoked, and no root was followed.
    pub(crate) fn are_none(&self, grants: &Grants) -> bool {
        self.by_tier.iter().all(BTreeMap::is_empty) && grants.roots().is_first_alone()
    }

    /// Whether a grant is revoked.
    pub(crate) fn is_revoked(&self, grant: &Held) -> bool {
        self.hits(grant).next().is_some()
    }

    /// The revocations of the highest tier that hit a grant.
    pub(crate) fn hits<'a>(&'a self, grant: &'a Held) -> impl Iterator<Item = &'a StatementId> {
        let mut of_tiers = self.by_tier.iter().filter_map(|hits| hits.get(&grant.grant.subject));
        let hit = |by_path: &'a BTreeMap<Vec<DeviceKey>, BTreeSet<StatementId>>| {
            let above = (0..=grant.path.len()).filter_map(|devices| by_path.get(grant.path.get(..devices)?));
            let anyones = by_path.values().filter(|_| cfg!(planted = "revoked-by-anyone"));
            above.chain(anyones).flatten()
        };
        let first = of_tiers.find(|by_path| hit(by_path).next().is_some());
        let others = of_tiers.filter(|_| cfg!(planted = "lower-tier-revokes-too"));
        first.into_iter().chain(others).flat_map(hit)
    }

    /// Whether a grant counts although its issuers may have been revoked since.
    pub(crate) fn stands(&self, grants: &Grants, losses: &Losses, id: &StatementId, held: &Held) -> bool {
        self.speaks(grants, losses, &held.rests_on, id)
    }

    /// Whether another key follows the one that has this grant, by a word that counts. What is granted to the old
    /// key by the same path does not make it the current one again.
    pub(crate) fn is_followed(&self, grants: &Grants, losses: &Losses, held: &Held) -> bool {
        let by_path = grants.by_path(&held.grant.subject, &held.path);
        let mut of_role = by_path.filter(|(_, one)| one.grant.role == held.grant.role);
        let follows =
            |grant: &StatementId| grants.followed(grant).any(|id| self.speaks(grants, losses, grant, id));
        of_role.any(|(grant, _)| follows(grant)) && !cfg!(planted = "old-key-goes-on")
    }

    /// Whether a statement that rests on this grant, or on a root's seat, counts: wherever somebody on its path
    /// was revoked, or is root no more, what that one had said is kept.
    pub(crate) fn speaks(
        &self,
        grants: &Grants,
        losses: &Losses,
        parent: &StatementId,
        id: &StatementId,
    ) -> bool {
        if self.are_none(grants) || cfg!(planted = "revoked-grants-on") {
            return true;
        }
        let (mut parent, mut id) = (*parent, *id);
        while let Some(held) = grants.get(&parent) {
            if self.hits(held).any(|revocation| !losses.keeps_statement(revocation, &id)) {
                return false;
            }
            (id, parent) = (parent, held.rests_on);
        }
        grants.roots().keep(&parent, &id)
    }

    /// Whether this change counts by some grant of its author that is not revoked, or whose revocation
    /// keeps it.
    pub(crate) fn covers(&self, grants: &Grants, losses: &Losses, change: &Numbered) -> bool {
        self.entitling(grants, losses, change).next().is_some()
    }

    /// Whether a change counts by no grant but such whose revocations keep it and not the other one, which bears its
    /// number. Wherever and in whatever ink a thief uses a number again, what was kept goes on.
    pub(crate) fn outweighs(
        &self,
        grants: &Grants,
        losses: &Losses,
        change: &Numbered,
        other: &Numbered,
    ) -> bool {
        let mut entitling = self.entitling(grants, losses, change);
        entitling.all(|held| self.hits(held).any(|revocation| !losses.keeps(revocation, other)))
    }

    /// The grants by which a change counts.
    fn entitling<'a>(
        &'a self,
        grants: &'a Grants,
        losses: &'a Losses,
        change: &'a Numbered,
    ) -> impl Iterator<Item = &'a Held> {
        let writes =
            grants.of(&change.author.device).filter(|(_, held)| held.writes(&change.home, change.ink));
        let counts = |(id, held): &(&'a StatementId, &Held)| {
            self.stands(grants, losses, id, held)
                && self
                    .hits(held)
                    .all(|revocation| losses.keeps(revocation, change) && !cfg!(planted = "kept-set-aside"))
        };
        writes.filter(counts).map(|(_, held)| held)
    }

    /// What was decided of this change: upheld or dismissed.
    pub(crate) fn decided(&self, grants: &Grants, losses: &Losses, change: &Numbered) -> Option<bool> {
        let mut highest = usize::MAX;
        let mut counting: Vec<(&StatementId, &By<Decision>)> = Vec::new();
        for (id, by) in losses.decisions_on(&change.id) {
            let Some(footing) = known_footing(grants, &by.issuer, &by.said.parent) else { continue };
            let tier = TIERS.iter().position(|tier| *tier == footing.role()).unwrap_or(usize::MAX);
            let speaks = by.said.sub_sls == change.home
                && may_decide(grants, footing, change, by.said.upheld)
                && self.speaks(grants, losses, &by.said.parent, id);
            if !speaks || tier > highest {
                continue;
            }
            if tier < highest && !cfg!(planted = "lower-tier-decides-too") {
                counting.clear();
            }
            highest = tier;
            counting.push((id, by));
        }
        let superseded: BTreeSet<&StatementId> =
            counting.iter().flat_map(|(_, by)| &by.said.supersedes).collect();
        counting.retain(|(id, _)| !superseded.contains(id) || cfg!(planted = "superseded-counts"));
        let all_uphold = counting.iter().all(|(_, by)| by.said.upheld);
        let any_upholds = cfg!(planted = "uphold-wins") && counting.iter().any(|(_, by)| by.said.upheld);
        (!counting.is_empty()).then_some(all_uphold || any_upholds)
    }
}

pub(crate) fn known_footing<'a>(
    grants: &'a Grants,
    issuer: &DeviceKey,
    parent: &StatementId,
) -> Option<Footing<'a>> {
    grants.footing(issuer, parent).ok().flatten()
}

/// Whether who speaks by this footing stands above the work: on the path of a grant that entitled its author to
/// this ink there. Any other grant of the author's would do for whoever hands out small roles to have a say over
/// those above. Where none entitles it, anybody above the author there may speak, but lift no ink over the own.
pub(crate) fn may_decide(grants: &Grants, footing: Footing<'_>, change: &Numbered, upheld: bool) -> bool {
    let (author, home, ink) = (&change.author.device, &change.home, change.ink);
    let is_entitled = grants.ever_wrote(author, home, ink) && !cfg!(planted = "small-role-decides");
    let above = path_of(grants, footing);
    let lifts = upheld && !is_entitled && footing.role() > Some(Role::of_ink(ink));
    let mut below = grants.of(author).filter(|(_, held)| is_below(&held.path, &above));
    let entitles = |held: &Held| held.writes(home, ink) || !is_entitled && cover(&held.grant.regions, home);
    !lifts && below.any(|(_, held)| entitles(held)) || cfg!(planted = "decision-by-anyone")
}

/// The devices from the root down to the one that speaks.
pub(crate) fn path_of(grants: &Grants, footing: Footing<'_>) -> Vec<DeviceKey> {
    match footing {
        Footing::Root => vec![*grants.roots().first()],
        Footing::Grant(held) => held.path_below(),
    }
}

fn is_below(path: &[DeviceKey], above: &[DeviceKey]) -> bool {
    path.starts_with(above) || cfg!(planted = "revoked-by-anyone")
}

#[cfg(test)]
mod tests;
