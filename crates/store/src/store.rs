//! The store itself: one open write transaction that stages everything, one commit that makes all
//! of it durable, and what is small enough to be kept in memory beside it. What is put into which
//! table is the business of the other modules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use rand_chacha::ChaCha20Rng;
use redb::{Database, ReadTransaction, ReadableDatabase};
use rukun_change::{DeviceKey, Fingerprint, Incarnation, RecordId, StatementId, SubSls, SurveyId};
use zeroize::Zeroizing;

use crate::fault::StoreError;
use crate::keys::Keys;
use crate::metered::Meter;
use crate::rows::home_of;
use crate::staging::Staging;
use crate::tables::{
    ABOUT, CHANGE, COUNTER, DEVICE, ENTRY, FINGERPRINT, HEADER, HEADER_COPY, RECEIPT, RECORD, SETTING, STALE,
    STATEMENT, SUM, WAITING,
};
use crate::waits::Waiting;

/// The name of the counter of this device's own numbers.
const N: &str = "n";
/// The name of the sum of all statements.
const STATEMENTS: &str = "statement";

/// The durable log of one node, its indexes, and what goes with them. Every write is staged and
/// seen by reads at once; [`Store::commit`] makes all that is staged durable, or nothing of it.
/// Dropping the store loses exactly what is staged.
pub struct Store {
    // Dropped before the database that it belongs to.
    txn: Option<Staging>,
    db: Database,
    pub(crate) vault: Vault,
    pub(crate) memory: Memory,
    pub(crate) identity: Identity,
    meter: Arc<Meter>,
    staged: bool,
    /// The first error that left it unusable, in words: whoever got that may have been only one of many callers.
    failed: OnceLock<String>,
}

/// The keys, and the entropy that seals with them.
pub(crate) struct Vault {
    pub(crate) keys: Keys,
    pub(crate) entropy: ChaCha20Rng,
}

/// Who this store belongs to.
pub(crate) struct Identity {
    pub(crate) device_seed: Zeroizing<[u8; 32]>,
    pub(crate) incarnation: Incarnation,
    pub(crate) survey: Option<SurveyId>,
}

/// What mirrors the transaction in memory, because reading it again would cost too much.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) head: u64,
    pub(crate) n: u64,
    pub(crate) numbers: BTreeMap<DeviceKey, u32>,
    pub(crate) devices: BTreeMap<u32, DeviceKey>,
    pub(crate) fingerprints: BTreeMap<SubSls, Fingerprint>,
    pub(crate) grown: BTreeSet<SubSls>,
    pub(crate) statements: Fingerprint,
    pub(crate) statement_head: u64,
    /// Where the statements are about that are held only there.
    pub(crate) about: BTreeMap<StatementId, SubSls>,
    /// Of where the receipts are that are the latest of their issuers, by their place in the log.
    pub(crate) receipts: BTreeMap<u64, SubSls>,
    /// How many changes nobody else is known to hold, by sub-SLS.
    pub(crate) alone: BTreeMap<SubSls, u64>,
    pub(crate) waiting: Waiting,
    /// The records that were erased, and by which statement.
    pub(crate) erased: BTreeMap<RecordId, StatementId>,
    /// Number and sum of statements as they were last written. Each table that a commit touches costs
    /// three pages.
    saved: Option<(u64, Fingerprint)>,
}

/// How large a store is and what it has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Changes in the log.
    pub changes: u64,
    /// Statements in the log.
    pub statements: u64,
    /// Records that have changes.
    pub records: u64,
    /// Records whose derived view is out of date.
    pub stale: u64,
    /// Changes that wait outside the set.
    pub waiting: u64,
    /// The size of the file.
    pub disk_bytes: u64,
    /// Bytes written since the store was opened.
    pub written_bytes: u64,
    /// Times the file was flushed since the store was opened.
    pub syncs: u64,
}

impl Store {
    pub(crate) fn assemble(
        db: Database,
        vault: Vault,
        identity: Identity,
        meter: Arc<Meter>,
    ) -> Result<Self, StoreError> {
        let txn = Staging::begin(&db)?;
        let memory = Memory::load(&txn)?;
        Ok(Self {
            txn: Some(txn),
            db,
            vault,
            memory,
            identity,
            meter,
            staged: false,
            failed: OnceLock::new(),
        })
    }

    /// The secret seed of the device's key.
    pub fn device_seed(&self) -> &[u8; 32] {
        &self.identity.device_seed
    }

    /// The incarnation of this store: what its running number and its log count in.
    pub fn incarnation(&self) -> Incarnation {
        self.identity.incarnation
    }

    /// The survey that this store's changes belong to, once it has been set.
    pub fn survey(&self) -> Option<SurveyId> {
        self.identity.survey
    }

    /// Sets the survey. It is set once: changes of another survey need another store.
    ///
    /// # Errors
    /// [`StoreError::OtherSurvey`] if another is set, or if the medium fails.
    pub fn set_survey(&mut self, survey: &SurveyId) -> Result<(), StoreError> {
        match self.identity.survey {
            Some(held) if held == *survey => return Ok(()),
            Some(held) => return Err(StoreError::OtherSurvey { held }),
            None => {}
        }
        self.write(|txn, _, _| {
            for table in [HEADER, HEADER_COPY] {
                txn.open_table(table)?.insert("survey", survey.as_bytes().as_slice())?;
            }
            Ok(())
        })?;
        self.identity.survey = Some(*survey);
        Ok(())
    }

