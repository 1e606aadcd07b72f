//! The indexes: records by region, causes of a record, ids and fingerprint of a sub-SLS, numbers of
//! an author. They hold ids and places, never an answer.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeInclusive};

use rukun_change::{
    Author, CauseHash, ChangeId, DeviceKey, Fingerprint, Incarnation, Ink, RecordId, Region, SubSls,
};

use crate::entry::EntryKind;
use crate::fault::StoreError;
use crate::staging::Staging;
use crate::store::Store;
use crate::tables::{AUTHOR, CAUSE, ENTRY, RECORD};

/// Bytes of a cause key before the place in the log.
const CAUSE_BYTES: usize = 49;
/// Bytes of an author key before the place in the log.
const AUTHOR_BYTES: usize = 16;

impl Store {
    /// Whether a record holds, in this ink, a change with this cause.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn has_cause(&self, record: &RecordId, ink: Ink, cause: &CauseHash) -> Result<bool, StoreError> {
        self.read(|txn| {
            let rows = cause_key(record, ink, cause, 0)..=cause_key(record, ink, cause, u64::MAX);
            let table = txn.look_in(CAUSE)?;
            let found = table.range::<&[u8; 57]>(rows.start()..=rows.end())?.next().transpose()?;
            Ok(found.is_some())
        })
    }

    /// The records of a region, or all, that follow this one, in order.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn records(
        &self,
        region: Option<&Region>,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Result<Vec<RecordId>, StoreError> {
        let Some((first, last)) = bounds(region, after) else { return Ok(Vec::new()) };
        self.read(|txn| {
            let table = txn.look_in(RECORD)?;
            let rows = table.range::<&[u8; 16]>((first.as_ref(), last.as_ref()))?;
            rows.take(limit).map(|row| record_of(row?.0.value())).collect()
        })
    }

    /// How many records a region has, or all.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn record_count(&self, region: Option<&Region>) -> Result<u64, StoreError> {
        self.read(|txn| {
            let table = txn.look_in(RECORD)?;
            let Some(region) = region else { return Ok(table.len()?) };
            let rows = records_of(region);
            let mut count = 0;
            for row in table.range::<&[u8; 16]>(rows.start()..=rows.end())? {
                row?;
                count += 1;
            }
            Ok(count)
        })
    }

    /// The ids of all changes whose records live in a sub-SLS, ascending.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn ids(&self, sub_sls: &SubSls) -> Result<Vec<ChangeId>, StoreError> {
        self.read(|txn| {
            let mut first = [0; 57];
            let mut last = [0xff; 57];
            for bound in [&mut first, &mut last] {
                bound.split_at_mut(8).0.copy_from_slice(sub_sls.as_bytes());
            }
            let entries = txn.look_in(ENTRY)?;
            let mut ids = Vec::new();
            for seq in places(txn, &first..=&last)? {
                let damaged = || StoreError::damaged(&ENTRY, &seq.to_be_bytes());
                let entry = entries.get(seq)?.ok_or_else(damaged)?;
                match self.memory.entry(seq, entry.value())?.kind {
                    EntryKind::Change { id, .. } => ids.push(id),
                    _ => return Err(damaged()),
                }
            }
            ids.sort_unstable();
            Ok(ids)
        })
    }

    /// The fingerprint of every sub-SLS in these regions that has changes, what is staged included.
    ///
    /// # Errors
    /// If the store is poisoned.
    pub fn fingerprints(&self, regions: &[Region]) -> Result<BTreeMap<SubSls, Fingerprint>, StoreError> {
        self.read(|_| {
            let ranges = regions.iter().map(Region::bounds);
            let found = ranges.flat_map(|(first, last)| self.memory.fingerprints.range(first..=last));
            Ok(found.map(|(home, fingerprint)| (*home, *fingerprint)).collect())
        })
    }

    /// What is held of a device's changes, whatever its incarnation: incarnation, number and id, ascending.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn changes_by(
        &self,
        device: &DeviceKey,
    ) -> Result<Vec<(Incarnation, u64, ChangeId, RecordId)>, StoreError> {
        let Some(device) = self.memory.numbers.get(device) else { return Ok(Vec::new()) };
        self.read(|txn| {
            let first = author_key(*device, &Incarnation::from_bytes([0; 4]), 0, 0);
            let last = author_key(*device, &Incarnation::from_bytes([0xff; 4]), u64::MAX, u64::MAX);
            let table = txn.look_in(AUTHOR)?;
            let entries = txn.look_in(ENTRY)?;
            let mut changes = Vec::new();
            for row in table.range::<&[u8; 24]>(&first..=&last)? {
                let key = *row?.0.value();
                let seq = place(key.split_at(AUTHOR_BYTES).1);
                let damaged = || StoreError::damaged(&ENTRY, &seq.to_be_bytes());
                let entry = entries.get(seq)?.ok_or_else(damaged)?;
                let (_, rest) = key.split_first_chunk::<4>().ok_or_else(damaged)?;
                let (incarnation, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
                let n = rest.first_chunk().copied().map(u64::from_be_bytes).ok_or_else(damaged)?;
                if let EntryKind::Change { id, record } = self.memory.entry(seq, entry.value())?.kind {
                    changes.push((Incarnation::from_bytes(*incarnation), n, id, record));
                }
            }
            Ok(changes)
        })
    }

    /// All changes held to which this author gave this number, in log order: more than one is a fork.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn same_number(&self, author: &Author, n: u64) -> Result<Vec<(ChangeId, RecordId)>, StoreError> {
        let Some(device) = self.memory.numbers.get(&author.device) else { return Ok(Vec::new()) };
        self.read(|txn| {
            let first = author_key(*device, &author.incarnation, n, 0);
            let last = author_key(*device, &author.incarnation, n, u64::MAX);
            let table = txn.look_in(AUTHOR)?;
            let entries = txn.look_in(ENTRY)?;
            let mut same = Vec::new();
            for row in table.range::<&[u8; 24]>(&first..=&last)? {
                let seq = place(row?.0.value().split_at(AUTHOR_BYTES).1);
                let damaged = || StoreError::damaged(&ENTRY, &seq.to_be_bytes());
                let entry = entries.get(seq)?.ok_or_else(damaged)?;
                if let EntryKind::Change { id, record } = self.memory.entry(seq, entry.value())?.kind {
                    same.push((id, record));
                }
            }
            Ok(same)
        })
    }
}

