//! The limits of a bundle in format version 1: what exceeds them is not written, and is refused when it
//! is read.

/// The longest file: what a whole district writes fits.
pub const BUNDLE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The longest part, sealed: a frame, and what proves it.
pub const PART_BYTES_MAX: usize = 1_064_960 + 16;
