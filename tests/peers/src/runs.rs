//! The runs: a contestant and a number of records become figures, task by task. The two sides are processes of their own,
//! joined by the counting relay, and each run begins on copies of the same folders. What the figures mean beside
//! those of others is told elsewhere.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;

use crate::child::{self, Child, Order, Said, Used, Word};
use crate::contestant::{Act, Contestant};
use crate::counting::Relay;
use crate::scene::{Scene, Way};

/// When nothing has crossed the relay for so long after both sides were done, a run is over.
const QUIET: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How much later everything arrives in the runs that tell round trips.
const DELAY: Duration = Duration::from_millis(150);
/// What takes longer than this is not run again for the sake of a median.
const REPEATED_MAX: Duration = Duration::from_secs(5);
/// How long a side may take to say what it holds.
const ACCOUNT_MAX: Duration = Duration::from_mins(2);

/// What two sides do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// All records go to an office that has none.
    First,
    /// Both have all, and met before.
    Nothing,
    /// The same once more, while both processes go on.
    Again,
    /// As before, with edits on the phone.
    Edits,
    /// The same, with edits on both sides.
    Both,
    /// Both have all, and never met.
    Meeting,
}

impl Task {
    /// All, in the order in which they are run.
    pub const ALL: [Self; 6] =
        [Self::First, Self::Nothing, Self::Again, Self::Edits, Self::Both, Self::Meeting];

    /// How tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first sync",
            Self::Nothing => "nothing new",
            Self::Again => "nothing new, processes go on",
            Self::Edits => "30 edits on one side",
            Self::Both => "30 edits on each side",
            Self::Meeting => "first contact, both have all",
        }
    }

    fn acts(self) -> &'static [Act] {
        match self {
            Self::First | Self::Nothing | Self::Again => &[],
            Self::Edits => &[Act::EditPhone],
            Self::Both => &[Act::EditPhone, Act::EditOffice],
            Self::Meeting => &[Act::FillTwin],
        }
    }
}

/// The figures of one task.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Payload from the phone and to it.
    pub bytes: (u64, u64),
    /// Datagrams, messages or records, likewise.
    pub pieces: (u64, u64),
    /// From the first word until the phone knows that the other side holds all that it has, and until the other side
    /// knows so of the phone.
    pub seconds: (f64, f64),
    /// How many round trips that took where one takes 300 ms: until the phone knew, and until the other side did. Not
    /// told of a first sync.
    pub round_trips: Option<(f64, f64)>,
    /// What the phone used during the run,
    pub phone: Used,
    /// and the other side.
    pub other: Used,
}

/// One task of one contestant.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Whose.
    pub contestant: Contestant,
    /// With how many records.
    pub records: usize,
    /// Which.
    pub task: Task,
    /// What came of it, or why nothing did.
    pub outcome: Result<Figures, String>,
}

/// Runs all tasks of a contestant. What does not finish is told as such, and so is all that rests on it.
///
/// # Errors
/// If there is no place for the folders.
pub fn measure(
    contestant: Contestant,
    records: usize,
    repeats: usize,
    cap: Duration,
) -> anyhow::Result<Vec<Measured>> {
    let place = tempfile::tempdir()?;
    let scene = Scene::at(&place.path().join("scene"));
    std::fs::create_dir(scene.path())?;
    let run = Run { contestant, records, repeats, cap, place: place.path() };
    let mut measured = Vec::new();
    let mut failed = run.act(Act::Prepare, &scene).map_err(|error| cause(&error)).err();
    for task in Task::ALL {
        let outcome = match &failed {
            Some(reason) => Err(reason.clone()),
            None => run.task(task, &scene).map_err(|error| cause(&error)),
        };
        tell(contestant, records, task, &outcome);
        if let (Task::First, Err(error)) = (task, &outcome) {
            failed = Some(format!("rests on the first sync: {error}"));
        }
        measured.push(Measured { contestant, records, task, outcome });
    }
    Ok(measured)
}

