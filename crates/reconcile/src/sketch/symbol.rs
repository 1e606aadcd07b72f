//! What can be done with coded symbols: ids are put in and taken out, and a symbol less another is the
//! symbol of the difference. Their numbers are those of a peer, so nothing here may overflow into a panic.

use rukun_wire::{Short, Symbol};

use super::key::SketchKey;

/// One id that a symbol holds alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pure {
    pub(super) short: Short,
    /// Whether it is of what was put in, or else of what was taken out.
    pub(super) is_put_in: bool,
}

pub(super) fn put(symbol: &mut Symbol, short: Short, check: u32) {
    add(symbol, &Symbol { sum: short.0, check, count: 1 });
}

pub(super) fn take_out(symbol: &mut Symbol, short: Short, check: u32) {
    add(symbol, &Symbol { sum: short.0, check, count: -1 });
}

/// Adds the symbol at the same place of a disjoint set.
pub(super) fn add(symbol: &mut Symbol, other: &Symbol) {
    symbol.sum ^= other.sum;
    symbol.check ^= other.check;
    symbol.count = symbol.count.wrapping_add(other.count);
}

/// Takes away the symbol at the same place of another set: what both hold is gone.
pub(super) fn subtract(symbol: &mut Symbol, other: &Symbol) {
    symbol.sum ^= other.sum;
    symbol.check ^= other.check;
    symbol.count = symbol.count.wrapping_sub(other.count);
}

pub(super) fn pure(symbol: &Symbol, key: &SketchKey) -> Option<Pure> {
    let short = Short(symbol.sum);
    (matches!(symbol.count, 1 | -1) && key.check(short) == symbol.check)
        .then_some(Pure { short, is_put_in: symbol.count > 0 })
}
