//! What happens on links: they open, messages come in the order that the session allows, they close
//! with a reason. What the messages mean is in `greet` (who are you), `take` (what comes) and `send` (what goes).

use rukun_change::{DeviceKey, Moment};
use rukun_reconcile::Violation;
use rukun_wire::{CloseCode, CloseReason, Message};

use crate::input::{Content, Event, Frame, LinkId, Output};
use crate::piece::Piece;
use crate::replica::{Replica, ReplicaError};
use crate::session::{Fault, Link, Outcome, Phase};

impl Replica {
    pub(crate) fn link_opened(
        &mut self,
        now: Moment,
        link: LinkId,
        peer: DeviceKey,
        dialed: bool,
    ) -> Result<(), ReplicaError> {
        if peer == self.device() {
            self.stage(Output::Close { link, reason: "this device itself".into() });
            return Ok(());
        }
        if let Some((other, kept)) = self.links.iter().find(|(_, other)| other.peer == peer) {
            // Two devices that dial each other must agree on which link stays: the one that the
            // smaller key dialed; of two in one direction the newer, since the older may be dead.
            let other = *other;
            let smaller_dials = self.device() < peer;
            if kept.dialed != dialed && kept.dialed == smaller_dials {
                self.stage(Output::Close { link, reason: "already linked".into() });
                return Ok(());
            }
            self.close(now, other, CloseCode::Replaced, "a newer link takes its place")?;
        }
        let state = self.store.peer(&peer)?.unwrap_or_default();
        let knows_us = state.knows_us;
        self.links.insert(link, Link::new(now, peer, dialed, state));
        // Who is called waits to hear who calls: a stranger learns nothing of the survey.
        if !dialed {
            return Ok(());
        }
        self.greet(now, link, knows_us, None)?;
        self.speak_early(link)
    }

    pub(crate) fn link_closed(
        &mut self,
        now: Moment,
        link: LinkId,
        reason: String,
    ) -> Result<(), ReplicaError> {
        let Some(mut ended) = self.links.remove(&link) else { return Ok(()) };
        if ended.is_agreed() {
            self.cut_short.remove(&ended.peer);
        } else if ended.is_live() {
            self.cut_short.insert(ended.peer);
        }
        // Of a link that never went live nothing is remembered: any stranger can open one.
        if ended.is_live() || ended.state_is_news {
            ended.state.last_contact_ms = now.wall_ms;
            self.store.set_peer(&ended.peer, &ended.state)?;
        }
        self.tell(Event::PeerDown { peer: ended.peer, reason });
        // What it was asked for, another may bring: who is linked was asked once only.
        if ended.questionnaire.is_due() && link != LinkId::BUNDLE {
            self.ask_another(None)?;
        }
        Ok(())
    }

    pub(crate) fn received(&mut self, now: Moment, link: LinkId, frame: Frame) -> Result<(), ReplicaError> {
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        if open.is_live() {
            open.state.last_contact_ms = now.wall_ms;
            open.state_is_news = true;
        }
        let outcome = match *frame.content {
            Ok(Content::Message(message)) if matches!(*message, Message::Close(_)) => {
                let Message::Close(reason) = *message else { return Ok(()) };
                if reason.code == CloseCode::NoGrant {
                    // It may have lost what it knew of us: greet it as a stranger next time.
                    self.forget_that_peer_knows_us(link);
                }
                let reason = format!("closed by the peer: {}", reason.text);
                self.stage(Output::Close { link, reason: reason.clone() });
                return self.link_closed(now, link, reason);
            }
            Ok(Content::Message(message)) => self.message(now, link, *message)?,
            Ok(Content::Changes { frame, upto, items }) => self.take_changes(link, frame, upto, items)?,
            Ok(Content::Statements { items, last }) => self.take_statements(now, link, &items, last)?,
            Err(fault) => Err(Fault { code: CloseCode::Malformed, text: fault.to_string() }),
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(fault) => self.close(now, link, fault.code, &fault.text),
        }
    }

    /// Ends a link with a reason that both sides log.
    pub(crate) fn close(
        &mut self,
        now: Moment,
        link: LinkId,
        code: CloseCode,
        text: &str,
    ) -> Result<(), ReplicaError> {
        self.send(link, &Message::Close(CloseReason { code, text: text.into() }));
        self.stage(Output::Close { link, reason: text.into() });
        self.link_closed(now, link, format!("closed by us: {text}"))
    }

