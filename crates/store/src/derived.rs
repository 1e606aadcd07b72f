//! Views derived from changes, and the identity numbers in them. All of it can be thrown away and
//! made again from the log; what a view holds is the caller's.

use std::collections::BTreeMap;

use redb::{Range, ReadableTable};
use rukun_change::{RecordId, Region};

use crate::fault::StoreError;
use crate::index::{bounds, record_of};
use crate::staging::Staging;
use crate::store::Store;
use crate::tables::{DERIVED, DUPLICATE, IDENTITY, RECORD, RECORD_IDENTITY, STALE};

/// Which kind of identity number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum IdentityKind {
    /// A person's.
    Nik = 0,
    /// A family card's.
    Kk = 1,
}

/// Two or more records that have one identity number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duplicate {
    /// Which kind of number. Which number, only the records' views tell.
    pub kind: IdentityKind,
    /// The records, ascending.
    pub records: Vec<RecordId>,
}

impl Store {
    /// Records of a region, or of all, that changed since their view was put, in order.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn stale_records(&self, region: Option<&Region>, limit: usize) -> Result<Vec<RecordId>, StoreError> {
        let Some((first, last)) = bounds(region, None) else { return Ok(Vec::new()) };
        self.read(|txn| {
            let table = txn.look_in(STALE)?;
            let rows = table.range::<&[u8; 16]>((first.as_ref(), last.as_ref()))?;
            rows.take(limit).map(|row| record_of(row?.0.value())).collect()
        })
    }

    /// Marks every record of a region, or all, as changed since its view was put.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn mark_stale(&mut self, region: Option<&Region>) -> Result<(), StoreError> {
        let Some((first, last)) = bounds(region, None) else { return Ok(()) };
        self.write(|txn, _, _| {
            let records = txn.look_in(RECORD)?;
            let mut stale = txn.open_table(STALE)?;
            for row in records.range::<&[u8; 16]>((first.as_ref(), last.as_ref()))? {
                stale.insert(row?.0.value(), ())?;
            }
            Ok(())
        })
    }

    /// Marks one record as changed since its view was put. One that was erased has no view any more.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn mark_record_stale(&mut self, record: &RecordId) -> Result<(), StoreError> {
        if self.erased(record).is_some() {
            return Ok(());
        }
        self.write(|txn, _, _| {
            txn.open_table(STALE)?.insert(&record.to_bytes(), ())?;
            Ok(())
        })
    }

    /// Puts a record's view and the identity numbers in it, in place of what was put before, and
    /// clears its mark.
    ///
    /// # Errors
    /// [`StoreError::UnknownRecord`] if the record has no changes or was erased, or if the medium fails.
    pub fn put_derived(
        &mut self,
        record: &RecordId,
        view: &[u8],
        identities: &[(IdentityKind, &str)],
    ) -> Result<(), StoreError> {
        let key = self.record_key(record)?.ok_or(StoreError::UnknownRecord(*record))?;
        let row = record.to_bytes();
        self.write(|txn, vault, _| {
            let sealed = key.seal(&mut vault.entropy, &DERIVED, &row, view);
            txn.open_table(DERIVED)?.insert(&row, sealed.as_slice())?;
            txn.open_table(STALE)?.remove(&row)?;
            let tag = |(kind, number): &(IdentityKind, &str)| {
                (vault.keys.identity_tag(*kind as u8, number), *kind as u8)
            };
            put_identities(txn, &row, identities.iter().map(tag).collect())
        })
    }

    /// A record's view, if one was put.
    ///
    /// # Errors
    /// If the medium fails or the row is damaged.
    pub fn derived(&self, record: &RecordId) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(key) = self.record_key(record)? else { return Ok(None) };
        let row = record.to_bytes();
        self.read(|txn| {
            let table = txn.look_in(DERIVED)?;
            let sealed = table.get(&row)?;
            sealed.map(|sealed| key.open(&DERIVED, &row, sealed.value())).transpose()
        })
    }

    /// The views of a region's records, or all, that follow this one, in order.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn derived_range(
        &self,
        region: Option<&Region>,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Result<Vec<(RecordId, Vec<u8>)>, StoreError> {
        let Some((first, last)) = bounds(region, after) else { return Ok(Vec::new()) };
        self.read(|txn| {
            let table = txn.look_in(DERIVED)?;
            let keys = txn.look_in(RECORD)?;
            let rows = table.range::<&[u8; 16]>((first.as_ref(), last.as_ref()))?.take(limit);
            let views = rows.map(|row| {
                let (row, sealed) = row?;
                let (row, damaged) = (row.value(), StoreError::damaged(&RECORD, row.value()));
                let key = keys.get(row)?.ok_or(damaged)?;
                let key = self.vault.keys.record.open_key(&RECORD, row, key.value())?;
                Ok((record_of(row)?, key.open(&DERIVED, row, sealed.value())?))
            });
            views.collect()
        })
    }

    /// The records in whose views this number is, ascending, at most so many.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn same_identity(
        &self,
        kind: IdentityKind,
        number: &str,
        limit: usize,
    ) -> Result<Vec<RecordId>, StoreError> {
        let tag = self.vault.keys.identity_tag(kind as u8, number);
        let (first, last) = all_of(&tag);
        self.read(|txn| records_in(txn.look_in(IDENTITY)?.range::<&[u8; 32]>(&first..=&last)?, limit))
    }

    /// Every identity number that two or more records have.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn duplicates(&self) -> Result<Vec<Duplicate>, StoreError> {
        self.read(|txn| {
            let table = txn.look_in(DUPLICATE)?;
            let identities = txn.look_in(IDENTITY)?;
            let duplicates = table.all()?.map(|row| {
                let (tag, kind) = row?;
                let kind = match kind.value() {
                    0 => IdentityKind::Nik,
                    1 => IdentityKind::Kk,
                    _ => return Err(StoreError::damaged(&DUPLICATE, tag.value())),
                };
                let (first, last) = all_of(tag.value());
                let held = identities.range::<&[u8; 32]>(&first..=&last)?;
                Ok(Duplicate { kind, records: records_in(held, usize::MAX)? })
            });
            let mut duplicates = duplicates.collect::<Result<Vec<_>, StoreError>>()?;
            duplicates.sort_unstable();
            Ok(duplicates)
        })
    }
}

