//! Power loss at every write of a store's life: a history runs once over a disk that notes each write,
//! resize and sync; then the disk is taken back to every one of these boundaries, and what had not been
//! synced is kept, dropped, torn or reordered. What is opened there must be a committed state: all that
//! was committed for certain and nothing half. A seed gives a history, and all luck at its boundaries.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

mod disk;
use disk::{Act, Scratch};

mod snapshot;
use snapshot::Snapshot;

mod history;
use history::{Disturbance, Recording};

#[allow(dead_code, reason = "the store's own tests need more of it")]
#[path = "../../crates/store/tests/promises/changes.rs"]
mod changes;
#[allow(dead_code, reason = "the store's own tests need more of it")]
#[path = "../../crates/store/tests/promises/model.rs"]
mod model;

/// Every so many points the store is asked in every way and written to, not only looked over.
const LOOK_CLOSELY_EVERY: u64 = 32;
/// Every so many points power is lost once more, while the store is being opened.
const AGAIN_EVERY: u64 = 8;

/// What became of the writes that were not synced when power was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// All of them were on the disk.
    Kept,
    /// None was.
    Dropped,
    /// Some of their sectors were.
    Torn,
    /// Some of them were, and they came in another order.
    Reordered,
    /// Torn, and power was lost again while the store was being opened.
    Again,
}

impl Loss {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Kept, Self::Dropped, Self::Torn, Self::Reordered, Self::Again];
}

/// What was tried.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Histories.
    pub histories: u64,
    /// Writes, resizes and syncs at which power was lost.
    pub boundaries: u64,
    /// Points of each kind, in the order of [`Loss::ALL`].
    pub points: [u64; 5],
    /// Stores opened.
    pub opens: u64,
    /// Points at which a commit was under way and was found whole.
    pub whole: u64,
    /// Points looked at closely.
    pub close: u64,
    /// What was lost.
    pub violations: Vec<Violation>,
}

impl Tally {
    /// Points of all kinds.
    pub fn points(&self) -> u64 {
        self.points.iter().sum()
    }

    /// Both together.
    pub fn add(&mut self, other: Self) {
        self.histories += other.histories;
        self.boundaries += other.boundaries;
        self.points.iter_mut().zip(other.points).for_each(|(sum, count)| *sum += count);
        self.opens += other.opens;
        self.whole += other.whole;
        self.close += other.close;
        self.violations.extend(other.violations);
    }
}

/// A point at which something was lost, or came up half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The seed of the history.
    pub seed: u64,
    /// After how many writes, resizes and syncs.
    pub after: usize,
    /// What became of the rest.
    pub loss: Loss,
    /// What was found.
    pub found: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, after, loss, found } = self;
        write!(f, "seed {seed}, after act {after} of the disk, {loss:?}: {found}")
    }
}

/// Tries every point of the history of a seed.
pub fn run(seed: u64) -> Tally {
    Crasher::new(seed, Recording::of(seed, Disturbance::None)).run()
}

/// The same over a disk that says it synced and did not: it must be found out.
pub fn run_on_a_lying_disk(seed: u64) -> Tally {
    Crasher::new(seed, Recording::of(seed, Disturbance::SyncsLie)).run()
}

struct Crasher {
    seed: u64,
    luck: ChaCha20Rng,
    recording: Recording,
    /// What is synced, and what is tried on top of it.
    scratch: Scratch,
    tally: Tally,
}

impl Crasher {
    fn new(seed: u64, recording: Recording) -> Self {
        let scratch = Scratch::with_image(recording.first.clone());
        let luck = ChaCha20Rng::seed_from_u64(seed ^ 0x6c75_636b);
        Self { seed, luck, recording, scratch, tally: Tally { histories: 1, ..Tally::default() } }
    }

    fn run(mut self) -> Tally {
        let acts = std::mem::take(&mut self.recording.acts);
        let mut synced = 0;
        let mut last_expected = None;
        for after in 0..=acts.len() {
            if let Some(Act::Sync) = after.checked_sub(1).map(|at| &acts[at]) {
                acts[synced..after].iter().for_each(|act| self.scratch.apply(act));
                self.scratch.forget_undo();
                synced = after;
            }
            self.tally.boundaries += 1;
            let unsynced = &acts[synced..after];
            let expected = self.recording.expected(after);
            self.point(after, Loss::Kept, unsynced);
            if unsynced.is_empty() {
                last_expected = Some(expected);
                continue;
            }
            // Without a sync between, dropping gives the same image: it is news where more is expected.
            if last_expected.as_ref() != Some(&expected) {
                self.point(after, Loss::Dropped, unsynced);
                last_expected = Some(expected);
            }
            for loss in [Loss::Torn, Loss::Torn, Loss::Reordered, Loss::Reordered] {
                self.point(after, loss, unsynced);
            }
            if self.luck.next_u64().is_multiple_of(AGAIN_EVERY) {
                self.point(after, Loss::Again, unsynced);
            }
        }
        self.tally
    }

