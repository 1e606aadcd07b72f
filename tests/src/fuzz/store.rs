//! Store files with bytes changed: a file is refused with what is wrong, or serves nothing but what
//! was written into it. Nothing panics, whoever changed it and however well.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use redb::{Database, ReadableTable as _, TableDefinition, WriteTransaction};
use rukun_change::{ChangeId, Digest};
use rukun_store::{EntryKind, IdentityKind, OpenError, Store, Unlock};

use super::image::Image;
use super::input::Input;

const GOLDEN: &[u8] = include_bytes!("../../../crates/store/golden/v1.pieces");
const KEY_FILE: [u8; 32] = *b"the 32 bytes of the key file....";
const PIECE_BYTES: usize = 64;
const CHANGES_MAX: usize = 16;
const FINGERPRINT: TableDefinition<&[u8; 8], &[u8; 40]> = TableDefinition::new("fingerprint");
const CHANGE: TableDefinition<&[u8; 32], u64> = TableDefinition::new("change");

/// Bytes of the file changed in place, or rows by someone who knows how the file is made.
pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let disk = if input.below(2) == 0 { bytes_changed(&mut input) } else { rows_changed(&mut input) };
    if let Ok(mut store) = open(disk) {
        serves_only_what_was_written(&mut store);
    }
}

fn open(disk: Image) -> Result<Store, OpenError> {
    Store::open(disk, Unlock::KeyFile(&KEY_FILE), ChaCha20Rng::seed_from_u64(2))
}

fn golden() -> &'static [u8] {
    static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut packed = GOLDEN;
        let mut image = vec![0; u64::from_be_bytes(taken(&mut packed)) as usize];
        while !packed.is_empty() {
            let start = u32::from_be_bytes(taken(&mut packed)) as usize * PIECE_BYTES;
            let [len] = taken(&mut packed);
            let (piece, rest) = packed.split_at(len.into());
            image[start..start + piece.len()].copy_from_slice(piece);
            packed = rest;
        }
        image
    });
    &IMAGE
}

fn taken<const N: usize>(packed: &mut &[u8]) -> [u8; N] {
    let (taken, rest) = packed.split_first_chunk().unwrap();
    *packed = rest;
    *taken
}

/// Where the file is not empty: of its megabytes most are zeros.
fn written_pieces() -> &'static [usize] {
    static PIECES: LazyLock<Vec<usize>> = LazyLock::new(|| {
        let pieces = golden().chunks(PIECE_BYTES).enumerate();
        pieces
            .filter(|(_, piece)| piece.iter().any(|byte| *byte != 0))
            .map(|(at, _)| at * PIECE_BYTES)
            .collect()
    });
    &PIECES
}

fn bytes_changed(input: &mut Input<'_>) -> Image {
    let mut image = golden().to_vec();
    for _ in 0..CHANGES_MAX {
        if input.is_empty() {
            break;
        }
        let kind = input.below(8);
        let at = usize::from(u16::from_be_bytes(input.number()));
        let at = match kind {
            // The head of the file, where its commits are named.
            0..=2 => at % 320,
            _ => written_pieces()[at % written_pieces().len()] + input.below(PIECE_BYTES),
        }
        .min(image.len().saturating_sub(1));
        match kind {
            6 => image.truncate(at),
            7 => {
                let page = at / 4096 * 4096;
                let from = input.below(image.len() / 4096 + 1) * 4096;
                if from.max(page) + 4096 <= image.len() {
                    image.copy_within(from..from + 4096, page);
                }
            }
            _ => {
                if let Some(byte) = image.get_mut(at) {
                    *byte ^= input.byte();
                }
            }
        }
    }
    Image::new(image)
}

/// Changes rows through the database, so that all its own checks hold.
fn rows_changed(input: &mut Input<'_>) -> Image {
    let disk = Image::new(golden().to_vec());
    let db = Database::builder().create_with_backend(disk.clone()).unwrap();
    let txn = db.begin_write().unwrap();
    for _ in 0..CHANGES_MAX {
        if input.is_empty() {
            break;
        }
        match input.below(9) {
            0..=2 => named(&txn, "header", input),
            3 => numbered(&txn, "log", input),
            4 => numbered(&txn, "entry", input),
            5 => keyed::<16>(&txn, "record", input),
            6 => keyed::<32>(&txn, "peer", input),
            7 => {
                let mut table = txn.open_table(FINGERPRINT).unwrap();
                let place = [0x18, 0x11, 0x01, 0x00, 0x05, 0x00, 0x03, input.byte() % 2];
                table.insert(&place, &input.number()).unwrap();
            }
            _ => {
                let ids: Vec<&ChangeId> = written().changes.keys().collect();
                let id = *input.pick(&ids).as_bytes();
                txn.open_table(CHANGE).unwrap().insert(&id, u64::from(input.byte())).unwrap();
            }
        }
    }
    txn.commit().unwrap();
    drop(db);
    disk
}

