//! Half a session as a file: what this node has to say to another becomes a bundle that is sealed to it, and a
//! bundle that somebody brought is taken in, by the same ways and through the same gates as from a link. Nobody
//! answers, so nothing that was written is taken to be held there until a receipt or a session says so.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use rukun_authority::{Said, Verifier};
use rukun_bundle::{EnvelopeError, OpenError, OpenedBundle, SealError, SealedBundle, seal};
use rukun_change::{DeviceKey, Moment, Region, SubSls, SurveyId};
use rukun_store::{PeerState, Proof};
use rukun_wire::limits::{BLOB_PIECE_BYTES_MAX, FRAME_CHANGES_MAX};
use rukun_wire::{Body, Changes, CloseCode, Message};

use crate::batch::Batch;
use crate::blob::blob_messages;
use crate::greet::statement_messages;
use crate::input::{Checked, CheckedStatement, Content, Frame, LinkId, Output};
use crate::replica::{Replica, ReplicaError};
use crate::send::{HeldAt, LogPart};
use crate::session::Link;

/// A bundle to be carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleWritten {
    /// The file.
    pub bytes: Vec<u8>,
    /// How many changes are in it, what is left of erased ones among them.
    pub changes: usize,
    /// How many statements.
    pub statements: usize,
}

/// What a bundle brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleTaken {
    /// Who made it.
    pub sender: DeviceKey,
    /// How many changes were in it.
    pub changes: usize,
    /// How many of them are new here.
    pub changes_new: u64,
    /// How many statements are new here.
    pub statements_new: u64,
    /// How many changes of that device wait here for what they rest on.
    pub waiting: usize,
    /// How much in it was refused.
    pub refused: u64,
}

/// The most signatures in a bundle that may not hold: nobody honest seals one, and each is checked while all else waits.
const FORGED_MAX: usize = 64;

impl Replica {
    /// Writes what this device is not known to hold and may read: statements, work with its receipts, and the
    /// questionnaire for whoever may not have it.
    ///
    /// # Errors
    /// If that is no device of this survey, it is this one, or there is more than a bundle holds.
    pub fn write_bundle(&mut self, recipient: &DeviceKey) -> Result<BundleWritten, BundleError> {
        let survey = self.survey().ok_or(BundleError::NoSurvey)?;
        let trust = self.trust.as_ref().ok_or(BundleError::NoCharter)?;
        if *recipient == self.device() {
            return Err(BundleError::Myself);
        }
        if !trust.ever_granted(recipient) {
            return Err(BundleError::NotGranted { recipient: *recipient });
        }
        let known = self.store.peer(recipient).map_err(ReplicaError::from)?;
        let above = trust.chain(&self.device());
        let is_above =
            trust.grants().iter().any(|grant| grant.subject == *recipient && above.contains(&grant.id));
        let has_questionnaire = is_above
            || known.is_some_and(|known| known.last_contact_ms > 0)
            // It has made work by it.
            || !self.store.written_by(recipient).map_err(ReplicaError::from)?.is_empty();
        let mut half = self.opening(survey, known.as_ref(), !has_questionnaire)?;
        let after = known.map_or(0, |known| known.acknowledged);
        half.extend(self.log_messages(recipient, &trust.reads(recipient), after)?);
        let (changes, statements) = counted(&half);
        let frames: Vec<Vec<u8>> = half.iter().map(body).collect();
        let sealed = seal(&self.keypair, &survey, recipient, &frames, &mut self.entropy);
        let bytes = sealed.map_err(BundleError::Seal)?.to_bytes().map_err(BundleError::Envelope)?;
        Ok(BundleWritten { bytes, changes, statements })
    }