/// Puts the tags of a record in place of those it had.
pub(crate) fn put_identities(
    txn: &Staging,
    record: &[u8; 16],
    mut tags: BTreeMap<[u8; 16], u8>,
) -> Result<(), StoreError> {
    let held = tags_of(txn, record)?;
    // Most changes leave the numbers as they were, and three tables alone.
    if held.iter().eq(tags.keys()) {
        return Ok(());
    }
    let mut own = txn.open_table(RECORD_IDENTITY)?;
    let mut identities = txn.open_table(IDENTITY)?;
    let mut duplicates = txn.open_table(DUPLICATE)?;
    for tag in held {
        if tags.remove(&tag).is_none() {
            own.remove(&pair(record, &tag))?;
            identities.remove(&pair(&tag, record))?;
            if !are_two(&identities, &tag)? {
                duplicates.remove(&tag)?;
            }
        }
    }
    for (tag, kind) in tags {
        own.insert(&pair(record, &tag), ())?;
        identities.insert(&pair(&tag, record), kind)?;
        if are_two(&identities, &tag)? {
            duplicates.insert(&tag, kind)?;
        }
    }
    Ok(())
}

/// The tags that a record has, ascending.
fn tags_of(txn: &Staging, record: &[u8; 16]) -> Result<Vec<[u8; 16]>, StoreError> {
    let (first, last) = all_of(record);
    let own = txn.look_in(RECORD_IDENTITY)?;
    own.range::<&[u8; 32]>(&first..=&last)?.map(|row| Ok(second(row?.0.value()))).collect()
}

/// Whether two records have this number.
fn are_two(
    identities: &impl ReadableTable<&'static [u8; 32], u8>,
    tag: &[u8; 16],
) -> Result<bool, StoreError> {
    let (first, last) = all_of(tag);
    Ok(records_in(identities.range::<&[u8; 32]>(&first..=&last)?, 2)?.len() == 2)
}

/// The records of these rows of [`IDENTITY`].
fn records_in(rows: Range<'_, &'static [u8; 32], u8>, limit: usize) -> Result<Vec<RecordId>, StoreError> {
    rows.take(limit).map(|row| record_of(&second(row?.0.value()))).collect()
}

/// The first and the last pair that can begin with this.
fn all_of(first: &[u8; 16]) -> ([u8; 32], [u8; 32]) {
    (pair(first, &[0; 16]), pair(first, &[0xff; 16]))
}

fn pair(first: &[u8; 16], second: &[u8; 16]) -> [u8; 32] {
    [*first, *second].concat().try_into().expect("16 and 16 bytes are 32")
}

fn second(pair: &[u8; 32]) -> [u8; 16] {
    let (_, second) = pair.split_last_chunk().expect("32 bytes hold 16");
    *second
}
