//! The statements of the log: those that everyone holds, and those about the work of one sub-SLS, which
//! are held where that is, count in its fingerprint and travel with it.

use std::collections::BTreeSet;

use rukun_change::{DeviceKey, Fingerprint, StatementId, SubSls};

use crate::entry::EntryKind;
use crate::fault::StoreError;
use crate::staging::{Rows, Staging};
use crate::store::Store;
use crate::tables::{ABOUT, ENTRY, LOG, STATEMENT};

impl Store {
    /// Appends a statement's bytes, unless it is held, and gives its place in the log. `about` is the
    /// sub-SLS whose work it speaks of, if it is held and passed on only with that.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn append_statement(
        &mut self,
        id: &StatementId,
        bytes: &[u8],
        about: Option<SubSls>,
        from: Option<&DeviceKey>,
    ) -> Result<Option<u64>, StoreError> {
        if self.has_statement(id)? {
            return Ok(None);
        }
        self.write(|txn, vault, memory| {
            let seq = memory.head + 1;
            let sealed = vault.keys.statement.seal(&mut vault.entropy, &LOG, &seq.to_be_bytes(), bytes);
            txn.open_table(LOG)?.insert(seq, sealed.as_slice())?;
            let from = memory.number_from(txn, from)?;
            let entry = [&[1][..], id.as_bytes(), &from.to_be_bytes()].concat();
            txn.open_table(ENTRY)?.insert(seq, entry.as_slice())?;
            txn.open_table(STATEMENT)?.insert(id.as_bytes(), seq)?;
            (memory.head, memory.statement_head) = (seq, seq);
            let Some(home) = about else {
                memory.statements.insert(id.as_bytes());
                return Ok(Some(seq));
            };
            txn.open_table(ABOUT)?.insert(&about_key(&home, id), seq)?;
            memory.about.insert(*id, home);
            memory.fingerprints.entry(home).or_default().insert(id.as_bytes());
            memory.grown.insert(home);
            Ok(Some(seq))
        })
    }

    /// Whether a statement is held.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn has_statement(&self, id: &StatementId) -> Result<bool, StoreError> {
        self.read(|txn| Ok(txn.look_in(STATEMENT)?.get(id.as_bytes())?.is_some()))
    }

    /// The bytes of a statement.
    ///
    /// # Errors
    /// If the medium fails or the row is damaged.
    pub fn statement(&self, id: &StatementId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|txn| {
            let seq = txn.look_in(STATEMENT)?.get(id.as_bytes())?.map(|seq| seq.value());
            let rows = LogTables::open(txn)?;
            seq.map(|seq| self.unseal_statement(&rows, seq, id)).transpose()
        })
    }

    /// The sub-SLS whose work a statement that is held speaks of; nothing if everyone holds it.
    pub fn about(&self, id: &StatementId) -> Option<SubSls> {
        self.memory.about.get(id).copied()
    }

    /// Where in the log a statement stands, if it is held.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn statement_seq(&self, id: &StatementId) -> Result<Option<u64>, StoreError> {
        self.read(|txn| Ok(txn.look_in(STATEMENT)?.get(id.as_bytes())?.map(|seq| seq.value())))
    }

    /// The ids of the statements about a sub-SLS, ascending.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn statements_about(&self, home: &SubSls) -> Result<Vec<StatementId>, StoreError> {
        self.read(|txn| {
            let first = about_key(home, &StatementId::from_bytes([0; 32]));
            let last = about_key(home, &StatementId::from_bytes([0xff; 32]));
            let table = txn.look_in(ABOUT)?;
            let rows = table.range::<&[u8; 40]>(&first..=&last)?;
            rows.map(|row| Ok(id_of(row?.0.value()))).collect()
        })
    }

    /// The ids of all statements that everyone holds, ascending.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn statement_ids(&self) -> Result<Vec<StatementId>, StoreError> {
        self.read(|txn| {
            let table = txn.look_in(STATEMENT)?;
            let mut ids = Vec::new();
            for row in table.all()? {
                let id = StatementId::from_bytes(*row?.0.value());
                if self.about(&id).is_none() {
                    ids.push(id);
                }
            }
            Ok(ids)
        })
    }

    /// The fingerprint of the ids of all statements that everyone holds, what is staged included.
    pub fn statement_fingerprint(&self) -> Fingerprint {
        self.memory.statements
    }

    /// All statements, in log order.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn statements(&self) -> Result<Vec<(StatementId, Vec<u8>)>, StoreError> {
        self.statements_where(|_| true)
    }

    /// All statements that everyone holds but these, in log order. Only what is given is unsealed.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn statements_but(
        &self,
        known: &BTreeSet<StatementId>,
    ) -> Result<Vec<(StatementId, Vec<u8>)>, StoreError> {
        self.statements_where(|id| self.about(id).is_none() && !known.contains(id))
    }

    fn statements_where(
        &self,
        wanted: impl Fn(&StatementId) -> bool,
    ) -> Result<Vec<(StatementId, Vec<u8>)>, StoreError> {
        self.read(|txn| {
            let table = txn.look_in(STATEMENT)?;
            let mut places = Vec::new();
            for row in table.all()? {
                let (id, seq) = row?;
                let id = StatementId::from_bytes(*id.value());
                if wanted(&id) {
                    places.push((seq.value(), id));
                }
            }
            places.sort_unstable();
            let rows = LogTables::open(txn)?;
            places.into_iter().map(|(seq, id)| Ok((id, self.unseal_statement(&rows, seq, &id)?))).collect()
        })
    }

    /// The statements that everyone holds after this place, and that did not come from this device, in log order.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn statements_after(&self, after: u64, but_from: &DeviceKey) -> Result<Vec<Vec<u8>>, StoreError> {
        if self.memory.statement_head <= after {
            return Ok(Vec::new());
        }
        self.read(|txn| {
            let rows = LogTables::open(txn)?;
            let mut places = Vec::new();
            for row in txn.look_in(STATEMENT)?.all()? {
                let (id, seq) = row?;
                let (id, seq) = (StatementId::from_bytes(*id.value()), seq.value());
                if seq <= after || self.about(&id).is_some() {
                    continue;
                }
                let damaged = || StoreError::damaged(&ENTRY, &seq.to_be_bytes());
                let entry = rows.entries.get(seq)?.ok_or_else(damaged)?;
                if self.memory.entry(seq, entry.value())?.from != Some(*but_from) {
                    places.push((seq, id));
                }
            }
            places.sort_unstable();
            places.into_iter().map(|(seq, id)| self.unseal_statement(&rows, seq, &id)).collect()
        })
    }

    /// The statement at a place, if it is this one that stands there.
    fn unseal_statement(&self, rows: &LogTables, seq: u64, id: &StatementId) -> Result<Vec<u8>, StoreError> {
        let row = seq.to_be_bytes();
        let entry = rows.entries.get(seq)?.ok_or_else(|| StoreError::damaged(&ENTRY, &row))?;
        if !matches!(self.memory.entry(seq, entry.value())?.kind, EntryKind::Statement { id: held } if held == *id)
        {
            return Err(StoreError::damaged(&STATEMENT, id.as_bytes()));
        }
        let sealed = rows.log.get(seq)?.ok_or_else(|| StoreError::damaged(&LOG, &row))?;
        self.vault.keys.statement.open(&LOG, &row, sealed.value())
    }
}

/// The tables of the log, opened once for many statements.
struct LogTables<'txn> {
    entries: Rows<'txn, u64, &'static [u8]>,
    log: Rows<'txn, u64, &'static [u8]>,
}

impl<'txn> LogTables<'txn> {
    fn open(txn: &'txn Staging) -> Result<Self, StoreError> {
        Ok(Self { entries: txn.look_in(ENTRY)?, log: txn.look_in(LOG)? })
    }
}

/// The key of a row in [`ABOUT`].
fn about_key(home: &SubSls, id: &StatementId) -> [u8; 40] {
    let key = [&home.as_bytes()[..], id.as_bytes()].concat();
    key.try_into().expect("8 and 32 bytes are 40")
}

fn id_of(row: &[u8; 40]) -> StatementId {
    StatementId::from_bytes(row.split_at(8).1.try_into().expect("40 bytes less 8 are 32"))
}