    /// Takes a bundle in. One that was taken in already, or is older than what is held, changes nothing.
    ///
    /// # Errors
    /// If it is not for this device, was changed, or its sender was granted nothing; then nothing of it is
    /// believed. If its sender breaks the rules of a session, what came before that is kept.
    pub fn take_bundle(&mut self, now: Moment, bytes: &[u8]) -> Result<BundleTaken, BundleError> {
        let survey = self.survey().ok_or(BundleError::NoSurvey)?;
        let sealed = SealedBundle::from_bytes(bytes).map_err(BundleError::Envelope)?;
        let opened = sealed.open(&self.keypair, &survey).map_err(BundleError::Open)?;
        drop(sealed);
        let sender = *opened.sender();
        self.look_through(&survey, bytes.len(), &opened)?;
        let before = self.counts(&sender)?;
        let Brought { changes, homes, .. } = self.feed(now, &survey, &opened)?;
        // Who keeps for its sender signs for what it holds there, as in a session that proves both equal: the
        // receipt counts there as far as what it covers is held.
        let keeps = homes.into_iter().filter(|home| self.keeps_for(&self.device(), &sender, home));
        let keeps: Vec<SubSls> = keeps.collect();
        self.receipts_due.extend(keeps);
        // Whoever brought it asks at once how far work has come.
        self.prove_receipts()?;
        let after = self.counts(&sender)?;
        Ok(BundleTaken {
            sender,
            changes,
            changes_new: after.changes - before.changes,
            statements_new: after.statements - before.statements,
            waiting: self.store.waits_of(&sender).changes,
            refused: after.refused - before.refused,
        })
    }

    /// Everything that stands before work: who we are, what is said of trust, and the questionnaire for whom may not
    /// have it.
    fn opening(
        &self,
        survey: SurveyId,
        known: Option<&PeerState>,
        with_questionnaire: bool,
    ) -> Result<Vec<Message>, ReplicaError> {
        let received = known.and_then(|known| known.received);
        let mut half = vec![Message::Hello(self.hello(survey, None, received, false)?)];
        let statements = self.store.statements_but(&BTreeSet::new())?;
        half.extend(statement_messages(statements.into_iter().map(|(_, bytes)| bytes)));
        let digest = self.trust.as_ref().map(|trust| trust.charter().questionnaire);
        if let Some(digest) = digest.filter(|_| with_questionnaire)
            && let Some(blob) = self.store.blob(&digest)?
        {
            half.extend(blob_messages(&digest, 0, blob.len() as u64, &blob, BLOB_PIECE_BYTES_MAX));
        }
        Ok(half)
    }

    fn log_messages(
        &self,
        recipient: &DeviceKey,
        reads: &[Region],
        mut at: u64,
    ) -> Result<Vec<Message>, ReplicaError> {
        let head = self.store.head();
        let (mut messages, mut frame) = (Vec::new(), 0);
        let mut proofs = BTreeMap::new();
        while at < head {
            let batch = Batch::of_at_most(FRAME_CHANGES_MAX);
            let is_proved = |held: &HeldAt| self.is_proved(recipient, held, &mut proofs);
            let part = self.log_part(at, recipient, reads, batch, is_proved)?;
            let LogPart { upto, batch, mut about, receipts } = part;
            // Past the last entry nothing is left.
            at = if upto == at { head } else { upto };
            about.extend(batch.erased().filter_map(|record| self.store.erased(&record)));
            let mut words: Vec<Vec<u8>> =
                self.about_in(about, reads)?.into_iter().map(|(_, bytes)| bytes).collect();
            for seq in self.readable_receipts(&receipts, reads) {
                words.push(self.store.receipt_bytes(seq)?);
            }
            if !words.is_empty() {
                messages.extend(statement_messages(words));
            }
            // How far the log goes is said with each frame, and once at the end.
            if batch.is_empty() && at < head {
                continue;
            }
            frame += 1;
            messages.push(if batch.is_empty() {
                Message::Changes(Changes { frame, upto: Some(at), items: Vec::new() })
            } else {
                batch.message(frame, Some(at))
            });
        }
        Ok(messages)
    }

