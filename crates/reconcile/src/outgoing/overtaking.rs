//! What goes before the log it stands in, since it was written while much of that was still to be sent, or since it went
//! with the greeting. The log passes over it later.

use std::collections::{BTreeSet, VecDeque};

use rukun_change::{ChangeId, SubSls};

use super::Outgoing;

/// How much of the log may have been sent before its turn.
const AHEAD_MAX: usize = 64;

/// What overtakes the log.
#[derive(Debug, Default)]
pub(super) struct Overtaking {
    due: VecDeque<ChangeId>,
    /// The places of what is due, and of what was sent.
    ahead: BTreeSet<u64>,
}

impl Outgoing {
    /// These, at places of the log that it is not sent to yet, go before it, if there are not too many.
    pub fn overtakes(&mut self, changes: &[(u64, ChangeId)]) {
        self.overtaking.add(changes);
    }

    /// Whether what stands at this place of the log has gone before it.
    pub fn has_overtaken(&self, seq: u64) -> bool {
        self.overtaking.includes(seq)
    }

    /// A frame with these changes, of these places of the log, goes with the greeting, before the peer has said how
    /// much of the log it has. Gives the frame's number.
    pub fn sent_early(
        &mut self,
        places: &[u64],
        changes: impl IntoIterator<Item = (ChangeId, SubSls)>,
    ) -> u64 {
        self.overtaking.ahead.extend(places);
        self.sent(None, changes)
    }

    /// The same, where this went with the greeting and the peer has taken it.
    #[must_use]
    pub fn following(self, early: Self) -> Self {
        Self { in_flight: early.in_flight, overtaking: early.overtaking, ..self }
    }
}

impl Overtaking {
    /// Lets these overtake, by their places, all of them or none.
    pub(super) fn add(&mut self, changes: &[(u64, ChangeId)]) {
        let fits = self.ahead.len() + changes.len() <= AHEAD_MAX;
        for (seq, id) in changes.iter().filter(|_| fits) {
            if self.ahead.insert(*seq) {
                self.due.push_back(*id);
            }
        }
    }

    /// What is to be sent now, as much as a frame may have.
    pub(super) fn next(&mut self, frame_changes_max: usize) -> Option<Vec<ChangeId>> {
        let frame = self.due.len().min(frame_changes_max);
        (frame > 0).then(|| self.due.drain(..frame).collect())
    }

    /// Whether what stands at this place needs no sending any more.
    pub(super) fn includes(&self, seq: u64) -> bool {
        self.ahead.contains(&seq)
    }

    /// The log was sent up to here.
    pub(super) fn passed(&mut self, upto: u64) {
        self.ahead = self.ahead.split_off(&(upto + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(places: std::ops::Range<u64>) -> Vec<(u64, ChangeId)> {
        places.map(|seq| (seq, ChangeId::from_bytes([u8::try_from(seq).unwrap(); 32]))).collect()
    }

    #[test]
    fn what_overtakes_goes_once_and_in_its_order() {
        let mut overtaking = Overtaking::default();
        overtaking.add(&changes(3..5));
        overtaking.add(&changes(3..6));
        let ids: Vec<ChangeId> = changes(3..6).into_iter().map(|(_, id)| id).collect();
        assert_eq!(
            (overtaking.next(2), overtaking.next(2)),
            (Some(ids[..2].to_vec()), Some(ids[2..].to_vec()))
        );
        assert_eq!(overtaking.next(2), None);
        assert!((3..6).all(|seq| overtaking.includes(seq)) && !overtaking.includes(6));
    }

    #[test]
    fn a_record_overtakes_whole_or_not_at_all_and_the_log_makes_room_for_others() {
        let mut overtaking = Overtaking::default();
        overtaking.add(&changes(1..60));
        overtaking.add(&changes(70..80));
        assert!(!(70..80).any(|seq| overtaking.includes(seq)));
        overtaking.passed(50);
        overtaking.add(&changes(70..80));
        assert!((70..80).all(|seq| overtaking.includes(seq)) && !overtaking.includes(50));
    }
}
