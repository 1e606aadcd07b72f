//! A survey for tests: an office, a supervisor, an enumerator, and others who have nothing to do with
//! the record that these three wrote in printed, pencil and red.

use rukun_authority::{
    AdmittedChange, Charter, Grant, Keypair, Role, Said, Standing, Statement, StatementVerdict, Trust, sign,
};
use rukun_change::{Author, Change, Digest, Incarnation, Ink, MemberId, RecordId, StatementId};
use rukun_document::{Questionnaire, Reading, Writer, edit};
use serde_json::{Value, json};

use crate::evidence::{Evidence, SignedEvidence};
use crate::export::export;

pub(crate) const ROOT: u8 = 1;
pub(crate) const OFFICE: u8 = 2;
pub(crate) const SUPERVISOR: u8 = 3;
pub(crate) const ENUMERATOR: u8 = 4;
/// An enumerator of another neighbourhood.
pub(crate) const NEIGHBOUR: u8 = 5;
/// The coordinator, who wrote nothing.
pub(crate) const COORDINATOR: u8 = 6;

/// Who grants what to whom, and with which serial.
const GRANTS: [(u8, u8, Role, &str, u64); 6] = [
    (ROOT, OFFICE, Role::District, "1811", 1),
    (OFFICE, SUPERVISOR, Role::Supervisor, "1811010005", 1),
    (OFFICE, COORDINATOR, Role::Coordinator, "1811010", 1),
    (SUPERVISOR, ENUMERATOR, Role::Enumerator, "1811010005", 1),
    (SUPERVISOR, ENUMERATOR, Role::Enumerator, "18110100050003", 2),
    (SUPERVISOR, NEIGHBOUR, Role::Enumerator, "18110100050004", 1),
];

pub(crate) fn keypair(seed: u8) -> Keypair {
    Keypair::from_seed(&[seed; 32])
}

fn incarnation(seed: u8) -> Incarnation {
    Incarnation::from_bytes([seed; 4])
}

pub(crate) fn charter(name: &str) -> Statement {
    let said = Said::Charter(Charter {
        name: name.into(),
        code: "regsosek".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: Digest::of(b"questionnaire"),
        dictionary: None,
    });
    Statement::sign(&keypair(ROOT), incarnation(ROOT), 1, None, said)
}

pub(crate) fn record(salt: u8) -> RecordId {
    RecordId::new("1811010005000300".parse().unwrap(), [salt; 8])
}

/// What a node holds.
pub(crate) struct Node {
    pub(crate) trust: Trust,
    pub(crate) statements: Vec<Statement>,
    pub(crate) held: Vec<(AdmittedChange, Standing)>,
}

impl Node {
    /// The survey with all its grants, and nothing written yet.
    pub(crate) fn found() -> Self {
        let charter = charter("Regsosek 2022");
        let trust = Trust::found(&charter).unwrap();
        let mut node = Self { trust, statements: vec![charter], held: Vec::new() };
        for (n, (issuer, subject, role, region, serial)) in (2..).zip(GRANTS) {
            let issuers = node.trust.chain(&keypair(issuer).key());
            let root = StatementId::from_bytes(*node.trust.survey().as_bytes());
            let (subject, regions) = (keypair(subject).key(), vec![region.parse().unwrap()]);
            let parent = issuers.last().copied().unwrap_or(root);
            let grant = Grant { parent, subject, role, regions, serial, name: format!("{role} {n}") };
            let survey = node.trust.survey();
            let said = Said::Grant(grant);
            let statement = Statement::sign(&keypair(issuer), incarnation(issuer), n, Some(survey), said);
            let verdict = node.trust.judge_statement(&statement);
            assert!(matches!(verdict, StatementVerdict::Admit(_)), "{verdict:?}");
            node.statements.push(statement);
        }
        node
    }

    /// The same with the record of all tests.
    pub(crate) fn with_record() -> Self {
        let mut node = Self::found();
        node.write(5, OFFICE, 2, Ink::Printed, &json!({"r108": "Siti"}));
        let member = json!({"r402": "Siti Aminah", "r407": 34});
        node.write(5, ENUMERATOR, 1, Ink::Pencil, &json!({"r304": 3, "members": {"+1": member}}));
        node.write(5, ENUMERATOR, 2, Ink::Pencil, &json!({"r108": "Siti Aminah"}));
        node.write(5, SUPERVISOR, 9, Ink::Red, &json!({"r304": 4}));
        node
    }

    pub(crate) fn write(&mut self, salt: u8, by: u8, n: u64, ink: Ink, patch: &Value) {
        let author = Author { device: keypair(by).key(), incarnation: incarnation(by) };
        let reading = Reading::read(record(salt), &self.held);
        let writer = Writer { author, ink, time_ms: 1_666_000_000_000 };
        let mut member = || MemberId::from_bytes([1; 8]);
        let draft = edit(&reading, &self.held, &questionnaire(), &writer, patch, &mut member);
        let draft = draft.unwrap().unwrap();
        let change = Change { author, n, record: record(salt), ink, seen: draft.seen, body: draft.body };
        let signed = sign(&keypair(by), change, self.trust.survey()).unwrap();
        let change = AdmittedChange::recall(&signed.to_bytes(), self.trust.survey()).unwrap();
        self.held.push((change, Standing::Good));
    }

    pub(crate) fn reading(&self) -> Reading {
        Reading::read(record(5), &self.held)
    }

    /// The evidence that the office writes.
    pub(crate) fn file(&self) -> Vec<u8> {
        let (trust, statements) = (&self.trust, &self.statements);
        let time_ms = 1_668_000_000_000;
        export(&keypair(OFFICE), time_ms, trust, statements, &self.held, &self.reading()).unwrap()
    }

    pub(crate) fn evidence(&self) -> Evidence {
        SignedEvidence::from_bytes(&self.file()).unwrap().evidence
    }
}

fn questionnaire() -> Questionnaire {
    Questionnaire::parse(
        b"variable,block,level,label_id,label_en,kind,min,max,required_when
r108,I,family,Nama kepala keluarga,Name of family head,text,,,always
r304,III,family,Jenis dinding terluas,Wall material,integer,1,7,always
r402,IV,member,Nama,Name,text,,,always
r407,IV,member,Umur,Age,integer,0,98,always
",
    )
    .unwrap()
}