fn named(txn: &WriteTransaction, name: &str, input: &mut Input<'_>) {
    let mut table = txn.open_table(TableDefinition::<&str, &[u8]>::new(name)).unwrap();
    let rows: Vec<(String, Vec<u8>)> = table
        .iter()
        .unwrap()
        .map(Result::unwrap)
        .map(|(key, value)| (key.value().into(), value.value().into()))
        .collect();
    let Some((key, value)) = rows.get(input.below(rows.len().max(1))) else { return };
    match changed(input, value) {
        Some(value) => drop(table.insert(key.as_str(), value.as_slice()).unwrap()),
        None => drop(table.remove(key.as_str()).unwrap()),
    }
}

fn keyed<const N: usize>(txn: &WriteTransaction, name: &str, input: &mut Input<'_>) {
    let mut table = txn.open_table(TableDefinition::<&[u8; N], &[u8]>::new(name)).unwrap();
    let rows: Vec<([u8; N], Vec<u8>)> = table
        .iter()
        .unwrap()
        .map(Result::unwrap)
        .map(|(key, value)| (*key.value(), value.value().into()))
        .collect();
    let Some((key, value)) = rows.get(input.below(rows.len().max(1))) else { return };
    match changed(input, value) {
        Some(value) => drop(table.insert(key, value.as_slice()).unwrap()),
        None => drop(table.remove(key).unwrap()),
    }
}

fn numbered(txn: &WriteTransaction, name: &str, input: &mut Input<'_>) {
    let mut table = txn.open_table(TableDefinition::<u64, &[u8]>::new(name)).unwrap();
    let number = input.below(8) as u64;
    let value = table.get(number).unwrap().map(|value| value.value().to_vec()).unwrap_or_default();
    match changed(input, &value) {
        Some(value) => drop(table.insert(number, value.as_slice()).unwrap()),
        None => drop(table.remove(number).unwrap()),
    }
}

/// Another value in place of this, or none.
fn changed(input: &mut Input<'_>, value: &[u8]) -> Option<Vec<u8>> {
    let mut value = value.to_vec();
    match input.below(5) {
        0 => return None,
        1 => value = input.piece().to_vec(),
        2 => value.truncate(input.below(value.len() + 1)),
        3 => value.push(input.byte()),
        _ => {
            let at = input.below(value.len().max(1));
            if let Some(byte) = value.get_mut(at) {
                *byte ^= input.byte();
            }
        }
    }
    Some(value)
}

/// What the golden store holds.
struct Written {
    changes: BTreeMap<ChangeId, Vec<u8>>,
    statements: Vec<(rukun_change::StatementId, Vec<u8>)>,
    settings: Option<Vec<u8>>,
}

fn written() -> &'static Written {
    static WRITTEN: LazyLock<Written> = LazyLock::new(|| {
        let store = open(Image::new(golden().to_vec())).unwrap();
        let mut changes = BTreeMap::new();
        for entry in store.scan(0, usize::MAX).unwrap() {
            if let EntryKind::Change { id, .. } = entry.kind {
                changes.insert(id, store.change(&id).unwrap().unwrap().signed().to_bytes());
            }
        }
        let settings = store.setting("relay").unwrap();
        Written { changes, statements: store.statements().unwrap(), settings }
    });
    &WRITTEN
}

fn serves_only_what_was_written(store: &mut Store) {
    let written = written();
    for entry in store.scan(0, usize::MAX).unwrap_or_default() {
        match entry.kind {
            EntryKind::Change { id, record } => {
                if let Ok(Some(change)) = store.change(&id) {
                    assert_eq!(
                        Some(&change.signed().to_bytes()),
                        written.changes.get(&id),
                        "a change is wrong"
                    );
                }
                drop((store.record_changes(&record), store.ids(&record.home()), store.derived(&record)));
            }
            EntryKind::Statement { id } => drop(store.statement(&id)),
            EntryKind::Receipt { .. } => drop(store.receipt_bytes(entry.seq)),
            EntryKind::Released => {}
        }
    }
    for id in written.changes.keys() {
        if let Ok(Some(change)) = store.change(id) {
            assert_eq!(change.id(), *id, "another change is served");
        }
        drop((store.has_change(id), store.change_seq(id)));
    }
    for statement in store.statements().unwrap_or_default() {
        assert!(written.statements.contains(&statement), "a statement is wrong");
    }
    if let Ok(Some(setting)) = store.setting("relay") {
        assert_eq!(Some(setting), written.settings, "a setting is wrong");
    }
    drop((store.records(None, None, 99), store.peers(), store.waiting(), store.stats(), store.duplicates()));
    drop((
        store.fingerprints(&["1811".parse().unwrap()]),
        store.stale_records(None, 9),
        store.statement_ids(),
    ));
    drop((
        store.blob(&Digest::of(b"[[variable]]\nname = \"r402\"\n")),
        store.blob_offset(&Digest::of(b"more")),
    ));
    drop(store.same_identity(IdentityKind::Nik, "1811014107850001", 99));
    drop((store.next_n(), store.set_setting("relay", Some(b"other")), store.commit()));
}
