//! What we hold in all that both sides may read goes as one sketch, whose answer tells what the peer
//! lacks of it. A sketch that leads nowhere goes once more under another salt, and then each sub-SLS is
//! summarised by itself, which nobody can craft a way around.

use std::collections::{BTreeMap, BTreeSet};

use rukun_change::{ChangeId, SubSls};
use rukun_wire::limits::SYMBOLS_MAX;

use super::{Compare, Outgoing, ROUNDS_MAX};
use crate::violation::Violation;

/// How often a sketch may lead nowhere before sub-SLS are summarised instead.
const UNCLEAR_MAX: u32 = 2;

/// A sketch that waits for its answer.
#[derive(Debug)]
pub(super) struct Sketched {
    /// Where something is held of what it tells.
    places: BTreeSet<SubSls>,
    /// How many symbols the peer has.
    symbols: usize,
    /// How many it asks for.
    asked: usize,
    /// It went with the greeting, before either side had said that it has sent everything.
    is_early: bool,
}

impl Outgoing {
    /// Whether a comparison of everything goes as a sketch, and not as a summary of each sub-SLS.
    pub fn sketches(&self) -> bool {
        self.unclear < UNCLEAR_MAX && self.sketch.is_none()
    }

    /// Whether ids go under a salt, since without one a sketch led nowhere.
    pub fn is_salted(&self) -> bool {
        self.unclear > 0
    }

    /// A sketch of what is held in these sub-SLS is on its way, with so many symbols. It takes the place of one
    /// that waits.
    pub fn sketched(&mut self, places: BTreeSet<SubSls>, symbols: usize) {
        self.sketch = Some(Sketched { places, symbols, asked: symbols, is_early: false });
        self.agreed = false;
    }

    /// A sketch of these sub-SLS went with the greeting, with so many symbols. If it is not of what would be sketched
    /// now, its answer settles nothing.
    pub fn sketched_early(&mut self, places: BTreeSet<SubSls>, symbols: usize, is_of_now: bool) {
        self.sketch = Some(Sketched { places, symbols, asked: symbols, is_early: true });
        if is_of_now {
            self.compare = Compare::In(BTreeSet::new());
        }
    }

    /// The peer's own sketch showed that it holds all that we could tell it of, and we all that it told of. Where
    /// something is under way or asked for, that is settled first.
    pub fn proved_equal(&mut self) {
        let is_asking = self.sketch.is_some()
            || !self.summaries.is_empty()
            || !self.in_flight.is_empty()
            || !self.to_list.is_empty()
            || !self.listed.is_empty()
            || !self.wanted.is_empty();
        if is_asking {
            return;
        }
        self.compare = Compare::In(BTreeSet::new());
        self.unsettled.clear();
        self.lacking.clear();
        self.came.clear();
        self.set_agreed(true);
    }

    /// The peer asks for the symbols of the sketch up to so many.
    ///
    /// # Errors
    /// If no sketch waits, or they are none or too many.
    pub fn more(&mut self, symbols: u64) -> Result<(), Violation> {
        let sketch = self.sketch.as_mut().ok_or(Violation::NoSketch)?;
        match usize::try_from(symbols) {
            Ok(symbols) if sketch.asked < symbols && symbols <= SYMBOLS_MAX => sketch.asked = symbols,
            _ => return Err(Violation::TooMuch { what: "symbols of a sketch", max: SYMBOLS_MAX }),
        }
        Ok(())
    }

    /// The symbols that are due: from the first of these places up to the second.
    pub(super) fn symbols_due(&mut self) -> Option<(usize, usize)> {
        let sketch = self.sketch.as_mut().filter(|sketch| sketch.symbols < sketch.asked)?;
        Some((std::mem::replace(&mut sketch.symbols, sketch.asked), sketch.asked))
    }

    /// The peer answered the sketch: it lacks these changes of it. `are_all` if it named nothing else.
    ///
    /// # Errors
    /// If no sketch waits.
    pub fn lacks(&mut self, found: &BTreeMap<ChangeId, SubSls>, are_all: bool) -> Result<(), Violation> {
        let sketch = self.sketch.take().ok_or(Violation::NoSketch)?;
        for place in &sketch.places {
            self.unsettled.remove(place);
            self.lacking.remove(place);
        }
        let doubtful: Vec<SubSls> =
            sketch.places.iter().filter(|place| self.came.remove(*place)).copied().collect();
        if let Compare::In(compare) = &mut self.compare {
            compare.extend(&doubtful);
        }
        self.unsettled.extend(doubtful);
        if !are_all {
            self.unclear += 1;
        }
        self.unsettled.extend(found.values());
        self.lacking.extend(found.values());
        if (!found.is_empty() || !are_all) && self.rounds < ROUNDS_MAX {
            self.rounds += 1;
            self.want(found.keys());
            // What a sketch tells is a guess: the next one proves it.
            self.compare = Compare::Everywhere;
        }
        let has_all = are_all && found.is_empty() && self.is_settled();
        self.set_agreed(has_all || cfg!(planted = "lack-unheard"));
        Ok(())
    }

    /// The peer can't tell what it lacks by the sketch, nor under another salt unless `again`.
    ///
    /// # Errors
    /// If no sketch waits.
    pub fn unclear(&mut self, again: bool) -> Result<(), Violation> {
        let sketch = self.sketch.take().ok_or(Violation::NoSketch)?;
        self.compare = Compare::Everywhere;
        // The next one is of what has come meanwhile, too.
        if self.summaries.is_empty() {
            self.came.clear();
        }
        if sketch.is_early {
            return Ok(());
        }
        self.unclear = if again { self.unclear + 1 } else { UNCLEAR_MAX };
        Ok(())
    }

    /// The peer's own sketch showed that it lacks these. Some may be on their way.
    pub fn found_lacking(&mut self, found: &BTreeMap<ChangeId, SubSls>) {
        let mut new: BTreeMap<ChangeId, SubSls> = found.clone();
        new.retain(|id, _| self.in_flight.iter().all(|flight| !flight.changes.contains_key(id)));
        if new.is_empty() {
            return;
        }
        self.agreed = false;
        self.unsettled.extend(new.values());
        if self.rounds >= ROUNDS_MAX {
            return;
        }
        self.rounds += 1;
        self.lacking.extend(new.values());
        if let Compare::In(places) = &mut self.compare {
            places.extend(new.values());
        }
        self.want(new.keys());
    }

    /// What is wanted and has not gone yet.
    pub fn wanted(&self) -> impl Iterator<Item = &ChangeId> {
        self.wanted.iter()
    }

    /// What is wanted goes in the order of these places in the log, causes first: a sketch tells of ids, which
    /// know no order.
    pub fn sort_wanted(&mut self, places: &BTreeMap<ChangeId, u64>) {
        self.wanted.make_contiguous().sort_by_key(|id| places.get(id));
    }

    /// At most what a sketch can tell at once, which is far below what may be wanted. What is on its way goes
    /// once: the peer may have said what it lacks before that came.
    fn want<'a>(&mut self, ids: impl Iterator<Item = &'a ChangeId>) {
        let known: BTreeSet<ChangeId> = self.wanted.iter().copied().collect();
        let flights = &self.in_flight;
        let flies = |id: &ChangeId| flights.iter().any(|flight| flight.changes.contains_key(id));
        self.wanted.extend(ids.filter(|id| !known.contains(*id) && !flies(id)));
    }
}