    pub(crate) fn close_the_silent(&mut self, now: Moment) {
        let silent =
            self.links.iter().filter(|(_, link)| link.deadline_ms().is_some_and(|ms| ms <= now.steady_ms));
        let silent: Vec<LinkId> = silent.map(|(id, _)| *id).collect();
        for link in silent {
            // A link that never went live has nothing to remember in the store.
            let ended = self.links.remove(&link);
            let reason = "no greeting in time".to_string();
            self.stage(Output::Close { link, reason: reason.clone() });
            if let Some(ended) = ended {
                self.tell(Event::PeerDown { peer: ended.peer, reason });
            }
        }
    }

    pub(crate) fn send(&mut self, link: LinkId, message: &Message) {
        self.stage_frame(link, message);
    }

    /// Gives how many bytes it takes. To a bundle nothing is said.
    pub(crate) fn stage_frame(&mut self, link: LinkId, message: &Message) -> usize {
        if link == LinkId::BUNDLE {
            return 0;
        }
        let bytes = match self.links.get_mut(&link) {
            Some(open) => open.framer.frame(message, open.outgoing.effort()),
            None => message.encode(),
        };
        let length = bytes.len();
        self.stage(Output::Send { link, bytes });
        length
    }

    fn message(&mut self, now: Moment, link: LinkId, message: Message) -> Result<Outcome, ReplicaError> {
        let Some(open) = self.links.get(&link) else { return Ok(Ok(())) };
        let name = message.name();
        // What asks or answers would cost time, and nobody hears what is said to it.
        if link == LinkId::BUNDLE && !matches!(message, Message::Hello(_) | Message::Blob { .. }) {
            let text = format!("message {name} came in a bundle, where nothing is asked or answered");
            return Ok(Err(Fault { code: CloseCode::Violation, text }));
        }
        match (&open.phase, message) {
            (Phase::Greeting, Message::Hello(hello)) => self.take_hello(now, link, hello),
            (Phase::Trust(_), Message::StatementIds(ids)) => self.take_statement_ids(link, &ids),
            (Phase::Live, Message::BlobWant { digest, offset }) => {
                self.give_blob(link, &digest, offset).map(Ok)
            }
            (Phase::Live, Message::Blob { digest, offset, total, bytes }) => {
                let piece = Piece { digest, offset, total, bytes };
                if self.is_coming(link, &digest) {
                    return self.take_parcel_piece(now, link, &piece);
                }
                self.take_blob(link, &piece)
            }
            (Phase::Live, Message::Parcels(parcels)) => self.take_parcels(link, parcels),
            (Phase::Live, Message::ParcelEnd { digest, refused }) => {
                self.take_parcel_end(link, &digest, refused).map(Ok)
            }
            (Phase::Live, Message::Ack { frame, exceptions }) => self.take_ack(now, link, frame, &exceptions),
            (Phase::Live, Message::Summary(rows)) => Ok(self.take_summary(link, rows)),
            (Phase::Live, Message::Differ(places)) => Ok(self.take_differ(link, &places)),
            (Phase::Live, Message::Ids { sub_sls, ids, last }) => self.take_ids(link, sub_sls, &ids, last),
            (Phase::Live, Message::Want(ids)) => self.take_want(link, &ids),
            (Phase::Trust(_), Message::Sketch(sketch)) => {
                if let Some(open) = self.links.get_mut(&link) {
                    open.early_came = Some(Box::new(sketch));
                }
                Ok(Ok(()))
            }
            (Phase::Live, Message::Sketch(sketch)) => self.take_sketch(link, sketch).map(Ok),
            (Phase::Live, Message::More(symbols)) => Ok(self.take_more(link, symbols)),
            (Phase::Live, Message::Symbols(symbols)) => self.take_symbols(link, &symbols),
            (Phase::Live, Message::Lack(shorts)) => self.take_lack(link, &shorts),
            (Phase::Live, Message::Unclear { again }) => Ok(self.take_unclear(link, again)),
            (phase, _) => Ok(Err(Violation::Phase { message: name, phase: phase.name() }.into())),
        }
    }
}
