//! For what a change that can't be placed yet waits, so that only what may be placed is looked at again.

use rukun_change::{CauseHash, DeviceKey, Ink, RecordId, SubSls};

/// For what a change waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// It was not judged since the start.
    Unknown,
    /// That its author is known to have covered this place.
    Grant {
        /// The author.
        device: DeviceKey,
        /// Where the record lives.
        home: SubSls,
    },
    /// A change in one of these inks of its record.
    Cause {
        /// The record.
        record: RecordId,
        /// Its own ink for what it follows, those below for what it saw.
        inks: Vec<Ink>,
        /// The change.
        cause: CauseHash,
    },
}
