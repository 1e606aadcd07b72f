//! The verbs that copy a store, put a copy back, and change what opens it.

use std::path::PathBuf;

use clap::Subcommand;

/// Copies of the store, and what opens it.
#[derive(Debug, Subcommand)]
pub enum Backup {
    /// Copy this node's store to a file, while a daemon runs or not
    #[command(after_help = "\
Example:
  rukun backup /media/backup/mesuji-2022-10-20.redb

What opens the store opens the backup: its passphrase, or its key file, which is not in it. Keep a copy of
the key file apart. A backup holds what was acknowledged, and is sealed as the store is.")]
    Backup {
        /// Where to; it must not be there yet
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Make a backup this node's store
    #[command(after_help = "\
Example:
  rukun restore /media/backup/mesuji-2022-10-20.redb --key /media/key/key

A store that is there is never overwritten: stop its daemon and move rukun.redb out of the folder first.
The node goes on under a new incarnation, so that nothing it writes is taken for what it wrote after the
backup. Peers bring that back.")]
    Restore {
        /// The backup
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The key file that was made with the store, if it is not in the data folder
        #[arg(long, value_name = "KEY")]
        key: Option<PathBuf>,
    },
    /// What opens this node's store, and the key that it signs with
    #[command(subcommand)]
    Key(Key),
}

/// What opens the store, and the key that signs.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Lock the store with a passphrase, new or instead of another
    #[command(after_help = "\
Example:
  rukun key passphrase

Stop the daemon first. The passphrase is asked for twice, or is the first line of --new. Without it nobody
opens the store, and nobody can give it back. A backup opens with what opened the store when it was made.")]
    Passphrase {
        /// A file whose first line is the new passphrase
        #[arg(long, value_name = "FILE")]
        new: Option<PathBuf>,
    },
    /// Lock the store with a key file in the data folder, instead of its passphrase
    #[command(after_help = "\
Example:
  rukun key file

Stop the daemon first. Whoever has the data folder then has the answers: keep it on a disk that is
encrypted.")]
    File,
    /// Go on under a new key, an enumerator's device
    #[command(after_help = "\
Example:
  rukun key rotate

Stop the daemon first. The old key says that the new one follows it; what it made stays under its name and
counts. A backup from before holds the old key, which may do nothing any more: make a new one. If the old key
may be in other hands, let the superior rukun revoke it as well. A superior's key is not rotated: its own superior grants a new device and revokes the old one.")]
    Rotate,
}
