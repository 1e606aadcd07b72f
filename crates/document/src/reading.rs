//! What a record says: the changes held, with their standing, become one answer a place and all
//! others that stand beside it. A pure function of the set, whatever the order it came in, and not
//! what Automerge happens to show: work that was set aside hides nothing, and maps that two devices
//! made for one member count as one. Whether the answers agree is `conflict`'s to say.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rukun_authority::{AdmittedChange, Reason, Standing};
use rukun_change::limits::SEEN_MAX;
use rukun_change::{CauseHash, ChangeId, Ink, MemberId, RecordId, Scalar};

use crate::answer::{Answer, Candidate};
use crate::causes::{Causes, holds, join, put};
use crate::log::Logged;
use crate::makers::Makers;
use crate::place::Place;
use crate::structure;

/// A record as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    id: RecordId,
    log: Vec<Logged>,
    /// The causes' names of the changes, in the order of the log.
    hashes: Vec<CauseHash>,
    causes: Causes,
    /// Where each change stands in the log.
    places: BTreeMap<ChangeId, usize>,
    heads: BTreeMap<Ink, Vec<CauseHash>>,
    answers: BTreeMap<Place, Answer>,
    all_members: Vec<MemberId>,
    members: Vec<MemberId>,
}

impl Reading {
    /// Reads a record from all its changes that are held, in any order. Changes of other records
    /// are none of its business and left out.
    pub fn read(id: RecordId, changes: &[(AdmittedChange, Standing)]) -> Self {
        let mut held: BTreeMap<ChangeId, (&AdmittedChange, Standing)> = BTreeMap::new();
        for (change, standing) in changes.iter().filter(|(change, _)| change.change().record == id) {
            let entry = held.entry(change.id()).or_insert((change, *standing));
            entry.1 = entry.1.and(*standing);
        }
        let mut by_id: Vec<&AdmittedChange> = held.values().map(|(change, _)| *change).collect();
        if cfg!(planted = "arrival-breaks-ties") {
            by_id = changes.iter().map(|(change, _)| change).collect();
        }
        let (changes, causes) = Causes::sort(&by_id);
        let given = changes.iter().filter_map(|change| held.get(&change.id()));
        let given: Vec<Standing> = given.map(|(_, standing)| *standing).collect();
        let standings = structure::judge(&changes, &given, &causes);
        let log = log(&changes, &standings, &causes);
        let answers = answers(&log, &causes);
        let all_members: Vec<MemberId> = members(&log).into_iter().collect();
        let gone = |member: &MemberId| gone_reason(&answers, Some(*member)).is_some();
        Self {
            id,
            hashes: changes.iter().map(|change| change.body().hash).collect(),
            places: log.iter().enumerate().map(|(at, logged)| (logged.change, at)).collect(),
            heads: heads(&changes),
            members: all_members.iter().filter(|member| !gone(member)).copied().collect(),
            all_members,
            log,
            causes,
            answers,
        }
    }

    /// Which record.
    pub fn id(&self) -> &RecordId {
        &self.id
    }

    /// Every place that has an answer, null ones and the marks of being gone included.
    pub fn answers(&self) -> &BTreeMap<Place, Answer> {
        &self.answers
    }

    /// What stands in one place.
    pub fn answer(&self, place: &Place) -> Option<&Answer> {
        self.answers.get(place)
    }

    /// The value that the office reads in one place; none if nothing stands there or it is null.
    pub fn value(&self, place: &Place) -> Option<&Scalar> {
        let value = &self.answer(place)?.effective().value;
        (*value != Scalar::Null).then_some(value)
    }

    /// The members that are not gone, ascending.
    pub fn members(&self) -> &[MemberId] {
        &self.members
    }

    /// All members, ascending, those that are gone included.
    pub fn all_members(&self) -> &[MemberId] {
        &self.all_members
    }

    /// Why the record is gone, if it is.
    pub fn gone(&self) -> Option<&str> {
        gone_reason(&self.answers, None)
    }

