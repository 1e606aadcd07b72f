//! What a peer can get wrong in a session, whatever the content.

/// A message that the protocol has no place for: the peer's fault, and the end of the link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A frame out of turn.
    #[error("frame {found} came where frame {expected} is due")]
    FrameOrder {
        /// The number it has.
        found: u64,
        /// The number that is due.
        expected: u64,
    },
    /// An acknowledgement of what is not in flight.
    #[error("frame {frame} was acknowledged, which is not the oldest in flight")]
    AckOrder {
        /// The frame.
        frame: u64,
    },
    /// An exception for a change that the frame did not hold.
    #[error("frame {frame} was acknowledged but for a change that was not in it")]
    AckException {
        /// The frame.
        frame: u64,
    },
    /// The log of a peer goes forwards only.
    #[error("log position {found} came after {before}")]
    LogOrder {
        /// The position it has.
        found: u64,
        /// The position before.
        before: u64,
    },
    /// A cursor in a log that nobody can have seen longer than it is.
    #[error("the greeting claims place {claimed} of a log that ends at {head} and was never longer")]
    CursorBeyond {
        /// The place.
        claimed: u64,
        /// The end.
        head: u64,
    },
    /// An answer to no summary.
    #[error("a difference was named where no summary waits for one")]
    NoSummary,
    /// An answer to no sketch.
    #[error("a sketch was answered where none waits for an answer")]
    NoSketch,
    /// Symbols that nobody asked for.
    #[error("symbols of a sketch came that were not asked for")]
    NoSymbols,
    /// A difference outside the summary.
    #[error("a difference was named in a sub-SLS that the summary did not have")]
    NotInSummary,
    /// Ids of a sub-SLS that nobody said differs.
    #[error("ids were listed of a sub-SLS where no difference was named")]
    NotAsked,
    /// A want of what was not listed.
    #[error("a change was wanted that was not listed")]
    NotListed,
    /// A message before its time.
    #[error("message {message} came {phase}")]
    Phase {
        /// The message.
        message: &'static str,
        /// When.
        phase: &'static str,
    },
    /// More than anyone honest sends.
    #[error("more {what} than the limit of {max}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
}
