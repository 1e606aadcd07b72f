//! Erasure of a whole record: its key is destroyed, and each of its changes becomes its *stub*, the signed
//! header without the answers, in the same place and under the same id. So what peers compare stays as it
//! was, and nothing of the family is left but that there was one. Pages that the file has freed may still
//! hold what was there: `renewal` makes the file anew. Who may erase is not judged here.

use std::collections::BTreeMap;

use redb::ReadableTable;
use rukun_authority::{AdmittedChange, AdmittedHeader};
use rukun_change::{ChangeId, DeviceKey, RecordId, StatementId};

use crate::derived::put_identities;
use crate::fault::StoreError;
use crate::index::{record_of, record_places};
use crate::staging::{Rows, Staging};
use crate::store::{Memory, Store, Vault};
use crate::tables::{CHANGE, COUNTER, DERIVED, ERASED, LOG, RECORD, STALE};

/// The name of the counter of records erased and places released since the file was last made anew.
pub(crate) const ERASURES: &str = "erased";

impl Store {
    /// Erases what is held of a record, and what waits for it, as this statement says. Whether there was
    /// anything left to erase.
    ///
    /// # Errors
    /// If the medium fails or a row of the record is damaged.
    pub fn erase(&mut self, record: &RecordId, by: &StatementId) -> Result<bool, StoreError> {
        if self.erased(record).is_some() {
            return Ok(false);
        }
        let waiting = self.waiting_of(record)?;
        if self.record_key(record)?.is_none() && waiting.is_empty() {
            return Ok(false);
        }
        let places = self.read(|txn| record_places(txn, record))?;
        let stubs = self.record_headers(record)?;
        let row = record.to_bytes();
        self.write(|txn, vault, memory| {
            for (seq, stub) in places.into_iter().zip(&stubs) {
                let sealed = vault.seal_stub(seq, stub);
                txn.open_table(LOG)?.insert(seq, sealed.as_slice())?;
            }
            txn.open_table(RECORD)?.remove(&row)?;
            txn.open_table(DERIVED)?.remove(&row)?;
            txn.open_table(STALE)?.remove(&row)?;
            put_identities(txn, &row, BTreeMap::new())?;
            for (from, id) in &waiting {
                memory.forget_waiting(txn, from, id)?;
            }
            memory.mark_erased(txn, record, by)?;
            owe_renewal(txn)?;
            Ok(true)
        })
    }

    /// Appends the stub of a change of a record that this statement erased, unless the change is held, and
    /// gives its place in the log. Whatever is still held of the record is erased with it.
    ///
    /// # Errors
    /// If the medium fails or a row of the record is damaged.
    pub fn append_stub(
        &mut self,
        stub: &AdmittedHeader,
        by: &StatementId,
        from: Option<&DeviceKey>,
    ) -> Result<Option<u64>, StoreError> {
        let record = stub.header().record;
        self.erase(&record, by)?;
        if self.has_change(&stub.id())? {
            return Ok(None);
        }
        self.write(|txn, vault, memory| {
            memory.mark_erased(txn, &record, by)?;
            let sealed = vault.seal_stub(memory.head + 1, stub);
            memory.append(txn, stub, &sealed, from).map(Some)
        })
    }

    /// The statement by which a record was erased here, if it was.
    pub fn erased(&self, record: &RecordId) -> Option<StatementId> {
        self.memory.erased.get(record).copied()
    }

    /// The header of a change, whether it is held whole or as a stub.
    ///
    /// # Errors
    /// If the medium fails or the row is damaged.
    pub fn header(&self, id: &ChangeId) -> Result<Option<AdmittedHeader>, StoreError> {
        if let Some(change) = self.change(id)? {
            return Ok(Some(change.to_header()));
        }
        self.read(|txn| {
            let Some((seq, _)) = self.find(txn, id)? else { return Ok(None) };
            let stub = self.recall_stub(&txn.look_in(LOG)?, seq)?;
            let same = stub.id() == *id;
            same.then_some(Some(stub)).ok_or_else(|| StoreError::damaged(&CHANGE, id.as_bytes()))
        })
    }

    /// The headers of all changes of a record, erased or not, in log order.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn record_headers(&self, record: &RecordId) -> Result<Vec<AdmittedHeader>, StoreError> {
        if self.erased(record).is_none() {
            return Ok(self.record_changes(record)?.iter().map(AdmittedChange::to_header).collect());
        }
        self.read(|txn| {
            let places = record_places(txn, record)?;
            let log = txn.look_in(LOG)?;
            places.into_iter().map(|seq| self.recall_stub(&log, seq)).collect()
        })
    }

    /// Whether the file has to be made anew by [`Store::renew_to`]: its free pages may still hold what was
    /// erased, and so may old copies of it that today's key opens.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn renewal_due(&self) -> Result<bool, StoreError> {
        self.read(|txn| Ok(txn.look_in(COUNTER)?.get(ERASURES)?.is_some_and(|count| count.value() > 0)))
    }

    /// Another file may hold what was erased, and what opens this one opens it.
    pub(crate) fn set_renewal_due(&mut self) -> Result<(), StoreError> {
        self.write(|txn, _, _| owe_renewal(txn))
    }

    fn recall_stub(
        &self,
        log: &Rows<'_, u64, &'static [u8]>,
        seq: u64,
    ) -> Result<AdmittedHeader, StoreError> {
        let row = seq.to_be_bytes();
        let survey = self.identity.survey.ok_or(StoreError::NoSurvey)?;
        let sealed = log.get(seq)?.ok_or_else(|| StoreError::damaged(&LOG, &row))?;
        let bytes = self.vault.keys.stub.open(&LOG, &row, sealed.value())?;
        AdmittedHeader::recall(&bytes, &survey).map_err(|source| StoreError::Recall { seq, source })
    }
}

impl Vault {
    fn seal_stub(&mut self, seq: u64, stub: &AdmittedHeader) -> Vec<u8> {
        let bytes = stub.signed().to_bytes();
        self.keys.stub.seal(&mut self.entropy, &LOG, &seq.to_be_bytes(), &bytes)
    }
}

impl Memory {
    /// Notes that a record was erased, unless that is known.
    fn mark_erased(&mut self, txn: &Staging, record: &RecordId, by: &StatementId) -> Result<(), StoreError> {
        if !self.erased.contains_key(record) {
            txn.open_table(ERASED)?.insert(&record.to_bytes(), by.as_bytes())?;
            self.erased.insert(*record, *by);
        }
        Ok(())
    }

    pub(crate) fn load_erased(&mut self, txn: &Staging) -> Result<(), StoreError> {
        for row in txn.look_in(ERASED)?.all()? {
            let (record, by) = row?;
            self.erased.insert(record_of(record.value())?, StatementId::from_bytes(*by.value()));
        }
        Ok(())
    }
}

/// Counts what must not be found in the file's free pages.
pub(crate) fn owe_renewal(txn: &Staging) -> Result<(), StoreError> {
    let mut counters = txn.open_table(COUNTER)?;
    let count = counters.get(ERASURES)?.map_or(0, |count| count.value());
    counters.insert(ERASURES, count.saturating_add(1))?;
    Ok(())
}
