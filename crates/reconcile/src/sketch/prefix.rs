//! The first symbols of a set that grows: kept current id by id, and added up over disjoint sets, so
//! that a sketch of any region costs no look at what is in it. What lies beyond comes from an
//! [`super::Encoder`].

use rukun_wire::{Short, Symbol};

use super::key::SketchKey;
use super::places::Places;
use super::symbol;

/// The first symbols of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    symbols: Vec<Symbol>,
}

impl Prefix {
    /// Of the empty set, this long.
    pub fn new(symbols: usize) -> Self {
        Self { symbols: vec![Symbol::default(); symbols] }
    }

    /// Puts an id in that was not in it.
    pub fn insert(&mut self, key: &SketchKey, short: Short) {
        let check = key.check(short);
        let mut places = Places::of(short);
        while let Some(symbol) = usize::try_from(places.at()).ok().and_then(|at| self.symbols.get_mut(at)) {
            symbol::put(symbol, short, check);
            places.advance();
        }
    }

    /// Adds a disjoint set. What is longer than the shorter of both is dropped.
    pub fn add(&mut self, other: &Self) {
        self.symbols.truncate(other.symbols.len());
        for (symbol, other) in self.symbols.iter_mut().zip(&other.symbols) {
            symbol::add(symbol, other);
        }
    }

    /// The symbols.
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }
}
