//! A folder's store under another lock: a passphrase in the place of a key file or another passphrase, or a
//! key file again. The store becomes another file, in which nothing of the old lock is left; cut off at
//! any moment, the folder has a store that the old lock opens, or the new one.

use std::path::PathBuf;

use rukun_replica::Store;

use super::fault::DiskError;
use super::file::{remove_if_there, sync_folder};
use super::secret::{PassphraseFrom, Secret};
use super::{Folder, generator};

impl Folder {
    /// Locks the store with a passphrase, and takes away the key file that opened it.
    ///
    /// # Errors
    /// If another process has the store open, what opens it is wrong, the passphrase is too short, or
    /// the disk fails. Then the store is as it was.
    pub fn lock_with_passphrase(&self, from: &PassphraseFrom) -> Result<(), DiskError> {
        let (store, old) = self.open_with_secret()?;
        let fresh = self.locked_anew(&store, &old, &from.read_new()?)?;
        self.put_in_place(&fresh)?;
        // Until it is gone, it is passed over in favour of the passphrase.
        if matches!(old, Secret::KeyFile(_)) {
            remove_if_there(&self.key_path())?;
            sync_folder(self.path())?;
        }
        Ok(())
    }

    /// Locks the store with a key file again: the one that is in the folder, or a new one.
    ///
    /// # Errors
    /// If another process has the store open, it has a key file already, the passphrase is wrong, or the
    /// disk fails. Then the store is as it was.
    pub fn lock_with_key_file(&self) -> Result<(), DiskError> {
        let (store, old) = self.open_with_secret()?;
        if matches!(old, Secret::KeyFile(_)) {
            return Err(DiskError::KeyFileAlready);
        }
        // It opens nothing yet, and is passed over in favour of the passphrase.
        let new = self.key_or_new()?;
        let fresh = self.locked_anew(&store, &old, &new)?;
        self.put_in_place(&fresh)
    }

    /// The same store in another file. The one that is open keeps others away until it is dropped.
    fn locked_anew(&self, store: &Store, old: &Secret, new: &Secret) -> Result<PathBuf, DiskError> {
        let fresh = self.fresh_path();
        let target = self.fresh_backend(&fresh, true)?;
        match store.copy_locked_anew(target, old.unlock(), new.unlock(), &mut generator()?) {
            Ok(()) => Ok(fresh),
            Err(source) => {
                remove_if_there(&fresh)?;
                Err(DiskError::Open { path: fresh, source })
            }
        }
    }
}
