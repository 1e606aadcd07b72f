//! A day's work of an enumerator on the links of the laboratory: the same seeds, the same families and the same luck of
//! the link become figures of this project and of samod, and these become ratios. The two sides are processes as
//! elsewhere here, each in a network namespace of its own. How the links are bad is the laboratory's business.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rukun_tests::lab::namespace::Namespace;
use rukun_tests::lab::profile::{PROFILES, Profile};
use rukun_tests::lab::tunnel::Tunnel;
use tokio::runtime::Handle;

use crate::child::{self, Child, Order, Said, Word};
use crate::contestant::Contestant;
use crate::report::spaced;
use crate::runs;
use crate::scene::{Scene, Way};

/// How many families both sides hold when the day begins.
const FAMILIES: usize = 250;
const PHONE: &str = "10.7.0.1";
const OFFICE: &str = "10.7.0.2";
/// When nothing has gone into the link for so long, and for two round trips of it, a session is over.
const QUIET: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a side may take to write what a day brings.
const WORK_MAX: Duration = Duration::from_mins(1);

/// The links of these names.
///
/// # Errors
/// If there is none of that name.
pub fn named(names: &[String]) -> anyhow::Result<Vec<Profile>> {
    let known = || PROFILES.map(|profile| profile.name).join(", ");
    let named = |name: &String| {
        Profile::named(name).with_context(|| format!("{name} is no link; there are {}", known()))
    };
    names.iter().map(named).collect()
}

/// How days are run.
#[derive(Clone, Copy, Debug)]
pub struct Days {
    /// How many on each link.
    pub runs: u64,
    /// How many at a time.
    pub at_once: u64,
    /// Whether the same processes were linked before, over the same link.
    pub meets_before: bool,
    /// After this a day has not finished.
    pub cap: Duration,
}

/// What one day took.
#[derive(Clone, Copy, Debug)]
struct Took {
    /// From the phone's dialing until both sides held all and knew it, if that came to be.
    seconds: Option<f64>,
    /// Payload of UDP or TCP from the phone, and to it, what was lost too.
    bytes: (u64, u64),
}

impl Days {
    /// Runs them on each of these links, and prints what they took.
    ///
    /// # Errors
    /// If one goes otherwise than it should; that it does not finish in time is no error.
    pub fn print(self, profiles: &[Profile]) -> anyhow::Result<()> {
        let place = tempfile::tempdir()?;
        let contestants = [Contestant::Ours, Contestant::Samod];
        let settled = |contestant: Contestant| {
            runs::settled(contestant, FAMILIES, self.cap, &place.path().join(runs::word(&contestant)))
        };
        let scenes = [settled(Contestant::Ours)?, settled(Contestant::Samod)?];
        for profile in profiles {
            let mut figures = Vec::new();
            for (contestant, scene) in contestants.into_iter().zip(&scenes) {
                let link = Link { days: self, contestant, scene, profile, place: place.path() };
                let took = link.days()?;
                println!("{}", line(profile, contestant, &took));
                figures.push(Figures::of(&took));
            }
            if let [ours, samod] = figures.as_slice() {
                println!("{}", ratio(profile, ours, samod));
            }
        }
        Ok(())
    }
}

/// Two sides and the link between them. They end first, and the link last.
struct Pair {
    sides: [Child; 2],
    said: Receiver<Said>,
    office: SocketAddr,
    _namespaces: [Namespace; 2],
    tunnel: Tunnel,
}

/// What stays the same for all days of a contestant on a link.
struct Link<'a> {
    days: Days,
    contestant: Contestant,
    scene: &'a Scene,
    profile: &'a Profile,
    place: &'a Path,
}

