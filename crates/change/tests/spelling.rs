//! A signed change has one spelling: every other string of bytes near it is refused without a
//! panic, or is another change, whose signature does not hold.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use ed25519_dalek::{Signature, VerifyingKey};
use proptest::prelude::*;
use rukun_change::cbor::{CborError, Writer};
use rukun_change::limits::{BODY_BYTES_MAX, CHANGE_BYTES_MAX, SEEN_MAX};
use rukun_change::{CauseHash, Change, ChangeError, Ink, SignedChange, SurveyId};

const SURVEY: SurveyId = SurveyId::from_bytes([0x11; 32]);
const SIGNED: &str = include_str!("../golden/v1/signed-change.hex");

fn golden() -> Vec<u8> {
    data_encoding::HEXLOWER.decode(SIGNED.trim_end().as_bytes()).unwrap()
}

fn holds(signed: &SignedChange) -> bool {
    let Ok(message) = signed.change.to_be_signed(&SURVEY) else { return false };
    let key = VerifyingKey::from_bytes(signed.change.author.device.as_bytes());
    key.is_ok_and(|key| key.verify_strict(&message, &Signature::from_bytes(&signed.signature)).is_ok())
}

#[test]
fn a_flipped_bit_is_refused_or_breaks_the_signature() {
    let golden = golden();
    assert!(holds(&SignedChange::from_bytes(&golden).unwrap()));
    for at in 0..8 * golden.len() {
        let mut flipped = golden.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        if let Ok(other) = SignedChange::from_bytes(&flipped) {
            assert_eq!(other.to_bytes(), flipped, "bit {at}");
            assert!(!holds(&other), "bit {at}");
        }
    }
}

#[test]
fn a_cut_and_more_behind_it_are_refused() {
    let golden = golden();
    for end in 0..golden.len() {
        assert!(SignedChange::from_bytes(&golden[..end]).is_err());
    }
    let longer = [&golden[..], &[0]].concat();
    assert_eq!(SignedChange::from_bytes(&longer), Err(ChangeError::Cbor(CborError::Leftover { bytes: 1 })));
}

#[test]
fn heads_seen_have_one_order_and_belong_to_high_inks() {
    let good = SignedChange::from_bytes(&golden()).unwrap();
    let read = |ink, seen: &[u8]| {
        let seen = seen.iter().map(|byte| CauseHash::from_bytes([*byte; 32])).collect();
        let change = Change { ink, seen, ..good.change.clone() };
        SignedChange::from_bytes(&SignedChange { change, signature: good.signature }.to_bytes()).map(|_| ())
    };
    for ink in Ink::ALL {
        let low = Err(ChangeError::SeenInLowInk { ink });
        assert_eq!(read(ink, &[1, 2]), if ink < Ink::Red { low } else { Ok(()) });
        assert_eq!(read(ink, &[]), Ok(()));
    }
    assert_eq!(read(Ink::Red, &[2, 1]), Err(ChangeError::SeenOutOfOrder));
    assert_eq!(read(Ink::Red, &[1, 1]), Err(ChangeError::SeenOutOfOrder));
    let most: Vec<u8> = (0..=SEEN_MAX as u8).collect();
    assert_eq!(read(Ink::Black, &most[1..]), Ok(()));
    assert!(matches!(read(Ink::Black, &most), Err(ChangeError::Cbor(CborError::TooMany { .. }))));
}

#[test]
fn the_longest_change_keeps_the_limit_and_a_longer_body_is_refused() {
    let mut longest = SignedChange::from_bytes(&golden()).unwrap();
    longest.change.n = u64::MAX;
    longest.change.ink = Ink::Black;
    longest.change.seen = (0..SEEN_MAX as u8).map(|byte| CauseHash::from_bytes([byte; 32])).collect();
    longest.change.body = vec![0; BODY_BYTES_MAX];
    assert!(longest.to_bytes().len() <= CHANGE_BYTES_MAX);
    assert_eq!(SignedChange::from_bytes(&longest.to_bytes()), Ok(longest.clone()));
    longest.change.body.push(0);
    assert!(matches!(
        SignedChange::from_bytes(&longest.to_bytes()),
        Err(ChangeError::Cbor(CborError::TooMany { .. }))
    ));
}

#[test]
fn an_ink_and_a_region_that_there_are_not_are_refused() {
    let spelled = |home: u8, ink: u64| {
        let mut bytes = Writer::new();
        bytes.array(8).bytes(&[1; 32]).bytes(&[2; 4]).uint(1);
        bytes.bytes(&[[home; 8], [0; 8]].concat()).uint(ink).array(0).bytes(&[]).bytes(&[0; 64]);
        SignedChange::from_bytes(&bytes.finish()).map(|_| ())
    };
    assert_eq!(spelled(0x18, 4), Ok(()));
    assert_eq!(spelled(0x18, 5), Err(ChangeError::Ink { number: 5 }));
    assert!(matches!(spelled(0x1a, 4), Err(ChangeError::Region(_))));
}

proptest! {
    #[test]
    fn what_can_be_read_has_one_spelling(
        at in 0..500_usize,
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut spelled = golden();
        let at = at.min(spelled.len());
        let end = (at + bytes.len()).min(spelled.len());
        spelled.splice(at..end, bytes);
        if let Ok(read) = SignedChange::from_bytes(&spelled) {
            prop_assert_eq!(read.to_bytes(), spelled);
        }
    }
}
