//! A courier: a device carries bundles that it can't read. One that a person gave it goes to its recipient as soon as
//! both are linked and have nothing else to say; what the recipient answers goes back the same way to who made the
//! bundle. A peer can make this device carry nothing but the answer to what it carried.

use std::collections::{BTreeSet, VecDeque};

use rukun_change::{DeviceKey, Digest, Moment};
use rukun_store::BlobState;
use rukun_wire::limits::BLOB_BYTES_MAX;
use rukun_wire::{CloseCode, Message, Parcel};

use crate::blob::PARCEL_GIVEN_BYTES_MAX;
use crate::bundle::BundleError;
use crate::input::{Event, LinkId};
use crate::parcels::{AnswerDue, ParcelLine, ParcelState};
use crate::piece::Piece;
use crate::replica::{Replica, ReplicaError};
use crate::session::{Fault, Outcome};

impl Replica {
    /// Tells a peer which parcels go to it, if it was told otherwise.
    pub(crate) fn offer_parcels(&mut self, link: LinkId) {
        let Some(open) = self.links.get_mut(&link) else { return };
        let goes = |line: &&ParcelLine| match &line.state {
            ParcelState::Carried => line.parcel.recipient == open.peer,
            ParcelState::Waiting { courier, .. } => *courier == open.peer,
            ParcelState::Coming { .. } | ParcelState::Brought | ParcelState::Refused { .. } => false,
        };
        let parcels: Vec<Parcel> = self.parcels.values().filter(goes).map(|line| line.parcel).collect();
        let digests: BTreeSet<Digest> = parcels.iter().map(|parcel| parcel.digest).collect();
        if digests != open.parcels_told {
            open.parcels_told = digests;
            self.send(link, &Message::Parcels(parcels));
        }
    }

    /// A peer tells which parcels it has for us.
    pub(crate) fn take_parcels(
        &mut self,
        link: LinkId,
        parcels: Vec<Parcel>,
    ) -> Result<Outcome, ReplicaError> {
        let Some(peer) = self.links.get(&link).map(|open| open.peer) else { return Ok(Ok(())) };
        let still = |digest: &Digest| parcels.iter().any(|parcel| parcel.digest == *digest);
        let gone = self
            .parcels
            .iter()
            .filter(|(digest, line)| line.state == ParcelState::Coming { from: peer } && !still(digest));
        for digest in gone.map(|(digest, _)| *digest).collect::<Vec<_>>() {
            self.forget_parcel(&digest)?;
        }
        let answered = |parcel: &Parcel| {
            self.parcels.values().any(
                |line| matches!(line.state, ParcelState::Waiting { answers, .. } if answers == parcel.digest),
            )
        };
        let (taken, due): (Vec<Parcel>, VecDeque<Parcel>) = {
            let wanted = parcels.into_iter().filter(|parcel| self.wants(&peer, parcel));
            let (taken, mut due): (Vec<Parcel>, Vec<Parcel>) = wanted.partition(answered);
            // What has come in part goes on first.
            due.sort_by_key(|parcel| !self.parcels.contains_key(&parcel.digest));
            (taken, due.into())
        };
        if let Some(open) = self.links.get_mut(&link) {
            open.parcels_due = due;
        }
        for parcel in taken {
            self.send(link, &Message::ParcelEnd { digest: parcel.digest, refused: None });
        }
        Ok(Ok(()))
    }

    /// Asks a peer for the next of its parcels, one at a time, unless that is coming from another. One that there is
    /// no room for stays due, and what there is room for goes before it.
    pub(crate) fn ask_for_parcel(&mut self, link: LinkId) -> Result<(), ReplicaError> {
        let Some(open) = self.links.get(&link).filter(|open| open.parcel.is_none()) else { return Ok(()) };
        let comes = |digest: &Digest| self.links.values().any(|link| link.is_bringing(digest));
        let due = open.parcels_due.iter().filter(|parcel| !comes(&parcel.digest));
        for parcel in due.copied().collect::<Vec<Parcel>>() {
            let Some(line) = self.begun(link, parcel)? else { continue };
            self.note_parcel(line)?;
            let offset = self.store.blob_offset(&parcel.digest)?;
            if let Some(open) = self.links.get_mut(&link) {
                open.parcels_due.retain(|due| due.digest != parcel.digest);
                open.parcel = Some(parcel);
            }
            self.send(link, &Message::BlobWant { digest: parcel.digest, offset });
            return Ok(());
        }
        Ok(())
    }

    /// The line of a parcel that begins to come by a link, or goes on, if there is room for it.
    fn begun(&mut self, link: LinkId, parcel: Parcel) -> Result<Option<ParcelLine>, ReplicaError> {
        let Some(open) = self.links.get(&link) else { return Ok(None) };
        let (from, told_ms) = (open.peer, open.state.last_contact_ms);
        let state = ParcelState::Coming { from };
        let known = self.parcels.get(&parcel.digest).map(|line| (line.parcel.bytes, line.since_ms));
        if let Some((_, since_ms)) = known.filter(|(bytes, _)| *bytes == parcel.bytes) {
            return Ok(Some(ParcelLine { parcel, since_ms, state }));
        }
        if known.is_some() {
            // One of the two who told of it told of none: begin with this one.
            self.forget_parcel(&parcel.digest)?;
        }
        // One at a time from each, so that nobody fills the list by beginning one after another.
        self.forget_begun(&from)?;
        let line = ParcelLine { parcel, since_ms: told_ms, state };
        Ok(self.make_room(&line)?.then_some(line))
    }