    fn point(&mut self, after: usize, loss: Loss, unsynced: &[Act]) {
        self.tally.points[loss as usize] += 1;
        for act in disk::survivors(unsynced, loss, &mut self.luck) {
            self.scratch.apply(&act);
        }
        if loss == Loss::Again {
            self.lose_power_while_opening();
        }
        let closely = self.luck.next_u64().is_multiple_of(LOOK_CLOSELY_EVERY);
        let disk = self.scratch.clone();
        let recording = &self.recording;
        self.tally.opens += 1;
        // A panic of the store at any point is a violation like any other.
        let looked = catch_unwind(AssertUnwindSafe(|| look(recording, &disk, after, closely)));
        match looked.unwrap_or_else(|panic| Err(said(&*panic))) {
            Ok(whole) => self.tally.whole += u64::from(whole),
            Err(found) => {
                self.tally.violations.push(Violation { seed: self.seed, after, loss, found });
            }
        }
        self.tally.close += u64::from(closely);
        self.scratch.undo();
    }

    /// What the opening itself writes is cut off somewhere, too.
    fn lose_power_while_opening(&mut self) {
        let mark = self.scratch.mark();
        self.scratch.record();
        self.tally.opens += 1;
        drop(catch_unwind(AssertUnwindSafe(|| drop(changes::open(self.scratch.clone())))));
        let acts = self.scratch.recorded();
        self.scratch.undo_to(mark);
        let Some(cut) = self.luck.next_u64().checked_rem(acts.len() as u64 + 1) else { return };
        let acts = &acts[..cut as usize];
        let synced = acts.iter().rposition(|act| matches!(act, Act::Sync)).map_or(0, |at| at + 1);
        acts[..synced].iter().for_each(|act| self.scratch.apply(act));
        for act in disk::survivors(&acts[synced..], Loss::Torn, &mut self.luck) {
            self.scratch.apply(&act);
        }
    }
}

/// Opens what power loss left and holds it against what was committed. Gives whether a commit that was
/// under way is there.
fn look(recording: &Recording, disk: &Scratch, after: usize, closely: bool) -> Result<bool, String> {
    let (certain, under_way) = recording.expected(after);
    let mut store = changes::open(disk.clone()).map_err(|error| format!("it does not open: {error}"))?;
    let found = Snapshot::of(&mut store)?;
    let candidates = std::iter::once(certain).chain(under_way);
    let mut states = candidates.map(|at| (at, &recording.states[at]));
    let Some((at, state)) = states.find(|(_, state)| state.snapshot == found) else {
        let certain = &recording.states[certain].snapshot;
        return Err(format!("no committed state: {}", certain.differs_from(&found)));
    };
    if closely {
        drop(store);
        store = changes::open(disk.clone()).map_err(|error| format!("it opens only once: {error}"))?;
        state.model.agrees(&store);
        store.next_n().and_then(|_| store.commit()).map_err(|error| format!("it can't go on: {error}"))?;
    }
    // Closing writes, too, and nobody looks at it any more.
    disk.die();
    Ok(at != certain)
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("it panics: {}", text.unwrap_or("without a word"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_point_is_tried_and_nothing_is_lost() {
        let mut tally = Tally::default();
        (0..history::SHAPES).for_each(|seed| tally.add(run(seed)));
        assert_eq!(tally.violations, [], "{tally:?}");
        assert!(tally.points.iter().all(|points| *points > 50), "{tally:?}");
        assert!(tally.whole > 20 && tally.close > 20, "{tally:?}");
    }

    #[test]
    fn a_disk_that_lies_about_its_syncs_is_found_out() {
        let tally = run_on_a_lying_disk(0);
        let lost = tally.violations.iter().filter(|violation| violation.loss == Loss::Dropped);
        assert!(lost.count() > 0, "{} points", tally.points());
    }

    #[test]
    fn a_seed_gives_the_same_points_each_time() {
        let tried = || format!("{:?}", run(0));
        assert_eq!(tried(), tried());
    }
}