    /// Why a member is gone, if it is.
    pub fn member_gone(&self, member: &MemberId) -> Option<&str> {
        gone_reason(&self.answers, Some(*member))
    }

    /// The inks that good changes are written in, lowest first.
    pub fn inks(&self) -> Vec<Ink> {
        let good = self.log.iter().filter(|logged| logged.standing.is_good());
        good.map(|logged| logged.ink).collect::<BTreeSet<Ink>>().into_iter().collect()
    }

    /// The history: causes first, and by id what could stand in any order.
    pub fn log(&self) -> &[Logged] {
        &self.log
    }

    /// Where each answer that the office reads comes from, and whether it is contested.
    pub fn blame(&self) -> Vec<(Place, Candidate, bool)> {
        let line = |(place, answer): (&Place, &Answer)| {
            (place.clone(), answer.effective().clone(), answer.contested())
        };
        self.answers.iter().map(line).collect()
    }

    /// Whether the author of one change knew another when making it, directly or through others.
    pub fn knew(&self, later: &ChangeId, earlier: &ChangeId) -> bool {
        match (self.places.get(later), self.places.get(earlier)) {
            (Some(later), Some(earlier)) => self.causes.knew(*later, *earlier),
            _ => false,
        }
    }

    /// Where a change stands in the log.
    pub(crate) fn place_of(&self, change: &ChangeId) -> Option<usize> {
        self.places.get(change).copied()
    }

    /// Whether the change at one place in the log knew that at another.
    pub(crate) fn knew_at(&self, later: usize, earlier: usize) -> bool {
        self.causes.knew(later, earlier)
    }

    /// These changes, by their places in the log, and all that they knew.
    pub(crate) fn with_causes(&self, changes: impl IntoIterator<Item = usize>) -> Vec<u64> {
        let mut row = self.causes.empty_row();
        for at in changes {
            join(&mut row, self.causes.before(at));
            put(&mut row, at);
        }
        row
    }

    /// The changes of one ink that no other change there follows, ascending.
    pub fn heads(&self, ink: Ink) -> Vec<CauseHash> {
        self.heads.get(&ink).cloned().unwrap_or_default()
    }

    /// What a change in this ink says that its author saw: of the work in lower inks that counts, that which
    /// no other of it saw, ascending. Nobody reads what is set aside. Empty in inks that name none.
    pub fn seen_for(&self, ink: Ink) -> Vec<CauseHash> {
        if !ink.names_seen() {
            return Vec::new();
        }
        let good = |logged: &Logged| logged.standing.is_good();
        let lower = || self.log.iter().enumerate().filter(|(_, one)| one.ink < ink && good(one));
        let mut known = self.causes.empty_row();
        lower().for_each(|(at, _)| join(&mut known, self.causes.before(at)));
        let mut heads: Vec<(usize, &Logged)> = lower().filter(|(at, _)| !holds(&known, *at)).collect();
        if heads.len() > SEEN_MAX {
            // No honest record has so many. What work in this ink has seen already, the next one knows through it.
            let own = self.log.iter().enumerate().filter(|(_, one)| one.ink == ink && good(one));
            own.for_each(|(at, _)| join(&mut known, self.causes.before(at)));
            heads.sort_by_key(|(at, _)| holds(&known, *at));
            heads.truncate(SEEN_MAX);
        }
        let mut seen: Vec<CauseHash> =
            heads.iter().filter_map(|(at, _)| self.hashes.get(*at)).copied().collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    }
}

fn log(changes: &[&AdmittedChange], standings: &[Standing], causes: &Causes) -> Vec<Logged> {
    let makers = Makers::of(changes, causes);
    let line = |(at, (change, standing)): (usize, (&&AdmittedChange, &Standing))| {
        let (writes, dangling) = makers.writes(causes, at, change);
        let dangles = if dangling { Standing::SetAside(Reason::Dangling) } else { Standing::Good };
        let made: BTreeSet<MemberId> = change.body().maps.iter().map(|map| map.member).collect();
        Logged {
            change: change.id(),
            author: change.change().author,
            n: change.change().n,
            ink: change.change().ink,
            time_ms: change.body().time_ms,
            message: change.body().message.clone(),
            standing: standing.and(dangles),
            writes,
            made: made.into_iter().collect(),
        }
    };
    changes.iter().zip(standings).enumerate().map(line).collect()
}

