//! The file: what it holds and its one encoding. Bytes become a claim here; nothing in it is checked
//! but its spelling. A `COSE_Sign1` by the device that wrote it holds statements and changes, each a
//! `COSE_Sign1` of its own, the changes' with the payload detached: it follows from the fields beside
//! it and from the hash of the body.

use rukun_authority::{EVIDENCE_TYPE, Keypair, Statement, StatementError, vouch, vouches};
use rukun_change::cbor::{CborError, Reader, Writer};
use rukun_change::cose::{Sign1, Sign1Error};
use rukun_change::limits::{BODY_BYTES_MAX, STATEMENT_BYTES_MAX};
use rukun_change::{
    Author, CHANGE_TYPE, Change, ChangeError, DeviceKey, Incarnation, RecordId, RegionError, Signature,
    SignedChange, SurveyId, read_ink, read_seen, write_seen,
};

use crate::limits::{CHANGES_MAX, EVIDENCE_BYTES_MAX, STATEMENTS_MAX};

/// The longest `COSE_Sign1` without a payload: header, signature and what holds them.
const DETACHED_BYTES_MAX: usize = 256;

/// All that a file of evidence says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The device that wrote it.
    pub exporter: DeviceKey,
    /// When, by that device's clock, milliseconds since 1970. For showing only.
    pub time_ms: i64,
    /// The record that it is about.
    pub record: RecordId,
    /// The charter, then what bears on the record, each after what it rests on.
    pub statements: Vec<Statement>,
    /// The changes of the record, each after its causes.
    pub changes: Vec<SignedChange>,
}

/// Evidence and its exporter's signature. Nobody has checked anything yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedEvidence {
    /// What it says.
    pub evidence: Evidence,
    /// The exporter's claimed signature over all of it.
    pub signature: Signature,
}

impl Evidence {
    /// Signs all of it.
    ///
    /// # Panics
    /// If it names another exporter than the key.
    pub fn sign(self, keypair: &Keypair, survey: &SurveyId) -> SignedEvidence {
        assert_eq!(self.exporter, keypair.key(), "a device vouches for its own evidence only");
        let signature = vouch(keypair, survey, &self.to_payload());
        SignedEvidence { evidence: self, signature }
    }

    fn to_payload(&self) -> Vec<u8> {
        let mut bytes = Writer::new();
        bytes.array(5).bytes(self.exporter.as_bytes()).int(self.time_ms).bytes(&self.record.to_bytes());
        bytes.array(self.statements.len());
        for statement in &self.statements {
            bytes.bytes(&statement.to_bytes());
        }
        bytes.array(self.changes.len());
        for change in &self.changes {
            write_change(&mut bytes, change);
        }
        bytes.finish()
    }

    fn from_payload(payload: &[u8]) -> Result<Self, EvidenceError> {
        let mut reader = Reader::new(payload);
        reader.tuple(5)?;
        let exporter = DeviceKey::from_bytes(reader.array_of()?);
        let time_ms = reader.int()?;
        let record = RecordId::from_bytes(reader.array_of()?)?;
        let mut statements = Vec::new();
        for at in 1..=reader.array(STATEMENTS_MAX)? {
            let bytes = reader.bytes(STATEMENT_BYTES_MAX)?;
            let statement = Statement::from_bytes(bytes);
            statements.push(statement.map_err(|error| EvidenceError::Statement { at, error })?);
        }
        let mut changes = Vec::new();
        for at in 1..=reader.array(CHANGES_MAX)? {
            let change = read_change(&mut reader);
            changes.push(change.map_err(|error| EvidenceError::Change { at, error })?);
        }
        reader.end()?;
        Ok(Self { exporter, time_ms, record, statements, changes })
    }
}

impl SignedEvidence {
    /// Whether the exporter signed all of this in this survey.
    pub(crate) fn is_vouched_for(&self, survey: &SurveyId) -> bool {
        vouches(&self.evidence.exporter, survey, &self.evidence.to_payload(), &self.signature)
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let payload = self.evidence.to_payload();
        Sign1 { payload: Some(&payload), signature: self.signature }.to_bytes(EVIDENCE_TYPE)
    }

    /// The claim in a file.
    ///
    /// # Errors
    /// If it is not the one encoding of evidence within its limits.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EvidenceError> {
        if bytes.len() > EVIDENCE_BYTES_MAX {
            return Err(EvidenceError::TooLong { bytes: bytes.len() });
        }
        let Sign1 { payload, signature } = Sign1::from_bytes(bytes, EVIDENCE_TYPE)?;
        let payload = payload.ok_or(CborError::Unexpected("a byte string"))?;
        Ok(Self { evidence: Evidence::from_payload(payload)?, signature })
    }
}

fn write_change(to: &mut Writer, SignedChange { change, signature }: &SignedChange) {
    to.array(8).bytes(change.author.device.as_bytes()).bytes(change.author.incarnation.as_bytes());
    to.uint(change.n).bytes(&change.record.to_bytes()).uint(change.ink.number());
    write_seen(to, &change.seen);
    to.bytes(&change.body);
    to.bytes(&Sign1 { payload: None, signature: *signature }.to_bytes(CHANGE_TYPE));
}

