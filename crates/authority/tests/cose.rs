//! What is signed here can be checked by programs that are not ours: `coset` reads it, takes it
//! for `COSE_Sign1`, and builds the same bytes for Ed25519.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use coset::{CborSerializable as _, CoseSign1, CoseSign1Builder, Label, TaggedCborSerializable as _, iana};
use ed25519_dalek::{Signature, VerifyingKey};
use rukun_authority::{Charter, Keypair, Said, Statement, Trust, VerifiedChange};
use rukun_change::cose::protected_header;
use rukun_change::{Digest, Incarnation, SignedChange, SurveyId};

const STATEMENTS: [&str; 10] = [
    include_str!("../golden/v1/grant.hex"),
    include_str!("../golden/v1/revocation.hex"),
    include_str!("../golden/v1/fork-proof.hex"),
    include_str!("../golden/v1/closing.hex"),
    include_str!("../golden/v1/decision.hex"),
    include_str!("../golden/v1/transfer.hex"),
    include_str!("../golden/v1/erasure.hex"),
    include_str!("../golden/v1/kept-list.hex"),
    include_str!("../golden/v1/receipt.hex"),
    include_str!("../golden/v1/charter.hex"),
];
const SIGNED_CHANGE: &str = include_str!("../../change/golden/v1/signed-change.hex");

fn from_hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.trim_end().as_bytes()).unwrap()
}

/// The type tag that a message carries among its protected headers.
fn typ(message: &CoseSign1) -> String {
    let header = &message.protected.header;
    assert_eq!(header.alg, Some(coset::Algorithm::Assigned(iana::Algorithm::EdDSA)));
    let (_, typ) = header.rest.iter().find(|(label, _)| *label == Label::Int(16)).unwrap();
    typ.as_text().unwrap().to_string()
}

fn ed25519(key: &[u8; 32]) -> impl FnOnce(&[u8], &[u8]) -> Result<(), ed25519_dalek::SignatureError> {
    move |signature, message| {
        VerifyingKey::from_bytes(key)?.verify_strict(message, &Signature::from_slice(signature)?)
    }
}

#[test]
fn any_cose_library_checks_a_statement() {
    let survey: SurveyId = include_str!("../golden/v1/survey-id.txt").trim_end().parse().unwrap();
    for hex in STATEMENTS {
        let ours = Statement::from_bytes(&from_hex(hex)).unwrap();
        let external = if matches!(ours.said, Said::Charter(_)) { &[][..] } else { survey.as_bytes() };
        let theirs = CoseSign1::from_tagged_slice(&from_hex(hex)).unwrap();
        assert_eq!(typ(&theirs), "application/rukun-statement; v=1");
        let key = ours.issuer.device;
        theirs.verify_signature(external, ed25519(key.as_bytes())).unwrap();
        assert!(theirs.verify_signature(b"another survey", ed25519(key.as_bytes())).is_err());
        assert_eq!(theirs.to_tagged_vec().unwrap(), from_hex(hex));
    }
}

#[test]
fn any_cose_library_checks_an_exported_change() {
    let survey = SurveyId::from_bytes([0x11; 32]);
    let SignedChange { change, signature } = SignedChange::from_bytes(&from_hex(SIGNED_CHANGE)).unwrap();
    let payload = change.header().unwrap().payload();
    let protected = protected_header("application/rukun-change; v=1");
    let exported = CoseSign1Builder::new().signature(signature.to_vec()).build();
    let exported = CoseSign1 {
        protected: coset::ProtectedHeader::from_cbor_bstr(coset::cbor::Value::Bytes(protected)).unwrap(),
        ..exported
    };
    let read = CoseSign1::from_slice(&exported.to_vec().unwrap()).unwrap();
    assert_eq!(typ(&read), "application/rukun-change; v=1");
    let key = change.author.device;
    read.verify_detached_signature(&payload, survey.as_bytes(), ed25519(key.as_bytes())).unwrap();
    assert_eq!(read.tbs_detached_data(&payload, survey.as_bytes()), change.to_be_signed(&survey).unwrap());
    assert!(read.verify_detached_signature(&payload, &[0x12; 32], ed25519(key.as_bytes())).is_err());
    let signed = SignedChange { change, signature };
    assert!(VerifiedChange::verify(signed, &survey).is_ok());
}

#[test]
fn what_another_cose_library_signs_founds_a_survey() {
    let root = Keypair::from_seed(&[9; 32]);
    let charter = Charter {
        name: "Regsosek".into(),
        code: "regsosek".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: Digest::of(b"questionnaire"),
        dictionary: None,
    };
    let ours = Statement::sign(&root, Incarnation::from_bytes([1; 4]), 1, None, Said::Charter(charter));
    let payload = CoseSign1::from_tagged_slice(&ours.to_bytes()).unwrap().payload.unwrap();
    let header = coset::HeaderBuilder::new()
        .algorithm(iana::Algorithm::EdDSA)
        .value(16, coset::cbor::Value::Text("application/rukun-statement; v=1".into()));
    let signer = ed25519_dalek::SigningKey::from_bytes(root.seed());
    let theirs = CoseSign1Builder::new()
        .protected(header.build())
        .payload(payload)
        .create_signature(&[], |message| ed25519_dalek::Signer::sign(&signer, message).to_bytes().into())
        .build();
    let bytes = theirs.to_tagged_vec().unwrap();
    assert_eq!(bytes, ours.to_bytes());
    assert!(Trust::found(&Statement::from_bytes(&bytes).unwrap()).is_ok());
}