/// Where in the log the changes of a record stand, ascending.
pub(crate) fn record_places(txn: &Staging, record: &RecordId) -> Result<Vec<u64>, StoreError> {
    let mut first = [0; 57];
    let mut last = [0xff; 57];
    for bound in [&mut first, &mut last] {
        bound.split_at_mut(16).0.copy_from_slice(&record.to_bytes());
    }
    let mut places = places(txn, &first..=&last)?;
    places.sort_unstable();
    Ok(places)
}

fn places(txn: &Staging, rows: RangeInclusive<&[u8; 57]>) -> Result<Vec<u64>, StoreError> {
    let table = txn.look_in(CAUSE)?;
    let places = table.range::<&[u8; 57]>(rows)?.map(|row| Ok(place(row?.0.value().split_at(CAUSE_BYTES).1)));
    places.collect()
}

/// The key of a row in [`CAUSE`].
pub(crate) fn cause_key(record: &RecordId, ink: Ink, cause: &CauseHash, seq: u64) -> [u8; 57] {
    let key = [&record.to_bytes()[..], &[ink as u8], cause.as_bytes(), &seq.to_be_bytes()].concat();
    key.try_into().expect("16, 1, 32 and 8 bytes are 57")
}

/// The key of a row in [`AUTHOR`].
pub(crate) fn author_key(device: u32, incarnation: &Incarnation, n: u64, seq: u64) -> [u8; 24] {
    let key = [&device.to_be_bytes()[..], incarnation.as_bytes(), &n.to_be_bytes(), &seq.to_be_bytes()];
    key.concat().try_into().expect("4, 4, 8 and 8 bytes are 24")
}

/// The first and the last key of some records.
type Bounds = (Bound<[u8; 16]>, Bound<[u8; 16]>);

/// The keys of the records of a region that follow `after`; nothing if there can be none.
pub(crate) fn bounds(region: Option<&Region>, after: Option<&RecordId>) -> Option<Bounds> {
    let (first, last) = region.map_or(([0; 16], [0xff; 16]), |region| records_of(region).into_inner());
    match after.map(RecordId::to_bytes) {
        Some(after) if after >= last => None,
        Some(after) if after >= first => Some((Bound::Excluded(after), Bound::Included(last))),
        _ => Some((Bound::Included(first), Bound::Included(last))),
    }
}

/// The first and the last key that a record of this region can have.
pub(crate) fn records_of(region: &Region) -> RangeInclusive<[u8; 16]> {
    let (first, last) = region.bounds();
    RecordId::new(first, [0; 8]).to_bytes()..=RecordId::new(last, [0xff; 8]).to_bytes()
}

/// The record of a row's key.
pub(crate) fn record_of(row: &[u8; 16]) -> Result<RecordId, StoreError> {
    RecordId::from_bytes(*row).map_err(|_| StoreError::damaged(&RECORD, row))
}

fn place(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("the place in the log is the last 8 bytes of a key"))
}
