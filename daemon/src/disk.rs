//! The data folder: a path becomes a store, keys and the note that a running daemon leaves for the
//! command line. Secrets are readable by their owner alone, or refused. What the store holds is
//! not looked at here.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rukun_authority::Keypair;
use rukun_change::Incarnation;
use rukun_replica::{FileBackend, NewStore, OpenError, Salvaged, Store, Unlock};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
/// Longer files are no key files.
const SECRET_BYTES_MAX: u64 = 256;

/// A data folder: `rukun.redb`, `key`, `root.key`, and `daemon.json` while a daemon runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
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
        Self { path: path.into() }
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

    /// Makes the folder, its key file and a store for a new device.
    ///
    /// # Errors
    /// If there is a store already, or the disk fails.
    pub fn create_store(&self) -> Result<Store, DiskError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|error| io_error(&self.path, error))?;
        if self.has_store() {
            return Err(DiskError::Exists { path: self.path.clone() });
        }
        if !self.key_path().exists() {
            write_new(&self.key_path(), &*random::<KEY_BYTES>()?)?;
        }
        let key = self.key()?;
        let new = NewStore { device_seed: *random()?, incarnation: Incarnation::from_bytes(*random()?) };
        let fresh = self.fresh_path();
        let made =
            Store::create(self.fresh_backend(&fresh, false)?, Unlock::KeyFile(&key), &new, &mut generator()?);
        let store = made.map_err(|source| DiskError::Open { path: fresh.clone(), source })?;
        self.put_in_place(&fresh)?;
        Ok(store)
    }

    /// An empty file that this process alone writes. What an earlier making left there is thrown away.
    fn fresh_backend(&self, fresh: &Path, replaces: bool) -> Result<FileBackend, DiskError> {
        let file = open_or_make(fresh)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(self.open_error(OpenError::InUse)),
            Err(TryLockError::Error(error)) => return Err(io_error(fresh, error)),
        }
        // Another process may have put it in place since it was opened here: then it is no scrap.
        if self.has_store() && !replaces {
            return Err(DiskError::Exists { path: self.path.clone() });
        }
        let emptied = file.set_len(0).and_then(|()| file.set_permissions(Permissions::from_mode(0o600)));
        emptied.map_err(|error| io_error(fresh, error))?;
        FileBackend::new(file).map_err(|error| io_error(fresh, io::Error::other(error)))
    }

    /// Gives a store that is whole and durable its name. Power lost before this leaves the name free.
    fn put_in_place(&self, fresh: &Path) -> Result<(), DiskError> {
        let path = self.store_path();
        let synced = File::open(fresh).and_then(|file| file.sync_all());
        synced.map_err(|error| io_error(fresh, error))?;
        fs::rename(fresh, &path).map_err(|error| io_error(&path, error))?;
        sync_folder(&self.path)
    }

    /// Opens the store with the key file.
    ///
    /// # Errors
    /// If there is none, another process has it open, the key file is missing, readable by others
    /// or of another store, or the disk fails.
    pub fn open_store(&self) -> Result<Store, DiskError> {
        if !self.has_store() {
            return Err(DiskError::NoStore { path: self.path.clone() });
        }
        let key = self.key()?;
        let opened = Store::open(backend(&self.store_path())?, Unlock::KeyFile(&key), generator()?);
        opened.map_err(|error| self.open_error(error))
    }

    /// Makes a new store of the same device out of what a damaged one still holds. It takes the place of
    /// the damaged one only by [`Self::replace`].
    ///
    /// # Errors
    /// If another process has the store open, its header is lost, the key file is missing or of
    /// another store, or the disk fails.
    pub fn salvage(&self) -> Result<(Store, Salvaged, Damaged), DiskError> {
        if !self.has_store() {
            return Err(DiskError::NoStore { path: self.path.clone() });
        }
        let (key, fresh) = (self.key()?, self.fresh_path());
        let damaged = backend(&self.store_path())?;
        let (new, incarnation) = (self.fresh_backend(&fresh, true)?, Incarnation::from_bytes(*random()?));
        let made = Store::salvage(&damaged, Unlock::KeyFile(&key), new, incarnation, &mut generator()?);
        let (store, salvaged) = made.map_err(|error| self.open_error(error))?;
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
        let path = self.key_path();
        let bytes = read_secret(&path)?;
        let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice());
        key.map(Zeroizing::new).map_err(|_| DiskError::NoKey { path, called: "a key file of 32 bytes" })
    }

    /// Keeps the root key of a survey, as the hexadecimal text of its seed.
    ///
    /// # Errors
    /// If there is one already, or the disk fails.
    pub fn write_root(&self, root: &Keypair) -> Result<(), DiskError> {
        let mut text = Zeroizing::new(HEXLOWER.encode(root.seed()));
        text.push('\n');
        write_new(&self.root_path(), text.as_bytes())
    }

    /// The root key of the survey, where it was founded.
    ///
    /// # Errors
    /// If the file is missing, readable by others, or no key.
    pub fn root(&self) -> Result<Keypair, DiskError> {
        let path = self.root_path();
        let text = read_secret(&path)?;
        let seed = HEXLOWER.decode(text.trim_ascii()).map(Zeroizing::new).ok();
        let seed = seed.and_then(|seed| <[u8; 32]>::try_from(seed.as_slice()).ok().map(Zeroizing::new));
        match seed {
            Some(seed) => Ok(Keypair::from_seed(&seed)),
            None => Err(DiskError::NoKey { path, called: "a root key of 64 hexadecimal digits" }),
        }
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

    fn key_path(&self) -> PathBuf {
        self.path.join("key")
    }

    fn note_path(&self) -> PathBuf {
        self.path.join("daemon.json")
    }

    /// A store that is being made.
    fn fresh_path(&self) -> PathBuf {
        self.path.join("rukun.redb.new")
    }

    fn open_error(&self, error: OpenError) -> DiskError {
        match error {
            OpenError::InUse => {
                let pid = self.note().ok().flatten().map(|note| note.pid);
                DiskError::InUse { path: self.path.clone(), pid }
            }
            source => DiskError::Open { path: self.store_path(), source },
        }
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

fn generator() -> Result<ChaCha20Rng, DiskError> {
    Ok(ChaCha20Rng::from_seed(*random()?))
}

fn backend(path: &Path) -> Result<FileBackend, DiskError> {
    FileBackend::new(open_or_make(path)?).map_err(|error| io_error(path, io::Error::other(error)))
}

fn open_or_make(path: &Path) -> Result<File, DiskError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(|error| io_error(path, error))
}

fn remove_if_there(path: &Path) -> Result<(), DiskError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path, error)),
        _ => Ok(()),
    }
}

