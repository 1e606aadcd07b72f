//! The running numbers that changes carry, by device and incarnation, as runs without holes.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use rukun_change::{Author, DeviceKey, Incarnation, SubSls};

use crate::entry::EntryKind;
use crate::fault::StoreError;
use crate::index::author_key;
use crate::store::Store;
use crate::tables::{AUTHOR, ENTRY};

/// The numbers seen of one device in one incarnation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// How many changes carry them.
    pub changes: u64,
    /// The numbers, ascending, as runs without holes.
    pub runs: Vec<RangeInclusive<u64>>,
}

impl Numbers {
    /// A change, or more than one, carries this number. Numbers come ascending.
    fn see(&mut self, n: u64) {
        self.changes += 1;
        match self.runs.last_mut() {
            Some(last) if *last.end() >= n => {}
            Some(last) if last.end().checked_add(1) == Some(n) => *last = *last.start()..=n,
            _ => self.runs.push(n..=n),
        }
    }
}

impl Store {
    /// The numbers of all changes held.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn numbers(&self) -> Result<BTreeMap<Author, Numbers>, StoreError> {
        self.read(|txn| {
            let mut numbers: BTreeMap<Author, Numbers> = BTreeMap::new();
            for row in txn.look_in(AUTHOR)?.all()? {
                let key = *row?.0.value();
                let damaged = || StoreError::damaged(&AUTHOR, &key);
                let (device, rest) = key.split_first_chunk().ok_or_else(damaged)?;
                let (incarnation, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
                let n = rest.first_chunk().copied().map(u64::from_be_bytes).ok_or_else(damaged)?;
                let device = self.memory.devices.get(&u32::from_be_bytes(*device)).ok_or_else(damaged)?;
                let author = Author { device: *device, incarnation: Incarnation::from_bytes(*incarnation) };
                numbers.entry(author).or_default().see(n);
            }
            Ok(numbers)
        })
    }

    /// Where the changes that a device wrote stand: sub-SLS, place in the log, and whether it was made
    /// in this store.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn written_by(&self, device: &DeviceKey) -> Result<Vec<(SubSls, u64, bool)>, StoreError> {
        let Some(device) = self.memory.numbers.get(device) else { return Ok(Vec::new()) };
        self.read(|txn| {
            let first = author_key(*device, &Incarnation::from_bytes([0; 4]), 0, 0);
            let last = author_key(*device, &Incarnation::from_bytes([0xff; 4]), u64::MAX, u64::MAX);
            let entries = txn.look_in(ENTRY)?;
            let mut written = Vec::new();
            for row in txn.look_in(AUTHOR)?.range::<&[u8; 24]>(&first..=&last)? {
                let key = *row?.0.value();
                let damaged = || StoreError::damaged(&AUTHOR, &key);
                let (_, seq) = key.split_last_chunk().ok_or_else(damaged)?;
                let seq = u64::from_be_bytes(*seq);
                let entry = entries.get(seq)?.ok_or_else(damaged)?;
                let entry = self.memory.entry(seq, entry.value())?;
                if let EntryKind::Change { record, .. } = entry.kind {
                    written.push((record.home(), seq, entry.from.is_none()));
                }
            }
            Ok(written)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_follow_each_other_are_one_run_and_a_fork_is_no_hole() {
        let mut numbers = Numbers::default();
        for n in [1, 2, 2, 3, 7, u64::MAX] {
            numbers.see(n);
        }
        assert_eq!(numbers.runs, [1..=3, 7..=7, u64::MAX..=u64::MAX]);
        assert_eq!(numbers.changes, 6);
    }
}
