//! The durable log: an admitted change becomes a fact that outlives power loss, sealed so that a lost
//! phone yields record ids and sizes and no answer. Statements, indexes, cursors of peers, what
//! waits, and derived views live in the same transactions. Nothing about meaning: no documents, no
//! grants, no sockets, and no files either, since a storage backend is an argument.

mod tables;

mod rows;

mod fault;
pub use fault::{OpenError, StoreError};

mod seal;

mod keys;
pub use keys::Unlock;

mod metered;

mod slots;

mod staging;
mod store;
pub use store::{Stats, Store};

mod open;
pub use open::NewStore;

mod copy;

mod renewal;

mod pages;

mod finds;

mod salvage;
pub use salvage::Salvaged;

mod entry;
pub use entry::{EntryKind, LogEntry};

mod log;

mod erasure;

mod statements;

mod receipts;
pub use receipts::{HeldItem, Proof};

mod release;
pub use release::Released;

mod custody;

mod numbers;
pub use numbers::Numbers;

mod index;

mod peer;
pub use peer::PeerState;

mod waiting;

mod waits;
pub use waits::Waits;

mod invitation;

mod blob;
pub use blob::{BLOB_BYTES_MAX, BlobState};

mod derived;
pub use derived::{Duplicate, IdentityKind};

pub use redb::StorageBackend;
pub use redb::backends::{FileBackend, InMemoryBackend};
