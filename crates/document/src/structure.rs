//! What a record's changes say of each other's standing: one number used twice, a number that does
//! not follow its own predecessor. A pure function of the changes held, in any order.

use std::collections::BTreeMap;

use rukun_authority::{AdmittedChange, Reason, Standing};
use rukun_change::{ActorId, Ink};

use crate::causes::Causes;

/// The standing of each change, its own reasons and those of its place among the others together.
/// The changes are in causal order.
///
/// What a revoked device wrote and nobody kept, or what was dismissed, makes no fork of what counts: a
/// thief must not be able to set honest work aside by using its numbers again.
pub(crate) fn judge(changes: &[&AdmittedChange], given: &[Standing], causes: &Causes) -> Vec<Standing> {
    let mut numbered: BTreeMap<(Ink, ActorId, u64), Vec<usize>> = BTreeMap::new();
    for (at, change) in changes.iter().enumerate() {
        numbered.entry(number(change)).or_default().push(at);
    }
    let counts = |at: &&usize| {
        !matches!(given.get(**at), Some(Standing::SetAside(Reason::Revoked | Reason::Dismissed)))
    };
    let forks = |number: &(Ink, ActorId, u64)| {
        numbered.get(number).is_some_and(|at| at.len() > 1 && at.iter().filter(counts).nth(1).is_some())
    };
    let follows = |at: usize, (ink, actor, seq): (Ink, ActorId, u64)| match seq {
        0 => false,
        1 => true,
        _ if cfg!(planted = "sequence-gap-ignored") => true,
        _ => numbered
            .get(&(ink, actor, seq - 1))
            .is_some_and(|before| before.iter().any(|before| causes.knew(at, *before))),
    };
    let judged = changes.iter().zip(given).enumerate().map(|(at, (change, given))| {
        let number = number(change);
        let first = || numbered.get(&number).and_then(|branches| branches.first()) == Some(&at);
        let spared = cfg!(planted = "fork-one-branch") && first();
        let forked = forks(&number) && counts(&&at) && !spared;
        let fork = if forked { aside(Reason::Fork) } else { Standing::Good };
        let sequence = if follows(at, number) { Standing::Good } else { aside(Reason::Sequence) };
        given.and(fork).and(sequence)
    });
    judged.collect()
}

fn number(change: &AdmittedChange) -> (Ink, ActorId, u64) {
    (change.change().ink, change.body().actor, change.body().seq)
}

fn aside(reason: Reason) -> Standing {
    Standing::SetAside(reason)
}
