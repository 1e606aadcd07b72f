//! A file as whoever took it finds it with redb: every row of every table, and what opens under which key.

use std::collections::{BTreeMap, BTreeSet};

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use redb::{Database, MultimapTableHandle, ReadableDatabase, TableHandle};
use rukun_change::{Ink, InvitationId};
use rukun_store::{IdentityKind, Proof};
use sha2::Sha256;

use crate::backend::CrashBackend;
use crate::changes::{NAME, NIK, change, device, open, record, statement_id};
use crate::fixture::{VIEW, written};
use crate::tables::Changed;
use crate::tables::Values::Open;
use crate::tables::{Bytes, HEADER_OPEN, TABLES, Table};

pub(crate) const PERSON: &[u8] = b"siti aminah 081234567890";
pub(crate) const NONCE_BYTES: usize = 24;

pub(crate) type SealingKey = [u8; 32];

/// A row of the file.
pub(crate) struct Row {
    pub(crate) table: &'static Table,
    pub(crate) key: Bytes,
    pub(crate) value: Bytes,
}

impl Row {
    pub(crate) fn name(&self) -> String {
        let key = String::from_utf8(self.key.clone()).unwrap_or_else(|_| format!("{:02x?}", self.key));
        format!("row {key} of table {}", self.table.name)
    }

    /// What comes of a change in its value, if that lies open.
    pub(crate) fn lies_open(&self) -> Option<Changed> {
        let header = || HEADER_OPEN.iter().find(|(name, _)| name.as_bytes() == self.key);
        match (self.table.values, self.table.name) {
            (Open(_, changed), _) => Some(changed),
            (_, "header" | "header_copy") => header().map(|(_, changed)| *changed),
            _ => None,
        }
    }

    /// What the format binds a sealed value to: table, zero, key, an integer big-endian.
    fn associated(&self) -> Bytes {
        let mut key = self.key.clone();
        let table = match self.table.name {
            "log" => {
                key.reverse();
                "log"
            }
            "header_copy" => "header",
            name => name,
        };
        [table.as_bytes(), &[0], &key].concat()
    }

    pub(crate) fn opens_under(&self, key: &SealingKey) -> Option<Bytes> {
        let (nonce, msg) = self.value.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg, aad: &self.associated() };
        XChaCha20Poly1305::new(key.into()).decrypt(&XNonce::from(*nonce), payload).ok()
    }
}

/// What keys are for.
const PURPOSES: [&str; 10] =
    ["header", "record", "statement", "stub", "peer", "waiting", "blob", "setting", "identity", "invitation"];

/// The fixture of the format, and what has come to be since it was written: among it a record that is
/// erased, which said the same as the others.
pub(crate) fn filled() -> Bytes {
    let disk = CrashBackend::with_image(written());
    let mut store = open(disk.clone()).unwrap();
    let home = record(0, 0).home();
    store.append_statement(&statement_id(8), b"a decision", Some(home), None).unwrap();
    let seq = store.append_receipt(&home, &device(2), &statement_id(9), b"a receipt", None).unwrap();
    store.prove(&home, &Proof { issuer: device(2), seq, upto: 2, own_upto: 1 }).unwrap();
    store.append_change(&change(1, 3, record(0, 0), Ink::Pencil, NAME), None).unwrap();
    store.put_invitation(&InvitationId::from_bytes([1; 16]), PERSON, NAME.as_bytes()).unwrap();
    store.append_change(&change(2, 4, record(0, 3), Ink::Pencil, NAME), Some(&device(2))).unwrap();
    for salt in [0, 3] {
        store.put_derived(&record(0, salt), VIEW, &[(IdentityKind::Nik, NIK)]).unwrap();
    }
    assert!(store.erase(&record(0, 3), &statement_id(8)).unwrap());
    store.append_change(&change(2, 5, record(7, 0), Ink::Pencil, "other"), Some(&device(2))).unwrap();
    assert_eq!(store.release(&record(7, 0).home()).unwrap().len(), 1);
    store.commit().unwrap();
    drop(store);
    disk.image()
}

/// All rows of a file. It fails where a table is not in the list, or has no row to look at.
pub(crate) fn all_rows(image: &[u8]) -> Vec<Row> {
    let rows = rows_of(image);
    for table in &TABLES {
        let any = rows.iter().any(|row| row.table.name == table.name);
        assert!(any, "the fixture puts nothing into table {}", table.name);
    }
    rows
}

/// All rows of a file. It fails where a table is not in the list, or not in the file.
pub(crate) fn rows_of(image: &[u8]) -> Vec<Row> {
    let db = Database::builder().create_with_backend(CrashBackend::with_image(image.to_vec())).unwrap();
    let txn = db.begin_read().unwrap();
    let there: BTreeSet<String> = txn.list_tables().unwrap().map(|table| table.name().to_owned()).collect();
    let known: BTreeSet<String> = TABLES.iter().map(|table| table.name.to_owned()).collect();
    assert_eq!(there, known, "say in TABLES whether a new table's values are sealed, or lie open and why");
    let multimaps = txn.list_multimap_tables().unwrap().map(|table| table.name().to_owned());
    assert_eq!(multimaps.collect::<Vec<_>>(), Vec::<String>::new());
    let mut all = Vec::new();
    for table in &TABLES {
        let rows = (table.rows)(&txn, table.name);
        all.extend(rows.into_iter().map(|(key, value)| Row { table, key, value }));
    }
    all
}

/// Every key of the store by name, found from the key file as docs/formats.md says.
pub(crate) fn keys(rows: &[Row], key_file: &SealingKey) -> BTreeMap<String, SealingKey> {
    let expand = |secret: &SealingKey, purpose: &str| {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, secret)
            .expand(format!("rukun store 1 {purpose}").as_bytes(), &mut key)
            .unwrap();
        key
    };
    let opened = |table: &str, row: &[u8], key: &SealingKey| -> SealingKey {
        let row = rows.iter().find(|held| held.table.name == table && held.key == row).unwrap();
        row.opens_under(key).unwrap().try_into().unwrap()
    };
    let lock = expand(key_file, "key file");
    let data = opened("header", b"data_key", &lock);
    let mut keys: BTreeMap<String, SealingKey> = [("lock".into(), lock), ("data".into(), data)].into();
    for purpose in PURPOSES {
        keys.insert(purpose.into(), expand(&data, purpose));
    }
    for row in rows.iter().filter(|row| row.table.name == "record") {
        keys.insert(of_record(&row.key), opened("record", &row.key, &keys["record"]));
    }
    keys
}

pub(crate) fn of_record(record: &[u8]) -> String {
    format!("record {record:02x?}")
}

/// Under which key a value is sealed.
pub(crate) fn key_of(row: &Row, rows: &[Row]) -> String {
    let entry = |seq: &[u8]| {
        rows.iter()
            .find(|row| row.table.name == "entry" && row.key == seq)
            .map(|row| row.value.as_slice())
            .unwrap()
    };
    let is_erased = |record: &[u8]| rows.iter().any(|row| row.table.name == "erased" && row.key == record);
    match row.table.name {
        "header" | "header_copy" if row.key == b"data_key" => "lock".into(),
        "header" | "header_copy" => "header".into(),
        "derived" => of_record(&row.key),
        "log" => match entry(&row.key) {
            [0, rest @ ..] if is_erased(&rest[32..48]) => "stub".into(),
            [0, rest @ ..] => of_record(&rest[32..48]),
            _ => "statement".into(),
        },
        name => name.into(),
    }
}
