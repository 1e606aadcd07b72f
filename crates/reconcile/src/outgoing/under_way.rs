//! Frames that have left for a peer and are not acknowledged yet, oldest first, and whether another may follow. They
//! are acknowledged in the order in which they left.

use std::collections::{BTreeMap, VecDeque};

use rukun_change::{ChangeId, SubSls};
use rukun_wire::Effort;

use super::window::Window;
use crate::violation::Violation;

/// The most frames that may be sent and not yet acknowledged.
pub const FRAMES_IN_FLIGHT_MAX: usize = 16;
/// So many may always be: the link would rest while one is acknowledged.
const FRAMES_IN_FLIGHT_MIN: usize = 2;

/// What is under way to a peer.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// How many have left in all.
    frames: u64,
    flights: VecDeque<Flight>,
    window: Window,
}

/// A frame that has left.
#[derive(Debug, Default)]
pub(super) struct Flight {
    frame: u64,
    /// Where in the log it begins, if it is part of it.
    pub(super) after: u64,
    pub(super) upto: Option<u64>,
    pub(super) changes: BTreeMap<ChangeId, SubSls>,
    bytes: u64,
}

impl UnderWay {
    /// A frame leaves; gives its number.
    pub(super) fn left(&mut self, after: u64, upto: Option<u64>, changes: BTreeMap<ChangeId, SubSls>) -> u64 {
        self.frames += 1;
        self.flights.push_back(Flight { frame: self.frames, after, upto, changes, bytes: 0 });
        self.frames
    }

    /// The last frame that left takes so many bytes.
    pub(super) fn weighed(&mut self, bytes: usize) {
        if let Some(flight) = self.flights.back_mut() {
            flight.bytes = bytes as u64;
        }
    }

    /// The frame that the peer acknowledges, with these changes excepted.
    ///
    /// # Errors
    /// If that frame is not the oldest or never held what is excepted.
    pub(super) fn acknowledged(
        &mut self,
        now_ms: u64,
        frame: u64,
        exceptions: &[ChangeId],
    ) -> Result<Flight, Violation> {
        let oldest = self.flights.front().filter(|oldest| oldest.frame == frame);
        let oldest = oldest.ok_or(Violation::AckOrder { frame })?;
        if !exceptions.iter().all(|id| oldest.changes.contains_key(id)) {
            return Err(Violation::AckException { frame });
        }
        let flight = self.flights.pop_front().unwrap_or_default();
        self.window.acknowledged(now_ms, flight.bytes, !self.flights.is_empty());
        Ok(flight)
    }

    /// Whether nothing more may leave before something is acknowledged.
    pub(super) fn is_full(&self) -> bool {
        let bytes: u64 = self.flights.iter().map(|flight| flight.bytes).sum();
        self.flights.len() >= FRAMES_IN_FLIGHT_MAX
            || (self.flights.len() >= FRAMES_IN_FLIGHT_MIN && bytes >= self.window.bytes_max())
    }

    /// How hard to try to make the next frame short.
    pub(super) fn effort(&self) -> Effort {
        self.window.effort()
    }

    /// How many changes the next frame may have.
    pub(super) fn frame_changes_max(&self) -> usize {
        self.window.frame_changes_max()
    }

    /// How many bytes of a file a message may have.
    pub(super) fn piece_bytes_max(&self) -> usize {
        self.window.piece_bytes_max()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Flight> {
        self.flights.iter()
    }
}
