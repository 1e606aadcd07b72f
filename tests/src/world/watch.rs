//! What nodes send and say is followed as it leaves them, and held against what is true: before anything
//! else happens, and whether anybody ever gets it or not.

use std::collections::BTreeSet;

use rukun_change::{ChangeId, DeviceKey, SubSls};
use rukun_reconcile::FRAMES_IN_FLIGHT_MAX;
use rukun_replica::{Event, Replica};
use rukun_wire::{Changes, Exception, Stubs};

use super::links::{End, Sent};
use super::model::{Loss, Receipt};
use super::sim::{Checked, World};
use super::tally::Fault;

/// What honest nodes may say when they end a link. Everything else accuses the peer.
const HONEST_REASONS: [&str; 9] = [
    "cut",
    "a newer link takes its place",
    "already linked",
    "restored from a backup",
    "neither side has the survey's charter",
    "no grant is known for device",
    "no greeting in time",
    "this device goes on under another key",
    "goes on under another incarnation, since it released its work",
];
/// Why an honest node may not take what another sends: it does not know yet what the sender knows.
const HONEST_REFUSALS: [&str; 2] =
    ["is outside what this device may read now", "no erasure of its record is known here"];

/// Whether an honest node may say this when it ends a session with another.
pub(super) fn is_honest_reason(reason: &str) -> bool {
    HONEST_REASONS.iter().any(|known| reason.contains(known))
}

impl World {
    /// A frame of changes leaves a node: only what was honestly made or kept aside, only so much at once.
    pub(super) fn follow_changes(&mut self, from: End, changes: &Changes) -> Checked {
        let mut ids = Vec::with_capacity(changes.items.len());
        for signed in &changes.items {
            let Some(id) = self.truth.id_of(signed) else {
                return Err(format!("{} sends a change that nobody made", from.0));
            };
            if !self.truth.held[from.0].contains(&id) {
                return Err(format!("{} sends change {id:.12} before it has said to hold it", from.0));
            }
            ids.push(id);
        }
        let homes = changes.items.iter().map(|signed| signed.change.record.home()).collect();
        self.peer_may_read(from, &homes)?;
        self.is_on_its_way(from, changes.frame, Sent { of_log: changes.upto.is_some(), changes: ids })
    }

    /// A frame of stubs leaves a node: of records that it knows to be erased.
    pub(super) fn follow_stubs(&mut self, from: End, stubs: &Stubs) -> Checked {
        let replica = self.nodes[from.0].replica.as_ref();
        let trust = replica.and_then(|replica| replica.trust());
        let released = replica.map_or(Ok(Vec::new()), Replica::released);
        let released = released.map_err(|error| error.to_string())?;
        let mut ids = Vec::with_capacity(stubs.items.len());
        for signed in &stubs.items {
            let (id, record) = (signed.header.id(&self.truth.survey), signed.header.record);
            if !self.truth.held[from.0].contains(&id) {
                return Err(format!("{} sends the stub of {id:.12}, which it has not said to hold", from.0));
            }
            // It may have let go of the place within the same step.
            let let_go = || released.iter().any(|line| line.record == record);
            if trust.is_some_and(|trust| trust.erased_by(&record).is_none()) && !let_go() {
                return Err(format!("{} sends a stub of {record}, which nobody erased", from.0));
            }
            ids.push(id);
        }
        let homes = stubs.items.iter().map(|signed| signed.header.record.home()).collect();
        self.peer_may_read(from, &homes)?;
        self.is_on_its_way(from, stubs.frame, Sent { of_log: stubs.upto.is_some(), changes: ids })
    }

    fn is_on_its_way(&mut self, from: End, frame: u64, sent: Sent) -> Checked {
        let Some(wire) = self.links.get_mut(&from) else { return Ok(()) };
        wire.unacknowledged.insert(frame, sent);
        if wire.unacknowledged.len() > FRAMES_IN_FLIGHT_MAX {
            return Err(format!("{} has {} frames in flight on one link", from.0, wire.unacknowledged.len()));
        }
        Ok(())
    }

