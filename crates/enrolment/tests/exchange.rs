//! Both ends of an enrolment against each other and against who stands between them: a code enrols one
//! device in one session, and every other way of using it is refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr};

use rukun_authority::Role;
use rukun_change::{DeviceKey, Moment, StatementId, SurveyId};
use rukun_enrolment::{
    Code, EnrolError, Enrolled, Fate, Invitation, Judgement, Officer, REFUSED_MS, Session, TRIES_MAX, Tries,
    believe, granted, judge, refused,
};
use rukun_wire::{EnrolAnswer, EnrolAsk, EnrolRefusal};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const NOW: Moment = Moment { wall_ms: 1_500, steady_ms: 10_000 };
const GRANT: StatementId = StatementId::from_bytes([9; 32]);

fn session(exported: u8, device: u8) -> Session {
    let key = |byte| DeviceKey::from_bytes([byte; 32]);
    Session { exported: [exported; 32], device: key(device), relay: key(200) }
}

fn code(number: u8) -> Code {
    Code::from_random(&[number; 20])
}

fn ask(code: &Code, session: &Session) -> EnrolAsk {
    rukun_enrolment::ask(code, session, None)
}

/// A relay with one invitation, for the code of number 1.
struct Relay {
    invitation: Invitation,
    tries: Tries,
}

impl Relay {
    fn new() -> Self {
        let officer = Officer {
            name: "Siti Aminah".into(),
            phone: "0812".into(),
            role: Role::Enumerator,
            regions: vec!["18110100050003".parse().unwrap()],
        };
        let invitation = Invitation {
            officer,
            proof_key: code(1).proof_key(),
            made_ms: 1_000,
            expires_ms: 2_000,
            fate: Fate::Open,
        };
        Self { invitation, tries: Tries::default() }
    }

    fn hears(&mut self, now: Moment, from: IpAddr, session: &Session, ask: &EnrolAsk) -> Judgement {
        let held = (ask.invitation == code(1).invitation()).then(|| self.invitation.clone());
        let judgement = judge(&mut self.tries, now, from, session, ask, held);
        if matches!(judgement, Judgement::Grant(_)) {
            self.invitation.fate = Fate::Used { device: session.device, grant: GRANT, at_ms: now.wall_ms };
        }
        judgement
    }

    fn hears_now(&mut self, session: &Session, ask: &EnrolAsk) -> Judgement {
        self.hears(NOW, HERE, session, ask)
    }
}

fn refusal(judgement: &Judgement) -> EnrolRefusal {
    let Judgement::Refuse(EnrolAnswer::Refused { refusal, .. }) = judgement else { panic!("{judgement:?}") };
    *refusal
}

fn answer(judgement: Judgement) -> EnrolAnswer {
    let Judgement::Refuse(answer) = judgement else { panic!("{judgement:?}") };
    answer
}

fn gift(session: &Session) -> EnrolAnswer {
    granted(&code(1).proof_key(), session, SurveyId::from_bytes([7; 32]), vec![b"charter".to_vec()])
}

#[test]
fn a_code_is_granted_once_and_the_same_device_hears_the_same_again() {
    let (mut relay, here) = (Relay::new(), session(1, 1));
    assert!(matches!(relay.hears_now(&here, &ask(&code(1), &here)), Judgement::Grant(_)));
    let enrolled = believe(&code(1), &here, gift(&here)).unwrap();
    assert_eq!(
        enrolled,
        Enrolled { survey: SurveyId::from_bytes([7; 32]), statements: vec![b"charter".to_vec()] }
    );
    // The answer was lost: the device asks again, in another session, even after the time is over.
    let again = session(2, 1);
    let late = Moment { wall_ms: 9_000, ..NOW };
    let told = relay.hears(late, HERE, &again, &ask(&code(1), &again));
    assert!(matches!(told, Judgement::Again(_, GRANT)), "{told:?}");
    // Another device has the same code.
    let other = session(3, 2);
    let judgement = relay.hears_now(&other, &ask(&code(1), &other));
    assert_eq!(refusal(&judgement), EnrolRefusal::Used { at_ms: NOW.wall_ms });
    let told = believe(&code(1), &other, answer(judgement));
    assert_eq!(told, Err(EnrolError::Refused(EnrolRefusal::Used { at_ms: NOW.wall_ms })));
    assert_eq!(relay.tries, Tries::default(), "nobody guessed");
}

