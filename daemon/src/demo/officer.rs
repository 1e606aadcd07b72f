//! One who takes part: a data folder, the daemon that runs in it, and the way to ask it. The daemon
//! is this process's own child, and ends with it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::cast::Part;
use super::interrupt;
use crate::client::Client;
use crate::disk::Folder;
use crate::node::Node;
use crate::verbs::{IdShape, Request, StatusShape, TrafficShape, VerbError};

const START_MAX: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// The end of a log that is shown when a daemon fails.
const LOG_LINES: usize = 8;

/// One node of the story.
pub(super) struct Officer {
    pub(super) part: Part,
    pub(super) device: String,
    folder: Folder,
    daemon: Option<Running>,
    /// What daemons carried that have ended.
    carried: TrafficShape,
}

struct Running {
    child: Child,
    node: Node,
    folder: Folder,
}

impl Officer {
    /// Makes the data folder and the device's key.
    pub(super) fn new(part: Part, home: &Path) -> Result<Self, VerbError> {
        let folder = Folder::at(home.join(part.folder));
        let id: IdShape = Node::open_or_make(&folder)?.ask(Request::Id)?;
        Ok(Self { part, device: id.device, folder, daemon: None, carried: TrafficShape::default() })
    }

    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Where its daemon writes its log.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.path().join("daemon.log")
    }

    /// Does something with the store while no daemon runs.
    pub(super) fn by_hand<T>(
        &self,
        act: impl FnOnce(&mut Node) -> Result<T, VerbError>,
    ) -> Result<T, VerbError> {
        act(&mut Node::open(&self.folder)?)
    }

    /// Starts the daemon and waits until it can be asked.
    pub(super) fn start(&mut self) -> Result<(), VerbError> {
        let io = |error: std::io::Error| VerbError::new(format!("a daemon can't be started: {error}"), "");
        let log = File::options().create(true).append(true).open(self.log()).map_err(io)?;
        let program = std::env::current_exe().map_err(io)?;
        let child = Command::new(program)
            .arg("--dir")
            .arg(self.folder.path())
            .args(["daemon", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(io)?)
            .stderr(log)
            .spawn()
            .map_err(io)?;
        // From here on the child is killed whatever happens.
        let mut child = Reaped(Some(child));
        let started = Instant::now();
        loop {
            interrupt::check()?;
            if let Some(status) = child.ended().map_err(io)? {
                return Err(VerbError::new(
                    format!("the daemon of {} {}", self.part.name, super::ended(status)),
                    self.last_words(),
                ));
            }
            if let Some(client) =
                Client::find(&self.folder)?.filter(|client| Some(client.pid()) == child.pid())
            {
                let child = child.0.take().expect("the child was put there above");
                self.daemon =
                    Some(Running { child, node: Node::Daemon(client), folder: self.folder.clone() });
                return Ok(());
            }
            if started.elapsed() > START_MAX {
                return Err(VerbError::new(
                    format!("the daemon of {} does not answer", self.part.name),
                    self.last_words(),
                ));
            }
            sleep(LOOK_EVERY);
        }
    }

    /// Stops the daemon. What it acknowledged is on the disk, so it needs no time to say goodbye.
    pub(super) fn stop(&mut self) -> Result<(), VerbError> {
        self.carried = self.traffic()?;
        self.daemon = None;
        Ok(())
    }

    /// What its daemon carried before its store was made anew is added up from here.
    pub(super) fn count_anew(&mut self) -> Result<(), VerbError> {
        self.carried = self.traffic()?;
        Ok(())
    }

    /// Where its daemon takes peers.
    pub(super) fn address(&self) -> Result<String, VerbError> {
        let note = self.folder.note()?;
        note.map(|note| note.quic.to_string()).ok_or_else(|| self.not_running())
    }

    pub(super) fn node(&mut self) -> Result<&mut Node, VerbError> {
        interrupt::check()?;
        if self.daemon.is_none() {
            return Err(self.not_running());
        }
        Ok(&mut self.daemon.as_mut().expect("looked at above").node)
    }

    pub(super) fn ask<T: DeserializeOwned>(&mut self, request: Request) -> Result<T, VerbError> {
        let name = self.part.name;
        let answer = self.node()?.ask(request);
        answer.map_err(|error| VerbError { message: format!("{name}: {}", error.message), ..error })
    }

    /// All that its daemons carried so far.
    pub(super) fn traffic(&mut self) -> Result<TrafficShape, VerbError> {
        let status: StatusShape = self.ask(Request::Status)?;
        let now = status.traffic.unwrap_or_default();
        Ok(TrafficShape {
            bytes_sent: self.carried.bytes_sent + now.bytes_sent,
            bytes_received: self.carried.bytes_received + now.bytes_received,
        })
    }

    /// The end of the daemon's log.
    pub(super) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default();
        format!("its log ends so:\n{}", end.join("\n"))
    }

    fn not_running(&self) -> VerbError {
        VerbError::new(format!("the daemon of {} does not run", self.part.name), "")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
        // It was killed, so its note is taken away for it.
        let _ = self.folder.remove_note(self.child.id());
    }
}

/// A child that is killed unless it is taken out.
struct Reaped(Option<Child>);

impl Reaped {
    fn ended(&mut self) -> std::io::Result<Option<std::process::ExitStatus>> {
        self.0.as_mut().map_or(Ok(None), Child::try_wait)
    }

    fn pid(&self) -> Option<u32> {
        self.0.as_ref().map(Child::id)
    }
}

impl Drop for Reaped {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            end(child);
        }
    }
}

/// A child that has ended already can't be killed, and need not be.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
