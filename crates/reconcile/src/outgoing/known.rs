//! What of our log the peer is known to hold: up to a place, after a gap up to another, and never what it
//! said that it does not. What it may read is not asked here.

use std::collections::BTreeMap;

use rukun_change::{ChangeId, SubSls};

/// What of our log the peer is known to hold. Places are numbers of log entries.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// All up to here.
    upto: u64,
    gap: Option<Gap>,
    /// Acknowledged with these excepted, which wait there or were refused: after which place each stands.
    excepted: BTreeMap<ChangeId, u64>,
}

/// Between what is acknowledged and where the log was taken up lies something that nobody has said the
/// peer holds. Only agreement closes the gap, and where work never rests that may be long in coming.
#[derive(Clone, Copy, Debug)]
struct Gap {
    end: u64,
    /// What was sent after its end is acknowledged up to here.
    beyond: u64,
}

impl Known {
    /// All of a log up to here, and nothing else of it.
    pub fn all_upto(upto: u64) -> Self {
        Self { upto, ..Self::default() }
    }

    /// The log is sent after `after`; that the peer has it is known up to `known`.
    pub(super) fn new(after: u64, known: u64) -> Self {
        let gap = (known < after).then_some(Gap { end: after, beyond: after });
        Self { upto: known.min(after), gap, ..Self::default() }
    }

    /// It holds all up to here, but what is excepted.
    pub fn upto(&self) -> u64 {
        self.upto
    }

    /// Whether it holds the change at this place.
    pub fn holds(&self, seq: u64, id: &ChangeId) -> bool {
        let beyond_gap = self.gap.is_some_and(|gap| gap.end < seq && seq <= gap.beyond);
        (seq <= self.upto || beyond_gap) && !self.excepted.contains_key(id)
    }

    /// After this place stands all that it may lack.
    pub fn lacks_after(&self) -> u64 {
        self.excepted.values().copied().fold(self.upto, u64::min)
    }

    pub(super) fn advance(&mut self, upto: u64) {
        let known = self.gap.as_mut().map_or(&mut self.upto, |gap| &mut gap.beyond);
        *known = upto.max(*known);
    }

    /// Of what stands after a place of the log it took these, and not those.
    pub(super) fn took(&mut self, after: u64, taken: &BTreeMap<ChangeId, SubSls>, excepted: &[ChangeId]) {
        self.excepted.retain(|id, _| !taken.contains_key(id));
        for id in excepted {
            self.excepted.entry(*id).or_insert(after);
        }
    }

    /// Both hold the same.
    pub(super) fn agree(&mut self, upto: u64) {
        *self = Self::all_upto(upto);
    }

    /// It may read elsewhere now: what it took of the log up to here says nothing of what it may read there
    /// only now.
    pub(super) fn forget(&mut self, upto: u64) {
        (self.upto, self.gap) = (0, Some(Gap { end: upto, beyond: upto }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> ChangeId {
        ChangeId::from_bytes([byte; 32])
    }

    #[test]
    fn what_it_said_that_it_lacks_is_not_held_until_it_took_it_or_both_agree() {
        let mut known = Known::new(4, 2);
        known.took(4, &BTreeMap::new(), &[id(6)]);
        known.advance(7);
        let holds = |known: &Known| [2, 3, 5, 6, 7, 8].map(|seq| known.holds(u64::from(seq), &id(seq)));
        assert_eq!(holds(&known), [true, false, true, false, true, false]);
        assert_eq!((known.upto(), known.lacks_after()), (2, 2));

        let home = "1811010005000300".parse().unwrap();
        let mut later = known.clone();
        later.took(0, &BTreeMap::from([(id(6), home)]), &[]);
        assert_eq!(holds(&later), [true, false, true, true, true, false]);

        known.agree(7);
        assert_eq!(holds(&known), [true, true, true, true, true, false]);
        known.took(5, &BTreeMap::new(), &[id(6)]);
        assert_eq!((known.holds(6, &id(6)), known.holds(7, &id(7)), known.lacks_after()), (false, true, 5));
    }
}