/// Writes a file that was not there, for its owner alone; it outlives a loss of power.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| io_error(path, error))?;
    path.parent().map_or(Ok(()), sync_folder)
}

fn sync_folder(path: &Path) -> Result<(), DiskError> {
    let synced = File::open(path).and_then(|folder| folder.sync_all());
    synced.map_err(|error| io_error(path, error))
}

fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, DiskError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(DiskError::Missing { path: path.into() });
        }
        Err(error) => return Err(io_error(path, error)),
    };
    let mode = file.metadata().map_err(|error| io_error(path, error))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(DiskError::Exposed { path: path.into(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX as usize));
    let read = file.take(SECRET_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| io_error(path, error)).map(|_| bytes)
}

fn io_error(path: &Path, source: io::Error) -> DiskError {
    DiskError::Io { path: path.into(), source }
}

/// What is wrong with the data folder.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// There is no usual place for the folder.
    #[error("neither RUKUN_DIR nor HOME is set")]
    NoHome,
    /// There is a store where a new one was to be made.
    #[error("{path} holds a store already")]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// There is no store.
    #[error("{path} holds no store")]
    NoStore {
        /// The folder.
        path: PathBuf,
    },
    /// Another process has the store open.
    #[error("{path} is in use by another rukun{}", pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process that says it runs there.
        pid: Option<u32>,
    },
    /// A secret that is not there.
    #[error("{path} is missing")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A secret that others can read.
    #[error("{path} can be read by others (mode {mode:03o})")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file that holds no key.
    #[error("{path} is not {called}")]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What it should be.
        called: &'static str,
    },
    /// The store can't be opened.
    #[error("{path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: OpenError,
    },
    /// A note that no daemon wrote.
    #[error("{path} is no note of a daemon: {source}")]
    Note {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The disk or the permissions of a folder.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The operating system gives no entropy.
    #[error("the operating system gives no entropy: {0}")]
    Entropy(getrandom::Error),
}

impl DiskError {
    /// What to do about it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::NoHome => Some("name a data folder with --dir DIR".into()),
            Self::Exists { .. } => Some("use it as it is, or name another folder with --dir DIR".into()),
            Self::NoStore { .. } => {
                Some("make one with `rukun init`, or name its folder with --dir DIR".into())
            }
            Self::InUse { .. } => Some("stop that one first, or let it finish".into()),
            Self::Missing { .. } => Some("put back the file that was made with this store".into()),
            Self::Exposed { path, .. } => Some(format!("chmod 600 {}", path.display())),
            Self::NoKey { .. } => Some("put back the file as it was made, from a backup".into()),
            Self::Note { path, .. } => Some(format!("if no daemon runs there, remove {}", path.display())),
            Self::Open { .. } | Self::Io { .. } | Self::Entropy(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
