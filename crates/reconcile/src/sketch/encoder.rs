//! A set becomes its symbols, one after another, for as long as somebody asks: each id waits in a heap
//! for the next place that it falls into.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rukun_wire::{Short, Symbol};

use super::key::SketchKey;
use super::places::Places;
use super::symbol;

/// The stream of a set's symbols.
#[derive(Clone, Debug)]
pub struct Encoder {
    waiting: BinaryHeap<Reverse<Waiting>>,
    next: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    places: Places,
    short: Short,
    check: u32,
    is_put_in: bool,
}

impl Encoder {
    /// Of these ids, from the symbol at this place on.
    pub fn new(key: &SketchKey, shorts: impl IntoIterator<Item = Short>, from: u64) -> Self {
        let mut encoder = Self { waiting: BinaryHeap::new(), next: from };
        encoder.waiting = shorts
            .into_iter()
            .map(|short| {
                let mut places = Places::of(short);
                while places.at() < from {
                    places.advance();
                }
                Reverse(Waiting { places, short, check: key.check(short), is_put_in: true })
            })
            .collect();
        encoder
    }

    /// How many ids there are.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The next symbol.
    pub fn symbol(&mut self) -> Symbol {
        let mut symbol = Symbol::default();
        while let Some(mut top) = self.waiting.peek_mut() {
            let Reverse(waiting) = &mut *top;
            if waiting.places.at() != self.next {
                break;
            }
            if waiting.is_put_in {
                symbol::put(&mut symbol, waiting.short, waiting.check);
            } else {
                symbol::take_out(&mut symbol, waiting.short, waiting.check);
            }
            waiting.places.advance();
        }
        self.next += 1;
        symbol
    }

    /// From the next symbol on this id counts as well, put in or taken away; its places must stand there
    /// or beyond.
    pub(super) fn join(&mut self, places: Places, short: Short, check: u32, is_put_in: bool) {
        self.waiting.push(Reverse(Waiting { places, short, check, is_put_in }));
    }
}
