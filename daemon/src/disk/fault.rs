//! What can be wrong with a data folder, whose fault it is, and what to do about it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

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
    #[error(
        "the passphrase has {}, and at least {min} are needed; nothing was changed",
        counted(*chars, "character", "characters")
    )]
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
    #[error("{} given, and {needed} different ones are needed", counted(*given, "share is", "shares are"))]
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
                "put it together from two of its shares: rukun root join SHARE SHARE".into(),
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
            Self::Io { path, source } => of_file(path, source.kind()),
            Self::Open { .. } | Self::Terminal(_) | Self::Entropy(_) => None,
        }
    }
}

/// What to do where a file or folder can't be read or written.
fn of_file(path: &Path, kind: ErrorKind) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match kind {
        kind if is_full(kind) => Some("make room there, or choose another place".into()),
        ErrorKind::NotFound if !folder.exists() => {
            Some(format!("there is no folder {}: make it, or name another place", folder.display()))
        }
        ErrorKind::NotFound => Some("is that where it is?".into()),
        ErrorKind::NotADirectory => Some(format!("{} is no folder: choose another place", folder.display())),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Some(format!(
            "see who owns it and its permissions (ls -ld '{}'), or choose another place",
            folder.display()
        )),
        _ => None,
    }
}

fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::write_new;

    #[test]
    fn a_place_that_takes_no_file_is_named_as_it_was_asked_for_with_what_to_do() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("nodir/x.bundle");
        let error = write_new(&path, b"x").unwrap_err();
        let said = format!("{}: No such file or directory (os error 2)", path.display());
        assert_eq!(error.to_string(), said);
        assert!(error.remedy().unwrap().contains("nodir: make it"), "{:?}", error.remedy());
        std::fs::write(parent.path().join("file"), "").unwrap();
        let error = write_new(&parent.path().join("file/x.bundle"), b"x").unwrap_err();
        assert!(error.remedy().unwrap().contains("is no folder"), "{error}: {:?}", error.remedy());
        let full = DiskError::Io { path, source: ErrorKind::StorageFull.into() };
        assert!(full.remedy().unwrap().contains("make room there"), "{:?}", full.remedy());
    }

    #[test]
    fn one_is_counted_as_one() {
        let few = DiskError::FewShares { given: 1, needed: 2 }.to_string();
        assert!(few.starts_with("1 share is given"), "{few}");
        let short = DiskError::Short { chars: 1, min: 8 }.to_string();
        assert!(short.contains("has 1 character,"), "{short}");
    }
}
