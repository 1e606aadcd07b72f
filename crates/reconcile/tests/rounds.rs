//! Two nodes that differ compare until they agree, and stop after a few rounds in which nothing moves: the
//! rest is for the next session.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use rukun_change::{ChangeId, SubSls};
use rukun_reconcile::{Outgoing, Violation, Work};

/// As many as the protocol says.
const ROUNDS: u32 = 3;

fn id(byte: u8) -> ChangeId {
    ChangeId::from_bytes([byte; 32])
}

fn place() -> SubSls {
    "1811010005000300".parse().unwrap()
}

/// Who summarises each sub-SLS, since sketches led nowhere.
fn summarising() -> Outgoing {
    let mut outgoing = Outgoing::new(0, 0);
    assert_eq!(outgoing.next(0, true), Work::SayQuiet);
    for _ in 0..2 {
        assert_eq!(outgoing.next(0, true), Work::Sketch);
        outgoing.sketched([place()].into(), 8);
        outgoing.unclear(true).unwrap();
    }
    outgoing
}

/// Sketches, and is told that a change is lacking that the peer then never holds. Gives how often the change was
/// sent.
fn lacking_for_ever(outgoing: &mut Outgoing) -> u32 {
    let mut sent = 0;
    loop {
        match outgoing.next(0, true) {
            Work::SayQuiet => {}
            Work::Sketch => {
                outgoing.sketched([place()].into(), 8);
                outgoing.lacks(&[(id(1), place())].into(), true).unwrap();
            }
            Work::Changes(ids) => {
                sent += 1;
                let frame = outgoing.sent(None, ids.iter().map(|id| (*id, place())));
                outgoing.acknowledged(0, frame, &ids).unwrap();
            }
            Work::Nothing => return sent,
            work => panic!("{work:?}"),
        }
    }
}

/// Compares, and is told of a difference that nothing is wanted of, as often as it asks.
fn differ_for_ever(outgoing: &mut Outgoing) -> u32 {
    let mut lists = 0;
    loop {
        match outgoing.next(0, true) {
            Work::SayQuiet => {}
            Work::Summarise(_) => {
                outgoing.summarised(&[place()]);
                outgoing.differs(&[place()]).unwrap();
            }
            Work::List(sub_sls) => {
                lists += 1;
                outgoing.listed(sub_sls, [id(1)]);
                outgoing.wants(&[]).unwrap();
            }
            Work::Nothing => return lists,
            work => panic!("{work:?}"),
        }
    }
}

/// Compares with a peer that wants a change and never holds it, as often as both ask. Gives how often
/// the change was sent.
fn never_held(outgoing: &mut Outgoing) -> u32 {
    let mut sent = 0;
    loop {
        match outgoing.next(0, true) {
            Work::SayQuiet => {}
            Work::Summarise(_) => {
                outgoing.summarised(&[place()]);
                outgoing.differs(&[place()]).unwrap();
            }
            Work::List(sub_sls) => {
                outgoing.listed(sub_sls, [id(1)]);
                outgoing.wants(&[id(1)]).unwrap();
            }
            Work::Changes(ids) => {
                sent += 1;
                let frame = outgoing.sent(None, ids.iter().map(|id| (*id, place())));
                outgoing.acknowledged(0, frame, &ids).unwrap();
            }
            Work::Nothing => return sent,
            work => panic!("{work:?}"),
        }
    }
}

#[test]
fn who_wants_nothing_of_all_that_is_listed_has_it_all() {
    let mut outgoing = summarising();
    assert_eq!(outgoing.next(0, true), Work::Summarise(None));
    outgoing.summarised(&[place()]);
    outgoing.differs(&[place()]).unwrap();
    assert!(!outgoing.agreed());
    assert_eq!(outgoing.next(0, true), Work::List(place()));
    // In two messages: the first answer alone says too little.
    outgoing.listed(place(), [id(1)]);
    outgoing.listed(place(), [id(2)]);
    outgoing.wants(&[]).unwrap();
    assert!(!outgoing.agreed());
    outgoing.wants(&[]).unwrap();
    assert!(outgoing.agreed());
    assert_eq!(outgoing.next(0, true), Work::Nothing);
}

#[test]
fn who_wanted_something_of_a_list_has_it_all_only_after_another_summary() {
    let mut outgoing = summarising();
    assert_eq!(outgoing.next(0, true), Work::Summarise(None));
    outgoing.summarised(&[place()]);
    outgoing.differs(&[place()]).unwrap();
    assert_eq!(outgoing.next(0, true), Work::List(place()));
    outgoing.listed(place(), [id(1)]);
    outgoing.listed(place(), [id(2)]);
    outgoing.wants(&[id(1)]).unwrap();
    outgoing.wants(&[]).unwrap();
    assert_eq!(outgoing.next(0, true), Work::Changes(vec![id(1)]));
    let frame = outgoing.sent(None, [(id(1), place())]);
    outgoing.acknowledged(0, frame, &[]).unwrap();
    assert!(!outgoing.agreed());
    assert_eq!(outgoing.next(0, true), Work::SayQuiet);
    assert_eq!(outgoing.next(0, true), Work::Summarise(Some([place()].into())));
    outgoing.summarised(&[place()]);
    outgoing.differs(&[]).unwrap();
    assert!(outgoing.agreed());
}

