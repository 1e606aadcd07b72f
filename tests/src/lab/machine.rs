//! The real program in one namespace: started, asked, and measured by what the operating system says of
//! its process.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rukun::client::{Client, ClientError};
use rukun::disk::Folder;
use rukun::verbs::{Request, StatusShape};
use serde::de::DeserializeOwned;

use super::namespace::Namespace;

const START_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How often a daemon that lives is asked again.
const TRIES_MAX: usize = 5;
/// How much of a log is shown.
const WORDS_LINES_MAX: usize = 12;
/// How many clock ticks the kernel counts a second (`getconf CLK_TCK`), the same on every Linux.
const TICKS_A_SECOND: u64 = 100;

/// A daemon that runs in a namespace until it is dropped.
#[derive(Debug)]
pub struct Machine {
    namespace: Namespace,
    folder: Folder,
    child: Child,
    client: OnceLock<Client>,
}

/// What a process used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// Processor time.
    pub cpu_ms: u64,
    /// The most memory that was ever resident.
    pub memory_kib_max: u64,
}

impl Machine {
    /// Starts the program in this namespace and folder. It takes peers at `listen`.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn start(namespace: Namespace, program: &Path, dir: &Path, listen: &str) -> anyhow::Result<Self> {
        let program = program.to_str().context("the program's path is no text")?;
        let log = fs::File::create(dir.join("log"))?;
        let mut command = namespace.command(program);
        command.arg("--dir").arg(dir).args(["daemon", "--listen", listen, "--http", "127.0.0.1:0"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        let machine = Self { namespace, folder: Folder::at(dir), child, client: OnceLock::new() };
        let started = Instant::now();
        loop {
            if let Some(client) = machine.namespace.within(|| Client::find(&machine.folder).ok().flatten())? {
                let _ = machine.client.set(client);
                return Ok(machine);
            }
            if started.elapsed() > START_MAX {
                bail!("{}: {}", dir.display(), machine.last_words());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Asks it.
    ///
    /// # Errors
    /// If it refuses, or can't be asked.
    pub fn ask<T: DeserializeOwned>(&self, request: Request) -> anyhow::Result<T> {
        let (verb, body) = request.into_call();
        let client = self.client.get().context("it was found when it started")?;
        let mut tries = 0;
        let answer = loop {
            match self.namespace.within(|| client.call(&verb, &body))? {
                // Where all of a machine's processors are busy a connection may take longer than a client waits.
                // What is written is not written twice.
                Err(ClientError::Http(_)) if verb == "status" && tries < TRIES_MAX && self.used().is_ok() => {
                    tries += 1;
                }
                answer => break answer.with_context(|| self.last_words())?,
            }
        };
        Ok(serde_json::from_value(answer)?)
    }

    /// How it is.
    ///
    /// # Errors
    /// If it can't be asked.
    pub fn status(&self) -> anyhow::Result<StatusShape> {
        self.ask(Request::Status)
    }

    /// What it has logged.
    ///
    /// # Errors
    /// If the log can't be read.
    pub fn log(&self) -> std::io::Result<String> {
        fs::read_to_string(self.folder.path().join("log"))
    }

    /// How its log ends.
    fn last_words(&self) -> String {
        let log = self.log().unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(WORDS_LINES_MAX).collect();
        let lines: Vec<&str> = lines.into_iter().rev().collect();
        format!("the daemon does not answer any more:\n{}", lines.join("\n"))
    }

    /// What its process used so far.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn used(&self) -> anyhow::Result<Used> {
        let pid = self.child.id();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name in parentheses may hold anything; the fields after it are numbered from the third on.
        let (_, fields) = stat.rsplit_once(')').context("/proc has no such process")?;
        let field = |number: usize| {
            fields.split_whitespace().nth(number - 3).and_then(|field| field.parse::<u64>().ok())
        };
        let ticks = field(14).zip(field(15)).map(|(user, system)| user + system);
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let peak = counted(&status, "VmHWM:");
        Ok(Used {
            cpu_ms: ticks.context("no times in /proc")? * 1_000 / TICKS_A_SECOND,
            memory_kib_max: peak.context("no peak in /proc")?,
        })
    }
}

impl Machine {
    /// How often its threads went to sleep so far.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn wakes(&self) -> anyhow::Result<u64> {
        let mut wakes = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let status = fs::read_to_string(thread?.path().join("status"))?;
            wakes += counted(&status, "voluntary_ctxt_switches:").context("no switches in /proc")?;
        }
        Ok(wakes)
    }

    /// What of it is in memory.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn resident_kib(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        counted(&status, "VmRSS:").context("no memory in /proc")
    }
}

/// What stands behind this name, a number that may have a unit.
fn counted(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

impl Drop for Machine {
    fn drop(&mut self) {
        // One that has ended already can't be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
