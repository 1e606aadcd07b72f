//! Which changes nobody else is known to hold: those made here, until a peer has acknowledged them, was
//! found to hold the same, or a receipt covers them. What came from a peer is held by that peer.

use rukun_change::SubSls;

use crate::entry::EntryKind;
use crate::fault::StoreError;
use crate::rows::{home_of, key_in, place_of};
use crate::staging::Staging;
use crate::store::{Memory, Store};
use crate::tables::{ALONE, ENTRY};

impl Store {
    /// How many changes nobody else is known to hold.
    pub fn alone_count(&self) -> u64 {
        self.memory.alone.values().sum()
    }

    /// Where in the log the changes of a sub-SLS stand that nobody else is known to hold, ascending.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn alone_in(&self, home: &SubSls) -> Result<Vec<u64>, StoreError> {
        if !self.memory.alone.contains_key(home) {
            return Ok(Vec::new());
        }
        self.read(|txn| {
            let table = txn.look_in(ALONE)?;
            let rows = table.range::<&[u8; 16]>(&key(home, 0)..=&key(home, u64::MAX))?;
            rows.map(|row| place_of(&ALONE, row?.0.value())).collect()
        })
    }

    /// Where in the log the oldest change stands that nobody else is known to hold.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn alone_first(&self) -> Result<Option<u64>, StoreError> {
        let mut first = None;
        for home in self.memory.alone.keys() {
            let seq = self.alone_in(home)?.into_iter().next();
            first = first.into_iter().chain(seq).min();
        }
        Ok(first)
    }

    /// Somebody else holds what was made here at this place in the log.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn held_elsewhere(&mut self, home: &SubSls, seq: u64) -> Result<(), StoreError> {
        self.not_alone(home, vec![seq])
    }

    /// Somebody else holds all that was made here of this sub-SLS, up to a place in the log.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn held_elsewhere_upto(&mut self, home: &SubSls, upto: u64) -> Result<(), StoreError> {
        let held = self.alone_in(home)?;
        self.not_alone(home, held.into_iter().take_while(|seq| *seq <= upto).collect())
    }

    fn not_alone(&mut self, home: &SubSls, places: Vec<u64>) -> Result<(), StoreError> {
        if places.is_empty() || !self.memory.alone.contains_key(home) {
            return Ok(());
        }
        self.write(|txn, _, memory| {
            let mut table = txn.open_table(ALONE)?;
            for seq in places {
                if table.remove(&key(home, seq))?.is_some() {
                    let left = memory.alone.entry(*home).or_default();
                    *left = left.saturating_sub(1);
                }
            }
            memory.alone.retain(|_, left| *left > 0);
            Ok(())
        })
    }
}

impl Memory {
    /// A change was made here.
    pub(crate) fn made_here(&mut self, txn: &Staging, home: &SubSls, seq: u64) -> Result<(), StoreError> {
        txn.open_table(ALONE)?.insert(&key(home, seq), ())?;
        *self.alone.entry(*home).or_default() += 1;
        Ok(())
    }

    /// Counts what is alone. A store of an earlier program does not say: there, everything made here is,
    /// until peers say otherwise.
    pub(crate) fn load_alone(&mut self, txn: &Staging) -> Result<(), StoreError> {
        if txn.lacks(ALONE)? {
            let entries = txn.look_in(ENTRY)?;
            for row in entries.all()? {
                let (seq, entry) = row?;
                let entry = self.entry(seq.value(), entry.value())?;
                if let (EntryKind::Change { record, .. }, None) = (entry.kind, entry.from) {
                    txn.open_table(ALONE)?.insert(&key(&record.home(), entry.seq), ())?;
                }
            }
        }
        for row in txn.look_in(ALONE)?.all()? {
            let (key, _) = row?;
            *self.alone.entry(home_of(&ALONE, key.value())?).or_default() += 1;
        }
        Ok(())
    }
}

/// The key of a row in [`ALONE`].
fn key(home: &SubSls, seq: u64) -> [u8; 16] {
    key_in(home, &[&seq.to_be_bytes()])
}
