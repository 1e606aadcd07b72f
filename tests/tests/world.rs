//! The seeded world, a few of its worlds: what a seed does it does again, and no promise breaks. The
//! many are run by `cargo run --release -p rukun-tests --bin world`.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use rukun_tests::world::{Act, Fault, Plan, run, shrink};

/// Run twice each.
const SEEDS: [u64; 2] = [3, 5];

/// Enough worlds for the rarest kind of fault to meet something in one of them, with room to spare.
const WORLDS_MAX: u64 = 16;

#[test]
fn a_seed_leaves_the_same_trace_twice_and_breaks_no_promise() {
    let mut traces = Vec::new();
    for seed in SEEDS {
        let (first, second) = (run(&Plan::of(seed), false), run(&Plan::of(seed), false));
        assert_eq!(first.violation, None, "seed {seed}");
        assert_eq!(first.trace, second.trace, "seed {seed} is not the same twice");
        assert_eq!(first.tally, second.tally, "seed {seed}");
        assert!(first.tally.admissions > 500, "seed {seed} is too empty: {}", first.tally);
        traces.push(first.trace);
    }
    traces.dedup();
    assert_eq!(traces.len(), SEEDS.len(), "other seeds leave the same trace");
}

/// One world alone may deal a fault that meets nothing, and which one does changes with whatever changes in
/// the worlds: they are run until all kinds were met.
#[test]
fn every_kind_of_fault_meets_something_within_a_few_worlds() {
    let mut missed: BTreeSet<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
    for seed in 1..=WORLDS_MAX {
        if missed.is_empty() {
            break;
        }
        let report = run(&Plan::of(seed), false);
        assert_eq!(report.violation, None, "seed {seed}");
        missed.retain(|name| !report.tally.hits.contains_key(name));
    }
    assert!(missed.is_empty(), "{WORLDS_MAX} worlds met no {missed:?}");
}

#[test]
fn a_schedule_that_breaks_nothing_is_not_made_shorter_by_mistake() {
    let mut plan = Plan::of(4);
    plan.steps.retain(|step| matches!(step.act, Act::Write { .. }));
    let report = run(&plan, false);
    assert_eq!(report.violation, None);
    let invented = rukun_tests::world::Violation { step: plan.steps.len(), text: "invented".into() };
    let (same, violation) = shrink(&plan, &invented);
    assert_eq!((same.steps, violation), (plan.steps, invented));
}
