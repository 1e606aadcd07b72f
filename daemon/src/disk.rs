//! The data folder: a path becomes a store, keys and the note that a running daemon leaves for the
//! command line. Secrets are readable by their owner alone, or refused. What the store holds is
//! not looked at here.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rukun_authority::Keypair;
use rukun_change::Incarnation;
use rukun_replica::{FileBackend, NewStore, OpenError, Salvaged, Store, Unlock};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

mod fault;
pub use fault::DiskError;

mod file;
use file::{
    KEY_BYTES, backend, io_error, is_named, open_or_make, read_key, read_secret, remove_if_there, sync_folder,
};
pub(crate) use file::{replace, write_new};

mod secret;
use secret::Typed;
pub use secret::{PassphraseFrom, Secret};

mod backup;
pub use backup::{Restored, back_up};

mod lock;

mod renewal;

mod shares;

/// A data folder: `rukun.redb`, `key` unless a passphrase locks the store, `root.key` where a survey was
/// founded, and `daemon.json` while a daemon runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
    passphrase: PassphraseFrom,
    typed: Typed,
}

/// A damaged store, which no other process opens as long as this is there.
#[derive(Debug)]
pub struct Damaged(#[expect(dead_code, reason = "it is held for its lock")] FileBackend);

/// What a running daemon leaves in its folder for programs of the same user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonNote {
    /// Its process.
    pub pid: u32,
    /// Where it takes requests.
    pub http: SocketAddr,
    /// Where it takes peers.
    pub quic: SocketAddr,
    /// What a request must show. A secret.
    pub token: String,
}