    /// Whether this file is a parcel that was asked for on this link.
    pub(crate) fn is_coming(&self, link: LinkId, digest: &Digest) -> bool {
        self.links.get(&link).is_some_and(|open| open.is_bringing(digest))
    }

    pub(crate) fn take_parcel_piece(
        &mut self,
        now: Moment,
        link: LinkId,
        piece: &Piece,
    ) -> Result<Outcome, ReplicaError> {
        let Some(parcel) = self.links.get(&link).and_then(|open| open.parcel) else { return Ok(Ok(())) };
        let Piece { digest, offset, total, bytes } = piece;
        if *total != parcel.bytes {
            let text = format!("a parcel of {} bytes was told of, and it has {total}", parcel.bytes);
            return Ok(Err(Fault { code: CloseCode::Malformed, text }));
        }
        match self.store.put_blob(digest, *offset, *total, bytes)? {
            BlobState::Partial { offset: upto } => {
                let is_next = upto == offset + bytes.len() as u64;
                if is_next && upto.is_multiple_of(PARCEL_GIVEN_BYTES_MAX) {
                    self.send(link, &Message::BlobWant { digest: *digest, offset: upto });
                }
                Ok(Ok(()))
            }
            BlobState::Complete => self.parcel_came(now, link, parcel).map(Ok),
            BlobState::Wrong => {
                // A part of it may be somebody else's: it begins anew when it is told of again.
                self.forget_parcel(digest)?;
                if let Some(peer) = self.links.get(&link).map(|open| open.peer) {
                    let reason = "a bundle that it carried: it is another file than was told of";
                    self.count_refused(peer, reason.into());
                }
                Ok(Ok(()))
            }
        }
    }

    /// A whole parcel: for this device, or an answer that it carries back.
    fn parcel_came(&mut self, now: Moment, link: LinkId, parcel: Parcel) -> Result<(), ReplicaError> {
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        open.parcel = None;
        let (courier, digest) = (open.peer, parcel.digest);
        let refused = if parcel.recipient == self.device() {
            let bundle = self.store.blob(&digest)?.unwrap_or_default();
            self.forget_parcel(&digest)?;
            self.take_brought(now, courier, parcel, &bundle)?
        } else {
            self.carry_back(now, parcel)?
        };
        self.send(link, &Message::ParcelEnd { digest, refused });
        Ok(())
    }

    /// An answer takes the place of what it answers: rather of what was brought than of what is still to be. Gives
    /// why it does not, if so.
    fn carry_back(&mut self, now: Moment, parcel: Parcel) -> Result<Option<String>, ReplicaError> {
        let answered = self.parcels.values().filter(|line| is_answered_by(&line.parcel, &parcel));
        let answered = answered.min_by_key(|line| (line.state != ParcelState::Brought, line.since_ms));
        let Some(answered) = answered.map(|line| line.parcel.digest) else {
            self.forget_parcel(&parcel.digest)?;
            return Ok(Some("what it answers is carried no longer".into()));
        };
        self.forget_parcel(&answered)?;
        self.note_parcel(ParcelLine { parcel, since_ms: now.wall_ms, state: ParcelState::Carried })?;
        self.tell(Event::Parcel { digest: parcel.digest });
        Ok(None)
    }

    /// Takes in what a courier brought. Gives why not, if not.
    fn take_brought(
        &mut self,
        now: Moment,
        courier: DeviceKey,
        parcel: Parcel,
        bundle: &[u8],
    ) -> Result<Option<String>, ReplicaError> {
        match self.take_bundle(now, bundle) {
            Ok(taken) => {
                let sender = taken.sender;
                self.tell(Event::Brought { sender, courier });
                if !parcel.is_answer {
                    let (answers, at_ms) = (parcel.digest, now.wall_ms);
                    self.answers_due.push(AnswerDue { sender, courier, answers, at_ms });
                }
                Ok(None)
            }
            Err(BundleError::Replica(error)) => Err(error),
            Err(error) => {
                self.count_refused(courier, format!("a bundle that it carried: {error}"));
                Ok(Some(error.to_string()))
            }
        }
    }