    /// Whether a receipt of the recipient is proved to cover a change.
    fn is_proved(
        &self,
        recipient: &DeviceKey,
        held: &HeldAt,
        proofs: &mut BTreeMap<SubSls, Vec<Proof>>,
    ) -> Result<bool, ReplicaError> {
        let proofs = match proofs.entry(held.home) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.store.proofs(&held.home)?),
        };
        let covers = |proof: &Proof| held.seq <= if held.own { proof.own_upto } else { proof.upto };
        Ok(proofs.iter().any(|proof| proof.issuer == *recipient && covers(proof)))
    }

    /// Handles frames as if a link had brought them, in an order in which a peer would say them that needs no
    /// answer. Gives what was in them.
    fn feed(
        &mut self,
        now: Moment,
        survey: &SurveyId,
        opened: &OpenedBundle,
    ) -> Result<Brought, BundleError> {
        let sender = *opened.sender();
        let before = self.store.peer(&sender).map_err(ReplicaError::from)?;
        let scope = self.scopes.get(&sender).cloned();
        let (told, head) = (self.staged_count(), self.store.head());
        // Of the sender's log nothing is known here: each frame says itself up to where it goes.
        let state = PeerState { received: None, ..before.unwrap_or_default() };
        self.links.insert(LinkId::BUNDLE, Link::new(now, sender, true, state));
        let brought = self.hear(now, survey, opened.frames())?;
        self.doubt_what_it_held(&sender, head, &brought);
        let said = self.unstage(told, |output| match output {
            Output::Send { .. } => false,
            Output::Close { link, .. } => *link == LinkId::BUNDLE,
            Output::Event(event) => event.is_of_session_with(&sender),
        });
        // What it brought may have changed what its sender may read: then nothing is known of what that holds.
        let before = match before {
            Some(known) if self.scopes.get(&sender) != scope.as_ref() => {
                Some(PeerState { acknowledged: 0, in_sync: false, ..known })
            }
            before => before,
        };
        let Some(ended) = self.links.remove(&LinkId::BUNDLE) else {
            // It ended as a link does that was one. What sessions said of the sender stays.
            if let Some(before) = &before {
                self.store.set_peer(&sender, before).map_err(ReplicaError::from)?;
            }
            let why = said.into_iter().find_map(|output| match output {
                Output::Close { reason, .. } => Some(reason),
                _ => None,
            });
            return Err(BundleError::Refused { sender, why: why.unwrap_or_default() });
        };
        if !ended.is_live() {
            let why = "it holds no whole greeting".into();
            return Err(BundleError::Refused { sender, why });
        }
        let state = after_bundle(before, ended.state);
        self.store.set_peer(&sender, &state).map_err(ReplicaError::from)?;
        Ok(brought)
    }

    /// The sender of a bundle held it all when it wrote, which may be long ago. What it brought, from this place in the
    /// log on, is compared with it or told to it again where both are linked.
    fn doubt_what_it_held(&mut self, sender: &DeviceKey, after: u64, brought: &Brought) {
        for link in self.links.values_mut().filter(|link| link.peer == *sender) {
            for home in brought.homes.union(&brought.about) {
                link.outgoing.doubt(*home);
            }
            link.statements_brought.get_or_insert(after);
        }
    }

    /// Handles frames, one at a time: what they unpack to is far more than they are.
    fn hear(&mut self, now: Moment, survey: &SurveyId, frames: &[Vec<u8>]) -> Result<Brought, ReplicaError> {
        let (mut brought, verifier) = (Brought::default(), Verifier::default());
        for bytes in frames {
            // Who breaks the rules of a session is not listened to any longer.
            if !self.links.contains_key(&LinkId::BUNDLE) {
                break;
            }
            let frame = match Body::alone(bytes) {
                Ok(body) => Frame::check(&body, Some(survey), &verifier),
                Err(fault) => Frame::broken(fault),
            };
            if let Ok(content) = frame.content.as_ref() {
                brought.note(content);
            }
            self.received(now, LinkId::BUNDLE, frame)?;
            if brought.forged > FORGED_MAX {
                let text = format!("more than {FORGED_MAX} of its signatures do not hold");
                self.close(now, LinkId::BUNDLE, CloseCode::Violation, &text)?;
            }
        }
        Ok(brought)
    }

    fn counts(&self, sender: &DeviceKey) -> Result<Counts, ReplicaError> {
        Ok(Counts {
            changes: self.store.change_count()?,
            statements: self.store.stats()?.statements,
            refused: self.refused.get(sender).copied().unwrap_or_default(),
        })
    }
}

