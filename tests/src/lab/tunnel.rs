//! Two TUN devices and the lanes between them: what leaves one arrives at the other when its lane says so.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep_until;
use tokio_tun::Tun;

use super::gateway::Gateway;
use super::lane::{Carried, Lane};
use super::profile::{Profile, Windows};

const PACKET_BYTES_MAX: usize = 1 << 16;
/// How long the shaper rests where nothing is on its way.
const REST: Duration = Duration::from_millis(100);

/// A shaped link between two TUN devices, for as long as it is held and its runtime runs.
#[derive(Debug)]
pub struct Tunnel {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    up: Lane,
    down: Lane,
    is_joined: bool,
    windows: Option<(Windows, u64)>,
    broken: Option<Break>,
    gateway: Gateway,
    /// The phone is given another place once as much has gone to it.
    rebinds_after: Option<u64>,
    was_up: bool,
    is_over: bool,
}

/// The link goes down once as much has gone to the phone, and comes up again.
#[derive(Clone, Copy, Debug)]
struct Break {
    /// All that has gone to the phone by then.
    after_bytes: u64,
    for_us: u64,
    /// When it came up again, or will.
    until_us: Option<u64>,
}

/// What went over a link, both ways.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// From the phone.
    pub up: Carried,
    /// To the phone.
    pub down: Carried,
}

impl Tunnel {
    /// Makes two devices of these names in the present namespace, and joins them. They are to be moved to where
    /// they are used. The link is down at first.
    ///
    /// # Errors
    /// If the devices can't be made.
    pub fn open(phone: &str, office: &str, profile: &Profile, seed: u64) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            began: Instant::now(),
            state: Mutex::new(State {
                up: Lane::new(profile.up, seed),
                down: Lane::new(profile.down, !seed),
                is_joined: false,
                windows: None,
                broken: None,
                gateway: Gateway::default(),
                rebinds_after: None,
                was_up: false,
                is_over: false,
            }),
            changed: Notify::new(),
        });
        let (phone, office) = (device(phone)?, device(office)?);
        tokio::spawn(carry(Arc::clone(&shared), phone, office));
        Ok(Self { shared })
    }

    /// From now on the link is up, or is up as these windows say, the first of which begins now.
    pub fn join(&self, windows: Option<Windows>) {
        let from = self.shared.now_us();
        let mut state = self.shared.state();
        (state.is_joined, state.windows) = (true, windows.map(|windows| (windows, from)));
        drop(state);
        self.shared.changed.notify_one();
    }

    /// From now on the link is down, and what is on its way is lost.
    pub fn cut(&self) {
        self.shared.state().is_joined = false;
        self.shared.changed.notify_one();
    }

    /// Once so many bytes more have gone to the phone, the link will be down for a while, one time.
    pub fn break_after(&self, bytes: u64, down: Duration) {
        let mut state = self.shared.state();
        let after_bytes = state.down.carried().payload_bytes + bytes;
        state.broken = Some(Break { after_bytes, for_us: down.as_micros() as u64, until_us: None });
    }

    /// From now on the phone is behind a gateway, which gives it another place once so many bytes more have gone to
    /// the phone.
    pub fn rebind_after(&self, bytes: u64) {
        let mut state = self.shared.state();
        state.gateway.rebind();
        state.rebinds_after = Some(state.down.carried().payload_bytes + bytes);
    }

    /// What went over it so far.
    pub fn traffic(&self) -> Traffic {
        let state = self.shared.state();
        Traffic { up: state.up.carried(), down: state.down.carried() }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.shared.state().is_over = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the link is up. When it goes down, what is on its way is lost.
    fn is_up(&mut self, now_us: u64) -> bool {
        let in_window = |(windows, from): (Windows, u64)| (now_us - from) % windows.every_us < windows.up_us;
        let is_up = self.is_joined && self.windows.is_none_or(in_window) && !self.is_broken(now_us);
        if self.was_up && !is_up {
            self.up.drop_all();
            self.down.drop_all();
        }
        self.was_up = is_up;
        is_up
    }

    /// The packets for the office that have arrived.
    fn arrived_up(&mut self, now_us: u64) -> Vec<Vec<u8>> {
        if self.rebinds_after.take_if(|after| *after <= self.down.carried().payload_bytes).is_some() {
            self.gateway.rebind();
        }
        self.up.arrived(now_us).map(|packet| self.gateway.out(packet)).collect()
    }

    /// The packets for the phone that have arrived.
    fn arrived_down(&mut self, now_us: u64) -> Vec<Vec<u8>> {
        self.down.arrived(now_us).filter_map(|packet| self.gateway.within(packet)).collect()
    }

    fn is_broken(&mut self, now_us: u64) -> bool {
        let sent = self.down.carried().payload_bytes;
        let Some(broken) = self.broken.as_mut().filter(|broken| sent >= broken.after_bytes) else {
            return false;
        };
        now_us < *broken.until_us.get_or_insert(now_us + broken.for_us)
    }
}

impl Traffic {
    /// What went over since then.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self { up: self.up.since(&before.up), down: self.down.since(&before.down) }
    }
}

fn device(name: &str) -> io::Result<Tun> {
    let made = Tun::builder().name(name).build().map_err(io::Error::other)?;
    made.into_iter().next().ok_or_else(|| io::Error::other("no TUN device was made"))
}

async fn carry(shared: Arc<Shared>, phone: Tun, office: Tun) {
    let (mut from_phone, mut from_office) = (vec![0; PACKET_BYTES_MAX], vec![0; PACKET_BYTES_MAX]);
    loop {
        let next_us = {
            let state = shared.state();
            if state.is_over {
                return;
            }
            [state.up.next_us(), state.down.next_us()].into_iter().flatten().min()
        };
        let next =
            next_us.map_or_else(|| Instant::now() + REST, |us| shared.began + Duration::from_micros(us));
        tokio::select! {
            read = phone.recv(&mut from_phone) => {
                let Ok(bytes) = read else { return };
                let (now_us, mut state) = (shared.now_us(), shared.state());
                let is_up = state.is_up(now_us);
                state.up.offer(now_us, is_up, &from_phone[..bytes]);
            }
            read = office.recv(&mut from_office) => {
                let Ok(bytes) = read else { return };
                let (now_us, mut state) = (shared.now_us(), shared.state());
                let is_up = state.is_up(now_us);
                state.down.offer(now_us, is_up, &from_office[..bytes]);
            }
            () = sleep_until(next.into()) => {}
            () = shared.changed.notified() => {}
        }
        let (to_office, to_phone): (Vec<_>, Vec<_>) = {
            let (now_us, mut state) = (shared.now_us(), shared.state());
            state.is_up(now_us);
            (state.arrived_up(now_us), state.arrived_down(now_us))
        };
        // A device that is not up yet, or is gone, takes nothing: that is a loss like any other.
        for packet in to_office {
            let _ = office.send(&packet).await;
        }
        for packet in to_phone {
            let _ = phone.send(&packet).await;
        }
    }
}
