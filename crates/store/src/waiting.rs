//! Changes that wait for a grant or a cause: outside the set, in no index and no fingerprint, kept
//! by the peer that sent them. How many one peer may leave here is the caller's to bound.

use redb::{ReadableTable, WriteTransaction};
use rukun_change::{ChangeId, DeviceKey, RecordId, SignedChange};

use crate::fault::StoreError;
use crate::store::{Memory, Store};
use crate::tables::WAITING;

impl Store {
    /// Keeps a change that waits.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn put_waiting(&mut self, from: &DeviceKey, id: &ChangeId, bytes: &[u8]) -> Result<(), StoreError> {
        let row = key(from, id);
        self.write(|txn, vault, memory| {
            let sealed = vault.keys.waiting.seal(&mut vault.entropy, &WAITING, &row, bytes);
            if txn.open_table(WAITING)?.insert(&row, sealed.as_slice())?.is_none() {
                *memory.waiting.entry(*from).or_default() += 1;
            }
            Ok(())
        })
    }

    /// Everything that waits, by peer and id.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn waiting(&self) -> Result<Vec<(DeviceKey, ChangeId, Vec<u8>)>, StoreError> {
        self.read(|txn| {
            let table = txn.open_table(WAITING)?;
            let waiting = table.iter()?.map(|row| {
                let (row, sealed) = row?;
                let bytes = self.vault.keys.waiting.open(&WAITING, row.value(), sealed.value())?;
                let (from, id) = row.value().split_first_chunk().expect("64 bytes hold 32");
                let id = id.try_into().expect("64 bytes hold 32 and 32");
                Ok((DeviceKey::from_bytes(*from), ChangeId::from_bytes(id), bytes))
            });
            waiting.collect()
        })
    }

    /// The changes of a record that wait. Only the values tell whose they are.
    pub(crate) fn waiting_of(&self, record: &RecordId) -> Result<Vec<(DeviceKey, ChangeId)>, StoreError> {
        let is_of_it =
            |bytes: &[u8]| SignedChange::from_bytes(bytes).is_ok_and(|claim| claim.change.record == *record);
        let mut waiting = self.waiting()?;
        waiting.retain(|(_, _, bytes)| is_of_it(bytes));
        Ok(waiting.into_iter().map(|(from, id, _)| (from, id)).collect())
    }

    /// Forgets a change that waited; whether it was there.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn remove_waiting(&mut self, from: &DeviceKey, id: &ChangeId) -> Result<bool, StoreError> {
        if self.waiting_count(from) == 0 {
            return Ok(false);
        }
        self.write(|txn, _, memory| memory.forget_waiting(txn, from, id))
    }

    /// How many changes from this peer wait.
    pub fn waiting_count(&self, from: &DeviceKey) -> usize {
        self.memory.waiting.get(from).copied().unwrap_or_default()
    }
}

impl Memory {
    pub(crate) fn forget_waiting(
        &mut self,
        txn: &WriteTransaction,
        from: &DeviceKey,
        id: &ChangeId,
    ) -> Result<bool, StoreError> {
        let removed = txn.open_table(WAITING)?.remove(&key(from, id))?.is_some();
        if let Some(count) = self.waiting.get_mut(from).filter(|_| removed) {
            *count -= 1;
            if *count == 0 {
                self.waiting.remove(from);
            }
        }
        Ok(removed)
    }
}

fn key(from: &DeviceKey, id: &ChangeId) -> [u8; 64] {
    let key = [*from.as_bytes(), *id.as_bytes()].concat();
    key.try_into().expect("32 and 32 bytes are 64")
}
