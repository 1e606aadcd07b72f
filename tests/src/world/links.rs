//! Links between nodes: bytes in order, each chunk after a delay of its own, until the link is cut
//! somewhere. What was in flight is lost with it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rukun_change::{ChangeId, DeviceKey};
use rukun_replica::{Deframer, LinkId};

/// One end of a link: a node, and what it calls the link.
pub(super) type End = (usize, LinkId);

/// One direction of a link.
#[derive(Debug)]
pub(super) struct Wire {
    /// Where it leads.
    pub(super) to: End,
    /// What is in flight, and when each chunk arrives.
    pub(super) chunks: VecDeque<(u64, Vec<u8>)>,
    pub(super) deframer: Deframer,
    /// Frames of changes that were sent and not yet acknowledged.
    pub(super) unacknowledged: BTreeMap<u64, Sent>,
    /// How many stores the receiver had had when the link was made.
    pub(super) store_of_receiver: u64,
    /// The sender closed it, with this reason, after all that is in flight.
    pub(super) closing: Option<String>,
    last_due_ms: u64,
}

/// A bundle on its way, by no link.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    pub(super) recipient: DeviceKey,
    pub(super) bytes: Vec<u8>,
}

/// What is in a frame of changes.
#[derive(Debug)]
pub(super) struct Sent {
    /// Whether it says how far the log is sent, and does not repair what lies before.
    pub(super) of_log: bool,
    pub(super) changes: Vec<ChangeId>,
}

/// All links, by the end that sends.
#[derive(Debug, Default)]
pub(super) struct Links {
    wires: BTreeMap<End, Wire>,
    /// When something arrives, and at which node.
    due: BTreeSet<(u64, usize)>,
    made: u64,
}

impl Links {
    /// Joins two nodes. Gives what each calls the link.
    pub(super) fn join(&mut self, near: usize, far: usize, stores: (u64, u64)) -> (End, End) {
        let (near, far) = ((near, LinkId(self.made)), (far, LinkId(self.made + 1)));
        self.made += 2;
        for (from, to, store_of_receiver) in [(near, far, stores.1), (far, near, stores.0)] {
            let wire = Wire {
                to,
                chunks: VecDeque::new(),
                deframer: Deframer::new(),
                unacknowledged: BTreeMap::new(),
                store_of_receiver,
                closing: None,
                last_due_ms: 0,
            };
            self.wires.insert(from, wire);
        }
        (near, far)
    }

    /// A number for a link whose other end is no node.
    pub(super) fn number(&mut self) -> LinkId {
        self.made += 1;
        LinkId(self.made - 1)
    }

    pub(super) fn get_mut(&mut self, from: &End) -> Option<&mut Wire> {
        self.wires.get_mut(from)
    }

    pub(super) fn get(&self, from: &End) -> Option<&Wire> {
        self.wires.get(from)
    }

    /// Sends bytes; they arrive after this delay and after all that was sent before.
    pub(super) fn send(&mut self, from: &End, now_ms: u64, delay_ms: u64, bytes: Vec<u8>) {
        let Some(wire) = self.wires.get_mut(from) else { return };
        let due_ms = wire.last_due_ms.max((now_ms + delay_ms).next_multiple_of(TICK_MS));
        wire.last_due_ms = due_ms;
        wire.chunks.push_back((due_ms, bytes));
        self.due.insert((due_ms, wire.to.0));
    }

    /// Something is to be looked at, at a node.
    pub(super) fn wake(&mut self, node: usize, at_ms: u64) {
        self.due.insert((at_ms, node));
    }

    /// The next node at which something arrives, and when, if that is not after this time.
    pub(super) fn next_due(&mut self, until_ms: u64) -> Option<(u64, usize)> {
        let first = *self.due.first()?;
        (first.0 <= until_ms).then(|| {
            self.due.remove(&first);
            first
        })
    }

    /// What has arrived at a node: the receiving end, the bytes.
    pub(super) fn arrived(&mut self, node: usize, now_ms: u64) -> Vec<(End, Vec<u8>)> {
        let mut arrived = Vec::new();
        for wire in self.wires.values_mut().filter(|wire| wire.to.0 == node) {
            while let Some((_, bytes)) = wire.chunks.pop_front_if(|(due_ms, _)| *due_ms <= now_ms) {
                arrived.push((wire.to, bytes));
            }
        }
        arrived
    }

    /// The wire that leads to this end.
    pub(super) fn towards(&mut self, to: &End) -> Option<(&End, &mut Wire)> {
        self.wires.iter_mut().find(|(_, wire)| wire.to == *to)
    }

    /// Wires to a node that their senders have closed and that carry nothing any more.
    pub(super) fn closed_to(&mut self, node: usize) -> Vec<(End, String)> {
        let ended = |wire: &Wire| wire.to.0 == node && wire.chunks.is_empty() && wire.closing.is_some();
        let ended: Vec<End> =
            self.wires.iter().filter(|(_, wire)| ended(wire)).map(|(from, _)| *from).collect();
        let wires = ended.iter().filter_map(|from| self.wires.remove(from));
        wires.filter_map(|wire| Some((wire.to, wire.closing?))).collect()
    }

    /// Takes a direction away.
    pub(super) fn remove(&mut self, from: &End) -> Option<Wire> {
        self.wires.remove(from)
    }

    /// The links by the end that comes first, and whether anything is in flight on them.
    pub(super) fn all(&self) -> Vec<(End, End, bool)> {
        let firsts =
            self.wires.iter().filter(|(from, wire)| **from < wire.to || !self.wires.contains_key(&wire.to));
        let busy = |end: &End| self.wires.get(end).is_some_and(|wire| !wire.chunks.is_empty());
        firsts.map(|(from, wire)| (*from, wire.to, busy(from) || busy(&wire.to))).collect()
    }

    /// Whether two nodes are linked.
    pub(super) fn are_linked(&self, one: usize, other: usize) -> bool {
        self.wires.iter().any(|(from, wire)| from.0 == one && wire.to.0 == other)
    }

    /// How much is in flight in all.
    pub(super) fn chunks(&self) -> usize {
        self.wires.values().map(|wire| wire.chunks.len()).sum()
    }
}

/// What arrives at a node within so short a time is handled together, as a program does.
const TICK_MS: u64 = 20;