impl Link<'_> {
    /// All days, several at a time.
    fn days(&self) -> anyhow::Result<Vec<Took>> {
        let (next, took) = (AtomicU64::new(1), Mutex::new(Vec::new()));
        let runtime = Handle::current();
        std::thread::scope(|threads| {
            for _ in 0..self.days.at_once.min(self.days.runs) {
                threads.spawn(|| {
                    let _within = runtime.enter();
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed > self.days.runs {
                            return;
                        }
                        let day = self.day(seed).with_context(|| format!("{} {seed}", self.profile.name));
                        eprintln!("{} {} {seed}: {day:?}", self.profile.name, self.contestant.name());
                        took.lock().unwrap_or_else(PoisonError::into_inner).push(day);
                    }
                });
            }
        });
        took.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
    }

    /// One day, on folders of its own.
    fn day(&self, seed: u64) -> anyhow::Result<Took> {
        let scene = self.scene.copy(&self.place.join(format!("{}-{seed}", runs::word(&self.contestant))))?;
        let took = self.day_in(&scene, seed).with_context(|| child::last_words(&scene.log()));
        scene.remove()?;
        took
    }

    fn day_in(&self, scene: &Scene, seed: u64) -> anyhow::Result<Took> {
        let mut pair = self.pair(scene, seed)?;
        if self.days.meets_before {
            pair.tunnel.join(None);
            self.session(&mut pair)?.seconds.context("the two did not meet before")?;
            pair.sides[0].order(Order::Rest)?;
            self.await_quiet(&pair.tunnel);
            pair.tunnel.cut();
        }
        for side in &mut pair.sides {
            side.order(Order::Work(seed, FAMILIES))?;
        }
        both_worked(&pair.said)?;
        pair.tunnel.join(self.profile.windows);
        let took = self.session(&mut pair)?;
        if took.seconds.is_some() {
            for side in &mut pair.sides {
                side.order(Order::Stop)?;
            }
            let [phone, office] = runs::both_held(&pair.said)?;
            ensure!(phone == office, "the sides differ: {phone} and {office}");
        }
        Ok(took)
    }

    /// Both sides, ready, and no link yet.
    fn pair(&self, scene: &Scene, seed: u64) -> anyhow::Result<Pair> {
        let named = |what: &str| format!("{what}{seed}");
        let tunnel = Tunnel::open(&named("p"), &named("o"), self.profile, seed)?;
        let here = Namespace::new(&named("phone"), &named("p"), &format!("{PHONE}/24"))?;
        let there = Namespace::new(&named("office"), &named("o"), &format!("{OFFICE}/24"))?;
        let (saying, said) = channel();
        let start = |within: &Namespace, dir: &Path, way: Way, at: &str, side: usize| {
            let (contestant, way, dir) =
                (runs::word(&self.contestant), runs::word(&way), dir.display().to_string());
            let args = ["serve", &contestant, &way, &dir, at];
            Child::start(&args, Some(within), side, saying.clone(), &scene.log())
        };
        let sides = [
            start(&here, &scene.phone(), Way::Dial, PHONE, 0)?,
            start(&there, &scene.office(), Way::Listen, OFFICE, 1)?,
        ];
        let [_, office] = runs::both_ready(&said, Instant::now() + self.days.cap)?;
        Ok(Pair { sides, said, office, _namespaces: [here, there], tunnel })
    }

    /// From the phone's dialing until nothing goes into the link any more.
    fn session(&self, pair: &mut Pair) -> anyhow::Result<Took> {
        let before = pair.tunnel.traffic();
        let began = Instant::now();
        pair.sides[0].order(Order::Go(pair.office))?;
        let until = began + self.days.cap;
        let done = runs::both_done(&pair.said, silence(&pair.tunnel), self.quiet(), until)?;
        let traffic = pair.tunnel.traffic().since(&before);
        let last = done.map(|[phone, office]| phone.max(office));
        Ok(Took {
            seconds: last.map(|at| at.duration_since(began).as_secs_f64()),
            bytes: (traffic.up.payload_bytes, traffic.down.payload_bytes),
        })
    }

    fn quiet(&self) -> Duration {
        QUIET + 2 * Duration::from_micros(self.profile.round_trip_us())
    }

    fn await_quiet(&self, tunnel: &Tunnel) {
        let mut last = silence(tunnel);
        while last().elapsed() < self.quiet() {
            sleep(LOOK_EVERY);
        }
    }
}

