//! The greeting and the trust phase: two nodes learn which survey the other is in, who it is and
//! which statements it lacks. Nothing about people crosses a link before this is done.

use std::collections::{BTreeMap, BTreeSet};

use rukun_authority::{Said, Statement, VerifiedStatement};
use rukun_change::{DeviceKey, Incarnation, Moment, Region, StatementId, SubSls, SurveyId};
use rukun_reconcile::{
    Incoming, Outgoing, PROTOCOL_VERSIONS, Violation, agree_on_version, known_upto, starts_after,
};
use rukun_store::PeerState;
use rukun_wire::limits::{
    BATCH_BYTES_MAX, CHAIN_STATEMENTS_MAX, STATEMENT_IDS_MAX, STATEMENT_LISTS_MAX, STATEMENTS_MAX,
};
use rukun_wire::{CloseCode, Cursor, Hello, Message};

use crate::input::{CheckedStatement, Event, LinkId};
use crate::replica::{Replica, ReplicaError};
use crate::session::{Fault, Outcome, Phase};

impl Replica {
    /// Says who we are. Where the peer has greeted first, what is the same as in its greeting is left out.
    pub(crate) fn greet(
        &mut self,
        now: Moment,
        link: LinkId,
        knows_us: bool,
        answered: Option<&Hello>,
    ) -> Result<(), ReplicaError> {
        let Some(survey) = self.survey() else {
            let text = "this device belongs to no survey yet; type rukun join SURVEY-ID on it";
            return self.close(now, link, CloseCode::WrongSurvey, text);
        };
        let received = self.links.get(&link).and_then(|link| link.state.received);
        let peer = self.links.get(&link).map(|link| link.peer);
        let hello = self.hello(survey, peer.as_ref(), received, knows_us)?;
        let hello = match answered {
            Some(theirs) => Hello {
                survey: None,
                statements: hello.statements.filter(|held| theirs.statements != Some(*held)),
                ..hello
            },
            None => hello,
        };
        let head = self.store.head();
        if let Some(open) = self.links.get_mut(&link) {
            // What comes from others while this link is being greeted goes with the log.
            open.greeted_with = self.store.statement_fingerprint();
            (open.statements_upto, open.statements_brought) = (head, None);
        }
        self.send(link, &Message::Hello(hello));
        Ok(())
    }

    /// Who we are, for a peer of whose log we have this much. Our own chain of grants goes along unless the peer
    /// is known to hold it.
    pub(crate) fn hello(
        &self,
        survey: SurveyId,
        peer: Option<&DeviceKey>,
        received: Option<(Incarnation, u64)>,
        knows_us: bool,
    ) -> Result<Hello, ReplicaError> {
        Ok(Hello {
            versions: PROTOCOL_VERSIONS,
            survey: Some(survey),
            epoch: self.store.incarnation(),
            received: received.map(|(epoch, seq)| Cursor { epoch, seq }),
            held: self.store.change_count()?,
            statements: Some(self.store.statement_fingerprint()),
            chain: if knows_us { Vec::new() } else { self.own_chain(peer)? },
        })
    }

    pub(crate) fn take_hello(
        &mut self,
        now: Moment,
        link: LinkId,
        hello: Hello,
    ) -> Result<Outcome, ReplicaError> {
        if agree_on_version(hello.versions).is_none() {
            let (lowest, highest) = hello.versions;
            let text = format!("no version in common: the peer speaks {lowest} to {highest}; update rukun");
            return Ok(Err(Fault { code: CloseCode::Version, text }));
        }
        let Some(open) = self.links.get(&link) else { return Ok(Ok(())) };
        let (peer, is_answer) = (open.peer, open.dialed && link != LinkId::BUNDLE);
        let is_whole = hello.survey.is_some() && hello.statements.is_some();
        if !is_answer && !is_whole {
            let text = "the greeting leaves out what only an answer may".into();
            return Ok(Err(Fault { code: CloseCode::Malformed, text }));
        }
        if let Some(survey) = hello.survey.filter(|survey| self.survey() != Some(*survey)) {
            let text = format!("the peer is in another survey, {survey}");
            return Ok(Err(Fault { code: CloseCode::WrongSurvey, text }));
        }
        let mut news = false;
        for bytes in &hello.chain {
            let Ok(statement) = Statement::from_bytes(bytes) else {
                let text = "the greeting holds a malformed statement".into();
                return Ok(Err(Fault { code: CloseCode::Malformed, text }));
            };
            news |= self.take_claim(statement, Some(&peer))?;
        }
        if news {
            self.statements_changed()?;
        }
        if let Err(fault) = self.check_granted(link, &peer) {
            self.forget_stranger(&peer);
            return Ok(Err(fault));
        }
        if let Some(claimed) = self.claimed_beyond(&hello) {
            return self.go_on_after_restore(now, link, claimed);
        }
        let Some(open) = self.links.get(&link) else { return Ok(Ok(())) };
        if !open.dialed {
            self.greet(now, link, open.state.knows_us, Some(&hello))?;
        }
        let Some(open) = self.links.get_mut(&link) else { return Ok(Ok(())) };
        let same = hello.statements.is_none_or(|theirs| theirs == open.greeted_with);
        open.phase = Phase::Trust(Box::new(hello));
        if same {
            self.go_live(now, link)?;
        } else {
            // What went with our greeting is passed over there.
            if !cfg!(planted = "early-counted") {
                open.outgoing = Outgoing::new(0, 0);
            }
            let mut ids = self.store.statement_ids()?;
            ids.sort_unstable();
            for list in lists_of(&ids) {
                self.send(link, &Message::StatementIds(list.to_vec()));
            }
        }
        Ok(Ok(()))
    }

