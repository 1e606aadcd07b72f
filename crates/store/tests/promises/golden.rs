//! A store of format version 1 as it was first written, without the zeros. It opens for
//! ever: a later format gets a file of its own beside this one.

use rukun_change::{Digest, Ink, Scalar};
use rukun_store::{EntryKind, IdentityKind, PeerState};

use crate::backend::CrashBackend;
use crate::changes::{DEVICE_SEED, INCARNATION, NAME, NIK, SURVEY, change, create, device, open, record};
use crate::model::statement_id;

const V1: &[u8] = include_bytes!("../../golden/v1.pieces");
const PIECE_BYTES: usize = 64;
const VIEW: &[u8] = b"{\"r402\": \"SITI\"}";
const FILE: &[u8] = b"[[variable]]\nname = \"r402\"\n";

fn state() -> PeerState {
    let received = Some((INCARNATION, 12));
    PeerState { received, acknowledged: 3, last_contact_ms: -1, knows_us: true, in_sync: false }
}

/// Writes `golden/v1.pieces` anew. It needs to be done once in the life of a format.
#[test]
#[ignore = "writes the fixture"]
#[allow(clippy::disallowed_methods, reason = "a fixture is a file")]
fn write_the_fixture_of_version_1() {
    let disk = CrashBackend::default();
    let mut store = create(disk.clone()).unwrap();
    for (number, n, salt) in [(1, 1, 0), (2, 1, 0), (1, 2, 1)] {
        let change = change(number, n, record(0, salt), Ink::Pencil, NAME);
        store.append_change(&change, Some(&device(2))).unwrap();
    }
    store.append_statement(&statement_id(7), b"a statement", None).unwrap();
    store.next_n().unwrap();
    store.set_peer(&device(2), &state()).unwrap();
    store.put_waiting(&device(2), &change(3, 1, record(0, 2), Ink::Pencil, "x").id(), b"waits").unwrap();
    store.put_blob(&Digest::of(FILE), 0, FILE.len() as u64, FILE).unwrap();
    store.put_blob(&Digest::of(b"more"), 0, 4, b"mo").unwrap();
    store.set_setting("relay", Some(b"relay.example")).unwrap();
    for salt in [0, 1] {
        store.put_derived(&record(0, salt), VIEW, &[(IdentityKind::Nik, NIK)]).unwrap();
    }
    store.mark_record_stale(&record(0, 1)).unwrap();
    store.commit().unwrap();
    drop(store);
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/v1.pieces"), pack(&disk.image())).unwrap();
}

#[test]
fn a_store_of_version_1_opens_and_holds_what_was_put_into_it() {
    let mut store = open(CrashBackend::with_image(unpack(V1))).unwrap();
    assert_eq!((store.device_seed(), store.incarnation()), (&DEVICE_SEED, INCARNATION));
    assert_eq!(store.survey(), Some(SURVEY));
    let entries = store.scan(0, usize::MAX).unwrap();
    assert_eq!(entries.len(), 4);
    for entry in &entries[..3] {
        let EntryKind::Change { id, record } = entry.kind else { panic!("{entry:?}") };
        assert_eq!(entry.from, Some(device(2)));
        let change = store.change(&id).unwrap().unwrap();
        assert_eq!(change.change().record, record);
        assert_eq!(change.body().writes[0].value, Scalar::Text(NAME.into()));
        assert!(store.has_cause(&record, Ink::Pencil, &change.body().hash).unwrap());
        assert_eq!(store.same_number(&change.change().author, change.change().n).unwrap(), [id]);
    }
    assert_eq!(entries[3].kind, EntryKind::Statement { id: statement_id(7) });
    assert_eq!(store.statements().unwrap(), [(statement_id(7), b"a statement".to_vec())]);
    assert_eq!(store.records(None, None, 9).unwrap(), [record(0, 0), record(0, 1)]);
    assert_eq!(store.record_changes(&record(0, 0)).unwrap().len(), 2);
    let ids = store.ids(&record(0, 0).home()).unwrap();
    let fingerprint = store.fingerprints(&["1811".parse().unwrap()]).unwrap()[&record(0, 0).home()];
    assert_eq!(fingerprint, ids.iter().map(rukun_change::ChangeId::as_bytes).collect());
    assert_eq!(store.peers().unwrap(), [(device(2), state())]);
    assert_eq!(store.waiting().unwrap()[0].2, b"waits");
    assert_eq!(store.blob(&Digest::of(FILE)).unwrap().as_deref(), Some(FILE));
    assert_eq!(store.blob_offset(&Digest::of(b"more")).unwrap(), 2);
    assert_eq!(store.setting("relay").unwrap().as_deref(), Some(&b"relay.example"[..]));
    assert_eq!(store.derived(&record(0, 0)).unwrap().as_deref(), Some(VIEW));
    assert_eq!(store.stale_records(9).unwrap(), [record(0, 1)]);
    assert_eq!(store.same_identity(IdentityKind::Nik, NIK).unwrap(), [record(0, 0), record(0, 1)]);
    assert_eq!(store.duplicates().unwrap().len(), 1);
    assert_eq!(store.next_n().unwrap(), 2);
    store.commit().unwrap();
}

/// Length of the image (8), then of each piece of 64 that is not all zeros: its number (4), length without
/// the zeros at its end (1), bytes.
fn pack(image: &[u8]) -> Vec<u8> {
    let mut packed = (image.len() as u64).to_be_bytes().to_vec();
    for (number, piece) in image.chunks(PIECE_BYTES).enumerate() {
        if let Some(last) = piece.iter().rposition(|byte| *byte != 0) {
            packed.extend((number as u32).to_be_bytes());
            packed.push(last as u8 + 1);
            packed.extend(&piece[..=last]);
        }
    }
    packed
}

fn unpack(mut packed: &[u8]) -> Vec<u8> {
    let mut image = vec![0; u64::from_be_bytes(take(&mut packed)) as usize];
    while !packed.is_empty() {
        let start = u32::from_be_bytes(take(&mut packed)) as usize * PIECE_BYTES;
        let [len] = take(&mut packed);
        let (piece, rest) = packed.split_at(len.into());
        image[start..start + piece.len()].copy_from_slice(piece);
        packed = rest;
    }
    image
}

fn take<const N: usize>(packed: &mut &[u8]) -> [u8; N] {
    let (taken, rest) = packed.split_first_chunk().unwrap();
    *packed = rest;
    *taken
}
