//! A peer's symbols and one's own set become the ids that only one of both has: what is left of each
//! symbol after one's own is taken away is peeled, wherever an id stands in it alone.

use std::collections::BTreeSet;

use rukun_wire::{Short, Symbol};

use super::encoder::Encoder;
use super::key::SketchKey;
use super::places::Places;
use super::symbol;

/// The difference of a peer's set and one's own, as far as the symbols so far tell.
#[derive(Debug)]
pub struct Difference {
    key: SketchKey,
    ours: Encoder,
    /// What was found, which falls into symbols yet to come.
    found: Encoder,
    left: Vec<Symbol>,
    pure: Vec<usize>,
    theirs_alone: BTreeSet<Short>,
    ours_alone: BTreeSet<Short>,
    symbols_max: usize,
}

impl Difference {
    /// Between what a peer's symbols will tell, of a set of this size, and these ids.
    pub fn new(key: SketchKey, ours: impl IntoIterator<Item = Short>, theirs_count: u64) -> Self {
        let ours = Encoder::new(&key, ours, 0);
        let at_most = usize::try_from(theirs_count).unwrap_or(usize::MAX).saturating_add(ours.len());
        Self {
            key,
            ours,
            found: Encoder::new(&key, [], 0),
            left: Vec::new(),
            pure: Vec::new(),
            theirs_alone: BTreeSet::new(),
            ours_alone: BTreeSet::new(),
            symbols_max: symbols_max(at_most),
        }
    }

    /// Takes the peer's next symbol.
    ///
    /// # Errors
    /// If the symbols are of no set, or never end.
    pub fn take(&mut self, symbol: &Symbol) -> Result<(), SketchError> {
        if self.left.len() == self.symbols_max {
            return Err(SketchError::Endless { max: self.symbols_max });
        }
        let mut left = *symbol;
        symbol::subtract(&mut left, &self.ours.symbol());
        symbol::add(&mut left, &self.found.symbol());
        self.pure.push(self.left.len());
        self.left.push(left);
        self.peel()
    }

    /// Whether all of the difference is found: every id falls into the first symbol.
    pub fn is_known(&self) -> bool {
        self.left.first().is_some_and(|symbol| *symbol == Symbol::default())
    }

    /// The key of its short forms.
    pub fn key(&self) -> &SketchKey {
        &self.key
    }

    /// How many symbols were taken.
    pub fn symbols(&self) -> usize {
        self.left.len()
    }

    /// What the peer has and we lack.
    pub fn theirs_alone(&self) -> &BTreeSet<Short> {
        &self.theirs_alone
    }

    /// What we have and the peer lacks.
    pub fn ours_alone(&self) -> &BTreeSet<Short> {
        &self.ours_alone
    }

    fn peel(&mut self) -> Result<(), SketchError> {
        while let Some(at) = self.pure.pop() {
            let Some(pure) = self.left.get(at).and_then(|symbol| symbol::pure(symbol, &self.key)) else {
                continue;
            };
            let (short, check) = (pure.short, self.key.check(pure.short));
            let mut places = Places::of(short);
            let mut is_there = false;
            while let Some(symbol) = usize::try_from(places.at()).ok().and_then(|at| self.left.get_mut(at)) {
                is_there |= places.at() == at as u64;
                if pure.is_put_in {
                    symbol::take_out(symbol, short, check);
                } else {
                    symbol::put(symbol, short, check);
                }
                self.pure.push(places.at() as usize);
                places.advance();
            }
            let side = if pure.is_put_in { &mut self.theirs_alone } else { &mut self.ours_alone };
            // An id stands once in a set, on one side, and where its short form says: else this would not end.
            if !is_there || !side.insert(short) || !self.is_on_one_side(short) {
                return Err(SketchError::OfNoSet);
            }
            self.found.join(places, short, check, !pure.is_put_in);
        }
        Ok(())
    }

    fn is_on_one_side(&self, short: Short) -> bool {
        !(self.theirs_alone.contains(&short) && self.ours_alone.contains(&short))
    }
}

/// More symbols than two sets of together so many ids ever need: a pair of ids that share all their places
/// up to the n-th comes with a chance that falls with the fourth power of n.
fn symbols_max(ids: usize) -> usize {
    ids.saturating_mul(2).saturating_add(1_024)
}

/// Why a peer's sketch leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SketchError {
    /// The peer's fault, or two ids of one short form.
    #[error("a sketch holds an id where it can't stand")]
    OfNoSet,
    /// The same.
    #[error("a sketch is not understood after {max} symbols, more than any two sets of this size need")]
    Endless {
        /// How many.
        max: usize,
    },
}
