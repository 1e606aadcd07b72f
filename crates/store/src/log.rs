//! The log: admitted changes and statements are appended, dense and in one sequence, each sealed,
//! with the index rows that find them again. Nothing is taken out here; of an erased record's changes
//! `erasure` leaves the headers where they stood, and `release` leaves places empty.

use std::ops::Bound;

use rukun_authority::{AdmittedChange, AdmittedHeader};
use rukun_change::{ChangeId, DeviceKey, RecordId};

use crate::entry::{EntryKind, LogEntry};
use crate::fault::StoreError;
use crate::index::{author_key, cause_key, record_places};
use crate::seal::SealKey;
use crate::staging::{Rows, Staging};
use crate::store::{Memory, Store};
use crate::tables::{AUTHOR, CAUSE, CHANGE, ENTRY, LOG, RECORD, STALE};

/// How many entries of the log are looked at together.
const WALKED_ENTRIES_MAX: usize = 4_096;

impl Store {
    /// Appends a change, unless it is held, and gives its place in the log.
    ///
    /// # Errors
    /// [`StoreError::Erased`] if the record was erased: a stub is appended in its place. Else if the medium
    /// fails or the record's key is damaged.
    pub fn append_change(
        &mut self,
        change: &AdmittedChange,
        from: Option<&DeviceKey>,
    ) -> Result<Option<u64>, StoreError> {
        if self.has_change(&change.id())? {
            return Ok(None);
        }
        let record = change.change().record;
        if self.erased(&record).is_some() {
            return Err(StoreError::Erased { record });
        }
        let held = self.record_key(&record)?;
        self.write(|txn, vault, memory| {
            let key = match held {
                Some(key) => key,
                None => vault.new_record_key(txn, &record)?,
            };
            let row = (memory.head + 1).to_be_bytes();
            let sealed = key.seal(&mut vault.entropy, &LOG, &row, &change.signed().to_bytes());
            txn.open_table(STALE)?.insert(&record.to_bytes(), ())?;
            memory.append(txn, &change.to_header(), &sealed, from).map(Some)
        })
    }

    /// The last place in the log, what is staged included; 0 if it is empty.
    pub fn head(&self) -> u64 {
        self.memory.head
    }

    /// What stands in the log after this place, in order. Nothing is unsealed.
    ///
    /// # Errors
    /// If the medium fails or an entry is damaged.
    pub fn scan(&self, after: u64, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        self.read(|txn| {
            let table = txn.look_in(ENTRY)?;
            let rows = table.range::<u64>((Bound::Excluded(after), Bound::Unbounded))?;
            let entries = rows.take(limit).map(|row| {
                let (seq, entry) = row?;
                self.memory.entry(seq.value(), entry.value())
            });
            entries.collect()
        })
    }

    /// Shows all that stands in the log after this place, in order. Not all of it is in memory at once.
    ///
    /// # Errors
    /// If the medium fails or an entry is damaged.
    pub fn walk(&self, mut after: u64, mut show: impl FnMut(&LogEntry)) -> Result<(), StoreError> {
        loop {
            let entries = self.scan(after, WALKED_ENTRIES_MAX)?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = last.seq;
            entries.iter().for_each(&mut show);
        }
    }

    /// A change, if it is held and its record was not erased.
    ///
    /// # Errors
    /// If the medium fails or the row is damaged.
    pub fn change(&self, id: &ChangeId) -> Result<Option<AdmittedChange>, StoreError> {
        self.read(|txn| {
            let Some((seq, record)) = self.find(txn, id)? else { return Ok(None) };
            if self.erased(&record).is_some() {
                return Ok(None);
            }
            let key = self.vault.record_key(txn, &record)?;
            let key = key.ok_or_else(|| StoreError::damaged(&RECORD, &record.to_bytes()))?;
            let change = self.recall(&txn.look_in(LOG)?, seq, &key)?;
            let same = change.id() == *id;
            same.then_some(Some(change)).ok_or_else(|| StoreError::damaged(&CHANGE, id.as_bytes()))
        })
    }

