//! What is going to happen in a world, as a list of steps that each mean something by themselves:
//! a failing list is made shorter by leaving steps out and trying again.

use std::fmt;

use super::disk::{Trouble, Unsynced};
use super::liar::Lie;
use super::lies::CLASSES;
use super::{Chance, NODES};

const DAY_MS: u64 = 86_400_000;
const YEAR_MS: i64 = 365 * DAY_MS as i64;
/// How often lies of one kind are told.
const LIES_OF_KIND: usize = 10;

/// How many places change hands.
const HANDED_OVER: usize = 8;
/// How many devices are lost and revoked.
const LOST: usize = 6;
/// How many records are moved.
const MOVED: usize = 3;
/// How many records are erased.
const ERASED: usize = 3;
/// How many bundles are written and brought.
const CARRIED: usize = 18;
/// How often work is upheld or dismissed.
const SETTLED: usize = 14;

/// All that happens in a world before its faults end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The seed of everything that the steps leave open.
    pub seed: u64,
    /// In order.
    pub steps: Vec<Step>,
}

/// Time passes, and then something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How much time passes first.
    pub wait_ms: u64,
    /// What happens.
    pub act: Act,
}

/// Something that happens. Nodes go by their number; `luck` decides what is left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "what the fields mean stands with each act and is the same in all")]
pub enum Act {
    /// Somebody writes something on a node.
    Write { node: usize, luck: u64 },
    /// One node dials another.
    Link { from: usize, to: usize },
    /// One link is cut, wherever its frames are. One that carries some, if there is any.
    Cut { luck: u64 },
    /// No link between the two halves for this time.
    Partition { half: u32, for_ms: u64 },
    /// A program is killed.
    Kill { node: usize },
    /// A program is killed after it has handled what comes next, before it commits.
    KillBeforeCommit { node: usize },
    /// A program is killed within its next commit, after so many writes.
    KillInCommit { node: usize, after: u64, luck: u64 },
    /// Power is lost within the next commit.
    PowerLoss { node: usize, after: u64, fate: Unsynced, luck: u64 },
    /// A disk begins to fail, and somebody writes.
    Disk { node: usize, trouble: Trouble, luck: u64 },
    /// A bit flips in a file while its program is down.
    Flip { node: usize, luck: u64 },
    /// A device's clock jumps.
    Clock { node: usize, by_ms: i64, luck: u64 },
    /// A copy of a store is put aside.
    Backup { node: usize },
    /// A store is replaced by its oldest copy.
    Restore { node: usize, silently: bool },
    /// A store is gone, with its key: its officer begins with a new device.
    Rebuild { node: usize },
    /// A device is away.
    Away { node: usize, days: u64 },
    /// An officer's regions change.
    Regrant { luck: u64 },
    /// A place goes from one officer to another.
    HandOver { luck: u64 },
    /// A device is lost and revoked, and whoever found it goes on with it.
    LoseDevice { luck: u64 },
    /// An officer's device goes on under another key.
    Rotate { node: usize },
    /// The survey's root goes over to another key.
    FollowRoot { luck: u64 },
    /// Somebody upholds or dismisses work.
    Settle { luck: u64 },
    /// The district moves a record to another place.
    Transfer { luck: u64 },
    /// The district erases a record.
    Erase { luck: u64 },
    /// One node writes a bundle for another, and one that is on its way is brought.
    Carry { from: usize, to: usize, luck: u64 },
    /// An officer writes out of reach, its regions change, and it delivers.
    Move { node: usize, luck: u64 },
    /// Somebody writes faster than the network carries.
    Burst { node: usize, luck: u64 },
    /// A peer lies.
    Lie { victim: usize, lie: Lie, luck: u64 },
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mut steps = Vec::new();
        let mut add = |chance: &mut Chance, act: Act| {
            let wait_ms = if chance.one_in(3) { 0 } else { chance.between(20, 1_500) };
            steps.push(Step { wait_ms, act });
        };
        for kind in deck(&mut chance) {
            let luck = chance.u64();
            match kind {
                Kind::Write => add(&mut chance, Act::Write { node: writer(luck), luck }),
                Kind::Pulse => {
                    let (from, to) = pair(&mut chance);
                    add(&mut chance, Act::Link { from, to });
                    if chance.one_in(2) {
                        add(&mut chance, Act::Write { node: from, luck });
                    }
                    add(&mut chance, Act::Cut { luck });
                }
                Kind::Link => {
                    let (from, to) = pair(&mut chance);
                    add(&mut chance, Act::Link { from, to });
                }
                Kind::Twice => {
                    let (from, to) = pair(&mut chance);
                    add(&mut chance, Act::Link { from, to });
                    add(&mut chance, Act::Link { from, to });
                }
                Kind::Carry => {
                    let (from, to) = pair(&mut chance);
                    let (from, to) = if chance.one_in(2) { (from, to) } else { (to, from) };
                    add(&mut chance, Act::Carry { from, to, luck });
                }
                Kind::Act(act) => add(&mut chance, act),
            }
        }
        Self { seed, steps }
    }
}

enum Kind {
    Write,
    Pulse,
    Link,
    Twice,
    Carry,
    Act(Act),
}