    /// Starts a new incarnation, as a restored store must before anything is written: the running
    /// number starts again.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn set_incarnation(&mut self, incarnation: Incarnation) -> Result<(), StoreError> {
        self.write(|txn, _, memory| {
            txn.open_table(HEADER)?.insert("incarnation", incarnation.as_bytes().as_slice())?;
            memory.n = 0;
            Ok(())
        })?;
        self.identity.incarnation = incarnation;
        Ok(())
    }

    /// Goes on under another device key and a new incarnation, in one commit with what says so.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn set_device(&mut self, seed: &[u8; 32], incarnation: Incarnation) -> Result<(), StoreError> {
        self.write(|txn, vault, _| {
            let sealed = vault.keys.header.seal(&mut vault.entropy, &HEADER, b"device_seed", seed);
            for table in [HEADER, HEADER_COPY] {
                txn.open_table(table)?.insert("device_seed", sealed.as_slice())?;
            }
            Ok(())
        })?;
        self.identity.device_seed = Zeroizing::new(*seed);
        self.set_incarnation(incarnation)
    }

    /// Takes the next of the device's own running numbers, from 1.
    ///
    /// # Errors
    /// If the medium has failed.
    pub fn next_n(&mut self) -> Result<u64, StoreError> {
        self.write(|_, _, memory| {
            memory.n += 1;
            Ok(memory.n)
        })
    }

    /// The last of the device's own running numbers in this incarnation; 0 if it took none.
    pub fn last_n(&self) -> u64 {
        self.memory.n
    }

    /// Whether something is staged that a commit would make durable.
    pub fn is_dirty(&self) -> bool {
        self.staged
    }

    /// Makes everything staged durable: it is on the medium when this returns.
    ///
    /// # Errors
    /// If the medium fails. Then nobody knows what it holds: the store refuses everything
    /// from then on, and opening it anew tells.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        if !self.staged {
            return self.txn().map(|_| ());
        }
        self.write(|txn, _, memory| memory.save(txn))?;
        let txn = self.txn.take().expect("a store that a write succeeded in has its transaction");
        let begun = txn.commit().and_then(|()| Staging::begin(&self.db));
        self.txn = Some(begun.map_err(|error| self.fail(error))?);
        self.staged = false;
        Ok(())
    }

    /// A small value kept by name.
    ///
    /// # Errors
    /// If the medium fails or the row is damaged.
    pub fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|txn| {
            let table = txn.look_in(SETTING)?;
            let Some(sealed) = table.get(name)? else { return Ok(None) };
            self.vault.keys.setting.open(&SETTING, name.as_bytes(), sealed.value()).map(Some)
        })
    }

    /// Keeps a small value by name, or forgets it.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn set_setting(&mut self, name: &str, value: Option<&[u8]>) -> Result<(), StoreError> {
        self.write(|txn, vault, _| {
            let mut table = txn.open_table(SETTING)?;
            if let Some(value) = value {
                let sealed = vault.keys.setting.seal(&mut vault.entropy, &SETTING, name.as_bytes(), value);
                table.insert(name, sealed.as_slice())?;
            } else {
                table.remove(name)?;
            }
            Ok(())
        })
    }

    /// The size of the file.
    pub fn disk_bytes(&self) -> u64 {
        self.meter.len.load(Ordering::Relaxed)
    }

    /// How large the store is and what it has written.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn stats(&self) -> Result<Stats, StoreError> {
        self.read(|txn| {
            Ok(Stats {
                changes: txn.look_in(CHANGE)?.len()?,
                statements: txn.look_in(STATEMENT)?.len()?,
                records: txn.look_in(RECORD)?.len()?,
                stale: txn.look_in(STALE)?.len()?,
                waiting: txn.look_in(WAITING)?.len()?,
                disk_bytes: self.disk_bytes(),
                written_bytes: self.meter.written_bytes.load(Ordering::Relaxed),
                syncs: self.meter.syncs.load(Ordering::Relaxed),
            })
        })
    }

    /// Reads what is durable and what is staged.
    pub(crate) fn read<T>(
        &self,
        look: impl FnOnce(&Staging) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        look(self.txn()?).map_err(|error| match error {
            StoreError::Medium(_) => self.fail(error),
            other => other,
        })
    }

    /// Stages a write. An error leaves half of it in the transaction, so it poisons the store.
    pub(crate) fn write<T>(
        &mut self,
        act: impl FnOnce(&Staging, &mut Vault, &mut Memory) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.txn()?;
        let txn = self.txn.as_ref().expect("it was there just now");
        let done = act(txn, &mut self.vault, &mut self.memory);
        self.staged = true;
        done.map_err(|error| self.fail(error))
    }

    /// What the last commit made durable.
    pub(crate) fn durable(&self) -> Result<ReadTransaction, StoreError> {
        self.txn()?;
        Ok(self.db.begin_read()?)
    }

    fn txn(&self) -> Result<&Staging, StoreError> {
        match self.failed.get() {
            Some(cause) => Err(StoreError::Poisoned { cause: cause.clone() }),
            None => Ok(self.txn.as_ref().expect("only a store that has failed lacks its transaction")),
        }
    }

    /// Nothing more is read or written after this.
    fn fail(&self, error: StoreError) -> StoreError {
        self.failed.get_or_init(|| error.to_string());
        error
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("head", &self.memory.head).finish_non_exhaustive()
    }
}

