//! The root of a survey goes over to another key, over the real program: by two shares of the old key, into
//! three of the new one, and cut off on the way.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rukun::disk::Folder;
use rukun::verbs::{GrantShape, RootFollowedShape, StatusShape};
use rukun_authority::Keypair;
use serde::de::DeserializeOwned;

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

fn refused(dir: &Path, words: &[&str]) -> String {
    let done = rukun(dir, words);
    assert!(!done.status.success(), "{words:?} went well");
    String::from_utf8(done.stderr).unwrap()
}

/// An office whose root key is in three shares and nowhere else.
struct Office {
    parent: tempfile::TempDir,
    dir: PathBuf,
    shares: Vec<PathBuf>,
}

impl Office {
    fn found() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("office");
        let survey = dir.with_extension("toml");
        let text = r#"
            name = "Regsosek"
            code = "regsosek22-1811"
            questionnaire = "regsosek-k"
            period = { start = 2022-10-15, end = 2022-11-14 }
            office = { name = "BPS Kabupaten Mesuji", region = "1811" }
        "#;
        fs::write(&survey, text).unwrap();
        let founded = rukun(&dir, &["init", survey.to_str().unwrap()]);
        assert!(founded.status.success(), "{}", String::from_utf8_lossy(&founded.stderr));
        let old = parent.path().join("old");
        fs::create_dir(&old).unwrap();
        let split = rukun(&dir, &["root", "split", old.to_str().unwrap()]);
        assert!(split.status.success(), "{}", String::from_utf8_lossy(&split.stderr));
        fs::remove_file(dir.join("root.key")).unwrap();
        let shares = (1..=3).map(|at| old.join(format!("root-share-{at}"))).collect();
        Self { parent, dir, shares }
    }

    fn join(&self, shares: [&Path; 2]) {
        let [one, other] = shares.map(|share| share.to_str().unwrap());
        let joined = rukun(&self.dir, &["root", "join", one, other]);
        assert!(joined.status.success(), "{}", String::from_utf8_lossy(&joined.stderr));
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.parent.path().join(name);
        fs::create_dir(&folder).unwrap();
        folder
    }

    fn roots(&self) -> Vec<String> {
        ask::<StatusShape>(&self.dir, &["status"]).survey.unwrap().roots
    }

    fn statements(&self) -> u64 {
        ask::<StatusShape>(&self.dir, &["status"]).statements
    }

    /// What `rukun grant` is asked, to make a device of this seed a second district.
    fn district(seed: u8) -> Vec<String> {
        let device = Keypair::from_seed(&[seed; 32]).key().to_string();
        let words = ["grant", &device, "--role", "district", "--region", "1811", "--name", "Kantor dua"];
        words.map(String::from).into()
    }
}

fn words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[test]
fn two_shares_of_the_old_key_make_another_root_which_alone_grants_from_then_on() {
    let office = Office::found();
    let before = office.roots();
    let usb = office.folder("usb");
    let missing = refused(&office.dir, &["root", "succeed", usb.to_str().unwrap()]);
    assert!(missing.contains("root.key") && !missing.contains("--root"), "{missing}");
    office.join([&office.shares[0], &office.shares[2]]);
    let old_folder = office.shares[0].parent().unwrap().to_str().unwrap();
    let taken = refused(&office.dir, &["root", "succeed", old_folder]);
    assert!(taken.contains("root-share-1 is there already"), "{taken}");
    assert_eq!(office.roots(), before);
    let old_key = fs::read(office.dir.join("root.key")).unwrap();
    let followed: RootFollowedShape = ask(&office.dir, &["root", "succeed", usb.to_str().unwrap()]);
    assert_eq!((&followed.was, followed.kept, followed.shares.len()), (&before[0], 1, 3));
    assert_eq!(office.roots(), std::slice::from_ref(&followed.root));
    assert_ne!(followed.root, before[0]);
    // Two of the new shares are the new key.
    fs::remove_file(office.dir.join("root.key")).unwrap();
    office.join([&usb.join("root-share-2"), &usb.join("root-share-3")]);
    let granted: GrantShape = ask(&office.dir, &words(&Office::district(9)));
    assert_eq!(granted.in_force, ["1811"]);
    // Two of the old ones are a key, but not the root.
    fs::write(office.dir.join("root.key"), old_key).unwrap();
    let text = refused(&office.dir, &words(&Office::district(10)));
    let not_root = |text: &str| text.contains("not the root in force") && text.contains("newer shares");
    assert!(not_root(&text) && text.contains(&followed.root), "{text}");
    let text = refused(&office.dir, &["root", "succeed", office.folder("again").to_str().unwrap()]);
    assert!(not_root(&text), "{text}");
    fs::remove_file(office.dir.join("root.key")).unwrap();
    let share = |at: usize| office.shares[at].to_str().unwrap();
    let joined: serde_json::Value = ask(&office.dir, &["root", "join", share(0), share(1)]);
    assert_eq!(joined["followed_by"], serde_json::json!([followed.root]), "{joined}");
}

#[test]
fn a_succession_that_was_cut_off_is_finished_by_running_it_again_and_said_once() {
    let office = Office::found();
    office.join([&office.shares[0], &office.shares[1]]);
    let (usb, root) = (office.folder("usb"), office.dir.join("root.key"));
    let old_key = fs::read(&root).unwrap();
    let succeed = ["root", "succeed", usb.to_str().unwrap()];
    // Cut off before anything was said: the next key is there, and no share of it.
    let next = Keypair::from_seed(&[44; 32]);
    let spare = Folder::at(office.folder("spare"));
    spare.write_root(&next).unwrap();
    fs::rename(spare.root_path(), office.dir.join("root.key.next")).unwrap();
    let first: RootFollowedShape = ask(&office.dir, &succeed);
    assert_eq!(first.root, next.key().to_string());
    let said = office.statements();
    // Cut off when it was said, before the new key took the old one's place.
    fs::rename(&root, office.dir.join("root.key.next")).unwrap();
    fs::write(&root, &old_key).unwrap();
    fs::set_permissions(&root, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let again: RootFollowedShape = ask(&office.dir, &succeed);
    assert_eq!((again.statement, again.root, again.kept), (first.statement, first.root.clone(), first.kept));
    assert_eq!((office.statements(), office.roots()), (said, vec![first.root]));
    assert!(!office.dir.join("root.key.next").exists() && fs::read(&root).unwrap() != old_key);
    fs::remove_file(&root).unwrap();
    office.join([&usb.join("root-share-1"), &usb.join("root-share-2")]);
    let granted: GrantShape = ask(&office.dir, &words(&Office::district(9)));
    assert_eq!(granted.in_force, ["1811"]);
}
