//! What a record says: in each place and ink the good writes that no other good write there knew of.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rukun_change::{ChangeId, MapRef, MemberId, RecordId, Scalar};

use super::record::gone;
use super::standing::member_of;
use super::{Candidate, Expected, Grants, Held, Knowledge, Logged, Place, Standing, conflicts, standing};

/// Reads a record in the set that a node holds, under the grants that it holds.
pub fn read<'a>(record: &RecordId, held: &'a Held, grants: &Grants) -> Expected<'a> {
    let knowledge = Knowledge::of(&held.record(record));
    let standings = standing(&knowledge, held, grants);
    let log: Vec<Logged<'a>> =
        (0..knowledge.order.len()).map(|at| logged(&knowledge, at, &standings)).collect();
    let answers = answers(&knowledge, &log);
    let good = || log.iter().filter(|logged| logged.standing.is_good());
    let made = good().flat_map(|logged| logged.made.iter().copied());
    let written = good().flat_map(|logged| logged.writes.keys().filter_map(|(member, _)| *member));
    let all_members: BTreeSet<MemberId> = made.chain(written).collect();
    let here = all_members.iter().filter(|member| gone(&answers, Some(**member)).is_none());
    let mut expected = Expected {
        members: here.copied().collect(),
        gone: gone(&answers, None),
        conflicts: Vec::new(),
        log,
        answers,
        all_members,
    };
    expected.conflicts = conflicts::all(&knowledge, &expected);
    expected
}

fn logged<'a>(knowledge: &Knowledge<'a>, at: usize, standings: &BTreeMap<ChangeId, Standing>) -> Logged<'a> {
    let fact = knowledge.order[at];
    let writes = written(knowledge, at);
    let made = fact.maps.iter().map(|map| map.member).collect();
    Logged { change: fact.id, ink: fact.ink, standing: standings[&fact.id], writes, made }
}

/// What the change at this place of the order writes: of two writes to one place the later.
pub fn written<'a>(knowledge: &Knowledge<'a>, at: usize) -> BTreeMap<Place<'a>, &'a Scalar> {
    let mut writes = BTreeMap::new();
    for write in &knowledge.order[at].writes {
        let member = member_of(knowledge, at, &write.map);
        if write.map == MapRef::Root || member.is_some() {
            writes.insert((member, write.field.as_str()), &write.value);
        }
    }
    writes
}

fn answers<'a>(knowledge: &Knowledge<'a>, log: &[Logged<'a>]) -> BTreeMap<Place<'a>, Vec<Candidate<'a>>> {
    let mut written: BTreeMap<Place<'a>, Vec<Candidate<'a>>> = BTreeMap::new();
    for (at, logged) in log.iter().enumerate().filter(|(_, logged)| logged.standing.is_good()) {
        let fact = knowledge.order[at];
        let (change, author, ink, time_ms) = (fact.id, fact.author, fact.ink, fact.time_ms);
        for (place, value) in &logged.writes {
            let candidate = Candidate { change, author, ink, value, time_ms, at };
            written.entry(*place).or_default().push(candidate);
        }
    }
    for candidates in written.values_mut() {
        let all = candidates.clone();
        let replaces = |other: &Candidate<'_>, one: &Candidate<'_>| {
            other.ink == one.ink && knowledge.knew(other.at, one.at)
        };
        candidates.retain(|one| !all.iter().any(|other| replaces(other, one)));
        candidates.sort_by_key(|one| Reverse((one.ink, one.change)));
    }
    written
}