/// A scene in this folder in which so many records went to the office.
///
/// # Errors
/// If they don't get there.
pub fn settled(contestant: Contestant, records: usize, cap: Duration, place: &Path) -> anyhow::Result<Scene> {
    let scene = Scene::at(&place.join("scene"));
    std::fs::create_dir_all(scene.path())?;
    let run = Run { contestant, records, repeats: 1, cap, place };
    run.act(Act::Prepare, &scene)?;
    run.task(Task::First, &scene)?;
    Ok(scene)
}

/// What went wrong at first; the rest of it is told at once.
fn cause(error: &anyhow::Error) -> String {
    eprintln!("{error:?}");
    error.root_cause().to_string()
}

fn tell(contestant: Contestant, records: usize, task: Task, outcome: &Result<Figures, String>) {
    let said = match outcome {
        Ok(figures) => format!("{figures:?}"),
        Err(reason) => reason.clone(),
    };
    eprintln!("{}, {records} records, {}: {said}", contestant.name(), task.name());
}

/// What stays the same for all tasks of a contestant.
struct Run<'a> {
    contestant: Contestant,
    records: usize,
    repeats: usize,
    cap: Duration,
    place: &'a Path,
}

impl Run<'_> {
    fn act(&self, act: Act, scene: &Scene) -> anyhow::Result<()> {
        let records = self.records.to_string();
        let dir = scene.path().display().to_string();
        let args = ["act", &word(&self.contestant), &word(&act), &records, &dir];
        // Preparing is not what is measured, and may take longer.
        child::run(&args, &scene.log(), Instant::now() + 4 * self.cap)
    }

    fn task(&self, task: Task, scene: &Scene) -> anyhow::Result<Figures> {
        if task == Task::First {
            return self.meet(task, scene, Duration::ZERO);
        }
        let ready = scene.copy(&self.place.join("ready"))?;
        for act in task.acts() {
            self.act(*act, &ready)?;
        }
        let once = |delay| -> anyhow::Result<Figures> {
            let copy = ready.copy(&self.place.join("run"))?;
            let figures = self.meet(task, &copy, delay);
            copy.remove()?;
            figures
        };
        let figures = median(self.repeats, || once(Duration::ZERO)).and_then(|figures| {
            let (delayed, trip) = (once(DELAY)?.seconds, (2 * DELAY).as_secs_f64());
            Ok(Figures { round_trips: Some((delayed.0 / trip, delayed.1 / trip)), ..figures })
        });
        ready.remove()?;
        figures
    }

    /// One meeting of two sides.
    fn meet(&self, task: Task, scene: &Scene, delay: Duration) -> anyhow::Result<Figures> {
        let other = if task == Task::Meeting { scene.twin() } else { scene.office() };
        let (saying, said) = channel();
        let start = |dir: &Path, way: Way, side: usize| {
            let args = ["serve", &word(&self.contestant), &word(&way), &dir.display().to_string()];
            Child::start(&args, None, side, saying.clone(), &scene.log())
        };
        let mut sides = [start(&scene.phone(), Way::Dial, 0)?, start(&other, Way::Listen, 1)?];
        let until = Instant::now() + self.cap;
        let addresses = both_ready(&said, until).with_context(|| child::last_words(&scene.log()))?;
        let relay = Relay::open(self.contestant.carrier(), addresses[1], delay)?;
        let met = self.session(&mut sides, &relay, &said);
        let figures = match task {
            Task::Again => met.and_then(|_| {
                sides[0].order(Order::Rest)?;
                while relay.traffic().last.elapsed() < QUIET {
                    sleep(LOOK_EVERY);
                }
                said.try_iter().for_each(drop);
                self.session(&mut sides, &relay, &said)
            }),
            _ => met,
        };
        let figures = figures.with_context(|| child::last_words(&scene.log()))?;
        for side in &mut sides {
            side.order(Order::Stop)?;
        }
        let held = both_held(&said).with_context(|| child::last_words(&scene.log()))?;
        ensure!(held[0] == held[1], "the sides differ: {} and {}", held[0], held[1]);
        Ok(figures)
    }

    /// From a connection's beginning until nothing crosses it any more.
    fn session(
        &self,
        sides: &mut [Child; 2],
        relay: &Relay,
        said: &Receiver<Said>,
    ) -> anyhow::Result<Figures> {
        let (earlier, before) = (relay.traffic(), [sides[0].used()?, sides[1].used()?]);
        let began = Instant::now();
        sides[0].order(Order::Go(relay.address()))?;
        let last = || relay.traffic().last;
        let done = both_done(said, last, QUIET, began + self.cap)?.context("did not finish")?;
        let (traffic, after) = (relay.traffic().since(&earlier), [sides[0].used()?, sides[1].used()?]);
        let used = |side: usize| Used {
            cpu_seconds: after[side].cpu_seconds - before[side].cpu_seconds,
            memory_kib_max: after[side].memory_kib_max,
        };
        Ok(Figures {
            bytes: (traffic.up.bytes, traffic.down.bytes),
            pieces: (traffic.up.pieces, traffic.down.pieces),
            seconds: done.map(|at| at.duration_since(began).as_secs_f64()).into(),
            round_trips: None,
            phone: used(0),
            other: used(1),
        })
    }
}

