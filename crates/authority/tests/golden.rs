//! The bytes of every kind of statement of version 1, for ever: files that docs cite, computed by
//! another program than this one (its own CBOR, and another Ed25519).

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rukun_authority::{
    Charter, Closing, Decision, Drawn, Erasure, ForkProof, Grant, Kept, KeptList, Keypair, Receipt,
    Redrawing, Revocation, Role, RootSuccession, Said, Statement, Succession, Transfer, Trust,
};
use rukun_change::{
    ChangeId, Digest, EncodedFingerprint, Fingerprint, Incarnation, RecordId, StatementId, SurveyId,
};

const SURVEY_ID: &str = include_str!("../golden/v1/survey-id.txt");
const STATEMENT_ID: &str = include_str!("../golden/v1/statement-id.hex");

fn key(seed: u8) -> Keypair {
    Keypair::from_seed(&[seed; 32])
}

fn survey() -> SurveyId {
    SURVEY_ID.trim_end().parse().unwrap()
}

/// The office's grant, on which its statements rest.
fn grant() -> StatementId {
    STATEMENT_ID.trim_end().parse().unwrap()
}

fn record() -> RecordId {
    RecordId::new("1811010005000300".parse().unwrap(), [5; 8])
}

fn changes() -> Vec<ChangeId> {
    vec![ChangeId::from_bytes([0x71; 32]), ChangeId::from_bytes([0x72; 32])]
}

/// That this statement is spelled like this in the file, and signed.
fn check(statement: &Statement, survey: Option<&SurveyId>, file: &str) {
    let hex = data_encoding::HEXLOWER.encode(&statement.to_bytes());
    assert_eq!(hex, file.trim_end(), "{:?}", statement.said);
    let read = Statement::from_bytes(&statement.to_bytes()).unwrap();
    assert_eq!(read, *statement);
    assert!(read.verify(survey));
}

fn check_office(n: u64, said: Said, file: &str) {
    let survey = survey();
    let statement = Statement::sign(&key(2), Incarnation::from_bytes([0xb0; 4]), n, Some(&survey), said);
    check(&statement, Some(&survey), file);
}

fn charter(dictionary: Option<Digest>) -> Statement {
    let said = Said::Charter(Charter {
        name: "Regsosek 2022 Mesuji".into(),
        code: "regsosek-2022-1811".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: Digest::from_bytes([0x51; 32]),
        dictionary,
    });
    Statement::sign(&key(1), Incarnation::from_bytes([0xa0; 4]), 1, None, said)
}

#[test]
fn bytes_of_a_charter_and_the_text_of_its_survey_id() {
    check(&charter(None), None, include_str!("../golden/v1/charter.hex"));
    assert_eq!(Trust::found(&charter(None)).unwrap().survey().to_string(), SURVEY_ID.trim_end());
    let dictionary = Digest::from_bytes([0x52; 32]);
    check(&charter(Some(dictionary)), None, include_str!("../golden/v1/charter-with-dictionary.hex"));
}

#[test]
fn bytes_of_a_grant_and_its_id() {
    let said = Said::Grant(Grant {
        parent: StatementId::from_bytes(*survey().as_bytes()),
        subject: key(2).key(),
        role: Role::District,
        regions: vec!["1811".parse().unwrap()],
        serial: 1,
        name: "BPS Kabupaten Mesuji".into(),
    });
    let statement = Statement::sign(&key(1), Incarnation::from_bytes([0xa1; 4]), 1, Some(&survey()), said);
    check(&statement, Some(&survey()), include_str!("../golden/v1/grant.hex"));
    assert_eq!(statement.id(Some(&survey())), grant());
}

