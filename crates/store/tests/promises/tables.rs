//! Every table of the store, and what of it lies open to whoever has the file: a table that is not here
//! fails the tests, so that nobody adds one without saying so, and why.

use redb::{Key, ReadTransaction, ReadableTable, TableDefinition, Value, WriteTransaction};

pub(crate) type Bytes = Vec<u8>;

/// A table, and how its rows are read and written whatever their types are.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) values: Values,
    pub(crate) rows: fn(&ReadTransaction, &str) -> Vec<(Bytes, Bytes)>,
    pub(crate) put: fn(&WriteTransaction, &str, &[u8], &[u8]),
}

/// What a table's values are to whoever has no key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    Sealed,
    /// Sealed, and looked at only where a damaged file is repaired.
    Spare,
    /// Not sealed, by design: nothing that a person said is in them, but this.
    Open(&'static str, Changed),
}

/// What comes of a changed byte in a value that lies open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Changed {
    Noticed,
    /// Not everywhere noticed, and why that costs no answer.
    Unnoticed(&'static str),
}

use Changed::{Noticed, Unnoticed};
use Values::{Open, Sealed, Spare};

macro_rules! table {
    ($name:literal, $key:ty, $value:ty, $values:expr) => {
        Table { name: $name, values: $values, rows: rows::<$key, $value>, put: put::<$key, $value> }
    };
}

pub(crate) const TABLES: [Table; 31] = [
    table!(
        "about",
        &[u8; 40],
        u64,
        Open("a place in the log", Unnoticed("a statement is found by its id, in another table"))
    ),
    table!("alone", &[u8; 16], (), Open("nothing", Noticed)),
    table!("author", &[u8; 24], (), Open("nothing", Noticed)),
    table!("blob", &[u8; 40], &[u8], Sealed),
    table!("blob_state", &[u8; 32], (u64, u64), Open("lengths of the charter's files", Noticed)),
    table!("cause", &[u8; 57], (), Open("nothing", Noticed)),
    table!("change", &[u8; 32], u64, Open("a place in the log", Noticed)),
    table!(
        "counter",
        &str,
        u64,
        Open(
            "how much this device wrote, and how many records were erased or places released",
            Unnoticed(
                "a lower number makes a fork of the next change, which every node sees; with a lower one of \
                 erased records the file is not made anew"
            )
        )
    ),
    table!("derived", &[u8; 16], &[u8], Sealed),
    table!(
        "device",
        &[u8; 32],
        u32,
        Open(
            "a short name for a device in this store",
            Unnoticed("forks of that device are found no more by its number")
        )
    ),
    table!(
        "duplicate",
        &[u8; 16],
        u8,
        Open("whether a tag is of a NIK or a KK number", Unnoticed("derived: the views make it anew"))
    ),
    table!(
        "entry",
        u64,
        &[u8],
        Open(
            "ids, the record's region among them, and which peer brought it",
            Unnoticed("from whom a change came decides only whom it is not sent to again")
        )
    ),
    table!(
        "erased",
        &[u8; 16],
        &[u8; 32],
        Open("the id of a statement", Unnoticed("the statement itself says which record it erases"))
    ),
    table!(
        "fingerprint",
        &[u8; 8],
        &[u8; 40],
        Open("a sum of ids", Unnoticed("a wrong sum costs a comparison of ids with each peer"))
    ),
    table!("header", &str, &[u8], Sealed),
    table!("header_copy", &str, &[u8], Spare),
    table!(
        "identity",
        &[u8; 32],
        u8,
        Open("whether a tag is of a NIK or a KK number", Unnoticed("derived: the views make it anew"))
    ),
    table!("invitation", &[u8; 16], &[u8], Sealed),
    table!(
        "invited",
        &[u8; 16],
        &[u8; 16],
        Open("the id of an invitation", Unnoticed("a person who is invited again gets a second card"))
    ),
    table!("log", u64, &[u8], Sealed),
    table!("peer", &[u8; 32], &[u8], Sealed),
    table!(
        "proof",
        &[u8; 48],
        (u64, u64),
        Open(
            "up to where in the log a receipt covers a place",
            Unnoticed("it decides what is shown of delivery on this device, and nothing that is sent")
        )
    ),
    table!(
        "receipt",
        &[u8; 40],
        u64,
        Open("a place in the log", Unnoticed("it decides which receipt of an issuer is passed on"))
    ),
    table!("record", &[u8; 16], &[u8], Sealed),
    table!("record_identity", &[u8; 32], (), Open("nothing", Noticed)),
    table!(
        "released",
        &[u8; 16],
        (u64, u64),
        Open(
            "how many changes a record had here before it was released",
            Unnoticed("nothing follows from it")
        )
    ),
    table!("setting", &str, &[u8], Sealed),
    table!("stale", &[u8; 16], (), Open("nothing", Noticed)),
    table!("statement", &[u8; 32], u64, Open("a place in the log", Noticed)),
    table!(
        "sum",
        &str,
        &[u8; 40],
        Open("a sum of ids", Unnoticed("a wrong sum costs a comparison of ids with each peer"))
    ),
    table!("waiting", &[u8; 64], &[u8], Sealed),
];

/// Rows of the header that are needed before anything opens, or that tell no more than the ids do; and
/// which of them may change without the store noticing.
pub(crate) const HEADER_OPEN: [(&str, Changed); 4] = [
    ("format", Noticed),
    ("incarnation", Unnoticed("the device goes on as one that was restored")),
    ("lock", Noticed),
    ("survey", Noticed),
];

fn rows<K: Key + 'static, V: Value + 'static>(txn: &ReadTransaction, name: &str) -> Vec<(Bytes, Bytes)> {
    let table = txn.open_table(TableDefinition::<K, V>::new(name)).unwrap();
    let rows = table.iter().unwrap().map(|row| {
        let (key, value) = row.unwrap();
        let key = K::as_bytes(&key.value()).as_ref().to_vec();
        (key, V::as_bytes(&value.value()).as_ref().to_vec())
    });
    rows.collect()
}

fn put<K: Key + 'static, V: Value + 'static>(txn: &WriteTransaction, name: &str, key: &[u8], value: &[u8]) {
    let mut table = txn.open_table(TableDefinition::<K, V>::new(name)).unwrap();
    table.insert(K::from_bytes(key), V::from_bytes(value)).unwrap();
}
