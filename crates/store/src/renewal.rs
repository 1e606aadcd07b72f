//! A store is made anew under another data key: it holds what it held, and neither the new key nor anything
//! sealed under it opens what was erased in the file before or in a copy of that. So what was erased is
//! gone once the old key is. What a record's own key seals goes over as it is; the tags of people and of
//! numbers are made anew, the numbers' by whoever puts the views again.

use std::collections::BTreeSet;

use rand_chacha::ChaCha20Rng;
use redb::{
    Key, ReadTransaction, ReadableTable, StorageBackend, TableDefinition, TableHandle, WriteTransaction,
};
use zeroize::Zeroizing;

use crate::copy::{copy_table, fill, lock_rows, table_in};
use crate::entry::EntryKind;
use crate::erasure::ERASURES;
use crate::fault::{OpenError, StoreError};
use crate::keys::{Keys, Unlock};
use crate::open::Header;
use crate::seal::SealKey;
use crate::store::{Memory, Store};
use crate::tables::{
    self, BLOB, COUNTER, DUPLICATE, ENTRY, ERASED, HEADER, HEADER_COPY, IDENTITY, INVITATION, INVITED, LOG,
    PEER, RECORD, RECORD_IDENTITY, SETTING, STALE, WAITING,
};

/// Which of the keys under a data key.
type Which = fn(&Keys) -> &SealKey;

impl Store {
    /// Writes what is durable here into an empty backend, under a new data key that `new` opens. What is
    /// staged is left out. `person` gives what the person of an invitation is known by; where it gives
    /// nothing, the invitation is found by its id alone. Every record is stale in the new store, and its
    /// numbers are found again once its view is put.
    ///
    /// # Errors
    /// [`OpenError::NotEmpty`] if the backend holds anything, or if `old` does not open this store, a row
    /// is damaged or a medium fails.
    pub fn renew_to(
        &self,
        backend: impl StorageBackend,
        old: Unlock<'_>,
        new: Unlock<'_>,
        person: impl Fn(&[u8]) -> Option<Vec<u8>>,
        entropy: &mut ChaCha20Rng,
    ) -> Result<(), OpenError> {
        let from = self.durable()?;
        let header = Header::read(&from)?;
        let old = Keys::derive(&header.data_key(old)?);
        let data_key = SealKey::random(entropy);
        let lock = lock_rows(&data_key, new, entropy)?;
        let new = Keys::derive(&data_key);
        fill(backend, |to| {
            let mut renewal = Renewal { from: &from, to, old, new, entropy };
            let seed =
                renewal.seal_anew(&HEADER, b"device_seed", &header.device_seed, |keys| &keys.header)?;
            renewal.write_headers(&[&lock[..], &[("device_seed", seed)]].concat())?;
            renewal.copy_tables()?;
            renewal.seal_tables()?;
            renewal.write_log(&self.memory)?;
            renewal.write_counters()?;
            renewal.write_invited(&person)?;
            renewal.write_derived()
        })
    }
}

/// A new file on its way.
struct Renewal<'a> {
    from: &'a ReadTransaction,
    to: &'a WriteTransaction,
    old: Keys,
    new: Keys,
    entropy: &'a mut ChaCha20Rng,
}