/// What happens in a world, shuffled: of every kind of fault so much that ten meet somebody.
fn deck(chance: &mut Chance) -> Vec<Kind> {
    let mut deck = Vec::new();
    deck.extend((0..30).map(|_| Kind::Write));
    deck.extend((0..112).map(|_| Kind::Pulse));
    deck.extend((0..16).map(|_| Kind::Link));
    let enumerator = |chance: &mut Chance| chance.below(NODES - 6) + 6;
    deck.extend((0..3).map(|_| Kind::Act(Act::Move { node: enumerator(chance), luck: chance.u64() })));
    deck.extend((0..3).map(|_| Kind::Act(Act::Burst { node: enumerator(chance), luck: chance.u64() })));
    deck.extend((0..HANDED_OVER).map(|_| Kind::Act(Act::HandOver { luck: chance.u64() })));
    deck.extend((0..LOST).map(|_| Kind::Act(Act::LoseDevice { luck: chance.u64() })));
    deck.extend((0..2).map(|_| Kind::Act(Act::Rotate { node: *chance.pick(&super::ENUMERATORS) })));
    if chance.one_in(2) {
        deck.push(Kind::Act(Act::FollowRoot { luck: chance.u64() }));
    }
    deck.extend((0..MOVED).map(|_| Kind::Act(Act::Transfer { luck: chance.u64() })));
    deck.extend((0..ERASED).map(|_| Kind::Act(Act::Erase { luck: chance.u64() })));
    deck.extend((0..SETTLED).map(|_| Kind::Act(Act::Settle { luck: chance.u64() })));
    let any = |chance: &mut Chance| chance.below(NODES);
    // These meet somebody whenever they come.
    for _ in 0..10 {
        let acts = [
            Act::Partition { half: chance.u64() as u32, for_ms: chance.between(500, 20_000) },
            Act::Disk { node: any(chance), trouble: Trouble::ReadFails, luck: chance.u64() },
            Act::Rebuild { node: super::RELAY },
        ];
        deck.extend(acts.into_iter().map(Kind::Act));
    }
    for _ in 0..11 {
        let acts = [
            Act::Kill { node: any(chance) },
            Act::Away { node: any(chance), days: 1 },
            Act::Away { node: any(chance), days: 30 },
            Act::Away { node: any(chance), days: 400 },
            Act::Backup { node: any(chance) },
            Act::Backup { node: any(chance) },
            Act::Backup { node: any(chance) },
            Act::Backup { node: any(chance) },
            Act::Backup { node: any(chance) },
            Act::Restore { node: any(chance), silently: false },
            Act::Restore { node: any(chance), silently: true },
            Act::Rebuild { node: 2 + chance.below(NODES - 2) },
            Act::Regrant { luck: chance.u64() },
        ];
        deck.extend(acts.into_iter().map(Kind::Act));
    }
    // Of these some meet nobody: the keyboard says no.
    for _ in 0..17 {
        deck.push(Kind::Act(Act::Clock { node: any(chance), by_ms: years(chance), luck: chance.u64() }));
        deck.push(Kind::Act(Act::Clock { node: any(chance), by_ms: -years(chance), luck: chance.u64() }));
    }
    // Of these some meet nobody: the disk does not get so far, or the node has nothing to commit any more.
    for _ in 0..13 {
        let acts = [
            Act::KillBeforeCommit { node: any(chance) },
            Act::KillInCommit { node: any(chance), after: chance.between(0, 12), luck: chance.u64() },
            Act::Disk { node: any(chance), trouble: Trouble::SyncFails, luck: chance.u64() },
            Act::Disk { node: any(chance), trouble: Trouble::Full(chance.between(0, 6)), luck: chance.u64() },
        ];
        deck.extend(acts.into_iter().map(Kind::Act));
    }
    for _ in 0..14 {
        deck.push(Kind::Act(Act::Flip { node: any(chance), luck: chance.u64() }));
        for fate in [Unsynced::Kept, Unsynced::Lost, Unsynced::Reordered] {
            deck.push(Kind::Act(power_loss(chance, fate)));
        }
    }
    deck.extend((0..15).map(|_| Kind::Act(power_loss(chance, Unsynced::Torn))));
    for (_, lies) in CLASSES {
        for _ in 0..LIES_OF_KIND {
            let act = Act::Lie { victim: chance.below(NODES), lie: *chance.pick(lies), luck: chance.u64() };
            deck.push(Kind::Act(act));
        }
    }
    deck.extend((0..11).map(|_| Kind::Twice));
    deck.extend((0..CARRIED).map(|_| Kind::Carry));
    for at in (1..deck.len()).rev() {
        deck.swap(at, chance.below(at + 1));
    }
    deck
}

fn power_loss(chance: &mut Chance, fate: Unsynced) -> Act {
    Act::PowerLoss { node: chance.below(NODES), after: chance.between(1, 12), fate, luck: chance.u64() }
}

fn years(chance: &mut Chance) -> i64 {
    chance.between(1, 20) as i64 * YEAR_MS
}

/// Enumerators write most.
fn writer(luck: u64) -> usize {
    let luck = luck as usize;
    if luck.is_multiple_of(3) { luck / 3 % NODES } else { 6 + luck / 3 % (NODES - 6) }
}

/// Mostly those who dial each other by their tier; sometimes anyone who meets anyone.
fn pair(chance: &mut Chance) -> (usize, usize) {
    if chance.one_in(5) {
        let from = chance.below(NODES);
        (from, (from + 1 + chance.below(NODES - 1)) % NODES)
    } else {
        *chance.pick(&super::TIERS)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {:>6} ms  {:?}", self.wait_ms, self.act)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_one_plan_and_another_seed_another() {
        assert_eq!(Plan::of(7), Plan::of(7));
        assert_ne!(Plan::of(7).steps, Plan::of(8).steps);
    }
}
