//! What the single answers mean, where the model does not reach.

use rukun_change::{Digest, Incarnation, RecordId, Region};
use rukun_store::{BLOB_BYTES_MAX, BlobState, InMemoryBackend, Proof, Store, StoreError};

use crate::backend::CrashBackend;
use crate::changes::{change, create, device, open, pool, record};

fn filled() -> Store {
    let mut store = create(InMemoryBackend::new()).unwrap();
    for change in pool() {
        store.append_change(change, None).unwrap();
    }
    store
}

#[test]
fn records_come_by_region_in_pages() {
    let mut store = filled();
    let far = RecordId::new("1811020005000300".parse().unwrap(), [1; 8]);
    store.append_change(&change(1, 200, far, rukun_change::Ink::Pencil, "x"), None).unwrap();
    let all = store.records(None, None, usize::MAX).unwrap();
    assert_eq!(all.len(), 5);
    let mut paged = Vec::new();
    while let Some(last) = Some(store.records(None, paged.last(), 2).unwrap()).filter(|page| !page.is_empty())
    {
        paged.extend(last);
    }
    assert_eq!(paged, all);
    let region = |text: &str| text.parse::<Region>().unwrap();
    assert_eq!(store.records(Some(&region("1811020")), None, 9).unwrap(), [far]);
    assert_eq!(store.record_count(Some(&region("1811010"))).unwrap(), 4);
    assert_eq!(store.record_count(None).unwrap(), 5);
    assert_eq!(store.records(Some(&region("1811010")), Some(&far), 9).unwrap(), []);
    assert_eq!(store.records(Some(&region("1811020")), Some(&record(0, 0)), 9).unwrap(), [far]);
    assert_eq!(store.fingerprints(&[region("1811020"), region("1811")]).unwrap().len(), 3);
    assert_eq!(
        store.stale_records(Some(&region("1811020")), 9).unwrap(),
        [far],
        "no other place is read for one"
    );
    store.put_derived(&far, b"view", &[]).unwrap();
    assert_eq!(store.stale_records(Some(&region("1811020")), 9).unwrap(), []);
    assert!(!store.stale_records(Some(&region("1811010")), 9).unwrap().is_empty());
    store.mark_stale(Some(&region("1811010"))).unwrap();
    assert!(!store.stale_records(None, 9).unwrap().contains(&far));
}

#[test]
fn a_view_of_a_record_without_changes_is_refused_and_harms_nothing() {
    let mut store = filled();
    let unknown = record(77, 7);
    assert!(
        matches!(store.put_derived(&unknown, b"", &[]), Err(StoreError::UnknownRecord(id)) if id == unknown)
    );
    store.commit().unwrap();
}

#[test]
fn a_file_whose_digest_does_not_fit_is_thrown_away() {
    let mut store = create(InMemoryBackend::new()).unwrap();
    let digest = Digest::of(b"0123456789");
    assert_eq!(store.put_blob(&digest, 0, 10, b"01234").unwrap(), BlobState::Partial { offset: 5 });
    assert_eq!(store.put_blob(&digest, 5, 10, b"xxxxx").unwrap(), BlobState::Wrong);
    assert_eq!((store.blob_offset(&digest).unwrap(), store.blob(&digest).unwrap()), (0, None));
    assert_eq!(store.put_blob(&digest, 0, 10, b"0123456").unwrap(), BlobState::Partial { offset: 7 });
    // Neither a gap, nor a repetition, nor another length disturbs what is held.
    for (offset, total) in [(8, 10), (6, 10), (7, 11)] {
        let held = store.put_blob(&digest, offset, total, b"89").unwrap();
        assert_eq!(held, BlobState::Partial { offset: 7 });
    }
    assert_eq!(store.put_blob(&digest, 7, 10, b"789").unwrap(), BlobState::Complete);
    assert_eq!(store.put_blob(&digest, 0, 10, b"01234").unwrap(), BlobState::Complete);
    assert_eq!(store.blob(&digest).unwrap().as_deref(), Some(&b"0123456789"[..]));
    // A peer that lied about the length does not stand in the way of one that does not.
    let second = Digest::of(b"ab");
    assert_eq!(store.put_blob(&second, 0, 9, b"ab").unwrap(), BlobState::Partial { offset: 2 });
    assert_eq!(store.put_blob(&second, 0, 2, b"a").unwrap(), BlobState::Partial { offset: 1 });
    assert_eq!(store.put_blob(&second, 1, 2, b"b").unwrap(), BlobState::Complete);
    let empty = Digest::of(b"");
    assert_eq!(store.put_blob(&empty, 0, 0, b"").unwrap(), BlobState::Complete);
    assert_eq!(store.blob(&empty).unwrap(), Some(Vec::new()));
    for (offset, total) in [(1, 1), (u64::MAX, 4), (0, BLOB_BYTES_MAX + 1)] {
        assert!(matches!(store.put_blob(&digest, offset, total, b"x"), Err(StoreError::BlobBounds { .. })));
    }
    store.commit().unwrap();
}

