//! Backups over the real program. One is taken from a daemon that is written to all the while, and a device
//! that is put back from one works on before it meets anyone: nothing is set aside as a fork, and all that
//! it ever delivered comes back. Killed at any moment, a verb leaves what was there or what was asked for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "here verbs are killed, not daemons")]
mod daemon;
#[expect(dead_code, reason = "one device and its office are enough here")]
mod district;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use daemon::Daemon;
use district::{Answered, District, Officer, add, changes, edit, lacking, point, wait};
use rukun::disk::{Folder, PassphraseFrom};
use rukun_authority::Role;
use serde_json::Value;

const OFFICERS: [Officer; 1] = [Officer { name: "Budi", role: Role::Enumerator, region: "18110100050001" }];
const HOME: &str = "1811010005000100";
const RECORDS: usize = 4;
/// Backups taken while the daemon is written to.
const BACKUPS: usize = 3;
/// How often each verb is killed, each time a little later.
const KILLS: u32 = 16;

fn program(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rukun"));
    command.arg("--json").arg("--dir").arg(dir).args(words).stdin(Stdio::null());
    command
}

/// What the program answers to a verb, as JSON.
fn rukun(dir: &Path, words: &[&str]) -> Value {
    let done = program(dir, words).output().unwrap();
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// Starts a verb, waits until it has begun to write, and kills it so long after that. Whether it was
/// cut off.
fn is_cut_off(dir: &Path, words: &[&str], begun: impl Fn() -> bool, after: Duration) -> bool {
    let mut child = program(dir, words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Looked at without a pause: a store of a few records is copied in some milliseconds.
    while !begun() && child.try_wait().unwrap().is_none() {
        std::hint::spin_loop();
    }
    sleep(after);
    // One that has ended can't be killed any more.
    let _ = child.kill();
    !child.wait().unwrap().success()
}

/// New families, each corrected once.
fn work(device: &Daemon) -> BTreeSet<Answered> {
    let made: Vec<Answered> = (0..RECORDS).map(|_| add(device, HOME)).collect();
    let edits: Vec<Answered> = made.iter().enumerate().map(|(at, one)| edit(device, &one.0, at)).collect();
    made.into_iter().chain(edits).collect()
}

#[test]
fn a_device_restored_from_a_backup_works_on_at_once_and_nothing_is_set_aside() {
    let parent = tempfile::tempdir().unwrap();
    let district = District::found(parent.path(), &OFFICERS);
    let (office, dir) = (Daemon::start(&district.office), &district.officers[0]);
    let device = Daemon::start(dir);
    point(&device, &office);
    wait("the questionnaire", || device.status().survey.is_some_and(|survey| survey.questionnaire));
    let mut answered = work(&device);
    let backup = parent.path().join("budi.redb");
    let made = rukun(dir, &["backup", backup.to_str().unwrap()]);
    assert_eq!(made["changes"], answered.len());
    answered.extend(work(&device));
    wait("what came after the backup to be delivered", || lacking(&office, &answered).is_empty());
    device.stop();
    office.stop();

    let restore = ["restore", backup.to_str().unwrap()];
    let refused = program(dir, &restore).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("nothing is ever overwritten"), "{said}");
    fs::remove_file(dir.join("rukun.redb")).unwrap();
    let restored = rukun(dir, &restore);
    assert_eq!(restored["changes"], made["changes"]);
    // Nobody is there to tell it what it wrote after the backup.
    let device = Daemon::start(dir);
    assert_eq!(lacking(&device, &answered).len(), 2 * RECORDS);
    answered.extend(work(&device));
    let office = Daemon::start(&district.office);
    assert_eq!(lacking(&office, &answered).len(), 2 * RECORDS);
    point(&device, &office);
    wait("both to hold all", || {
        lacking(&office, &answered).is_empty() && lacking(&device, &answered).is_empty()
    });
    for node in [&office, &device] {
        let held = changes(node);
        assert!(held.values().all(|standing| standing == "good"), "{held:?}");
        assert_eq!(held.into_keys().collect::<BTreeSet<_>>(), answered);
    }
}

#[test]
fn a_backup_of_a_daemon_that_is_written_to_holds_all_that_was_answered_before_it() {
    let parent = tempfile::tempdir().unwrap();
    let district = District::found(parent.path(), &OFFICERS);
    let (office, dir) = (Daemon::start(&district.office), &district.officers[0]);
    let device = Daemon::start(dir);
    point(&device, &office);
    wait("the questionnaire", || device.status().survey.is_some_and(|survey| survey.questionnaire));
    // Nobody brings back what a backup lacks.
    office.stop();
    let mut answered = work(&device);
    let mut backups: Vec<(PathBuf, u64)> = Vec::new();
    for round in 0..BACKUPS {
        let over = AtomicBool::new(false);
        let written = scope(|threads| {
            let writer = threads.spawn(|| {
                let mut written = BTreeSet::new();
                while !over.load(Ordering::SeqCst) {
                    written.extend(work(&device));
                }
                written
            });
            let file = parent.path().join(format!("{round}.redb"));
            let made = rukun(dir, &["backup", file.to_str().unwrap()]);
            backups.push((file, made["changes"].as_u64().unwrap()));
            over.store(true, Ordering::SeqCst);
            writer.join().unwrap()
        });
        let restored = parent.path().join(format!("restored-{round}"));
        let (file, changes_then) = backups.last().unwrap();
        let key = dir.join("key");
        let words = ["restore", file.to_str().unwrap(), "--key", key.to_str().unwrap()];
        assert_eq!(rukun(&restored, &words)["changes"], *changes_then);
        let restored = Daemon::start(&restored);
        let lost = lacking(&restored, &answered);
        assert!(lost.is_empty(), "answered before the backup, and not in it: {lost:?}");
        answered.extend(written);
        let held = changes(&restored);
        assert_eq!(held.len() as u64, *changes_then, "it holds what it says, and no half of anything");
        assert!(held.keys().all(|change| answered.contains(change)));
    }
}

#[test]
fn a_lock_is_changed_whole_or_not_at_all_whenever_it_is_killed() {
    let parent = tempfile::tempdir().unwrap();
    let district = District::found(parent.path(), &OFFICERS);
    let dir = &district.officers[0];
    let words = parent.path().join("words");
    fs::write(&words, "kopi tubruk tanpa gula\n").unwrap();
    fs::set_permissions(&words, fs::Permissions::from_mode(0o600)).unwrap();
    let from = PassphraseFrom::File(words.clone());
    let folder = Folder::at(dir).with_passphrase(from.clone());
    let seed = *folder.open_store().unwrap().device_seed();
    let (fresh, words) = (dir.join("rukun.redb.new"), words.to_str().unwrap());
    let (passphrase, key_file) = (
        ["key", "passphrase", "--new", words, "--passphrase-file", words],
        ["--passphrase-file", words, "key", "file"],
    );
    let (mut cut_off, mut changed) = ([0; 2], [0; 2]);
    for round in 0..KILLS {
        let begun = || fresh.exists();
        let after = Duration::from_millis(100) * (round / 2);
        if round % 2 == 0 {
            cut_off[0] += u32::from(is_cut_off(dir, &passphrase, begun, after));
        } else {
            cut_off[1] += u32::from(is_cut_off(dir, &key_file, begun, after));
        }
        // Under whichever of the two it is, and nothing of the other is left lying about.
        assert_eq!(folder.open_store().unwrap().device_seed(), &seed, "round {round}");
        assert!(!fresh.exists());
        let by_key = Folder::at(dir).with_passphrase(PassphraseFrom::File("none".into()));
        let by_key = by_key.open_store().is_ok();
        changed[round as usize % 2] += u32::from(by_key != (round % 2 == 0));
        match (round % 2, by_key) {
            (0, true) => folder.lock_with_passphrase(&from).unwrap(),
            (1, false) => folder.lock_with_key_file().unwrap(),
            _ => {}
        }
    }
    eprintln!("passphrase and key file: cut off {cut_off:?}, of {KILLS} in all; changed: {changed:?}");
    assert!(cut_off.iter().all(|rounds| *rounds > 0), "{cut_off:?}");
}

#[test]
fn a_backup_and_a_restore_are_whole_or_not_there_whenever_they_are_killed() {
    let parent = tempfile::tempdir().unwrap();
    let district = District::found(parent.path(), &OFFICERS);
    let (office, dir) = (Daemon::start(&district.office), &district.officers[0]);
    let device = Daemon::start(dir);
    point(&device, &office);
    wait("the questionnaire", || device.status().survey.is_some_and(|survey| survey.questionnaire));
    let answered = work(&device);
    device.stop();
    office.stop();
    let key = dir.join("key");
    let (mut cut_off, mut whole) = ([0; 2], [0; 2]);
    for round in 0..KILLS {
        let (media, restored) = (parent.path().join("media"), parent.path().join("restored"));
        fs::create_dir(&media).unwrap();
        let backup = media.join("budi.redb");
        let words = ["backup", backup.to_str().unwrap()];
        let begun = || fs::read_dir(&media).unwrap().next().is_some();
        let after = Duration::from_micros(500) * round;
        cut_off[0] += u32::from(is_cut_off(dir, &words, begun, after));
        whole[0] += u32::from(backup.exists());
        if !backup.exists() {
            rukun(dir, &words);
        }
        let fresh = restored.join("rukun.redb.new");
        let words = ["restore", backup.to_str().unwrap(), "--key", key.to_str().unwrap()];
        cut_off[1] += u32::from(is_cut_off(&restored, &words, || fresh.exists(), after));
        let is_there = restored.join("rukun.redb").exists();
        whole[1] += u32::from(is_there);
        if !is_there {
            rukun(&restored, &words);
        }
        let store = Folder::at(&restored).open_store().unwrap();
        assert_eq!(store.change_count().unwrap(), answered.len() as u64, "round {round}");
        let original = Folder::at(dir).open_store().unwrap();
        assert_eq!(store.device_seed(), original.device_seed());
        assert_ne!(store.incarnation(), original.incarnation());
        drop(store);
        fs::remove_dir_all(&media).unwrap();
        fs::remove_dir_all(&restored).unwrap();
    }
    eprintln!("cut off: {cut_off:?} backups and restores, of {KILLS}; whole: {whole:?}");
    assert!(cut_off.iter().all(|rounds| *rounds > 0), "{cut_off:?}");
}
