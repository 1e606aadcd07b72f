//! What Automerge can hold. It refuses two changes with one number, keeps what lacks its causes and
//! asserts on malformed graphs, so of the changes of one ink it is given those that are sound: each
//! after its causes and its author's own previous change. Set-aside ones only where the writer's own or
//! good work of that ink builds on them: an edit that followed others would have replaced unseen what nobody read
//! then, and what may be upheld later. Of a fork it is given one branch: what the writer's own work builds
//! on comes first, then what good work builds on.

use std::collections::{BTreeMap, BTreeSet};

use rukun_authority::{AdmittedChange, Standing};
use rukun_change::limits::DEPS_MAX;
use rukun_change::{ActorId, CauseHash, MapRef, OpId};

use crate::draft::{EditError, Writer};
use crate::log::Logged;
use crate::reading::Reading;

/// How often one change may write one place, to be followed. Automerge's own transactions write it twice at
/// most, and each value that stands is named by whoever writes there next: a few changes that repeat one
/// thousands of times would leave a place in which nobody can write.
const REPEATS_MAX: usize = 2;

/// The changes of the writer's ink that its next change can follow, causes first.
pub(crate) fn pick<'a>(
    reading: &Reading,
    changes: &'a [(AdmittedChange, Standing)],
    writer: &Writer,
) -> Result<Vec<&'a AdmittedChange>, EditError> {
    let mut by_place: BTreeMap<usize, &AdmittedChange> = BTreeMap::new();
    for (change, _) in changes.iter().filter(|(change, _)| change.change().ink == writer.ink) {
        by_place.extend(reading.place_of(&change.id()).map(|at| (at, change)));
    }
    let actor = writer.author.actor();
    let own = by_place.iter().filter(|(_, change)| change.body().actor == actor);
    let own: Vec<(usize, &AdmittedChange)> = own.map(|(at, change)| (*at, *change)).collect();
    let last = own.iter().max_by_key(|(_, change)| change.body().seq);
    // Of its own ink: who corrected that work in another, while it stood, is followed by nobody here.
    let counts = |logged: &Logged| {
        logged.standing.is_good() && (logged.ink == writer.ink || cfg!(planted = "aside-followed"))
    };
    let good = reading.log().iter().enumerate().filter(|(_, logged)| counts(logged));
    let of_own = last.map(|(at, _)| reading.with_causes([*at])).unwrap_or_default();
    let of_good = reading.with_causes(good.map(|(at, _)| at));
    let mut held = Held::default();
    for first in [&of_own, &of_good] {
        for (at, change) in by_place.iter().filter(|(at, _)| crate::causes::holds(first, **at)) {
            held.take(reading, *at, change);
        }
    }
    held.drop_heads(reading, last.map(|(at, _)| *at));
    if let Some((at, change)) = own.iter().find(|(at, _)| !held.changes.contains_key(at)) {
        let standing = reading.log().get(*at).map_or(Standing::Good, |logged| logged.standing);
        return Err(EditError::Own { change: change.id(), ink: writer.ink, standing });
    }
    Ok(held.changes.into_values().collect())
}

#[derive(Default)]
struct Held<'a> {
    changes: BTreeMap<usize, &'a AdmittedChange>,
    /// For each cause held, the highest operation counter among it and its causes.
    tops: BTreeMap<CauseHash, u64>,
    /// Each actor's last number, and which change has it.
    last: BTreeMap<ActorId, (u64, usize)>,
    maps: BTreeMap<OpId, usize>,
}

impl<'a> Held<'a> {
    /// Takes a change if all that it rests on is there and it takes nobody's place. Its operations
    /// are counted from those it rests on, without a gap: one device alone could otherwise use up
    /// all numbers, and then nobody could write there.
    fn take(&mut self, reading: &Reading, at: usize, change: &'a AdmittedChange) {
        let body = change.body();
        let tops: Option<Vec<u64>> = body.deps.iter().map(|dep| self.tops.get(dep).copied()).collect();
        let Some(top) = tops.map(|tops| tops.into_iter().max().unwrap_or_default()) else {
            return;
        };
        let follows = match self.last.get(&body.actor) {
            None => body.seq == 1,
            Some((seq, before)) => body.seq == seq + 1 && reading.knew_at(at, *before),
        };
        let has_map = |map: &MapRef| match map {
            MapRef::Root => true,
            MapRef::Made(op) => {
                body.maps.iter().any(|map| map.op == *op)
                    || self.maps.get(op).is_some_and(|maker| reading.knew_at(at, *maker))
            }
        };
        let mut written: Vec<&MapRef> = body.writes.iter().map(|write| &write.map).collect();
        written.dedup();
        let mut times: BTreeMap<(&MapRef, &str), usize> = BTreeMap::new();
        body.writes.iter().for_each(|write| *times.entry((&write.map, &write.field)).or_default() += 1);
        if times.values().any(|times| *times > REPEATS_MAX) {
            return;
        }
        if self.tops.contains_key(&body.hash) || !follows || body.start_op != top + 1 {
            return;
        }
        if !written.into_iter().all(has_map) {
            return;
        }
        let ops = (body.maps.len() + body.writes.len()) as u64;
        self.tops.insert(body.hash, body.start_op + ops - 1);
        self.last.insert(body.actor, (body.seq, at));
        self.maps.extend(body.maps.iter().map(|map| (map.op, at)));
        self.changes.insert(at, change);
    }

    /// Leaves heads for the next edit where there are more than one change can name. No honest
    /// record has so many: what does not count goes first, never the writer's own. Each round leaves out
    /// all heads but the first, and then those that they hid are heads; nothing is looked up in each round
    /// but these.
    fn drop_heads(&mut self, reading: &Reading, own: Option<usize>) {
        let counts = |at: usize| reading.log().get(at).is_some_and(|logged| logged.standing.is_good());
        let rank = |at: usize| (Some(at) != own, !counts(at), at);
        let by_hash: BTreeMap<CauseHash, usize> =
            self.changes.iter().map(|(at, change)| (change.body().hash, *at)).collect();
        let mut followers: BTreeMap<CauseHash, usize> = BTreeMap::new();
        for dep in self.changes.values().flat_map(|change| &change.body().deps) {
            *followers.entry(*dep).or_default() += 1;
        }
        let is_head = |change: &AdmittedChange| !followers.contains_key(&change.body().hash);
        let heads = self.changes.iter().filter(|(_, change)| is_head(change));
        let mut heads: BTreeSet<(bool, bool, usize)> = heads.map(|(at, _)| rank(*at)).collect();
        // Automerge names its author's last change, too, though it be no head.
        let is_named_besides = own.is_some_and(|own| !heads.contains(&rank(own)));
        let heads_max = DEPS_MAX - usize::from(is_named_besides);
        while let Some(first) = heads.iter().nth(heads_max).copied() {
            for (_, _, head) in heads.split_off(&first) {
                let Some(change) = self.changes.remove(&head) else { continue };
                for dep in &change.body().deps {
                    let Some(left) = followers.get_mut(dep) else { continue };
                    *left -= 1;
                    if *left == 0 {
                        heads.extend(by_hash.get(dep).map(|at| rank(*at)));
                    }
                }
            }
        }
    }
}
