//! The receiving half: it holds the peer to the order of its frames and of its log, and remembers
//! where it was told that sets differ.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rukun_change::{Fingerprint, SubSls};
use rukun_wire::{Short, Sketch};

use crate::sketch::Difference;
use crate::violation::Violation;

/// The most summaries that may wait for an answer.
const SUMMARIES_MAX: usize = 8;

/// What comes from one peer on one link.
#[derive(Debug, Default)]
pub struct Incoming {
    frames: u64,
    upto: u64,
    quiet: bool,
    was_quiet: bool,
    /// Summaries that wait until all that we have is on its way, oldest first.
    summaries: VecDeque<Vec<(SubSls, Fingerprint)>>,
    differing: BTreeSet<SubSls>,
    asking: Option<Asking>,
}

/// A sketch of which more symbols are asked for.
#[derive(Debug)]
pub struct Asking {
    /// It, as it came.
    pub sketch: Sketch,
    /// What was held here of its regions.
    pub held: Fingerprint,
    /// The receipts held there, and where in the log they stand.
    pub receipts: BTreeMap<Short, u64>,
    /// What its symbols told so far.
    pub difference: Difference,
}

impl Incoming {
    /// A new link's receiving half, that has the peer's log up to here.
    pub fn new(upto: u64) -> Self {
        Self { upto, ..Self::default() }
    }

    /// A frame of changes came.
    ///
    /// # Errors
    /// If it is out of turn.
    pub fn frame(&mut self, frame: u64, upto: Option<u64>) -> Result<(), Violation> {
        if frame != self.frames + 1 {
            return Err(Violation::FrameOrder { found: frame, expected: self.frames + 1 });
        }
        if let Some(upto) = upto {
            if upto <= self.upto {
                return Err(Violation::LogOrder { found: upto, before: self.upto });
            }
            self.upto = upto;
        }
        self.frames = frame;
        self.quiet = false;
        Ok(())
    }

    /// Up to where the peer's log has come.
    pub fn upto(&self) -> u64 {
        self.upto
    }

    /// The peer says that it has nothing more to send for now.
    pub fn said_quiet(&mut self) {
        (self.quiet, self.was_quiet) = (true, true);
    }

    /// We asked the peer for something that it is to send: it says again when it has.
    pub fn asked_for(&mut self) {
        self.quiet = false;
    }

    /// Whether the peer had nothing more to send when it last spoke of it.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether it has not said so yet in this session: what it asks goes with its greeting.
    pub fn is_greeting(&self) -> bool {
        !self.was_quiet
    }

    /// A summary came. It is answered once our own log is sent, so that the peer never takes a
    /// difference that is still to come for agreement.
    ///
    /// # Errors
    /// If too many wait already.
    pub fn summarised(&mut self, rows: Vec<(SubSls, Fingerprint)>) -> Result<(), Violation> {
        if self.summaries.len() == SUMMARIES_MAX {
            return Err(Violation::TooMuch { what: "summaries", max: SUMMARIES_MAX });
        }
        self.summaries.push_back(rows);
        Ok(())
    }

    /// The oldest summary that waits for its answer.
    pub fn next_summary(&mut self) -> Option<Vec<(SubSls, Fingerprint)>> {
        self.summaries.pop_front()
    }

    /// A sketch came. It takes the place of one that symbols are awaited of.
    pub fn sketched(&mut self) {
        self.asking = None;
    }

    /// More symbols of a sketch are asked for.
    pub fn asked(&mut self, asking: Asking) {
        self.asking = Some(asking);
    }

    /// Symbols came: the sketch that they go on with.
    ///
    /// # Errors
    /// If nobody asked for them.
    pub fn symbols(&mut self) -> Result<Asking, Violation> {
        self.asking.take().ok_or(Violation::NoSymbols)
    }

    /// We named these as differing, so their ids will be listed.
    pub fn named(&mut self, differing: &[SubSls]) {
        self.differing.extend(differing);
    }

    /// Ids of a sub-SLS came.
    ///
    /// # Errors
    /// If we had not named it as differing.
    pub fn listed(&mut self, sub_sls: SubSls, last: bool) -> Result<(), Violation> {
        let asked = if last { self.differing.remove(&sub_sls) } else { self.differing.contains(&sub_sls) };
        if asked { Ok(()) } else { Err(Violation::NotAsked) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_out_of_turn_or_a_log_that_goes_back_is_a_violation() {
        let mut incoming = Incoming::new(5);
        assert_eq!(incoming.frame(1, Some(9)), Ok(()));
        assert_eq!(incoming.frame(3, None), Err(Violation::FrameOrder { found: 3, expected: 2 }));
        assert_eq!(incoming.frame(2, Some(9)), Err(Violation::LogOrder { found: 9, before: 9 }));
        assert_eq!(incoming.frame(2, None), Ok(()));
    }

    #[test]
    fn summaries_wait_in_order_and_only_so_many() {
        let mut incoming = Incoming::default();
        let rows = |place: &str| vec![(place.parse().unwrap(), Fingerprint::default())];
        for _ in 0..SUMMARIES_MAX {
            assert_eq!(incoming.summarised(rows("1811010005000300")), Ok(()));
        }
        assert!(incoming.summarised(rows("1811010005000400")).is_err());
        assert_eq!(incoming.next_summary(), Some(rows("1811010005000300")));
        assert_eq!(incoming.summarised(rows("1811010005000400")), Ok(()));
    }

    #[test]
    fn ids_are_taken_only_where_a_difference_was_named() {
        let place: SubSls = "1811010005000300".parse().unwrap();
        let mut incoming = Incoming::default();
        assert_eq!(incoming.listed(place, true), Err(Violation::NotAsked));
        incoming.named(&[place]);
        assert_eq!(incoming.listed(place, false), Ok(()));
        assert_eq!(incoming.listed(place, true), Ok(()));
        assert_eq!(incoming.listed(place, true), Err(Violation::NotAsked));
    }
}