impl Renewal<'_> {
    /// What lies open, and the views, which their records' keys seal.
    fn copy_tables(&self) -> Result<(), StoreError> {
        let (from, to) = (self.from, self.to);
        macro_rules! copy {
            ($($table:ident)*) => {$( copy_table(from, to, tables::$table)?; )*};
        }
        copy!(ABOUT ALONE AUTHOR BLOB_STATE CAUSE CHANGE DERIVED DEVICE ENTRY ERASED FINGERPRINT PROOF);
        copy!(RECEIPT RELEASED STATEMENT SUM);
        Ok(())
    }

    fn seal_tables(&mut self) -> Result<(), StoreError> {
        self.seal_table(BLOB, |keys| &keys.blob)?;
        self.seal_table(INVITATION, |keys| &keys.invitation)?;
        self.seal_table(PEER, |keys| &keys.peer)?;
        self.seal_table(RECORD, |keys| &keys.record)?;
        self.seal_table(SETTING, |keys| &keys.setting)?;
        self.seal_table(WAITING, |keys| &keys.waiting)
    }

    fn seal_table<K: Key + 'static>(
        &mut self,
        table: TableDefinition<K, &'static [u8]>,
        which: Which,
    ) -> Result<(), StoreError> {
        let (from, to) = (self.from, self.to);
        write_table(from, to, table, |key, sealed| {
            self.seal_anew(&table, K::as_bytes(key).as_ref(), sealed, which)
        })
    }

    /// The same value under the new key.
    fn seal_anew(
        &mut self,
        table: &impl TableHandle,
        row: &[u8],
        sealed: &[u8],
        which: Which,
    ) -> Result<Vec<u8>, StoreError> {
        let plain = Zeroizing::new(which(&self.old).open(table, row, sealed)?);
        Ok(which(&self.new).seal(self.entropy, table, row, &plain))
    }

    /// The header and its copy, with these rows in the place of those that the old keys sealed.
    fn write_headers(&self, rows: &[(&str, Vec<u8>)]) -> Result<(), StoreError> {
        for table in [HEADER, HEADER_COPY] {
            let mut target = self.to.open_table(table)?;
            for (name, value) in rows {
                target.insert(name, value.as_slice())?;
            }
            let Some(source) = table_in(self.from, table)? else { continue };
            for row in source.iter()? {
                let (name, value) = row?;
                if !rows.iter().any(|(new, _)| *new == name.value()) {
                    target.insert(name.value(), value.value())?;
                }
            }
        }
        Ok(())
    }

    fn write_log(&mut self, memory: &Memory) -> Result<(), StoreError> {
        let (from, to) = (self.from, self.to);
        let entries = from.open_table(ENTRY)?;
        let mut erased = BTreeSet::new();
        if let Some(table) = table_in(from, ERASED)? {
            for row in table.iter()? {
                erased.insert(*row?.0.value());
            }
        }
        write_table(from, to, LOG, |seq, sealed| {
            let row = seq.to_be_bytes();
            let entry = entries.get(*seq)?.ok_or_else(|| StoreError::damaged(&ENTRY, &row))?;
            match memory.entry(*seq, entry.value())?.kind {
                EntryKind::Change { record, .. } if !erased.contains(&record.to_bytes()) => {
                    Ok(sealed.to_vec())
                }
                EntryKind::Change { .. } => self.seal_anew(&LOG, &row, sealed, |keys| &keys.stub),
                EntryKind::Statement { .. } | EntryKind::Receipt { .. } => {
                    self.seal_anew(&LOG, &row, sealed, |keys| &keys.statement)
                }
                EntryKind::Released => Err(StoreError::damaged(&ENTRY, &row)),
            }
        })
    }

    /// All but how many records were erased: in the new file none was.
    fn write_counters(&self) -> Result<(), StoreError> {
        let mut counters = self.to.open_table(COUNTER)?;
        for row in self.from.open_table(COUNTER)?.iter()? {
            let (name, count) = row?;
            if name.value() != ERASURES {
                counters.insert(name.value(), count.value())?;
            }
        }
        Ok(())
    }

    /// Which invitation is a person's latest, under new tags. The old ones tell nothing of the person.
    fn write_invited(&self, person: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Result<(), StoreError> {
        let mut target = self.to.open_table(INVITED)?;
        let Some(invited) = table_in(self.from, INVITED)? else { return Ok(()) };
        let invitations = self.from.open_table(INVITATION)?;
        for row in invited.iter()? {
            let (_, id) = row?;
            let Some(sealed) = invitations.get(id.value())? else { continue };
            let bytes = self.old.invitation.open(&INVITATION, id.value(), sealed.value())?;
            if let Some(person) = person(&Zeroizing::new(bytes)) {
                target.insert(&self.new.person_tag(&person), id.value())?;
            }
        }
        Ok(())
    }

    /// Every record as one whose view must be put again, and nothing that views put.
    fn write_derived(&self) -> Result<(), StoreError> {
        self.to.open_table(IDENTITY)?;
        self.to.open_table(RECORD_IDENTITY)?;
        self.to.open_table(DUPLICATE)?;
        let mut stale = self.to.open_table(STALE)?;
        for row in self.from.open_table(RECORD)?.iter()? {
            stale.insert(row?.0.value(), ())?;
        }
        Ok(())
    }
}

/// Writes a table whose rows have the same keys and other values.
fn write_table<K: Key + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<K, &'static [u8]>,
    mut value: impl FnMut(&K::SelfType<'_>, &[u8]) -> Result<Vec<u8>, StoreError>,
) -> Result<(), StoreError> {
    let Some(source) = table_in(from, table)? else { return Ok(()) };
    let mut target = to.open_table(table)?;
    for row in source.iter()? {
        let (key, sealed) = row?;
        let (key, sealed) = (key.value(), sealed.value());
        let made = value(&key, sealed)?;
        target.insert(key, made.as_slice())?;
    }
    Ok(())
}