#[test]
fn what_is_expired_or_withdrawn_is_told_to_who_knows_the_code_only() {
    let here = session(1, 1);
    let late = Moment { wall_ms: 2_000, ..NOW };
    let mut relay = Relay::new();
    let judgement = relay.hears(late, HERE, &here, &ask(&code(1), &here));
    assert_eq!(refusal(&judgement), EnrolRefusal::Expired { at_ms: 2_000 });
    assert!(matches!(believe(&code(1), &here, answer(judgement)), Err(EnrolError::Refused(_))));
    relay.invitation.fate = Fate::Withdrawn { at_ms: 1_200 };
    let judgement = relay.hears_now(&here, &ask(&code(1), &here));
    assert_eq!(refusal(&judgement), EnrolRefusal::Withdrawn { at_ms: 1_200 });
    // Who knows the invitation's id, as whoever was called by mistake does, learns no more than anyone.
    let guess = EnrolAsk { invitation: code(1).invitation(), proof: [3; 32], survey: None };
    assert_eq!(refusal(&relay.hears_now(&here, &guess)), EnrolRefusal::Unknown);
    let unknown = EnrolAsk { invitation: code(5).invitation(), proof: [3; 32], survey: None };
    assert_eq!(relay.hears_now(&here, &unknown), relay.hears_now(&here, &guess));
}

#[test]
fn what_was_said_in_one_session_enrols_nobody_in_another() {
    let (mut relay, theirs) = (Relay::new(), session(1, 1));
    // A node in between has two sessions, and passes on what it hears in one of them.
    let overheard = ask(&code(1), &theirs);
    for mine in [session(2, 1), session(1, 2), session(2, 2)] {
        assert_eq!(refusal(&relay.hears_now(&mine, &overheard)), EnrolRefusal::Unknown);
    }
    assert_eq!(relay.invitation.fate, Fate::Open);
    // What the relay says to the one is nothing to the other.
    for other in [session(2, 1), session(1, 2)] {
        assert_eq!(believe(&code(1), &other, gift(&theirs)), Err(EnrolError::Impostor));
    }
}

#[test]
fn a_proof_that_is_sent_back_proves_nothing() {
    let here = session(1, 1);
    let EnrolAsk { proof, .. } = ask(&code(1), &here);
    let reflected = EnrolAnswer::Granted {
        proof,
        survey: SurveyId::from_bytes([66; 32]),
        statements: vec![b"another survey".to_vec()],
    };
    assert_eq!(believe(&code(1), &here, reflected), Err(EnrolError::Impostor));
    let refusal = EnrolRefusal::Used { at_ms: 1 };
    for proof in [None, Some(proof), Some([0; 32])] {
        let lie = EnrolAnswer::Refused { proof, refusal };
        assert_eq!(believe(&code(1), &here, lie), Err(EnrolError::Impostor), "nobody else used it");
    }
    let EnrolAnswer::Granted { proof, .. } = gift(&here) else { unreachable!() };
    let mut relay = Relay::new();
    let back = EnrolAsk { invitation: code(1).invitation(), proof, survey: None };
    assert!(matches!(relay.hears_now(&here, &back), Judgement::Refuse(_)));
}

#[test]
fn a_stranger_s_refusal_is_told_as_one() {
    let here = session(1, 1);
    for refusal in [EnrolRefusal::Unknown, EnrolRefusal::Guessed { until_ms: 5 }] {
        let told = believe(&code(1), &here, EnrolAnswer::Refused { proof: None, refusal });
        assert_eq!(told, Err(EnrolError::Refused(refusal)));
    }
    let proved = refused(&code(1).proof_key(), &here, EnrolRefusal::NotGranted);
    assert_eq!(believe(&code(1), &here, proved), Err(EnrolError::Refused(EnrolRefusal::NotGranted)));
}

#[test]
fn the_sixth_try_is_refused_even_with_the_right_code_and_elsewhere_it_is_not() {
    let (mut relay, here) = (Relay::new(), session(1, 1));
    for guess in 0..TRIES_MAX as u8 {
        let wrong = ask(&code(10 + guess), &here);
        assert_eq!(refusal(&relay.hears_now(&here, &wrong)), EnrolRefusal::Unknown);
    }
    let right = ask(&code(1), &here);
    let until_ms = NOW.wall_ms + REFUSED_MS as i64;
    assert_eq!(refusal(&relay.hears_now(&here, &right)), EnrolRefusal::Guessed { until_ms });
    assert!(matches!(relay.hears(NOW, ELSEWHERE, &here, &right), Judgement::Grant(_)));
    let after = Moment { steady_ms: NOW.steady_ms + REFUSED_MS, ..NOW };
    assert!(matches!(relay.hears(after, HERE, &here, &right), Judgement::Again(_, GRANT)));
}
