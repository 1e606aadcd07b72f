//! The set of changes that a node holds, and what it must say of one more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rukun_change::{Author, CauseHash, ChangeId, Ink, RecordId};

use super::{Fact, Grants};

/// A set of changes.
#[derive(Clone, Debug, Default)]
pub struct Held {
    facts: BTreeMap<ChangeId, Arc<Fact>>,
    records: BTreeMap<RecordId, BTreeSet<ChangeId>>,
    numbered: BTreeMap<(Author, u64), BTreeSet<ChangeId>>,
    /// Records of which nothing may be read.
    erased: BTreeSet<RecordId>,
}

/// What the gate must say of a change whose signature holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is in the set for good.
    Admit,
    /// No grant is held by which its author ever covered this place.
    WaitForGrant,
    /// A change that it follows or saw is not held.
    WaitForCause,
}

/// Whether the grants allow the change into the set. It asks who *ever* covered the place, and
/// neither the ink nor what may be read.
pub fn admissible(fact: &Fact, grants: &Grants) -> bool {
    grants.ever_covered(&fact.author.device, &fact.record.home())
}

impl Held {
    /// Puts a change into the set; whether that is new.
    pub fn insert(&mut self, fact: Arc<Fact>) -> bool {
        self.records.entry(fact.record).or_default().insert(fact.id);
        self.numbered.entry((fact.author, fact.n)).or_default().insert(fact.id);
        self.facts.insert(fact.id, fact).is_none()
    }

    /// What the gate must say of a change.
    pub fn judge(&self, fact: &Fact, grants: &Grants) -> Judged {
        let in_ink = |ink: Ink, cause: &CauseHash| {
            self.record(&fact.record).iter().any(|held| held.ink == ink && held.hash == *cause)
        };
        let lower = || Ink::ALL.into_iter().filter(|ink| *ink < fact.ink);
        let caused = || {
            fact.deps.iter().all(|dep| in_ink(fact.ink, dep))
                && fact.seen.iter().all(|head| lower().any(|ink| in_ink(ink, head)))
        };
        if !admissible(fact, grants) {
            Judged::WaitForGrant
        } else if self.is_erased(&fact.record) || caused() {
            Judged::Admit
        } else {
            Judged::WaitForCause
        }
    }

    /// A record is to be forgotten: its changes stay in the set, and the causes of others are not asked for.
    pub fn erase(&mut self, record: RecordId) {
        self.erased.insert(record);
    }

    /// Whether a record was erased.
    pub fn is_erased(&self, record: &RecordId) -> bool {
        self.erased.contains(record)
    }

    /// Whether a change is in the set.
    pub fn has(&self, id: &ChangeId) -> bool {
        self.facts.contains_key(id)
    }

    /// A change of the set.
    pub fn get(&self, id: &ChangeId) -> Option<&Arc<Fact>> {
        self.facts.get(id)
    }

    /// All changes, by id.
    pub fn facts(&self) -> impl ExactSizeIterator<Item = &Arc<Fact>> {
        self.facts.values()
    }

    /// The records that have any, ascending.
    pub fn records(&self) -> impl Iterator<Item = &RecordId> {
        self.records.keys()
    }

    /// The changes of one record, by id.
    pub fn record(&self, record: &RecordId) -> Vec<&Fact> {
        let ids = self.records.get(record).into_iter().flatten();
        ids.filter_map(|id| self.facts.get(id)).map(AsRef::as_ref).collect()
    }

    /// The changes of the set that carry this author's number.
    pub fn same_number(&self, author: &Author, n: u64) -> BTreeSet<ChangeId> {
        self.numbered.get(&(*author, n)).cloned().unwrap_or_default()
    }
}
