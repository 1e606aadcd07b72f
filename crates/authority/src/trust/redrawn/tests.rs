//! What redrawings promise: the district's word alone retires a sub-SLS, what retires one leads to places in
//! use, and no order of arrival shows.

use std::collections::BTreeMap;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use rukun_change::Region;

use super::*;
use crate::fixture::{ROOT_SEED, admit, charter_id, founded, grant, key, say};
use crate::{Drawn, Revocation, Role, Said, Statement, StatementError, StatementRefusal, StatementVerdict};

const OFFICE: u8 = 2;
const OTHER_OFFICE: u8 = 3;
const KOSEKA: u8 = 4;

fn place(number: u8) -> SubSls {
    format!("1811010005{number:04}00").parse().unwrap()
}

fn places(numbers: &[u8]) -> Vec<SubSls> {
    numbers.iter().map(|number| place(*number)).collect()
}

fn drawn(number: u8, name: &str) -> Drawn {
    Drawn { sub_sls: place(number), name: name.into() }
}

fn redrawing(parent: StatementId, from: &[u8], to: &[(u8, &str)], serial: u64) -> Redrawing {
    let to = to.iter().map(|(number, name)| drawn(*number, name)).collect();
    Redrawing { parent, from: places(from), to, serial }
}

/// Two districts of one survey, and a coordinator.
fn districts() -> (Trust, [StatementId; 3]) {
    let mut trust = founded();
    let office = admit(&mut trust, ROOT_SEED, grant(charter_id(), OFFICE, Role::District, &["1811"], 1));
    let other = grant(charter_id(), OTHER_OFFICE, Role::District, &["1811"], 1);
    let other = admit(&mut trust, ROOT_SEED, other);
    let koseka = admit(&mut trust, OFFICE, grant(office, KOSEKA, Role::Coordinator, &["1811010"], 1));
    (trust, [office, other, koseka])
}

fn judge(trust: &mut Trust, issuer: u8, said: Redrawing) -> StatementVerdict {
    trust.judge_statement(&say(issuer, Said::Redrawing(said)))
}

