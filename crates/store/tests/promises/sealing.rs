//! What a lost phone yields.

use redb::ReadableTable;
use rukun_change::Digest;
use rukun_store::{IdentityKind, InMemoryBackend, NewStore, OpenError, PeerState, Store, StoreError, Unlock};

use crate::backend::CrashBackend;
use crate::changes::{
    DEVICE_SEED, INCARNATION, KEY_FILE, NAME, NIK, SURVEY, create, device, entropy, open, pool, record,
    statement_id,
};

#[test]
fn the_file_holds_no_answer_no_number_and_no_key() {
    let disk = CrashBackend::default();
    let mut store = create(disk.clone()).unwrap();
    for change in pool() {
        store.append_change(change, Some(&device(1))).unwrap();
    }
    let view = format!("{{\"r402\":\"{NAME}\",\"r403\":\"{NIK}\"}}");
    store.put_derived(&record(1, 1), view.as_bytes(), &[(IdentityKind::Nik, NIK)]).unwrap();
    store.append_statement(&statement_id(1), b"the words of a statement", None, None).unwrap();
    store.set_setting("relay", Some(b"relay.example:4433")).unwrap();
    store.put_waiting(&device(2), &pool()[0].id(), &pool()[0].signed().to_bytes()).unwrap();
    let file = b"the questionnaire as a file";
    store.put_blob(&Digest::of(file), 0, file.len() as u64, file).unwrap();
    store
        .set_peer(&device(1), &PeerState { last_contact_ms: 0x1122_3344_5566, ..PeerState::default() })
        .unwrap();
    store.commit().unwrap();
    drop(store);
    let image = disk.image();
    let holds = |planted: &[u8]| image.windows(planted.len()).any(|window| window == planted);
    assert!(holds(b"record_identity") && holds(pool()[0].id().as_bytes()), "looking finds what is there");
    let nik = [NIK.as_bytes(), b"r402", b"RAHAYU", b"r403"];
    let words =
        [&b"words of a"[..], b"relay.example", b"questionnaire as", &[0x11, 0x22, 0x33, 0x44, 0x55, 0x66]];
    let keys = [&DEVICE_SEED[..], &KEY_FILE, &DEVICE_SEED[..8], pool()[0].signed().signature.as_slice()];
    for planted in nik.iter().chain(&words).chain(&keys) {
        assert!(!holds(planted), "{planted:02x?}");
    }
}

#[test]
fn a_passphrase_opens_its_store_and_no_other_does() {
    let disk = CrashBackend::default();
    let new = NewStore { device_seed: DEVICE_SEED, incarnation: INCARNATION };
    drop(Store::create(disk.clone(), Unlock::Passphrase("kopi tubruk"), &new, &mut entropy(1)).unwrap());
    let wrong = Store::open(disk.clone(), Unlock::Passphrase("kopi susu"), entropy(2)).unwrap_err();
    assert!(matches!(wrong, OpenError::WrongPassphrase), "{wrong:?}");
    let store = Store::open(disk, Unlock::Passphrase("kopi tubruk"), entropy(2)).unwrap();
    assert_eq!((store.device_seed(), store.incarnation()), (&DEVICE_SEED, INCARNATION));
}

#[test]
fn whoever_has_another_key_is_told_so_and_not_one_write_reaches_the_disk() {
    let disk = CrashBackend::default();
    let mut store = create(disk.clone()).unwrap();
    store.append_change(&pool()[0], None).unwrap();
    store.commit().unwrap();
    let cut_off = disk.after_power_loss(0);
    drop(store);
    for image in [disk.image(), cut_off] {
        let disk = CrashBackend::with_image(image.clone());
        for wrong in [Unlock::KeyFile(&[0; 32]), Unlock::Passphrase("kopi tubruk")] {
            let refused = Store::open(disk.clone(), wrong, entropy(2)).unwrap_err();
            assert!(matches!(refused, OpenError::WrongKeyFile | OpenError::NeedsKeyFile), "{refused:?}");
        }
        assert_eq!(disk.acts(), 0);
        assert_eq!(open(disk).unwrap().change_count().unwrap(), 1);
    }
}

