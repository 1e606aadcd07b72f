//! The limits of format version 1, per change. They are fixed by the version, so that every node
//! gives the same verdict on the same bytes.

/// The longest Automerge chunk of a change.
pub const BODY_BYTES_MAX: usize = 128 * 1024;
/// The most operations in one change.
pub const OPS_MAX: usize = 8_192;
/// The most direct causes of a change in its own document.
pub const DEPS_MAX: usize = 64;
/// The most heads of lower inks that a change can name as seen.
pub const SEEN_MAX: usize = 128;
/// The most actors other than its own that a change's operations can name.
pub const ACTORS_MAX: usize = 256;
/// The longest commit message.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// The longest text answer.
pub const TEXT_BYTES_MAX: usize = 4 * 1024;
/// The longest variable name.
pub const FIELD_BYTES_MAX: usize = 32;
/// The longest encoding of a whole signed change.
pub const CHANGE_BYTES_MAX: usize = BODY_BYTES_MAX + SEEN_MAX * 34 + 512;
/// The longest encoding of a signed change without its body.
pub const HEADER_BYTES_MAX: usize = SEEN_MAX * 34 + 512;
/// The longest statement.
pub const STATEMENT_BYTES_MAX: usize = 1024 * 1024;
