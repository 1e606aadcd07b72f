//! Which changes count. A pure function of a record's changes, of how often their numbers were used
//! anywhere, and of the grants.

use std::collections::BTreeMap;
use std::fmt;

use rukun_change::{ChangeId, MapRef, MemberId, OpId};

use super::losses::Claim;
use super::{Fact, Grants, Held, Knowledge};

/// Whether a change counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It counts.
    Good,
    /// It counts because someone above its author said so.
    Upheld,
    /// It is kept and synced, and not read.
    SetAside(Why),
}

/// Why not. The first that applies, in this order, is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// None of the roles that its author ever had there writes this ink.
    Ink,
    /// Its device was revoked, and it is not among what is kept.
    Revoked,
    /// Someone above its author decided against it.
    Dismissed,
    /// Its number was used twice, anywhere, or its actor's sequence number in this document.
    Fork,
    /// It does not follow its own predecessor.
    Sequence,
    /// It writes to a member that nothing it knew made.
    Dangling,
}

impl Standing {
    /// Whether it counts.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::Upheld)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("good"),
            Self::Upheld => f.write_str("upheld"),
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
    // What was not kept or was dismissed makes no fork of what counts.
    let against = |other: &Fact| other.id != fact.id && !grants.drops(&Claim::of(other));
    let number_used_twice =
        || forks(fact, held, grants) || by_actor(fact.seq).any(|(_, other)| against(other));
    let follows = fact.seq == 1 || by_actor(fact.seq - 1).any(|(before, _)| knowledge.knew(at, before));
    let decided = grants.decided(&Claim::of(fact));
    let lands = |map: &MapRef| *map == MapRef::Root || member_of(knowledge, at, map).is_some();
    let dangles = !fact.writes.iter().all(|write| lands(&write.map));
    if decided == Some(false) {
        Standing::SetAside(Why::Dismissed)
    } else if decided == Some(true) {
        if dangles { Standing::SetAside(Why::Dangling) } else { Standing::Upheld }
    } else if !wrote_ink {
        Standing::SetAside(Why::Ink)
    } else if !grants.entitles(&Claim::of(fact)) {
        Standing::SetAside(Why::Revoked)
    } else if number_used_twice() {
        Standing::SetAside(Why::Fork)
    } else if !follows {
        Standing::SetAside(Why::Sequence)
    } else if dangles {
        Standing::SetAside(Why::Dangling)
    } else {
        Standing::Good
    }
}

/// Whether another change bears this one's number and counts against it: held here, or proved.
fn forks(fact: &Fact, held: &Held, grants: &Grants) -> bool {
    let same = held.same_number(&fact.author, fact.n);
    let held = same.iter().filter_map(|id| held.get(id)).map(|other| Claim::of(other));
    let numbered = |claim: &Claim| (claim.author, claim.n) == (fact.author, fact.n);
    let mut others = held.chain(grants.proved().filter(numbered)).filter(|other| other.id != fact.id);
    let this = Claim::of(fact);
    let in_the_way = |other: &Claim| match grants.decided(other) {
        Some(upheld) => upheld,
        None => !grants.drops(other) && !grants.outweighs(&this, other),
    };
    others.any(|other| in_the_way(&other))
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
