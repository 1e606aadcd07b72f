//! One coded symbol: the sum of the short forms that fall into it, of their checks, and how many they are.
//! A symbol less another is the symbol of the difference.

use super::short::{Short, SketchKey};

/// A coded symbol. Its numbers are those of a peer, so none of the sums may overflow into a panic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Symbol {
    /// The short forms, each bit added alone.
    pub sum: u64,
    /// Their checks, likewise.
    pub check: u32,
    /// How many there are, and fewer than none where more was taken away.
    pub count: i64,
}

/// One id that a symbol holds alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pure {
    pub(super) short: Short,
    /// Whether it is of what was put in, or else of what was taken away.
    pub(super) is_put_in: bool,
}

impl Symbol {
    pub(super) fn put(&mut self, short: Short, check: u32) {
        self.toggle(short, check, 1);
    }

    pub(super) fn take(&mut self, short: Short, check: u32) {
        self.toggle(short, check, -1);
    }

    /// Adds the symbol at the same place of a disjoint set.
    pub fn add(&mut self, other: &Self) {
        self.sum ^= other.sum;
        self.check ^= other.check;
        self.count = self.count.wrapping_add(other.count);
    }

    /// Takes away the symbol at the same place of another set: what both hold is gone.
    pub fn subtract(&mut self, other: &Self) {
        self.sum ^= other.sum;
        self.check ^= other.check;
        self.count = self.count.wrapping_sub(other.count);
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn pure(&self, key: &SketchKey) -> Option<Pure> {
        let short = Short(self.sum);
        (self.count.unsigned_abs() == 1 && key.check(short) == self.check)
            .then_some(Pure { short, is_put_in: self.count > 0 })
    }

    fn toggle(&mut self, short: Short, check: u32, by: i64) {
        self.sum ^= short.0;
        self.check ^= check;
        self.count = self.count.wrapping_add(by);
    }
}