    /// All changes of a record, in log order; none if it was erased.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn record_changes(&self, record: &RecordId) -> Result<Vec<AdmittedChange>, StoreError> {
        self.read(|txn| {
            let Some(key) = self.vault.record_key(txn, record)? else { return Ok(Vec::new()) };
            let places = record_places(txn, record)?;
            let log = txn.look_in(LOG)?;
            places.into_iter().map(|seq| self.recall(&log, seq, &key)).collect()
        })
    }

    /// Whether a change is held.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn has_change(&self, id: &ChangeId) -> Result<bool, StoreError> {
        self.read(|txn| Ok(txn.look_in(CHANGE)?.get(id.as_bytes())?.is_some()))
    }

    /// Where in the log a change stands, if it is held.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn change_seq(&self, id: &ChangeId) -> Result<Option<u64>, StoreError> {
        self.read(|txn| Ok(txn.look_in(CHANGE)?.get(id.as_bytes())?.map(|seq| seq.value())))
    }

    /// How many changes are held.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn change_count(&self) -> Result<u64, StoreError> {
        self.read(|txn| Ok(txn.look_in(CHANGE)?.len()?))
    }

    /// A record's own key, if it has one.
    pub(crate) fn record_key(&self, record: &RecordId) -> Result<Option<SealKey>, StoreError> {
        self.read(|txn| self.vault.record_key(txn, record))
    }

    /// Where a change stands that is held, whole or as a stub, and of which record it is.
    pub(crate) fn find(&self, txn: &Staging, id: &ChangeId) -> Result<Option<(u64, RecordId)>, StoreError> {
        let Some(seq) = txn.look_in(CHANGE)?.get(id.as_bytes())?.map(|seq| seq.value()) else {
            return Ok(None);
        };
        let damaged = || StoreError::damaged(&ENTRY, &seq.to_be_bytes());
        let entries = txn.look_in(ENTRY)?;
        let entry = entries.get(seq)?.ok_or_else(damaged)?;
        match self.memory.entry(seq, entry.value())?.kind {
            EntryKind::Change { record, .. } => Ok(Some((seq, record))),
            _ => Err(damaged()),
        }
    }

    fn recall(
        &self,
        log: &Rows<'_, u64, &'static [u8]>,
        seq: u64,
        key: &SealKey,
    ) -> Result<AdmittedChange, StoreError> {
        let row = seq.to_be_bytes();
        let survey = self.identity.survey.ok_or(StoreError::NoSurvey)?;
        let sealed = log.get(seq)?.ok_or_else(|| StoreError::damaged(&LOG, &row))?;
        let bytes = key.open(&LOG, &row, sealed.value())?;
        AdmittedChange::recall(&bytes, &survey).map_err(|source| StoreError::Recall { seq, source })
    }
}

impl crate::store::Vault {
    fn record_key(&self, txn: &Staging, record: &RecordId) -> Result<Option<SealKey>, StoreError> {
        let row = record.to_bytes();
        let table = txn.look_in(RECORD)?;
        let sealed = table.get(&row)?;
        sealed.map(|sealed| self.keys.record.open_key(&RECORD, &row, sealed.value())).transpose()
    }

    fn new_record_key(&mut self, txn: &Staging, record: &RecordId) -> Result<SealKey, StoreError> {
        let row = record.to_bytes();
        let key = SealKey::random(&mut self.entropy);
        let sealed = self.keys.record.seal(&mut self.entropy, &RECORD, &row, key.bytes());
        txn.open_table(RECORD)?.insert(&row, sealed.as_slice())?;
        Ok(key)
    }
}

impl Memory {
    /// Puts a sealed change or stub at the end of the log, with the rows that find it again.
    pub(crate) fn append(
        &mut self,
        txn: &Staging,
        change: &AdmittedHeader,
        sealed: &[u8],
        from: Option<&DeviceKey>,
    ) -> Result<u64, StoreError> {
        let (id, header, seq) = (change.id(), change.header(), self.head + 1);
        let (record, home) = (header.record, header.record.home());
        txn.open_table(LOG)?.insert(seq, sealed)?;
        let from = self.number_from(txn, from)?;
        let entry = [&[0][..], id.as_bytes(), &record.to_bytes(), &from.to_be_bytes()].concat();
        txn.open_table(ENTRY)?.insert(seq, entry.as_slice())?;
        txn.open_table(CHANGE)?.insert(id.as_bytes(), seq)?;
        txn.open_table(CAUSE)?.insert(&cause_key(&record, header.ink, &header.cause, seq), ())?;
        let device = self.number_of(txn, &header.author.device)?;
        let number = author_key(device, &header.author.incarnation, header.n, seq);
        txn.open_table(AUTHOR)?.insert(&number, ())?;
        if from == 0 {
            self.made_here(txn, &home, seq)?;
        }
        self.fingerprints.entry(home).or_default().insert(id.as_bytes());
        self.grown.insert(home);
        self.head = seq;
        Ok(seq)
    }

    pub(crate) fn number_from(&mut self, txn: &Staging, from: Option<&DeviceKey>) -> Result<u32, StoreError> {
        from.map_or(Ok(0), |from| self.number_of(txn, from))
    }
}
