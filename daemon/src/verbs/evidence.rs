//! Evidence, told: what a node gives out of a record, and what a verified file says.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use rukun_change::{Ink, Moment};
use rukun_evidence::{SignedEvidence, VerifiedEvidence};
use rukun_replica::Replica;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::VerbError;
use super::provenance::log_of;
use super::shape::{BlameLine, GrantShape, LogLine, MemberShape, Who};
use super::teller::{Teller, head_name, members, rfc3339};

/// The answer to `evidence`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceShape {
    /// The record.
    pub record: String,
    /// The survey, by whose id others check it.
    pub survey: String,
    /// How many statements bear on it, the charter among them.
    pub statements: usize,
    /// How many changes it has.
    pub changes: usize,
    /// The file, in base64.
    pub evidence: String,
}

/// What a verified file says: the answer of `rukun evidence verify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofShape {
    /// The record.
    pub record: String,
    /// The head's name.
    pub name: String,
    /// The survey's id, as the file's charter has it.
    pub survey: String,
    /// The survey's name, as the charter says it.
    pub survey_name: String,
    /// The survey's code.
    pub survey_code: String,
    /// Whether that id was asked for. If not, the file proves only what it says of itself.
    pub survey_given: bool,
    /// Who wrote the file and vouches that nothing was left out.
    pub exporter: Who,
    /// When, by that device's clock, RFC 3339.
    pub time: String,
    /// The same in milliseconds since 1970.
    pub time_ms: i64,
    /// How many statements it holds, the charter among them.
    pub statements: usize,
    /// Its changes, causes first.
    pub changes: Vec<ProofLine>,
    /// Why the record is gone, if so.
    pub gone: Option<String>,
    /// Its members.
    pub members: Vec<MemberShape>,
    /// The answers that every node reads that holds the same, as a merge patch would write them.
    pub answers: Value,
    /// The same with where they come from.
    pub fields: Vec<BlameLine>,
}

/// A change, and by whose grants it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofLine {
    /// The change.
    #[serde(flatten)]
    pub line: LogLine,
    /// The grants that came down to its author, the root's first.
    pub granted: Vec<GrantShape>,
}

pub(super) fn evidence(replica: &Replica, now: Moment, record: &str) -> Result<EvidenceShape, VerbError> {
    let record = replica.find_record(record)?;
    let bytes = replica.evidence(now, &record)?;
    let signed = SignedEvidence::from_bytes(&bytes)
        .map_err(|error| VerbError::new(error, "please report this").with_status(500))?;
    Ok(EvidenceShape {
        record: record.to_string(),
        survey: replica.survey().map(|survey| survey.to_string()).unwrap_or_default(),
        statements: signed.evidence.statements.len(),
        changes: signed.evidence.changes.len(),
        evidence: BASE64.encode(&bytes),
    })
}

impl ProofShape {
    /// What a verified file says. `survey_given` tells whether it was held against a survey's id.
    pub fn of(verified: &VerifiedEvidence, survey_given: bool) -> Self {
        let (trust, reading) = (verified.trust(), verified.reading());
        let teller = Teller::of_trust(trust);
        let path = |device, ink| -> Vec<GrantShape> {
            verified.path(device, ink).into_iter().map(|grant| teller.grant(grant)).collect()
        };
        let logged = reading.log().iter();
        let mut paths: BTreeMap<String, Vec<GrantShape>> = logged
            .map(|logged| (logged.change.to_string(), path(&logged.author.device, logged.ink)))
            .collect();
        let line = |line: LogLine| {
            let granted = paths.remove(&line.change).unwrap_or_default();
            ProofLine { line, granted }
        };
        let exporters = path(verified.exporter(), Ink::Printed).pop();
        Self {
            record: reading.id().to_string(),
            name: head_name(reading),
            survey: trust.survey().to_string(),
            survey_name: trust.charter().name.clone(),
            survey_code: trust.charter().code.clone(),
            survey_given,
            exporter: Who {
                author: trust.name_of(verified.exporter()).unwrap_or_default().into(),
                role: exporters.map(|grant| grant.role),
                device: verified.exporter().to_string(),
            },
            time: rfc3339(verified.time_ms()),
            time_ms: verified.time_ms(),
            statements: verified.statements(),
            changes: log_of(&teller, reading).changes.into_iter().map(line).collect(),
            gone: reading.gone().map(String::from),
            members: members(reading),
            answers: reading.to_json(),
            fields: teller.blame(reading),
        }
    }
}