#[test]
fn a_peer_that_holds_more_than_we_do_is_not_asked_again_and_again() {
    let mut outgoing = summarising();
    assert_eq!(differ_for_ever(&mut outgoing), 1);
    assert!(outgoing.agreed());
    assert_eq!(outgoing.next(0, true), Work::Nothing);
}

#[test]
fn a_change_that_the_peer_cannot_take_is_sent_a_few_times_and_no_more() {
    let mut outgoing = summarising();
    assert_eq!(never_held(&mut outgoing), ROUNDS);
    assert!(!outgoing.agreed());

    let mut outgoing = Outgoing::new(0, 0);
    assert_eq!(lacking_for_ever(&mut outgoing), ROUNDS);
    assert!(!outgoing.agreed());
}

#[test]
fn what_a_peer_lacks_of_a_sketch_is_sent_once_and_proved_by_another() {
    let mut outgoing = Outgoing::new(0, 0);
    assert_eq!(outgoing.next(0, true), Work::SayQuiet);
    assert_eq!(outgoing.next(0, true), Work::Sketch);
    outgoing.sketched([place()].into(), 8);
    assert_eq!(outgoing.next(0, true), Work::Nothing);
    outgoing.more(16).unwrap();
    assert_eq!(outgoing.next(0, true), Work::Symbols(8, 16));
    // The peer's own sketch told the same.
    let lacking = [(id(1), place())].into();
    outgoing.found_lacking(&lacking);
    outgoing.lacks(&lacking, true).unwrap();
    assert_eq!(outgoing.next(0, true), Work::Changes(vec![id(1)]));
    let frame = outgoing.sent(None, [(id(1), place())]);
    outgoing.found_lacking(&lacking);
    outgoing.acknowledged(0, frame, &[]).unwrap();
    assert_eq!(outgoing.next(0, true), Work::SayQuiet);
    assert_eq!(outgoing.next(0, true), Work::Sketch);
    outgoing.sketched([place()].into(), 8);
    outgoing.lacks(&[].into(), true).unwrap();
    assert!(outgoing.agreed());
    assert_eq!(outgoing.next(0, true), Work::Nothing);
}

#[test]
fn symbols_that_lead_nowhere_or_are_asked_for_twice_are_not_sent_for_ever() {
    let mut outgoing = Outgoing::new(0, 0);
    assert_eq!(outgoing.more(16), Err(Violation::NoSketch));
    outgoing.sketched([place()].into(), 8);
    assert!(matches!(outgoing.more(8), Err(Violation::TooMuch { .. })));
    assert!(matches!(outgoing.more(1 << 63), Err(Violation::TooMuch { .. })));
    outgoing.unclear(true).unwrap();
    assert!(outgoing.is_salted() && outgoing.sketches());
    assert_eq!(outgoing.unclear(true), Err(Violation::NoSketch));
    outgoing.sketched([place()].into(), 8);
    outgoing.unclear(true).unwrap();
    assert!(!outgoing.sketches(), "sub-SLS are summarised from here on");

    let mut outgoing = Outgoing::new(0, 0);
    outgoing.sketched([place()].into(), 8);
    outgoing.unclear(false).unwrap();
    assert!(!outgoing.sketches(), "a salt makes no difference smaller");
}

#[test]
fn what_was_left_differing_is_compared_again_once_statements_or_changes_there_have_come() {
    let mut outgoing = summarising();
    never_held(&mut outgoing);
    outgoing.statements_moved();
    assert_eq!(never_held(&mut outgoing), ROUNDS);
    outgoing.progressed(&["1811010005000400".parse().unwrap()].into());
    assert_eq!(outgoing.next(0, true), Work::Nothing);
    outgoing.progressed(&[place()].into());
    assert_eq!(outgoing.next(0, true), Work::Summarise(Some([place()].into())));
    outgoing.summarised(&[place()]);
    outgoing.differs(&[]).unwrap();
    assert!(outgoing.agreed());
}

#[test]
fn what_was_skipped_counts_as_held_only_once_both_agree() {
    let mut outgoing = Outgoing::new(7, 2);
    assert_eq!(outgoing.next(8, false), Work::Log { after: 7 });
    let frame = outgoing.sent(Some(8), [(id(1), place())]);
    assert_eq!(outgoing.acknowledged(0, frame, &[]).unwrap().upto, 2);
    outgoing.passed(9);
    assert_eq!(outgoing.known().upto(), 2);
    assert_eq!((outgoing.next(9, true), outgoing.next(9, true)), (Work::SayQuiet, Work::Sketch));
    outgoing.summarised(&[place()]);
    outgoing.differs(&[]).unwrap();
    assert_eq!(outgoing.known().upto(), 9);
    let frame = outgoing.sent(Some(10), [(id(2), place())]);
    assert_eq!(outgoing.acknowledged(0, frame, &[]).unwrap().upto, 10);
}

#[test]
fn an_answer_about_a_scope_that_is_no_more_agrees_to_nothing() {
    let mut outgoing = Outgoing::new(0, 0);
    outgoing.summarised(&[place()]);
    outgoing.scope_changed();
    outgoing.differs(&[]).unwrap();
    assert!(!outgoing.agreed());
    assert_eq!((outgoing.next(0, true), outgoing.next(0, true)), (Work::SayQuiet, Work::Sketch));
    outgoing.summarised(&[place()]);
    outgoing.differs(&[]).unwrap();
    assert!(outgoing.agreed());
}