    /// Statements leave a node: those about work only where the peer may read that.
    pub(super) fn follow_statements(&self, from: End, items: &[Vec<u8>]) -> Checked {
        let survey = &self.truth.survey;
        let outgrown = |bytes: &&Vec<u8>| {
            Receipt::of(bytes, survey).is_some_and(|receipt| self.peer_outgrew(from, &receipt))
        };
        let others = items.iter().filter(|bytes| !outgrown(bytes));
        let about = others.filter_map(|bytes| Loss::of(bytes, survey)?.1).collect();
        self.peer_may_read(from, &about)
    }

    /// Nothing leaves a node but what it knows the peer may read, at that moment.
    fn peer_may_read(&self, from: End, homes: &BTreeSet<SubSls>) -> Checked {
        let trust = self.nodes[from.0].replica.as_ref().and_then(|replica| replica.trust());
        let (Some(trust), Some(wire)) = (trust, self.links.get(&from)) else { return Ok(()) };
        let peer = self.nodes[wire.to.0].key;
        match homes.iter().find(|home| !trust.may_read(&peer, home)) {
            Some(home) => {
                Err(format!("{} sends {} something of {home}, where that reads nothing", from.0, wire.to.0))
            }
            None => Ok(()),
        }
    }

    /// An acknowledgement leaves a node: it must hold what it acknowledges, whatever happens next.
    pub(super) fn follow_ack(
        &mut self,
        from: End,
        frame: u64,
        exceptions: &[(ChangeId, Exception)],
    ) -> Checked {
        let Some(wire) = self.links.get(&from) else { return Ok(()) };
        let to = wire.to;
        let Some(back) = self.links.get_mut(&to) else { return Ok(()) };
        let Some(ids) = back.unacknowledged.remove(&frame) else {
            return Err(format!("{} acknowledges frame {frame}, which {} did not send", from.0, to.0));
        };
        let missing = ids
            .changes
            .iter()
            .filter(|id| !exceptions.iter().any(|(except, _)| except == *id))
            .find(|id| !self.truth.held[from.0].contains(*id));
        match missing {
            Some(id) => {
                Err(format!("{} acknowledges change {id:.12} to {} and does not hold it", from.0, to.0))
            }
            None => Ok(()),
        }
    }

    pub(super) fn told(&mut self, node: usize, event: Event) -> Checked {
        self.trace.note((node, format!("{event:?}")), || format!("{node} says {event:?}"));
        match event {
            Event::Changed { change, .. } => self.announced(node, change),
            Event::Trusted { statement } => {
                self.news_ms = self.now_ms;
                if self.truth.revocations.contains(&statement) && self.chance.one_in(3) {
                    self.believes_no_revoked(node)?;
                }
                Ok(())
            }
            Event::InSync { peer } => self.in_sync(node, &peer),
            Event::Proved { sub_sls, issuer } => {
                if issuer == self.nodes[node].key {
                    self.gave_receipts(node, Some(&sub_sls))
                } else {
                    self.shows_no_more_than_was_given(node, &sub_sls)
                }
            }
            Event::PeerDown { peer, reason } => {
                if is_honest_reason(&reason) || self.liars.contains(&peer) {
                    return Ok(());
                }
                Err(format!("{node} ended its link with an honest peer: {reason}"))
            }
            Event::Refused { peer, reason } => {
                let carried = reason.starts_with("a bundle that it carried") && is_honest_reason(&reason);
                let honest = carried || HONEST_REFUSALS.iter().any(|known| reason.contains(known));
                if honest || self.liars.contains(&peer) {
                    return Ok(());
                }
                Err(format!("{node} refuses what an honest peer sends: {reason}"))
            }
            Event::Erased { .. } => {
                self.tally.hit(Fault::Forgotten);
                Ok(())
            }
            Event::Released { sub_sls, .. } => self.released_place(node, &sub_sls),
            Event::Brought { .. } => {
                self.tally.hit(Fault::BroughtByCourier);
                Ok(())
            }
            Event::PeerUp { .. } | Event::Waits { .. } | Event::Parcel { .. } => Ok(()),
        }
    }

