//! A dozen officers enrolled by code over real QUIC into real stores; `enrol` in `src/bin` does four
//! hundred.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[test]
fn a_dozen_officers_are_enrolled_each_once_and_guessers_are_refused() {
    let outcome = rukun_tests::enrol::run(12, 4).unwrap();
    assert_eq!((outcome.officers, outcome.refused_twice, outcome.wrong_codes), (12, 12, 5));
}

#[test]
fn officers_are_enrolled_where_udp_does_not_pass() {
    rukun_tests::enrol::run_without_udp(3).unwrap();
}