#[track_caller]
fn redraw(trust: &mut Trust, issuer: u8, said: Redrawing) -> StatementId {
    match judge(trust, issuer, said) {
        StatementVerdict::Admit(id) => id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_district_alone_redraws_and_only_what_its_grant_covers() {
    let (mut trust, [office, _, koseka]) = districts();
    let verdict = judge(&mut trust, KOSEKA, redrawing(koseka, &[1], &[(2, ""), (3, "")], 1));
    assert_eq!(verdict, StatementVerdict::Refuse(StatementRefusal::NotTheDistrict));
    let verdict = judge(&mut trust, KOSEKA, redrawing(office, &[1], &[(2, ""), (3, "")], 1));
    assert_eq!(verdict, StatementVerdict::Refuse(StatementRefusal::NotIssuers));
    let far: SubSls = "9401010001000100".parse().unwrap();
    let into_far = Redrawing {
        to: vec![drawn(1, ""), Drawn { sub_sls: far, name: String::new() }],
        ..redrawing(office, &[1], &[], 1)
    };
    let from_far = Redrawing { from: vec![place(1), far], ..redrawing(office, &[], &[(2, "")], 1) };
    for said in [into_far, from_far] {
        let wider = StatementRefusal::Wider { region: far.region() };
        assert_eq!(judge(&mut trust, OFFICE, said.clone()), StatementVerdict::Refuse(wider));
        // The root may, wherever that is.
        redraw(&mut trust, ROOT_SEED, Redrawing { parent: charter_id(), ..said });
    }
    let unknown = StatementId::from_bytes([9; 32]);
    let waits = judge(&mut trust, OFFICE, redrawing(unknown, &[1], &[(2, ""), (3, "")], 1));
    assert_eq!(waits, StatementVerdict::Wait(unknown));
}

#[test]
fn what_is_no_split_merge_or_rename_is_refused() {
    let (mut trust, [office, ..]) = districts();
    let of = |from: &[u8], to: &[(u8, &str)]| redrawing(office, from, to, 1);
    let none = [
        of(&[1, 2], &[(3, ""), (4, "")]),
        of(&[1], &[(2, "RT 002")]),
        of(&[1], &[(1, "")]),
        of(&[], &[(1, "RT 001")]),
        of(&[1], &[]),
        of(&[], &[]),
    ];
    for said in none {
        assert_eq!(said.check(), Err(StatementError::Redrawing), "{said:?}");
        let refusal = StatementRefusal::Spelling(StatementError::Redrawing);
        assert_eq!(judge(&mut trust, OFFICE, said), StatementVerdict::Refuse(refusal));
    }
}

#[test]
fn a_retired_sub_sls_leads_to_those_in_use_until_it_is_drawn_again() {
    let (mut trust, [office, ..]) = districts();
    assert_eq!((trust.redrawn_into(&place(1)), trust.next_redrawing_serial()), (None, 1));
    redraw(&mut trust, OFFICE, redrawing(office, &[1], &[(1, "RT 001"), (2, "RT 002")], 1));
    assert_eq!(trust.redrawn_into(&place(1)), None, "it goes on, and is smaller");
    redraw(&mut trust, OFFICE, redrawing(office, &[2], &[(3, ""), (4, "RT 004")], 2));
    assert_eq!(trust.redrawn_into(&place(2)), Some(places(&[3, 4])));
    redraw(&mut trust, OFFICE, redrawing(office, &[3, 5], &[(5, "")], 3));
    assert_eq!(trust.redrawn_into(&place(2)), Some(places(&[4, 5])));
    assert_eq!(trust.redrawn_into(&place(3)), Some(places(&[5])));
    redraw(&mut trust, OFFICE, redrawing(office, &[4], &[(4, "RT 04 Way Puji")], 4));
    assert_eq!(trust.place_name(&place(4)), Some("RT 04 Way Puji"));
    assert_eq!(trust.place_name(&place(2)), Some("RT 002"), "it is called so still");
    assert_eq!((trust.place_name(&place(3)), trust.next_redrawing_serial()), (None, 5));
    redraw(&mut trust, OFFICE, redrawing(office, &[4, 5], &[(2, "")], 5));
    assert_eq!(trust.redrawn_into(&place(2)), None, "it is drawn again");
    assert_eq!(
        (trust.place_name(&place(2)), trust.redrawn_into(&place(3))),
        (Some("RT 002"), Some(places(&[2])))
    );
    let retired: Vec<_> = trust.redrawings().into_iter().map(|view| view.retired).collect();
    assert_eq!(retired, [vec![], vec![], places(&[3]), vec![], places(&[4, 5])]);
}

#[test]
fn a_late_word_of_a_lower_serial_changes_nothing() {
    let (mut trust, [office, other, _]) = districts();
    redraw(&mut trust, OFFICE, redrawing(office, &[1], &[(1, "RT 001"), (2, "")], 2));
    redraw(&mut trust, OTHER_OFFICE, redrawing(other, &[1, 3], &[(4, "")], 1));
    assert_eq!((trust.redrawn_into(&place(1)), trust.place_name(&place(1))), (None, Some("RT 001")));
    assert_eq!(trust.redrawn_into(&place(3)), Some(places(&[4])), "of it the other word alone speaks");
}

fn revoke(keeps: Vec<StatementId>) -> Statement {
    let mut statements = keeps;
    statements.sort_unstable();
    let (parent, subject, reason) = (charter_id(), key(OTHER_OFFICE), "stolen".into());
    say(
        ROOT_SEED,
        Said::Revocation(Revocation { parent, subject, reason, kept: vec![], lists: vec![], statements }),
    )
}

#[test]
fn what_a_revoked_district_redrew_counts_only_if_it_is_kept() {
    let (mut trust, [_, other, _]) = districts();
    let kept = redraw(&mut trust, OTHER_OFFICE, redrawing(other, &[1], &[(2, ""), (3, "RT 003")], 1));
    let thiefs = redraw(&mut trust, OTHER_OFFICE, redrawing(other, &[2, 3], &[(4, "")], u64::MAX));
    assert_eq!(trust.redrawn_into(&place(1)), Some(places(&[4])));
    assert!(matches!(trust.judge_statement(&revoke(vec![kept])), StatementVerdict::Admit(_)));
    assert_eq!(trust.redrawn_into(&place(1)), Some(places(&[2, 3])));
    assert_eq!((trust.redrawn_into(&place(2)), trust.place_name(&place(3))), (None, Some("RT 003")));
    let counts: BTreeMap<_, _> = trust.redrawings().into_iter().map(|view| (view.id, view.counts)).collect();
    assert_eq!((counts[&kept], counts[&thiefs]), (true, false));
    assert_eq!(trust.next_redrawing_serial(), 2, "a thief's serial holds nobody up");
}

/// From which, into which by what name, under which serial, by the other district.
type Step = (Vec<u8>, Vec<(u8, String)>, u64, bool);

/// Splits, merges and renames among few places, so that they meet.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let places = || btree_set(1..7_u8, 1..4);
    let step = (places(), places(), any::<Index>(), 0..4_u8, 1..6_u64, any::<bool>());
    let step = step.prop_map(|(many, few, one, kind, serial, other)| {
        let many: Vec<u8> = many.into_iter().collect();
        let named = |numbers: &[u8]| {
            numbers.iter().map(|number| (*number, "x".repeat(usize::from(number % 2 * kind)))).collect()
        };
        let single = vec![few.into_iter().collect::<Vec<_>>()[0]];
        match kind {
            0 if many.len() > 1 => (single, named(&many), serial, other),
            1 if many.len() > 1 => (many, named(&single), serial, other),
            2 if many.len() > 1 => (vec![many[one.index(many.len())]], named(&many), serial, other),
            _ => (single.clone(), vec![(single[0], format!("RT {serial} {}", one.index(9)))], serial, other),
        }
    });
    vec(step, 1..12)
}

fn take_all(statements: &[Statement]) -> Trust {
    let mut trust = founded();
    let mut waiting: Vec<&Statement> = Vec::new();
    for statement in statements {
        waiting.push(statement);
        loop {
            let before = waiting.len();
            waiting.retain(|statement| matches!(trust.judge_statement(statement), StatementVerdict::Wait(_)));
            if waiting.len() == before {
                break;
            }
        }
        // Asked in between, answers must not stick.
        let _ = trust.redrawn_into(&place(1));
    }
    trust
}

/// What there is after these words in their order, by the design alone: each retires and draws in its turn.
#[derive(Default)]
struct Book {
    retired: BTreeMap<SubSls, Vec<SubSls>>,
    names: BTreeMap<SubSls, String>,
}

impl Book {
    fn of(counting: &BTreeMap<(u64, StatementId), Redrawing>) -> Self {
        let mut book = Self::default();
        for said in counting.values() {
            let into: Vec<SubSls> = said.to.iter().map(|drawn| drawn.sub_sls).collect();
            book.retired.extend(said.from.iter().map(|place| (*place, into.clone())));
            for drawn in &said.to {
                book.retired.remove(&drawn.sub_sls);
                if !drawn.name.is_empty() {
                    book.names.insert(drawn.sub_sls, drawn.name.clone());
                }
            }
        }
        book
    }

    fn went_to(&self, place: &SubSls) -> BTreeSet<SubSls> {
        match self.retired.get(place) {
            None => BTreeSet::from([*place]),
            Some(into) => into.iter().flat_map(|place| self.went_to(place)).collect(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_order_of_arrival_retires_and_names_the_same_places(
        (steps, order, kept, revoked) in steps().prop_flat_map(|steps| {
            let order = Just((0..steps.len() + 3).collect::<Vec<_>>()).prop_shuffle();
            let numbers: Vec<usize> = (0..steps.len()).collect();
            let kept = subsequence(numbers, 0..=steps.len());
            (Just(steps), order, kept, any::<bool>())
        }),
    ) {
        let grants = [OFFICE, OTHER_OFFICE].map(|office| {
            say(ROOT_SEED, Said::Grant(grant(charter_id(), office, Role::District, &["1811"], 1)))
        });
        let mut made: Vec<Statement> = grants.to_vec();
        let trust = founded();
        let parents = grants.each_ref().map(|grant| trust.statement_id(grant));
        for (from, to, serial, other) in &steps {
            let to: Vec<(u8, &str)> = to.iter().map(|(number, name)| (*number, name.as_str())).collect();
            let said = redrawing(parents[usize::from(*other)], from, &to, *serial);
            prop_assert!(said.kind().is_some(), "{said:?}");
            made.push(say(if *other { OTHER_OFFICE } else { OFFICE }, Said::Redrawing(said)));
        }
        let ids: Vec<StatementId> = made.iter().map(|statement| trust.statement_id(statement)).collect();
        let mut keeps: Vec<StatementId> = kept.iter().map(|step| ids[step + 2]).collect();
        keeps.sort_unstable();
        keeps.dedup();
        made.push(revoke(keeps.clone()));
        let mut order = order;
        order.retain(|index| revoked || *index != made.len() - 1);
        let straight: Vec<Statement> = made.iter().take(order.len()).cloned().collect();
        let shuffled: Vec<Statement> = order.iter().map(|index| made[*index].clone()).collect();
        let (straight, shuffled) = (take_all(&straight), take_all(&shuffled));
        prop_assert_eq!(straight.redrawings(), shuffled.redrawings());
        let counting = steps.iter().zip(&ids[2..]).zip(&made[2..]).filter_map(|((step, id), statement)| {
            let Said::Redrawing(said) = &statement.said else { return None };
            (!revoked || !step.3 || keeps.contains(id)).then(|| ((step.2, *id), said.clone()))
        });
        let book = Book::of(&counting.collect());
        for place in (1..7).map(place) {
            let into = straight.redrawn_into(&place);
            prop_assert_eq!(&into, &shuffled.redrawn_into(&place));
            prop_assert_eq!(straight.place_name(&place), shuffled.place_name(&place));
            prop_assert_eq!(straight.place_name(&place), book.names.get(&place).map(String::as_str));
            prop_assert_eq!(into.is_some(), book.retired.contains_key(&place));
            prop_assert_eq!(into.unwrap_or(vec![place]), book.went_to(&place).into_iter().collect::<Vec<_>>());
        }
        let regions: Vec<Region> = straight.reads(&key(OFFICE));
        prop_assert_eq!(regions, ["1811".parse::<Region>().unwrap()], "redrawing moves nobody's grant");
    }
}
