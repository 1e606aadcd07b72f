//! Receipts by what they say: the latest of several is the one that says most. Those read from the log lately
//! are remembered, since each is asked for whenever another of its place comes.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rukun_authority::Receipt;
use rukun_change::StatementId;

/// How many receipts are remembered: some 800 kB.
const READ_MAX: usize = 4_096;

/// By what the latest of several receipts of one issuer for one place is known: it says most, and of two
/// that say as much it has the higher number, then the higher id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub(crate) count: u64,
    pub(crate) n: u64,
    pub(crate) id: StatementId,
}

/// Receipts that were read, by their place in the log, where they never change.
#[derive(Debug, Default)]
pub(crate) struct ReceiptsRead(RefCell<BTreeMap<u64, (Receipt, Rank)>>);

impl ReceiptsRead {
    pub(crate) fn get(&self, seq: u64) -> Option<(Receipt, Rank)> {
        self.0.borrow().get(&seq).copied()
    }

    pub(crate) fn put(&self, seq: u64, read: (Receipt, Rank)) {
        let mut all = self.0.borrow_mut();
        if all.len() >= READ_MAX {
            all.clear();
        }
        all.insert(seq, read);
    }
}
