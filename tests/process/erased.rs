//! A family is to be forgotten, over the real program: what was answered can't be read any more, the
//! store's file and its key are made anew, and neither a copy of the old file nor a backup that is put
//! back shows anything of it to whoever has today's keys.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod mounted;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use mounted::Mounted;
use rukun::disk::Folder;
use rukun::verbs::{ErasedListShape, ErasedShape, RecordsShape, WrittenShape};
use rukun_replica::{FileBackend, OpenError, Store, Unlock};
use serde::de::DeserializeOwned;

/// How large a disk is that has room for two stores; and how much of one is free that has room for an erasure, and not
/// for a second store with so many families.
const ROOMY_BYTES: u64 = 64 << 20;
const NEIGHBOURS: usize = 22;
const SPARE_BYTES: u64 = 96 << 10;

const HOME: &str = "1811010005000300";

fn rukun(dir: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rukun"));
    command.arg("--json").arg("--dir").arg(dir).args(words).stdin(Stdio::null());
    command.env_remove("RUKUN_DIR").output().unwrap()
}

fn ask<T: DeserializeOwned>(dir: &Path, words: &[&str]) -> T {
    let done = rukun(dir, words);
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// A district of its own.
fn found(dir: &Path) {
    let survey = dir.with_extension("toml");
    let text = r#"
        name = "Regsosek"
        code = "regsosek22-1811"
        questionnaire = "regsosek-k"
        period = { start = 2022-10-15, end = 2022-11-14 }
        office = { name = "BPS Kabupaten Mesuji", region = "1811" }
    "#;
    fs::write(&survey, text).unwrap();
    let founded = rukun(dir, &["init", survey.to_str().unwrap()]);
    assert!(founded.status.success(), "{}", String::from_utf8_lossy(&founded.stderr));
}

fn refused(dir: &Path, words: &[&str]) -> String {
    let done = rukun(dir, words);
    assert!(!done.status.success(), "{words:?} went well");
    String::from_utf8(done.stderr).unwrap()
}

fn write_secret(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Whether this key opens this file as a store.
fn opens(store: &Path, key: &Path) -> Result<(), OpenError> {
    let copy = tempfile::NamedTempFile::new().unwrap();
    fs::copy(store, copy.path()).unwrap();
    let key: [u8; 32] = fs::read(key).unwrap().try_into().unwrap();
    let backend = FileBackend::new(copy.reopen().unwrap()).unwrap();
    let entropy = rand_chacha::rand_core::SeedableRng::from_seed([1; 32]);
    Store::open(backend, Unlock::KeyFile(&key), entropy).map(drop)
}

#[test]
fn what_is_erased_is_gone_and_old_copies_do_not_open_with_todays_key() {
    let parent = tempfile::tempdir().unwrap();
    let (dir, copy) = (parent.path().join("office"), parent.path().join("copy"));
    found(&dir);
    let made: WrittenShape = ask(&dir, &["record", "add", HOME, "r108=Siti Rahayuningtyas"]);
    let kept: WrittenShape = ask(&dir, &["record", "add", HOME, "r108=Budi"]);
    fs::create_dir(&copy).unwrap();
    for file in ["rukun.redb", "key"] {
        fs::copy(dir.join(file), copy.join(file)).unwrap();
    }

    let words = ["erase", &made.record, "--reason", "the family asked for it"];
    let asked = refused(&dir, &words);
    assert!(asked.contains("--yes"), "nobody is here to ask: {asked}");
    let erased: ErasedShape = ask(&dir, &[&words[..], &["--yes"]].concat());
    assert_eq!((erased.record.as_str(), erased.changes), (made.record.as_str(), 1));
    assert_eq!(erased.by, "BPS Kabupaten Mesuji");

    for verb in [["record", "show"].as_slice(), &["log"], &["blame"], &["evidence"]] {
        let said = refused(&dir, &[verb, &[&made.record]].concat());
        assert!(said.contains("was erased") && !said.contains("Rahayu"), "{said}");
    }
    let listed: RecordsShape = ask(&dir, &["record", "list"]);
    assert_eq!(listed.records.iter().map(|line| &line.record).collect::<Vec<_>>(), [&kept.record]);
    let list: ErasedListShape = ask(&dir, &["erased"]);
    assert_eq!(list.records, [erased]);

    // The key file is another one, and each opens its own file alone.
    let (new, old) = (dir.join("key"), copy.join("key"));
    assert_ne!(fs::read(&new).unwrap(), fs::read(&old).unwrap());
    opens(&copy.join("rukun.redb"), &old).unwrap();
    opens(&dir.join("rukun.redb"), &new).unwrap();
    let other = opens(&copy.join("rukun.redb"), &new);
    assert!(matches!(other, Err(OpenError::WrongKeyFile)), "{other:?}");
    assert!(!dir.join("key.new").exists() && !dir.join("rukun.redb.new").exists());
    let store = Folder::at(&dir).open_store().unwrap();
    assert!(!store.renewal_due().unwrap());
}

#[test]
fn without_room_for_a_second_file_the_store_opens_and_is_made_anew_when_there_is() {
    let parent = tempfile::tempdir().unwrap();
    let Some(disk) = Mounted::try_new(&parent.path().join("disk"), ROOMY_BYTES) else {
        eprintln!("SKIPPED: no file system can be mounted here, so none can be full");
        return;
    };
    let dir = disk.path().join("office");
    found(&dir);
    let made: WrittenShape = ask(&dir, &["record", "add", HOME, "r108=Siti Rahayuningtyas"]);
    let kept: WrittenShape = ask(&dir, &["record", "add", HOME, "r108=Budi"]);
    for _ in 0..NEIGHBOURS {
        let _: WrittenShape = ask(&dir, &["record", "add", HOME, "r108=Sri"]);
    }
    let (key, store) = (fs::read(dir.join("key")).unwrap(), dir.join("rukun.redb"));
    disk.resize(fs::metadata(&store).unwrap().len() + SPARE_BYTES);

    let done = rukun(&dir, &["erase", &made.record, "--reason", "the family asked for it", "--yes"]);
    let told = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success() && told.contains("make room"), "{told}");
    let listed = || -> Vec<String> {
        let list: RecordsShape = ask(&dir, &["record", "list"]);
        list.records.into_iter().map(|line| line.record).collect()
    };
    let before = listed();
    assert!(before.contains(&kept.record) && !before.contains(&made.record));
    let _: WrittenShape = ask(&dir, &["record", "set", &kept.record, "r108=Budi Santoso"]);
    assert_eq!(fs::read(dir.join("key")).unwrap(), key);
    assert!(!dir.join("key.new").exists() && !dir.join("rukun.redb.new").exists());

    disk.resize(ROOMY_BYTES);
    assert_eq!(listed(), before);
    assert_ne!(fs::read(dir.join("key")).unwrap(), key, "the store was made anew");
    assert!(!Folder::at(&dir).open_store().unwrap().renewal_due().unwrap());
}

#[test]
fn a_renewal_that_was_cut_off_leaves_a_folder_that_opens() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("office");
    found(&dir);
    let (key, new) = (dir.join("key"), dir.join("key.new"));
    let sound = fs::read(&key).unwrap();
    // Before the new store took its place: a new key lies there, and opens nothing.
    write_secret(&new, &[7; 32]);
    let _: RecordsShape = ask(&dir, &["record", "list"]);
    assert!(!new.exists());
    // After it did: the new key alone opens it.
    fs::rename(&key, &new).unwrap();
    write_secret(&key, &[7; 32]);
    let _: RecordsShape = ask(&dir, &["record", "list"]);
    assert!(!new.exists() && fs::read(&key).unwrap() == sound);
}
