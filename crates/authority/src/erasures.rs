//! The erasures held, by record. One is for ever: whoever has heard of it has nothing left to give back,
//! so what became of its issuer later changes nothing, and every node comes to the same.

use std::collections::{BTreeMap, BTreeSet};

use rukun_change::{RecordId, StatementId};

#[derive(Clone, Debug, Default)]
pub(crate) struct Erasures {
    of: BTreeMap<RecordId, BTreeSet<StatementId>>,
    all: BTreeSet<StatementId>,
}

impl Erasures {
    pub(crate) fn has(&self, id: &StatementId) -> bool {
        self.all.contains(id)
    }

    pub(crate) fn take(&mut self, id: StatementId, record: RecordId) {
        self.of.entry(record).or_default().insert(id);
        self.all.insert(id);
    }

    /// The first of those that erase a record.
    pub(crate) fn of(&self, record: &RecordId) -> Option<StatementId> {
        self.of.get(record)?.first().copied()
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = &RecordId> {
        self.of.keys()
    }
}
