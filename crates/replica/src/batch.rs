//! What goes to one peer becomes a frame that keeps its limits, of changes or of what is left of erased ones.
//! What is sent at all is decided in `send`.

use rukun_authority::{AdmittedChange, AdmittedHeader};
use rukun_change::{ChangeId, RecordId, SubSls};
use rukun_wire::limits::{BATCH_BYTES_MAX, FRAME_CHANGES_MAX};
use rukun_wire::{Changes, Message, Stubs};

/// What goes to a peer for one id.
pub(crate) enum Item {
    Change(AdmittedChange),
    Stub(AdmittedHeader),
}

impl Item {
    fn id(&self) -> ChangeId {
        match self {
            Self::Change(change) => change.id(),
            Self::Stub(stub) => stub.id(),
        }
    }

    pub(crate) fn record(&self) -> RecordId {
        match self {
            Self::Change(change) => change.change().record,
            Self::Stub(stub) => stub.header().record,
        }
    }

    /// No less than what it takes in a frame, before that is compressed.
    fn bytes(&self) -> usize {
        let (body, seen) = match self {
            Self::Change(change) => (change.change().body.len(), change.change().seen.len()),
            Self::Stub(stub) => (0, stub.header().seen.len()),
        };
        body + 256 + 34 * seen
    }
}

/// What fits into one frame: changes, or stubs.
pub(crate) struct Batch {
    items: Vec<Item>,
    bytes: usize,
    items_max: usize,
}

impl Batch {
    /// An empty one for so many.
    pub(crate) fn of_at_most(items_max: usize) -> Self {
        Self { items: Vec::new(), bytes: 0, items_max: items_max.min(FRAME_CHANGES_MAX) }
    }

    /// Takes one more in, unless it needs a frame of its own: whether it was taken.
    pub(crate) fn push(&mut self, item: Item) -> bool {
        let kind = std::mem::discriminant(&item);
        let alike = self.items.first().is_none_or(|first| std::mem::discriminant(first) == kind);
        let bytes = item.bytes();
        let fits = self.items.is_empty() || self.bytes + bytes <= BATCH_BYTES_MAX;
        let taken = alike && fits && self.items.len() < self.items_max;
        if taken {
            self.bytes += bytes;
            self.items.push(item);
        }
        taken
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The ids of what is in it, and where it lives.
    pub(crate) fn homes(&self) -> impl Iterator<Item = (ChangeId, SubSls)> + Clone {
        self.items.iter().map(|item| (item.id(), item.record().home()))
    }

    /// The records of which stubs are in it.
    pub(crate) fn erased(&self) -> impl Iterator<Item = RecordId> {
        let stubs = self.items.iter().filter(|item| matches!(item, Item::Stub(_)));
        stubs.map(Item::record)
    }

    /// The frame.
    pub(crate) fn message(self, frame: u64, upto: Option<u64>) -> Message {
        let (mut changes, mut stubs) = (Vec::new(), Vec::new());
        for item in self.items {
            match item {
                Item::Change(change) => changes.push(change.signed().clone()),
                Item::Stub(stub) => stubs.push(stub.signed().clone()),
            }
        }
        if stubs.is_empty() {
            Message::Changes(Changes { frame, upto, items: changes })
        } else {
            Message::Stubs(Stubs { frame, upto, items: stubs })
        }
    }
}
