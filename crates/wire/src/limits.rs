//! The limits of the wire, version 1. A receiver refuses what exceeds them before it takes memory
//! for it; a sender splits what would.

use rukun_change::limits::STATEMENT_BYTES_MAX;

/// What a frame's compression can add at worst, and the heads of what it holds.
const FRAME_SLACK_BYTES: usize = 16 * 1024;
/// The longest body of a frame: one statement of the longest kind, however badly it compresses.
pub const FRAME_BYTES_MAX: usize = STATEMENT_BYTES_MAX + FRAME_SLACK_BYTES;
/// The longest content of a compressed message.
pub const UNPACKED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What each end of a link keeps of all that was compressed on it, for later messages to refer to: as much as a frame
/// of interviews contains.
pub const HISTORY_BYTES_MAX: usize = 48 * 1024;
/// What a sender may put into one message of changes or statements, as the sum of their own
/// encodings, so that the frame keeps its limit however badly they compress. One change or
/// statement always fits.
pub const BATCH_BYTES_MAX: usize = STATEMENT_BYTES_MAX;

/// The most changes in one frame.
pub const FRAME_CHANGES_MAX: usize = 64;
/// The most maps into which the changes of one frame that are laid out write, counted again for each change.
pub const FRAME_SECTIONS_MAX: usize = 2_048;
/// The most fields into which they write together, counted again for each map.
pub const FRAME_CELLS_MAX: usize = 32_768;
/// The most fields that they write at the roots of records, and the most in members' maps.
pub const FRAME_FIELDS_MAX: usize = 512;
/// The most statements in one message.
pub const STATEMENTS_MAX: usize = 4_096;
/// The most ids of statements: as many as a frame can hold.
pub const STATEMENT_IDS_MAX: usize = 32_768;
/// The most lists of ids of statements in a session, of which all but the last are full.
pub const STATEMENT_LISTS_MAX: usize = 8;
/// The most statements of a sender's own chain: charter, successions of the root and grants.
pub const CHAIN_STATEMENTS_MAX: usize = 16;
/// The most sub-SLS in a summary, or in what differs.
pub const SUMMARY_SUB_SLS_MAX: usize = 8_192;
/// The most ids of changes in one message.
pub const CHANGE_IDS_MAX: usize = 4_096;
/// The most frames of changes that go with a greeting.
pub const EARLY_FRAMES_MAX: u64 = 2;
/// The most regions of a sketch.
pub const SKETCH_REGIONS_MAX: usize = 64;
/// The most symbols of a sketch, and the most ids that its receiver may lack: beyond that a summary of each
/// sub-SLS is cheaper.
pub const SYMBOLS_MAX: usize = 4_096;
/// The most bytes of a file in one message.
pub const BLOB_PIECE_BYTES_MAX: usize = 32 * 1024;
/// The longest file.
pub const BLOB_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The most parcels that one device carries, and tells of in one message.
pub const PARCELS_MAX: usize = 64;
/// The longest reason for refusing a change or a parcel.
pub const REFUSAL_BYTES_MAX: usize = 256;
/// The longest text that closes a session.
pub const CLOSE_TEXT_BYTES_MAX: usize = 512;
/// The longest ask of a device that wants to be enrolled.
pub const ENROL_ASK_BYTES_MAX: usize = 96;
/// The longest answer to it: a charter, who was root since, and the grants down to the device's.
pub const ENROL_ANSWER_BYTES_MAX: usize = 128 * 1024;
/// The most statements in it: a charter, one grant of each role, and the successions of the root.
pub const ENROL_STATEMENTS_MAX: usize = 16;
