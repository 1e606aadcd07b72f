//! The bytes of version 1, for ever: files that docs cite, computed by another program than this
//! one (its own CBOR, Ristretto and base32, and another Ed25519).

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use automerge::AutoCommit;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use rukun_change::cose::{protected_header, sig_structure};
use rukun_change::{
    Author, Body, CauseHash, Change, ChangeId, DeviceKey, Fingerprint, Incarnation, Ink, MapRef, MemberId,
    RecordId, Scalar, SignedChange, SurveyId,
};

const SURVEY: SurveyId = SurveyId::from_bytes([0x11; 32]);
const SIGNED: &str = include_str!("../golden/v1/signed-change.hex");
const SIG_STRUCTURE: &str = include_str!("../golden/v1/sig-structure.hex");
const CHANGE_ID: &str = include_str!("../golden/v1/change-id.hex");
const ACTOR_ID: &str = include_str!("../golden/v1/actor-id.hex");
const RECORD_ID: &str = include_str!("../golden/v1/record-id.hex");
const DEVICE_ID: &str = include_str!("../golden/v1/device-id.txt");
const FINGERPRINT: &str = include_str!("../golden/v1/fingerprint.hex");

fn from_hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.trim_end().as_bytes()).unwrap()
}

fn to_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[0x42; 32])
}

/// The change of the files, made from its fields; only the chunk is the file's.
fn signed_change() -> SignedChange {
    let body = SignedChange::from_bytes(&from_hex(SIGNED)).unwrap().change.body;
    let author = Author {
        device: DeviceKey::from_bytes(key().verifying_key().to_bytes()),
        incarnation: Incarnation::from_bytes([0xa0, 0xa1, 0xa2, 0xa3]),
    };
    let record = RecordId::new("1811010005000300".parse().unwrap(), [5; 8]);
    let seen = vec![CauseHash::from_bytes([0x71; 32]), CauseHash::from_bytes([0x72; 32])];
    let change = Change { author, n: 301, record, ink: Ink::Red, seen, body };
    let signature = key().sign(&change.to_be_signed(&SURVEY).unwrap()).to_bytes();
    SignedChange { change, signature }
}

#[test]
fn bytes_of_a_signed_change() {
    let signed = signed_change();
    assert_eq!(to_hex(&signed.to_bytes()), SIGNED.trim_end());
    assert_eq!(SignedChange::from_bytes(&from_hex(SIGNED)), Ok(signed));
}

#[test]
fn bytes_that_are_signed_and_their_hash() {
    let SignedChange { change, signature } = SignedChange::from_bytes(&from_hex(SIGNED)).unwrap();
    let message = change.to_be_signed(&SURVEY).unwrap();
    assert_eq!(to_hex(&message), SIG_STRUCTURE.trim_end());
    assert_eq!(ChangeId::of(&message).to_string(), CHANGE_ID.trim_end());
    let key = VerifyingKey::from_bytes(change.author.device.as_bytes()).unwrap();
    key.verify_strict(&message, &Signature::from_bytes(&signature)).unwrap();
    assert!(
        key.verify_strict(
            &change.to_be_signed(&SurveyId::from_bytes([0x12; 32])).unwrap(),
            &Signature::from_bytes(&signature)
        )
        .is_err()
    );
}

#[test]
fn the_chunk_means_what_it_says() {
    let body = Body::decode(&signed_change().change.body).unwrap();
    assert_eq!(
        body.hash.to_string(),
        "f9477aa71730194eef338eba3a8eda85759bc60b02c5b60546d1881c173351a9".to_string()
    );
    assert_eq!(body.actor.to_string(), ACTOR_ID.trim_end());
    assert_eq!((body.deps.len(), body.seq, body.start_op), (0, 1, 1));
    assert_eq!((body.time_ms, body.message.as_str()), (1_668_000_000_000, "resolve"));
    let [map] = body.maps[..] else { panic!("{:?}", body.maps) };
    assert_eq!((map.op.counter, map.member), (4, "m:0102030405060708".parse::<MemberId>().unwrap()));
    let writes: Vec<_> =
        body.writes.iter().map(|write| (write.map, write.field.as_str(), write.value.clone())).collect();
    let text = |text: &str| Scalar::Text(text.into());
    let made = MapRef::Made(map.op);
    let expected = [
        (MapRef::Root, "r108", text("SITI AMINAH")),
        (MapRef::Root, "r112", Scalar::Int(1)),
        (MapRef::Root, "r114", Scalar::Null),
        (made, "r402", text("BUDI")),
        (made, "r407", Scalar::Int(41)),
    ];
    assert_eq!(writes, expected);
}

#[test]
fn automerge_still_writes_the_chunk_that_it_once_wrote() {
    // It keeps operations, not chunks: were they written otherwise, their causes would be lost.
    let chunk = signed_change().change.body;
    let mut doc = AutoCommit::new();
    doc.apply_changes([automerge::Change::from_bytes(chunk.clone()).unwrap()]).unwrap();
    let mut doc = AutoCommit::load(&doc.save()).unwrap();
    let changes = doc.get_changes(&[]);
    assert_eq!(changes.iter().map(|change| change.raw_bytes().to_vec()).collect::<Vec<_>>(), [chunk]);
}

#[test]
fn bytes_of_a_record_and_text_of_a_device() {
    let signed = signed_change();
    let Change { author, record, .. } = signed.change;
    assert_eq!(to_hex(&record.to_bytes()), RECORD_ID.trim_end());
    assert_eq!(author.device.to_string(), DEVICE_ID.trim_end());
    assert_eq!(author.actor().to_string(), ACTOR_ID.trim_end());
}

#[test]
fn bytes_of_a_fingerprint_of_two_ids() {
    let both: Fingerprint = [[1; 32], [2; 32]].iter().collect();
    assert_eq!(to_hex(&both.to_bytes()), FINGERPRINT.trim_end());
}

#[test]
fn bytes_of_the_protected_headers() {
    let header = "a2012710781d6170706c69636174696f6e2f72756b756e2d6368616e67653b20763d31";
    assert_eq!(to_hex(&protected_header("application/rukun-change; v=1")), header);
    let structure = sig_structure("application/rukun-change; v=1", b"e", b"p");
    assert_eq!(to_hex(&structure), format!("846a5369676e6174757265315823{header}41654170"));
}