/// What was in a bundle.
#[derive(Default)]
struct Brought {
    changes: usize,
    /// Where they are.
    homes: BTreeSet<SubSls>,
    /// Of where statements about work were, receipts not among them, which are in no comparison.
    about: BTreeSet<SubSls>,
    /// Signatures that do not hold.
    forged: usize,
}

impl Brought {
    fn note(&mut self, content: &Content) {
        match content {
            Content::Changes { items, .. } => {
                self.changes += items.len();
                self.forged += items.iter().filter(|item| matches!(item, Checked::Bad(..))).count();
                self.homes.extend(items.iter().filter_map(|item| match item {
                    Checked::Good(arrived) => Some(arrived.record().home()),
                    Checked::Bad(..) => None,
                }));
            }
            Content::Statements { items, .. } => {
                let is_forged = |item: &&CheckedStatement| matches!(item, CheckedStatement::Bad(_));
                self.forged += items.iter().filter(is_forged).count();
                let said = items.iter().filter_map(|item| match item {
                    CheckedStatement::Good(statement) => Some(&statement.statement().said),
                    CheckedStatement::Bad(_) | CheckedStatement::Malformed => None,
                });
                self.about
                    .extend(said.filter(|said| !matches!(said, Said::Receipt(_))).filter_map(Said::about));
            }
            Content::Message(_) => {}
        }
    }
}

struct Counts {
    changes: u64,
    statements: u64,
    refused: u64,
}

/// What is known of a peer after its bundle. It may be older than what a session has said since: no place moves
/// back, and the bundle is no contact.
fn after_bundle(before: Option<PeerState>, now: PeerState) -> PeerState {
    let known = before.unwrap_or_default();
    let received = match (known.received, now.received) {
        (Some((epoch, had)), Some((of, has))) if epoch == of => Some((epoch, had.max(has))),
        (had, has) => had.or(has),
    };
    PeerState { received, knows_us: known.knows_us, ..known }
}

/// How many changes are in these messages, and how many statements.
fn counted(messages: &[Message]) -> (usize, usize) {
    messages.iter().fold((0, 0), |(changes, statements), message| match message {
        Message::Changes(held) => (changes + held.items.len(), statements),
        Message::Stubs(held) => (changes + held.items.len(), statements),
        Message::Statements { items, .. } => (changes, statements + items.len()),
        _ => (changes, statements),
    })
}

/// A frame without its length: a sealed part has its own.
fn body(message: &Message) -> Vec<u8> {
    message.encode().split_off(size_of::<u32>())
}

/// Why no bundle was written, or none taken in.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The charter has not come yet.
    #[error(
        "the survey's charter is not here yet; it comes by a link, or by a bundle from a node that has it"
    )]
    NoCharter,
    /// This device is in no survey.
    #[error("this device belongs to no survey yet; type rukun join SURVEY-ID on it")]
    NoSurvey,
    /// It would be for this device itself.
    #[error("that is this device itself")]
    Myself,
    /// The device was never granted anything.
    #[error("device {recipient} was granted nothing that is known here, so nothing may be written to it")]
    NotGranted {
        /// The device.
        recipient: DeviceKey,
    },
    /// It can't be sealed.
    #[error(transparent)]
    Seal(SealError),
    /// It is no bundle, or there is more than a bundle holds.
    #[error(transparent)]
    Envelope(EnvelopeError),
    /// It can't be opened here.
    #[error(transparent)]
    Open(OpenError),
    /// What its sender sealed is not made of messages.
    #[error("device {sender} wrote it wrongly: {fault}")]
    Malformed {
        /// Who made it.
        sender: DeviceKey,
        /// What is wrong.
        fault: String,
    },
    /// What its sender says is against the rules.
    #[error("it was not taken in, or not all of it: {why}")]
    Refused {
        /// Who made it.
        sender: DeviceKey,
        /// Why.
        why: String,
    },
    /// The disk's fault: the process must stop.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
}
