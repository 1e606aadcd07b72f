//! An office and a phone on one link: they are started, joined, parted, and waited for.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rukun::verbs::{PeersShape, Request, StatusShape};

use super::machine::Machine;
use super::namespace::Namespace;
use super::profile::Profile;
use super::scene::Scene;
use super::tunnel::Tunnel;

const OFFICE: &str = "10.7.0.2";
const PHONE: &str = "10.7.0.1";
const PORT: u16 = 7811;
/// How often both are asked how they are at most, and at least: each time costs both, and many run at a time.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));
/// After this a run has not finished.
pub const RUN_MAX: Duration = Duration::from_mins(5);

/// An office and a phone, and the link between them.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) tunnel: Tunnel,
    pub(super) office: Machine,
    pub(super) phone: Machine,
    pub(super) look_every: Duration,
}

/// What all runs have in common.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The program that is measured.
    pub program: &'a Path,
    /// The folders that each run begins with a copy of.
    pub scene: &'a Scene,
    /// How many families the office has in the phone's region.
    pub families: usize,
    /// The link.
    pub profile: &'a Profile,
}

impl Setting<'_> {
    /// An office and a phone, in folders of their own below `parent`.
    pub(super) fn pair(&self, parent: &Path, seed: u64) -> anyhow::Result<Pair> {
        let mut copy = Command::new("cp");
        copy.arg("-a").args([&self.scene.office, &self.scene.phone]).arg(parent);
        ensure!(copy.status()?.success(), "the folders can't be copied");
        let (office, phone) = (parent.join("office"), parent.join("phone"));
        Pair::start(self.program, &office, &phone, &seed.to_string(), self.profile, seed)
    }

    /// The same, linked, and with all that the office has at the phone.
    pub(super) fn settled_pair(&self, parent: &Path, seed: u64) -> anyhow::Result<Pair> {
        let pair = self.pair(parent, seed)?;
        pair.tunnel.join(None);
        pair.dial()?;
        pair.settle(self.families as u64)?;
        Ok(pair)
    }
}

impl Pair {
    pub(super) fn start(
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
        let (least, most) = LOOK_EVERY;
        let look_every = Duration::from_micros(profile.round_trip_us() / 5).clamp(least, most);
        Ok(Self { tunnel, office, phone, look_every })
    }

    /// Lets the phone dial the office from now on.
    pub(super) fn dial(&self) -> anyhow::Result<()> {
        let _: PeersShape = self.phone.ask(Request::PeerAdd { address: address() })?;
        Ok(())
    }

    /// Lets it dial no longer, and waits until the link has ended.
    pub(super) fn hang_up(&self) -> anyhow::Result<()> {
        let _: PeersShape = self.phone.ask(Request::PeerRemove { address: address() })?;
        while [&self.phone, &self.office]
            .iter()
            .any(|side| side.status().is_ok_and(|status| is_linked(&status)))
        {
            sleep(self.look_every);
        }
        Ok(())
    }

    /// Waits until both hold this many changes, and know that of each other.
    pub(super) fn settle(&self, changes: u64) -> anyhow::Result<()> {
        let began = Instant::now();
        while !self.is_done(changes)? {
            if began.elapsed() > RUN_MAX {
                bail!("the phone and the office do not come to agree: {:?}", self.phone.status()?);
            }
            sleep(self.look_every);
        }
        Ok(())
    }

    pub(super) fn is_done(&self, changes: u64) -> anyhow::Result<bool> {
        let status = self.phone.status()?;
        let custody = &status.custody;
        Ok(knows_agreement(&status) && status.changes == changes && custody.district == custody.written)
    }

    /// Bytes from the phone and to it, as its daemon counts them.
    pub(super) fn said(&self) -> anyhow::Result<(u64, u64)> {
        let traffic = self.phone.status()?.traffic.context("a daemon tells its traffic")?;
        Ok((traffic.bytes_sent, traffic.bytes_received))
    }
}

pub(super) fn is_linked(status: &StatusShape) -> bool {
    status.peers.iter().any(|peer| peer.linked)
}

/// Where the office listens.
fn address() -> String {
    format!("{OFFICE}:{PORT}")
}

/// In the present session, and not one of before.
pub(super) fn knows_agreement(status: &StatusShape) -> bool {
    status.peers.iter().any(|peer| peer.linked && peer.in_sync)
}
