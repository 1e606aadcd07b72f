//! The real program as a child of a test: a data folder and the daemon that runs in it, which ends
//! with this value whatever happens.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rukun::client::{Client, ClientError};
use rukun::disk::{DaemonNote, Folder};
use rukun::verbs::{Request, StatusShape};
use serde::de::DeserializeOwned;

const START_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A daemon that runs.
pub(crate) struct Daemon {
    child: Mutex<Child>,
    note: DaemonNote,
    client: Client,
}

impl Daemon {
    /// Starts the program in this folder, where there must be a store, and waits until it answers.
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_at(dir, "127.0.0.1:0")
    }

    /// The same, taking peers at this address.
    pub(crate) fn start_at(dir: &Path, listen: &str) -> Self {
        Self::try_start(dir, listen, &[]).unwrap_or_else(|status| {
            panic!("the daemon in {} ended by itself ({status}): {}", dir.display(), last_words(dir))
        })
    }

    /// The same under another program that becomes it, if any is named; gives how it ended if it did
    /// before it answered.
    pub(crate) fn try_start(dir: &Path, listen: &str, under: &[&str]) -> Result<Self, ExitStatus> {
        let log = std::fs::File::options().create(true).append(true).open(log_path(dir)).unwrap();
        let mut words = under.iter().chain(&[env!("CARGO_BIN_EXE_rukun")]);
        let child = Command::new(words.next().unwrap())
            .args(words)
            .arg("--dir")
            .arg(dir)
            // A relay that is back is to be noticed within the patience of a test.
            .args(["daemon", "--listen", listen, "--http", "127.0.0.1:0", "--keep-alive", "5"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut child = Reaped(Some(child));
        let (folder, started) = (Folder::at(dir), Instant::now());
        loop {
            let running = child.0.as_mut().unwrap();
            if let Some(status) = running.try_wait().unwrap() {
                return Err(status);
            }
            let note = folder.note().unwrap().filter(|note| note.pid == running.id());
            if let (Some(note), Ok(Some(client))) = (note, Client::find(&folder)) {
                return Ok(Self { child: Mutex::new(child.0.take().unwrap()), note, client });
            }
            assert!(started.elapsed() < START_MAX, "no answer from {}: {}", dir.display(), last_words(dir));
            sleep(LOOK_EVERY);
        }
    }

    /// Where it takes peers.
    pub(crate) fn address(&self) -> String {
        self.note.quic.to_string()
    }

    /// Asks it, or says how that failed.
    pub(crate) fn try_ask<T: DeserializeOwned>(&self, request: Request) -> Result<T, ClientError> {
        let (verb, body) = request.into_call();
        let answer = self.client.call(&verb, &body)?;
        Ok(serde_json::from_value(answer).expect("an answer has its shape"))
    }

    /// Asks it.
    pub(crate) fn ask<T: DeserializeOwned>(&self, request: Request) -> T {
        let asked = format!("{request:?}");
        self.try_ask(request).unwrap_or_else(|error| panic!("{asked}: {error}"))
    }

    /// How it is.
    pub(crate) fn status(&self) -> StatusShape {
        self.ask(Request::Status)
    }

    /// Ends the process as a loss of power would, while others may be asking it.
    pub(crate) fn kill(&self) {
        self.child.lock().unwrap().kill().unwrap();
    }

    /// Asks the process to end, as an operator would, and waits until it has.
    pub(crate) fn stop(self) {
        let pid = self.note.pid.to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.ends().success(), "it ends well when it is told to");
    }

    /// How the process ended; waits until it has.
    pub(crate) fn ends(&self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.lock().unwrap().try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < START_MAX, "the daemon does not end");
            sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        end(&mut self.child.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A child that is killed unless it is taken out.
struct Reaped(Option<Child>);

impl Drop for Reaped {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            end(child);
        }
    }
}

fn end(child: &mut Child) {
    // One that has ended already can't be killed, and need not be.
    let _ = child.kill();
    let _ = child.wait();
}

fn log_path(dir: &Path) -> PathBuf {
    dir.with_extension("log")
}

/// The end of its log.
pub(crate) fn last_words(dir: &Path) -> String {
    let log = std::fs::read_to_string(log_path(dir)).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
