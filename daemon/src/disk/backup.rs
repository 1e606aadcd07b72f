//! A folder's store becomes a backup, and a backup a folder's store again. A backup is one file, a whole
//! store; what opens the store opens it. Nothing is ever overwritten.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rukun_change::Incarnation;
use rukun_replica::{FileBackend, OpenError, StoreError};
use serde::Serialize;
use zeroize::Zeroizing;

use super::fault::DiskError;
use super::file::{
    KEY_BYTES, folder_of, io_error, is_named, name, read_key, sync_folder, taken_or, write_new,
};
use super::secret::Secret;
use super::{Folder, random};

type Key = Zeroizing<[u8; KEY_BYTES]>;

/// What came of a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// How many changes the backup holds.
    pub changes: u64,
}

/// Makes a file that must not be there yet out of what `copy` puts into it, and sees to it that it
/// outlives a loss of power. It has its name once it is whole. Gives how many changes are in it and how
/// many bytes.
///
/// # Errors
/// [`DiskError::Taken`] if it is there, or if it can't be written.
pub fn back_up(
    path: &Path,
    copy: impl FnOnce(FileBackend) -> Result<u64, OpenError>,
) -> Result<(u64, u64), DiskError> {
    if path.exists() {
        return Err(DiskError::Taken { path: path.into() });
    }
    let prefix = path.file_name().unwrap_or_default();
    let part = tempfile::Builder::new().prefix(prefix).suffix(".part").tempfile_in(folder_of(path));
    let part = part.map_err(|error| io_error(path, error))?;
    let file = part.reopen().map_err(|error| io_error(path, error))?;
    let backend = FileBackend::new(file).map_err(|error| io_error(path, io::Error::other(error)))?;
    let changes = copy(backend).map_err(|source| not_copied(path, source))?;
    let bytes = part.as_file().metadata().map_err(|error| io_error(path, error))?.len();
    name(part, path).map_err(|error| taken_or(path, error))?;
    sync_folder(folder_of(path))?;
    Ok((changes, bytes))
}

/// A place that is full is no fault of the store.
fn not_copied(path: &Path, source: OpenError) -> DiskError {
    let error = DiskError::Open { path: path.into(), source };
    match &error {
        DiskError::Open { source, .. } if error.is_no_room() => {
            let kind = source.io_error().map_or(io::ErrorKind::StorageFull, io::Error::kind);
            io_error(path, kind.into())
        }
        _ => error,
    }
}

impl Folder {
    /// Makes a backup the store of this folder, which has none, under a new incarnation, so that nothing
    /// that was written since the backup was made is ever contradicted. With `key`, the key file that was
    /// kept with the backup comes into the folder.
    ///
    /// # Errors
    /// If there is a store or another key file, the backup is no store, what opens it is missing or
    /// another store's, or the disk fails. Then the folder is as it was.
    pub fn restore(&self, backup: &Path, key: Option<&Path>) -> Result<Restored, DiskError> {
        let source = File::open(backup).map_err(|error| io_error(backup, error))?;
        if self.has_store() {
            return Err(self.in_the_way());
        }
        let key = key.map(|path| self.agreeing_key(path)).transpose()?;
        let is_new = !self.path().exists();
        self.make()?;
        let restored = self.put_back(source, backup, key);
        if restored.is_err() && is_new {
            // It goes only if it is empty.
            let _ = fs::remove_dir(self.path());
        }
        restored
    }

    fn put_back(&self, mut source: File, backup: &Path, key: Option<Key>) -> Result<Restored, DiskError> {
        let fresh = self.fresh_path();
        if is_named(&source, &fresh) {
            return Err(DiskError::Taken { path: fresh });
        }
        let mut target = self.fresh_file(&fresh, false)?;
        let copied = io::copy(&mut source, &mut target).map_err(|error| {
            let full = io_error(&self.store_path(), error.kind().into());
            if full.is_no_room() { full } else { io_error(backup, error) }
        });
        drop(target);
        let restored = copied.and_then(|_| self.begin_anew(&fresh, backup, key));
        if restored.is_err() {
            // Whoever hears why nothing was restored has no use for it.
            let _ = fs::remove_file(&fresh);
        }
        restored
    }

    fn begin_anew(&self, fresh: &Path, backup: &Path, key: Option<Key>) -> Result<Restored, DiskError> {
        let named = |error| match error {
            DiskError::Open { source, .. } => {
                let error = not_copied(&self.store_path(), source);
                let DiskError::Open { source, .. } = error else { return error };
                DiskError::Open { path: backup.into(), source }
            }
            other => other,
        };
        let key = key.map_or_else(|| self.key(), Ok);
        let opened = self.unlocked(key, |unlock| self.open_file(fresh, unlock));
        let (mut store, secret) = opened.map_err(named)?;
        let failed = |error: StoreError| named(DiskError::Open { path: fresh.into(), source: error.into() });
        store.set_incarnation(Incarnation::from_bytes(*random()?)).map_err(failed)?;
        store.commit().map_err(failed)?;
        let changes = store.change_count().map_err(failed)?;
        if let Secret::KeyFile(key) = &secret
            && !self.has_key_file()
        {
            write_new(&self.key_path(), &**key)?;
        }
        self.put_in_place(fresh)?;
        Ok(Restored { changes })
    }

    fn in_the_way(&self) -> DiskError {
        let path = self.store_path();
        let is_open = File::open(&path).is_ok_and(|store| store.try_lock().is_err());
        if is_open { self.in_use() } else { DiskError::Taken { path } }
    }

    /// A key file that may come into this folder.
    fn agreeing_key(&self, path: &Path) -> Result<Key, DiskError> {
        let key = read_key(path.into())?;
        match self.key() {
            Ok(held) if held == key => Ok(key),
            Err(DiskError::Missing { .. }) => Ok(key),
            _ => Err(DiskError::Taken { path: self.key_path() }),
        }
    }
}