#[test]
fn a_part_of_a_file_is_read_from_any_place() {
    let mut store = create(InMemoryBackend::new()).unwrap();
    let file: Vec<u8> = (0..200_000_u32).map(|at| (at / 3) as u8).collect();
    let (digest, total) = (Digest::of(&file), file.len() as u64);
    // It comes in pieces of other lengths than it is kept in.
    assert_eq!(store.put_blob(&digest, 0, total, &file[..7]).unwrap(), BlobState::Partial { offset: 7 });
    assert_eq!(store.blob_part(&digest, 0, 5).unwrap(), None, "it is not whole");
    let next = BlobState::Partial { offset: 150_000 };
    assert_eq!(store.put_blob(&digest, 7, total, &file[7..150_000]).unwrap(), next);
    assert_eq!(store.put_blob(&digest, 150_000, total, &file[150_000..]).unwrap(), BlobState::Complete);
    for (from, bytes) in
        [(0, 5), (0, 300_000), (6, 2), (7, 65_536), (65_542, 2), (149_999, 70_000), (200_000, 9)]
    {
        let part = &file[from..(from + bytes).min(file.len())];
        assert_eq!(store.blob_part(&digest, from as u64, bytes).unwrap(), Some((total, part.to_vec())));
    }
    assert_eq!(store.blob_part(&digest, u64::MAX, 9).unwrap(), Some((total, Vec::new())));
    assert_eq!(store.blob(&digest).unwrap(), Some(file));
}

#[test]
fn a_restored_store_numbers_anew_in_its_new_incarnation() {
    let disk = CrashBackend::default();
    let mut store = create(disk.clone()).unwrap();
    assert_eq!((store.next_n().unwrap(), store.next_n().unwrap()), (1, 2));
    let fresh = Incarnation::from_bytes([5; 4]);
    store.set_incarnation(fresh).unwrap();
    assert_eq!((store.next_n().unwrap(), store.incarnation()), (1, fresh));
    store.commit().unwrap();
    drop(store);
    let mut store = open(disk).unwrap();
    assert_eq!((store.next_n().unwrap(), store.incarnation()), (2, fresh));
}

#[test]
fn a_store_in_which_nothing_was_staged_is_clean_and_says_what_it_holds() {
    let mut store = filled();
    assert!(store.is_dirty());
    store.commit().unwrap();
    assert!(!store.is_dirty());
    let before = store.stats().unwrap();
    assert_eq!(store.append_change(&pool()[0], None).unwrap(), None);
    store.commit().unwrap();
    let after = store.stats().unwrap();
    assert_eq!(before, after);
    assert_eq!((after.changes, after.records, after.stale), (pool().len() as u64, 4, 4));
    assert!(after.disk_bytes > 0 && after.syncs > 0 && after.written_bytes > 0);
}

#[test]
fn a_later_proof_takes_the_place_of_what_it_covers_and_of_nothing_more() {
    let mut store = filled();
    let home = record(0, 0).home();
    let proof = |number: u8, seq: u64, upto: u64, own_upto: u64| Proof {
        issuer: device(number),
        seq,
        upto,
        own_upto,
    };
    let places =
        |store: &Store| -> Vec<u64> { store.proofs(&home).unwrap().iter().map(|proof| proof.seq).collect() };
    store.prove(&home, &proof(1, 60, 5, 5)).unwrap();
    store.prove(&home, &proof(1, 61, 8, 4)).unwrap();
    assert_eq!(places(&store), [60, 61], "the second leaves out something that the first covers");
    store.prove(&home, &proof(1, 62, 9, 5)).unwrap();
    assert_eq!(store.proofs(&home).unwrap(), [proof(1, 62, 9, 5)]);
    store.prove(&record(1, 0).home(), &proof(1, 63, 20, 20)).unwrap();
    store.prove(&home, &proof(2, 64, 20, 20)).unwrap();
    let mut both = places(&store);
    both.sort_unstable();
    assert_eq!(both, [62, 64], "nor is it of another place or by another device");
    store.commit().unwrap();
}

#[test]
fn what_an_earlier_program_says_nothing_of_is_taken_to_be_here_alone() {
    let disk = CrashBackend::default();
    let mut store = create(disk.clone()).unwrap();
    for (at, change) in pool().iter().enumerate() {
        let from = (at % 2 == 0).then(|| device(3));
        store.append_change(change, from.as_ref()).unwrap();
    }
    let alone: Vec<Vec<u64>> = (0..2).map(|at| store.alone_in(&record(at, 0).home()).unwrap()).collect();
    store.commit().unwrap();
    drop(store);
    let db = redb::Builder::new().create_with_backend(disk.clone()).unwrap();
    let txn = db.begin_write().unwrap();
    txn.delete_table(redb::TableDefinition::<&[u8; 16], ()>::new("alone")).unwrap();
    txn.commit().unwrap();
    drop(db);
    let store = open(CrashBackend::with_image(disk.image())).unwrap();
    // A copy of what is on the disk says no more than that.
    let copy = CrashBackend::default();
    store.copy_to(copy.clone()).unwrap();
    for store in [store, open(copy).unwrap()] {
        assert_eq!(store.alone_count(), pool().len() as u64 / 2);
        let found: Vec<Vec<u64>> = (0..2).map(|at| store.alone_in(&record(at, 0).home()).unwrap()).collect();
        assert_eq!(found, alone);
    }
}
