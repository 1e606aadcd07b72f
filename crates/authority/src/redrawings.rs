//! The redrawings held, by the sub-SLS that each names. They have one order, the same at every node: by
//! serial, and under one serial by id. Which of them count is with the grants.

use std::collections::{BTreeMap, BTreeSet};

use rukun_change::{StatementId, SubSls};

use crate::losses::By;
use crate::said::Redrawing;

#[derive(Clone, Debug, Default)]
pub(crate) struct Redrawings {
    all: BTreeMap<Rank, By<Redrawing>>,
    naming: BTreeMap<SubSls, BTreeSet<Rank>>,
    ids: BTreeSet<StatementId>,
}

/// Serial and id.
type Rank = (u64, StatementId);

impl Redrawings {
    pub(crate) fn has(&self, id: &StatementId) -> bool {
        self.ids.contains(id)
    }

    pub(crate) fn take(&mut self, id: StatementId, by: By<Redrawing>) {
        let rank = (by.said.serial, id);
        for place in by.said.places() {
            self.naming.entry(place).or_default().insert(rank);
        }
        self.all.insert(rank, by);
        self.ids.insert(id);
    }

    /// All of them, the latest last.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&StatementId, &By<Redrawing>)> {
        self.all.iter().map(|((_, id), by)| (id, by))
    }

    /// Those that name a sub-SLS, the latest first.
    pub(crate) fn naming(&self, home: &SubSls) -> impl Iterator<Item = (&StatementId, &By<Redrawing>)> {
        let ranks = self.naming.get(home).into_iter().flatten().rev();
        ranks.filter_map(|rank| self.all.get(rank).map(|by| (&rank.1, by)))
    }
}
