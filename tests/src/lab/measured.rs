//! One run on a link becomes its figures: how long it took, what it cost the link, and what the phone.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use super::pair::{Pair, RUN_MAX, Setting, knows_agreement};
use super::profile::Profile;
use super::scene::Scene;
use crate::world::chance::Chance;

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
    /// As the first, but the link is cut once, at any byte that goes to the phone, until both ends have given it up.
    Cut,
    /// As the first, but the phone's address and port outside change once, at any byte that goes to it.
    Rebind,
    /// A phone that was linked before, and has one edit, after up to ten minutes without the link.
    Outage,
    /// A phone that has everything, and a link, and nothing to do for ten minutes.
    Rest,
}

impl Task {
    /// Whether the phone has nothing but its key and the survey's id.
    fn begins_with_nothing(self) -> bool {
        matches!(self, Self::First | Self::Cut | Self::Rebind)
    }
}

/// The figures of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Of the run.
    pub seed: u64,
    /// From when the link was up until all work was delivered, with the district's receipt, and all of the
    /// office's was on the phone; nothing if that took longer than five minutes.
    pub seconds: Option<f64>,
    /// From when the link was up until the phone's first packet was on it.
    pub heard_seconds: Option<f64>,
    /// The first in round trips of the link.
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
    let scene = Scene::found(parent, families, task.begins_with_nothing(), 1)?;
    if !task.begins_with_nothing() {
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
pub fn run(setting: &Setting<'_>, task: Task, seed: u64) -> anyhow::Result<Measured> {
    let parent = tempfile::tempdir()?;
    let mut changes = setting.families as u64;
    let is_met = matches!(task, Task::Again | Task::Day);
    let pair = if is_met {
        setting.settled_pair(parent.path(), seed)?
    } else {
        setting.pair(parent.path(), seed)?
    };
    if task == Task::Again {
        pair.hang_up()?;
    }
    if task == Task::Day {
        pair.tunnel.cut();
        changes += setting.scene.work(&pair.phone, &pair.office, seed)?;
        let (least, most) = REST_MS;
        sleep(Duration::from_millis(Chance::new(seed).between(least, most)));
    }
    measure(&pair, task == Task::Day, changes, setting.profile, seed)
}

/// Joins them, and lets the phone dial unless it does already.
pub(super) fn measure(
    pair: &Pair,
    dials: bool,
    changes: u64,
    profile: &Profile,
    seed: u64,
) -> anyhow::Result<Measured> {
    let (before, said) = (pair.tunnel.traffic(), pair.said()?);
    let used = pair.phone.used()?;
    let began = Instant::now();
    pair.tunnel.join(profile.windows);
    if !dials {
        pair.dial()?;
    }
    let mut heard_seconds = None;
    let seconds = loop {
        if heard_seconds.is_none() && pair.tunnel.traffic().up.packets > before.up.packets {
            heard_seconds = Some(began.elapsed().as_secs_f64());
        }
        if pair.is_done(changes)? {
            break Some(began.elapsed().as_secs_f64());
        }
        if began.elapsed() > RUN_MAX {
            break None;
        }
        sleep(pair.look_every);
    };
    // What is still to be acknowledged belongs to it.
    while seconds.is_some() && began.elapsed() < RUN_MAX && !knows_agreement(&pair.office.status()?) {
        sleep(pair.look_every);
    }
    sleep(Duration::from_micros(2 * profile.round_trip_us()));
    let traffic = pair.tunnel.traffic().since(&before);
    let (up, down, said_now, used_now) = (traffic.up, traffic.down, pair.said()?, pair.phone.used()?);
    Ok(Measured {
        seed,
        seconds,
        heard_seconds,
        round_trips: seconds.map(|seconds| seconds * 1e6 / profile.round_trip_us() as f64),
        bytes: (up.payload_bytes, down.payload_bytes),
        packets: (up.packets, down.packets),
        lost_bytes: (up.lost_bytes, down.lost_bytes),
        said_bytes: (said_now.0 - said.0, said_now.1 - said.1),
        cpu_ms: used_now.cpu_ms - used.cpu_ms,
        memory_kib_max: used_now.memory_kib_max,
    })
}
