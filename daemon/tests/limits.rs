//! What the real program takes of the limits that the system sets it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rukun::disk::Folder;

const WAIT_MAX: Duration = Duration::from_secs(30);

#[test]
fn a_daemon_opens_as_many_files_as_the_machine_lets_it() {
    let parent = tempfile::tempdir().unwrap();
    let folder = Folder::at(parent.path().join("data"));
    drop(folder.create_store().unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -S -n 64; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_rukun"), "--dir"]);
    shell.arg(folder.path()).args(["daemon", "--listen", "127.0.0.1:0"]).stderr(Stdio::null());
    let mut daemon = shell.spawn().unwrap();
    let started = Instant::now();
    while folder.note().unwrap().is_none() && started.elapsed() < WAIT_MAX {
        sleep(Duration::from_millis(10));
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.id()));
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let limits = limits.unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<&str> = files.split_whitespace().collect();
    assert!(words[3] == words[4] && words[3] != "64", "{files}");
}
