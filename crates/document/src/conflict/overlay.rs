//! Conflicts of the overlay: answers that differ within one ink, and corrections made blind.

use std::collections::BTreeSet;

use rukun_change::Ink;

use super::{Conflict, ConflictKind};
use crate::answer::{Answer, Candidate, is_contested};
use crate::place::Place;
use crate::reading::Reading;

/// Different answers in one ink, none after the other, for each ink that no higher one settled.
pub(super) fn field(reading: &Reading, place: &Place, answer: &Answer) -> Vec<Conflict> {
    let inks = answer.candidates.chunk_by(|one, other| one.ink == other.ink);
    let open = inks.filter(|candidates| is_contested(candidates) && !is_settled(reading, answer, candidates));
    let conflict = |candidates: &[Candidate]| {
        let ink = candidates.first().expect("a chunk is never empty").ink;
        let cause = match candidates.len() {
            2 => format!("two answers in {ink}, neither seen by the other"),
            count => format!("{count} answers in {ink}, none of which saw another"),
        };
        Conflict::at(ConflictKind::Field, place, candidates.to_vec(), cause)
    };
    open.map(conflict).collect()
}

/// All corrections in one place that were made without having seen a different answer below.
pub(super) fn stale(reading: &Reading, place: &Place, answer: &Answer) -> Option<Conflict> {
    let mut inks: BTreeSet<(std::cmp::Reverse<Ink>, Ink)> = BTreeSet::new();
    let mut blind: Vec<bool> = vec![false; answer.candidates.len()];
    let mut causes = Vec::new();
    for (at, correction) in answer.candidates.iter().enumerate() {
        for unseen in unseen_below(reading, answer, correction) {
            let pair = [correction.clone(), unseen.clone()];
            if is_settled(reading, answer, &pair) || cfg!(planted = "blind-correction-hidden") {
                continue;
            }
            let below = answer.candidates.iter().position(|candidate| candidate == unseen);
            for at in [Some(at), below].into_iter().flatten() {
                blind.get_mut(at).expect("a candidate has a place").clone_from(&true);
            }
            if inks.insert((std::cmp::Reverse(correction.ink), unseen.ink)) {
                causes.push(cause(reading, place, correction, unseen));
            }
        }
    }
    let candidates = answer.candidates.iter().zip(blind).filter(|(_, blind)| *blind);
    let candidates: Vec<Candidate> = candidates.map(|(candidate, _)| candidate.clone()).collect();
    (!candidates.is_empty()).then(|| Conflict::at(ConflictKind::Stale, place, candidates, causes.join("; ")))
}

/// The different answers in lower inks that stand beside a correction and that its author had not
/// seen. The prelist does not count: it comes before all.
pub(crate) fn unseen_below<'a>(
    reading: &'a Reading,
    answer: &'a Answer,
    correction: &'a Candidate,
) -> impl Iterator<Item = &'a Candidate> {
    answer.candidates.iter().filter(|below| {
        correction.ink.names_seen()
            && below.ink < correction.ink
            && below.ink != Ink::Printed
            && below.value != correction.value
            && !reading.knew(&correction.change, &below.change)
    })
}

/// Whether someone wrote in a higher ink with all these before their eyes.
fn is_settled(reading: &Reading, answer: &Answer, candidates: &[Candidate]) -> bool {
    let highest = candidates.iter().map(|candidate| candidate.ink).max();
    let above = answer.candidates.iter().filter(|above| Some(above.ink) > highest);
    above.into_iter().any(|above| candidates.iter().all(|below| reading.knew(&above.change, &below.change)))
}

fn cause(reading: &Reading, place: &Place, correction: &Candidate, unseen: &Candidate) -> String {
    let wrote = |writes: &[(Place, _)]| writes.binary_search_by(|(other, _)| other.cmp(place)).is_ok();
    let knew_an_earlier = reading.log().iter().any(|logged| {
        logged.ink == unseen.ink
            && wrote(&logged.writes)
            && reading.knew(&correction.change, &logged.change)
            && reading.knew(&unseen.change, &logged.change)
    });
    let given = if knew_an_earlier { " given later" } else { "" };
    format!("{} did not see the {} answer{given}", correction.ink, unseen.ink)
}
