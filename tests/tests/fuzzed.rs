//! What fuzzing started from and what it found, held to every promise again: on any toolchain, with
//! all other tests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rukun_tests::fuzz::{TARGETS, Target};

/// What a person can still look through.
const SEEDS_MAX: usize = 30;

fn kept(folder: &str, target: &Target) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder).join(target.name);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort_unstable();
    files
}

fn replay(name: &str) {
    let target = rukun_tests::fuzz::target(name);
    let (seeds, regressions) = (kept("seeds", &target), kept("regressions", &target));
    assert!((1..=SEEDS_MAX).contains(&seeds.len()), "{name} has {} seeds", seeds.len());
    for file in seeds.into_iter().chain(regressions) {
        let bytes = fs::read(&file).unwrap();
        let held = catch_unwind(AssertUnwindSafe(|| (target.run)(&bytes)));
        assert!(held.is_ok(), "{} breaks a promise", file.display());
    }
}

#[test]
fn every_target_is_a_program_is_replayed_here_and_written_down() {
    let here = include_str!("fuzzed.rs");
    let manifest = include_str!("../fuzz/Cargo.toml");
    let said = include_str!("../../docs/promises.md");
    for Target { name, .. } in TARGETS {
        assert!(here.contains(&format!("replay(\"{name}\")")), "{name} is not replayed");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} has no program");
        assert!(
            said.contains(&format!("| `{name}` | ")),
            "docs/promises.md does not say what came of {name}"
        );
    }
}

#[test]
fn frames_are_taken_or_refused() {
    replay("frame");
}

#[test]
fn chunks_are_taken_as_automerge_takes_them_or_refused() {
    replay("body");
}

#[test]
fn changes_by_liars_take_nothing_from_honest_work() {
    replay("change");
}

#[test]
fn statements_by_liars_widen_nobody_s_grant() {
    replay("statement");
}

#[test]
fn evidence_is_proven_to_the_last_bit_or_refused() {
    replay("evidence");
}

#[test]
fn bundles_by_liars_leave_a_node_that_serves_others() {
    replay("bundle");
}

#[test]
fn sessions_with_liars_leave_a_node_that_serves_others() {
    replay("session");
}

#[test]
fn patches_become_what_they_say_or_are_refused() {
    replay("patch");
}

#[test]
fn questionnaires_judge_any_answers_or_are_refused() {
    replay("questionnaire");
}

#[test]
fn prelists_lose_no_row() {
    replay("prelist");
}

#[test]
fn one_code_enrols_one_device_whatever_is_asked() {
    replay("enrolment");
}

#[test]
fn files_of_officers_lose_no_row() {
    replay("officers");
}

#[test]
fn survey_files_are_read_or_refused() {
    replay("survey");
}

#[test]
fn store_files_serve_only_what_was_written_or_are_refused() {
    replay("store");
}
