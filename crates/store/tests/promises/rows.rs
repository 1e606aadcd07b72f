//! Every row of every table: what is sealed opens under its own key alone, what lies open tells nothing that
//! anybody said, and what is changed is noticed.

use std::collections::BTreeSet;

use redb::Database;
use rukun_change::Digest;
use rukun_store::{EntryKind, Store};

use crate::backend::CrashBackend;
use crate::changes::{DEVICE_SEED, KEY_FILE, NAME, NIK, SURVEY, device, open, record};
use crate::fixture::{FILE, VIEW};
use crate::seized::{NONCE_BYTES, Row, all_rows, filled, key_of, keys};
use crate::tables::Changed::Noticed;
use crate::tables::Values::{Open, Spare};
use crate::tables::{Bytes, HEADER_OPEN, TABLES};

const TAG_BYTES: usize = 16;
/// Optimised, every byte is changed; else one of every so many.
const STRIDE: usize = if cfg!(debug_assertions) { 13 } else { 1 };

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
                let Some(header) = store.header(&id)? else { return Ok(None) };
                assert_eq!((header.id(), header.header().record), (id, record));
                match store.change(&id)? {
                    Some(change) => change.signed().to_bytes(),
                    None => header.signed().to_bytes(),
                }
            }
            EntryKind::Receipt { .. } => store.receipt_bytes(entry.seq)?,
            EntryKind::Released => Vec::new(),
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
    let keys = keys(&rows, &KEY_FILE);
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
    let keys = keys(&rows, &KEY_FILE);
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
    assert_eq!(store.copy_to(copy.clone()).unwrap(), 5, "changes");
    let rows = |image: &[u8]| -> Vec<_> {
        all_rows(image).into_iter().map(|row| (row.table.name, row.key, row.value)).collect()
    };
    assert!(rows(&image) == rows(&copy.image()));
}
