//! Every row of every table, as whoever took the file finds it with redb.

use std::collections::{BTreeMap, BTreeSet};

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use redb::{Database, MultimapTableHandle, ReadableDatabase, TableHandle};
use rukun_change::{Digest, Ink, InvitationId};
use rukun_store::{EntryKind, IdentityKind, Proof, Store};
use sha2::Sha256;

use crate::backend::CrashBackend;
use crate::changes::{DEVICE_SEED, KEY_FILE, NAME, NIK, SURVEY, change, device, open, record, statement_id};
use crate::fixture::{FILE, VIEW, written};
use crate::tables::Changed::{self, Noticed};
use crate::tables::Values::{Open, Spare};
use crate::tables::{Bytes, HEADER_OPEN, TABLES, Table};

const PERSON: &[u8] = b"siti aminah 081234567890";
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// Optimised, every byte is changed; else one of every so many.
const STRIDE: usize = if cfg!(debug_assertions) { 13 } else { 1 };

type SealingKey = [u8; 32];

/// A row of the file.
struct Row {
    table: &'static Table,
    key: Bytes,
    value: Bytes,
}

impl Row {
    fn name(&self) -> String {
        let key = String::from_utf8(self.key.clone()).unwrap_or_else(|_| format!("{:02x?}", self.key));
        format!("row {key} of table {}", self.table.name)
    }

    /// What comes of a change in its value, if that lies open.
    fn lies_open(&self) -> Option<Changed> {
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

    fn opens_under(&self, key: &SealingKey) -> Option<Bytes> {
        let (nonce, msg) = self.value.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg, aad: &self.associated() };
        XChaCha20Poly1305::new(key.into()).decrypt(&XNonce::from(*nonce), payload).ok()
    }
}

/// What keys are for.
const PURPOSES: [&str; 9] =
    ["header", "record", "statement", "peer", "waiting", "blob", "setting", "identity", "invitation"];

/// The fixture of the format, and what has come to be since it was written.
fn filled() -> Bytes {
    let disk = CrashBackend::with_image(written());
    let mut store = open(disk.clone()).unwrap();
    let home = record(0, 0).home();
    store.append_statement(&statement_id(8), b"a decision", Some(home), None).unwrap();
    let seq = store.append_receipt(&home, &device(2), &statement_id(9), b"a receipt", None).unwrap();
    store.prove(&home, &Proof { issuer: device(2), seq, upto: 2, own_upto: 1 }).unwrap();
    store.append_change(&change(1, 3, record(0, 0), Ink::Pencil, NAME), None).unwrap();
    store.put_invitation(&InvitationId::from_bytes([1; 16]), PERSON, NAME.as_bytes()).unwrap();
    store.put_derived(&record(0, 0), VIEW, &[(IdentityKind::Nik, NIK)]).unwrap();
    store.commit().unwrap();
    drop(store);
    disk.image()
}

/// All rows of a file. It fails where a table is not in the list, or has no row to look at.
fn all_rows(image: &[u8]) -> Vec<Row> {
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
        assert!(!rows.is_empty(), "the fixture puts nothing into table {}", table.name);
        all.extend(rows.into_iter().map(|(key, value)| Row { table, key, value }));
    }
    all
}