impl Folder {
    /// The folder of this path, whether it is there or not.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), passphrase: PassphraseFrom::Terminal, typed: Typed::default() }
    }

    /// The same folder, whose passphrase, if its store has one, comes from there.
    pub fn with_passphrase(self, passphrase: PassphraseFrom) -> Self {
        Self { passphrase, ..self }
    }

    /// The folder that is meant when none is named: `$RUKUN_DIR`, or `~/.local/share/rukun`.
    ///
    /// # Errors
    /// [`DiskError::NoHome`] if neither is known.
    pub fn usual() -> Result<Self, DiskError> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(path) = set("RUKUN_DIR") {
            return Ok(Self::at(path));
        }
        let data = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
        data.map(|data| Self::at(data.join("rukun"))).ok_or(DiskError::NoHome)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it holds a store.
    pub fn has_store(&self) -> bool {
        fs::metadata(self.store_path()).is_ok_and(|file| file.len() > 0)
    }

    /// Whether a key file lies in it.
    pub fn has_key_file(&self) -> bool {
        self.key_path().exists()
    }

    /// Makes the folder and a store for a new device, locked with a key file of its own, or with the
    /// passphrase in the file that is named for it.
    ///
    /// # Errors
    /// If there is a store already, or the disk fails.
    pub fn create_store(&self) -> Result<Store, DiskError> {
        self.make()?;
        if self.has_store() {
            return Err(DiskError::Exists { path: self.path.clone() });
        }
        let secret = match &self.passphrase {
            from @ PassphraseFrom::File(_) => from.read_new()?,
            PassphraseFrom::Terminal => self.key_or_new()?,
        };
        let new = NewStore { device_seed: *random()?, incarnation: Incarnation::from_bytes(*random()?) };
        let fresh = self.fresh_path();
        let made =
            Store::create(self.fresh_backend(&fresh, false)?, secret.unlock(), &new, &mut generator()?);
        let store = made.map_err(|source| DiskError::Open { path: fresh.clone(), source })?;
        self.put_in_place(&fresh)?;
        Ok(store)
    }

    fn make(&self) -> Result<(), DiskError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|error| io_error(&self.path, error))
    }

    /// An empty file that this process alone writes. What an earlier making left there is thrown away.
    fn fresh_backend(&self, fresh: &Path, replaces: bool) -> Result<FileBackend, DiskError> {
        backend(self.fresh_file(fresh, replaces)?, fresh)
    }

    fn fresh_file(&self, fresh: &Path, replaces: bool) -> Result<File, DiskError> {
        let file = open_or_make(fresh)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(self.in_use()),
            Err(TryLockError::Error(error)) => return Err(io_error(fresh, error)),
        }
        // Another process may have put it in place since it was opened here: then it is no scrap.
        if !is_named(&file, fresh) {
            return Err(self.in_use());
        }
        if self.has_store() && !replaces {
            return Err(DiskError::Exists { path: self.path.clone() });
        }
        let emptied = file.set_len(0).and_then(|()| file.set_permissions(Permissions::from_mode(0o600)));
        emptied.map_err(|error| io_error(fresh, error)).map(|()| file)
    }

    /// Gives a store that is whole and durable its name. Power lost before this leaves the name free.
    fn put_in_place(&self, fresh: &Path) -> Result<(), DiskError> {
        let path = self.store_path();
        let synced = File::open(fresh).and_then(|file| file.sync_all());
        synced.map_err(|error| io_error(fresh, error))?;
        fs::rename(fresh, &path).map_err(|error| io_error(&path, error))?;
        sync_folder(&self.path)
    }

    /// Opens the store with its key file or passphrase.
    ///
    /// # Errors
    /// If there is none, another process has it open, what opens it is missing, readable by others or of
    /// another store, or the disk fails.
    pub fn open_store(&self) -> Result<Store, DiskError> {
        self.open_with_secret().map(|(store, _)| store)
    }

    /// The same, and what opened it.
    fn open_with_secret(&self) -> Result<(Store, Secret), DiskError> {
        if !self.has_store() {
            return Err(DiskError::NoStore { path: self.path.clone() });
        }
        let (store, secret) = self.open_settled()?;
        // A making that was cut off may have left a whole store, under a key that opens it. None is under
        // way: whoever makes one has this one open, or finds that it is there.
        remove_if_there(&self.fresh_path())?;
        let due = store.renewal_due().map_err(|error| self.open_error(&self.store_path(), error.into()))?;
        if due { self.renewed(store, secret) } else { Ok((store, secret)) }
    }

    fn open_file(&self, path: &Path, unlock: Unlock<'_>) -> Result<Store, DiskError> {
        let file = open_or_make(path)?;
        let same = file.try_clone().map_err(|error| io_error(path, error))?;
        let opened = Store::open(backend(file, path)?, unlock, generator()?);
        let store = opened.map_err(|error| self.open_error(path, error))?;
        // Another process may have put a store that was made anew in its place, before this one had the lock.
        if is_named(&same, path) { Ok(store) } else { Err(self.in_use()) }
    }

    /// Opens something with what opens a store: this key file, or, where there is none or the store wants
    /// none, the passphrase.
    fn unlocked<T>(
        &self,
        key: Result<Zeroizing<[u8; KEY_BYTES]>, DiskError>,
        mut open: impl FnMut(Unlock<'_>) -> Result<T, DiskError>,
    ) -> Result<(T, Secret), DiskError> {
        let no_key = match key {
            Ok(key) => {
                let secret = Secret::KeyFile(key);
                match open(secret.unlock()) {
                    Err(DiskError::Open { source: OpenError::NeedsPassphrase, .. }) => None,
                    opened => return opened.map(|opened| (opened, secret)),
                }
            }
            Err(error @ (DiskError::Missing { .. } | DiskError::NoKey { .. })) => Some(error),
            Err(error) => return Err(error),
        };
        let secret = match self.typed.get().map_or_else(|| self.passphrase.read(&self.path), Ok) {
            Err(DiskError::NobodyToAsk) => return Err(no_key.unwrap_or(DiskError::NobodyToAsk)),
            secret => secret?,
        };
        match (open(secret.unlock()), no_key) {
            // That a key file is needed is no news to whom it is missing.
            (Err(DiskError::Open { source: OpenError::NeedsKeyFile, .. }), Some(no_key)) => Err(no_key),
            (opened, _) => {
                let opened = opened?;
                if self.passphrase == PassphraseFrom::Terminal {
                    self.typed.keep(&secret);
                }
                Ok((opened, secret))
            }
        }
    }

    /// Makes a new store of the same device out of what a damaged one still holds. It takes the place of
    /// the damaged one only by [`Self::replace`].
    ///
    /// # Errors
    /// If another process has the store open, its header is lost, what opens it is missing or of
    /// another store, or the disk fails.
    pub fn salvage(&self) -> Result<(Store, Salvaged, Damaged), DiskError> {
        if !self.has_store() {
            return Err(DiskError::NoStore { path: self.path.clone() });
        }
        let (path, fresh) = (self.store_path(), self.fresh_path());
        let damaged = backend(open_or_make(&path)?, &path)?;
        let ((store, salvaged), _) = self.unlocked(self.key(), |unlock| {
            let (new, incarnation) = (self.fresh_backend(&fresh, true)?, Incarnation::from_bytes(*random()?));
            let made = Store::salvage(&damaged, unlock, new, incarnation, &mut generator()?);
            made.map_err(|error| self.open_error(&path, error))
        })?;
        Ok((store, salvaged, Damaged(damaged)))
    }

    /// Puts the new store in the place of the damaged one, and keeps that beside it. Gives where.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn replace(&self, damaged: Damaged) -> Result<PathBuf, DiskError> {
        let aside = |number: u32| self.path.join(format!("rukun.redb.damaged-{number}"));
        let kept = (1..=u32::MAX).map(aside).find(|path| !path.exists()).expect("there are free numbers");
        let path = self.store_path();
        // At every moment the usual name leads to a store: a second name first, then the exchange.
        let linked = fs::hard_link(&path, &kept)
            .or_else(|_| fs::copy(&path, &kept).and_then(|_| File::open(&kept)?.sync_all()));
        linked.map_err(|error| io_error(&kept, error))?;
        self.put_in_place(&self.fresh_path())?;
        drop(damaged);
        Ok(kept)
    }

    /// The 32 bytes that unlock the store.
    ///
    /// # Errors
    /// If the file is missing, readable by others, or of another length.
    pub fn key(&self) -> Result<Zeroizing<[u8; KEY_BYTES]>, DiskError> {
        read_key(self.key_path())
    }

    /// The key file, made if there is none.
    fn key_or_new(&self) -> Result<Secret, DiskError> {
        if !self.has_key_file() {
            write_new(&self.key_path(), &*random::<KEY_BYTES>()?)?;
        }
        self.key().map(Secret::KeyFile)
    }

    /// Keeps the root key of a survey, as the hexadecimal text of its seed.
    ///
    /// # Errors
    /// If there is one already, or the disk fails.
    pub fn write_root(&self, root: &Keypair) -> Result<(), DiskError> {
        write_root_key(&self.root_path(), root)
    }

    /// The root key of the survey, where it was founded.
    ///
    /// # Errors
    /// If the file is missing, readable by others, or no key.
    pub fn root(&self) -> Result<Keypair, DiskError> {
        read_root_key(self.root_path()).map_err(|error| match error {
            DiskError::Missing { path } => DiskError::NoRoot { path },
            other => other,
        })
    }

    /// Where the root key is kept.
    pub fn root_path(&self) -> PathBuf {
        self.path.join("root.key")
    }

    /// Leaves the note of a running daemon, in the place of any other.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn write_note(&self, note: &DaemonNote) -> Result<(), DiskError> {
        let (path, fresh) = (self.note_path(), self.path.join("daemon.json.new"));
        remove_if_there(&fresh)?;
        let text = serde_json::to_vec_pretty(note).expect("a note is plain JSON");
        write_new(&fresh, &text)?;
        fs::rename(&fresh, &path).map_err(|error| io_error(&path, error))
    }

    /// The note of a daemon that runs, or that ran and was killed.
    ///
    /// # Errors
    /// If there is one that can't be read.
    pub fn note(&self) -> Result<Option<DaemonNote>, DiskError> {
        let path = self.note_path();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error(&path, error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|source| DiskError::Note { path, source })
    }

    /// Takes the note away, if it is still this process's.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn remove_note(&self, pid: u32) -> Result<(), DiskError> {
        if self.note()?.is_some_and(|note| note.pid == pid) {
            fs::remove_file(self.note_path()).map_err(|error| io_error(&self.note_path(), error))?;
        }
        Ok(())
    }

    fn store_path(&self) -> PathBuf {
        self.path.join("rukun.redb")
    }

    /// Where the key file is, if there is one.
    pub fn key_path(&self) -> PathBuf {
        self.path.join("key")
    }

    fn note_path(&self) -> PathBuf {
        self.path.join("daemon.json")
    }

    /// A store that is being made.
    fn fresh_path(&self) -> PathBuf {
        self.path.join("rukun.redb.new")
    }

    fn open_error(&self, path: &Path, error: OpenError) -> DiskError {
        match error {
            OpenError::InUse => self.in_use(),
            source => DiskError::Open { path: path.into(), source },
        }
    }

    fn in_use(&self) -> DiskError {
        let pid = self.note().ok().flatten().map(|note| note.pid);
        DiskError::InUse { path: self.path.clone(), pid }
    }
}

