//! What opens a folder's store: its key file, or a passphrase, which comes from a file that is named or
//! from the person at the terminal. A passphrase is asked for only where no key file fits.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rukun_replica::Unlock;
use zeroize::Zeroizing;

use super::fault::DiskError;
use super::file::{KEY_BYTES, read_secret};

/// The shortest passphrase that a store is locked with.
const PASSPHRASE_CHARS_MIN: usize = 12;

/// What opens a store.
pub enum Secret {
    /// The bytes of a key file.
    KeyFile(Zeroizing<[u8; KEY_BYTES]>),
    /// A passphrase.
    Passphrase(Zeroizing<String>),
}

/// Where a passphrase comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PassphraseFrom {
    /// The person at the terminal, if there is one.
    #[default]
    Terminal,
    /// The first line of a file that its owner alone can read.
    File(PathBuf),
}

/// A passphrase that somebody typed and that opened a store: a process that opens it again does not ask again. Its
/// clones share it.
#[derive(Clone, Default)]
pub(super) struct Typed(Arc<OnceLock<Zeroizing<String>>>);

impl Typed {
    pub(super) fn get(&self) -> Option<Secret> {
        self.0.get().cloned().map(Secret::Passphrase)
    }

    pub(super) fn keep(&self, secret: &Secret) {
        if let Secret::Passphrase(text) = secret {
            // The first one stays: another would have to open the same store.
            let _ = self.0.set(text.clone());
        }
    }
}

/// What was typed makes no other folder.
impl PartialEq for Typed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Typed {}

impl std::fmt::Debug for Typed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Typed")
    }
}

impl Secret {
    /// As the store takes it.
    pub fn unlock(&self) -> Unlock<'_> {
        match self {
            Self::KeyFile(key) => Unlock::KeyFile(key),
            Self::Passphrase(text) => Unlock::Passphrase(text),
        }
    }
}

impl PassphraseFrom {
    /// The passphrase of the store in this folder.
    ///
    /// # Errors
    /// If the file can't be read or others can, or there is nobody to ask.
    pub(super) fn read(&self, folder: &Path) -> Result<Secret, DiskError> {
        match self {
            Self::File(path) => first_line(path).map(Secret::Passphrase),
            Self::Terminal => ask(&format!("Passphrase of {}: ", folder.display())).map(Secret::Passphrase),
        }
    }

    /// A new passphrase: whoever types it types it twice.
    ///
    /// # Errors
    /// Also if it is too short, or the two differ.
    pub fn read_new(&self) -> Result<Secret, DiskError> {
        let text = match self {
            Self::File(path) => first_line(path)?,
            Self::Terminal => {
                let anew = |error| match error {
                    DiskError::NobodyToAsk => DiskError::NobodyToAskAnew,
                    other => other,
                };
                let text = ask("New passphrase: ").map_err(anew)?;
                if ask("Once more: ")? != text {
                    return Err(DiskError::Differ);
                }
                text
            }
        };
        let chars = text.chars().count();
        if chars < PASSPHRASE_CHARS_MIN {
            return Err(DiskError::Short { chars, min: PASSPHRASE_CHARS_MIN });
        }
        Ok(Secret::Passphrase(text))
    }
}

fn first_line(path: &Path) -> Result<Zeroizing<String>, DiskError> {
    let bytes = read_secret(path)?;
    let line = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let text = std::str::from_utf8(line).map(|text| Zeroizing::new(text.to_owned()));
    text.map_err(|_| DiskError::NoKey { path: path.into(), called: "a passphrase in UTF-8" })
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, DiskError> {
    if !io::stdin().is_terminal() {
        return Err(DiskError::NobodyToAsk);
    }
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(DiskError::Terminal)
}
