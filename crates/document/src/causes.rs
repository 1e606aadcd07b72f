//! Who knew what: the changes of one record become a causal order and, for each, the set of those
//! before it, as bits. A cause is a direct one in the same ink, or a head of a lower ink that the
//! author saw. Nothing here asks whether a change is in good standing: knowledge passes through
//! what was set aside.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use rukun_authority::AdmittedChange;
use rukun_change::{CauseHash, Ink};

/// From how many changes on that are asked about together a set of bits beats a list.
pub(crate) const MASK_FROM: usize = 64;

const WORD_BITS: usize = u64::BITS as usize;

/// A set of changes, by their place in the causal order.
pub(crate) type Row = [u64];

/// Whether the set holds this change.
pub(crate) fn holds(row: &Row, at: usize) -> bool {
    row.get(at / WORD_BITS).is_some_and(|word| word >> (at % WORD_BITS) & 1 == 1)
}

/// Puts a change into the set.
pub(crate) fn put(row: &mut Row, at: usize) {
    if let Some(word) = row.get_mut(at / WORD_BITS) {
        *word |= 1 << (at % WORD_BITS);
    }
}

/// Puts all of one set into another.
pub(crate) fn join(row: &mut Row, other: &Row) {
    for (word, other) in row.iter_mut().zip(other) {
        *word |= other;
    }
}

/// The first change in both sets.
pub(crate) fn first_common(row: &Row, other: &Row) -> Option<usize> {
    let both = row.iter().zip(other).map(|(word, other)| word & other);
    let (at, word) = both.enumerate().find(|(_, word)| *word != 0)?;
    Some(at * WORD_BITS + word.trailing_zeros() as usize)
}

/// For each change, in causal order, all that were before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Causes {
    words: usize,
    rows: Vec<u64>,
}

impl Causes {
    /// Sorts changes so that each comes after its causes, those that could come next by id, and
    /// tells what each knew. The changes are of one record, ascending by id and each there once.
    pub(crate) fn sort<'a>(changes: &[&'a AdmittedChange]) -> (Vec<&'a AdmittedChange>, Self) {
        let links = Links::of(changes);
        let order = links.order(changes.len());
        let words = changes.len().div_ceil(WORD_BITS);
        let mut place = vec![0; changes.len()];
        for (at, index) in order.iter().enumerate() {
            if let Some(place) = place.get_mut(*index) {
                *place = at;
            }
        }
        let mut causes = Self { words, rows: Vec::with_capacity(words * changes.len()) };
        // What a hash stands for together, where several changes have the same.
        let mut together: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        let mut row = vec![0; words];
        for (at, index) in order.iter().enumerate() {
            row.fill(0);
            for group in links.of_change(*index) {
                match (links.members(*group), together.get(group)) {
                    (_, Some(shared)) => join(&mut row, shared),
                    (members, None) => {
                        for cause in members.iter().filter_map(|member| place.get(*member)) {
                            join(&mut row, causes.before(*cause));
                            put(&mut row, *cause);
                        }
                    }
                }
            }
            causes.rows.extend_from_slice(&row);
            let group = links.group_of(*index);
            if links.members(group).len() > 1 {
                put(&mut row, at);
                join(together.entry(group).or_insert_with(|| vec![0; words]), &row);
            }
        }
        (order.iter().filter_map(|index| changes.get(*index).copied()).collect(), causes)
    }

    /// All changes before this one.
    pub(crate) fn before(&self, at: usize) -> &Row {
        self.rows.get(at * self.words..(at + 1) * self.words).unwrap_or_default()
    }

    /// Whether the later change knew the earlier.
    pub(crate) fn knew(&self, later: usize, earlier: usize) -> bool {
        holds(self.before(later), earlier)
    }

    /// An empty set, wide enough for all changes.
    pub(crate) fn empty_row(&self) -> Vec<u64> {
        vec![0; self.words]
    }
}

/// Which changes each change names as causes. A hash that several changes have, the work of one
/// device that signed one edit twice, stands for all of them.
struct Links {
    groups: Vec<Vec<usize>>,
    group_of: Vec<usize>,
    causes: Vec<Vec<usize>>,
}

impl Links {
    fn of(changes: &[&AdmittedChange]) -> Self {
        let mut names: BTreeMap<(Ink, CauseHash), usize> = BTreeMap::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut group_of = Vec::with_capacity(changes.len());
        for (index, change) in changes.iter().enumerate() {
            let group = *names.entry((change.change().ink, change.body().hash)).or_insert(groups.len());
            match groups.get_mut(group) {
                Some(members) => members.push(index),
                None => groups.push(vec![index]),
            }
            group_of.push(group);
        }
        let causes = changes.iter().map(|change| {
            let ink = change.change().ink;
            let deps = change.body().deps.iter().map(|dep| (ink, *dep));
            let lower = |head: &CauseHash| {
                let head = *head;
                Ink::ALL.into_iter().filter(move |lower| *lower < ink).map(move |lower| (lower, head))
            };
            let seen = if cfg!(planted = "seen-ignored") { &[][..] } else { &change.change().seen };
            let named = deps.chain(seen.iter().flat_map(lower));
            let mut causes: Vec<usize> = named.filter_map(|name| names.get(&name).copied()).collect();
            causes.sort_unstable();
            causes.dedup();
            causes
        });
        Self { causes: causes.collect(), groups, group_of }
    }

    fn members(&self, group: usize) -> &[usize] {
        self.groups.get(group).map(Vec::as_slice).unwrap_or_default()
    }

    fn group_of(&self, index: usize) -> usize {
        self.group_of.get(index).copied().expect("every change has a group")
    }

    fn of_change(&self, index: usize) -> &[usize] {
        self.causes.get(index).map(Vec::as_slice).unwrap_or_default()
    }

    /// Kahn's sort. Hashes can't form a ring, so it reaches every change.
    fn order(&self, count: usize) -> Vec<usize> {
        let mut waits: Vec<usize> = self.causes.iter().map(Vec::len).collect();
        let mut left: Vec<usize> = self.groups.iter().map(Vec::len).collect();
        let mut followers: Vec<Vec<usize>> = vec![Vec::new(); self.groups.len()];
        for (index, causes) in self.causes.iter().enumerate() {
            for group in causes {
                followers.get_mut(*group).expect("causes are groups").push(index);
            }
        }
        let free = waits.iter().enumerate().filter(|(_, waits)| **waits == 0);
        let mut ready: BinaryHeap<Reverse<usize>> = free.map(|(index, _)| Reverse(index)).collect();
        let mut order = Vec::with_capacity(count);
        while let Some(Reverse(index)) = ready.pop() {
            order.push(index);
            let group = self.group_of(index);
            let left = left.get_mut(group).expect("every group has a count");
            *left -= 1;
            if *left > 0 {
                continue;
            }
            for follower in followers.get(group).into_iter().flatten() {
                let waits = waits.get_mut(*follower).expect("every change has a count");
                *waits -= 1;
                if *waits == 0 {
                    ready.push(Reverse(*follower));
                }
            }
        }
        debug_assert_eq!(order.len(), count, "causes form no ring");
        order
    }
}
