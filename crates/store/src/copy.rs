//! A store becomes a second file, row by row: a backup, or the same store under another lock. Values stay
//! sealed as they are, since table and key seal them and neither changes; only the lock is made anew.
//! What the first file has freed and not yet overwritten, an old lock among it, does not come along.

use rand_chacha::ChaCha20Rng;
use redb::{
    Key, ReadTransaction, ReadableTable, ReadableTableMetadata, StorageBackend, TableDefinition, Value,
    WriteTransaction,
};

use crate::fault::{OpenError, StoreError};
use crate::keys::{Lock, Unlock};
use crate::metered::Metered;
use crate::open::{Header, database};
use crate::store::{Store, begin};
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
        let lock = Lock::new(new, entropy);
        let sealed = lock.key(new)?.seal(entropy, &HEADER, b"data_key", data_key.bytes());
        copy(&txn, backend, &[("lock", lock.to_bytes()), ("data_key", sealed)])
    }
}

/// Copies every table, with these rows of the header in the place of its own.
fn copy(
    from: &ReadTransaction,
    backend: impl StorageBackend,
    header: &[(&str, Vec<u8>)],
) -> Result<(), OpenError> {
    let (backend, _) = Metered::new(backend)?;
    if backend.len()? > 0 {
        return Err(OpenError::NotEmpty);
    }
    let db = database(backend)?.settle()?;
    let to = begin(&db)?;
    macro_rules! copy {
        ($($table:ident)*) => {$( copy_table(from, &to, tables::$table)?; )*};
    }
    every_table!(copy);
    for table in [HEADER, HEADER_COPY] {
        let mut table = to.open_table(table).map_err(StoreError::from)?;
        for (name, value) in header {
            table.insert(name, value.as_slice()).map_err(StoreError::from)?;
        }
    }
    Ok(to.commit().map_err(StoreError::from)?)
}

fn copy_table<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<K, V>,
) -> Result<(), StoreError> {
    let mut target = to.open_table(table)?;
    let source = match from.open_table(table) {
        Ok(source) => source,
        // A table that this format version has not always had.
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for row in source.iter()? {
        let (key, value) = row?;
        target.insert(key.value(), value.value())?;
    }
    Ok(())
}
