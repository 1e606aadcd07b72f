//! A store of format version 1 as it was first written, without the zeros. It opens for
//! ever: a later format gets a file of its own beside this one. Once in the life of a format,
//! `cargo run -p rukun-store --example fixture` writes it.

use rukun_change::{Digest, Fingerprint, Ink, Scalar, StatementId};
use rukun_store::{EntryKind, IdentityKind, Unlock};

use crate::backend::CrashBackend;
use crate::changes::{
    DEVICE_SEED, INCARNATION, KEY_FILE, NAME, NIK, SURVEY, device, entropy, open, record, statement_id,
};
use crate::fixture::{FILE, PIECE_BYTES, VIEW, pack, state, written};

const V1: &[u8] = include_bytes!("../../golden/v1.pieces");

#[test]
fn a_store_of_version_1_opens_and_holds_what_was_put_into_it() {
    holds_what_was_put_into_it(unpack(V1));
}

#[test]
fn a_store_written_today_holds_the_same_packed_or_not() {
    let image = written();
    assert_eq!(unpack(&pack(&image)), image);
    holds_what_was_put_into_it(image);
}

#[test]
fn a_copy_of_a_store_holds_the_same_whichever_program_wrote_it() {
    for image in [unpack(V1), written()] {
        let copy = CrashBackend::default();
        assert_eq!(open(CrashBackend::with_image(image)).unwrap().copy_to(copy.clone()).unwrap(), 3);
        holds_what_was_put_into_it(copy.image());
    }
}

#[test]
fn a_store_made_anew_holds_the_same_whichever_program_wrote_it_once_its_views_are_put_again() {
    for image in [unpack(V1), written()] {
        let (key, renewed) = (Unlock::KeyFile(&KEY_FILE), CrashBackend::default());
        let store = open(CrashBackend::with_image(image)).unwrap();
        store.renew_to(renewed.clone(), key, key, |_| None, &mut entropy(3)).unwrap();
        let mut store = open(renewed.clone()).unwrap();
        assert_eq!((store.duplicates().unwrap(), store.stats().unwrap().stale), (Vec::new(), 2));
        for salt in [0, 1] {
            store.put_derived(&record(0, salt), VIEW, &[(IdentityKind::Nik, NIK)]).unwrap();
        }
        store.mark_record_stale(&record(0, 1)).unwrap();
        store.commit().unwrap();
        drop(store);
        holds_what_was_put_into_it(renewed.image());
    }
}

fn holds_what_was_put_into_it(image: Vec<u8>) {
    let mut store = open(CrashBackend::with_image(image)).unwrap();
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
        assert_eq!(
            store.same_number(&change.change().author, change.change().n).unwrap(),
            [(id, change.change().record)]
        );
    }
    assert_eq!(entries[3].kind, EntryKind::Statement { id: statement_id(7) });
    let statements: Fingerprint = [statement_id(7)].iter().map(StatementId::as_bytes).collect();
    assert_eq!(store.statement_fingerprint(), statements);
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
    assert_eq!(store.stale_records(None, 9).unwrap(), [record(0, 1)]);
    assert_eq!(
        store.same_identity(IdentityKind::Nik, NIK, usize::MAX).unwrap(),
        [record(0, 0), record(0, 1)]
    );
    assert_eq!(store.duplicates().unwrap().len(), 1);
    assert_eq!(store.next_n().unwrap(), 2);
    store.commit().unwrap();
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
