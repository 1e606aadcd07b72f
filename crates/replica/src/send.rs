//! What goes to peers: the log from their cursor on, then what their summaries show them to lack.
//! Everything is looked up here that [`rukun_reconcile::Outgoing`] asks for.

use std::collections::BTreeSet;

use rukun_change::{ChangeId, DeviceKey, Fingerprint, Moment, Region, StatementId, SubSls};
use rukun_reconcile::Work;
use rukun_store::EntryKind;
use rukun_wire::limits::{CHANGE_IDS_MAX, FRAME_CHANGES_MAX, SUMMARY_SUB_SLS_MAX};
use rukun_wire::{Changes, Exception, Message};

use crate::batch::{Batch, Item};
use crate::input::{Event, LinkId};
use crate::replica::{Replica, ReplicaError};
use crate::session::Outcome;

/// How many entries of the log are looked at for one frame.
const SCAN_ENTRIES_MAX: usize = 512;

impl Replica {
    /// Sends every peer what it lacks, as far as its window allows.
    pub(crate) fn send_what_is_due(&mut self) -> Result<(), ReplicaError> {
        let live: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| link.is_live()).map(|(id, _)| *id).collect();
        let fresh = self.take_fresh();
        for link in live {
            self.send_statements_behind(link)?;
            self.overtake(link, &fresh)?;
            while self.send_next(link)? {}
            self.answer_summaries(link)?;
            self.keep_state(link)?;
            self.ask_for_parcel(link)?;
        }
        Ok(())
    }

    pub(crate) fn take_ack(
        &mut self,
        now: Moment,
        link: LinkId,
        frame: u64,
        exceptions: &[(ChangeId, Exception)],
    ) -> Result<Outcome, ReplicaError> {
        let Some(open) = self.links.get_mut(&link) else { return Ok(Ok(())) };
        let ids: Vec<ChangeId> = exceptions.iter().map(|(id, _)| *id).collect();
        let delivered = match open.outgoing.acknowledged(now.steady_ms, frame, &ids) {
            Ok(delivered) => delivered,
            Err(violation) => return Ok(Err(violation.into())),
        };
        open.state.acknowledged = delivered.upto;
        open.state_is_news = true;
        let peer = open.peer;
        self.found_elsewhere(&delivered.changes)?;
        for (id, exception) in exceptions {
            self.tell(match exception {
                Exception::Waiting => Event::Waits { peer, change: *id },
                Exception::Refused(why) => {
                    let reason = format!("change {id:.12} was refused by the peer: {why}");
                    Event::Refused { peer, reason }
                }
            });
        }
        Ok(Ok(()))
    }

    pub(crate) fn take_differ(&mut self, link: LinkId, places: &[SubSls]) -> Outcome {
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        open.outgoing.differs(places).map_err(Into::into)
    }

    /// The peer wants these: they go in the order of our log, causes first.
    pub(crate) fn take_want(&mut self, link: LinkId, ids: &[ChangeId]) -> Result<Outcome, ReplicaError> {
        let mut by_log = Vec::with_capacity(ids.len());
        for id in ids {
            let statement = self.store.statement_seq(&StatementId::from_bytes(*id.as_bytes()))?;
            by_log.push((statement.or(self.store.change_seq(id)?), *id));
        }
        by_log.sort_unstable();
        let ids: Vec<ChangeId> = by_log.into_iter().map(|(_, id)| id).collect();
        let Some(open) = self.links.get_mut(&link) else { return Ok(Ok(())) };
        if !ids.is_empty() {
            open.outgoing.was_asked();
        }
        Ok(open.outgoing.wants(&ids).map_err(Into::into))
    }

    /// One step for one peer; whether there may be another.
    fn send_next(&mut self, link: LinkId) -> Result<bool, ReplicaError> {
        let head = self.store.head();
        let Some(open) = self.links.get_mut(&link) else { return Ok(false) };
        match open.outgoing.next(head, open.incoming.is_quiet()) {
            Work::Log { after } => self.send_log(link, after)?,
            Work::Changes(ids) => self.send_wanted(link, ids)?,
            Work::List(sub_sls) => self.send_ids(link, sub_sls)?,
            Work::SayQuiet => self.send(link, &Message::Summary(Vec::new())),
            Work::Sketch => self.send_sketch(link)?,
            Work::Symbols(from, upto) => self.send_symbols(link, from, upto)?,
            Work::Summarise(places) => self.send_summary(link, places)?,
            Work::Nothing => return Ok(false),
        }
        Ok(true)
    }

    /// Says where the peer's summaries differ from what we hold. What is on its way to the peer makes
    /// a difference that is no news, and what has not left yet is waited for.
    fn answer_summaries(&mut self, link: LinkId) -> Result<(), ReplicaError> {
        let head = self.store.head();
        loop {
            let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
            if open.outgoing.position() < head {
                return Ok(());
            }
            let Some(rows) = open.incoming.next_summary() else { return Ok(()) };
            let (peer, on_its_way) = (open.peer, open.outgoing.busy());
            let device = self.device();
            let reads = self.trust.as_ref().map(|trust| trust.reads(&device)).unwrap_or_default();
            let regions: Vec<Region> = rows.iter().map(|(place, _)| place.region()).collect();
            let ours = self.store.fingerprints(&regions)?;
            let differ: Vec<SubSls> = rows
                .iter()
                .filter(|(place, theirs)| ours.get(place).copied().unwrap_or_default() != *theirs)
                .map(|(place, _)| *place)
                .filter(|place| covers(&reads, place) && !on_its_way.contains(place))
                .collect();
            let equal = rows.iter().filter(|(place, theirs)| ours.get(place) == Some(theirs));
            let equal = equal.map(|(place, _)| *place).filter(|place| covers(&reads, place));
            let equal: Vec<SubSls> = equal.collect();
            self.found_equal(&peer, &equal)?;
            for (home, set) in rows.iter().filter(|(home, _)| equal.contains(home)) {
                self.attest_outgrown(link, *home, set);
            }
            self.show_receipts(link, &equal)?;
            if let Some(open) = self.links.get_mut(&link) {
                open.incoming.named(&differ);
                // It may deliver where it reads nothing, and learns nothing of what is there.
                let readable = differ.iter().filter(|place| covers(&open.reads, place)).copied();
                open.outgoing.compare_again(&readable.collect::<Vec<_>>());
            }
            self.send(link, &Message::Differ(differ));
        }
    }

    fn send_log(&mut self, link: LinkId, after: u64) -> Result<(), ReplicaError> {
        let Some(open) = self.links.get(&link) else { return Ok(()) };
        let (outgoing, batch) = (&open.outgoing, Batch::of_at_most(open.outgoing.frame_changes_max()));
        let mut overtaken = false;
        let has_gone = |held: &HeldAt| {
            overtaken |= outgoing.has_overtaken(held.seq);
            Ok(outgoing.has_overtaken(held.seq))
        };
        let LogPart { upto, batch, about, receipts } =
            self.log_part(after, &open.peer, &open.reads, batch, has_gone)?;
        let told = self.send_about(link, about)? | self.send_receipts(link, &receipts)?;
        // What goes without a place in the log would go again in the next session.
        if (told || overtaken) && batch.is_empty() {
            self.send_mark(link, upto);
            return Ok(());
        }
        self.send_batch(link, Some(upto), batch)
    }

    /// What the log holds after this place for a peer that reads there, as much as fits into one frame. What
    /// came from it, or is known to be held by it, is left out.
    pub(crate) fn log_part(
        &self,
        after: u64,
        peer: &DeviceKey,
        reads: &[Region],
        batch: Batch,
        mut is_held: impl FnMut(&HeldAt) -> Result<bool, ReplicaError>,
    ) -> Result<LogPart, ReplicaError> {
        let entries = self.store.scan(after, SCAN_ENTRIES_MAX)?;
        let reads = |home: &SubSls| covers(reads, home) || cfg!(planted = "sender-scope-unchecked");
        let mut part = LogPart { upto: after, batch, about: Vec::new(), receipts: Vec::new() };
        for entry in entries.iter().filter(|entry| entry.from != Some(*peer)) {
            match entry.kind {
                EntryKind::Change { id, record } if reads(&record.home()) => {
                    let at = HeldAt { home: record.home(), seq: entry.seq, own: entry.from.is_none() };
                    // What needs another frame goes with the next step.
                    if !is_held(&at)? && self.item(&id)?.is_some_and(|item| !part.batch.push(item)) {
                        part.upto = entry.seq - 1;
                        break;
                    }
                }
                EntryKind::Change { .. } | EntryKind::Released => {}
                // What everyone holds has gone before, whatever its place.
                EntryKind::Statement { id } => part.about.extend(self.store.about(&id).map(|_| id)),
                EntryKind::Receipt { .. } => part.receipts.push(entry.seq),
            }
        }
        if part.upto == after {
            part.upto = entries.last().map_or(after, |entry| entry.seq);
        }
        Ok(part)
    }

    /// The peer may have asked for changes when it could still read them: what it can't read now stays here.
    fn send_wanted(&mut self, link: LinkId, ids: Vec<ChangeId>) -> Result<(), ReplicaError> {
        let as_statement = |id: &ChangeId| StatementId::from_bytes(*id.as_bytes());
        let (statements, changes): (Vec<ChangeId>, Vec<ChangeId>) =
            ids.into_iter().partition(|id| self.store.about(&as_statement(id)).is_some());
        self.send_about(link, statements.iter().map(as_statement).collect())?;
        let Some(reads) = self.links.get(&link).map(|open| open.reads.clone()) else { return Ok(()) };
        let unchecked = cfg!(planted = "sender-scope-unchecked") || cfg!(planted = "differ-unchecked");
        let mut batch = Batch::of_at_most(FRAME_CHANGES_MAX);
        for (at, id) in changes.iter().enumerate() {
            let Some(item) = self.item(id)? else { continue };
            let readable = covers(&reads, &item.record().home()) || unchecked;
            if readable && !batch.push(item) {
                let (_, rest) = changes.split_at(at);
                if let Some(open) = self.links.get_mut(&link) {
                    open.outgoing.wanted_still(rest);
                }
                break;
            }
        }
        self.send_batch(link, None, batch)
    }

    /// Sends statements about work that the peer may read, before the work itself. Gives whether there
    /// were any.
    fn send_about(&mut self, link: LinkId, ids: Vec<StatementId>) -> Result<bool, ReplicaError> {
        let Some(open) = self.links.get(&link) else { return Ok(false) };
        let (places, items): (BTreeSet<SubSls>, Vec<Vec<u8>>) =
            self.about_in(ids, &open.reads)?.into_iter().unzip();
        if let Some(open) = self.links.get_mut(&link).filter(|_| !items.is_empty()) {
            open.outgoing.told(places);
            self.send_statements(link, items);
            return Ok(true);
        }
        Ok(false)
    }

    /// Those of these statements about work that stand where somebody reads, and where that is.
    pub(crate) fn about_in(
        &self,
        ids: Vec<StatementId>,
        reads: &[Region],
    ) -> Result<Vec<(SubSls, Vec<u8>)>, ReplicaError> {
        let readable = |home: &SubSls| covers(reads, home) || cfg!(planted = "about-everywhere");
        let mut found = Vec::new();
        for id in ids {
            let about = self.store.about(&id).filter(readable);
            found.extend(about.zip(self.store.statement(&id)?));
        }
        Ok(found)
    }

    /// Those of these receipts that are still their issuers' latest, where somebody reads.
    pub(crate) fn readable_receipts(&self, places: &[u64], reads: &[Region]) -> Vec<u64> {
        let readable = |home: SubSls| covers(reads, &home) || cfg!(planted = "about-everywhere");
        places.iter().filter(|seq| self.store.receipt_at(**seq).is_some_and(readable)).copied().collect()
    }

    /// Sends those of these receipts that are still their issuers' latest, where the peer may read. Gives
    /// whether there were any.
    pub(crate) fn send_receipts(&mut self, link: LinkId, places: &[u64]) -> Result<bool, ReplicaError> {
        let Some(open) = self.links.get(&link) else { return Ok(false) };
        let latest = self.readable_receipts(places, &open.reads);
        let items = latest.iter().map(|seq| self.store.receipt_bytes(*seq)).collect::<Result<Vec<_>, _>>()?;
        if let Some(open) = self.links.get_mut(&link).filter(|_| !items.is_empty()) {
            open.receipts_sent.extend(&latest);
            self.send_statements(link, items);
        }
        Ok(!latest.is_empty())
    }

    /// Says how far the log is sent where nothing but statements went: they would go again in the next
    /// session.
    pub(crate) fn send_mark(&mut self, link: LinkId, upto: u64) {
        let Some(open) = self.links.get_mut(&link) else { return };
        let frame = open.outgoing.marked(upto);
        self.send(link, &Message::Changes(Changes { frame, upto: Some(upto), items: Vec::new() }));
    }

    /// Sends a frame, after the erasures of what is left of. It says how far the log is sent by it.
    fn send_batch(&mut self, link: LinkId, upto: Option<u64>, batch: Batch) -> Result<(), ReplicaError> {
        if batch.is_empty() {
            self.pass(link, upto);
            return Ok(());
        }
        let erasures: BTreeSet<StatementId> =
            batch.erased().filter_map(|record| self.store.erased(&record)).collect();
        self.send_about(link, erasures.into_iter().collect())?;
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        let frame = open.outgoing.sent(upto, batch.homes());
        if cfg!(planted = "custody-cleared-when-sent") {
            self.found_elsewhere(&batch.homes().collect())?;
        }
        self.stage_batch(link, frame, upto, batch);
        Ok(())
    }

    pub(crate) fn stage_batch(&mut self, link: LinkId, frame: u64, upto: Option<u64>, batch: Batch) {
        let bytes = self.stage_frame(link, &batch.message(frame, upto));
        if let Some(open) = self.links.get_mut(&link) {
            open.outgoing.weighed(bytes);
        }
    }

    /// A change as it goes to a peer, if it is held.
    fn item(&self, id: &ChangeId) -> Result<Option<Item>, ReplicaError> {
        let Some(change) = self.store.change(id)? else {
            return Ok(self.store.header(id)?.map(Item::Stub));
        };
        let good = || self.trust.as_ref().is_none_or(|trust| trust.standing(&change, &[]).is_good());
        if cfg!(planted = "set-aside-not-sent") && !good() {
            return Ok(None);
        }
        Ok(Some(Item::Change(change)))
    }

    /// Nothing goes to the peer for this part of the log.
    fn pass(&mut self, link: LinkId, upto: Option<u64>) {
        if let (Some(open), Some(upto)) = (self.links.get_mut(&link), upto) {
            open.outgoing.passed(upto);
        }
    }

    /// Lists what is held of a sub-SLS that the peer named, changes and statements about them, if it may
    /// still read there.
    fn send_ids(&mut self, link: LinkId, sub_sls: SubSls) -> Result<(), ReplicaError> {
        let readable = self.links.get(&link).is_some_and(|open| covers(&open.reads, &sub_sls));
        if !readable && !cfg!(planted = "differ-unchecked") {
            return Ok(());
        }
        let ids = self.held_ids(&sub_sls)?;
        let parts = ids.chunks(CHANGE_IDS_MAX).count().max(1);
        for part in 0..parts {
            let ids: Vec<ChangeId> =
                ids.iter().skip(part * CHANGE_IDS_MAX).take(CHANGE_IDS_MAX).copied().collect();
            if let Some(open) = self.links.get_mut(&link) {
                open.outgoing.listed(sub_sls, ids.iter().copied());
            }
            self.send(link, &Message::Ids { sub_sls, ids, last: part + 1 == parts });
        }
        Ok(())
    }

    /// The ids of what is held of a sub-SLS, changes and statements about them, ascending.
    pub(crate) fn held_ids(&self, sub_sls: &SubSls) -> Result<Vec<ChangeId>, ReplicaError> {
        let mut ids = self.store.ids(sub_sls)?;
        let about = self.store.statements_about(sub_sls)?;
        ids.extend(about.iter().map(|id| ChangeId::from_bytes(*id.as_bytes())));
        ids.sort_unstable();
        Ok(ids)
    }

    pub(crate) fn send_summary(
        &mut self,
        link: LinkId,
        places: Option<BTreeSet<SubSls>>,
    ) -> Result<(), ReplicaError> {
        let Some(open) = self.links.get(&link) else { return Ok(()) };
        let regions = match places {
            None => open.reads.clone(),
            // What the peer summarised itself says nothing of what it may read.
            Some(places) => {
                places.iter().filter(|place| covers(&open.reads, place)).map(SubSls::region).collect()
            }
        };
        let rows: Vec<(SubSls, Fingerprint)> = self.store.fingerprints(&regions)?.into_iter().collect();
        self.send_rows(link, &rows);
        Ok(())
    }

    pub(crate) fn send_rows(&mut self, link: LinkId, rows: &[(SubSls, Fingerprint)]) {
        let places: Vec<SubSls> = rows.iter().map(|(place, _)| *place).collect();
        for rows in rows.chunks(SUMMARY_SUB_SLS_MAX) {
            self.send(link, &Message::Summary(rows.to_vec()));
        }
        if let Some(open) = self.links.get_mut(&link) {
            open.outgoing.summarised(&places);
        }
    }

    /// Writes down what the peer is known to hold, and tells when it holds everything.
    fn keep_state(&mut self, link: LinkId) -> Result<(), ReplicaError> {
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        let agreed = open.outgoing.agreed();
        let newly = agreed && !open.state.in_sync;
        if agreed != open.state.in_sync {
            open.state.in_sync = agreed;
            open.state_is_news = true;
        }
        if agreed {
            open.state.acknowledged = open.outgoing.known().upto();
        }
        let peer = open.peer;
        // What is known of a peer is a hint, so it alone is never worth a sync of the disk: it goes
        // along with the next commit, or when the peers have come to agree.
        if open.state_is_news && (newly || self.store.is_dirty()) {
            open.state_is_news = false;
            let state = open.state;
            self.store.set_peer(&peer, &state)?;
        }
        if newly {
            self.tell(Event::InSync { peer });
        }
        if agreed {
            self.offer_parcels(link);
        }
        if let Some(open) = self.links.get(&link).filter(|open| open.outgoing.owes_a_mark()) {
            self.send_mark(link, open.outgoing.position());
        }
        Ok(())
    }
}

/// A part of the log, as it goes to somebody.
pub(crate) struct LogPart {
    /// Up to where it goes.
    pub(crate) upto: u64,
    pub(crate) batch: Batch,
    /// Statements about work, which go before it.
    pub(crate) about: Vec<StatementId>,
    /// Where receipts stand, which go before it, too.
    pub(crate) receipts: Vec<u64>,
}

/// Where a change stands.
pub(crate) struct HeldAt {
    pub(crate) home: SubSls,
    pub(crate) seq: u64,
    /// Whether it was made here.
    pub(crate) own: bool,
}

pub(crate) fn covers(regions: &[Region], home: &SubSls) -> bool {
    regions.iter().any(|region| region.covers_sub_sls(home))
}
