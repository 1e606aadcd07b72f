//! What goes out and when it counts as delivered.

use super::*;

fn id(byte: u8) -> ChangeId {
    ChangeId::from_bytes([byte; 32])
}

fn place() -> SubSls {
    "1811010005000300".parse().unwrap()
}

/// All of the log is sent, and everything is to be compared now.
fn comparing(position: u64, known: u64) -> Outgoing {
    let mut outgoing = Outgoing::new(position, known);
    assert_eq!(outgoing.next(position, true), Work::SayQuiet);
    assert_eq!(outgoing.next(position, true), Work::Sketch);
    outgoing
}

#[test]
fn the_log_is_sent_before_anything_is_compared() {
    let mut outgoing = Outgoing::new(2, 2);
    assert_eq!(outgoing.next(5, true), Work::Log { after: 2 });
    let frame = outgoing.sent(Some(5), [(id(1), place())]);
    assert_eq!(outgoing.next(5, false), Work::SayQuiet);
    assert_eq!(outgoing.next(5, false), Work::Nothing);
    // The peer takes in what is on its way before it answers.
    assert_eq!(outgoing.next(5, true), Work::Sketch);
    outgoing.sketched([place()].into(), 8);
    let changes = BTreeMap::from([(id(1), place())]);
    assert_eq!(outgoing.acknowledged(0, frame, &[]), Ok(Delivered { upto: 5, changes }));
    assert!(!outgoing.agreed());
    outgoing.lacks(&BTreeMap::new(), true).unwrap();
    assert!(outgoing.agreed());
}

#[test]
fn nothing_is_agreed_on_while_changes_are_not_acknowledged() {
    let mut outgoing = Outgoing::new(0, 0);
    let frame = outgoing.sent(Some(1), [(id(1), place())]);
    assert_eq!((outgoing.next(1, true), outgoing.next(1, true)), (Work::SayQuiet, Work::Sketch));
    outgoing.sketched([place()].into(), 8);
    outgoing.lacks(&BTreeMap::new(), true).unwrap();
    assert!(!outgoing.agreed());
    outgoing.acknowledged(0, frame, &[]).unwrap();
    assert!(!outgoing.agreed(), "an acknowledgement alone proves nothing of the rest");
}

#[test]
fn a_sketch_that_led_nowhere_is_compared_anew_before_anything_is_agreed_on() {
    let mut outgoing = comparing(2, 2);
    // Where one side alone may read goes as a summary beside it.
    outgoing.sketched([place()].into(), 8);
    outgoing.summarised(&["1811010005000301".parse().unwrap()]);
    outgoing.unclear(false).unwrap();
    outgoing.differs(&[]).unwrap();
    assert!(!outgoing.agreed(), "of the sketch nothing is known");
    assert_eq!(outgoing.next(2, true), Work::Summarise(None));
    outgoing.summarised(&[place()]);
    outgoing.differs(&[]).unwrap();
    assert!(outgoing.agreed());
}

#[test]
fn statements_that_left_behind_a_summary_are_compared_before_anything_is_agreed_on() {
    let mut outgoing = comparing(2, 2);
    outgoing.sketched([place()].into(), 8);
    outgoing.told([place()]);
    outgoing.lacks(&BTreeMap::new(), true).unwrap();
    assert!(!outgoing.agreed(), "the sketch was of what was held before");
    assert_eq!(outgoing.next(2, true), Work::SayQuiet);
    assert_eq!(outgoing.next(2, true), Work::Summarise(Some([place()].into())));
    outgoing.summarised(&[place()]);
    outgoing.differs(&[]).unwrap();
    assert!(outgoing.agreed());
}

#[test]
fn who_was_asked_for_something_says_again_that_there_is_nothing_more() {
    let mut outgoing = Outgoing::new(0, 0);
    assert_eq!(outgoing.next(0, false), Work::SayQuiet);
    assert_eq!(outgoing.next(0, false), Work::Nothing);
    outgoing.was_asked();
    assert_eq!(outgoing.next(0, false), Work::SayQuiet);
    let mut incoming = crate::Incoming::default();
    incoming.said_quiet();
    incoming.asked_for();
    assert!(!incoming.is_quiet() && !incoming.is_greeting());
}