    /// A node says that it holds a change.
    fn announced(&mut self, node: usize, id: ChangeId) -> Checked {
        let Some(home) = self.truth.home(&id) else {
            return Err(format!("{node} holds change {id:.12}, which nobody made"));
        };
        if !self.was_ever_granted(node, &home) {
            return Err(format!("{node} holds a change of {home}, where it was never granted anything"));
        }
        self.tally.admissions += 1;
        self.news_ms = self.now_ms;
        self.truth.held[node].insert(id);
        self.truth.holders.entry(id).or_default().insert(self.nodes[node].key);
        Ok(())
    }

    /// An acknowledgement has come while others are still to come: what is in flight from the log is
    /// shown as lacking.
    pub(super) fn shows_no_more_than_was_delivered(&mut self, end: End) -> Checked {
        let (node, Some(wire)) = (end.0, self.links.get(&end)) else { return Ok(()) };
        let (other, in_flight) = (wire.to.0, wire.unacknowledged.values().filter(|sent| sent.of_log));
        let Some(replica) = self.nodes[node].replica.as_ref() else { return Ok(()) };
        // What the peer may read no more, since it was sent, it does not lack; and what is here no more is no
        // longer shown.
        let key = self.nodes[other].key;
        let may_read = |id: &ChangeId| {
            let home = self.truth.home(id);
            let may = replica.trust().zip(home).is_some_and(|(trust, home)| trust.may_read(&key, &home));
            let either_let_go = |home| [node, other].iter().any(|node| self.may_have_let_go(*node, &home));
            may && !home.is_some_and(either_let_go)
        };
        let lacks = |id: &&ChangeId| !self.truth.held[other].contains(*id) && may_read(id);
        let lacking = in_flight.flat_map(|sent| &sent.changes).filter(lacks).count() as u64;
        if lacking == 0 || wire.store_of_receiver != self.nodes[other].stores {
            return Ok(());
        }
        let peers = replica.peers().map_err(|error| error.to_string())?;
        match peers.iter().find(|peer| peer.key == key && peer.lacks < lacking) {
            Some(peer) => Err(format!(
                "{node} says that {other} lacks {} changes, and {lacking} are in flight",
                peer.lacks
            )),
            None => Ok(()),
        }
    }

    /// A node says that a peer holds all that it may read of it.
    fn in_sync(&mut self, node: usize, peer: &DeviceKey) -> Checked {
        let Some(other) = self.nodes.iter().position(|other| other.key == *peer) else { return Ok(()) };
        let link = self.links.all().into_iter().find_map(|(one, two, _)| {
            [one, two]
                .into_iter()
                .find(|end| end.0 == node && self.links.get(end).is_some_and(|w| w.to.0 == other))
        });
        let same_store = link
            .and_then(|end| self.links.get(&end))
            .is_some_and(|wire| wire.store_of_receiver == self.nodes[other].stores);
        let Some(trust) = self.nodes[node].replica.as_ref().and_then(|replica| replica.trust()) else {
            return Ok(());
        };
        if !same_store {
            return Ok(());
        }
        let reads = trust.reads(peer);
        let lacking = self.truth.held[node].iter().find(|id| {
            let Some(home) = self.truth.home(id) else { return false };
            let read = reads.iter().any(|region| region.covers_sub_sls(&home));
            read && !self.truth.held[other].contains(*id) && !self.may_have_let_go(other, &home)
        });
        match lacking {
            Some(id) => Err(format!("{node} says that {other} is in sync, which lacks change {id:.12}")),
            None => Ok(()),
        }
    }
}
