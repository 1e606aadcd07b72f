//! Backups, restoring them, and what opens a store.

use std::io;
use std::path::{Path, PathBuf};

use rukun_replica::OpenError;
use serde::Serialize;

use super::output::Output;
use crate::args::{Backup, Key};
use crate::clock;
use crate::disk::{self, DiskError, Folder, PassphraseFrom};
use crate::node::Node;
use crate::render::{counted, shown_bytes};
use crate::verbs::{self, BackupShape, Request, RotatedShape, VerbError};

pub(super) fn carry_out(verb: Backup, folder: &Folder, output: Output) -> Result<(), VerbError> {
    match verb {
        Backup::Backup { file } => back_up(&file, folder, output),
        Backup::Restore { file, key } => restore(&file, key.as_deref(), folder, output),
        Backup::Key(Key::Passphrase { new }) => lock_with_passphrase(new, folder, output),
        Backup::Key(Key::File) => lock_with_key_file(folder, output),
        Backup::Key(Key::Rotate) => rotate(folder, output),
    }
}

fn back_up(file: &Path, folder: &Folder, output: Output) -> Result<(), VerbError> {
    let unusable = |why: &str| VerbError::new(format!("{}: {why}", file.display()), "name another file");
    // The daemon may run in another folder than this program.
    let path = std::path::absolute(file).map_err(|error| unusable(&error.to_string()))?;
    let path = path.into_os_string().into_string().map_err(|_| unusable("its name is no UTF-8"))?;
    let made: BackupShape = Node::open(folder)?.ask(Request::Backup { path: path.into() })?;
    output.show(&made, |made, _| {
        let BackupShape { path, changes, bytes } = made;
        format!(
            "{} in {path}, {}\nit opens with what opens this store: its \
             passphrase, or a copy of its key file, to be kept apart\n",
            counted(*changes, "change is", "changes are"),
            shown_bytes(*bytes),
        )
    })?;
    Ok(())
}

fn restore(file: &Path, key: Option<&Path>, folder: &Folder, output: Output) -> Result<(), VerbError> {
    let restored = folder.restore(file, key).map_err(|error| not_restored(error, file))?;
    output.show(&restored, |restored, _| {
        format!(
            "{} here, under a new incarnation\nstart rukun daemon: peers bring back what came after \
             the backup\n",
            counted(restored.changes, "change is", "changes are")
        )
    })?;
    Ok(())
}

/// What is wrong with a backup is mended by another one, and not where it lies.
fn not_restored(error: DiskError, file: &Path) -> VerbError {
    const KEY: &str = "name the copy of the key file that was kept with the backup: --key KEYFILE; if a passphrase \
                       locks it, name a file that has it: --passphrase-file FILE";
    let file = file.display();
    let (message, remedy) = match &error {
        DiskError::Missing { .. } => (error.to_string(), KEY),
        DiskError::Open { source, .. } if source.io_error().is_none_or(is_short) => match source {
            OpenError::WrongKeyFile | OpenError::NeedsPassphrase => (first_part(&error), KEY),
            OpenError::Empty | OpenError::NotAStore => (
                format!("{file} is no backup of rukun, or its beginning is damaged"),
                "name a file that rukun backup made; if it is one, take another backup of that device",
            ),
            OpenError::Corrupted { .. }
            | OpenError::Damaged { .. }
            | OpenError::Gone { .. }
            | OpenError::Medium(_)
            | OpenError::Store(_) => (
                format!("{file} is cut off or damaged"),
                "copy it again from where it was made, or take another backup of that device",
            ),
            _ => return error.into(),
        },
        _ => return error.into(),
    };
    VerbError::new(message, remedy).with_status(500)
}

/// Whether a file ended early, and no disk failed.
fn is_short(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
}

/// What stands before the remedy.
fn first_part(error: &DiskError) -> String {
    let text = error.to_string();
    text.split_once("; ").map_or(text.as_str(), |(first, _)| first).into()
}

/// What opens the store from now on.
#[derive(Serialize)]
struct Locked {
    opens_with: &'static str,
    /// A key file that opens it no more, or never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_key_file: Option<PathBuf>,
}

fn lock_with_passphrase(new: Option<PathBuf>, folder: &Folder, output: Output) -> Result<(), VerbError> {
    folder.lock_with_passphrase(&new.map_or(PassphraseFrom::Terminal, PassphraseFrom::File))?;
    let idle_key_file = folder.has_key_file().then(|| folder.key_path());
    output.show(&Locked { opens_with: "passphrase", idle_key_file }, |locked, _| {
        let idle = locked.idle_key_file.as_ref().map(|path| {
            format!("{} does not open it: remove it unless another store needs it\n", path.display())
        });
        format!("the store opens with its passphrase from now on\n{}", idle.unwrap_or_default())
    })?;
    Ok(())
}

fn lock_with_key_file(folder: &Folder, output: Output) -> Result<(), VerbError> {
    folder.lock_with_key_file()?;
    output.show(&Locked { opens_with: "key file", idle_key_file: None }, |_, _| {
        format!("the store opens with {} from now on\n", folder.key_path().display())
    })?;
    Ok(())
}

/// The new key is drawn here: a daemon that runs under the old one is another peer than it would be.
fn rotate(folder: &Folder, output: Output) -> Result<(), VerbError> {
    let seed = disk::random()?;
    let now = clock::now();
    let rotated: RotatedShape = Node::open(folder)?.alone(|replica| verbs::rotate(replica, now, &seed))?;
    output.show(&rotated, |rotated, _| {
        format!(
            "this device is {} from now on\nit was {}\nstart rukun daemon: whoever it meets learns it\na backup from before holds the old key: make a new one (rukun backup)\n",
            rotated.device, rotated.was
        )
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::tests::district;

    #[test]
    fn what_is_wrong_with_a_backup_is_mended_by_another_one_or_by_its_key() {
        let (parent, node) = district();
        drop(node);
        let folder = Folder::at(parent.path().join("data"));
        let store = folder.open_store().unwrap();
        let backup = parent.path().join("backup.redb");
        disk::back_up(&backup, |file| store.copy_to(file)).unwrap();
        let words = parent.path().join("words");
        disk::write_new(&words, b"kopi tubruk tanpa gula").unwrap();
        let new = Folder::at(parent.path().join("new")).with_passphrase(PassphraseFrom::File(words));
        let key = folder.key_path();
        let told = |key: Option<&Path>| not_restored(new.restore(&backup, key).unwrap_err(), &backup);
        let error = told(None);
        assert!(error.message.contains("is missing") && error.remedy.contains("--key KEYFILE"), "{error}");
        let whole = std::fs::read(&backup).unwrap();
        for length in [whole.len() - 1, whole.len() / 2, whole.len() / 3, 4_096, 200] {
            std::fs::write(&backup, &whole[..length]).unwrap();
            let error = told(Some(&key));
            assert!(error.message.contains("damaged") && error.remedy.contains("another backup"), "{error}");
            assert!(!error.to_string().contains("rukun repair"), "{error}");
        }
        std::fs::write(&backup, "a letter").unwrap();
        let error = told(Some(&key));
        assert!(error.message.contains("is no backup") && error.remedy.contains("rukun backup"), "{error}");
    }
}
