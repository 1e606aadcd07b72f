//! The lives of stores that power is cut from: a seed becomes acts, and running them once gives all
//! that the disk was asked to do and the committed states between.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::changes::{self, pool};
use super::disk::{Act as DiskAct, Scratch};
use super::model::{Act, Model, script};
use super::snapshot::Snapshot;

/// How many shapes of history there are; the seed names one by its remainder.
pub(super) const SHAPES: u64 = 5;

/// What is wrong with the disk, where a test wants it so.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Disturbance {
    None,
    SyncsLie,
}

/// What a disk was asked to do in the course of a history, and what was committed when.
pub(super) struct Recording {
    /// The disk at the beginning, a new store on it.
    pub(super) first: Vec<u8>,
    pub(super) acts: Vec<DiskAct>,
    pub(super) states: Vec<State>,
}

/// A committed state.
pub(super) struct State {
    /// The disk's acts before the commit began.
    begun: usize,
    /// The disk's acts when the commit had returned.
    done: usize,
    pub(super) model: Model,
    pub(super) snapshot: Snapshot,
}

impl Recording {
    pub(super) fn of(seed: u64, disturbance: Disturbance) -> Self {
        let disk = Scratch::default();
        drop(changes::create(disk.clone()).expect("a store in memory is made"));
        let first = disk.image();
        disk.record();
        let mut states: Vec<State> = Vec::new();
        let mut model = Model::default();
        let mut store = changes::open(disk.clone()).expect("a store in memory opens");
        states.push(State::of(0, &disk, &model));
        for act in acts(seed) {
            match act {
                Act::Commit => {
                    let begun = disk.acts();
                    store.commit().expect("a store in memory commits");
                    states.push(State::of(begun, &disk, &model));
                }
                Act::Drop | Act::PowerLoss(_) => {
                    // Cut off, it does not close the file as it should.
                    if matches!(act, Act::PowerLoss(_)) {
                        disk.die();
                    }
                    drop(store);
                    disk.revive();
                    store = changes::open(disk.clone()).expect("a store in memory opens");
                    model = states.last().expect("there is a first").model.clone();
                }
                act => model.act(&mut store, &act).expect("a store in memory takes everything"),
            }
        }
        drop(store);
        let mut acts = disk.recorded();
        if disturbance == Disturbance::SyncsLie {
            // The act is there still, so that all else is where it was.
            for act in acts.iter_mut().filter(|act| matches!(act, DiskAct::Sync)) {
                *act = DiskAct::Write(0, Vec::new());
            }
        }
        Self { first, acts, states }
    }

    /// What was committed for certain after so many acts of the disk, and what a commit under way
    /// would have made.
    pub(super) fn expected(&self, after: usize) -> (usize, Option<usize>) {
        let certain = self.states.iter().rposition(|state| state.done <= after).unwrap_or_default();
        let next = self.states.get(certain + 1);
        (certain, next.filter(|state| state.begun < after).map(|_| certain + 1))
    }
}

impl State {
    /// Looks at the disk as it is now: the store that runs is not touched.
    fn of(begun: usize, disk: &Scratch, model: &Model) -> Self {
        let done = if begun == 0 { 0 } else { disk.acts() };
        let mut store = changes::open(Scratch::with_image(disk.image())).expect("what is committed opens");
        disk.forget_undo();
        model.agrees(&store);
        let snapshot = Snapshot::of(&mut store).expect("a store in memory is read");
        Self { begun, done, model: model.clone(), snapshot }
    }
}

fn acts(seed: u64) -> Vec<Act> {
    let mut luck = ChaCha20Rng::seed_from_u64(seed);
    let mut acts = Vec::new();
    match seed % SHAPES {
        // Every table in every commit, pages freed and used again.
        0 => (0..4).for_each(|round| acts.extend(script(round).into_iter().chain([Act::Commit]))),
        // Many small commits.
        1 => (0..50).for_each(|_| {
            let few = 1 + luck.next_u32() % 3;
            acts.extend((0..few).map(|_| any(&mut luck)).chain([Act::Commit]));
        }),
        // Few large ones, with values longer than a page.
        2 => (0..4).for_each(|round| {
            acts.extend((0..pool().len()).filter(|at| at % 4 == round).map(|at| Act::Change(at, Some(1))));
            acts.extend((0..60).map(|_| any(&mut luck)));
            acts.extend([Act::Setting(2, Some(round as u8)), Act::Commit]);
        }),
        // What comes and goes: waiting, views, long values; the log stands.
        3 => {
            acts.extend((0..16).map(|at| Act::Change(at, None)).chain([Act::Commit]));
            (0..24).for_each(|_| {
                acts.extend((0..6).map(|_| passing(&mut luck)).chain([Act::Commit]));
            });
        }
        // Closed and opened again, what was staged lost, under new incarnations.
        _ => (0..12).for_each(|round| {
            acts.extend((0..8).map(|_| any(&mut luck)).chain([Act::Commit]));
            if round % 3 == 2 {
                let end = if round == 5 { Act::PowerLoss(1) } else { Act::Drop };
                acts.extend([any(&mut luck), end, Act::Incarnation(round), Act::NextN, Act::Commit]);
            }
        }),
    }
    acts
}

fn any(luck: &mut ChaCha20Rng) -> Act {
    match luck.next_u32() % 14 {
        0..5 => Act::Change(luck.next_u64() as usize % pool().len(), from(luck)),
        5 => Act::Statement((luck.next_u32() % 40) as u8),
        6 => Act::NextN,
        7 => Act::Piece((luck.next_u32() % 2) as u8),
        8 => Act::Incarnation((luck.next_u32() % 3) as u8),
        9 => Act::Receipt((luck.next_u32() % 40) as u8, 1 + (luck.next_u32() % 3) as u8),
        10 => Act::Elsewhere((luck.next_u32() % 2) as u8, u64::from(luck.next_u32() % 60)),
        _ => passing(luck),
    }
}

fn passing(luck: &mut ChaCha20Rng) -> Act {
    let at = luck.next_u64() as usize % pool().len();
    let number = 1 + (luck.next_u32() % 3) as u8;
    match luck.next_u32() % 9 {
        0 => Act::Setting(number - 1, luck.next_u32().is_multiple_of(3).then_some(number)),
        1 => Act::Setting(2, Some((luck.next_u32() % 256) as u8)),
        2 => Act::Peer(number, luck.next_u64()),
        3 => Act::Stale,
        4 | 5 => Act::Wait(number, at),
        6 => Act::Waited(number, at),
        _ => Act::Derive(at, (0..luck.next_u32() % 3).map(|_| (luck.next_u32() % 3) as u8).collect()),
    }
}

fn from(luck: &mut ChaCha20Rng) -> Option<u8> {
    Some((luck.next_u32() % 4) as u8).filter(|number| *number > 0)
}
