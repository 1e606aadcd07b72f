//! What comes from peers: changes go through the gate, summaries are compared, ids are looked up.
//! What can't be placed yet waits outside the set, bounded for each peer.

use std::collections::BTreeSet;

use rukun_authority::{AdmittedChange, AdmittedHeader, Verdict, VerifiedChange};
use rukun_change::{Author, ChangeId, DeviceKey, Fingerprint, RecordId, StatementId, SubSls};
use rukun_wire::{CloseCode, Exception, Message};

use crate::input::{Arrived, Checked, Event, LinkId};
use crate::replica::{Replica, ReplicaError};
use crate::session::{Fault, Listed, Outcome};

/// The most changes of one peer that may wait.
const WAITING_MAX: usize = 1_024;
/// How much of one peer may wait.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Replica {
    pub(crate) fn take_changes(
        &mut self,
        link: LinkId,
        frame: u64,
        upto: Option<u64>,
        items: Vec<Checked>,
    ) -> Result<Outcome, ReplicaError> {
        let device = self.device();
        let Some(open) = self.links.get_mut(&link) else { return Ok(Ok(())) };
        if !open.is_live() {
            let text = format!("changes came {}", open.phase.name());
            let passes = open.passes_over_early(upto);
            return Ok(if passes { Ok(()) } else { Err(Fault { code: CloseCode::Violation, text }) });
        }
        if let Err(violation) = open.incoming.frame(frame, upto) {
            return Ok(Err(violation.into()));
        }
        let of_log = upto.is_some();
        let (peer, epoch, upto) = (open.peer, open.their_epoch, open.incoming.upto());
        let mut exceptions = Vec::new();
        let mut homes = BTreeSet::new();
        let mut admitted = false;
        for item in items {
            let arrived = match item {
                Checked::Good(arrived) => arrived,
                Checked::Bad(id, refusal) => {
                    exceptions.push(self.refused(peer, id, refusal.to_string()));
                    continue;
                }
            };
            let (id, home) = (arrived.id(), arrived.record().home());
            homes.insert(home);
            let Some(trust) = &self.trust else { return Ok(Ok(())) };
            if !trust.ever_covered(&device, &home) && !cfg!(planted = "receiver-scope-unchecked") {
                let text = format!("a change in {home} came, where this device was never granted anything");
                return Ok(Err(Fault { code: CloseCode::OutOfScope, text }));
            }
            let stranded = cfg!(planted = "own-work-stranded") && !trust.may_read(&peer, &home);
            let readable = trust.may_read(&device, &home) || cfg!(planted = "receiver-scope-unchecked");
            if !readable || stranded {
                let why = format!("{home} is outside what this device may read now");
                exceptions.push(self.refused(peer, id, why));
                continue;
            }
            let admission = match arrived {
                Arrived::Change(change) => self.admit(*change, Some(&peer))?,
                Arrived::Stub(stub) => self.admit_stub(*stub, Some(&peer))?,
            };
            match admission {
                Admission::Done(new) => admitted |= new,
                Admission::Waits if cfg!(planted = "waiting-counted-as-held") => {}
                Admission::Waits => exceptions.push((id, Exception::Waiting)),
                Admission::NoRoom => {
                    let why = format!(
                        "more than {WAITING_MAX} changes or {} MiB of this peer wait already",
                        WAITING_BYTES_MAX >> 20
                    );
                    exceptions.push(self.refused(peer, id, why));
                }
                Admission::NoStub => {
                    let why =
                        "no erasure of its record is known here, or no grant of its author there".into();
                    exceptions.push(self.refused(peer, id, why));
                }
            }
        }
        if admitted {
            self.judge_waiting()?;
        }
        if let Some(open) = self.links.get_mut(&link) {
            if admitted || of_log {
                open.outgoing.progressed(&homes);
            }
            open.outgoing.came(homes);
            open.state.received = Some((epoch, upto));
            let state = open.state;
            // The cursor is durable with what it counts, or a crash would skip changes for good.
            self.store.set_peer(&peer, &state)?;
        }
        self.send(link, &Message::Ack { frame, exceptions });
        Ok(Ok(()))
    }

    /// Counts a change that is not taken, and says so to who sent it.
    fn refused(&mut self, peer: DeviceKey, id: ChangeId, why: String) -> (ChangeId, Exception) {
        self.count_refused(peer, format!("change {id:.12} refused: {why}"));
        (id, Exception::Refused(why))
    }

    /// The gate, for a stranger's change and our own alike.
    pub(crate) fn admit(
        &mut self,
        change: VerifiedChange,
        from: Option<&DeviceKey>,
    ) -> Result<Admission, ReplicaError> {
        let (id, record) = (change.id(), change.change().record);
        // What comes back by whatever way becomes the stub again.
        let erased = self.trust.as_ref().is_some_and(|trust| trust.erased_by(&record).is_some());
        if erased && !cfg!(planted = "erased-comes-back") {
            return self.admit_stub(change.into_stub(), from);
        }
        match self.judge(change)? {
            None => Ok(Admission::Done(false)),
            Some(Verdict::Admit(change)) => {
                self.append(&change, from)?;
                Ok(Admission::Done(true))
            }
            Some(Verdict::Wait(change, missing)) => {
                let from = from.copied().unwrap_or(self.device());
                let waits = self.store.waits_of(&from);
                if waits.changes >= WAITING_MAX || waits.bytes >= WAITING_BYTES_MAX {
                    return Ok(Admission::NoRoom);
                }
                self.store.put_waiting(&from, &id, &change.signed().to_bytes())?;
                self.note_awaited(from, &change, missing)?;
                Ok(Admission::Waits)
            }
        }
    }

    /// What the gate says of a change; nothing if it is held already, or no survey is known.
    pub(crate) fn judge(&self, change: VerifiedChange) -> Result<Option<Verdict>, ReplicaError> {
        let Some(trust) = &self.trust else { return Ok(None) };
        if self.store.has_change(&change.id())? {
            return Ok(None);
        }
        let record = change.change().record;
        let verdict = trust.judge(change, |ink, cause| self.store.has_cause(&record, ink, cause))?;
        Ok(Some(verdict))
    }

    /// A summary without rows says that the peer has nothing more to send; any other is compared.
    pub(crate) fn take_summary(&mut self, link: LinkId, rows: Vec<(SubSls, Fingerprint)>) -> Outcome {
        let Some(open) = self.links.get_mut(&link) else { return Ok(()) };
        if rows.is_empty() {
            open.incoming.said_quiet();
            return Ok(());
        }
        open.incoming.summarised(rows).map_err(Into::into)
    }

    pub(crate) fn take_ids(
        &mut self,
        link: LinkId,
        sub_sls: SubSls,
        ids: &[ChangeId],
        last: bool,
    ) -> Result<Outcome, ReplicaError> {
        let Some(open) = self.links.get_mut(&link) else { return Ok(Ok(())) };
        if let Err(violation) = open.incoming.listed(sub_sls, last) {
            return Ok(Err(violation.into()));
        }
        let mut want = Vec::new();
        for id in ids {
            let statement = StatementId::from_bytes(*id.as_bytes());
            if !self.store.has_change(id)? && !self.store.has_statement(&statement)? {
                want.push(*id);
            }
        }
        self.weigh_listing(link, sub_sls, ids, last)?;
        if let Some(open) = self.links.get_mut(&link).filter(|_| !want.is_empty()) {
            open.incoming.asked_for();
        }
        self.send(link, &Message::Want(want));
        Ok(Ok(()))
    }

    /// A peer lists what it holds of a place where it may read nothing any more. Once all of the list is held here
    /// we say so. Only what is of that place counts, and each id once: a receipt for more than is held there would
    /// rank above every true one.
    fn weigh_listing(
        &mut self,
        link: LinkId,
        home: SubSls,
        ids: &[ChangeId],
        last: bool,
    ) -> Result<(), ReplicaError> {
        let (Some(trust), Some(open)) = (&self.trust, self.links.get_mut(&link)) else { return Ok(()) };
        if !trust.has_outgrown(&open.peer, &home) {
            return Ok(());
        }
        let listed = open.listed.remove(&home).unwrap_or(Some(Listed::default()));
        let held: BTreeSet<ChangeId> = self.held_ids(&home)?.into_iter().collect();
        let listed = listed.and_then(|listed| {
            ids.iter().try_fold(listed, |listed, id| listed.and(id).filter(|_| held.contains(id)))
        });
        match (listed, self.links.get_mut(&link)) {
            (Some(listed), _) if last => self.attest_outgrown(link, home, &listed.set),
            (listed, Some(open)) if !last => drop(open.listed.insert(home, listed)),
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn append(
        &mut self,
        change: &AdmittedChange,
        from: Option<&DeviceKey>,
    ) -> Result<(), ReplicaError> {
        self.store.append_change(change, from)?;
        self.note_fresh(change.change().record);
        if from.is_some() {
            self.unproved.insert(change.change().record.home());
        }
        let made = change.change();
        if self.store.same_number(&made.author, made.n)?.len() > 1 {
            self.note_fork(&change.to_header())?;
        }
        self.tell(Event::Changed { record: change.change().record, change: change.id() });
        Ok(())
    }

    /// A number that is used twice is told to everybody, and sets aside what it was used for before.
    pub(crate) fn note_fork(&mut self, change: &AdmittedHeader) -> Result<(), ReplicaError> {
        let (author, n) = (change.header().author, change.header().n);
        let same = self.store.same_number(&author, n)?;
        let Some((other, _)) = same.iter().find(|(other, _)| *other != change.id()) else { return Ok(()) };
        self.mark_records_stale(&same)?;
        // Of a number that is used without end two branches say enough.
        if self.trust.as_ref().is_none_or(|trust| !trust.is_proved(&author, n)) {
            self.forks.extend(self.store.header(other)?.map(|other| (change.clone(), other)));
        }
        Ok(())
    }

    /// What shares its number with a change may stand otherwise now, in whatever record it is.
    pub(crate) fn mark_same_number(&mut self, change: &AdmittedHeader) -> Result<(), ReplicaError> {
        let same = self.store.same_number(&change.header().author, change.header().n)?;
        self.mark_records_stale(&same)
    }

    fn mark_records_stale(&mut self, changes: &[(ChangeId, RecordId)]) -> Result<(), ReplicaError> {
        let records: BTreeSet<&RecordId> = changes.iter().map(|(_, record)| record).collect();
        records.into_iter().try_for_each(|record| self.store.mark_record_stale(record))?;
        Ok(())
    }

    /// The headers of all changes held that carry a number, if more than one does.
    pub(crate) fn forked(&self, author: &Author, n: u64) -> Result<Vec<AdmittedHeader>, ReplicaError> {
        let same = self.store.same_number(author, n)?;
        let mut headers = Vec::new();
        for (id, _) in same.iter().filter(|_| same.len() > 1) {
            headers.extend(self.store.header(id)?);
        }
        Ok(headers)
    }
}

/// What became of a change at the gate.
pub(crate) enum Admission {
    /// It is in the set; whether that is new.
    Done(bool),
    /// It waits.
    Waits,
    /// It would wait, but there is no room.
    NoRoom,
    /// It is what is left of a change, and can't be placed.
    NoStub,
}
