//! What happened in a world, as one number, and as lines for people where they are wanted.
#![allow(clippy::print_stdout, reason = "a trace that somebody asked for goes to the standard output")]

use std::hash::{DefaultHasher, Hash, Hasher};

/// The trace of a world. Two runs of one seed must leave the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    hasher: DefaultHasher,
    lines: bool,
    /// Printed line by line as it happens.
    pub(super) now_ms: u64,
}

impl Trace {
    pub(super) fn new(lines: bool) -> Self {
        Self { lines, ..Self::default() }
    }

    /// Something happened: the line that says so is made only for those who read it.
    pub(super) fn note(&mut self, what: impl Hash, line: impl FnOnce() -> String) {
        (self.now_ms, what).hash(&mut self.hasher);
        if self.lines {
            println!("{:>12.3} s  {}", self.now_ms as f64 / 1_000.0, line());
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}
