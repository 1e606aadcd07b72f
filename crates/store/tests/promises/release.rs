//! A place that is released: nothing of it is held or opens, its places in the log are never filled again,
//! and it can be taken in anew.

use std::collections::BTreeMap;

use rukun_authority::AdmittedChange;
use rukun_change::{Ink, Region, SubSls};
use rukun_store::{EntryKind, IdentityKind, Store};

use crate::backend::CrashBackend;
use crate::changes::{NAME, NIK, change, create, device, open, pool, record, statement_id};

fn left() -> SubSls {
    record(1, 0).home()
}

fn of_the_left() -> Vec<&'static AdmittedChange> {
    pool().iter().filter(|change| change.change().record.home() == left()).collect()
}

/// Every change of the pool, every third made here, with views, a word about each place, something that waits
/// and a record that was erased; the last that came is of the place that is released.
fn filled(disk: &CrashBackend) -> Store {
    let mut store = create(disk.clone()).unwrap();
    for (at, change) in pool().iter().enumerate() {
        let from = (at % 3 > 0).then(|| device(3));
        store.append_change(change, from.as_ref()).unwrap();
    }
    for record in store.records(None, None, usize::MAX).unwrap() {
        store.put_derived(&record, NAME.as_bytes(), &[(IdentityKind::Nik, NIK)]).unwrap();
    }
    for (name, home) in [(7, left()), (8, record(0, 0).home())] {
        store.append_statement(&statement_id(name), b"a word", Some(home), None).unwrap();
    }
    let waits = change(2, 40, record(1, 9), Ink::Pencil, NAME);
    store.put_waiting(&device(2), &waits.id(), &waits.signed().to_bytes()).unwrap();
    assert!(store.erase(&record(1, 1), &statement_id(7)).unwrap());
    store.append_change(&change(1, 50, record(1, 8), Ink::Pencil, NAME), None).unwrap();
    store.commit().unwrap();
    store
}

/// Everything that there is of another place.
fn of_the_other(store: &Store) -> impl PartialEq + std::fmt::Debug + use<> {
    let home = record(0, 0).home();
    let changes: Vec<_> = pool().iter().filter(|change| change.change().record.home() == home).collect();
    let whole: Vec<_> = changes.iter().map(|change| store.change(&change.id()).unwrap()).collect();
    let fingerprints = store.fingerprints(&[home.region()]).unwrap();
    let views: Vec<_> = store.records(Some(&home.region()), None, usize::MAX).unwrap();
    let views: Vec<_> = views.iter().map(|record| store.derived(record).unwrap()).collect();
    (whole, fingerprints, views, store.items(&home).unwrap(), store.alone_in(&home).unwrap())
}

fn holds_nothing(store: &Store) {
    let everywhere: Region = "1811".parse().unwrap();
    assert!(!store.fingerprints(&[everywhere]).unwrap().contains_key(&left()));
    for change in of_the_left() {
        assert!(!store.has_change(&change.id()).unwrap());
        assert_eq!(store.header(&change.id()).unwrap(), None);
        let (record, ink) = (change.change().record, change.change().ink);
        assert!(!store.has_cause(&record, ink, &change.body().hash).unwrap());
        assert_eq!((store.derived(&record).unwrap(), store.erased(&record)), (None, None));
    }
    assert_eq!(store.items(&left()).unwrap(), []);
    assert_eq!(store.alone_in(&left()).unwrap(), Vec::<u64>::new());
    assert_eq!(store.record_count(Some(&left().region())).unwrap(), 0);
    assert!(
        !store.has_statement(&statement_id(7)).unwrap() && store.has_statement(&statement_id(8)).unwrap()
    );
    assert!(store.waiting().unwrap().is_empty());
    let mine = store.written_by(&device(1)).unwrap();
    assert!(!mine.is_empty() && mine.iter().all(|(home, ..)| *home != left()));
}

#[test]
fn what_is_released_leaves_nothing_but_empty_places_and_a_count() {
    let disk = CrashBackend::default();
    let mut store = filled(&disk);
    let (head, other) = (store.head(), of_the_other(&store));
    let mut counts: BTreeMap<_, (u64, u64)> = BTreeMap::from([(record(1, 8), (1, 1))]);
    for (at, change) in pool().iter().enumerate() {
        if change.change().record.home() == left() {
            let (changes, own) = counts.entry(change.change().record).or_default();
            (*changes, *own) = (*changes + 1, *own + u64::from(at % 3 == 0));
        }
    }
    let waits: Vec<_> = store.waiting_in(&left()).unwrap().into_iter().map(|(from, _)| from).collect();
    assert_eq!((waits, store.waiting_in(&record(0, 0).home()).unwrap()), (vec![device(2)], vec![]));
    let released = store.release(&left()).unwrap();
    let told: BTreeMap<_, _> = released.iter().map(|line| (line.record, (line.changes, line.own))).collect();
    assert_eq!(told, counts);
    store.commit().unwrap();
    drop(store);
    let mut store = open(disk).unwrap();
    holds_nothing(&store);
    assert_eq!(of_the_other(&store), other);
    assert_eq!(store.released().unwrap(), released);
    assert!(store.renewal_due().unwrap(), "free pages may still have all of it");
    assert_eq!(store.head(), head, "the last place was one of these, and is not given again");
    let empty =
        store.scan(0, usize::MAX).unwrap().into_iter().filter(|entry| entry.kind == EntryKind::Released);
    assert_eq!(empty.count() as u64, counts.values().map(|(changes, _)| changes).sum::<u64>() + 1);
    assert_eq!(store.release(&left()).unwrap(), []);
    let again = of_the_left()[0];
    assert_eq!(store.append_change(again, Some(&device(3))).unwrap(), Some(head + 1));
    assert_eq!(store.change(&again.id()).unwrap().as_ref(), Some(again));
    let listed = store.released().unwrap();
    assert!(listed.iter().all(|line| line.record != again.change().record), "it is held again");
    assert_eq!(listed.len() + 1, released.len());
}

#[test]
fn power_loss_at_any_write_releases_all_of_a_place_or_nothing() {
    let disk = CrashBackend::default();
    drop(filled(&disk));
    let before = disk.image();
    let release = |disk: &CrashBackend| -> Result<(), Box<dyn std::error::Error>> {
        let mut store = open(disk.clone())?;
        store.release(&left())?;
        Ok(store.commit()?)
    };
    let whole = CrashBackend::with_image(before.clone());
    release(&whole).unwrap();
    let mut found = BTreeMap::new();
    for at in 1..=whole.acts() {
        for seed in [0, 1, at + 2] {
            let disk = CrashBackend::with_image(before.clone());
            disk.die_after(at);
            let done = release(&disk).is_ok();
            let store = open(CrashBackend::with_image(disk.after_power_loss(seed))).unwrap();
            let released = !store.released().unwrap().is_empty();
            assert!(released || !done, "at write {at}, seed {seed}: what was committed is not there");
            if released {
                holds_nothing(&store);
            } else {
                assert!(of_the_left().iter().all(|change| store.header(&change.id()).unwrap().is_some()));
                assert_eq!(store.waiting().unwrap().len(), 1);
            }
            *found.entry(released).or_insert(0) += 1;
        }
    }
    assert!(found[&true] > 0 && found[&false] > 0, "{found:?}");
}