/// Tells, whenever it is asked, since when nothing has gone into the link, as far as it was asked before.
fn silence(tunnel: &Tunnel) -> impl FnMut() -> Instant {
    let packets = || {
        let traffic = tunnel.traffic();
        traffic.up.packets + traffic.down.packets
    };
    let (mut seen, mut since) = (packets(), Instant::now());
    move || {
        let now = packets();
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        since
    }
}

fn both_worked(said: &Receiver<Said>) -> anyhow::Result<()> {
    let until = Instant::now() + WORK_MAX;
    let mut worked = [false; 2];
    while worked != [true; 2] {
        match runs::next(said, until)? {
            Said { side, word: Word::Worked, .. } => worked[side] = true,
            Said { word: Word::Ended, side, .. } => bail!("side {side} has ended"),
            _ => {}
        }
    }
    Ok(())
}

/// The figures of all days on a link.
struct Figures {
    median: Option<f64>,
    most: Option<f64>,
    bytes: (u64, u64),
    unfinished: usize,
}

impl Figures {
    fn of(took: &[Took]) -> Self {
        let mut seconds: Vec<f64> = took.iter().filter_map(|took| took.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        let at =
            |percent: usize| seconds.get((took.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        let mean = |figure: fn(&Took) -> u64| took.iter().map(figure).sum::<u64>() / took.len().max(1) as u64;
        Self {
            median: at(50),
            most: at(95),
            bytes: (mean(|took| took.bytes.0), mean(|took| took.bytes.1)),
            unfinished: took.len() - seconds.len(),
        }
    }
}

fn line(profile: &Profile, contestant: Contestant, took: &[Took]) -> String {
    let Figures { median, most, bytes: (up, down), unfinished } = Figures::of(took);
    let shown =
        |seconds: Option<f64>| seconds.map_or("did not finish".into(), |seconds| format!("{seconds:.2} s"));
    format!(
        "{}, {}: {} days, median {}, 95 % within {}, {unfinished} did not finish; bytes up {} down {}",
        profile.name,
        contestant.name(),
        took.len(),
        shown(median),
        shown(most),
        spaced(up),
        spaced(down)
    )
}

fn ratio(profile: &Profile, ours: &Figures, samod: &Figures) -> String {
    let total = |figures: &Figures| (figures.bytes.0 + figures.bytes.1) as f64;
    let bytes = total(samod) / total(ours);
    match (ours.median, samod.median) {
        (Some(ours), Some(samod)) => {
            let times = samod / ours;
            format!(
                "{}: samod takes {times:.1} times the seconds and {bytes:.1} times the bytes",
                profile.name
            )
        }
        (_, None) => format!("{}: samod did not finish, after {bytes:.1} times the bytes", profile.name),
        (None, _) => format!("{}: rukun did not finish", profile.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_do_not_finish_are_the_longest() {
        let took = |seconds| Took { seconds, bytes: (100, 50) };
        let gprs = Profile::named("gprs").unwrap();
        let ours = Figures::of(&[took(Some(2.0)), took(Some(1.0)), took(Some(3.0))]);
        assert_eq!((ours.median, ours.most, ours.unfinished), (Some(2.0), Some(3.0), 0));
        let half = Figures::of(&[took(Some(8.0)), took(None)]);
        assert_eq!((half.median, half.most, half.unfinished), (Some(8.0), None, 1));
        assert_eq!(
            ratio(&gprs, &ours, &half),
            "gprs: samod takes 4.0 times the seconds and 1.0 times the bytes"
        );
        let none = Figures::of(&[took(None)]);
        assert_eq!(ratio(&gprs, &ours, &none), "gprs: samod did not finish, after 1.0 times the bytes");
    }
}