#[test]
fn no_more_frames_fly_than_the_window_holds() {
    let mut outgoing = Outgoing::new(0, 0);
    for upto in 1..=FRAMES_IN_FLIGHT_MAX as u64 {
        outgoing.sent(Some(upto), [(id(upto as u8), place())]);
    }
    assert_eq!(outgoing.next(99, true), Work::Nothing);
    assert_eq!(outgoing.acknowledged(0, 2, &[]), Err(Violation::AckOrder { frame: 2 }));
    outgoing.acknowledged(0, 1, &[]).unwrap();
    assert_eq!(outgoing.next(99, true), Work::Log { after: FRAMES_IN_FLIGHT_MAX as u64 });
}

#[test]
fn a_difference_is_listed_and_what_is_wanted_is_sent_and_compared_again() {
    let mut outgoing = Outgoing::new(0, 0);
    assert_eq!(outgoing.next(0, true), Work::SayQuiet);
    assert_eq!(outgoing.next(0, true), Work::Sketch);
    outgoing.summarised(&[place()]);
    outgoing.differs(&[place()]).unwrap();
    assert_eq!(outgoing.next(0, true), Work::List(place()));
    outgoing.listed(place(), [id(1), id(2)]);
    outgoing.wants(&[id(2)]).unwrap();
    assert_eq!(outgoing.wants(&[id(1)]), Err(Violation::NotListed));
    assert_eq!(outgoing.next(0, true), Work::Changes(vec![id(2)]));
    let frame = outgoing.sent(None, [(id(2), place())]);
    outgoing.acknowledged(0, frame, &[]).unwrap();
    assert_eq!(outgoing.next(0, true), Work::SayQuiet);
    assert_eq!(outgoing.next(0, true), Work::Summarise(Some([place()].into())));
}

#[test]
fn no_more_is_listed_than_is_answered_and_what_is_wanted_goes_first() {
    let mut outgoing = Outgoing::new(0, 0);
    assert_eq!(outgoing.next(0, true), Work::SayQuiet);
    assert_eq!(outgoing.next(0, true), Work::Sketch);
    let places: Vec<SubSls> = (0..40).map(|at| format!("18110100050{at:03}00").parse().unwrap()).collect();
    outgoing.summarised(&places);
    outgoing.differs(&places).unwrap();
    let mut listed = 0;
    while let Work::List(place) = outgoing.next(0, true) {
        outgoing.listed(place, [id(1)]);
        listed += 1;
    }
    assert_eq!(listed, 16);
    outgoing.wants(&[id(1)]).unwrap();
    assert_eq!(outgoing.next(0, true), Work::Changes(vec![id(1)]));
    outgoing.sent(None, [(id(1), places[0])]);
    assert_eq!(outgoing.next(0, true), Work::List(places[16]));
}

#[test]
fn an_answer_to_an_older_summary_agrees_to_nothing_that_left_since() {
    let mut outgoing = comparing(0, 0);
    outgoing.summarised(&[place()]);
    let frame = outgoing.sent(Some(1), [(id(1), place())]);
    outgoing.differs(&[]).unwrap();
    assert!(!outgoing.agreed());
    outgoing.acknowledged(0, frame, &[]).unwrap();
    assert_eq!(outgoing.next(1, true), Work::SayQuiet);
    assert_eq!(outgoing.next(1, true), Work::Summarise(Some([place()].into())));
    outgoing.summarised(&[place()]);
    outgoing.differs(&[]).unwrap();
    assert!(outgoing.agreed());
}

#[test]
fn an_answer_from_before_the_peer_sent_something_is_asked_for_again() {
    let mut outgoing = Outgoing::new(0, 0);
    assert_eq!(outgoing.next(0, true), Work::SayQuiet);
    assert_eq!(outgoing.next(0, true), Work::Sketch);
    outgoing.summarised(&[place()]);
    outgoing.came([place()]);
    outgoing.differs(&[]).unwrap();
    assert!(!outgoing.agreed());
    assert_eq!(outgoing.next(0, true), Work::Summarise(Some([place()].into())));
    outgoing.summarised(&[place()]);
    outgoing.differs(&[]).unwrap();
    assert!(outgoing.agreed());
}

#[test]
fn a_doubt_about_one_place_outlasts_the_answer_to_a_summary_of_another() {
    let other: SubSls = "1811010005000400".parse().unwrap();
    let mut outgoing = Outgoing::new(0, 0);
    assert_eq!(outgoing.next(0, true), Work::SayQuiet);
    assert_eq!(outgoing.next(0, true), Work::Sketch);
    outgoing.summarised(&[other]);
    outgoing.doubt(place());
    outgoing.differs(&[]).unwrap();
    assert!(!outgoing.agreed());
    assert_eq!(outgoing.next(0, true), Work::Summarise(Some([place()].into())));
    outgoing.summarised(&[place()]);
    outgoing.differs(&[]).unwrap();
    // It came while the first summary was under way, so the first answer about it is asked for again.
    assert_eq!(outgoing.next(0, true), Work::Summarise(Some([place()].into())));
    outgoing.summarised(&[place()]);
    outgoing.differs(&[]).unwrap();
    assert!(outgoing.agreed());
}

