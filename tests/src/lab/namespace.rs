//! Network namespaces that the laboratory makes for itself, within one of its own: nothing in them reaches
//! any other network, and all of them end with it.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Set in the process that runs within the laboratory's own namespaces.
const INSIDE: &str = "RUKUN_LAB_INSIDE";
/// New namespaces for network, mounts and processes; when the first process in them ends, all others do.
const UNSHARE: [&str; 6] = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// Runs this program anew within namespaces of its own, and gives nothing there. Outside it never comes back
/// unless namespaces are not permitted here: then it says why.
///
/// # Errors
/// If the namespaces can't be set up.
pub fn enter() -> anyhow::Result<Option<String>> {
    if std::env::var_os(INSIDE).is_some() {
        // Where namespaces are named, which belongs to others outside.
        run("mount", &["-t", "tmpfs", "none", "/run"])?;
        // What is prepared before any link is there may meet itself.
        run("ip", &["link", "set", "lo", "up"])?;
        return Ok(None);
    }
    let mut why = String::new();
    for rights in [&[][..], &["--user", "--map-root-user"]] {
        let probe =
            Command::new("unshare").args(rights).args(UNSHARE).args(["test", "-w", "/dev/net/tun"]).output();
        match probe {
            Ok(output) if output.status.success() => {
                let mut inside = Command::new("unshare");
                inside
                    .args(rights)
                    .args(UNSHARE)
                    .arg(std::env::current_exe()?)
                    .args(std::env::args_os().skip(1));
                return Err(inside.env(INSIDE, "1").exec().into());
            }
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().clone_into(&mut why),
            Err(error) => why = format!("unshare: {error}"),
        }
    }
    Ok(Some(if why.is_empty() { "/dev/net/tun can't be opened".into() } else { why }))
}

/// A namespace with one device besides loopback.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// A new one, with this device moved into it under this address and prefix.
    ///
    /// # Errors
    /// If that is not permitted, or `ip` is not there.
    pub fn new(name: &str, device: &str, address: &str) -> anyhow::Result<Self> {
        let ip = |words: &[&str]| run("ip", words);
        ip(&["netns", "add", name])?;
        let namespace = Self { name: name.into() };
        ip(&["link", "set", "dev", device, "netns", name])?;
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        ip(&["-n", name, "addr", "add", address, "dev", device])?;
        ip(&["-n", name, "link", "set", device, "up"])?;
        Ok(namespace)
    }

    /// A program that will run in it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display())).arg(program);
        command
    }

    /// What this says, asked from within.
    ///
    /// # Errors
    /// If the namespace can't be entered.
    ///
    /// # Panics
    /// If what is asked does.
    pub fn within<T: Send>(&self, ask: impl FnOnce() -> T + Send) -> io::Result<T> {
        let there = File::open(self.path())?;
        std::thread::scope(|threads| {
            let asking = threads.spawn(|| {
                move_into_link_name_space(there.as_fd(), Some(LinkNameSpaceType::Network))?;
                Ok(ask())
            });
            asking.join().unwrap()
        })
    }

    fn path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Where it can't be taken away it ends with the laboratory.
        let _ = run("ip", &["netns", "del", &self.name]);
    }
}

pub(super) fn run(program: &str, words: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("{program} can't be run; install it"))?;
    if !output.status.success() {
        bail!("{program} {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
