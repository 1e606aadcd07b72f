//! A change and its signature: fields become the one byte string that is signed (COSE
//! `Sig_structure`, RFC 9052 section 4.4) and the one encoding in which it is kept. Nothing here
//! signs or verifies.

use sha2::{Digest as _, Sha256};

use crate::body::chunk_hash;
use crate::cbor::{CborError, Reader, Writer};
use crate::cose::sig_structure;
use crate::ids::{Author, CauseHash, ChangeId, DeviceKey, Incarnation, RecordId, SurveyId};
use crate::ink::Ink;
use crate::limits::{BODY_BYTES_MAX, SEEN_MAX};
use crate::shape::BodyError;

/// The length of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;
/// An Ed25519 signature.
pub type Signature = [u8; SIGNATURE_BYTES];

/// The type tag of a change: what else is signed with the same key has another.
pub const CHANGE_TYPE: &str = "application/rukun-change; v=1";

/// What one device did to one record in one ink, in one save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Who.
    pub author: Author,
    /// The device's own running number over all its changes and statements.
    pub n: u64,
    /// Which family.
    pub record: RecordId,
    /// In which ink.
    pub ink: Ink,
    /// The heads of the lower inks that the author saw, ascending; empty for printed and pencil.
    pub seen: Vec<CauseHash>,
    /// The Automerge change: one uncompressed chunk.
    pub body: Vec<u8>,
}

impl Change {
    /// The bytes that are signed: COSE's `Sig_structure` with the survey id as external data.
    ///
    /// # Errors
    /// If the body is no Automerge change chunk.
    pub fn to_be_signed(&self, survey: &SurveyId) -> Result<Vec<u8>, BodyError> {
        let survey: &[u8] = if cfg!(planted = "survey-unsigned") { &[] } else { survey.as_bytes() };
        Ok(sig_structure(CHANGE_TYPE, survey, &self.payload(&chunk_hash(&self.body)?)))
    }

    /// The detached payload: what the signature speaks of.
    pub fn payload(&self, cause: &CauseHash) -> Vec<u8> {
        let mut payload = Writer::new();
        let record = if cfg!(planted = "record-unsigned") { [0; 16] } else { self.record.to_bytes() };
        payload.array(7);
        payload.bytes(self.author.device.as_bytes()).bytes(self.author.incarnation.as_bytes());
        payload.uint(self.n).bytes(&record).uint(self.ink.number());
        payload.bytes(cause.as_bytes()).array(self.seen.len());
        for head in &self.seen {
            payload.bytes(head.as_bytes());
        }
        payload.finish()
    }
}

/// A change that claims to be signed. Nobody has checked the signature yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedChange {
    /// The change.
    pub change: Change,
    /// The claimed signature.
    pub signature: Signature,
}

impl SignedChange {
    /// The one encoding, as it is kept on disk and exported.
    pub fn to_bytes(&self) -> Vec<u8> {
        let change = &self.change;
        let mut bytes = Writer::new();
        bytes.array(8);
        bytes.bytes(change.author.device.as_bytes()).bytes(change.author.incarnation.as_bytes());
        bytes.uint(change.n).bytes(&change.record.to_bytes()).uint(change.ink.number());
        write_seen(&mut bytes, &change.seen);
        bytes.bytes(&change.body).bytes(&self.signature);
        bytes.finish()
    }

    /// The claim in these bytes.
    ///
    /// # Errors
    /// If they are not the one encoding of a signed change within its limits.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ChangeError> {
        let mut reader = Reader::new(bytes);
        reader.tuple(8)?;
        let device = DeviceKey::from_bytes(reader.array_of()?);
        let incarnation = Incarnation::from_bytes(reader.array_of()?);
        let n = reader.uint()?;
        let record = RecordId::from_bytes(reader.array_of()?)?;
        let ink = read_ink(&mut reader)?;
        let seen = read_seen(&mut reader, ink)?;
        let body = reader.bytes(BODY_BYTES_MAX)?.to_vec();
        let signature = reader.array_of()?;
        reader.end()?;
        let author = Author { device, incarnation };
        Ok(Self { change: Change { author, n, record, ink, seen, body }, signature })
    }
}

impl ChangeId {
    /// The id of the change whose signed bytes these are.
    pub fn of(to_be_signed: &[u8]) -> Self {
        Self::from_bytes(Sha256::digest(to_be_signed).into())
    }
}

/// Writes the heads that a change saw.
pub fn write_seen(bytes: &mut Writer, seen: &[CauseHash]) {
    bytes.array(seen.len());
    for head in seen {
        bytes.bytes(head.as_bytes());
    }
}

/// Reads the heads that a change saw: ascending, none twice, none for inks that name none.
///
/// # Errors
/// If they are anything else.
pub fn read_seen(reader: &mut Reader<'_>, ink: Ink) -> Result<Vec<CauseHash>, ChangeError> {
    let count = reader.array(SEEN_MAX)?;
    let mut seen = Vec::with_capacity(count);
    for _ in 0..count {
        seen.push(CauseHash::from_bytes(reader.array_of()?));
    }
    if !seen.is_sorted_by(|before, after| before < after) {
        return Err(ChangeError::SeenOutOfOrder);
    }
    if !seen.is_empty() && !ink.names_seen() {
        return Err(ChangeError::SeenInLowInk { ink });
    }
    Ok(seen)
}

/// Reads an ink's number.
///
/// # Errors
/// If it stands for none.
pub fn read_ink(reader: &mut Reader<'_>) -> Result<Ink, ChangeError> {
    let number = reader.uint()?;
    Ink::from_number(number).ok_or(ChangeError::Ink { number })
}

/// Why bytes are no signed change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Not the encoding, or over a limit.
    #[error("signed change is malformed: {0}")]
    Cbor(#[from] CborError),
    /// A record id without a region.
    #[error("signed change names no record: {0}")]
    Region(#[from] crate::RegionError),
    /// An ink that there is not.
    #[error("signed change is in ink {number}, which there is not")]
    Ink {
        /// The number it names.
        number: u64,
    },
    /// Heads seen that are not ascending.
    #[error("signed change names the heads it saw out of order or twice")]
    SeenOutOfOrder,
    /// Heads seen in an ink that names none.
    #[error("signed change in {ink} names heads it saw, which that ink never does")]
    SeenInLowInk {
        /// The ink.
        ink: Ink,
    },
}