/// Every key of the store by name, found from the key file as docs/formats.md says.
fn keys(rows: &[Row]) -> BTreeMap<String, SealingKey> {
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
    let lock = expand(&KEY_FILE, "key file");
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

fn of_record(record: &[u8]) -> String {
    format!("record {record:02x?}")
}

/// Under which key a value is sealed.
fn key_of(row: &Row, rows: &[Row]) -> String {
    let entry = |seq: &[u8]| {
        rows.iter()
            .find(|row| row.table.name == "entry" && row.key == seq)
            .map(|row| row.value.as_slice())
            .unwrap()
    };
    match row.table.name {
        "header" | "header_copy" if row.key == b"data_key" => "lock".into(),
        "header" | "header_copy" => "header".into(),
        "derived" => of_record(&row.key),
        "log" => match entry(&row.key) {
            [0, rest @ ..] => of_record(&rest[32..48]),
            _ => "statement".into(),
        },
        name => name.into(),
    }
}

/// The same file with another value in one row, as redb writes it: every checksum is right.
fn with_value(image: &[u8], row: &Row, value: &[u8]) -> Bytes {
    let disk = CrashBackend::with_image(image.to_vec());
    let db = Database::builder().create_with_backend(disk.clone()).unwrap();
    let txn = db.begin_write().unwrap();
    (row.table.put)(&txn, row.table.name, &row.key, value);
    txn.commit().unwrap();
    drop(db);
    disk.image()
}

/// Everything that a store tells of what people said, and of what it keeps for itself; or what it noticed.
fn told(image: Bytes) -> Result<Vec<Bytes>, String> {
    let mut store = open(CrashBackend::with_image(image)).map_err(|error| error.to_string())?;
    if store.device_seed() != &DEVICE_SEED {
        return Err("another device".into());
    }
    read(&mut store).map_err(|error| error.to_string())?.ok_or_else(|| "something is missing".into())
}

fn read(store: &mut Store) -> Result<Option<Vec<Bytes>>, rukun_store::StoreError> {
    let mut told = Vec::new();
    let entries = store.scan(0, usize::MAX)?;
    let places: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
    for entry in &entries {
        let bytes = match entry.kind {
            EntryKind::Change { id, record } => {
                let Some(change) = store.change(&id)? else { return Ok(None) };
                assert_eq!((change.id(), change.change().record), (id, record));
                change.signed().to_bytes()
            }
            EntryKind::Receipt { .. } => store.receipt_bytes(entry.seq)?,
            EntryKind::Statement { id } => match store.statement(&id)? {
                Some(bytes) => bytes,
                None => return Ok(None),
            },
        };
        told.push(bytes);
    }
    for record in store.records(None, None, usize::MAX)? {
        let changes = store.record_changes(&record)?;
        told.extend(changes.iter().map(|change| change.signed().to_bytes()));
        told.extend(store.derived(&record)?);
    }
    for (id, bytes) in store.statements()? {
        told.extend([id.as_bytes().to_vec(), bytes]);
    }
    told.extend(store.statements_about(&record(0, 0).home())?.iter().map(|id| id.as_bytes().to_vec()));
    for (id, says) in store.invitations()? {
        told.extend([id.as_bytes().to_vec(), says]);
    }
    told.push(store.alone_count().to_be_bytes().to_vec());
    told.extend(store.waiting()?.into_iter().map(|(_, _, bytes)| bytes));
    told.extend(store.peers()?.into_iter().map(|(key, state)| format!("{key} {state:?}").into_bytes()));
    // A piece of a file that is not whole yet is looked at when its end has come.
    store.put_blob(&Digest::of(b"more"), 2, 4, b"re")?;
    for digest in [Digest::of(FILE), Digest::of(b"more")] {
        let Some(file) = store.blob(&digest)? else { return Ok(None) };
        told.push(file);
    }
    let Some(relay) = store.setting("relay")? else { return Ok(None) };
    told.push(relay);
    let whole = places.iter().copied().eq(1..=places.len() as u64) && store.head() == places.len() as u64;
    Ok(whole.then_some(told))
}

#[test]
fn every_value_opens_under_its_own_key_and_no_other_or_is_named_here_as_lying_open() {
    let image = filled();
    let rows = all_rows(&image);
    let keys = keys(&rows);
    assert!(
        keys.len() > 10 && keys.values().collect::<BTreeSet<_>>().len() == keys.len(),
        "no two are equal"
    );
    let anybodys = [[0; 32], [0xff; 32], *SURVEY.as_bytes(), *device(2).as_bytes()];
    let mut sealed = 0;
    for row in &rows {
        let own = key_of(row, &rows);
        let opening: Vec<&String> =
            keys.iter().filter(|(_, key)| row.opens_under(key).is_some()).map(|(name, _)| name).collect();
        if row.lies_open().is_some() {
            assert_eq!(opening, Vec::<&String>::new(), "{} is called open, and is sealed", row.name());
            continue;
        }
        assert_eq!(opening, [&own], "{}", row.name());
        assert!(anybodys.iter().all(|key| row.opens_under(key).is_none()), "{}", row.name());
        let plain = row.opens_under(&keys[&own]).unwrap();
        assert_eq!(row.value.len(), NONCE_BYTES + plain.len() + TAG_BYTES, "{}", row.name());
        sealed += 1;
    }
    assert!(sealed > 12, "{sealed} sealed values");
    let nonces: BTreeSet<&[u8]> =
        rows.iter().filter(|row| row.lies_open().is_none()).map(|row| &row.value[..NONCE_BYTES]).collect();
    // The two headers hold the same two sealed rows.
    assert_eq!(nonces.len(), sealed - 2, "no nonce is used twice");
    let holds = |bytes: &[u8]| image.windows(bytes.len()).any(|window| window == bytes);
    assert!(holds(&rows[0].key), "looking finds what is there");
    let secrets = [("file", &KEY_FILE), ("of the device", &DEVICE_SEED)];
    for (name, key) in keys.iter().map(|(name, key)| (name.as_str(), key)).chain(secrets) {
        assert!(!holds(key), "the key {name} lies in the file");
    }
}

#[test]
fn no_row_holds_what_a_person_said_in_its_key_or_where_its_value_lies_open() {
    let rows = all_rows(&filled());
    let number: u64 = NIK.parse().unwrap();
    let packed: Bytes =
        NIK.as_bytes().chunks(2).map(|pair| (pair[0] - b'0') << 4 | (pair[1] - b'0')).collect();
    let wide = |text: &str| -> Bytes { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let said: [Bytes; 9] = [
        NAME.into(),
        wide(NAME),
        NIK.into(),
        wide(NIK),
        number.to_le_bytes().into(),
        number.to_be_bytes().into(),
        packed,
        FILE.into(),
        VIEW.into(),
    ];
    let holds = |bytes: &[u8], said: &Bytes| bytes.windows(said.len()).any(|window| window == said);
    let keys = keys(&rows);
    let mut found = 0;
    for row in &rows {
        for said in &said {
            assert!(!holds(&row.key, said) && !holds(&row.value, said), "{}: {said:02x?}", row.name());
            let plain = keys.get(&key_of(row, &rows)).and_then(|key| row.opens_under(key));
            found += usize::from(plain.is_some_and(|plain| holds(&plain, said)));
        }
    }
    assert!(found >= 5, "under their keys they are found: {found}");
}

#[test]
fn no_changed_byte_of_a_sealed_value_goes_unnoticed() {
    let image = filled();
    let whole = told(image.clone()).unwrap();
    assert!(whole.len() > 12);
    let rows = all_rows(&image);
    let mut changed = 0;
    for row in rows.iter().filter(|row| row.lies_open().is_none()) {
        let ends = [0, NONCE_BYTES - 1, NONCE_BYTES, row.value.len() - TAG_BYTES, row.value.len() - 1];
        let places: BTreeSet<usize> = (0..row.value.len()).step_by(STRIDE).chain(ends).collect();
        let mut harmed: Vec<Bytes> = places
            .into_iter()
            .map(|at| {
                let mut value = row.value.clone();
                value[at] ^= 1 << (at % 8);
                value
            })
            .collect();
        harmed.extend([
            row.value[..row.value.len() - 1].to_vec(),
            [&row.value[..], &[0]].concat(),
            Vec::new(),
        ]);
        for value in harmed {
            let told = told(with_value(&image, row, &value));
            match row.table.values {
                Spare => assert_eq!(told.as_ref(), Ok(&whole), "{} is never read", row.name()),
                _ => assert!(told.is_err(), "{} was changed, and nobody noticed", row.name()),
            }
            changed += 1;
        }
    }
    eprintln!("{changed} changed values of sealed rows");
    assert!(changed > 150);
}

#[test]
fn a_changed_byte_in_a_value_that_lies_open_is_noticed_or_named_here_and_changes_no_answer() {
    let image = filled();
    let whole = told(image.clone()).unwrap();
    let mut unnoticed = BTreeSet::new();
    for row in all_rows(&image) {
        let Some(changed) = row.lies_open().filter(|_| row.table.values != Spare) else { continue };
        for (at, bit) in (0..row.value.len()).flat_map(|at| [(at, 0), (at, at % 7 + 1)]) {
            let mut value = row.value.clone();
            value[at] ^= 1 << bit;
            if let Ok(told) = told(with_value(&image, &row, &value)) {
                assert_ne!(changed, Noticed, "byte {at} of {}: nobody noticed", row.name());
                assert_eq!(told, whole, "byte {at} of {} makes another answer", row.name());
                unnoticed.insert((row.table.name, changed));
            }
        }
    }
    let header = HEADER_OPEN.iter().map(|(_, changed)| ("header", *changed));
    let named = TABLES.iter().filter_map(|table| match table.values {
        Open(holds, changed) if !holds.is_empty() => Some((table.name, changed)),
        _ => None,
    });
    let named: BTreeSet<_> = named.chain(header).filter(|(_, changed)| *changed != Noticed).collect();
    assert_eq!(unnoticed, named, "what is named is true");
}

#[test]
fn a_backup_holds_every_row_of_every_table() {
    let (image, copy) = (filled(), CrashBackend::default());
    let store = open(CrashBackend::with_image(image.clone())).unwrap();
    assert_eq!(store.copy_to(copy.clone()).unwrap(), 4, "changes");
    let rows = |image: &[u8]| -> Vec<_> {
        all_rows(image).into_iter().map(|row| (row.table.name, row.key, row.value)).collect()
    };
    assert!(rows(&image) == rows(&copy.image()));
}
