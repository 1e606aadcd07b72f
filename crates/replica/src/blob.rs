//! Files on a link: the questionnaire, and bundles that are carried for others. Who asks from a place on is given the
//! next pieces from there, and asks again, so that a file goes on where a link ended, and work goes between its pieces.

use rukun_change::Digest;
use rukun_store::BlobState;
use rukun_wire::Message;
use rukun_wire::limits::BLOB_PIECE_BYTES_MAX;

use crate::input::LinkId;
use crate::piece::{BLOB_GIVEN_BYTES_MAX, Piece};
use crate::replica::{Replica, ReplicaError};
use crate::session::Outcome;

/// How much of a bundle that is carried: work waits behind it for no longer.
pub(crate) const PARCEL_GIVEN_BYTES_MAX: u64 = 2 * BLOB_PIECE_BYTES_MAX as u64;

/// How often the questionnaire may become another file by a peer's last piece before that is asked no more on a link.
const WRONG_MAX: u32 = 3;

impl Replica {
    /// Gives the next pieces of a file that a peer asks for.
    pub(crate) fn give_blob(
        &mut self,
        link: LinkId,
        digest: &Digest,
        offset: u64,
    ) -> Result<(), ReplicaError> {
        let given_bytes_max =
            if self.is_questionnaire(digest) { BLOB_GIVEN_BYTES_MAX } else { PARCEL_GIVEN_BYTES_MAX };
        let piece_bytes_max =
            self.links.get(&link).map_or(BLOB_PIECE_BYTES_MAX, |open| open.outgoing.piece_bytes_max());
        // Where a file went on, requests end where they do without that.
        let asked = |offset: u64| (given_bytes_max - offset % given_bytes_max) as usize;
        let Some((total, part)) = self.store.blob_part(digest, offset, asked(offset))? else {
            if self.is_questionnaire(digest)
                && let Some(open) = self.links.get_mut(&link)
            {
                open.questionnaire.wanted = Some(offset);
            }
            return Ok(());
        };
        // Who asks for what is behind the end was told something else before.
        let (offset, part) = if part.is_empty() && offset > 0 {
            let part = self.store.blob_part(digest, 0, asked(0))?.map_or_else(Vec::new, |(_, part)| part);
            (0, part)
        } else {
            (offset, part)
        };
        for message in blob_messages(digest, offset, total, &part, piece_bytes_max) {
            self.send(link, &message);
        }
        Ok(())
    }

    pub(crate) fn is_questionnaire(&self, digest: &Digest) -> bool {
        self.trust.as_ref().is_some_and(|trust| trust.charter().questionnaire == *digest)
    }

    /// Takes a piece of the questionnaire, and asks for more of it.
    pub(crate) fn take_blob(&mut self, link: LinkId, piece: &Piece) -> Result<Outcome, ReplicaError> {
        let is_missing = self.questionnaire.is_none() && self.is_questionnaire(&piece.digest);
        let Some(open) = self.links.get_mut(&link).filter(|_| is_missing) else { return Ok(Ok(())) };
        let Some(ends) = open.questionnaire.came(piece, link == LinkId::BUNDLE) else { return Ok(Ok(())) };
        match self.put_piece(piece)? {
            // What is held is of a file of another length. One of the two is none: begin with this one.
            BlobState::Partial { offset: held } if piece.offset <= held && held < piece.upto() => {
                self.ask_from(link, piece.digest, 0);
            }
            // Others may have brought what it covers, or another file: it goes on from what is held.
            BlobState::Partial { offset: held } if ends => self.ask_from(link, piece.digest, held),
            BlobState::Wrong => {
                if let Some(open) = self.links.get_mut(&link) {
                    open.questionnaire.wrong += 1;
                }
                self.ask_another(Some(link))?;
            }
            BlobState::Partial { .. } | BlobState::Complete => {}
        }
        self.load_questionnaire()?;
        if self.questionnaire.is_some() {
            // By it rules are checked and numbers found that views made without it say nothing of.
            self.store.mark_stale(None)?;
            self.give_to_who_asked(piece.digest)?;
        }
        Ok(Ok(()))
    }

    /// Keeps a piece if it goes on from what is held; of one that begins before that, the rest.
    fn put_piece(&mut self, piece: &Piece) -> Result<BlobState, ReplicaError> {
        let Piece { digest, offset, total, bytes } = piece;
        let state = self.store.put_blob(digest, *offset, *total, bytes)?;
        let BlobState::Partial { offset: held } = state else { return Ok(state) };
        let known = held.checked_sub(*offset).filter(|known| *known > 0);
        match known.and_then(|known| bytes.get(known as usize..)) {
            Some(rest) if !rest.is_empty() => Ok(self.store.put_blob(digest, held, *total, rest)?),
            _ => Ok(state),
        }
    }

