//! What a record's changes say of each other's standing: one number used twice, a number that does
//! not follow its own predecessor. A pure function of the changes held, in any order.

use std::collections::BTreeMap;

use rukun_authority::{AdmittedChange, Reason, Standing};
use rukun_change::{ActorId, Ink};

use crate::causes::{Causes, MASK_FROM, first_common, put};

type Number = (Ink, ActorId, u64);

/// The standing of each change, its own reasons and those of its place among the others together.
/// The changes are in causal order.
///
/// What a revoked device wrote and nobody kept, or what was dismissed, makes no fork of what counts: a
/// thief must not be able to set honest work aside by using its numbers again.
pub(crate) fn judge(changes: &[&AdmittedChange], given: &[Standing], causes: &Causes) -> Vec<Standing> {
    let counts =
        |at: usize| !matches!(given.get(at), Some(Standing::SetAside(Reason::Revoked | Reason::Dismissed)));
    let mut numbered: BTreeMap<Number, Branches> = BTreeMap::new();
    for (at, change) in changes.iter().enumerate() {
        let branches = numbered.entry(number(change)).or_default();
        branches.at.push(at);
        branches.counting += usize::from(counts(at));
    }
    for branches in numbered.values_mut() {
        branches.mask_if_many(causes);
    }
    let follows = |at: usize, (ink, actor, seq): Number| match seq {
        0 => false,
        1 => true,
        _ if cfg!(planted = "sequence-gap-ignored") => true,
        _ => numbered.get(&(ink, actor, seq - 1)).is_some_and(|before| before.any_known(causes, at)),
    };
    let judged = changes.iter().zip(given).enumerate().map(|(at, (change, given))| {
        let number = number(change);
        let branches = numbered.get(&number);
        let first = || branches.and_then(|branches| branches.at.first()) == Some(&at);
        let spared = cfg!(planted = "fork-one-branch") && first();
        let forked = branches.is_some_and(|branches| branches.counting > 1) && counts(at) && !spared;
        let fork = if forked { aside(Reason::Fork) } else { Standing::Good };
        let sequence = if follows(at, number) { Standing::Good } else { aside(Reason::Sequence) };
        given.and(fork).and(sequence)
    });
    judged.collect()
}

/// The changes that have one number. More than one are the work of a device that used it twice, and how
/// many they are is up to it: nothing asks each of them about each other.
#[derive(Default)]
struct Branches {
    at: Vec<usize>,
    /// How many of them can make a fork.
    counting: usize,
    mask: Option<Vec<u64>>,
}

impl Branches {
    fn mask_if_many(&mut self, causes: &Causes) {
        if self.at.len() > MASK_FROM {
            let mut mask = causes.empty_row();
            self.at.iter().for_each(|at| put(&mut mask, *at));
            self.mask = Some(mask);
        }
    }

    fn any_known(&self, causes: &Causes, later: usize) -> bool {
        match &self.mask {
            Some(mask) => first_common(mask, causes.before(later)).is_some(),
            None => self.at.iter().any(|at| causes.knew(later, *at)),
        }
    }
}

fn number(change: &AdmittedChange) -> Number {
    (change.change().ink, change.body().actor, change.body().seq)
}

fn aside(reason: Reason) -> Standing {
    Standing::SetAside(reason)
}
