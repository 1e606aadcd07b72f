//! Files on a link: the questionnaire, and bundles that are carried for others. Who asks from a place on is given the
//! next pieces from there, and asks again, so that a file goes on where a link ended, and work goes between its pieces.

use rukun_change::Digest;
use rukun_store::BlobState;
use rukun_wire::Message;
use rukun_wire::limits::BLOB_PIECE_BYTES_MAX;

use crate::input::LinkId;
use crate::replica::{Replica, ReplicaError};
use crate::session::Outcome;

/// How much of the questionnaire is given for one request: nothing can be done without it.
const BLOB_GIVEN_BYTES_MAX: u64 = 8 * BLOB_PIECE_BYTES_MAX as u64;
/// How much of a bundle that is carried: work waits behind it for no longer.
pub(crate) const PARCEL_GIVEN_BYTES_MAX: u64 = 2 * BLOB_PIECE_BYTES_MAX as u64;

/// A piece of a file.
pub(crate) struct Piece {
    pub(crate) digest: Digest,
    pub(crate) offset: u64,
    pub(crate) total: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Replica {
    /// Gives the next pieces of a file that a peer asks for.
    pub(crate) fn give_blob(
        &mut self,
        link: LinkId,
        digest: &Digest,
        offset: u64,
    ) -> Result<Outcome, ReplicaError> {
        let Some(blob) = self.store.blob(digest)? else { return Ok(Ok(())) };
        // Who asks for what is behind the end was told something else before.
        let offset = if offset < blob.len() as u64 { offset } else { 0 };
        let wanted = blob.get(offset as usize..).unwrap_or_default();
        let given_bytes_max =
            if self.is_questionnaire(digest) { BLOB_GIVEN_BYTES_MAX } else { PARCEL_GIVEN_BYTES_MAX };
        let given = wanted.get(..given_bytes_max as usize).unwrap_or(wanted);
        for message in blob_messages(digest, offset, blob.len() as u64, given) {
            self.send(link, &message);
        }
        Ok(Ok(()))
    }

    pub(crate) fn is_questionnaire(&self, digest: &Digest) -> bool {
        self.trust.as_ref().is_some_and(|trust| trust.charter().questionnaire == *digest)
    }

    /// Takes a piece of the questionnaire, and asks for more of it.
    pub(crate) fn take_blob(&mut self, link: LinkId, piece: &Piece) -> Result<Outcome, ReplicaError> {
        let Piece { digest, offset, total, bytes } = piece;
        let (offset, total) = (*offset, *total);
        let in_place = offset == 0 || offset == self.store.blob_offset(digest)?;
        if !self.is_questionnaire(digest) || self.questionnaire.is_some() || !in_place {
            return Ok(Ok(()));
        }
        let state = self.store.put_blob(digest, offset, total, bytes)?;
        let upto = offset + bytes.len() as u64;
        match state {
            BlobState::Partial { offset } if offset == upto && upto.is_multiple_of(BLOB_GIVEN_BYTES_MAX) => {
                self.send(link, &Message::BlobWant { digest: *digest, offset });
            }
            // What is held is of a file of another length. One of the two is none: begin with this one.
            BlobState::Partial { offset: held } if offset != 0 && held == offset && !bytes.is_empty() => {
                self.send(link, &Message::BlobWant { digest: *digest, offset: 0 });
            }
            BlobState::Partial { .. } | BlobState::Complete | BlobState::Wrong => {}
        }
        self.load_questionnaire()?;
        if self.questionnaire.is_some() {
            // By it rules are checked and numbers found that views made without it say nothing of.
            self.store.mark_stale(None)?;
        }
        Ok(Ok(()))
    }
}

/// This part of a file, from this place on, in pieces.
pub(crate) fn blob_messages(digest: &Digest, offset: u64, total: u64, part: &[u8]) -> Vec<Message> {
    let pieces = part.chunks(BLOB_PIECE_BYTES_MAX).scan(offset, |at, piece| {
        let offset = *at;
        *at += piece.len() as u64;
        Some(Message::Blob { digest: *digest, offset, total, bytes: piece.to_vec() })
    });
    pieces.collect()
}
