//! What can go wrong: a call on a store, or its making and opening, becomes an error that says who is
//! to blame and what to do. Nothing is mended or tried again here.

use std::io;

use redb::TableHandle;
use rukun_authority::RecallError;
use rukun_change::{RecordId, SurveyId};

use crate::tables::FORMAT;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The medium failed. What is staged is lost; what was committed is not.
    #[error("the store's medium failed: {0}; see to the disk, then restart")]
    Medium(Box<redb::Error>),
    /// An earlier error left the store unusable.
    #[error(
        "the store refuses everything since an earlier error ({cause}); restart to recover what was committed"
    )]
    Poisoned {
        /// That error, in words.
        cause: String,
    },
    /// A row that does not open under its key or is not what the format says.
    #[error(
        "row {row} of table {table} is damaged or was changed by someone; stop the node and run `rukun repair`"
    )]
    Damaged {
        /// The table.
        table: String,
        /// The key of the row, hexadecimal bytes.
        row: String,
    },
    /// A change in the log that is none.
    #[error("row {seq} of the log holds no change: {source}; stop the node and run `rukun repair`")]
    Recall {
        /// Where in the log.
        seq: u64,
        /// What is wrong with it.
        source: RecallError,
    },
    /// Changes can't be read before the survey is known.
    #[error("the store belongs to no survey yet; import the survey's charter first")]
    NoSurvey,
    /// The store belongs to another survey.
    #[error("the store belongs to survey {held}; use another store for another survey")]
    OtherSurvey {
        /// Which.
        held: SurveyId,
    },
    /// A view of a record that has no changes.
    #[error("record {0} has no changes in this store")]
    UnknownRecord(RecordId),
    /// A whole change of a record that was erased: the caller's fault.
    #[error("record {record} was erased; of its changes only headers are kept")]
    Erased {
        /// Which.
        record: RecordId,
    },
    /// A file larger than the store takes, or a piece that is not where it says.
    #[error(
        "a piece of {bytes} bytes at {offset} does not lie in a file of {total} bytes, of which {max} are allowed"
    )]
    BlobBounds {
        /// Where the piece starts.
        offset: u64,
        /// How long it is.
        bytes: u64,
        /// How long the file claims to be.
        total: u64,
        /// How long a file may be.
        max: u64,
    },
}

impl StoreError {
    pub(crate) fn damaged(table: &impl TableHandle, row: &[u8]) -> Self {
        Self::Damaged { table: table.name().into(), row: format!("{row:02x?}") }
    }
}

macro_rules! medium {
    ($($error:ident)*) => {$(
        impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                Self::Medium(Box::new(error.into()))
            }
        }
    )*};
}
medium!(StorageError TableError TransactionError CommitError);

/// Why a store could not be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is nothing to open.
    #[error("there is no store here, the file is empty")]
    Empty,
    /// There is something already.
    #[error("there is something here already; open it, or name another place for the new store")]
    NotEmpty,
    /// Another program's file, or a store whose first page is damaged.
    #[error(
        "this is no store of rukun, or its first page is damaged; if it was one, `rukun repair` saves what can be saved"
    )]
    NotAStore,
    /// Another process has it open.
    #[error("another process has this store open; stop the daemon first, or ask the daemon")]
    InUse,
    /// A later format.
    #[error("the store has format version {format}, this program knows up to {FORMAT}; update rukun")]
    UnknownFormat {
        /// Which version.
        format: u32,
    },
    /// A file format of redb that this version of it does not read.
    #[error(
        "the store's file format is unknown to this program; open it with the version of rukun that made it, or run `rukun repair` if this one did"
    )]
    UnknownFile,
    /// The key file of another store.
    #[error("the key file does not fit this store; give the one that was made with it")]
    WrongKeyFile,
    /// A slip, or another store's passphrase.
    #[error("the passphrase does not fit this store; try again")]
    WrongPassphrase,
    /// A passphrase where a key file is needed.
    #[error("this store opens with its key file, not with a passphrase")]
    NeedsKeyFile,
    /// A key file where a passphrase is needed.
    #[error("this store opens with a passphrase, not with a key file")]
    NeedsPassphrase,
    /// Argon2 got no memory.
    #[error(
        "checking the passphrase takes {mib} MiB of memory, and there is not as much; close other programs"
    )]
    NoMemory {
        /// How much.
        mib: u32,
    },
    /// A header row that is not what the format says.
    #[error("the store's header is damaged at {what}; run `rukun repair`")]
    Damaged {
        /// Which row.
        what: &'static str,
    },
    /// What nothing can be saved without.
    #[error(
        "the store's {what} is lost; put back a backup (`rukun restore`), or join as a new device (`rukun id` in another folder, and a grant for it)"
    )]
    Gone {
        /// What is.
        what: &'static str,
    },
    /// Pages whose checksums don't fit: a bad disk, or someone changed the file.
    #[error("the store's file is corrupted ({what}); see to the disk, then run `rukun repair`")]
    Corrupted {
        /// What redb found.
        what: String,
    },
    /// The medium failed.
    #[error("the store's medium failed: {0}; see to the disk")]
    Medium(Box<redb::Error>),
    /// The tables could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OpenError {
    /// What the operating system said, where it is the medium's fault.
    pub fn io_error(&self) -> Option<&io::Error> {
        let (Self::Medium(error) | Self::Store(StoreError::Medium(error))) = self else { return None };
        let redb::Error::Io(error) = &**error else { return None };
        Some(error)
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Medium(Box::new(redb::Error::Io(error)))
    }
}
