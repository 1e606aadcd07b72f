//! Power loss at every write, and media that fail.

use rand_chacha::rand_core::Rng;
use rukun_store::{OpenError, Store, StoreError, Unlock};

use crate::backend::CrashBackend;
use crate::changes::{KEY_FILE, create, device, entropy, open, pool};
use crate::model::{Model, script};

/// Runs the script until the disk dies: what was committed for certain, and what a commit under way
/// would have made.
fn run(mut store: Store) -> (Model, Model) {
    let (mut certain, mut model) = (Model::default(), Model::default());
    for round in 0..4 {
        for act in script(round) {
            // What fails was not done to the model.
            if let Err(error) = model.act(&mut store, &act) {
                assert!(matches!(error, StoreError::Medium(_)), "{error:?}");
                return (certain.clone(), certain);
            }
        }
        if store.commit().is_err() {
            return (certain, model);
        }
        certain = model.clone();
    }
    (certain.clone(), certain)
}

#[test]
fn power_loss_at_any_write_leaves_all_that_was_committed_and_nothing_half() {
    let new = CrashBackend::default();
    drop(create(new.clone()).unwrap());
    let whole = CrashBackend::with_image(new.image());
    run(open(whole.clone()).unwrap());
    let acts = whole.acts();
    assert!(acts > 40, "{acts} writes are too few to lose power at");
    for at in 1..=acts {
        for seed in [0, 1, at + 2, at + 1_000_002] {
            let disk = CrashBackend::with_image(new.image());
            disk.die_after(at);
            let Ok(store) = open(disk.clone()) else {
                Model::default()
                    .agrees(&open(CrashBackend::with_image(disk.after_power_loss(seed))).unwrap());
                continue;
            };
            let (certain, perhaps) = run(store);
            let store = open(CrashBackend::with_image(disk.after_power_loss(seed))).unwrap();
            // Every round appends, so the end of the log tells which commit was the last.
            let all = [certain, perhaps];
            let held = all.iter().find(|model| model.head() == store.head());
            held.unwrap_or_else(|| panic!("at write {at}, seed {seed}: half a commit")).agrees(&store);
        }
    }
}

#[test]
fn a_store_whose_making_was_cut_off_is_there_or_is_said_not_to_be() {
    let whole = CrashBackend::default();
    drop(create(whole.clone()).unwrap());
    let acts = whole.acts();
    let mut made = 0;
    for at in 1..=acts {
        for seed in [0, 1, at + 2] {
            let disk = CrashBackend::default();
            disk.die_after(at);
            drop(create(disk.clone()));
            match open(CrashBackend::with_image(disk.after_power_loss(seed))) {
                Ok(store) => {
                    assert_eq!(store.head(), 0);
                    made += 1;
                }
                Err(OpenError::Empty | OpenError::NotAStore) => {}
                Err(other) => panic!("at write {at}, seed {seed}: {other:?}"),
            }
        }
    }
    assert!(made > 0);
}

#[test]
fn a_failed_sync_poisons_the_store_until_it_is_opened_again() {
    let disk = CrashBackend::default();
    let mut store = create(disk.clone()).unwrap();
    store.append_change(&pool()[0], None).unwrap();
    store.commit().unwrap();
    disk.fail_syncs();
    store.append_change(&pool()[1], None).unwrap();
    let first = store.commit().unwrap_err();
    assert!(matches!(first, StoreError::Medium(_)));
    assert!(matches!(store.commit(), Err(StoreError::Poisoned { .. })));
    assert!(matches!(store.append_change(&pool()[2], None), Err(StoreError::Poisoned { .. })));
    assert!(matches!(store.next_n(), Err(StoreError::Poisoned { .. })));
    assert!(matches!(store.change(&pool()[0].id()), Err(StoreError::Poisoned { .. })));
    let told = store.scan(0, 1).unwrap_err().to_string();
    assert!(told.contains("restart") && told.contains(&first.to_string()), "{told}");
    drop(store);
    let store = open(CrashBackend::with_image(disk.after_power_loss(0))).unwrap();
    assert_eq!((store.head(), store.has_change(&pool()[1].id()).unwrap()), (1, false));
}

#[test]
fn a_commit_is_synced_before_it_returns() {
    let disk = CrashBackend::default();
    let mut store = create(disk.clone()).unwrap();
    for change in &pool()[..20] {
        store.append_change(change, Some(&device(3))).unwrap();
        store.commit().unwrap();
        let lost = open(CrashBackend::with_image(disk.after_power_loss(0))).unwrap();
        assert!(lost.has_change(&change.id()).unwrap());
    }
}

#[test]
fn opening_says_what_is_wrong() {
    let empty = open(CrashBackend::default()).unwrap_err();
    assert!(matches!(empty, OpenError::Empty), "{empty:?}");
    let other = open(CrashBackend::with_image(vec![b'x'; 8192])).unwrap_err();
    assert!(matches!(other, OpenError::NotAStore), "{other:?}");
    let made = CrashBackend::default();
    drop(create(made.clone()).unwrap());
    let again = create(CrashBackend::with_image(made.image())).unwrap_err();
    assert!(matches!(again, OpenError::NotEmpty), "{again:?}");
    let foreign = CrashBackend::default();
    drop(redb::Builder::new().create_with_backend(foreign.clone()).unwrap());
    let foreign = open(CrashBackend::with_image(foreign.image())).unwrap_err();
    assert!(matches!(foreign, OpenError::NotAStore), "{foreign:?}");
    let wrong = Store::open(made.clone(), Unlock::KeyFile(&[0; 32]), entropy(1)).unwrap_err();
    assert!(wrong.to_string().contains("key file does not fit"), "{wrong}");
    let wrong = Store::open(made.clone(), Unlock::Passphrase("x"), entropy(1)).unwrap_err();
    assert!(matches!(wrong, OpenError::NeedsKeyFile), "{wrong:?}");
    assert!(Store::open(made, Unlock::KeyFile(&KEY_FILE), entropy(1)).is_ok());
}

#[test]
fn a_later_format_is_left_alone() {
    let disk = CrashBackend::default();
    drop(create(disk.clone()).unwrap());
    let db = redb::Builder::new().create_with_backend(disk.clone()).unwrap();
    let txn = db.begin_write().unwrap();
    let header = redb::TableDefinition::<&str, &[u8]>::new("header");
    txn.open_table(header).unwrap().insert("format", [0, 0, 0, 2].as_slice()).unwrap();
    txn.commit().unwrap();
    drop(db);
    let told = open(disk).unwrap_err().to_string();
    assert!(told.contains("version 2") && told.contains("update rukun"), "{told}");
}

#[test]
fn a_file_changed_behind_the_stores_back_is_found_out_when_it_is_opened() {
    let disk = CrashBackend::default();
    run(create(disk.clone()).unwrap());
    let sound = disk.image();
    let mut luck = entropy(7);
    let mut refused = 0;
    for _ in 0..200 {
        let mut image = sound.clone();
        let at = luck.next_u64() as usize % image.len();
        image[at] ^= 1 << (luck.next_u32() % 8);
        match open(CrashBackend::with_image(image)) {
            Ok(store) => assert!(store.scan(0, usize::MAX).unwrap().len() as u64 == store.head()),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 20, "only {refused} of 200 changes were found");
}