#[test]
fn what_a_peer_brought_long_ago_and_waited_is_compared_before_it_counts_as_held_there() {
    let mut outgoing = Outgoing::new(0, 0);
    assert_eq!(outgoing.next(0, true), Work::SayQuiet);
    assert_eq!(outgoing.next(0, true), Work::Sketch);
    outgoing.summarised(&[place()]);
    outgoing.doubt(place());
    outgoing.differs(&[]).unwrap();
    assert!(!outgoing.agreed());
    assert_eq!(outgoing.next(0, true), Work::Summarise(Some([place()].into())));
    outgoing.summarised(&[place()]);
    outgoing.differs(&[]).unwrap();
    assert!(outgoing.agreed());
    outgoing.doubt(place());
    assert!(!outgoing.agreed());
}

#[test]
fn a_difference_in_one_part_of_a_summary_is_not_forgotten_with_the_next_part() {
    let elsewhere: SubSls = "1811010005000400".parse().unwrap();
    let mut outgoing = comparing(0, 0);
    outgoing.rounds = ROUNDS_MAX;
    outgoing.summarised(&[place()]);
    outgoing.summarised(&[elsewhere]);
    outgoing.differs(&[place()]).unwrap();
    outgoing.differs(&[]).unwrap();
    assert!(!outgoing.agreed());
    outgoing.summarised(&[place()]);
    outgoing.differs(&[]).unwrap();
    assert!(outgoing.agreed());
}

#[test]
fn a_peer_whose_scope_has_changed_gets_nothing_that_it_asked_for_before() {
    let mut outgoing = Outgoing::new(0, 0);
    let elsewhere: SubSls = "1811010005000400".parse().unwrap();
    outgoing.summarised(&[place(), elsewhere]);
    outgoing.differs(&[place(), elsewhere]).unwrap();
    assert_eq!(outgoing.next(0, true), Work::List(place()));
    outgoing.listed(place(), [id(1)]);
    outgoing.wants(&[id(1)]).unwrap();
    outgoing.scope_changed();
    assert_eq!(outgoing.next(0, true), Work::SayQuiet);
    assert_eq!(outgoing.next(0, true), Work::Sketch);
    // What it had named as differing does not keep it from agreeing in the new scope.
    outgoing.summarised(&[]);
    assert!(outgoing.agreed());
}

#[test]
fn an_exception_for_what_was_never_sent_is_a_violation() {
    let mut outgoing = Outgoing::new(0, 0);
    let frame = outgoing.sent(Some(1), [(id(1), place())]);
    assert_eq!(outgoing.acknowledged(0, frame, &[id(9)]), Err(Violation::AckException { frame }));
}

#[test]
fn what_is_excepted_is_not_delivered() {
    let mut outgoing = Outgoing::new(0, 0);
    let frame = outgoing.sent(Some(2), [(id(1), place()), (id(2), place())]);
    let changes = BTreeMap::from([(id(1), place())]);
    assert_eq!(outgoing.acknowledged(0, frame, &[id(2)]), Ok(Delivered { upto: 2, changes }));
    assert_eq!([1, 2].map(|n| outgoing.known().holds(u64::from(n), &id(n))), [true, false]);
    assert_eq!(outgoing.known().lacks_after(), 0);
}

#[test]
fn a_frame_that_only_marks_a_place_takes_nothing_from_what_was_agreed() {
    let mut outgoing = comparing(0, 0);
    outgoing.summarised(&[place()]);
    let frame = outgoing.marked(3);
    outgoing.differs(&[]).unwrap();
    assert!(outgoing.agreed());
    assert_eq!(outgoing.next(3, true), Work::SayQuiet);
    outgoing.acknowledged(0, frame, &[]).unwrap();
    assert!(outgoing.agreed());
    assert_eq!(outgoing.known().upto(), 3);
}

