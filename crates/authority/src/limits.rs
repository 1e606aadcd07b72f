//! The limits of statements in format version 1, besides their length, which is
//! [`rukun_change::limits::STATEMENT_BYTES_MAX`]. Fixed by the version, as those of changes are.

use rukun_change::limits::STATEMENT_BYTES_MAX;

/// The longest text in a statement: a name, a reason, a day.
pub const LINE_BYTES_MAX: usize = 256;
/// The most regions of a grant or a closing.
pub const REGIONS_MAX: usize = 1_024;
/// The most incarnations of which a revocation keeps work.
pub const INCARNATIONS_MAX: usize = 1_024;
/// The most sub-SLS on either side of a redrawing.
pub const REDRAWN_MAX: usize = 64;
/// How many keys may follow one another on one grant. Who needs more is granted anew: each step is looked at
/// whenever it is asked what such a key may do.
pub const SUCCESSIONS_MAX: usize = 16;
/// The most ids, or lists, in one statement: more would be longer than a statement.
pub const LIST_MAX: usize = STATEMENT_BYTES_MAX / 34;