    /// Writes to whoever's bundles were brought, for who brought them: with the receipts that are given for what came.
    /// Gives whether there is any.
    pub(crate) fn write_answers(&mut self) -> Result<bool, ReplicaError> {
        let due = std::mem::take(&mut self.answers_due);
        let any = !due.is_empty();
        for AnswerDue { sender, courier, answers, at_ms } in due {
            let bundle = match self.write_bundle(&sender) {
                Ok(written) => written.bytes,
                Err(BundleError::Replica(error)) => return Err(error),
                // It gets its receipts by a link, or by the next bundle.
                Err(_) => continue,
            };
            self.forget_waiting(|line| line.parcel.recipient == sender)?;
            let (digest, bytes) = (Digest::of(&bundle), bundle.len() as u64);
            let parcel = Parcel { digest, sender: self.device(), recipient: sender, bytes, is_answer: true };
            let state = ParcelState::Waiting { courier, answers };
            let line = ParcelLine { parcel, since_ms: at_ms, state };
            if bytes > BLOB_BYTES_MAX || !self.make_room(&line)? {
                continue;
            }
            self.store.put_blob(&digest, 0, bytes, &bundle)?;
            self.note_parcel(line)?;
        }
        Ok(any)
    }

    /// A peer has a parcel, or won't take it.
    pub(crate) fn take_parcel_end(
        &mut self,
        link: LinkId,
        digest: &Digest,
        refused: Option<String>,
    ) -> Result<(), ReplicaError> {
        let Some(peer) = self.links.get(&link).map(|open| open.peer) else { return Ok(()) };
        let Some(line) = self.parcels.get(digest).cloned() else { return Ok(()) };
        match (&line.state, refused) {
            (ParcelState::Carried, Some(why)) if line.parcel.recipient == peer => {
                self.note_parcel(ParcelLine { state: ParcelState::Refused { why }, ..line })?;
            }
            (ParcelState::Carried, None) if line.parcel.recipient == peer && !line.parcel.is_answer => {
                self.note_parcel(ParcelLine { state: ParcelState::Brought, ..line })?;
            }
            (ParcelState::Carried, None) if line.parcel.recipient == peer => self.forget_parcel(digest)?,
            (ParcelState::Waiting { courier, .. }, _) if *courier == peer => self.forget_parcel(digest)?,
            _ => return Ok(()),
        }
        self.tell(Event::Parcel { digest: *digest });
        Ok(())
    }

    /// Whether a parcel that a peer tells of is for this device, or answers one that this device carried to it. A peer that
    /// tells of a file which is here already would else take that away by telling of it no more.
    fn wants(&self, peer: &DeviceKey, parcel: &Parcel) -> bool {
        let is_news = match self.parcels.get(&parcel.digest) {
            Some(line) => matches!(line.state, ParcelState::Coming { .. }),
            None => !self.is_questionnaire(&parcel.digest),
        };
        let is_answer = || {
            self.parcels.values().any(|line| is_answered_by(&line.parcel, parcel) && parcel.sender == *peer)
        };
        is_news && (parcel.recipient == self.device() || is_answer())
    }

    /// Gives up as much as a new line needs: the oldest of what has come in part and no link is bringing, then the
    /// oldest answers that their couriers have not come back for. Nothing, if all that is too little.
    fn make_room(&mut self, line: &ParcelLine) -> Result<bool, ReplicaError> {
        let may_go = self.parcels.values().filter_map(|line| match &line.state {
            ParcelState::Coming { .. } if self.is_abandoned(line) => Some((false, line)),
            ParcelState::Waiting { .. } => Some((true, line)),
            _ => None,
        });
        let may_go = may_go.map(|(is_whole, line)| (is_whole, line.since_ms, line.parcel.digest));
        let mut gone = BTreeSet::new();
        for (_, _, digest) in may_go.collect::<BTreeSet<_>>() {
            if self.has_room(line, &gone) {
                break;
            }
            gone.insert(digest);
        }
        let has_room = self.has_room(line, &gone);
        if has_room {
            gone.iter().try_for_each(|digest| self.forget_parcel(digest))?;
        }
        Ok(has_room)
    }

    /// Forgets the oldest parcel of this peer that has come in part and that no link is bringing.
    fn forget_begun(&mut self, from: &DeviceKey) -> Result<(), ReplicaError> {
        let is_its = |line: &&ParcelLine| line.state == ParcelState::Coming { from: *from };
        let begun = self.parcels.values().filter(is_its).filter(|line| self.is_abandoned(line));
        let oldest = begun.min_by_key(|line| line.since_ms).map(|line| line.parcel.digest);
        oldest.map_or(Ok(()), |digest| self.forget_parcel(&digest))
    }

    /// Whether no link is bringing it.
    fn is_abandoned(&self, line: &ParcelLine) -> bool {
        !self.links.values().any(|link| link.is_bringing(&line.parcel.digest))
    }

    fn forget_waiting(&mut self, which: impl Fn(&ParcelLine) -> bool) -> Result<(), ReplicaError> {
        let waiting = self.parcels.values().filter(|line| matches!(line.state, ParcelState::Waiting { .. }));
        let digests: Vec<Digest> =
            waiting.filter(|line| which(line)).map(|line| line.parcel.digest).collect();
        digests.iter().try_for_each(|digest| self.forget_parcel(digest))
    }
}

/// Whether one parcel, not an answer itself, can be what another answers.
fn is_answered_by(parcel: &Parcel, answer: &Parcel) -> bool {
    let goes_back = parcel.sender == answer.recipient && parcel.recipient == answer.sender;
    goes_back && answer.is_answer && !parcel.is_answer
}
