//! The tables of format version 1, one definition each. Numbers inside byte-array keys are
//! big-endian, so that rows sort as the numbers do. A *sealed* value is nonce (24), ciphertext,
//! tag (16); its associated data is the table's name, a zero byte and the row's key, with an
//! integer key as 8 bytes big-endian (see [`crate::seal`]). Nothing else is defined here.

use redb::TableDefinition;

/// Every table, for whoever makes or copies them all: a table that is not here is in no new store and in
/// no backup.
macro_rules! every_table {
    ($act:ident) => {
        $act!(
            ABOUT ALONE AUTHOR BLOB BLOB_STATE CAUSE CHANGE COUNTER DERIVED DEVICE DUPLICATE ENTRY ERASED
            FINGERPRINT HEADER HEADER_COPY IDENTITY INVITATION INVITED LOG PEER PROOF RECEIPT RECORD
            RECORD_IDENTITY RELEASED SETTING STALE STATEMENT SUM WAITING
        );
    };
}
pub(crate) use every_table;

/// The format version that this program writes and reads.
pub(crate) const FORMAT: u32 = 1;

/// What is needed to open the rest. `format`: version (4, big-endian); `lock`: how the data key is
/// locked, CBOR; `data_key`: sealed under that lock; `device_seed`: sealed under the header key;
/// `incarnation`: 4 bytes; `survey`: 32 bytes, once there is one.
pub(crate) const HEADER: TableDefinition<&str, &[u8]> = TableDefinition::new("header");

/// The rows of [`HEADER`] that nothing can be saved without, once more, so that damage to one page does
/// not take them. Never read by who opens a store; looked for by who repairs one.
pub(crate) const HEADER_COPY: TableDefinition<&str, &[u8]> = TableDefinition::new("header_copy");

/// Running numbers. `n`: the last number this device gave itself; `erased`: how many records were erased
/// or places released since the file was last made anew.
pub(crate) const COUNTER: TableDefinition<&str, u64> = TableDefinition::new("counter");

/// Log sequence number, from 1 -> what was appended: a signed change sealed under its
/// record's key; where the record was erased, the change's signed header sealed under the stub key; or a
/// statement sealed under the statement key.
pub(crate) const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");

/// Log sequence number -> what stands there, not sealed. A change: 0, change id (32), record (16),
/// number of the device it came from (4, 0: made here). A statement: 1, statement id (32), number
/// of the device (4). A receipt: 2, and the same. What was released: 3 alone; nothing stands in [`LOG`] there.
pub(crate) const ENTRY: TableDefinition<u64, &[u8]> = TableDefinition::new("entry");

/// Change id -> log sequence number.
pub(crate) const CHANGE: TableDefinition<&[u8; 32], u64> = TableDefinition::new("change");

/// Statement id -> log sequence number.
pub(crate) const STATEMENT: TableDefinition<&[u8; 32], u64> = TableDefinition::new("statement");

/// Sub-SLS (8), statement id (32) -> log sequence number: the statements about work there, which are
/// held and passed on with it. They are in [`STATEMENT`] too. Made empty where an earlier program made
/// the store.
pub(crate) const ABOUT: TableDefinition<&[u8; 40], u64> = TableDefinition::new("about");

/// Sub-SLS (8), device key of the issuer (32) -> log sequence number of its latest receipt there. No row
/// is in [`STATEMENT`].
pub(crate) const RECEIPT: TableDefinition<&[u8; 40], u64> = TableDefinition::new("receipt");

/// Sub-SLS (8), device key of the issuer (32), log sequence number of its receipt (8) -> up to where in
/// the log the receipt was found to cover the sub-SLS, and up to where what was made here.
pub(crate) const PROOF: TableDefinition<&[u8; 48], (u64, u64)> = TableDefinition::new("proof");

/// Sub-SLS (8), log sequence number (8): the changes made here that nobody else is known to hold.
pub(crate) const ALONE: TableDefinition<&[u8; 16], ()> = TableDefinition::new("alone");

/// Record (16), ink (1), cause (32), log sequence number (8): whether a record holds a cause, and
/// all changes of a record.
pub(crate) const CAUSE: TableDefinition<&[u8; 57], ()> = TableDefinition::new("cause");

