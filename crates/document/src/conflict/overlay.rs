//! Conflicts of the overlay: answers that differ within one ink, and corrections made blind. How many
//! answers stand in a place, and in how many places, is up to whoever may write: each is looked up once,
//! what settles a correction is gathered once for it, and the log is walked once for all places.

use std::collections::{BTreeMap, BTreeSet};

use rukun_change::Ink;

use super::{Conflict, ConflictKind};
use crate::answer::{Answer, Candidate, is_contested};
use crate::causes::holds;
use crate::place::Place;
use crate::reading::Reading;

/// An answer, and where its change stands in the log.
type Placed<'a> = (&'a Candidate, usize);

/// Where the changes that wrote in a place stand in the log, ascending.
type Writers<'a> = BTreeMap<&'a Place, Vec<usize>>;

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

/// Whether someone wrote in a higher ink with all these, which are of one ink, before their eyes.
fn is_settled(reading: &Reading, answer: &Answer, candidates: &[Candidate]) -> bool {
    let Some(ink) = candidates.first().map(|candidate| candidate.ink) else { return true };
    let below = placed(reading, candidates);
    let saw_all = |above: usize| below.iter().all(|(_, below)| reading.knew_at(above, *below));
    placed(reading, answer.above(ink)).into_iter().any(|(_, above)| saw_all(above))
}

/// In each place all corrections that were made without having seen a different answer below.
pub(super) fn stale(reading: &Reading) -> Vec<Conflict> {
    let blind = reading.answers().iter().filter_map(|(place, answer)| Blind::of(reading, place, answer));
    let blind: Vec<Blind<'_>> = blind.collect();
    let writers = writers(reading, &blind);
    blind.into_iter().map(|blind| blind.into_conflict(reading, &writers)).collect()
}

/// Whether an answer is a correction whose author had not seen a different one in a lower ink that stands
/// beside it.
pub(crate) fn is_blind(reading: &Reading, answer: &Answer, correction: &Candidate) -> bool {
    let correction = placed(reading, std::slice::from_ref(correction));
    let below = placed(reading, &answer.candidates);
    correction.iter().any(|one| below.iter().any(|below| is_unseen(reading, *one, *below)))
}

/// The inks of each correction, and of each answer below that it did not see and that nobody put beside it
/// since, in one place.
pub(super) fn blind_inks(reading: &Reading, place: &Place, answer: &Answer) -> Vec<(Ink, Ink)> {
    let blind = Blind::of(reading, place, answer);
    let pairs = blind.map(|blind| blind.pairs).unwrap_or_default().into_iter();
    pairs.map(|((correction, _), (unseen, _))| (correction.ink, unseen.ink)).collect()
}

/// What was corrected blindly in one place.
struct Blind<'a> {
    place: &'a Place,
    /// Corrections and what they did not see.
    candidates: Vec<Candidate>,
    /// Of each two inks the first correction, and the first answer that it did not see.
    pairs: Vec<(Placed<'a>, Placed<'a>)>,
}

impl<'a> Blind<'a> {
    fn of(reading: &Reading, place: &'a Place, answer: &'a Answer) -> Option<Self> {
        if answer.candidates.len() < 2 || cfg!(planted = "blind-correction-hidden") {
            return None;
        }
        let placed = placed(reading, &answer.candidates);
        let mut is_blind: Vec<bool> = vec![false; placed.len()];
        let mut inks: BTreeSet<(Ink, Ink)> = BTreeSet::new();
        let mut pairs = Vec::new();
        for (at, correction) in placed.iter().enumerate() {
            for (below, unseen) in open_below(reading, &placed, *correction) {
                for at in [at, below] {
                    is_blind.get_mut(at).expect("a candidate has a place").clone_from(&true);
                }
                if inks.insert((correction.0.ink, unseen.0.ink)) {
                    pairs.push((*correction, unseen));
                }
            }
        }
        let candidates = answer.candidates.iter().zip(is_blind).filter(|(_, is_blind)| *is_blind);
        let candidates: Vec<Candidate> = candidates.map(|(candidate, _)| candidate.clone()).collect();
        (!candidates.is_empty()).then_some(Self { place, candidates, pairs })
    }

    fn into_conflict(self, reading: &Reading, writers: &Writers<'_>) -> Conflict {
        let writers = writers.get(self.place).map(Vec::as_slice).unwrap_or_default();
        let causes =
            self.pairs.iter().map(|(correction, unseen)| cause(reading, writers, *correction, *unseen));
        let causes: Vec<String> = causes.collect();
        Conflict::at(ConflictKind::Stale, self.place, self.candidates, causes.join("; "))
    }
}

/// The answers, with their numbers, that a correction's author had not seen, and that nobody saw together
/// with it when writing in a higher ink.
fn open_below<'a>(
    reading: &Reading,
    placed: &[Placed<'a>],
    correction: Placed<'a>,
) -> Vec<(usize, Placed<'a>)> {
    let below = placed.iter().copied().enumerate();
    let mut open: Vec<_> = below.filter(|(_, below)| is_unseen(reading, correction, *below)).collect();
    if !open.is_empty() {
        let above = placed.iter().take_while(|(above, _)| above.ink > correction.0.ink).map(|(_, at)| *at);
        let settled = reading.with_causes(above.filter(|above| reading.knew_at(*above, correction.1)));
        open.retain(|(_, (_, below))| !holds(&settled, *below));
    }
    open
}

/// Whether an answer stands below a correction that says something else and whose author had not seen it.
/// The prelist does not count: it comes before all.
fn is_unseen(reading: &Reading, correction: Placed<'_>, below: Placed<'_>) -> bool {
    let ((correction, at), (below, below_at)) = (correction, below);
    correction.ink.names_seen()
        && below.ink < correction.ink
        && below.ink != Ink::Printed
        && below.value != correction.value
        && !reading.knew_at(at, below_at)
}

fn placed<'a>(reading: &Reading, candidates: &'a [Candidate]) -> Vec<Placed<'a>> {
    let at = |candidate: &Candidate| reading.place_of(&candidate.change).expect("what stands is in the log");
    candidates.iter().map(|candidate| (candidate, at(candidate))).collect()
}

/// Who ever wrote where something is blind.
fn writers<'a>(reading: &'a Reading, blind: &[Blind<'a>]) -> Writers<'a> {
    let mut writers: Writers<'a> = blind.iter().map(|blind| (blind.place, Vec::new())).collect();
    if writers.is_empty() {
        return writers;
    }
    for (at, logged) in reading.log().iter().enumerate() {
        for (place, _) in &logged.writes {
            if let Some(writers) = writers.get_mut(place) {
                writers.push(at);
            }
        }
    }
    writers
}

fn cause(reading: &Reading, writers: &[usize], correction: Placed<'_>, unseen: Placed<'_>) -> String {
    let ((correction, at), (unseen, unseen_at)) = (correction, unseen);
    let is_earlier = |writer: &usize| {
        reading.log().get(*writer).is_some_and(|logged| logged.ink == unseen.ink)
            && reading.knew_at(at, *writer)
            && reading.knew_at(unseen_at, *writer)
    };
    let given = if writers.iter().any(is_earlier) { " given later" } else { "" };
    format!("{} did not see the {} answer{given}", correction.ink, unseen.ink)
}
