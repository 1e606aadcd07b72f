//! The conflicts of a record that need no questionnaire: the same field twice, corrections made
//! blind, answers to what someone marked gone, and work set aside.

use std::collections::BTreeSet;

use rukun_change::{ChangeId, Ink, MemberId, Scalar};

use super::record::gone;
use super::{Candidate, Conflict, Expected, Kind, Knowledge, Place};

static NULL: Scalar = Scalar::Null;

pub(super) fn all<'a>(knowledge: &Knowledge<'a>, read: &Expected<'a>) -> Vec<Conflict<'a>> {
    let mut found = Vec::new();
    for (place, candidates) in &read.answers {
        found.extend(Ink::ALL.into_iter().filter_map(|ink| field(knowledge, *place, candidates, ink)));
        found.extend(stale(knowledge, *place, candidates));
    }
    if read.gone.is_some() {
        found.extend(presence(knowledge, read, None));
    } else {
        let gone = read.all_members.difference(&read.members);
        found.extend(gone.filter_map(|member| presence(knowledge, read, Some(*member))));
    }
    found.extend(set_aside(read));
    found.sort();
    found
}

fn at<'a>(kind: Kind, place: Place<'a>, candidates: Vec<(ChangeId, &'a Scalar)>) -> Conflict<'a> {
    Conflict { kind, place: Some(place), member: place.0, candidates }
}

/// Different answers in one ink, unless someone in a higher ink saw them all.
fn field<'a>(
    knowledge: &Knowledge<'a>,
    place: Place<'a>,
    candidates: &[Candidate<'a>],
    ink: Ink,
) -> Option<Conflict<'a>> {
    let here: Vec<&Candidate<'a>> = candidates.iter().filter(|candidate| candidate.ink == ink).collect();
    let values: BTreeSet<&Scalar> = here.iter().map(|candidate| candidate.value).collect();
    let open = values.len() > 1 && !is_settled(knowledge, candidates, &here);
    open.then(|| at(Kind::Field, place, here.iter().map(|one| (one.change, one.value)).collect()))
}

/// Corrections in red, green or black of a different answer below, the prelist's aside, that their
/// author had not seen, unless someone in a higher ink saw both.
fn stale<'a>(
    knowledge: &Knowledge<'a>,
    place: Place<'a>,
    candidates: &[Candidate<'a>],
) -> Option<Conflict<'a>> {
    let mut involved: BTreeSet<ChangeId> = BTreeSet::new();
    for above in candidates.iter().filter(|candidate| candidate.ink >= Ink::Red) {
        for below in candidates.iter().filter(|below| below.ink < above.ink && below.ink != Ink::Printed) {
            let blind = below.value != above.value && !knowledge.knew(above.at, below.at);
            if blind && !is_settled(knowledge, candidates, &[above, below]) {
                involved.extend([above.change, below.change]);
            }
        }
    }
    let involved = candidates.iter().filter(|candidate| involved.contains(&candidate.change));
    let chosen: Vec<(ChangeId, &Scalar)> = involved.map(|one| (one.change, one.value)).collect();
    (!chosen.is_empty()).then(|| at(Kind::Stale, place, chosen))
}

/// Whether an answer that stands in a higher ink than all these was given by someone who knew them.
fn is_settled(knowledge: &Knowledge<'_>, candidates: &[Candidate<'_>], these: &[&Candidate<'_>]) -> bool {
    candidates
        .iter()
        .any(|above| these.iter().all(|below| below.ink < above.ink && knowledge.knew(above.at, below.at)))
}

/// A mark of being gone and the good answers in its scope that no such mark knew of. What the
/// prelist says disputes no mark made in the field.
fn presence<'a>(
    knowledge: &Knowledge<'a>,
    read: &Expected<'a>,
    member: Option<MemberId>,
) -> Option<Conflict<'a>> {
    gone(&read.answers, member)?;
    let place = (member, "gone");
    let standing = &read.answers[&place];
    let marks: Vec<&Candidate<'a>> =
        standing.iter().filter(|mark| matches!(mark.value, Scalar::Text(_))).collect();
    let in_scope = |(whose, field): &Place<'_>| *field != "gone" && (member.is_none() || *whose == member);
    let by_prelist = standing[0].ink == Ink::Printed;
    let mut edits: Vec<(Ink, ChangeId)> = Vec::new();
    for (at, logged) in read.log.iter().enumerate() {
        let answers = logged.standing.is_good()
            && (logged.ink != Ink::Printed || by_prelist)
            && logged.writes.keys().any(in_scope);
        if answers && !marks.iter().any(|mark| mark.at == at || knowledge.knew(mark.at, at)) {
            edits.push((logged.ink, logged.change));
        }
    }
    edits.sort_by(|one, other| other.cmp(one));
    let candidates = marks.iter().map(|mark| (mark.change, mark.value));
    let edits = edits.iter().map(|(_, change)| (*change, &NULL));
    let chosen: Vec<(ChangeId, &Scalar)> = candidates.chain(edits).collect();
    (chosen.len() > marks.len()).then(|| at(Kind::Presence, place, chosen))
}

/// Every change that does not count, with all that it writes.
fn set_aside<'a>(read: &Expected<'a>) -> impl Iterator<Item = Conflict<'a>> {
    let aside = read.log.iter().filter(|logged| !logged.standing.is_good());
    aside.map(|logged| {
        let places: Vec<Place<'a>> = logged.writes.keys().copied().collect();
        let whose: BTreeSet<Option<MemberId>> = places.iter().map(|(member, _)| *member).collect();
        Conflict {
            kind: Kind::SetAside,
            place: if places.len() == 1 { Some(places[0]) } else { None },
            member: if whose.len() == 1 { places[0].0 } else { None },
            candidates: logged.writes.values().map(|value| (logged.change, *value)).collect(),
        }
    })
}