#[test]
fn what_is_acknowledged_beyond_a_gap_is_known_though_the_gap_stays_open() {
    let mut outgoing = Outgoing::new(4, 2);
    let frame = outgoing.sent(Some(5), [(id(1), place())]);
    let next = outgoing.sent(Some(6), [(id(2), place())]);
    let held = |outgoing: &Outgoing| [3, 5, 6].map(|seq| outgoing.known().holds(seq, &id(9)));
    assert_eq!(held(&outgoing), [false, false, false]);
    assert_eq!(outgoing.acknowledged(0, frame, &[]).unwrap().upto, 2);
    assert_eq!(held(&outgoing), [false, true, false]);
    outgoing.acknowledged(0, next, &[]).unwrap();
    assert_eq!((outgoing.known().upto(), held(&outgoing)), (2, [false, true, true]));

    assert_eq!(outgoing.next(6, true), Work::SayQuiet);
    assert_eq!(outgoing.next(6, true), Work::Sketch);
    outgoing.summarised(&[place()]);
    outgoing.differs(&[]).unwrap();
    assert_eq!((outgoing.known().upto(), held(&outgoing)), (6, [true, true, true]));
}

#[test]
fn what_is_on_its_way_goes_once_however_often_the_peer_is_found_to_lack_it() {
    let mut outgoing = Outgoing::new(0, 0);
    let found = BTreeMap::from([(id(1), place())]);
    outgoing.sketched([place()].into(), 8);
    outgoing.found_lacking(&found);
    assert_eq!(outgoing.next(0, true), Work::Changes(vec![id(1)]));
    let frame = outgoing.sent(None, found.clone());
    outgoing.lacks(&found, true).unwrap();
    assert_eq!(outgoing.next(0, true), Work::SayQuiet);
    assert_eq!(outgoing.next(0, true), Work::Sketch);
    outgoing.acknowledged(0, frame, &[]).unwrap();
}

#[test]
fn who_holds_all_and_was_never_told_of_a_place_in_the_log_is_owed_one() {
    let mut outgoing = comparing(5, 0);
    outgoing.peer_was_told(0);
    assert!(!outgoing.owes_a_mark(), "it may lack something");
    outgoing.sketched([place()].into(), 8);
    outgoing.lacks(&BTreeMap::new(), true).unwrap();
    assert!(outgoing.owes_a_mark());
    let frame = outgoing.marked(5);
    assert!(!outgoing.owes_a_mark());
    outgoing.acknowledged(0, frame, &[]).unwrap();
    outgoing.passed(5 + TOLD_BEHIND_MAX);
    assert!(outgoing.agreed() && !outgoing.owes_a_mark(), "it can say from where to go on");
    outgoing.passed(6 + TOLD_BEHIND_MAX);
    assert!(outgoing.owes_a_mark());
}

#[test]
fn an_early_sketch_that_is_answered_by_nothing_lacking_ends_the_comparison() {
    let mut outgoing = Outgoing::new(5, 5);
    outgoing.sketched_early([place()].into(), 8, true);
    assert_eq!(outgoing.next(5, true), Work::Nothing, "its answer is to come");
    outgoing.lacks(&BTreeMap::new(), true).unwrap();
    assert!(outgoing.agreed());
    assert_eq!((outgoing.next(5, true), outgoing.next(5, true)), (Work::SayQuiet, Work::Nothing));
}

#[test]
fn an_early_sketch_that_says_nothing_is_no_reason_to_give_sketches_up() {
    let mut outgoing = Outgoing::new(5, 5);
    for _ in 0..3 {
        outgoing.sketched_early([place()].into(), 8, true);
        outgoing.unclear(true).unwrap();
    }
    assert!(outgoing.sketches() && !outgoing.is_salted() && !outgoing.agreed());
    assert_eq!((outgoing.next(5, true), outgoing.next(5, true)), (Work::SayQuiet, Work::Sketch));
}

#[test]
fn an_early_sketch_of_another_scope_proves_nothing() {
    let mut outgoing = Outgoing::new(5, 5);
    outgoing.sketched_early([place()].into(), 8, false);
    outgoing.lacks(&BTreeMap::new(), true).unwrap();
    assert!(!outgoing.agreed());
    assert_eq!((outgoing.next(5, true), outgoing.next(5, true)), (Work::SayQuiet, Work::Sketch));
}

#[test]
fn the_peers_sketch_proves_nothing_while_something_is_on_its_way_to_it() {
    let mut outgoing = Outgoing::new(0, 0);
    let frame = outgoing.sent(Some(1), [(id(1), place())]);
    outgoing.proved_equal();
    assert!(!outgoing.agreed());
    outgoing.acknowledged(0, frame, &[]).unwrap();
    outgoing.proved_equal();
    assert!(outgoing.agreed());
    assert_eq!((outgoing.next(1, true), outgoing.next(1, true)), (Work::SayQuiet, Work::Nothing));
}