    /// The peer says which statements it holds, in lists of which the first that is not full is the last: it gets
    /// the others, once. A few bytes would else bring it all of them, as often as it likes.
    pub(crate) fn take_statement_ids(
        &mut self,
        link: LinkId,
        ids: &[StatementId],
    ) -> Result<Outcome, ReplicaError> {
        let Some(open) = self.links.get_mut(&link) else { return Ok(Ok(())) };
        let is_last = ids.len() < STATEMENT_IDS_MAX;
        let listed = match &mut open.statements_listed {
            Some(listed) if listed.len() < STATEMENT_LISTS_MAX * STATEMENT_IDS_MAX => {
                listed.extend(ids);
                if !is_last {
                    return Ok(Ok(()));
                }
                std::mem::take(listed)
            }
            _ => {
                let text = "the peer listed its statements twice, or too many".into();
                return Ok(Err(Fault { code: CloseCode::Violation, text }));
            }
        };
        open.statements_listed = None;
        let missing = self.store.statements_but(&listed)?;
        self.send_statements(link, missing.into_iter().map(|(_, bytes)| bytes));
        if let Some(open) = self.links.get_mut(&link) {
            (open.statements_upto, open.statements_brought) = (self.store.head(), None);
        }
        Ok(Ok(()))
    }

    pub(crate) fn take_statements(
        &mut self,
        now: Moment,
        link: LinkId,
        items: &[CheckedStatement],
        last: bool,
    ) -> Result<Outcome, ReplicaError> {
        let Some(open) = self.links.get(&link) else { return Ok(Ok(())) };
        if matches!(open.phase, Phase::Greeting) {
            return Ok(Err(Violation::Phase { message: "statements", phase: open.phase.name() }.into()));
        }
        let (peer, in_trust) = (open.peer, !open.is_live());
        let (mut news, mut about_work) = (false, false);
        for item in items {
            let statement = match item {
                CheckedStatement::Good(statement) => statement,
                CheckedStatement::Bad(refusal) => {
                    self.count_refused(peer, format!("statement refused: {refusal}"));
                    continue;
                }
                CheckedStatement::Malformed => {
                    let text = "a statement is malformed".into();
                    return Ok(Err(Fault { code: CloseCode::Malformed, text }));
                }
            };
            match statement.statement().said.about() {
                None => news |= self.take_statement(statement, Some(&peer))?,
                Some(home) => {
                    // A receipt moves no set. A district gives one for each list of a place that its peer outgrew,
                    // and if that were compared again for it, both would go on for ever.
                    about_work |= !matches!(statement.statement().said, Said::Receipt(_));
                    if let Err(fault) = self.take_about(link, &home, statement)? {
                        return Ok(Err(fault));
                    }
                }
            }
        }
        if news {
            self.statements_changed()?;
        }
        if let Some(open) = self.links.get_mut(&link).filter(|_| news || about_work) {
            open.outgoing.statements_moved();
        }
        if in_trust && last {
            if let Err(fault) = self.check_granted(link, &peer) {
                return Ok(Err(fault));
            }
            self.go_live(now, link)?;
        }
        Ok(Ok(()))
    }

