//! A record that is erased: nothing of it opens, nothing lists it, and no id and no sum is another.

use std::collections::BTreeMap;

use rukun_authority::{AdmittedChange, AdmittedHeader};
use rukun_change::{Ink, RecordId, Region, StatementId};
use rukun_store::{IdentityKind, Store, StoreError};

use crate::backend::CrashBackend;
use crate::changes::{NAME, NIK, author, change, create, device, open, pool, record, statement_id};

const KINDS: [IdentityKind; 2] = [IdentityKind::Nik, IdentityKind::Kk];

/// The one that is erased: a fork, a cause that two changes have, and both inks are in it.
fn gone() -> RecordId {
    record(1, 1)
}

fn by() -> StatementId {
    statement_id(9)
}

/// A store with every change of the pool, every third made here, and views with one number for all.
fn filled(disk: &CrashBackend) -> Store {
    let mut store = create(disk.clone()).unwrap();
    for (at, change) in pool().iter().enumerate() {
        let from = (at % 3 > 0).then(|| device(3));
        store.append_change(change, from.as_ref()).unwrap();
    }
    for record in store.records(None, None, usize::MAX).unwrap() {
        store.put_derived(&record, NAME.as_bytes(), &KINDS.map(|kind| (kind, NIK))).unwrap();
    }
    store.commit().unwrap();
    store
}

fn of_the_gone() -> Vec<&'static AdmittedChange> {
    pool().iter().filter(|change| change.change().record == gone()).collect()
}

/// All that peers compare, and that follows from ids and numbers.
fn ids_and_sums(store: &Store) -> impl PartialEq + std::fmt::Debug + use<> {
    let everywhere: Region = "1811".parse().unwrap();
    let fingerprints = store.fingerprints(&[everywhere]).unwrap();
    let homes: Vec<_> = fingerprints.keys().copied().collect();
    let by_home: BTreeMap<_, _> = homes
        .iter()
        .map(|home| {
            (*home, (store.ids(home).unwrap(), store.items(home).unwrap(), store.alone_in(home).unwrap()))
        })
        .collect();
    let places: Vec<_> = pool()
        .iter()
        .map(|change| (store.change_seq(&change.id()).unwrap(), store.header(&change.id()).unwrap()))
        .collect();
    let causes: Vec<_> = pool()
        .iter()
        .map(|held| store.has_cause(&held.change().record, held.change().ink, &held.body().hash).unwrap())
        .collect();
    let forks = store.same_number(&author(2), 99).unwrap();
    let written: Vec<_> = (1..4)
        .map(|at| (store.changes_by(&device(at)).unwrap(), store.written_by(&device(at)).unwrap()))
        .collect();
    let log = store.scan(0, usize::MAX).unwrap();
    let counts =
        (store.head(), store.change_count().unwrap(), store.alone_count(), store.alone_first().unwrap());
    (fingerprints, by_home, places, causes, (forks, written, store.numbers().unwrap()), log, counts)
}

#[test]
fn what_was_erased_opens_as_no_change_and_every_id_place_and_sum_stays() {
    let disk = CrashBackend::default();
    let mut store = filled(&disk);
    let before = ids_and_sums(&store);
    assert_eq!(store.same_number(&author(2), 99).unwrap().len(), 2, "the fork is in what is erased");
    assert!(store.erase(&gone(), &by()).unwrap());
    assert_eq!(ids_and_sums(&store), before);
    store.commit().unwrap();
    assert_eq!(ids_and_sums(&store), before);
    drop(store);
    let store = open(disk).unwrap();
    assert_eq!(ids_and_sums(&store), before);
    assert_eq!(store.erased(&gone()), Some(by()));
    for change in pool() {
        let whole = Some(change).filter(|change| change.change().record != gone());
        assert_eq!(store.change(&change.id()).unwrap().as_ref(), whole);
        assert!(store.has_change(&change.id()).unwrap());
    }
    assert_eq!(store.record_changes(&gone()).unwrap(), []);
    let headers: Vec<AdmittedHeader> = of_the_gone().iter().map(|change| change.to_header()).collect();
    assert!(headers.len() > 10);
    assert_eq!(store.record_headers(&gone()).unwrap(), headers);
}

