//! One run on a link becomes its figures: how long it took, what it cost the link, and what the phone.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rukun::verbs::{PeersShape, Request, StatusShape};
use serde::Serialize;

use super::machine::Machine;
use super::namespace::Namespace;
use super::profile::Profile;
use super::scene::Scene;
use super::tunnel::Tunnel;
use crate::world::chance::Chance;

const OFFICE: &str = "10.7.0.2";
const PHONE: &str = "10.7.0.1";
const PORT: u16 = 7811;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// After this a run has not finished.
pub const RUN_MAX: Duration = Duration::from_mins(5);
/// How long before the link comes back the day's work is done: work rests for a while at least.
const REST_MS: (u64, u64) = (10_000, 60_000);

/// What is to cross the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Task {
    /// A phone that has everything dials where the link is up.
    Nothing,
    /// The same once it was linked since its daemon began, so that it has a ticket.
    Again,
    /// A phone that has nothing but its key and the survey's id dials where the link is up.
    First,
    /// A phone that is running, and was linked before, has a day's work when the link comes back.
    Day,
}

/// The figures of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Of the run.
    pub seed: u64,
    /// From when the link was up until all work was delivered, with the district's receipt, and all of the
    /// office's was on the phone; nothing if that took longer than five minutes.
    pub seconds: Option<f64>,
    /// The same in round trips of the link.
    pub round_trips: Option<f64>,
    /// What UDP carried from the phone, and to it.
    pub bytes: (u64, u64),
    /// Packets from the phone, and to it.
    pub packets: (u64, u64),
    /// What of the payload the link lost.
    pub lost_bytes: (u64, u64),
    /// Of what was said in the session, without what QUIC puts around it and says again.
    pub said_bytes: (u64, u64),
    /// Processor time of the phone's daemon.
    pub cpu_ms: u64,
    /// The most memory that the phone's daemon took.
    pub memory_kib_max: u64,
}

/// Prepares the folders that runs begin with.
///
/// # Errors
/// If they can't be made.
pub fn prepare(program: &Path, parent: &Path, task: Task, families: usize) -> anyhow::Result<Scene> {
    let scene = Scene::found(parent, families, task == Task::First, 1)?;
    if task != Task::First {
        let hall = Profile::named("hall").context("no such profile")?;
        let pair = Pair::start(program, &scene.office, &scene.phone, "base", &hall, 0)?;
        pair.tunnel.join(None);
        pair.dial()?;
        pair.settle(families as u64)?;
        // Each run says itself when it dials.
        pair.hang_up()?;
    }
    Ok(scene)
}

/// One run, on folders of its own.
///
/// # Errors
/// If it goes otherwise than it should; that it does not finish in time is no error.
pub fn run(
    program: &Path,
    scene: &Scene,
    task: Task,
    families: usize,
    profile: &Profile,
    seed: u64,
) -> anyhow::Result<Measured> {
    let parent = tempfile::tempdir()?;
    let mut copy = Command::new("cp");
    copy.arg("-a").args([&scene.office, &scene.phone]).arg(parent.path());
    ensure!(copy.status()?.success(), "the folders can't be copied");
    let (office, phone) = (parent.path().join("office"), parent.path().join("phone"));
    let pair = Pair::start(program, &office, &phone, &seed.to_string(), profile, seed)?;
    let mut changes = families as u64;
    if task == Task::Again {
        pair.tunnel.join(None);
        pair.dial()?;
        pair.settle(changes)?;
        pair.hang_up()?;
    }
    if task == Task::Day {
        pair.tunnel.join(None);
        pair.dial()?;
        pair.settle(changes)?;
        pair.tunnel.cut();
        changes += scene.work(&pair.phone, &pair.office, seed)?;
        let (least, most) = REST_MS;
        sleep(Duration::from_millis(Chance::new(seed).between(least, most)));
    }
    pair.measure(task, changes, profile, seed)
}

/// An office and a phone, and the link between them.
struct Pair {
    tunnel: Tunnel,
    office: Machine,
    phone: Machine,
}