    /// A statement about the work of one sub-SLS came. It is held only where that is.
    fn take_about(
        &mut self,
        link: LinkId,
        home: &SubSls,
        statement: &VerifiedStatement,
    ) -> Result<Outcome, ReplicaError> {
        let device = self.device();
        let (Some(trust), Some(open)) = (&self.trust, self.links.get(&link)) else { return Ok(Ok(())) };
        let peer = open.peer;
        if !open.is_live() || !trust.ever_covered(&device, home) {
            let text = format!("a statement about {home} came {}", open.phase.name());
            return Ok(Err(Fault { code: CloseCode::OutOfScope, text }));
        }
        let is_receipt = matches!(statement.statement().said, Said::Receipt(_));
        let frees = is_receipt && self.outgrown.contains(home);
        if !frees && !trust.may_read(&device, home) {
            self.count_refused(peer, format!("{home} is outside what this device may read now"));
            return Ok(Ok(()));
        }
        if let Said::Receipt(receipt) = &statement.statement().said {
            if !self.take_receipt(statement, receipt, Some(&peer))? {
                self.decline(statement.id());
            }
            return Ok(Ok(()));
        }
        let places = BTreeSet::from([*home]);
        if let Some(open) = self.links.get_mut(&link) {
            open.outgoing.came(places.iter().copied());
            open.outgoing.progressed(&places);
        }
        self.take_statement(statement, Some(&peer))?;
        Ok(Ok(()))
    }

    /// What peers may read may have changed with the statements: where it has, nothing is known any more of
    /// what they hold, and linked ones are compared anew. A place that was taken and given back at once leaves no
    /// trace in scopes, and may have been let go of in between.
    pub(crate) fn rescope_peers(&mut self) -> Result<(), ReplicaError> {
        self.moved.clear();
        let is_moved_twice = std::mem::take(&mut self.is_moved_twice);
        let scopes = self.peer_scopes()?;
        let before = std::mem::replace(&mut self.scopes, scopes);
        let Some(trust) = &self.trust else { return Ok(()) };
        for link in self.links.values_mut() {
            if !link.is_live() {
                if is_moved_twice || before.get(&link.peer) != self.scopes.get(&link.peer) {
                    (link.state.acknowledged, link.state.in_sync) = (0, false);
                }
                continue;
            }
            let reads = trust.reads(&link.peer);
            if (is_moved_twice || reads != link.reads) && !cfg!(planted = "live-scope-stale") {
                link.reads = reads;
                link.receipts_shown.get_or_insert_default();
                link.outgoing.scope_changed();
                (link.state.acknowledged, link.state_is_news) = (0, true);
            }
        }
        for (peer, reads) in &self.scopes {
            if (is_moved_twice || before.get(peer) != Some(reads))
                && let Some(state) = self.store.peer(peer)?
            {
                self.store.set_peer(peer, &PeerState { acknowledged: 0, in_sync: false, ..state })?;
            }
        }
        Ok(())
    }

    /// What each peer ever met may read now.
    pub(crate) fn peer_scopes(&self) -> Result<BTreeMap<DeviceKey, Vec<Region>>, ReplicaError> {
        let Some(trust) = &self.trust else { return Ok(BTreeMap::new()) };
        let peers = self.store.peers()?.into_iter();
        Ok(peers.map(|(peer, _)| (peer, trust.reads(&peer))).collect())
    }

    /// Trust is settled: what each may read is known, and the sets can be made equal.
    fn go_live(&mut self, now: Moment, link: LinkId) -> Result<(), ReplicaError> {
        let (epoch, head) = (self.store.incarnation(), self.store.head());
        let Some(trust) = &self.trust else { return Ok(()) };
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        let Phase::Trust(hello) = std::mem::replace(&mut open.phase, Phase::Live) else { return Ok(()) };
        let peer = open.peer;
        open.reads = trust.reads(&peer);
        let (after, told) = (starts_after(&hello, epoch, head), known_upto(&hello, epoch, head));
        // Where its scope has changed since, it may claim more than it was ever sent.
        let known = told.min(open.state.acknowledged);
        let early = std::mem::replace(&mut open.outgoing, Outgoing::new(after, known));
        open.outgoing = Outgoing::new(after, known).following(early);
        open.outgoing.peer_was_told(told);
        open.receipts_shown = (known < after).then(BTreeSet::new);
        let is_current = |epoch| epoch == hello.epoch || cfg!(planted = "epoch-ignored");
        let received = open.state.received.filter(|(epoch, _)| is_current(*epoch));
        open.incoming = Incoming::new(received.map_or(0, |(_, seq)| seq));
        open.their_epoch = hello.epoch;
        open.state.knows_us = true;
        open.state.in_sync = false;
        // A peer that was restored from a backup, or begun anew, has lost what it acknowledged before.
        open.state.acknowledged = known;
        open.state.last_contact_ms = now.wall_ms;
        open.state_is_news = true;
        self.ask_for_questionnaire(link)?;
        self.tell(Event::PeerUp { peer });
        self.go_on_from_early(link)
    }

