//! What a difference costs, and what a sketch of no set comes to.

use super::*;

use std::collections::BTreeSet;

use rukun_change::SurveyId;
use rukun_wire::{Short, Symbol};

fn key(salt: u8) -> SketchKey {
    SketchKey::new(&SurveyId::from_bytes([7; 32]), salt.into())
}

/// Ids that nobody chose: the short forms under another key.
fn shorts(seed: u64, ids: std::ops::Range<u64>) -> Vec<Short> {
    let key = key(0xa5);
    ids.map(|n| {
        let mut id = [0; 32];
        let (head, rest) = id.split_at_mut(8);
        head.copy_from_slice(&seed.to_be_bytes());
        rest[..8].copy_from_slice(&n.to_be_bytes());
        key.short(&id)
    })
    .collect()
}

/// Decodes the difference of two sets; gives how many symbols it took.
fn decode(salt: u8, theirs: &[Short], ours: &[Short]) -> Result<Difference, SketchError> {
    let mut encoder = Encoder::new(&key(salt), theirs.iter().copied(), 0);
    let mut difference = Difference::new(key(salt), ours.iter().copied(), theirs.len() as u64);
    while !difference.is_known() {
        difference.take(&encoder.symbol())?;
    }
    Ok(difference)
}

#[test]
fn equal_sets_are_told_by_one_symbol() {
    let set = shorts(1, 0..5_000);
    assert_eq!(decode(1, &set, &set).unwrap().symbols(), 1);
    assert_eq!(decode(1, &[], &[]).unwrap().symbols(), 1);
}

#[test]
fn what_only_one_side_has_is_found_and_on_which() {
    let (shared, theirs, ours) = (shorts(1, 0..3_000), shorts(2, 0..70), shorts(3, 0..40));
    let with = |more: &[Short]| [&shared[..], more].concat();
    let difference = decode(1, &with(&theirs), &with(&ours)).unwrap();
    let set = |shorts: &[Short]| shorts.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(difference.theirs_alone(), &set(&theirs));
    assert_eq!(difference.ours_alone(), &set(&ours));
}

#[test]
fn a_difference_costs_what_the_paper_says() {
    for (d, draws) in
        [(1, 200), (2, 200), (4, 200), (10, 200), (30, 200), (100, 400), (300, 100), (1_000, 40), (10_000, 4)]
    {
        let mean = (0..draws)
            .map(|draw| decode(7, &shorts(100 + draw, 0..d), &[]).unwrap().symbols() as f64)
            .sum::<f64>()
            / draws as f64;
        let bound = if d >= 100 { 1.45 * d as f64 } else { 1.75 * d as f64 + 2.0 };
        assert!(mean <= bound, "{mean} symbols for {d} on the mean of {draws} draws, more than {bound}");
        eprintln!("{d}: {:.3} a difference", mean / d as f64);
    }
}

#[test]
fn the_symbols_of_disjoint_sets_add_up() {
    let key = key(9);
    let mut sum = Prefix::new(32);
    for area in 0..20 {
        let mut prefix = Prefix::new(40);
        for short in shorts(area, 0..50) {
            prefix.insert(&key, short);
        }
        sum.add(&prefix);
    }
    let all = (0..20).flat_map(|area| shorts(area, 0..50));
    let mut encoder = Encoder::new(&key, all, 0);
    let symbols: Vec<Symbol> = (0..32).map(|_| encoder.symbol()).collect();
    assert_eq!(sum.symbols(), symbols);
}

#[test]
fn a_stream_goes_on_where_a_prefix_ends() {
    let key = key(3);
    let mut whole = Encoder::new(&key, shorts(1, 0..200), 0);
    for _ in 0..24 {
        whole.symbol();
    }
    let mut rest = Encoder::new(&key, shorts(1, 0..200), 24);
    assert!((24..300).all(|_| whole.symbol() == rest.symbol()));
}

#[test]
fn a_sketch_that_would_never_end_is_cut_off() {
    let ours = shorts(1, 0..10);
    let mut difference = Difference::new(key(1), ours.iter().copied(), 5);
    let noise = Symbol { sum: 7, check: 7, count: 7 };
    let error = (0..2_000).find_map(|_| difference.take(&noise).err());
    assert_eq!(error, Some(SketchError::Endless { max: 2 * 15 + 1_024 }));
}

#[test]
fn a_sketch_of_no_set_ends_when_an_id_is_found_twice() {
    let key = key(1);
    let [short] = shorts(1, 0..1)[..] else { panic!("one") };
    let mut alone = Symbol::default();
    symbol::put(&mut alone, short, key.check(short));
    // In the first symbol once, and then wherever it likes.
    let mut difference = Difference::new(key, [], 3);
    let error = (0..40).find_map(|_| difference.take(&alone).err());
    assert_eq!(error, Some(SketchError::OfNoSet));
}

#[test]
fn any_symbols_end_in_an_answer_or_an_error() {
    let mut state = 1_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let key = key(1);
    let few = shorts(4, 0..6);
    for _ in 0..3_000 {
        let mut difference = Difference::new(key, few.iter().copied(), next() % 4);
        for _ in 0..80 {
            let short = few[next() as usize % few.len()];
            let mut symbol = Symbol::default();
            for _ in 0..next() % 3 {
                let part = few[next() as usize % few.len()];
                symbol::put(&mut symbol, part, key.check(part));
            }
            if next() % 2 == 0 {
                symbol::take_out(&mut symbol, short, key.check(short));
            }
            if difference.is_known() || difference.take(&symbol).is_err() {
                break;
            }
        }
        assert!(difference.symbols() <= 80);
    }
}
