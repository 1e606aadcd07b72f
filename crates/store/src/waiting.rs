//! Changes that wait for a grant or a cause: outside the set, in no index and no fingerprint, kept
//! by the peer that sent them. How many one peer may leave here is the caller's to bound.

use rukun_change::{ChangeId, DeviceKey, RecordId, SignedChange};

use crate::fault::StoreError;
use crate::staging::Staging;
use crate::store::{Memory, Store};
use crate::tables::WAITING;
use crate::waits::Waits;

impl Store {
    /// Keeps a change that waits.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn put_waiting(&mut self, from: &DeviceKey, id: &ChangeId, bytes: &[u8]) -> Result<(), StoreError> {
        let row = key(from, id);
        self.write(|txn, vault, memory| {
            let sealed = vault.keys.waiting.seal(&mut vault.entropy, &WAITING, &row, bytes);
            let mut table = txn.open_table(WAITING)?;
            let before = table.insert(&row, sealed.as_slice())?;
            if let Some(before) = before {
                memory.waiting.forget(from, before.value().len());
            }
            memory.waiting.note(from, sealed.len());
            Ok(())
        })
    }

    /// Everything that waits, by peer and id.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn waiting(&self) -> Result<Vec<(DeviceKey, ChangeId, Vec<u8>)>, StoreError> {
        self.read(|txn| {
            let table = txn.look_in(WAITING)?;
            let waiting = table.all()?.map(|row| {
                let (row, sealed) = row?;
                let bytes = self.vault.keys.waiting.open(&WAITING, row.value(), sealed.value())?;
                let (from, id) = row.value().split_first_chunk().expect("64 bytes hold 32");
                let id = id.try_into().expect("64 bytes hold 32 and 32");
                Ok((DeviceKey::from_bytes(*from), ChangeId::from_bytes(id), bytes))
            });
            waiting.collect()
        })
    }

    /// One that waits.
    ///
    /// # Errors
    /// If the medium fails or the row is damaged.
    pub fn waiting_change(&self, from: &DeviceKey, id: &ChangeId) -> Result<Option<Vec<u8>>, StoreError> {
        let row = key(from, id);
        self.read(|txn| {
            let table = txn.look_in(WAITING)?;
            let sealed = table.get(&row)?;
            sealed.map(|sealed| self.vault.keys.waiting.open(&WAITING, &row, sealed.value())).transpose()
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
        if self.waits_of(from).changes == 0 {
            return Ok(false);
        }
        self.write(|txn, _, memory| memory.forget_waiting(txn, from, id))
    }

    /// What this peer has left here.
    pub fn waits_of(&self, from: &DeviceKey) -> Waits {
        self.memory.waiting.of(from)
    }
}

impl Memory {
    pub(crate) fn forget_waiting(
        &mut self,
        txn: &Staging,
        from: &DeviceKey,
        id: &ChangeId,
    ) -> Result<bool, StoreError> {
        let mut table = txn.open_table(WAITING)?;
        let removed = table.remove(&key(from, id))?.map(|sealed| sealed.value().len());
        if let Some(bytes) = removed {
            self.waiting.forget(from, bytes);
        }
        Ok(removed.is_some())
    }
}

fn key(from: &DeviceKey, id: &ChangeId) -> [u8; 64] {
    let key = [*from.as_bytes(), *id.as_bytes()].concat();
    key.try_into().expect("32 and 32 bytes are 64")
}