#[test]
fn an_erased_record_is_in_no_listing_for_good_and_its_numbers_are_nobodys() {
    let disk = CrashBackend::default();
    let mut store = filled(&disk);
    let mut left = store.records(None, None, usize::MAX).unwrap();
    left.retain(|record| *record != gone());
    store.mark_stale(None).unwrap();
    assert!(store.erase(&gone(), &by()).unwrap());
    store.mark_stale(None).unwrap();
    store.mark_record_stale(&gone()).unwrap();
    store.commit().unwrap();
    drop(store);
    let mut store = open(disk.clone()).unwrap();
    store.mark_record_stale(&gone()).unwrap();
    assert_eq!(store.records(None, None, usize::MAX).unwrap(), left);
    assert_eq!(store.record_count(None).unwrap(), left.len() as u64);
    assert_eq!(store.record_count(Some(&gone().home().region())).unwrap(), 1);
    assert_eq!(store.stats().unwrap().records, left.len() as u64);
    assert_eq!(store.stale_records(None, usize::MAX).unwrap(), left);
    assert_eq!(store.derived(&gone()).unwrap(), None);
    let views = store.derived_range(None, None, usize::MAX).unwrap();
    assert!(views.iter().map(|(record, _)| record).eq(&left));
    for kind in KINDS {
        assert_eq!(store.same_identity(kind, NIK, usize::MAX).unwrap(), left);
    }
    let refused = store.put_derived(&gone(), b"", &[]);
    assert!(matches!(refused, Err(StoreError::UnknownRecord(record)) if record == gone()), "{refused:?}");
    // Once all but one are gone, no number is there twice.
    assert_eq!(store.duplicates().unwrap().len(), 2);
    for record in &left[1..] {
        assert!(store.erase(record, &by()).unwrap());
    }
    assert_eq!(store.duplicates().unwrap(), []);
    assert_eq!(store.same_identity(IdentityKind::Kk, NIK, usize::MAX).unwrap(), left[..1]);
    store.commit().unwrap();
}

#[test]
fn what_comes_of_an_erased_record_later_is_taken_without_its_answers_or_not_at_all() {
    let disk = CrashBackend::default();
    let mut store = filled(&disk);
    assert!(store.erase(&gone(), &by()).unwrap());
    assert!(!store.erase(&gone(), &statement_id(8)).unwrap(), "nothing is left to erase");
    let late = change(3, 200, gone(), Ink::Pencil, NAME);
    let refused = store.append_change(&late, None).unwrap_err();
    assert!(matches!(refused, StoreError::Erased { record } if record == gone()), "{refused:?}");
    assert_eq!(store.append_change(of_the_gone()[0], None).unwrap(), None, "it is held");
    let (head, alone) = (store.head(), store.alone_count());
    let stub = late.to_header();
    assert_eq!(store.append_stub(&stub, &statement_id(8), None).unwrap(), Some(head + 1));
    assert_eq!(store.append_stub(&stub, &by(), Some(&device(2))).unwrap(), None);
    assert_eq!(store.alone_count(), alone + 1);
    store.commit().unwrap();
    drop(store);
    let store = open(disk).unwrap();
    assert_eq!(store.erased(&gone()), Some(by()), "the first erasure is the one that counts");
    assert_eq!(store.header(&late.id()).unwrap(), Some(stub.clone()));
    assert_eq!(store.change(&late.id()).unwrap(), None);
    assert_eq!(store.record_headers(&gone()).unwrap().last(), Some(&stub));
    assert_eq!(store.stale_records(None, usize::MAX).unwrap(), []);
}

#[test]
fn a_store_that_never_held_a_record_takes_its_stubs() {
    let (disk, whole) = (CrashBackend::default(), filled(&CrashBackend::default()));
    let mut store = create(disk.clone()).unwrap();
    for change in of_the_gone() {
        store.append_stub(&change.to_header(), &by(), Some(&device(3))).unwrap().unwrap();
    }
    store.commit().unwrap();
    drop(store);
    let store = open(disk).unwrap();
    let home = gone().home();
    assert_eq!(store.record_headers(&gone()).unwrap(), whole.record_headers(&gone()).unwrap());
    assert_eq!(store.change_count().unwrap(), of_the_gone().len() as u64);
    assert!(store.ids(&home).unwrap().iter().all(|id| whole.ids(&home).unwrap().contains(id)));
    assert_eq!(store.same_number(&author(2), 99).unwrap(), whole.same_number(&author(2), 99).unwrap());
    assert_eq!((store.erased(&gone()), store.record_count(None).unwrap()), (Some(by()), 0));
    assert_eq!((store.alone_count(), store.renewal_due().unwrap()), (0, false), "no answer was ever here");
    assert!(store.scan(0, usize::MAX).unwrap().iter().all(|entry| entry.from == Some(device(3))));
}

