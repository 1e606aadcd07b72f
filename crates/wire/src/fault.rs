//! What can be wrong with bytes from a peer. All of it is the peer's fault: its link is closed
//! and the fault counted, and the node goes on.

use rukun_change::cbor::CborError;
use rukun_change::{ChangeError, FingerprintError, RegionError};

/// Why bytes from a peer are no frame or no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A frame that claims more than a frame may hold.
    #[error("peer announced a frame of {bytes} bytes where at most {max} are allowed")]
    FrameTooLong {
        /// What it claims.
        bytes: usize,
        /// What is allowed.
        max: usize,
    },
    /// A frame without even a type.
    #[error("peer sent an empty frame")]
    EmptyFrame,
    /// A type of message that version 1 does not have.
    #[error("peer sent a message of type {number}, which there is not")]
    UnknownType {
        /// The type it names.
        number: u8,
    },
    /// A message that is not what its type says.
    #[error("peer sent a malformed {message}: {fault}")]
    Malformed {
        /// Which message.
        message: &'static str,
        /// What is wrong with it.
        #[source]
        fault: Fault,
    },
}

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not deterministic CBOR of the right shape, or over a limit.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// A change that is none.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// A code that is no sub-SLS.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// A fingerprint that is none.
    #[error(transparent)]
    Fingerprint(#[from] FingerprintError),
    /// A list of rows of one width whose length is no multiple of it.
    #[error("{bytes} bytes are no whole number of rows of {width}")]
    BrokenRow {
        /// How many bytes the rows have together.
        bytes: usize,
        /// How many each should have.
        width: usize,
    },
    /// A list that must ascend and does not, or has an entry twice.
    #[error("entry {index} of the list is out of order or there twice")]
    OutOfOrder {
        /// Which entry, counted from 0.
        index: usize,
    },
    /// A yes or no that is neither.
    #[error("{number} is neither yes (1) nor no (0)")]
    YesOrNo {
        /// What stands there.
        number: u64,
    },
    /// A range of versions that is empty.
    #[error("speaks versions {lowest} to {highest}, which is none")]
    Versions {
        /// The lowest version.
        lowest: u64,
        /// The highest version.
        highest: u64,
    },
    /// A reason to close that version 1 does not have.
    #[error("close code {number}, which there is not")]
    CloseCode {
        /// The number it names.
        number: u64,
    },
    /// A text with line breaks, escape sequences and the like.
    #[error("a text holds control characters")]
    ControlCharacter,
    /// A part of a file that lies outside it, or a file that is too long.
    #[error("bytes {offset} to {end} of a file of {total}, where files have at most {max}")]
    OutsideBlob {
        /// Where the part begins.
        offset: u64,
        /// Where it ends.
        end: u64,
        /// How long the file is said to be.
        total: u64,
        /// How long a file may be.
        max: u64,
    },
    /// Authors that are not listed once each in the order in which the changes first name them.
    #[error("author {index} is not listed once and in the order of first use")]
    Authors {
        /// Which entry of the table of authors, or which one a change names.
        index: u64,
    },
    /// Values that are more or fewer bytes than their heads say.
    #[error("values are not as long as their heads say")]
    Values,
    /// The parts of a change that are too long for one.
    #[error("the parts of change {index} are too many for a change")]
    Body {
        /// Which one, counted from 0.
        index: usize,
    },
    /// A compressed part that does not say how long its content is.
    #[error("compressed content does not say how long it is")]
    UnknownSize,
    /// Compressed content that claims more than is allowed.
    #[error("compressed content of {bytes} bytes where at most {max} are allowed")]
    TooLarge {
        /// What it claims.
        bytes: u64,
        /// What is allowed.
        max: usize,
    },
    /// A compressed part that is broken, or followed by more.
    #[error("compressed content is broken")]
    Corrupt,
}
