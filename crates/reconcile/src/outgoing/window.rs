//! Acknowledgements become how much may be under way to a peer: three seconds of what the link carries, so that what
//! is urgent waits no longer than that behind what was sent before it. A link is measured only while it is busy.

use rukun_wire::Effort;
use rukun_wire::limits::{BLOB_PIECE_BYTES_MAX, FRAME_CHANGES_MAX};

/// What may be under way, in seconds of the link's rate.
const UNDER_WAY_SECONDS: u64 = 3;
/// What may be under way while nothing is known of the link.
const UNKNOWN_BYTES_MAX: u64 = 16 * 1024;
/// No link is taken for slower than this many bytes a second.
const RATE_MIN: u64 = 1_024;
/// What came sooner than this may have been acknowledged together, which tells no rate
const MEASURED_MS_MIN: u64 = 200;
/// unless it was this much.
const MEASURED_BYTES_MIN: u64 = 64 * 1024;
/// What was measured counts half as much after so long.
const HALVED_AFTER_MS: u64 = 8_000;
/// A link that carries less than this a second is slow: a frame of the longest takes a fifth of a second on it, and is
/// cut off with it as often.
const FAST_RATE_MIN: u64 = 64 * 1024;
/// The most changes in one frame on a slow link. Half as many cost a tenth more each, twice as many a twentieth less.
const SLOW_FRAME_CHANGES_MAX: usize = 16;
/// The most bytes of a file in one message on a slow link.
const SLOW_PIECE_BYTES_MAX: usize = 2 * 1024;

/// What a link was seen to carry.
#[derive(Debug, Default)]
pub(super) struct Window {
    bytes: u64,
    ms: u64,
    /// When something was last acknowledged, if more was under way then.
    busy_since_ms: Option<u64>,
}

impl Window {
    /// A frame of this length was acknowledged, and there is more under way or not.
    pub(super) fn acknowledged(&mut self, now_ms: u64, bytes: u64, is_more_under_way: bool) {
        if let Some(since) = self.busy_since_ms {
            self.bytes += bytes;
            self.ms += now_ms.saturating_sub(since);
        }
        self.busy_since_ms = is_more_under_way.then_some(now_ms);
        if self.ms > HALVED_AFTER_MS {
            (self.bytes, self.ms) = (self.bytes / 2, self.ms / 2);
        }
    }

    /// How many bytes may be under way before nothing more is sent.
    pub(super) fn bytes_max(&self) -> u64 {
        self.rate().map_or(UNKNOWN_BYTES_MAX, |rate| rate.max(RATE_MIN) * UNDER_WAY_SECONDS)
    }

    /// How many changes a frame may have: on a slow link what was cut off with one is soon sent again.
    pub(super) fn frame_changes_max(&self) -> usize {
        if self.is_fast() { FRAME_CHANGES_MAX } else { SLOW_FRAME_CHANGES_MAX }
    }

    /// How many bytes of a file a message may have, likewise.
    pub(super) fn piece_bytes_max(&self) -> usize {
        if self.is_fast() { BLOB_PIECE_BYTES_MAX } else { SLOW_PIECE_BYTES_MAX }
    }

    fn is_fast(&self) -> bool {
        self.rate().is_some_and(|rate| rate >= FAST_RATE_MIN)
    }

    /// How hard to try to make a frame short: on a link that is known to be slow there is time for it.
    pub(super) fn effort(&self) -> Effort {
        let is_slow = self.rate().is_some_and(|rate| rate < FAST_RATE_MIN);
        if is_slow { Effort::Thorough } else { Effort::Quick }
    }

    /// In bytes a second.
    fn rate(&self) -> Option<u64> {
        let is_measured = self.ms >= MEASURED_MS_MIN || self.bytes >= MEASURED_BYTES_MIN;
        is_measured.then(|| self.bytes * 1_000 / self.ms.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(acknowledged: &[(u64, u64, bool)]) -> Window {
        let mut window = Window::default();
        for (now_ms, bytes, more) in acknowledged {
            window.acknowledged(*now_ms, *bytes, *more);
        }
        window
    }

    #[test]
    fn three_seconds_of_a_slow_link_may_be_under_way_in_short_frames() {
        let window = after(&[(1_000, 8_000, true), (4_200, 8_000, true), (7_400, 8_000, false)]);
        assert_eq!((window.bytes_max(), window.frame_changes_max()), (7_500, 16));
        assert_eq!(window.effort(), Effort::Thorough);
    }

    #[test]
    fn a_fast_link_is_filled_by_whole_frames() {
        let window = after(&[(1_000, 24_000, true), (1_300, 24_000, true), (1_600, 24_000, true)]);
        assert_eq!((window.bytes_max(), window.frame_changes_max()), (240_000, 64));
        assert_eq!(window.effort(), Effort::Quick);
        let at_once = after(&[(5, 40_000, true), (5, 40_000, true), (5, 40_000, true)]);
        assert_eq!((at_once.bytes_max(), at_once.frame_changes_max()), (240_000_000, 64));
    }

    #[test]
    fn a_link_that_rests_and_frames_that_are_acknowledged_together_tell_no_rate() {
        let rested = after(&[(1_000, 8_000, false), (60_000, 8_000, false)]);
        let together = after(&[(1_000, 8_000, true), (1_001, 8_000, true)]);
        for window in [Window::default(), rested, together] {
            assert_eq!((window.bytes_max(), window.frame_changes_max()), (16_384, 16));
            assert_eq!(window.effort(), Effort::Quick);
        }
    }

    #[test]
    fn a_link_that_grows_slow_is_noticed() {
        let mut window = after(&[(0, 100_000, true), (1_000, 100_000, true)]);
        for second in 1..=20 {
            window.acknowledged(1_000 + second * 3_000, 3_000, true);
        }
        assert!(window.bytes_max() < 6_000, "{window:?}");
    }
}