#[test]
fn a_stub_of_a_record_that_is_held_erases_it() {
    let mut store = filled(&CrashBackend::default());
    let before = store.head();
    let held = of_the_gone()[3];
    assert_eq!(store.append_stub(&held.to_header(), &by(), None).unwrap(), None);
    assert_eq!((store.head(), store.record_changes(&gone()).unwrap()), (before, Vec::new()));
    assert_eq!(store.record_headers(&gone()).unwrap().len(), of_the_gone().len());
    store.commit().unwrap();
}

#[test]
fn what_waits_for_a_record_is_forgotten_with_it_and_nothing_else_is() {
    let disk = CrashBackend::default();
    let mut store = create(disk.clone()).unwrap();
    assert!(!store.erase(&gone(), &by()).unwrap());
    assert_eq!((store.is_dirty(), store.erased(&gone())), (false, None), "nothing was here");
    let other = pool().iter().find(|change| change.change().record != gone()).unwrap();
    let waiting = [(2, of_the_gone()[0]), (2, of_the_gone()[1]), (3, of_the_gone()[0]), (3, other)];
    for (from, change) in waiting {
        store.put_waiting(&device(from), &change.id(), &change.signed().to_bytes()).unwrap();
    }
    store.put_waiting(&device(2), &of_the_gone()[2].id(), b"no change").unwrap();
    store.commit().unwrap();
    // Though none was admitted, their answers are on the disk.
    assert!(store.erase(&gone(), &by()).unwrap());
    store.commit().unwrap();
    drop(store);
    let store = open(disk).unwrap();
    let left: Vec<_> = store.waiting().unwrap().into_iter().map(|(from, id, _)| (from, id)).collect();
    let mut expected = vec![(device(3), other.id()), (device(2), of_the_gone()[2].id())];
    expected.sort_unstable();
    assert_eq!(left, expected);
    assert_eq!((store.waits_of(&device(2)).changes, store.waits_of(&device(3)).changes), (1, 1));
    assert_eq!((store.erased(&gone()), store.renewal_due().unwrap()), (Some(by()), true));
}

#[test]
fn power_loss_at_any_write_erases_all_of_a_record_or_nothing() {
    let disk = CrashBackend::default();
    let mut store = filled(&disk);
    for change in of_the_gone().into_iter().take(3) {
        store.put_waiting(&device(1), &change.id(), &change.signed().to_bytes()).unwrap();
    }
    store.commit().unwrap();
    drop(store);
    let before = disk.image();
    let erase = |disk: &CrashBackend| -> Result<(), Box<dyn std::error::Error>> {
        let mut store = open(disk.clone())?;
        store.erase(&gone(), &by())?;
        Ok(store.commit()?)
    };
    let whole = CrashBackend::with_image(before.clone());
    erase(&whole).unwrap();
    let mut found = BTreeMap::new();
    for at in 1..=whole.acts() {
        for seed in [0, 1, at + 2] {
            let disk = CrashBackend::with_image(before.clone());
            disk.die_after(at);
            let done = erase(&disk).is_ok();
            let store = open(CrashBackend::with_image(disk.after_power_loss(seed))).unwrap();
            let erased = store.erased(&gone()).is_some();
            assert!(erased || !done, "at write {at}, seed {seed}: what was committed is not there");
            let opening =
                of_the_gone().into_iter().filter(|change| store.change(&change.id()).unwrap().is_some());
            let (whole, waiting, numbers) = if erased { (0, 0, 3) } else { (of_the_gone().len(), 3, 4) };
            assert_eq!(opening.count(), whole, "at write {at}, seed {seed}");
            assert_eq!(store.waits_of(&device(1)).changes, waiting);
            assert_eq!(store.same_identity(IdentityKind::Nik, NIK, usize::MAX).unwrap().len(), numbers);
            assert_eq!(store.record_headers(&gone()).unwrap().len(), of_the_gone().len());
            assert_eq!(store.renewal_due().unwrap(), erased);
            *found.entry(erased).or_insert(0) += 1;
        }
    }
    assert!(found[&true] > 0 && found[&false] > 0, "{found:?}");
}