fn read_change(from: &mut Reader<'_>) -> Result<SignedChange, ChangeError> {
    from.tuple(8)?;
    let device = DeviceKey::from_bytes(from.array_of()?);
    let incarnation = Incarnation::from_bytes(from.array_of()?);
    let n = from.uint()?;
    let record = RecordId::from_bytes(from.array_of()?)?;
    let ink = read_ink(from)?;
    let seen = read_seen(from, ink)?;
    let body = from.bytes(BODY_BYTES_MAX)?.to_vec();
    let signature = match Sign1::from_bytes(from.bytes(DETACHED_BYTES_MAX)?, CHANGE_TYPE) {
        Ok(Sign1 { payload: None, signature }) => signature,
        Ok(_) => return Err(CborError::Unexpected("a detached payload").into()),
        Err(Sign1Error::Cbor(error)) => return Err(error.into()),
        Err(Sign1Error::Header) => return Err(CborError::Unexpected("the header of a change").into()),
    };
    let author = Author { device, incarnation };
    Ok(SignedChange { change: Change { author, n, record, ink, seen, body }, signature })
}

/// Why bytes are no evidence. Statements and changes are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Over the limit of a file.
    #[error("no evidence: {bytes} bytes where at most {EVIDENCE_BYTES_MAX} are allowed")]
    TooLong {
        /// How many.
        bytes: usize,
    },
    /// Not the encoding, or over a limit.
    #[error("no evidence: {0}")]
    Cbor(#[from] CborError),
    /// Another kind of file, or one of a later version.
    #[error("no evidence: {0}")]
    Sign1(#[from] Sign1Error),
    /// A record id without a region.
    #[error("it names no record: {0}")]
    Record(#[from] RegionError),
    /// A statement that is none.
    #[error("statement {at}: {error}")]
    Statement {
        /// Which.
        at: usize,
        /// Why.
        error: StatementError,
    },
    /// A change that is none.
    #[error("change {at}: {error}")]
    Change {
        /// Which.
        at: usize,
        /// Why.
        error: ChangeError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Node, OFFICE, keypair};
    use crate::verified::VerifiedEvidence;

    const GOLDEN: &str = include_str!("../golden/v1/evidence.hex");

    fn golden() -> Vec<u8> {
        data_encoding::HEXLOWER.decode(GOLDEN.trim_end().as_bytes()).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back_and_written_the_same() {
        let file = Node::with_record().file();
        assert_eq!(SignedEvidence::from_bytes(&file).unwrap().to_bytes(), file);
    }

    #[test]
    fn evidence_of_version_1_is_read_for_ever_and_signed_the_same() {
        let signed = SignedEvidence::from_bytes(&golden()).unwrap();
        let verified = VerifiedEvidence::verify(&signed, None).unwrap();
        assert_eq!((verified.reading().log().len(), verified.statements()), (4, 5));
        let survey = *verified.trust().survey();
        let again = signed.evidence.sign(&keypair(OFFICE), &survey);
        assert_eq!(again.to_bytes(), golden());
    }

    #[test]
    fn another_file_of_ours_is_no_evidence() {
        let charter = Node::found().statements.remove(0);
        let refused = SignedEvidence::from_bytes(&charter.to_bytes());
        assert_eq!(refused, Err(EvidenceError::Sign1(Sign1Error::Header)));
        let detached = Sign1 { payload: None, signature: [0; 64] }.to_bytes(EVIDENCE_TYPE);
        assert!(matches!(SignedEvidence::from_bytes(&detached), Err(EvidenceError::Cbor(_))));
    }

    #[test]
    fn a_change_with_its_payload_beside_it_is_refused() {
        let node = Node::with_record();
        let signed = SignedEvidence::from_bytes(&node.file()).unwrap();
        let attached = Sign1 { payload: Some(b""), signature: [0; 64] }.to_bytes(CHANGE_TYPE);
        let mut bytes = Writer::new();
        write_change(&mut bytes, &signed.evidence.changes[0]);
        let mut bytes = bytes.finish();
        let detached = Sign1 { payload: None, signature: [0; 64] }.to_bytes(CHANGE_TYPE);
        assert_eq!(attached.len(), detached.len());
        let start = bytes.len() - detached.len();
        bytes[start..].copy_from_slice(&attached);
        let refused = read_change(&mut Reader::new(&bytes));
        assert_eq!(refused, Err(CborError::Unexpected("a detached payload").into()));
    }

    #[test]
    fn counts_over_the_limit_are_refused_before_anything_is_read() {
        let node = Node::with_record();
        let signed = SignedEvidence::from_bytes(&node.file()).unwrap();
        let Evidence { exporter, time_ms, record, .. } = signed.evidence;
        let mut payload = Writer::new();
        payload.array(5).bytes(exporter.as_bytes()).int(time_ms).bytes(&record.to_bytes());
        payload.array(STATEMENTS_MAX + 1);
        let bytes = Sign1 { payload: Some(&payload.finish()), signature: [0; 64] }.to_bytes(EVIDENCE_TYPE);
        let expected = CborError::TooMany { items: STATEMENTS_MAX + 1, max: STATEMENTS_MAX };
        assert_eq!(SignedEvidence::from_bytes(&bytes), Err(expected.into()));
        let long = vec![0; EVIDENCE_BYTES_MAX + 1];
        assert!(matches!(SignedEvidence::from_bytes(&long), Err(EvidenceError::TooLong { .. })));
    }
}
