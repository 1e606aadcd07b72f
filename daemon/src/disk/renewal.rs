//! A folder's store made anew after an erasure: the same store in another file, under another data key and
//! another key file, so that an old copy of the folder's store shows nothing of what was erased to whoever
//! has today's keys. Cut off at any moment, the folder has a store and what opens it. Where the disk has no
//! room for both files, the folder goes on with the old one until it has.

use std::path::{Path, PathBuf};
use std::{fs, io};

use rukun_replica::{Invitation, OpenError, Store};
use zeroize::Zeroizing;

use super::fault::DiskError;
use super::file::{KEY_BYTES, io_error, read_key, remove_if_there, sync_folder, write_new};
use super::secret::Secret;
use super::{Folder, generator, random};

const STAYS_AS_IT_IS: &str =
    "what was erased may be in the store's file still, which is made anew at a start with room";

impl Folder {
    /// Opens the store with its key file or passphrase, and with what a renewal that was cut off left.
    pub(super) fn open_settled(&self) -> Result<(Store, Secret), DiskError> {
        let path = self.store_path();
        match self.unlocked(self.key(), |unlock| self.open_file(&path, unlock)) {
            Err(DiskError::Open { source: OpenError::WrongKeyFile, .. }) if self.new_key_path().exists() => {
                // The new store took its place, and its key did not.
                let key = read_key(self.new_key_path());
                let opened = self.unlocked(key, |unlock| self.open_file(&path, unlock))?;
                self.put_key_in_place()?;
                Ok(opened)
            }
            opened => {
                let opened = opened?;
                remove_if_there(&self.new_key_path())?;
                Ok(opened)
            }
        }
    }

    /// Makes the store anew. What it is locked with is new too, but for a passphrase, which only its
    /// owner can change. Without room for a second file the store stays as it is, and is due still: it
    /// holds work that is nowhere else, so that it must open.
    pub(super) fn renewed(&self, store: Store, old: Secret) -> Result<(Store, Secret), DiskError> {
        if !self.has_room_for_another() {
            tracing::warn!("{STAYS_AS_IT_IS}");
            return Ok((store, old));
        }
        let fresh = self.fresh_path();
        let new = match self.write_anew(&store, &old, &fresh) {
            Ok(new) => new,
            Err(error) => {
                remove_if_there(&fresh)?;
                remove_if_there(&self.new_key_path())?;
                if !error.is_no_room() {
                    return Err(error);
                }
                tracing::warn!("{STAYS_AS_IT_IS}: {error}");
                return Ok((store, old));
            }
        };
        self.put_in_place(&fresh)?;
        if matches!(new, Secret::KeyFile(_)) {
            self.put_key_in_place()?;
        }
        // The old file kept others away until now, and has no name any more.
        drop(store);
        let store = self.open_file(&self.store_path(), new.unlock())?;
        Ok((store, new))
    }

    /// Whether a second file could have room at all: it takes what the old one does, but for pages that are free there,
    /// of which it has some. Without this, every command on a full disk would fill and clear it before its own work.
    fn has_room_for_another(&self) -> bool {
        let bytes = fs::metadata(self.store_path()).map_or(0, |store| store.len());
        let free = rustix::fs::statvfs(self.path()).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        free.map_or(true, |free| free >= bytes / 8)
    }

    /// Writes the new store and its key beside the old ones, and gives what opens it.
    fn write_anew(&self, store: &Store, old: &Secret, fresh: &Path) -> Result<Secret, DiskError> {
        let new = match old {
            Secret::KeyFile(_) => {
                write_new(&self.new_key_path(), &*random::<KEY_BYTES>()?)?;
                Secret::KeyFile(read_key(self.new_key_path())?)
            }
            Secret::Passphrase(text) => Secret::Passphrase(Zeroizing::new(text.to_string())),
        };
        let target = self.fresh_backend(fresh, true)?;
        let person = |bytes: &[u8]| Invitation::from_bytes(bytes).ok().map(|held| held.officer.person());
        let made = store.renew_to(target, old.unlock(), new.unlock(), person, &mut generator()?);
        made.map_err(|source| DiskError::Open { path: fresh.into(), source }).map(|()| new)
    }

    fn put_key_in_place(&self) -> Result<(), DiskError> {
        let path = self.key_path();
        match fs::rename(self.new_key_path(), &path) {
            // Whoever opened the new store meanwhile, which nobody holds for a moment, has put it there.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.has_key_file() => {}
            renamed => renamed.map_err(|error| io_error(&path, error))?,
        }
        sync_folder(self.path())
    }

    /// A key file that opens the store that is being made.
    fn new_key_path(&self) -> PathBuf {
        self.path().join("key.new")
    }
}
