//! Release: what is held of a sub-SLS that this device may read no more is taken out, once others are proved
//! to hold it: changes, their records with keys and views, what waits, and the statements about work there.
//! The places in the log stay, empty, so that none is filled twice; receipts stay, for they prove what was
//! delivered. Whether it may be released is not judged here.

use std::collections::{BTreeMap, BTreeSet};

use redb::ReadableTable;
use rukun_change::{ChangeId, DeviceKey, RecordId, SignedChange, SubSls};

use crate::derived::put_identities;
use crate::entry::RELEASED_ENTRY;
use crate::erasure::owe_renewal;
use crate::fault::StoreError;
use crate::index::record_of;
use crate::receipts::HeldItem;
use crate::rows::all_in;
use crate::staging::Staging;
use crate::store::{Memory, Store};
use crate::tables::{
    ABOUT, ALONE, AUTHOR, CAUSE, CHANGE, DERIVED, ENTRY, ERASED, FINGERPRINT, LOG, PROOF, RECORD, RELEASED,
    STALE, STATEMENT,
};

/// A record that was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// Which.
    pub record: RecordId,
    /// How many changes of it were held.
    pub changes: u64,
    /// How many of these were made here.
    pub own: u64,
}

impl Store {
    /// Releases all that is held of a sub-SLS, and gives the records of which anything was.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn release(&mut self, home: &SubSls) -> Result<Vec<Released>, StoreError> {
        let items = self.items(home)?;
        let waiting = self.waiting_in(home)?;
        if items.is_empty() && waiting.is_empty() {
            return Ok(Vec::new());
        }
        let released = self.counted(&items)?;
        self.write(|txn, _, memory| {
            take_from_log(txn, &items)?;
            take_records(txn, home)?;
            take_indexes(txn, home)?;
            memory.forget_place(home);
            for (from, id) in &waiting {
                memory.forget_waiting(txn, from, id)?;
            }
            let mut table = txn.open_table(RELEASED)?;
            for line in &released {
                table.insert(&line.record.to_bytes(), (line.changes, line.own))?;
            }
            owe_renewal(txn)
        })?;
        Ok(released)
    }

    /// The records that were released and are not held again, ascending.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn released(&self) -> Result<Vec<Released>, StoreError> {
        self.read(|txn| {
            let (held, erased) = (txn.look_in(RECORD)?, txn.look_in(ERASED)?);
            let mut lines = Vec::new();
            for row in txn.look_in(RELEASED)?.all()? {
                let (record, counts) = row?;
                if held.get(record.value())?.is_none() && erased.get(record.value())?.is_none() {
                    let (changes, own) = counts.value();
                    lines.push(Released { record: record_of(record.value())?, changes, own });
                }
            }
            Ok(lines)
        })
    }

    /// How many of these changes each record has.
    fn counted(&self, items: &[HeldItem]) -> Result<Vec<Released>, StoreError> {
        let mut lines: BTreeMap<RecordId, (u64, u64)> = BTreeMap::new();
        self.read(|txn| {
            for item in items.iter().filter(|item| item.is_change) {
                let found = self.find(txn, &ChangeId::from_bytes(item.id))?;
                let (_, record) = found.ok_or_else(|| StoreError::damaged(&CHANGE, &item.id))?;
                let (changes, own) = lines.entry(record).or_default();
                *changes += 1;
                *own += u64::from(item.own);
            }
            Ok(())
        })?;
        let line = |(record, (changes, own))| Released { record, changes, own };
        Ok(lines.into_iter().map(line).collect())
    }

    /// What waits of a sub-SLS, by who brought it. Only the values tell of where it is.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn waiting_in(&self, home: &SubSls) -> Result<Vec<(DeviceKey, ChangeId)>, StoreError> {
        let is_there = |bytes: &[u8]| {
            SignedChange::from_bytes(bytes).is_ok_and(|claim| claim.change.record.home() == *home)
        };
        let waiting = self.waiting()?.into_iter().filter(|(_, _, bytes)| is_there(bytes));
        Ok(waiting.map(|(from, id, _)| (from, id)).collect())
    }
}

/// Empties the places of these items in the log.
fn take_from_log(txn: &Staging, items: &[HeldItem]) -> Result<(), StoreError> {
    let (mut log, mut entries) = (txn.open_table(LOG)?, txn.open_table(ENTRY)?);
    let (mut changes, mut statements) = (txn.open_table(CHANGE)?, txn.open_table(STATEMENT)?);
    for item in items {
        log.remove(item.seq)?;
        entries.insert(item.seq, [RELEASED_ENTRY].as_slice())?;
        if item.is_change {
            changes.remove(&item.id)?;
        } else {
            statements.remove(&item.id)?;
        }
    }
    // A number stands nowhere else: its row is known by its place in the log.
    let places: BTreeSet<[u8; 8]> = items.iter().map(|item| item.seq.to_be_bytes()).collect();
    txn.open_table(AUTHOR)?.retain(|key, ()| key.last_chunk().is_none_or(|place| !places.contains(place)))?;
    Ok(())
}

/// Takes out the records of a sub-SLS, with the keys that open what old pages may still have of them.
fn take_records(txn: &Staging, home: &SubSls) -> Result<(), StoreError> {
    let rows = all_in::<16>(home);
    let mut records = txn.open_table(RECORD)?;
    let held = records.range::<&[u8; 16]>(rows.start()..=rows.end())?;
    for row in held.map(|row| Ok(*row?.0.value())).collect::<Result<Vec<[u8; 16]>, StoreError>>()? {
        records.remove(&row)?;
        txn.open_table(DERIVED)?.remove(&row)?;
        txn.open_table(STALE)?.remove(&row)?;
        put_identities(txn, &row, BTreeMap::new())?;
    }
    txn.open_table(ERASED)?.retain_in::<&[u8; 16], _>(rows.start()..=rows.end(), |_, _| false)?;
    Ok(())
}

fn take_indexes(txn: &Staging, home: &SubSls) -> Result<(), StoreError> {
    let (causes, about, alone) = (all_in::<57>(home), all_in::<40>(home), all_in::<16>(home));
    txn.open_table(CAUSE)?.retain_in::<&[u8; 57], _>(causes.start()..=causes.end(), |_, ()| false)?;
    txn.open_table(ABOUT)?.retain_in::<&[u8; 40], _>(about.start()..=about.end(), |_, _| false)?;
    txn.open_table(ALONE)?.retain_in::<&[u8; 16], _>(alone.start()..=alone.end(), |_, ()| false)?;
    // A proof says up to which place in the log; what comes again lies behind all of them.
    let proofs = all_in::<48>(home);
    txn.open_table(PROOF)?.retain_in::<&[u8; 48], _>(proofs.start()..=proofs.end(), |_, _| false)?;
    txn.open_table(FINGERPRINT)?.remove(home.as_bytes())?;
    Ok(())
}

impl Memory {
    fn forget_place(&mut self, home: &SubSls) {
        self.fingerprints.remove(home);
        self.grown.remove(home);
        self.alone.remove(home);
        self.about.retain(|_, about| about != home);
        self.erased.retain(|record, _| record.home() != *home);
    }
}
