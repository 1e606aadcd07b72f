//! Which changes count. A pure function of a record's changes, of how often their numbers were used
//! anywhere, and of the grants.

use std::collections::BTreeMap;
use std::fmt;

use rukun_change::{ChangeId, MapRef, MemberId, OpId};

use super::{Fact, Grants, Held, Knowledge};

/// Whether a change counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It counts.
    Good,
    /// It is kept and synced, and not read.
    SetAside(Why),
}

/// Why not. The first that applies, in this order, is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// None of the roles that its author ever had there writes this ink.
    Ink,
    /// Its number was used twice, anywhere, or its actor's sequence number in this document.
    Fork,
    /// It does not follow its own predecessor.
    Sequence,
    /// It writes to a member that nothing it knew made.
    Dangling,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("good"),
            Self::SetAside(why) => write!(f, "{why:?}"),
        }
    }
}

/// The standing of each change of a record.
pub fn standing(knowledge: &Knowledge<'_>, held: &Held, grants: &Grants) -> BTreeMap<ChangeId, Standing> {
    let changes = knowledge.order.iter().enumerate();
    changes.map(|(at, fact)| (fact.id, judge(knowledge, at, fact, held, grants))).collect()
}

fn judge(knowledge: &Knowledge<'_>, at: usize, fact: &Fact, held: &Held, grants: &Grants) -> Standing {
    let same_document = || knowledge.order.iter().enumerate().filter(|(_, other)| other.ink == fact.ink);
    let by_actor =
        |seq: u64| same_document().filter(move |(_, other)| other.actor == fact.actor && other.seq == seq);
    let wrote_ink = grants.ever_wrote(&fact.author.device, &fact.record.home(), fact.ink);
    let number_used_twice = held.numbered(&fact.author, fact.n) > 1 || by_actor(fact.seq).count() > 1;
    let follows = fact.seq == 1 || by_actor(fact.seq - 1).any(|(before, _)| knowledge.knew(at, before));
    let lands = |map: &MapRef| *map == MapRef::Root || member_of(knowledge, at, map).is_some();
    if !wrote_ink {
        Standing::SetAside(Why::Ink)
    } else if number_used_twice {
        Standing::SetAside(Why::Fork)
    } else if !follows {
        Standing::SetAside(Why::Sequence)
    } else if !fact.writes.iter().all(|write| lands(&write.map)) {
        Standing::SetAside(Why::Dangling)
    } else {
        Standing::Good
    }
}

/// The member whose map an operation of this change names: its own, or one that a change which it
/// knew made in the same ink. Of several that a device made under one number, the first in order.
pub(super) fn member_of(knowledge: &Knowledge<'_>, at: usize, map: &MapRef) -> Option<MemberId> {
    let MapRef::Made(op) = map else { return None };
    let fact = knowledge.order[at];
    let before = knowledge.order.iter().enumerate();
    let mut known = before.filter(|(earlier, one)| one.ink == fact.ink && knowledge.knew(at, *earlier));
    made(fact, op).or_else(|| known.find_map(|(_, maker)| made(maker, op)))
}

fn made(fact: &Fact, op: &OpId) -> Option<MemberId> {
    fact.maps.iter().find(|map| map.op == *op).map(|map| map.member)
}