/// One write of a change in good standing.
struct Entry<'a> {
    place: &'a Place,
    value: &'a Scalar,
    at: usize,
    logged: &'a Logged,
}

fn answers(log: &[Logged], causes: &Causes) -> BTreeMap<Place, Answer> {
    let good = log.iter().enumerate().filter(|(_, logged)| logged.standing.is_good());
    let mut entries: Vec<Entry<'_>> = good
        .flat_map(|(at, logged)| {
            logged.writes.iter().map(move |(place, value)| Entry { place, value, at, logged })
        })
        .collect();
    entries.sort_by(|one, other| one.place.cmp(other.place).then(other.logged.ink.cmp(&one.logged.ink)));
    let places = entries.chunk_by(|one, other| one.place == other.place);
    let answer = |entries: &[Entry<'_>]| {
        let inks = entries.chunk_by(|one, other| one.logged.ink == other.logged.ink);
        let inks = inks.take(if cfg!(planted = "lower-ink-dropped") { 1 } else { Ink::ALL.len() });
        let candidates = inks.flat_map(|entries| standing_answers(entries, causes)).collect();
        let place = entries.first().expect("a chunk is never empty").place;
        (place.clone(), Answer { candidates })
    };
    places.map(answer).collect()
}

/// The answers of one place in one ink that no other one replaced, the greatest id first.
fn standing_answers(entries: &[Entry<'_>], causes: &Causes) -> Vec<Candidate> {
    if let [only] = entries {
        return vec![candidate(only)];
    }
    let mut replaced = causes.empty_row();
    for entry in entries {
        join(&mut replaced, causes.before(entry.at));
    }
    let standing = entries.iter().filter(|entry| !holds(&replaced, entry.at));
    let mut candidates: Vec<Candidate> = standing.map(candidate).collect();
    if !cfg!(planted = "arrival-breaks-ties") {
        candidates.sort_unstable_by_key(|candidate| Reverse(candidate.change));
    }
    if cfg!(planted = "clock-wins") {
        candidates.sort_by_key(|candidate| Reverse(candidate.time_ms));
    }
    candidates.truncate(if cfg!(planted = "conflict-lost") { 1 } else { usize::MAX });
    candidates
}

fn candidate(entry: &Entry<'_>) -> Candidate {
    let Logged { change, author, ink, time_ms, .. } = *entry.logged;
    Candidate { change, author, ink, value: entry.value.clone(), time_ms }
}

fn members(log: &[Logged]) -> BTreeSet<MemberId> {
    let good = log.iter().filter(|logged| logged.standing.is_good());
    good.flat_map(|logged| {
        let written = logged.writes.iter().filter_map(|(place, _)| place.member);
        logged.made.iter().copied().chain(written)
    })
    .collect()
}

fn gone_reason(answers: &BTreeMap<Place, Answer>, member: Option<MemberId>) -> Option<&str> {
    match &answers.get(&Place::gone(member))?.effective().value {
        Scalar::Text(reason) => Some(reason),
        Scalar::Null | Scalar::Int(_) => None,
    }
}

fn heads(changes: &[&AdmittedChange]) -> BTreeMap<Ink, Vec<CauseHash>> {
    let named = changes.iter().flat_map(|change| {
        let ink = change.change().ink;
        change.body().deps.iter().map(move |dep| (ink, *dep))
    });
    let named: BTreeSet<(Ink, CauseHash)> = named.collect();
    let all: BTreeSet<(Ink, CauseHash)> =
        changes.iter().map(|change| (change.change().ink, change.body().hash)).collect();
    let mut heads: BTreeMap<Ink, Vec<CauseHash>> = BTreeMap::new();
    for (ink, hash) in all.difference(&named) {
        heads.entry(*ink).or_default().push(*hash);
    }
    heads
}

#[cfg(test)]
mod tests;