impl Memory {
    fn load(txn: &Staging) -> Result<Self, StoreError> {
        let mut memory = Self {
            head: txn.look_in(ENTRY)?.last_key()?.map_or(0, |seq| seq.value()),
            n: txn.look_in(COUNTER)?.get(N)?.map_or(0, |n| n.value()),
            ..Self::default()
        };
        for row in txn.look_in(DEVICE)?.all()? {
            let (key, number) = row?;
            let key = DeviceKey::from_bytes(*key.value());
            memory.numbers.insert(key, number.value());
            memory.devices.insert(number.value(), key);
        }
        for row in txn.look_in(FINGERPRINT)?.all()? {
            let (home, sum) = row?;
            let damaged = || StoreError::damaged(&FINGERPRINT, home.value());
            let fingerprint = Fingerprint::from_bytes(sum.value()).map_err(|_| damaged())?;
            memory
                .fingerprints
                .insert(SubSls::from_bytes(*home.value()).map_err(|_| damaged())?, fingerprint);
        }
        for row in txn.look_in(ABOUT)?.all()? {
            let (key, _) = row?;
            let (_, id) = key.value().split_first_chunk::<8>().expect("40 bytes hold 8");
            let id = StatementId::from_bytes(id.try_into().expect("40 bytes less 8 are 32"));
            memory.about.insert(id, home_of(&ABOUT, key.value())?);
        }
        for row in txn.look_in(RECEIPT)?.all()? {
            let (key, seq) = row?;
            memory.receipts.insert(seq.value(), home_of(&RECEIPT, key.value())?);
        }
        memory.load_alone(txn)?;
        memory.load_erased(txn)?;
        memory.statements = memory.statement_fingerprint(txn)?;
        for row in txn.look_in(STATEMENT)?.all()? {
            memory.statement_head = memory.statement_head.max(row?.1.value());
        }
        for row in txn.look_in(WAITING)?.all()? {
            let (key, sealed) = row?;
            let (device, _) = key.value().split_first_chunk().expect("64 bytes hold 32");
            memory.waiting.note(&DeviceKey::from_bytes(*device), sealed.value().len());
        }
        Ok(memory)
    }

    /// What is written once a commit, not once a change.
    fn save(&mut self, txn: &Staging) -> Result<(), StoreError> {
        let (n, statements) = self.saved.unzip();
        if n != Some(self.n) {
            txn.open_table(COUNTER)?
                .insert(N, if cfg!(planted = "number-forgotten") { 0 } else { self.n })?;
        }
        if statements != Some(self.statements) {
            txn.open_table(SUM)?.insert(STATEMENTS, &self.statements.to_bytes())?;
        }
        self.saved = Some((self.n, self.statements));
        if self.grown.is_empty() {
            return Ok(());
        }
        let mut table = txn.open_table(FINGERPRINT)?;
        for home in std::mem::take(&mut self.grown) {
            if let Some(fingerprint) = self.fingerprints.get(&home) {
                table.insert(home.as_bytes(), &fingerprint.to_bytes())?;
            }
        }
        Ok(())
    }

    /// The sum of the statements that everyone holds.
    fn statement_fingerprint(&self, txn: &Staging) -> Result<Fingerprint, StoreError> {
        let statements = txn.look_in(STATEMENT)?;
        let damaged = |_| StoreError::damaged(&SUM, STATEMENTS.as_bytes());
        if let Some(kept) = txn.look_in(SUM)?.get(STATEMENTS)? {
            let kept = Fingerprint::from_bytes(kept.value()).map_err(damaged)?;
            if kept.count() + self.about.len() as u64 == statements.len()? {
                return Ok(kept);
            }
        }
        let mut sum = Fingerprint::default();
        for row in statements.all()? {
            let id = StatementId::from_bytes(*row?.0.value());
            if !self.about.contains_key(&id) {
                sum.insert(id.as_bytes());
            }
        }
        Ok(sum)
    }

    /// The number of a device in this store; a new one if it has none.
    pub(crate) fn number_of(&mut self, txn: &Staging, device: &DeviceKey) -> Result<u32, StoreError> {
        if let Some(number) = self.numbers.get(device) {
            return Ok(*number);
        }
        let number = self.devices.last_key_value().map_or(1, |(last, _)| last + 1);
        txn.open_table(DEVICE)?.insert(device.as_bytes(), number)?;
        self.numbers.insert(*device, number);
        self.devices.insert(number, *device);
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_can_be_owned_by_any_thread() {
        fn moves<T: Send + Sync>() {}
        moves::<Store>();
    }
}
