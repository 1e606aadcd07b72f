//! The data folder over real files.

use std::collections::BTreeMap;

use rukun_replica::StorageBackend;

use super::*;

fn folder() -> (tempfile::TempDir, Folder) {
    let parent = tempfile::tempdir().unwrap();
    let folder = Folder::at(parent.path().join("data"));
    (parent, folder)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_store_is_made_once_and_opened_again_by_its_owner_alone() {
    let (_parent, folder) = folder();
    assert!(matches!(folder.open_store(), Err(DiskError::NoStore { .. })));
    let seed = *folder.create_store().unwrap().device_seed();
    assert_eq!(mode(folder.path()), 0o700);
    assert_eq!((mode(&folder.store_path()), mode(&folder.key_path())), (0o600, 0o600));
    assert_eq!(folder.open_store().unwrap().device_seed(), &seed);
    assert!(matches!(folder.create_store(), Err(DiskError::Exists { .. })));
}

#[test]
fn a_making_that_was_cut_off_stands_in_nobodys_way() {
    let (_parent, folder) = folder();
    drop(folder.create_store().unwrap());
    let whole = fs::read(folder.store_path()).unwrap();
    fs::remove_file(folder.store_path()).unwrap();
    // What power loss leaves of it: nothing, zeros, a part, or all but the name.
    for left in [&whole[..0], &[0; 8192], &whole[..4096], &whole[..whole.len() / 2], &whole] {
        fs::write(folder.fresh_path(), left).unwrap();
        assert!(matches!(folder.open_store(), Err(DiskError::NoStore { .. })));
        let seed = *folder.create_store().unwrap().device_seed();
        assert!(!folder.fresh_path().exists());
        assert_eq!(folder.open_store().unwrap().device_seed(), &seed);
        assert_eq!(mode(&folder.store_path()), 0o600);
        fs::remove_file(folder.store_path()).unwrap();
    }
}

#[test]
fn of_two_that_make_a_store_in_one_folder_one_does() {
    let (_parent, folder) = folder();
    drop(folder.create_store().unwrap());
    fs::rename(folder.store_path(), folder.fresh_path()).unwrap();
    let other = File::open(folder.fresh_path()).unwrap();
    other.lock().unwrap();
    assert!(matches!(folder.create_store(), Err(DiskError::InUse { .. })));
    drop(other);
    assert!(folder.create_store().is_ok());
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_remedy() {
    let (_parent, folder) = folder();
    drop(folder.create_store().unwrap());
    fs::set_permissions(folder.key_path(), Permissions::from_mode(0o640)).unwrap();
    let error = folder.open_store().unwrap_err();
    assert!(matches!(error, DiskError::Exposed { mode: 0o640, .. }));
    let remedy = error.remedy().unwrap();
    assert!(remedy.starts_with(&format!("chmod 600 '{}' ", folder.key_path().display())), "{remedy}");
}

#[test]
fn a_store_in_use_names_the_process_that_runs() {
    let (_parent, folder) = folder();
    let _open = folder.create_store().unwrap();
    let address = "127.0.0.1:1".parse().unwrap();
    let note = DaemonNote { pid: 4711, http: address, quic: address, token: "secret".into() };
    folder.write_note(&note).unwrap();
    assert!(matches!(folder.open_store(), Err(DiskError::InUse { pid: Some(4711), .. })));
}

#[test]
fn a_note_is_replaced_hides_its_token_and_goes_only_with_its_own_process() {
    let (_parent, folder) = folder();
    drop(folder.create_store().unwrap());
    assert_eq!(folder.note().unwrap(), None);
    let address = "127.0.0.1:1".parse().unwrap();
    let note = |pid| DaemonNote { pid, http: address, quic: address, token: "secret".into() };
    folder.write_note(&note(1)).unwrap();
    folder.write_note(&note(2)).unwrap();
    assert_eq!((folder.note().unwrap(), mode(&folder.note_path())), (Some(note(2)), 0o600));
    assert!(!format!("{:?}", note(2)).contains("secret"));
    folder.remove_note(1).unwrap();
    assert!(folder.note().unwrap().is_some());
    folder.remove_note(2).unwrap();
    assert_eq!(folder.note().unwrap(), None);
}

#[test]
fn a_root_key_comes_back_and_is_never_overwritten() {
    let (_parent, folder) = folder();
    drop(folder.create_store().unwrap());
    assert!(matches!(folder.root(), Err(DiskError::NoRoot { .. })));
    folder.write_root(&Keypair::from_seed(&[7; 32])).unwrap();
    assert_eq!(folder.root().unwrap().key(), Keypair::from_seed(&[7; 32]).key());
    assert!(folder.write_root(&Keypair::from_seed(&[8; 32])).is_err());
    assert_eq!(mode(&folder.root_path()), 0o600);
}

/// A file that holds a passphrase, beside the folder.
fn passphrase(parent: &tempfile::TempDir, name: &str, text: &str) -> PassphraseFrom {
    let path = parent.path().join(name);
    write_new(&path, format!("{text}\nsecond line\n").as_bytes()).unwrap();
    PassphraseFrom::File(path)
}

/// Everything in a folder, by name.
fn contents(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn a_store_goes_from_its_key_file_to_a_passphrase_to_another_and_back() {
    let (parent, folder) = folder();
    let first = passphrase(&parent, "first", "kopi tubruk tanpa gula");
    let second = passphrase(&parent, "second", "teh manis di teras rumah");
    let seed = *folder.create_store().unwrap().device_seed();
    folder.lock_with_passphrase(&first).unwrap();
    assert!(!folder.has_key_file());
    let by = |from: &PassphraseFrom| folder.clone().with_passphrase(from.clone());
    assert_eq!(by(&first).open_store().unwrap().device_seed(), &seed);

    let before = contents(folder.path());
    for refused in [
        by(&second).open_store().err(),
        by(&second).lock_with_passphrase(&second).err(),
        by(&second).lock_with_key_file().err(),
    ] {
        let Some(DiskError::Open { source, .. }) = refused else { panic!("{refused:?}") };
        assert!(matches!(source, OpenError::WrongPassphrase), "{source:?}");
    }
    assert!(contents(folder.path()) == before, "a wrong passphrase touches nothing");

    by(&first).lock_with_passphrase(&second).unwrap();
    assert!(by(&first).open_store().is_err());
    by(&second).lock_with_key_file().unwrap();
    assert_eq!((mode(&folder.key_path()), mode(&folder.store_path())), (0o600, 0o600));
    assert_eq!(folder.open_store().unwrap().device_seed(), &seed);
    let again = folder.lock_with_key_file().unwrap_err();
    assert!(matches!(again, DiskError::KeyFileAlready), "{again:?}");
    assert_eq!(contents(folder.path()).into_keys().collect::<Vec<_>>(), ["key", "rukun.redb"]);
}

#[test]
fn a_passphrase_that_was_typed_is_asked_for_once_by_a_process() {
    let (parent, folder) = folder();
    let words = "kopi tubruk tanpa gula";
    drop(folder.create_store().unwrap());
    folder.lock_with_passphrase(&passphrase(&parent, "first", words)).unwrap();
    // Where a test runs nobody sits there.
    assert!(matches!(folder.open_store(), Err(DiskError::NobodyToAsk | DiskError::Missing { .. })));
    folder.typed.keep(&Secret::Passphrase(words.to_owned().into()));
    assert!(folder.clone().open_store().is_ok());
    assert!(!format!("{folder:?}").contains("kopi"));
}

#[test]
fn power_lost_at_any_step_of_a_change_of_lock_leaves_a_store_that_one_of_the_two_opens() {
    let (parent, folder) = folder();
    let from = passphrase(&parent, "first", "kopi tubruk tanpa gula");
    let seed = *folder.create_store().unwrap().device_seed();
    let under_key = contents(folder.path());
    folder.lock_with_passphrase(&from).unwrap();
    let under_passphrase = contents(folder.path());
    let (old, new) = (&under_key["rukun.redb"], &under_passphrase["rukun.redb"]);
    let key = &under_key["key"];
    let folder = folder.with_passphrase(from);
    let leaves = |store: &[u8], scrap: Option<&[u8]>, key: Option<&[u8]>| {
        fs::write(folder.store_path(), store).unwrap();
        for (path, left) in [(folder.fresh_path(), scrap), (folder.key_path(), key)] {
            remove_if_there(&path).unwrap();
            if let Some(left) = left {
                write_new(&path, left).unwrap();
            }
        }
        assert_eq!(folder.open_store().unwrap().device_seed(), &seed);
        assert!(!folder.fresh_path().exists(), "a store under the other lock is not left lying about");
    };
    // To a passphrase: half a copy, a whole one, the copy in its place and the key file still there.
    for scrap in [&[][..], &new[..new.len() / 2], new] {
        leaves(old, Some(scrap), Some(key));
    }
    leaves(new, None, Some(key));
    // Back to a key file: the key file alone, then half a copy, a whole one, the copy in its place.
    leaves(new, None, Some(key));
    for scrap in [&[][..], &old[..old.len() / 2], old] {
        leaves(new, Some(scrap), Some(key));
    }
    leaves(old, None, Some(key));
    // Whatever else lies there as a key file stands in no passphrase's way.
    leaves(new, None, Some(&key[..7]));
}

#[test]
fn a_key_file_that_another_store_may_need_is_left_alone() {
    let (parent, folder) = folder();
    let from = passphrase(&parent, "first", "kopi tubruk tanpa gula");
    drop(folder.clone().with_passphrase(from.clone()).create_store().unwrap());
    write_new(&folder.key_path(), &[7; KEY_BYTES]).unwrap();
    let second = passphrase(&parent, "second", "teh manis di teras rumah");
    let folder = folder.with_passphrase(from);
    folder.lock_with_passphrase(&second).unwrap();
    assert_eq!(fs::read(folder.key_path()).unwrap(), [7; KEY_BYTES]);
    folder.with_passphrase(second).lock_with_key_file().unwrap();
}

#[test]
fn a_store_may_be_made_with_a_passphrase_and_never_has_a_key_file() {
    let (parent, folder) = folder();
    let short = folder.clone().with_passphrase(passphrase(&parent, "short", "rahasia"));
    assert!(matches!(short.create_store(), Err(DiskError::Short { chars: 7, .. })));
    let long = passphrase(&parent, "long", &"kopi ".repeat(1000));
    assert!(matches!(folder.clone().with_passphrase(long).create_store(), Err(DiskError::NoKey { .. })));
    let folder = folder.with_passphrase(passphrase(&parent, "first", "kopi tubruk tanpa gula"));
    let seed = *folder.create_store().unwrap().device_seed();
    assert!(!folder.has_key_file());
    assert_eq!(folder.open_store().unwrap().device_seed(), &seed);
    let exposed = parent.path().join("first");
    fs::set_permissions(&exposed, Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(folder.open_store(), Err(DiskError::Exposed { mode: 0o644, .. })));
}

#[test]
fn whoever_has_no_key_file_hears_so_and_not_that_a_passphrase_is_wrong() {
    let (parent, folder) = folder();
    drop(folder.create_store().unwrap());
    fs::remove_file(folder.key_path()).unwrap();
    let folder = folder.with_passphrase(passphrase(&parent, "first", "kopi tubruk tanpa gula"));
    let error = folder.open_store().unwrap_err();
    assert!(matches!(&error, DiskError::Missing { path } if *path == folder.key_path()), "{error:?}");
}

/// A store, a backup of it, and what the store is.
fn backed_up(parent: &tempfile::TempDir, folder: &Folder) -> (PathBuf, [u8; 32], Incarnation) {
    let backup = parent.path().join("backup.redb");
    let store = folder.create_store().unwrap();
    let (changes, bytes) = back_up(&backup, |file| store.copy_to(file)).unwrap();
    assert_eq!((changes, bytes), (0, fs::metadata(&backup).unwrap().len()));
    (backup, *store.device_seed(), store.incarnation())
}

#[test]
fn a_backup_has_its_name_when_it_is_whole_and_is_its_owners_alone() {
    let (parent, folder) = folder();
    let (backup, ..) = backed_up(&parent, &folder);
    assert_eq!(mode(&backup), 0o600);
    let again = back_up(&backup, |_| panic!("nothing is copied")).unwrap_err();
    assert!(matches!(again, DiskError::Taken { .. }), "{again:?}");
    let beside = parent.path().join("beside.redb");
    let cut_off = back_up(&beside, |file| {
        StorageBackend::write(&file, 0, &[7; 100]).unwrap();
        assert!(!beside.exists());
        Err(OpenError::NotEmpty)
    });
    assert!(cut_off.is_err());
    let there: Vec<_> =
        fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(there.len(), 2, "the folder and the backup, and nothing else: {there:?}");
}

#[test]
fn a_restored_store_is_the_same_device_under_a_new_incarnation_and_overwrites_nothing() {
    let (parent, folder) = folder();
    let (backup, seed, incarnation) = backed_up(&parent, &folder);
    let before = contents(folder.path());
    let open = folder.open_store().unwrap();
    assert!(matches!(folder.restore(&backup, None), Err(DiskError::InUse { .. })));
    drop(open);
    let refused = folder.restore(&backup, None).unwrap_err();
    assert!(matches!(&refused, DiskError::Taken { path } if *path == folder.store_path()), "{refused:?}");
    assert_eq!(
        contents(folder.path()).into_keys().collect::<Vec<_>>(),
        before.into_keys().collect::<Vec<_>>()
    );

    fs::rename(folder.store_path(), parent.path().join("away")).unwrap();
    // What an earlier one left that was cut off.
    write_new(&folder.fresh_path(), &[7; 5000]).unwrap();
    folder.restore(&backup, None).unwrap();
    let store = folder.open_store().unwrap();
    assert_eq!(store.device_seed(), &seed);
    assert_ne!(store.incarnation(), incarnation);
    assert_eq!((mode(folder.path()), mode(&folder.store_path())), (0o700, 0o600));
    drop(store);

    let elsewhere = Folder::at(parent.path().join("elsewhere"));
    elsewhere.restore(&backup, Some(&folder.key_path())).unwrap();
    let store = elsewhere.open_store().unwrap();
    assert_eq!((store.device_seed(), mode(&elsewhere.key_path())), (&seed, 0o600));
    assert_ne!(store.incarnation(), folder.open_store().unwrap().incarnation(), "each restore draws its own");
}

#[test]
fn a_restore_that_is_refused_leaves_everything_as_it_was() {
    let (parent, folder) = folder();
    let (backup, seed, _) = backed_up(&parent, &folder);
    let whole = fs::read(&backup).unwrap();
    let [other, half, none] = ["other", "half", "none"].map(|name| parent.path().join(name));
    write_new(&other, &[7; KEY_BYTES]).unwrap();
    write_new(&half, &whole[..whole.len() / 2]).unwrap();
    let elsewhere = Folder::at(parent.path().join("elsewhere"));
    let refused = |backup: &Path, key: &Path| {
        let refused = elsewhere.restore(backup, Some(key)).unwrap_err();
        assert!(!elsewhere.path().exists(), "{refused:?}");
        refused
    };
    let wrong = refused(&backup, &other);
    assert!(matches!(wrong, DiskError::Open { source: OpenError::WrongKeyFile, .. }), "{wrong:?}");
    assert!(matches!(refused(&backup, &none), DiskError::Missing { .. }));
    assert!(matches!(refused(&none, &folder.key_path()), DiskError::Io { .. }));
    let cut = refused(&half, &folder.key_path());
    assert!(matches!(&cut, DiskError::Open { path, .. } if *path == half), "{cut:?}");

    // Where something lies already, it stays; and another key file stands in the way.
    fs::create_dir(elsewhere.path()).unwrap();
    write_new(&elsewhere.key_path(), &[7; KEY_BYTES]).unwrap();
    let taken = elsewhere.restore(&backup, Some(&folder.key_path())).unwrap_err();
    assert!(matches!(&taken, DiskError::Taken { path } if *path == elsewhere.key_path()), "{taken:?}");
    assert!(elsewhere.restore(&backup, None).is_err());
    assert_eq!(contents(elsewhere.path()), [("key".into(), vec![7; KEY_BYTES])].into());
    // Nor does a backup become empty because it has the name of what is being made.
    fs::rename(&backup, elsewhere.fresh_path()).unwrap();
    fs::remove_file(elsewhere.key_path()).unwrap();
    assert!(elsewhere.restore(&elsewhere.fresh_path(), Some(&folder.key_path())).is_err());
    assert!(fs::read(elsewhere.fresh_path()).unwrap() == whole);
    fs::rename(elsewhere.fresh_path(), &backup).unwrap();
    elsewhere.restore(&backup, Some(&folder.key_path())).unwrap();
    assert_eq!(elsewhere.open_store().unwrap().device_seed(), &seed);
}

#[test]
fn a_backup_under_a_passphrase_opens_with_the_one_that_it_was_made_under() {
    let (parent, folder) = folder();
    let first = passphrase(&parent, "first", "kopi tubruk tanpa gula");
    let second = passphrase(&parent, "second", "teh manis di teras rumah");
    let folder = folder.with_passphrase(first.clone());
    let (backup, seed, _) = backed_up(&parent, &folder);
    folder.lock_with_passphrase(&second).unwrap();
    let elsewhere = Folder::at(parent.path().join("elsewhere"));
    let wrong = elsewhere.clone().with_passphrase(second).restore(&backup, None).unwrap_err();
    assert!(matches!(wrong, DiskError::Open { source: OpenError::WrongPassphrase, .. }), "{wrong:?}");
    assert!(!elsewhere.path().exists());
    let elsewhere = elsewhere.with_passphrase(first);
    elsewhere.restore(&backup, None).unwrap();
    assert_eq!(elsewhere.open_store().unwrap().device_seed(), &seed);
    assert!(!elsewhere.has_key_file());
}
