//! The limits of evidence in format version 1: what exceeds them is not written, and is refused when it
//! is read.

/// The longest file.
pub const EVIDENCE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most statements.
pub const STATEMENTS_MAX: usize = 4_096;
/// The most changes of the record.
pub const CHANGES_MAX: usize = 4_096;
