//! What is held against devices and their work: revocations and their lists of what is kept,
//! decisions, proofs of forks. What it all comes to is for `effects` to say.

use std::collections::{BTreeMap, BTreeSet};

use rukun_change::{Author, ChangeId, DeviceKey, Header, Ink, StatementId, SubSls};

use crate::said::{Decision, KeptList, Revocation};

/// A statement with the device that said it.
#[derive(Clone, Debug)]
pub(crate) struct By<T> {
    pub(crate) issuer: DeviceKey,
    pub(crate) said: T,
}

/// All that is held against anybody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Losses {
    pub(crate) revocations: BTreeMap<StatementId, By<Revocation>>,
    lists: BTreeMap<(StatementId, SubSls), BTreeSet<ChangeId>>,
    pub(crate) decisions: BTreeMap<StatementId, By<Decision>>,
    /// The decisions about each change.
    decided: BTreeMap<ChangeId, BTreeSet<StatementId>>,
    /// The branches proved of each number.
    proved: BTreeMap<(Author, u64), BTreeMap<ChangeId, Numbered>>,
    /// The ids of kept lists and fork proofs.
    taken: BTreeSet<StatementId>,
}

/// What standing asks of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbered {
    pub(crate) id: ChangeId,
    pub(crate) author: Author,
    pub(crate) n: u64,
    pub(crate) home: SubSls,
    pub(crate) ink: Ink,
}

impl Losses {
    /// Whether a statement is here.
    pub(crate) fn has(&self, id: &StatementId) -> bool {
        self.revocations.contains_key(id) || self.decisions.contains_key(id) || self.taken.contains(id)
    }

    /// Takes in a revocation.
    pub(crate) fn revoke(&mut self, id: StatementId, issuer: DeviceKey, said: Revocation) {
        self.revocations.insert(id, By { issuer, said });
    }

    /// Takes in a list that its revocation names.
    pub(crate) fn keep(&mut self, id: StatementId, list: &KeptList) {
        let place = (list.revocation, list.sub_sls);
        self.lists.insert(place, list.changes.iter().copied().collect());
        self.taken.insert(id);
    }

    /// Takes in a decision.
    pub(crate) fn decide(&mut self, id: StatementId, issuer: DeviceKey, said: Decision) {
        for change in &said.changes {
            self.decided.entry(*change).or_default().insert(id);
        }
        self.decisions.insert(id, By { issuer, said });
    }

    /// Takes in the branches of a fork.
    pub(crate) fn prove(&mut self, id: StatementId, branches: [Numbered; 2]) {
        for branch in branches {
            self.proved.entry((branch.author, branch.n)).or_default().insert(branch.id, branch);
        }
        self.taken.insert(id);
    }

    /// The branches proved of a number.
    pub(crate) fn proved(&self, author: &Author, n: u64) -> impl Iterator<Item = &Numbered> {
        self.proved.get(&(*author, n)).into_iter().flat_map(BTreeMap::values)
    }

    /// How many numbers of a device are proved to have been used twice.
    pub(crate) fn forks_of(&self, device: &DeviceKey) -> usize {
        self.proved.keys().filter(|(author, _)| author.device == *device).count()
    }

    /// The decisions about a change.
    pub(crate) fn decisions_on<'a>(
        &'a self,
        change: &ChangeId,
    ) -> impl Iterator<Item = (&'a StatementId, &'a By<Decision>)> {
        let ids = self.decided.get(change).into_iter().flatten();
        ids.filter_map(|id| self.decisions.get_key_value(id))
    }

    /// Whether a revocation keeps this change: its number is among those kept, and the list of its
    /// place, once that has come, names it.
    pub(crate) fn keeps(&self, revocation: &StatementId, change: &Numbered) -> bool {
        let Some(by) = self.revocations.get(revocation) else { return true };
        let counted = |kept: &crate::said::Kept| {
            kept.incarnation == change.author.incarnation && change.n <= kept.n_max
        };
        let listed = || {
            let list = self.lists.get(&(*revocation, change.home));
            list.is_some_and(|list| list.contains(&change.id)) || cfg!(planted = "kept-by-number-alone")
        };
        by.said.kept.iter().any(counted) && listed()
    }

    /// Whether a revocation keeps this statement.
    pub(crate) fn keeps_statement(&self, revocation: &StatementId, statement: &StatementId) -> bool {
        let kept = |by: &By<Revocation>| by.said.statements.binary_search(statement).is_ok();
        self.revocations.get(revocation).is_none_or(kept)
    }
}

impl Numbered {
    /// Of a header whose signature held.
    pub(crate) fn of_header(id: ChangeId, header: &Header) -> Self {
        Self { id, author: header.author, n: header.n, home: header.record.home(), ink: header.ink }
    }
}
