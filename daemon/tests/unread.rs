//! The real program where nobody reads its standard error any more: it carries out what it was told all the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rukun::client::Client;
use rukun::disk::Folder;
use serde_json::{Value, json};

const WAIT_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(10);
const SURVEY: &str = r#"
name = "Drill"
code = "drill"
questionnaire = "regsosek-k"

[period]
start = 2022-10-15
end = 2022-11-14

[office]
name = "BPS Kabupaten Mesuji"
region = "1811"
"#;

#[test]
fn a_daemon_goes_on_when_nobody_reads_its_log() {
    let parent = tempfile::tempdir().unwrap();
    let folder = Folder::at(parent.path().join("data"));
    drop(folder.create_store().unwrap());
    let mut daemon = unread(folder.path(), &["daemon", "--listen", "127.0.0.1:0"]);
    let started = Instant::now();
    let client = loop {
        if let Ok(Some(client)) = Client::find(&folder) {
            break client;
        }
        if let Some(status) = daemon.try_wait().unwrap() {
            panic!("it ended by itself: {status}");
        }
        assert!(started.elapsed() < WAIT_MAX, "it does not answer");
        sleep(LOOK_EVERY);
    };
    client.call("id", &json!({})).unwrap();
    assert!(Command::new("kill").arg(client.pid().to_string()).status().unwrap().success());
    assert!(daemon.wait().unwrap().success(), "it ends well when it is told to");
}

#[test]
fn an_import_goes_on_when_nobody_reads_which_rows_are_bad() {
    let parent = tempfile::tempdir().unwrap();
    let (dir, founded) = (parent.path().join("office"), parent.path().join("mesuji.toml"));
    fs::write(&founded, SURVEY).unwrap();
    assert!(rukun(&dir, &["init", founded.to_str().unwrap()]).output().unwrap().status.success());
    let file = parent.path().join("prelist.csv");
    fs::write(&file, "region,r108\n1805010005000300,Ujang\n1811010005000300,Siti\n").unwrap();
    let mut import = unread(&dir, &["import", file.to_str().unwrap()]);
    assert_eq!(import.wait().unwrap().code(), Some(3), "one row is bad, and no more is wrong");
    let listed = rukun(&dir, &["--json", "record", "list"]).output().unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["records"].as_array().unwrap().len(), 1, "{listed}");
}

fn rukun(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rukun"));
    command.arg("--dir").arg(dir).args(args).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// The program with its standard error closed at the other end.
fn unread(dir: &Path, args: &[&str]) -> Child {
    let mut child = rukun(dir, args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    child
}
