//! The transaction that stages everything, and beside it what the last commit made durable: a table is read there, where
//! it is opened once, until something is staged in it. What is in which table is the business of the other modules.

use std::any::Any;
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::RangeBounds;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{
    AccessGuard, Database, Key, Range, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, StorageError, Table, TableDefinition, TableError, TableHandle, Value,
    WriteTransaction,
};

use crate::fault::StoreError;

/// What is staged, and what was durable before.
pub(crate) struct Staging {
    tables: Mutex<BTreeMap<String, Opened>>,
    durable: ReadTransaction,
    txn: WriteTransaction,
}

/// How a table is read from now on.
enum Opened {
    /// In what is durable. Opening a table in a transaction that writes takes as long as finding a row in it.
    Durable(Arc<dyn Any + Send + Sync>),
    /// Where it was written to.
    Staged,
}

impl Staging {
    /// Nothing is staged yet.
    pub(crate) fn begin(db: &Database) -> Result<Self, StoreError> {
        Ok(Self { tables: Mutex::default(), durable: db.begin_read()?, txn: begin(db)? })
    }

    /// Makes it durable.
    pub(crate) fn commit(self) -> Result<(), StoreError> {
        // Pages that somebody may still read are not used again.
        drop((self.tables, self.durable));
        Ok(self.txn.commit()?)
    }

    /// A table to write to. It is read in the transaction from now on.
    pub(crate) fn open_table<K: Key + Send + Sync + 'static, V: Value + Send + Sync + 'static>(
        &self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<Table<'_, K, V>, TableError> {
        let mut tables = self.tables();
        match tables.get_mut(definition.name()) {
            Some(opened) => *opened = Opened::Staged,
            None => drop(tables.insert(definition.name().into(), Opened::Staged)),
        }
        drop(tables);
        self.txn.open_table(definition)
    }

    /// A table to read, with what is staged in it.
    pub(crate) fn look_in<K: Key + Send + Sync + 'static, V: Value + Send + Sync + 'static>(
        &self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<Rows<'_, K, V>, TableError> {
        let mut tables = self.tables();
        match tables.get(definition.name()) {
            Some(Opened::Staged) => {}
            Some(Opened::Durable(table)) => {
                let table = Arc::clone(table).downcast().expect("a name has one definition");
                return Ok(Rows::Durable(table));
            }
            None => match self.durable.open_table(definition) {
                Ok(table) => {
                    let table = Arc::new(table);
                    let opened = Opened::Durable(Arc::<ReadOnlyTable<K, V>>::clone(&table));
                    tables.insert(definition.name().into(), opened);
                    return Ok(Rows::Durable(table));
                }
                // An earlier program did not make it: opened in the other transaction it is there.
                Err(TableError::TableDoesNotExist(_)) => {}
                Err(error) => return Err(error),
            },
        }
        drop(tables);
        self.open_table(definition).map(Rows::Staged)
    }

    /// Whether there was no such table when this began: an earlier program made the store.
    pub(crate) fn lacks<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<bool, TableError> {
        match self.durable.open_table(definition) {
            Ok(_) => Ok(false),
            Err(TableError::TableDoesNotExist(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn tables(&self) -> MutexGuard<'_, BTreeMap<String, Opened>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins a transaction that is committed in two phases, each synced: what is there first, then that it
/// counts. In one phase, damage to the last commit looks the same as power lost in the midst of it, and
/// redb would go back to the commit before without a word.
pub(crate) fn begin(db: &Database) -> Result<WriteTransaction, StoreError> {
    let mut txn = db.begin_write()?;
    txn.set_two_phase_commit(true);
    Ok(txn)
}

/// A table to read.
pub(crate) enum Rows<'txn, K: Key + Send + Sync + 'static, V: Value + Send + Sync + 'static> {
    Durable(Arc<ReadOnlyTable<K, V>>),
    Staged(Table<'txn, K, V>),
}

impl<K: Key + Send + Sync + 'static, V: Value + Send + Sync + 'static> Rows<'_, K, V> {
    pub(crate) fn get<'a>(
        &self,
        key: impl Borrow<K::SelfType<'a>>,
    ) -> Result<Option<AccessGuard<'_, V>>, StorageError> {
        match self {
            Self::Durable(table) => ReadableTable::get(&**table, key),
            Self::Staged(table) => table.get(key),
        }
    }

    pub(crate) fn range<'a, B: Borrow<K::SelfType<'a>> + 'a>(
        &self,
        range: impl RangeBounds<B> + 'a,
    ) -> Result<Range<'_, K, V>, StorageError> {
        match self {
            Self::Durable(table) => ReadableTable::range(&**table, range),
            Self::Staged(table) => table.range(range),
        }
    }

    pub(crate) fn all(&self) -> Result<Range<'_, K, V>, StorageError> {
        match self {
            Self::Durable(table) => table.iter(),
            Self::Staged(table) => table.iter(),
        }
    }

    pub(crate) fn last_key(&self) -> Result<Option<AccessGuard<'_, K>>, StorageError> {
        let last = match self {
            Self::Durable(table) => table.last(),
            Self::Staged(table) => table.last(),
        };
        Ok(last?.map(|(key, _)| key))
    }

    pub(crate) fn len(&self) -> Result<u64, StorageError> {
        match self {
            Self::Durable(table) => table.len(),
            Self::Staged(table) => table.len(),
        }
    }
}
