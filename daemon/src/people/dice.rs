//! Chance with a seed: a stream of random bits becomes choices.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Where all choices come from.
#[derive(Debug)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The choices of this seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = (high - low).max(0) as u64 + 1;
        low + (self.0.next_u64() % span) as i64
    }

    /// Whether something happens that does so in `percent` of cases.
    pub(super) fn chance(&mut self, percent: i64) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of these, all alike.
    pub(super) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let at = self.between(0, from.len() as i64 - 1) as usize;
        from.get(at).copied().unwrap_or_default()
    }

    /// One of these codes, each with its weight.
    pub(super) fn code(&mut self, weighted: &[(i64, i64)]) -> i64 {
        let total: i64 = weighted.iter().map(|(_, weight)| weight).sum();
        let mut left = self.between(1, total);
        for (code, weight) in weighted {
            left -= weight;
            if left <= 0 {
                return *code;
            }
        }
        weighted.last().map(|(code, _)| *code).unwrap_or_default()
    }
}