impl Pair {
    fn start(
        program: &Path,
        office: &Path,
        phone: &Path,
        name: &str,
        profile: &Profile,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let named = |what: &str| format!("{what}{name}");
        let tunnel = Tunnel::open(&named("p"), &named("o"), profile, seed)?;
        let here = Namespace::new(&named("phone"), &named("p"), &format!("{PHONE}/24"))?;
        let there = Namespace::new(&named("office"), &named("o"), &format!("{OFFICE}/24"))?;
        let office = Machine::start(there, program, office, &address())?;
        let phone = Machine::start(here, program, phone, &format!("{PHONE}:{PORT}"))?;
        Ok(Self { tunnel, office, phone })
    }

    /// Lets the phone dial the office from now on.
    fn dial(&self) -> anyhow::Result<()> {
        let _: PeersShape = self.phone.ask(Request::PeerAdd { address: address() })?;
        Ok(())
    }

    /// Lets it dial no longer, and waits until the link has ended.
    fn hang_up(&self) -> anyhow::Result<()> {
        let _: PeersShape = self.phone.ask(Request::PeerRemove { address: address() })?;
        while [&self.phone, &self.office]
            .iter()
            .any(|side| side.status().is_ok_and(|status| is_linked(&status)))
        {
            sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Waits until both hold this many changes, and know that of each other.
    fn settle(&self, changes: u64) -> anyhow::Result<()> {
        let began = Instant::now();
        while !self.is_done(changes)? {
            if began.elapsed() > RUN_MAX {
                bail!("the phone and the office do not come to agree: {:?}", self.phone.status()?);
            }
            sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn measure(&self, task: Task, changes: u64, profile: &Profile, seed: u64) -> anyhow::Result<Measured> {
        let (traffic, said) = (self.tunnel.traffic(), self.said()?);
        let used = self.phone.used()?;
        let began = Instant::now();
        self.tunnel.join(profile.windows);
        if task != Task::Day {
            self.dial()?;
        }
        let seconds = loop {
            if self.is_done(changes)? {
                break Some(began.elapsed().as_secs_f64());
            }
            if began.elapsed() > RUN_MAX {
                break None;
            }
            sleep(LOOK_EVERY);
        };
        // What is still to be acknowledged belongs to it.
        while seconds.is_some() && began.elapsed() < RUN_MAX && !knows_agreement(&self.office.status()?) {
            sleep(LOOK_EVERY);
        }
        sleep(Duration::from_micros(2 * profile.round_trip_us()));
        let traffic = self.tunnel.traffic().since(&traffic);
        let (up, down, said_now, used_now) = (traffic.up, traffic.down, self.said()?, self.phone.used()?);
        Ok(Measured {
            seed,
            seconds,
            round_trips: seconds.map(|seconds| seconds * 1e6 / profile.round_trip_us() as f64),
            bytes: (up.payload_bytes, down.payload_bytes),
            packets: (up.packets, down.packets),
            lost_bytes: (up.lost_bytes, down.lost_bytes),
            said_bytes: (said_now.0 - said.0, said_now.1 - said.1),
            cpu_ms: used_now.cpu_ms - used.cpu_ms,
            memory_kib_max: used_now.memory_kib_max,
        })
    }

    fn is_done(&self, changes: u64) -> anyhow::Result<bool> {
        let status = self.phone.status()?;
        let custody = &status.custody;
        Ok(knows_agreement(&status) && status.changes == changes && custody.district == custody.written)
    }

    /// Bytes from the phone and to it, as its daemon counts them.
    fn said(&self) -> anyhow::Result<(u64, u64)> {
        let traffic = self.phone.status()?.traffic.context("a daemon tells its traffic")?;
        Ok((traffic.bytes_sent, traffic.bytes_received))
    }
}

fn is_linked(status: &StatusShape) -> bool {
    status.peers.iter().any(|peer| peer.linked)
}

/// Where the office listens.
fn address() -> String {
    format!("{OFFICE}:{PORT}")
}

/// In the present session, and not one of before.
fn knows_agreement(status: &StatusShape) -> bool {
    status.peers.iter().any(|peer| peer.linked && peer.in_sync)
}
