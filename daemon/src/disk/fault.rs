//! What can be wrong with a data folder, whose fault it is, and what to do about it.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use rukun_replica::OpenError;

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
    /// A file where a new one was to be made.
    #[error("{path} is there already")]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// A passphrase is needed, and no terminal has a person at it.
    #[error("the store opens with a passphrase, and there is nobody to ask for it")]
    NobodyToAsk,
    /// A new passphrase is to be typed, and no terminal has a person at it.
    #[error("there is nobody to ask for the new passphrase")]
    NobodyToAskAnew,
    /// The terminal can't be read.
    #[error("the terminal can't be read: {0}")]
    Terminal(io::Error),
    /// A new passphrase that was typed in two ways.
    #[error("the two passphrases differ; nothing was changed")]
    Differ,
    /// A new passphrase that is soon guessed.
    #[error("the passphrase has {chars} characters, and at least {min} are needed; nothing was changed")]
    Short {
        /// How many it has.
        chars: usize,
        /// How many it needs.
        min: usize,
    },
    /// A key file in the place of a key file.
    #[error("the store opens with its key file already")]
    KeyFileAlready,
    /// A secret that is not there.
    #[error("{path} is missing")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A root key that is not there.
    #[error("the survey's root key is not here: {path} is missing")]
    NoRoot {
        /// Where it would be.
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
    /// Shares of different root keys.
    #[error("{path} is a share of another root key than the one before it")]
    OtherShares {
        /// The file.
        path: PathBuf,
    },
    /// Too few shares.
    #[error("{given} shares are given, and {needed} different ones are needed")]
    FewShares {
        /// How many.
        given: usize,
        /// How many are needed.
        needed: usize,
    },
    /// Shares that make another key than the one that they name.
    #[error("these shares do not make the root key that they name: one of them was changed")]
    SpoiltShares,
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
    /// Whether it would have gone well with more room.
    pub fn is_no_room(&self) -> bool {
        let error = match self {
            Self::Io { source, .. } => Some(source),
            Self::Open { source, .. } => source.io_error(),
            _ => None,
        };
        let is_full = |kind| {
            matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
        };
        error.is_some_and(|error| is_full(error.kind()))
    }

    /// What to do about it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::NoHome => Some("name a data folder with --dir DIR".into()),
            Self::Exists { .. } => Some("use it as it is, or name another folder with --dir DIR".into()),
            Self::NoStore { .. } => Some(
                "take part in a survey with `rukun join`, put a backup back with `rukun restore`, found a survey with `rukun init FILE`, or name another folder with --dir DIR".into(),
            ),
            Self::InUse { .. } => Some(
                "stop that one first, or let it finish; if it is a daemon that does not answer, see its log".into(),
            ),
            Self::Taken { .. } => Some("name another place, or move it away: nothing is ever overwritten".into()),
            Self::NobodyToAsk => {
                Some("name a file that has it, as --passphrase-file FILE or in RUKUN_PASSPHRASE_FILE".into())
            }
            Self::NobodyToAskAnew => Some("name a file that has it, as --new FILE".into()),
            Self::Differ => Some("try again".into()),
            Self::Short { .. } => Some("some words that only you would put together are best".into()),
            Self::KeyFileAlready => Some("`rukun key passphrase` locks it with a passphrase instead".into()),
            Self::Missing { .. } => Some(
                "put back the file that was made with this store; if a passphrase locks it, name a file that \
                 has it: --passphrase-file FILE"
                    .into(),
            ),
            Self::NoRoot { .. } => Some(
                "put it together from two of its shares: rukun root join SHARE SHARE; without --root this device \
                 acts by its own grants"
                    .into(),
            ),
            Self::Exposed { path, .. } => Some(format!(
                "chmod 600 '{path}' (a FAT stick keeps no permissions: name a copy made by `install -m 600 '{path}' .`)",
                path = path.display()
            )),
            Self::NoKey { .. } => Some("put back the file as it was made, from a backup".into()),
            Self::OtherShares { .. } | Self::FewShares { .. } | Self::SpoiltShares => {
                Some("name two shares that were made together; the third will do for one that is spoilt".into())
            }
            Self::Note { path, .. } => Some(format!("if no daemon runs there, remove {}", path.display())),
            Self::Open { .. } | Self::Io { .. } | Self::Terminal(_) | Self::Entropy(_) => None,
        }
    }
}