#[test]
fn a_store_under_another_lock_opens_with_the_new_key_alone_and_holds_nothing_of_the_old_lock() {
    let (disk, copy) = (CrashBackend::default(), CrashBackend::default());
    let mut store = create(disk.clone()).unwrap();
    store.append_change(&pool()[0], None).unwrap();
    store.commit().unwrap();
    // Staged, and not durable: it stays behind.
    store.append_change(&pool()[1], None).unwrap();
    let (old, new) = (Unlock::KeyFile(&KEY_FILE), Unlock::Passphrase("kopi tubruk"));
    let wrong = store.copy_locked_anew(copy.clone(), Unlock::KeyFile(&[0; 32]), new, &mut entropy(3));
    assert!(matches!(wrong, Err(OpenError::WrongKeyFile)), "{wrong:?}");
    assert!(copy.image().is_empty(), "nothing is written under a wrong key");
    store.copy_locked_anew(copy.clone(), old, new, &mut entropy(3)).unwrap();
    let again = store.copy_locked_anew(copy.clone(), old, new, &mut entropy(3));
    assert!(matches!(again, Err(OpenError::NotEmpty)), "{again:?}");
    drop(store);
    let locked = |disk: &CrashBackend| {
        let db = redb::Database::builder().create_with_backend(disk.clone()).unwrap();
        let txn = redb::ReadableDatabase::begin_read(&db).unwrap();
        let header = txn.open_table(redb::TableDefinition::<&str, &[u8]>::new("header")).unwrap();
        header.get("data_key").unwrap().unwrap().value().to_vec()
    };
    let old_lock = locked(&disk);
    let holds = |disk: &CrashBackend| disk.image().windows(old_lock.len()).any(|bytes| bytes == old_lock);
    assert!(holds(&disk) && !holds(&copy));
    let refused = Store::open(copy.clone(), old, entropy(2)).unwrap_err();
    assert!(matches!(refused, OpenError::NeedsPassphrase), "{refused:?}");
    let store = Store::open(copy, new, entropy(2)).unwrap();
    assert_eq!((store.device_seed(), store.incarnation()), (&DEVICE_SEED, INCARNATION));
    assert_eq!(store.change(&pool()[0].id()).unwrap().as_ref(), Some(&pool()[0]));
    assert_eq!(store.change_count().unwrap(), 1);
}

#[test]
fn a_changed_or_moved_row_is_found_and_the_rest_still_reads() {
    let disk = CrashBackend::default();
    let mut store = create(disk.clone()).unwrap();
    for change in pool() {
        store.append_change(change, None).unwrap();
    }
    store.commit().unwrap();
    drop(store);
    let db = redb::Builder::new().create_with_backend(disk.clone()).unwrap();
    let txn = db.begin_write().unwrap();
    {
        let mut log = txn.open_table(redb::TableDefinition::<u64, &[u8]>::new("log")).unwrap();
        let moved = log.get(1).unwrap().unwrap().value().to_vec();
        log.insert(2, moved.as_slice()).unwrap();
        let mut changed = log.get(3).unwrap().unwrap().value().to_vec();
        *changed.last_mut().unwrap() ^= 1;
        log.insert(3, changed.as_slice()).unwrap();
    }
    txn.commit().unwrap();
    drop(db);
    let store = open(disk).unwrap();
    for at in [1, 2] {
        let told = store.change(&pool()[at].id()).unwrap_err();
        assert!(matches!(&told, StoreError::Damaged { table, .. } if table == "log"), "{told:?}");
    }
    assert_eq!(store.change(&pool()[4].id()).unwrap().as_ref(), Some(&pool()[4]));
}

#[test]
fn equal_stores_share_no_sealed_bytes() {
    let images = [1, 2].map(|seed| {
        let disk = CrashBackend::default();
        let new = NewStore { device_seed: DEVICE_SEED, incarnation: INCARNATION };
        let mut store =
            Store::create(disk.clone(), Unlock::KeyFile(&KEY_FILE), &new, &mut entropy(seed)).unwrap();
        store.set_survey(&SURVEY).unwrap();
        store.put_waiting(&device(1), &pool()[0].id(), &[0; 2000]).unwrap();
        store.commit().unwrap();
        drop(store);
        disk.image()
    });
    let row = |image: &[u8]| {
        let key = [*device(1).as_bytes(), *pool()[0].id().as_bytes()].concat();
        let at = image.windows(64).position(|window| window == key).unwrap();
        image[at + 64..at + 164].to_vec()
    };
    assert_ne!(row(&images[0]), row(&images[1]));
}

#[test]
fn changes_are_read_only_once_the_survey_is_known() {
    let new = NewStore { device_seed: DEVICE_SEED, incarnation: INCARNATION };
    let mut store =
        Store::create(InMemoryBackend::new(), Unlock::KeyFile(&KEY_FILE), &new, &mut entropy(1)).unwrap();
    store.append_change(&pool()[0], None).unwrap();
    assert!(matches!(store.change(&pool()[0].id()), Err(StoreError::NoSurvey)));
    store.set_survey(&SURVEY).unwrap();
    assert!(store.change(&pool()[0].id()).unwrap().is_some());
    let other = rukun_change::SurveyId::from_bytes([8; 32]);
    assert!(matches!(store.set_survey(&other), Err(StoreError::OtherSurvey { held }) if held == SURVEY));
    store.commit().unwrap();
}
