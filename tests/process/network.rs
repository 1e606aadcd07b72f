//! What a phone's host app says of its network, over the real program: who runs hears it, who doesn't says so.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{self, Duration, Instant};

use rukun::disk::Folder;
use rukun::verbs::NetworkShape;
use serde_json::{Value, json};

const MIB: u64 = 1024 * 1024;
const DAY_SECONDS: u64 = 24 * 60 * 60;
const START_MAX: Duration = Duration::from_secs(30);

fn rukun(dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rukun"));
    command.arg("--json").arg("--dir").arg(dir).args(words).stdin(Stdio::null()).env_remove("RUKUN_DIR");
    command
}

fn done(dir: &Path, words: &[&str]) -> Output {
    rukun(dir, words).output().unwrap()
}

fn network(dir: &Path, words: &[&str]) -> NetworkShape {
    let done = done(dir, &[&["network"], words].concat());
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < START_MAX, "not within {START_MAX:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A daemon, which ends with this value.
struct Daemon(Child);

impl Daemon {
    fn start(dir: &Path, extra: &[&str]) -> Self {
        let words = ["daemon", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
        Self::of(dir, rukun(dir, &[&words, extra].concat()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Waits until it has started.
    fn of(dir: &Path, child: Child) -> Self {
        let daemon = Self(child);
        until("the daemon has started", || {
            Folder::at(dir).note().unwrap().is_some_and(|note| note.pid == daemon.0.id())
        });
        daemon
    }

    fn stop(mut self) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // One that has ended already can't be killed, and need not be.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_daemon_is_told_of_its_network_and_forgets_it_but_not_its_budget_when_it_starts_anew() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("phone");
    assert!(done(&dir, &["id"]).status.success());
    let refused = done(&dir, &["network", "--up", "no"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("start it: rukun daemon"), "{said}");

    let daemon = Daemon::start(&dir, &["--budget-mib", "20"]);
    let now = network(&dir, &[]);
    assert_eq!((now.up, now.metered, now.battery_low, now.links.as_str()), (true, false, false, "kept"));
    assert_eq!((now.bytes_today, now.budget_bytes), (0, Some(20 * MIB)));
    let now = network(&dir, &["--metered", "yes", "--battery-low", "yes"]);
    assert_eq!((now.up, now.metered, now.battery_low, now.links.as_str()), (true, true, true, "at-need"));
    let now = network(&dir, &["--battery-low", "no", "--up", "no"]);
    assert_eq!((now.up, now.metered, now.battery_low, now.links.as_str()), (false, true, false, "off"));
    assert_eq!(done(&dir, &["network", "--up", "maybe"]).status.code(), Some(2));
    daemon.stop();

    // As if it had been busy today.
    let kept = dir.join("carried.json");
    let mut carried: Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
    let today = time::SystemTime::now().duration_since(time::UNIX_EPOCH).unwrap().as_secs() / DAY_SECONDS;
    carried = json!({ "day": today, "bytes": carried["bytes"].as_u64().unwrap() + 20 * MIB });
    fs::write(&kept, carried.to_string()).unwrap();
    let _again = Daemon::start(&dir, &["--budget-mib", "20"]);
    let now = network(&dir, &[]);
    assert_eq!(
        (now.up, now.metered, now.links.as_str()),
        (true, false, "kept"),
        "what was told is forgotten"
    );
    assert_eq!(network(&dir, &["--metered", "yes"]).links, "at-need", "and what was carried is not");
}

#[cfg(target_os = "linux")]
#[test]
fn what_linux_says_of_its_networks_is_heard_once_a_burst() {
    const APART: [&str; 3] = ["--user", "--map-root-user", "--net"];
    let permitted = Command::new("unshare").args(APART).args(["ip", "link", "set", "lo", "up"]).output();
    if !permitted.is_ok_and(|done| done.status.success()) {
        return eprintln!("skipped: no namespaces here, or no ip");
    }
    let parent = tempfile::tempdir().unwrap();
    let (dir, log) = (parent.path().join("phone"), parent.path().join("log"));
    assert!(done(&dir, &["id"]).status.success());
    let daemon = Command::new("unshare")
        .args(APART)
        .args(["sh", "-c", "ip link set lo up && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_rukun"), "--dir"])
        .arg(&dir)
        .args(["daemon", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
        .env("RUST_LOG", "rukun=debug")
        .env_remove("RUKUN_DIR")
        .stdin(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let daemon = Daemon::of(&dir, daemon);
    let heard = || fs::read_to_string(&log).unwrap().matches("the network changed").count();
    assert_eq!(heard(), 0, "nothing has changed since it began");
    let pid = daemon.0.id().to_string();
    let burst = "for n in 1 2 3; do ip addr add 10.9.9.$n/32 dev lo; done";
    let into = ["--user", "--net", "--preserve-credentials", "--target", &pid, "sh", "-c", burst];
    assert!(Command::new("nsenter").args(into).status().unwrap().success());
    until("it hears of an address", || heard() > 0);
    daemon.stop();
    assert_eq!(heard(), 1);
}