    /// Whoever asked for the questionnaire before it was here gets it now.
    fn give_to_who_asked(&mut self, digest: Digest) -> Result<(), ReplicaError> {
        let asked = self.links.iter_mut().map(|(link, open)| (*link, open.questionnaire.wanted.take()));
        for (link, offset) in asked.collect::<Vec<_>>() {
            if let Some(offset) = offset {
                self.give_blob(link, &digest, offset)?;
            }
        }
        Ok(())
    }

    /// Asks a peer for what is missing of the questionnaire.
    pub(crate) fn ask_for_questionnaire(&mut self, link: LinkId) -> Result<(), ReplicaError> {
        let missing = self.trust.as_ref().filter(|_| self.questionnaire.is_none());
        let Some(digest) = missing.map(|trust| trust.charter().questionnaire) else { return Ok(()) };
        let offset = self.store.blob_offset(&digest)?;
        if self.links.get(&link).is_some_and(|open| open.questionnaire.due != Some(offset)) {
            self.ask_from(link, digest, offset);
        }
        Ok(())
    }

    /// Asks one peer, as far as any is linked: rather one that is not asked already, and the one that has just brought
    /// a false one only if there is no other.
    pub(crate) fn ask_another(&mut self, but: Option<LinkId>) -> Result<(), ReplicaError> {
        let live = self.links.iter().filter(|(link, open)| open.is_live() && **link != LinkId::BUNDLE);
        let may_be_asked = live.filter(|(_, open)| open.questionnaire.wrong < WRONG_MAX);
        let next = may_be_asked.min_by_key(|(link, open)| {
            (Some(**link) == but, open.questionnaire.is_due(), open.questionnaire.wrong)
        });
        let next = next.map(|(link, _)| *link);
        next.map_or(Ok(()), |link| self.ask_for_questionnaire(link))
    }

    fn ask_from(&mut self, link: LinkId, digest: Digest, offset: u64) {
        if let Some(open) = self.links.get_mut(&link) {
            open.questionnaire.due = Some(offset);
        }
        self.send(link, &Message::BlobWant { digest, offset });
    }
}

/// This part of a file, from this place on, in pieces that are no longer than that.
pub(crate) fn blob_messages(
    digest: &Digest,
    offset: u64,
    total: u64,
    part: &[u8],
    piece_bytes_max: usize,
) -> Vec<Message> {
    // They end where they would from the beginning on: who asks for more does so at the end of one.
    let first = piece_bytes_max - offset as usize % piece_bytes_max;
    let (first, rest) = part.split_at(first.min(part.len()));
    let pieces = [first].into_iter().filter(|first| !first.is_empty()).chain(rest.chunks(piece_bytes_max));
    let pieces = pieces.scan(offset, |at, piece| {
        let offset = *at;
        *at += piece.len() as u64;
        Some(Message::Blob { digest: *digest, offset, total, bytes: piece.to_vec() })
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_where_requests_do_wherever_a_file_goes_on() {
        let file = vec![7; 600 * 1024];
        let pieces = |from: usize, piece_bytes_max: usize| {
            let part = file.get(from..).unwrap();
            let total = file.len() as u64;
            let messages = blob_messages(&Digest::of(&file), from as u64, total, part, piece_bytes_max);
            let ends = messages.into_iter().map(|message| match message {
                Message::Blob { offset, bytes, .. } => (offset, offset + bytes.len() as u64),
                other => panic!("{other:?}"),
            });
            ends.collect::<Vec<_>>()
        };
        for (from, piece_bytes_max) in
            [(0, 2_048), (0, 32_768), (6_144, 32_768), (5, 2_048), (614_399, 2_048)]
        {
            let pieces = pieces(from, piece_bytes_max);
            let mut at = from as u64;
            for (offset, end) in &pieces {
                assert_eq!(*offset, at);
                assert!(at < *end && end - at <= piece_bytes_max as u64);
                assert!(end.is_multiple_of(piece_bytes_max as u64) || *end == file.len() as u64);
                at = *end;
            }
            assert_eq!(at, file.len() as u64);
            let asked = pieces.iter().filter(|(_, end)| end.is_multiple_of(BLOB_GIVEN_BYTES_MAX)).count();
            assert_eq!(
                asked as u64,
                (file.len() as u64 / BLOB_GIVEN_BYTES_MAX) - (from as u64 / BLOB_GIVEN_BYTES_MAX)
            );
        }
    }
}