impl std::fmt::Debug for DaemonNote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pid, http, quic, token: _ } = self;
        write!(f, "DaemonNote {{ pid: {pid}, http: {http}, quic: {quic} }}")
    }
}

/// Bytes of the operating system's entropy.
///
/// # Errors
/// [`DiskError::Entropy`] if it gives none.
pub fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, DiskError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(DiskError::Entropy)?;
    Ok(bytes)
}

fn write_root_key(path: &Path, root: &Keypair) -> Result<(), DiskError> {
    let mut text = Zeroizing::new(HEXLOWER.encode(root.seed()));
    text.push('\n');
    write_new(path, text.as_bytes())
}

fn read_root_key(path: PathBuf) -> Result<Keypair, DiskError> {
    let text = read_secret(&path)?;
    let seed = HEXLOWER.decode(text.trim_ascii()).map(Zeroizing::new).ok();
    let seed = seed.and_then(|seed| <[u8; 32]>::try_from(seed.as_slice()).ok().map(Zeroizing::new));
    match seed {
        Some(seed) => Ok(Keypair::from_seed(&seed)),
        None => Err(DiskError::NoKey { path, called: "a root key of 64 hexadecimal digits" }),
    }
}

fn generator() -> Result<ChaCha20Rng, DiskError> {
    Ok(ChaCha20Rng::from_seed(*random()?))
}

#[cfg(test)]
mod tests;