/// Number of the author's device (4), incarnation (4), its own running number (8), log sequence
/// number (8): forks are neighbours.
pub(crate) const AUTHOR: TableDefinition<&[u8; 24], ()> = TableDefinition::new("author");

/// Device key -> its number in this store, from 1.
pub(crate) const DEVICE: TableDefinition<&[u8; 32], u32> = TableDefinition::new("device");

/// Record -> its own key, sealed under the record lock key. Without this row the record's changes
/// and view are noise.
pub(crate) const RECORD: TableDefinition<&[u8; 16], &[u8]> = TableDefinition::new("record");

/// Record that was erased -> id of the statement that erased it (32). No such record is in [`RECORD`]. Made
/// empty where an earlier program made the store.
pub(crate) const ERASED: TableDefinition<&[u8; 16], &[u8; 32]> = TableDefinition::new("erased");

/// Record that was released -> how many changes of it were held, and how many of these were made here. It
/// may be held again since. Made empty where an earlier program made the store.
pub(crate) const RELEASED: TableDefinition<&[u8; 16], (u64, u64)> = TableDefinition::new("released");

/// Sub-SLS -> fingerprint of the ids of its changes and of the statements about them.
pub(crate) const FINGERPRINT: TableDefinition<&[u8; 8], &[u8; 40]> = TableDefinition::new("fingerprint");

/// `statement`: fingerprint of the ids of all statements but those in [`ABOUT`]. Left out by earlier programs: without it, or
/// where it counts otherwise than [`STATEMENT`], it is summed anew.
pub(crate) const SUM: TableDefinition<&str, &[u8; 40]> = TableDefinition::new("sum");

/// Peer's device key -> what it is known to hold, sealed CBOR.
pub(crate) const PEER: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("peer");

/// Device key of the peer it came from (32), change id (32) -> signed change, sealed under the
/// waiting key. Outside the set.
pub(crate) const WAITING: TableDefinition<&[u8; 64], &[u8]> = TableDefinition::new("waiting");

/// Digest (32), offset (8) -> a piece of a file, sealed under the blob key.
pub(crate) const BLOB: TableDefinition<&[u8; 40], &[u8]> = TableDefinition::new("blob");

/// Digest -> bytes that the file has and bytes held. When they are equal the digest was found to fit.
pub(crate) const BLOB_STATE: TableDefinition<&[u8; 32], (u64, u64)> = TableDefinition::new("blob_state");

/// Name -> a small value, sealed under the setting key.
pub(crate) const SETTING: TableDefinition<&str, &[u8]> = TableDefinition::new("setting");

/// Invitation id -> an invitation to take part, sealed under the invitation key. It names a person.
pub(crate) const INVITATION: TableDefinition<&[u8; 16], &[u8]> = TableDefinition::new("invitation");

/// Tag of a person (16) -> the id of the latest invitation. The tag is the first half of HMAC-SHA256 over
/// what the person is known by.
pub(crate) const INVITED: TableDefinition<&[u8; 16], &[u8; 16]> = TableDefinition::new("invited");

/// Derived. Records whose view is older than their changes.
pub(crate) const STALE: TableDefinition<&[u8; 16], ()> = TableDefinition::new("stale");

/// Derived. Record -> view, sealed under the record's key.
pub(crate) const DERIVED: TableDefinition<&[u8; 16], &[u8]> = TableDefinition::new("derived");

/// Derived. Identity tag (16), record (16) -> kind of number. The tag is the first half of
/// HMAC-SHA256 over kind and number.
pub(crate) const IDENTITY: TableDefinition<&[u8; 32], u8> = TableDefinition::new("identity");

/// Derived. Record (16), identity tag (16): the rows of [`IDENTITY`] that its view put there.
pub(crate) const RECORD_IDENTITY: TableDefinition<&[u8; 32], ()> = TableDefinition::new("record_identity");

/// Derived. Identity tags that two or more records have -> kind of number.
pub(crate) const DUPLICATE: TableDefinition<&[u8; 16], u8> = TableDefinition::new("duplicate");