    /// Statements that came from others since this peer was told what we hold. They go before any change:
    /// a grant at the end of the log may let the peer read what stands at its beginning, and it must
    /// know so before that comes. A cursor says nothing of statements. Those that a bundle of the peer brought go, too.
    pub(crate) fn send_statements_behind(&mut self, link: LinkId) -> Result<(), ReplicaError> {
        let device = self.device();
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        let (after, but_from) = match open.statements_brought.take() {
            Some(brought) => (brought.min(open.statements_upto), device),
            None => (open.statements_upto, open.peer),
        };
        let items = self.store.statements_after(after, &but_from)?;
        open.statements_upto = self.store.head();
        if !items.is_empty() {
            open.outgoing.statements_moved();
            self.send_statements(link, items);
        }
        Ok(())
    }

    /// Sends statements in messages that keep their limits. The last one says that it is.
    pub(crate) fn send_statements(&mut self, link: LinkId, statements: impl IntoIterator<Item = Vec<u8>>) {
        for message in statement_messages(statements) {
            self.send(link, &message);
        }
    }

    /// A stranger to the survey gets no statement and no answer but this reason. Who was granted
    /// once may still deliver, whatever it may read now.
    fn check_granted(&mut self, link: LinkId, peer: &DeviceKey) -> Outcome {
        if self.trust.as_ref().is_some_and(|trust| trust.ever_granted(peer)) {
            return Ok(());
        }
        if self.trust.is_none() && self.links.get(&link).is_some_and(|open| !open.is_live()) {
            let text =
                "neither side has the survey's charter with it; the next greeting will bring it".into();
            self.forget_that_peer_knows_us(link);
            return Err(Fault { code: CloseCode::NoGrant, text });
        }
        Err(Fault { code: CloseCode::NoGrant, text: ungranted(peer) })
    }

    pub(crate) fn forget_that_peer_knows_us(&mut self, link: LinkId) {
        if let Some(open) = self.links.get_mut(&link).filter(|open| open.state.knows_us) {
            open.state.knows_us = false;
            open.state_is_news = true;
        }
    }

    /// What a peer needs to believe that we take part. Whom nobody has granted anything may be a relay that begins
    /// anew: it is told who is root by now, too, under whose key alone it can be granted.
    fn own_chain(&self, peer: Option<&DeviceKey>) -> Result<Vec<Vec<u8>>, ReplicaError> {
        let Some(trust) = &self.trust else { return Ok(Vec::new()) };
        let charter = StatementId::from_bytes(*trust.survey().as_bytes());
        let is_new = peer.is_some_and(|peer| !trust.ever_granted(peer));
        let roots = if is_new { trust.root_chain() } else { Vec::new() };
        let grants = trust.chain(&self.device()).into_iter().filter(|id| !roots.contains(id));
        let ids: Vec<StatementId> =
            [charter].into_iter().chain(roots.iter().copied()).chain(grants).collect();
        let (mut chain, mut bytes) = (Vec::new(), 0);
        for id in ids.iter().take(CHAIN_STATEMENTS_MAX) {
            let Some(statement) = self.store.statement(id)? else { continue };
            bytes += statement.len();
            // A succession may be as long as a frame.
            if bytes > BATCH_BYTES_MAX {
                break;
            }
            chain.push(statement);
        }
        Ok(chain)
    }
}

/// Lists of ids that are full but for the last.
fn lists_of(ids: &[StatementId]) -> impl Iterator<Item = &[StatementId]> {
    let last: &[StatementId] = &[];
    let is_full = ids.len().is_multiple_of(STATEMENT_IDS_MAX);
    ids.chunks(STATEMENT_IDS_MAX).chain(is_full.then_some(last))
}

/// What a stranger is told, and nothing else.
pub(crate) fn ungranted(peer: &DeviceKey) -> String {
    format!("no grant is known for device {peer}; the office can type rukun grant for it")
}

/// Statements in messages that keep their limits. The last one says that it is.
pub(crate) fn statement_messages(statements: impl IntoIterator<Item = Vec<u8>>) -> Vec<Message> {
    let (mut messages, mut items, mut bytes) = (Vec::new(), Vec::new(), 0);
    for statement in statements {
        if items.len() == STATEMENTS_MAX || bytes + statement.len() > BATCH_BYTES_MAX {
            messages.push(Message::Statements { items: std::mem::take(&mut items), last: false });
            bytes = 0;
        }
        bytes += statement.len();
        items.push(statement);
    }
    messages.push(Message::Statements { items, last: true });
    messages
}
