//! A survey in one thread, from one seed: the real replicas over disks, links and clocks that fail,
//! with people who write and peers who lie. Nothing sleeps; the same seed leaves the same trace.
//!
//! # The fault model
//!
//! - *Links* carry bytes in order and late, for up to 35 s. They are cut at any byte, and what was in
//!   flight is lost. One end may learn of it long after the other, or only by the next link. A pair
//!   may have two links at once. Any half of the nodes may be out of reach of the other for any time.
//! - *Programs* are killed at any point: between commits, with something handled and not committed,
//!   and at any write within a commit.
//! - *Power* is lost at any write; of what was not synced, all, nothing, single sectors, or single
//!   writes in another order have made it.
//! - *Disks* fail to sync, are full, can't be read, or flip bits. What was synced stays: a disk that
//!   loses it is a lost device.
//! - *Clocks* jump by years, both ways.
//! - *Stores* are restored from old copies, by somebody who tells them or behind their back. Devices and
//!   the relay are lost with all they hold, and replaced under new keys. Devices are away for 1, 30
//!   and 400 days.
//! - *Places change hands*, while whoever gives one has yet to deliver what was written there.
//! - *Devices are lost*: a superior revokes one, or the root does, while whoever found it goes on with it,
//!   writes and grants. Superiors revoke each other, and uphold what another dismisses.
//! - *The root* goes over to another key, and a thief of the old one grants where nobody knows that yet.
//! - *Bundles* are brought late, twice, changed, to somebody else, or by a courier's device, which is cut off and
//!   crashes like any.
//! - *Peers* lie in every way that `liar` knows.
//!
//! What is never assumed to fail: Ed25519 and SHA-256, the office's memory of who founded the
//! survey, and the machine's arithmetic.
//!
//! A world has a phase of faults, then one without, in which the nodes must come to agree within
//! [`CONVERGE_MS_MAX`].

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rukun_authority::{Keypair, Role, Verifier};
use rukun_change::SurveyId;

mod acts;

mod arrivals;

mod calm;
pub use calm::CONVERGE_MS_MAX;

mod carrying;

pub(crate) mod chance;
pub use chance::Chance;

mod delivery;

pub mod disk;

mod handing;

pub mod liar;

mod lies;

mod links;

mod mallory;

mod meant;

pub mod model;

mod node;

mod outcome;

mod people;

mod plan;
pub use plan::{Act, Plan, Step};

mod roots;

mod shrink;
pub use shrink::shrink;

mod sim;
pub use sim::Violation;

mod tally;
pub use tally::{Fault, Tally};

mod thefts;

mod trace;

mod truth;

mod verdict;

mod watch;

mod witness;

mod writing;

/// How many nodes there are: an office, its relay, two coordinators, two supervisors, five enumerators.
const NODES: usize = 11;
const OFFICE: usize = 0;
const RELAY: usize = 1;
const ENUMERATORS: [usize; 5] = [6, 7, 8, 9, 10];
/// Who is granted what to begin with.
const REGIONS: [&[&str]; NODES] = [
    &["1811"],
    &["1811"],
    &["1811010"],
    &["1811040"],
    &["1811010005"],
    &["1811040003"],
    &["18110100050003"],
    &["18110100050003", "18110100050004"],
    &["18110100050004"],
    &["18110400030001"],
    &["18110400030001", "18110400030002"],
];
const ROLES: [Role; NODES] = [
    Role::District,
    Role::District,
    Role::Coordinator,
    Role::Coordinator,
    Role::Supervisor,
    Role::Supervisor,
    Role::Enumerator,
    Role::Enumerator,
    Role::Enumerator,
    Role::Enumerator,
    Role::Enumerator,
];
const UPSTREAM: [usize; NODES] = [1, 0, 1, 1, 2, 3, 4, 4, 4, 5, 5];
/// Who dials whom.
const TIERS: [(usize, usize); 18] = [
    (0, 1),
    (2, 1),
    (3, 1),
    (4, 2),
    (5, 3),
    (6, 4),
    (7, 4),
    (8, 4),
    (9, 5),
    (10, 5),
    (6, 1),
    (7, 1),
    (8, 1),
    (9, 1),
    (10, 1),
    (4, 1),
    (5, 1),
    (6, 7),
];

/// How a world went.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it saw.
    pub tally: Tally,
    /// The trace, as a number.
    pub trace: u64,
    /// The promise that was broken, if any.
    pub violation: Option<Violation>,
}

/// Runs a plan. The trace is printed line by line if it is wanted.
pub fn run(plan: &Plan, print: bool) -> Report {
    let mut step = 0;
    let mut world = None;
    let outcome = catch_unwind(AssertUnwindSafe(|| live(plan, print, &mut world, &mut step)));
    let broken = match outcome {
        Ok(outcome) => outcome.err(),
        Err(panic) => Some(format!("a node panics: {}", said(&*panic))),
    };
    let (tally, trace) =
        world.map_or((Tally::default(), 0), |world: sim::World| (world.tally.clone(), world.trace.hash()));
    Report { tally, trace, violation: broken.map(|text| Violation { step, text }) }
}

fn live(plan: &Plan, print: bool, world: &mut Option<sim::World>, step: &mut usize) -> sim::Checked {
    let world = world.insert(begin(plan.seed, print)?);
    for next in &plan.steps {
        *step += 1;
        world.trace.note(*step, || format!("step {step}: {next}"));
        world.run_until(world.now_ms + next.wait_ms)?;
        world.act(&next.act)?;
    }
    for victim in 0..NODES {
        world.lie_again(victim)?;
    }
    world.heal()?;
    world.converge()?;
    world.judge()?;
    world.deliver_and_be_cut_off()
}

/// A survey in which everyone is granted and knows it.
fn begin(seed: u64, print: bool) -> Result<sim::World, String> {
    let mut chance = Chance::new(!seed);
    let root = Keypair::from_seed(&chance.bytes());
    let nodes: Vec<node::Node> =
        (0..NODES).map(|at| node::Node::new(ROLES[at], UPSTREAM[at], &mut chance)).collect();
    let mut world = sim::World {
        nodes,
        links: links::Links::default(),
        truth: truth::Truth::new(SurveyId::from_bytes([0; 32]), root.key()),
        tally: Tally::default(),
        trace: trace::Trace::new(print),
        delay_ms: chance.between(40, 1_200),
        chance,
        root,
        later_roots: Vec::new(),
        verifier: Verifier::default(),
        now_ms: 0,
        calm: true,
        partition: (0, 0),
        late_ends: BTreeSet::new(),
        heard: BTreeMap::new(),
        ears: BTreeMap::new(),
        liars: BTreeSet::new(),
        mallories: Vec::new(),
        untold: Vec::new(),
        carried: Vec::new(),
        lost: BTreeSet::new(),
        handed_over: None,
        news_ms: 0,
    };
    world.found()?;
    world.truth.held = vec![BTreeSet::new(); NODES];
    for (node, upstream) in UPSTREAM.into_iter().enumerate().skip(1) {
        world.take_part(node)?;
        world.link(node, upstream)?;
        world.run_until(world.now_ms + 30_000)?;
    }
    world.hire_liars()?;
    world.write_the_first()?;
    world.run_until(world.now_ms + 30_000)?;
    world.calm = false;
    Ok(world)
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}
