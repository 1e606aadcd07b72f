//! A piece of a file, and how far the pieces of the questionnaire have come over a link.

use rukun_change::Digest;
use rukun_wire::limits::BLOB_PIECE_BYTES_MAX;

/// How much of the questionnaire is given for one request: nothing can be done without it.
pub(crate) const BLOB_GIVEN_BYTES_MAX: u64 = 8 * BLOB_PIECE_BYTES_MAX as u64;
/// A piece of a file.
pub(crate) struct Piece {
    pub(crate) digest: Digest,
    pub(crate) offset: u64,
    pub(crate) total: u64,
    pub(crate) bytes: Vec<u8>,
}

/// How the questionnaire goes over a link.
#[derive(Default)]
pub(crate) struct Fetched {
    /// Where the next piece begins of what the peer was asked for and has not given yet.
    pub(crate) due: Option<u64>,
    /// How often it was another file than the charter names, once the peer's last piece had come.
    pub(crate) wrong: u32,
    /// From where the peer asked for it before it was here.
    pub(crate) wanted: Option<u64>,
}

impl Fetched {
    /// Whether the peer was asked and has not given all of it.
    pub(crate) fn is_due(&self) -> bool {
        self.due.is_some()
    }

    /// A piece came: whether the peer is asked again after it. Nothing if it is none of what it was asked for.
    pub(crate) fn came(&mut self, piece: &Piece, of_bundle: bool) -> Option<bool> {
        // Who is asked for what is behind the end of its file begins anew.
        self.due.filter(|due| *due == piece.offset || piece.offset == 0)?;
        let upto = piece.upto();
        let ends = upto == piece.total || upto.is_multiple_of(BLOB_GIVEN_BYTES_MAX);
        self.due = (of_bundle || !ends).then_some(upto);
        Some(self.due.is_none())
    }
}

impl Piece {
    pub(crate) fn upto(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}
