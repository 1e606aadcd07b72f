//! A store becomes a second file, row by row: a backup, or the same store under another lock. Values stay
//! sealed as they are, since table and key seal them and neither changes; only the lock is made anew.
//! What the first file has freed and not yet overwritten, an old lock among it, does not come along. Where
//! the keys change, too, it is `renewal`.

use rand_chacha::ChaCha20Rng;
use redb::{
    Key, ReadOnlyTable, ReadTransaction, ReadableTable, ReadableTableMetadata, StorageBackend,
    TableDefinition, TableError, Value, WriteTransaction,
};

use crate::fault::{OpenError, StoreError};
use crate::keys::{Lock, Unlock};
use crate::metered::Metered;
use crate::open::{Header, database};
use crate::seal::SealKey;
use crate::staging::begin;
use crate::store::Store;
use crate::tables::{self, CHANGE, HEADER, HEADER_COPY, every_table};

impl Store {
    /// Writes what is durable here into an empty backend: a store that the same key opens. What is
    /// staged is left out. Gives how many changes are in it.
    ///
    /// # Errors
    /// [`OpenError::NotEmpty`] if the backend holds anything, or if a medium fails.
    pub fn copy_to(&self, backend: impl StorageBackend) -> Result<u64, OpenError> {
        let txn = self.durable()?;
        copy(&txn, backend, &[])?;
        let changes = txn.open_table(CHANGE).map_err(StoreError::from)?;
        Ok(changes.len().map_err(StoreError::from)?)
    }

    /// The same, and `new` opens the copy in the place of `old`.
    ///
    /// # Errors
    /// Also if `old` does not open this store.
    pub fn copy_locked_anew(
        &self,
        backend: impl StorageBackend,
        old: Unlock<'_>,
        new: Unlock<'_>,
        entropy: &mut ChaCha20Rng,
    ) -> Result<(), OpenError> {
        let txn = self.durable()?;
        let data_key = Header::read(&txn)?.data_key(old)?;
        copy(&txn, backend, &lock_rows(&data_key, new, entropy)?)
    }
}

/// The rows of the header that lock a data key.
pub(crate) fn lock_rows(
    data_key: &SealKey,
    unlock: Unlock<'_>,
    entropy: &mut ChaCha20Rng,
) -> Result<[(&'static str, Vec<u8>); 2], OpenError> {
    let lock = Lock::new(unlock, entropy);
    let sealed = lock.key(unlock)?.seal(entropy, &HEADER, b"data_key", data_key.bytes());
    Ok([("lock", lock.to_bytes()), ("data_key", sealed)])
}

/// Copies every table, with these rows of the header in the place of its own.
fn copy(
    from: &ReadTransaction,
    backend: impl StorageBackend,
    header: &[(&str, Vec<u8>)],
) -> Result<(), OpenError> {
    fill(backend, |to| {
        macro_rules! copy {
            ($($table:ident)*) => {$( copy_table(from, to, tables::$table)?; )*};
        }
        every_table!(copy);
        for table in [HEADER, HEADER_COPY] {
            let mut table = to.open_table(table)?;
            for (name, value) in header {
                table.insert(name, value.as_slice())?;
            }
        }
        Ok(())
    })
}

/// Makes a file on an empty backend, in one commit.
pub(crate) fn fill(
    backend: impl StorageBackend,
    act: impl FnOnce(&WriteTransaction) -> Result<(), StoreError>,
) -> Result<(), OpenError> {
    let (backend, _) = Metered::new(backend)?;
    if backend.len()? > 0 {
        return Err(OpenError::NotEmpty);
    }
    let db = database(backend)?.settle()?;
    let to = begin(&db)?;
    act(&to)?;
    Ok(to.commit().map_err(StoreError::from)?)
}

/// Copies a table as it is.
pub(crate) fn copy_table<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<K, V>,
) -> Result<(), StoreError> {
    let Some(source) = table_in(from, table)? else { return Ok(()) };
    let mut target = to.open_table(table)?;
    for row in source.iter()? {
        let (key, value) = row?;
        target.insert(key.value(), value.value())?;
    }
    Ok(())
}

/// A table, unless an earlier program made the file, which did not have it. Then the copy is without it,
/// too: what is missing tells the store to fill it anew.
pub(crate) fn table_in<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    table: TableDefinition<K, V>,
) -> Result<Option<ReadOnlyTable<K, V>>, StoreError> {
    match from.open_table(table) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
