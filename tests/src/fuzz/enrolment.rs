//! Enrolment: any bytes are a message, a code or an invitation with one spelling, or refused; and whatever
//! devices ask in whatever order, one code enrols one device, and who guesses is refused.

use std::net::{IpAddr, Ipv4Addr};

use rukun_authority::Role;
use rukun_change::{DeviceKey, Moment, StatementId, SurveyId};
use rukun_enrolment::{
    Code, End, Fate, Invitation, Judgement, Officer, REFUSED_MS, Session, TRIES_MAX, Tries, believe, granted,
    judge,
};
use rukun_wire::{EnrolAnswer, EnrolAsk};

use super::input::Input;

const ASKS_MAX: usize = 64;
const MINUTE_MS: u64 = 60_000;
const BEGAN_MS: i64 = 1_665_800_000_000;
const EXPIRES_MS: i64 = BEGAN_MS + 5 * REFUSED_MS as i64;
const GRANT: StatementId = StatementId::from_bytes([9; 32]);

/// The first byte says what follows.
pub(super) fn run(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    match mode % 5 {
        0 => {
            if let Ok(ask) = EnrolAsk::decode(rest) {
                assert_eq!(ask.encode(), rest, "an ask has two spellings");
            }
        }
        1 => answer(rest),
        2 => typed(rest),
        3 => {
            if let Ok(held) = Invitation::from_bytes(rest) {
                assert_eq!(held.to_bytes(), rest, "an invitation has two spellings");
            }
        }
        _ => asked(&mut Input::new(rest)),
    }
}

pub(super) fn code() -> Code {
    Code::from_random(&[7; 20])
}

pub(super) fn session(device: u8, exported: u8) -> Session {
    let key = |byte| DeviceKey::from_bytes([byte; 32]);
    Session { exported: [exported; 32], device: key(device), relay: key(200) }
}

pub(super) fn ask(code: &Code, session: &Session) -> EnrolAsk {
    rukun_enrolment::ask(code, session, None)
}

pub(super) fn invitation() -> Invitation {
    let officer = Officer {
        name: "Siti Aminah".into(),
        phone: "0812".into(),
        role: Role::Enumerator,
        regions: vec!["18110100050003".parse().expect("a region")],
    };
    let (made_ms, expires_ms, fate) = (BEGAN_MS, EXPIRES_MS, Fate::Open);
    Invitation { officer, proof_key: code().proof_key(), made_ms, expires_ms, fate }
}

/// Only what proves the code is believed.
fn answer(bytes: &[u8]) {
    let Ok(answer) = EnrolAnswer::decode(bytes) else { return };
    assert_eq!(answer.encode(), bytes, "an answer has two spellings");
    let here = session(1, 1);
    let proved = code().proof_key().proof(End::Relay, &here);
    let shows = match &answer {
        EnrolAnswer::Granted { proof, .. } => Some(*proof),
        EnrolAnswer::Refused { proof, .. } => *proof,
    };
    if believe(&code(), &here, answer).is_ok() {
        assert_eq!(shows, Some(proved), "believed without a proof");
    }
}

fn typed(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match text.parse::<Code>() {
        Ok(code) => assert_eq!(code.text().parse(), Ok(code.clone()), "a code that does not come back"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// What the naive relay keeps: who used the code, and when wrong codes came from where.
#[derive(Default)]
struct Naive {
    used: Option<u8>,
    wrong: Vec<(u8, u64)>,
}

impl Naive {
    /// Whether an address is refused: if its last wrong code was the fifth within an hour, less than an
    /// hour ago.
    fn refuses(&self, from: u8, now_ms: u64) -> bool {
        let times: Vec<u64> = self.wrong.iter().filter(|(who, _)| *who == from).map(|(_, at)| *at).collect();
        let Some(last) = times.last().copied().filter(|last| last + REFUSED_MS > now_ms) else {
            return false;
        };
        times.iter().filter(|at| **at + REFUSED_MS > last).count() >= TRIES_MAX
    }
}

fn asked(input: &mut Input<'_>) {
    let (mut held, mut tries, mut naive) = (invitation(), Tries::default(), Naive::default());
    let mut now = Moment { wall_ms: BEGAN_MS, steady_ms: 1 };
    for _ in 0..ASKS_MAX {
        if input.is_empty() {
            return;
        }
        let passed = u64::from(input.byte()) * MINUTE_MS / 8;
        now = Moment { wall_ms: now.wall_ms + passed as i64, steady_ms: now.steady_ms + passed };
        let (device, exported, from) = (1 + input.byte() % 3, input.byte() % 3, input.byte() % 3);
        let here = session(device, exported);
        let (kind, elsewhere) = (input.byte() % 6, session(1 + (device + 1) % 3, exported));
        let right = ask(&code(), &here);
        let asked = match kind {
            0 | 1 => right.clone(),
            2 => ask(&Code::from_random(&[input.byte(); 20]), &here),
            3 => ask(&code(), &elsewhere),
            4 => EnrolAsk { proof: code().proof_key().proof(End::Relay, &here), ..right },
            _ => EnrolAsk { proof: input.number(), ..right },
        };
        let honest = asked == ask(&code(), &here);
        let refused = naive.refuses(from, now.steady_ms);
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, from));
        assert_eq!(tries.refused_until(now.steady_ms, address).is_some(), refused);
        let known = (asked.invitation == code().invitation()).then(|| held.clone());
        match judge(&mut tries, now, address, &here, &asked, known) {
            Judgement::Grant(_) => {
                assert!(honest && !refused && naive.used.is_none() && now.wall_ms < EXPIRES_MS);
                naive.used = Some(device);
                held.fate = Fate::Used { device: here.device, grant: GRANT, at_ms: now.wall_ms };
                let given = granted(&held.proof_key, &here, SurveyId::from_bytes([1; 32]), Vec::new());
                assert!(believe(&code(), &here, given.clone()).is_ok());
                assert!(believe(&code(), &elsewhere, given).is_err());
            }
            Judgement::Again(_, grant) => {
                assert!(honest && !refused && naive.used == Some(device) && grant == GRANT);
            }
            Judgement::Refuse(answer) => {
                let in_vain = naive.used.map_or(now.wall_ms >= EXPIRES_MS, |used| used != device);
                assert!(!honest || refused || in_vain, "an honest device was refused: {answer:?}");
                assert!(believe(&code(), &here, answer).is_err());
            }
        }
        if !honest && !refused {
            naive.wrong.push((from, now.steady_ms));
        }
    }
}
