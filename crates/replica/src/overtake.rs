//! What is written while much else is still to be sent to a peer goes before that, with all of its record that the
//! peer does not have yet, so that it waits for no causes there. What comes in great numbers waits for its turn.

use std::collections::BTreeSet;

use rukun_change::{ChangeId, RecordId};

use crate::input::LinkId;
use crate::replica::{Replica, ReplicaError};
use crate::send::covers;
use crate::session::Link;

/// Where less than this is to be sent, nothing overtakes.
const BACKLOG_ENTRIES_MIN: u64 = 64;
/// More records than this at once are no urgent change.
const FRESH_RECORDS_MAX: usize = 8;

impl Replica {
    /// A change of this record was appended to the log.
    pub(crate) fn note_fresh(&mut self, record: RecordId) {
        if self.fresh.len() <= FRESH_RECORDS_MAX {
            self.fresh.insert(record);
        }
    }

    /// The few records that were changed since this was last asked; none if they were many.
    pub(crate) fn take_fresh(&mut self) -> BTreeSet<RecordId> {
        let fresh = std::mem::take(&mut self.fresh);
        if fresh.len() > FRESH_RECORDS_MAX { BTreeSet::new() } else { fresh }
    }

    /// Lets these overtake what else is to be sent.
    pub(crate) fn overtake(&mut self, link: LinkId, fresh: &BTreeSet<RecordId>) -> Result<(), ReplicaError> {
        let head = self.store.head();
        let Some(open) = self.links.get(&link) else { return Ok(()) };
        if head.saturating_sub(open.outgoing.position()) < BACKLOG_ENTRIES_MIN {
            return Ok(());
        }
        let readable = fresh.iter().filter(|record| covers(&open.reads, &record.home()));
        let unsent = readable.map(|record| self.unsent(open, record)).collect::<Result<Vec<_>, _>>()?;
        if let Some(open) = self.links.get_mut(&link) {
            for changes in &unsent {
                open.outgoing.overtakes(changes);
            }
        }
        Ok(())
    }

    /// What of a record the log would still bring to this peer, in its order.
    fn unsent(&self, open: &Link, record: &RecordId) -> Result<Vec<(u64, ChangeId)>, ReplicaError> {
        let mut unsent = Vec::new();
        for change in self.store.record_changes(record)? {
            let Some(seq) = self.store.change_seq(&change.id())? else { continue };
            let entry = self.store.scan(seq - 1, 1)?;
            let is_theirs = entry.iter().any(|entry| entry.from == Some(open.peer));
            if seq > open.outgoing.position() && !is_theirs {
                unsent.push((seq, change.id()));
            }
        }
        unsent.sort_unstable();
        Ok(unsent)
    }
}
