//! The bytes of enrolment in version 1, for ever, as an independent encoder spelled them; and that no
//! other bytes near them are taken for them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use rukun_change::{InvitationId, SurveyId};
use rukun_wire::{EnrolAnswer, EnrolAsk, EnrolRefusal};

const ASK: &str = include_str!("../golden/v1/enrol-ask.hex");

fn from_hex(text: &str) -> Vec<u8> {
    let text = text.trim_end();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn answers() -> [(EnrolAnswer, &'static str); 3] {
    let (proof, survey) = ([0x33; 32], SurveyId::from_bytes([0x44; 32]));
    let statements = vec![b"charter".to_vec(), b"grant".to_vec()];
    let used = EnrolRefusal::Used { at_ms: 1_665_800_000_000 };
    [
        (EnrolAnswer::Granted { proof, survey, statements }, include_str!("../golden/v1/enrol-granted.hex")),
        (
            EnrolAnswer::Refused { proof: Some(proof), refusal: used },
            include_str!("../golden/v1/enrol-refused.hex"),
        ),
        (
            EnrolAnswer::Refused { proof: None, refusal: EnrolRefusal::Unknown },
            include_str!("../golden/v1/enrol-unknown.hex"),
        ),
    ]
}

#[test]
fn bytes_of_an_ask() {
    let ask = EnrolAsk { invitation: InvitationId::from_bytes([0x11; 16]), proof: [0x22; 32], survey: None };
    let member = EnrolAsk { survey: Some(SurveyId::from_bytes([0x44; 32])), ..ask.clone() };
    for (ask, golden) in [(ask, ASK), (member, include_str!("../golden/v1/enrol-ask-of-a-member.hex"))] {
        assert_eq!(ask.encode(), from_hex(golden));
        assert_eq!(EnrolAsk::decode(&from_hex(golden)), Ok(ask));
    }
}

#[test]
fn bytes_of_answers() {
    for (answer, file) in answers() {
        assert_eq!(answer.encode(), from_hex(file));
        assert_eq!(EnrolAnswer::decode(&from_hex(file)), Ok(answer));
    }
}

proptest! {
    #[test]
    fn no_bytes_have_two_readings_and_none_panic(
        which in 0..4_usize,
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let ask = from_hex(ASK);
        let mut bytes = answers().get(which).map_or(ask, |(_, file)| from_hex(file));
        let place = at.index(bytes.len());
        bytes[place] = byte;
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            if let Ok(ask) = EnrolAsk::decode(bytes) {
                prop_assert_eq!(ask.encode(), bytes);
            }
            if let Ok(answer) = EnrolAnswer::decode(bytes) {
                prop_assert_eq!(answer.encode(), bytes);
            }
        }
    }
}