#[test]
fn bytes_of_a_revocation() {
    let said = Said::Revocation(Revocation {
        parent: grant(),
        subject: key(3).key(),
        reason: "phone stolen".into(),
        kept: vec![
            Kept { incarnation: Incarnation::from_bytes([0xc0; 4]), n_max: 300 },
            Kept { incarnation: Incarnation::from_bytes([0xc1; 4]), n_max: 12 },
        ],
        lists: vec![
            ("1811010005000300".parse().unwrap(), Digest::from_bytes([0x61; 32])),
            ("1811010005000400".parse().unwrap(), Digest::from_bytes([0x62; 32])),
        ],
        statements: vec![StatementId::from_bytes([0x75; 32])],
    });
    check_office(1, said, include_str!("../golden/v1/revocation.hex"));
}

#[test]
fn bytes_of_a_fork_proof() {
    let said = Said::ForkProof(ForkProof {
        parent: grant(),
        first: b"one change".into(),
        second: b"the other".into(),
    });
    check_office(2, said, include_str!("../golden/v1/fork-proof.hex"));
}

#[test]
fn bytes_of_a_closing() {
    let regions = ["1811010", "1811020"].map(|region| region.parse().unwrap()).into();
    let said = Said::Closing(Closing { parent: grant(), regions });
    check_office(3, said, include_str!("../golden/v1/closing.hex"));
}

#[test]
fn bytes_of_a_decision() {
    let supersedes = vec![StatementId::from_bytes([0x73; 32])];
    let (parent, sub_sls, changes) = (grant(), record().home(), changes());
    let said = Said::Decision(Decision { parent, sub_sls, upheld: true, changes, supersedes });
    check_office(4, said, include_str!("../golden/v1/decision.hex"));
}

#[test]
fn bytes_of_a_transfer() {
    let to = RecordId::new("1811020001000100".parse().unwrap(), [6; 8]);
    let said = Said::Transfer(Transfer { parent: grant(), from: record(), to });
    check_office(5, said, include_str!("../golden/v1/transfer.hex"));
}

#[test]
fn bytes_of_an_erasure() {
    let reason = "asked for by the family".into();
    let said = Said::Erasure(Erasure { parent: grant(), record: record(), reason });
    check_office(6, said, include_str!("../golden/v1/erasure.hex"));
}

#[test]
fn bytes_of_a_kept_list() {
    let revocation = StatementId::from_bytes([0x74; 32]);
    let said = Said::KeptList(KeptList { revocation, sub_sls: record().home(), changes: changes() });
    check_office(300, said, include_str!("../golden/v1/kept-list.hex"));
}

#[test]
fn bytes_of_a_receipt() {
    let fingerprint = EncodedFingerprint::from(&[[1; 32], [2; 32]].iter().collect::<Fingerprint>());
    let said = Said::Receipt(Receipt { parent: grant(), sub_sls: record().home(), fingerprint });
    check_office(65_536, said, include_str!("../golden/v1/receipt.hex"));
}

#[test]
fn bytes_of_a_succession() {
    let said = Succession::consented(grant(), &key(3), &key(2).key(), &survey());
    check_office(7, Said::Succession(said), include_str!("../golden/v1/succession.hex"));
}

#[test]
fn bytes_of_a_root_succession() {
    let survey = survey();
    let parent = StatementId::from_bytes(*survey.as_bytes());
    let kept = vec![StatementId::from_bytes([0x75; 32]), grant()];
    let said = RootSuccession::consented(parent, &key(3), kept, &key(1).key(), &survey);
    let said = Said::RootSuccession(said);
    let statement = Statement::sign(&key(1), Incarnation::from_bytes([0xa2; 4]), 1, Some(&survey), said);
    check(&statement, Some(&survey), include_str!("../golden/v1/root-succession.hex"));
}

#[test]
fn bytes_of_a_redrawing() {
    let drawn = |code: &str, name: &str| Drawn { sub_sls: code.parse().unwrap(), name: name.into() };
    let to = vec![drawn("1811010005000300", "RT 003"), drawn("1811010005001500", "RT 015 Way Puji")];
    let said = Redrawing { parent: grant(), from: vec![record().home()], to, serial: 1 };
    check_office(8, Said::Redrawing(said), include_str!("../golden/v1/redrawing.hex"));
}
