//! The transfers held, by the record that goes on. They lead whoever looks for a family's history from one
//! record to the one before; what is read in either follows from its own changes.

use std::collections::{BTreeMap, BTreeSet};

use rukun_change::{RecordId, StatementId};

#[derive(Clone, Debug, Default)]
pub(crate) struct Transfers {
    into: BTreeMap<RecordId, BTreeMap<StatementId, Came>>,
    all: BTreeSet<StatementId>,
}

/// From where a record came, and what that word rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Came {
    pub(crate) from: RecordId,
    pub(crate) parent: StatementId,
}

impl Transfers {
    pub(crate) fn has(&self, id: &StatementId) -> bool {
        self.all.contains(id)
    }

    pub(crate) fn take(&mut self, id: StatementId, to: RecordId, came: Came) {
        self.into.entry(to).or_default().insert(id, came);
        self.all.insert(id);
    }

    /// The words by which a record goes on from others, by id.
    pub(crate) fn of(&self, to: &RecordId) -> impl Iterator<Item = (&StatementId, &Came)> {
        self.into.get(to).into_iter().flatten()
    }
}