/// The run in the middle by its bytes: on a busy machine a datagram may be sent twice.
fn median(repeats: usize, once: impl Fn() -> anyhow::Result<Figures>) -> anyhow::Result<Figures> {
    let mut runs = Vec::new();
    while runs.len() < repeats.max(1) {
        let began = Instant::now();
        runs.push(once()?);
        if began.elapsed() > REPEATED_MAX {
            break;
        }
    }
    runs.sort_by_key(|figures| figures.bytes.0 + figures.bytes.1);
    Ok(runs[runs.len() / 2])
}

/// How the command line of this program says it.
pub fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Where each side listens, once both do.
///
/// # Errors
/// If they don't.
pub fn both_ready(said: &Receiver<Said>, until: Instant) -> anyhow::Result<[SocketAddr; 2]> {
    let mut ready = [None; 2];
    loop {
        if let [Some(first), Some(second)] = ready {
            return Ok([first, second]);
        }
        match next(said, until)? {
            Said { side, word: Word::Ready(address), .. } => ready[side] = Some(address),
            Said { side, word, .. } => bail!("side {side} says {word:?} before it is ready"),
        }
    }
}

/// When each side said last that it is done, once both have and nothing has crossed for a while, if `last` tells when
/// something did; nothing if that takes longer.
///
/// # Errors
/// If a side ends or says something else.
pub fn both_done(
    said: &Receiver<Said>,
    mut last: impl FnMut() -> Instant,
    quiet: Duration,
    until: Instant,
) -> anyhow::Result<Option<[Instant; 2]>> {
    let mut done = [None; 2];
    loop {
        match said.recv_timeout(LOOK_EVERY) {
            Ok(Said { side, word: Word::Done, at }) => done[side] = Some(at),
            Ok(Said { side, word, .. }) => bail!("side {side} says {word:?} before all is done"),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("both sides have ended"),
        }
        let crossed = last();
        if let [Some(first), Some(second)] = done {
            let quiet_since = first.max(second).max(crossed);
            if quiet_since.elapsed() > quiet {
                return Ok(Some([first, second]));
            }
        }
        if Instant::now() > until {
            return Ok(None);
        }
    }
}

/// What each side says it holds in the end.
///
/// # Errors
/// If one does not say so.
pub fn both_held(said: &Receiver<Said>) -> anyhow::Result<[String; 2]> {
    let mut held: [Option<String>; 2] = [None, None];
    let until = Instant::now() + ACCOUNT_MAX;
    loop {
        if let [Some(first), Some(second)] = &held {
            return Ok([first.clone(), second.clone()]);
        }
        if let Said { side, word: Word::Held(digest), .. } = next(said, until)? {
            held[side] = Some(digest);
        }
    }
}

/// What is said next.
///
/// # Errors
/// If nothing is.
pub fn next(said: &Receiver<Said>, until: Instant) -> anyhow::Result<Said> {
    let left = until.saturating_duration_since(Instant::now());
    said.recv_timeout(left).context("did not finish: a side says nothing")
}
