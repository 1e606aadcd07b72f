//! A change without its answers: what the signature speaks of, with the hash of the Automerge change
//! in place of the change itself. It proves who did what to which record and when in its own count,
//! and tells nothing of a family. Nothing here signs or verifies.

use sha2::{Digest as _, Sha256};

use crate::cbor::{CborError, Reader, Writer};
use crate::cose::sig_structure;
use crate::ids::{Author, CauseHash, ChangeId, DeviceKey, Incarnation, RecordId, SurveyId};
use crate::ink::Ink;
use crate::limits::SEEN_MAX;

/// The length of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;
/// An Ed25519 signature.
pub type Signature = [u8; SIGNATURE_BYTES];

/// The type tag of a change: what else is signed with the same key has another.
pub const CHANGE_TYPE: &str = "application/rukun-change; v=1";

/// What the signature of a change speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Who.
    pub author: Author,
    /// The device's own running number over all its changes and statements.
    pub n: u64,
    /// Which family.
    pub record: RecordId,
    /// In which ink.
    pub ink: Ink,
    /// The hash of the Automerge change.
    pub cause: CauseHash,
    /// The heads of the lower inks that the author saw, ascending.
    pub seen: Vec<CauseHash>,
}

impl Header {
    /// The detached payload: an array of the fields, the device and its incarnation apart.
    pub fn payload(&self) -> Vec<u8> {
        let mut payload = Writer::new();
        let record = if cfg!(planted = "record-unsigned") { [0; 16] } else { self.record.to_bytes() };
        payload.array(7);
        payload.bytes(self.author.device.as_bytes()).bytes(self.author.incarnation.as_bytes());
        payload.uint(self.n).bytes(&record).uint(self.ink.number());
        payload.bytes(self.cause.as_bytes());
        write_seen(&mut payload, &self.seen);
        payload.finish()
    }

    /// The bytes that are signed: COSE's `Sig_structure` with the survey id as external data.
    pub fn to_be_signed(&self, survey: &SurveyId) -> Vec<u8> {
        let survey: &[u8] = if cfg!(planted = "survey-unsigned") { &[] } else { survey.as_bytes() };
        sig_structure(CHANGE_TYPE, survey, &self.payload())
    }

    /// The id of the change that this is of.
    pub fn id(&self, survey: &SurveyId) -> ChangeId {
        ChangeId::of(&self.to_be_signed(survey))
    }
}

/// A header that claims to be signed. Nobody has checked the signature yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeader {
    /// The header.
    pub header: Header,
    /// The claimed signature.
    pub signature: Signature,
}

impl SignedHeader {
    /// The one encoding: the payload's array, and the signature at its end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Header { author, n, record, ink, cause, seen } = &self.header;
        let mut bytes = Writer::new();
        bytes.array(8).bytes(author.device.as_bytes()).bytes(author.incarnation.as_bytes());
        bytes.uint(*n).bytes(&record.to_bytes()).uint(ink.number()).bytes(cause.as_bytes());
        write_seen(&mut bytes, seen);
        bytes.bytes(&self.signature);
        bytes.finish()
    }

    /// The claim in these bytes.
    ///
    /// # Errors
    /// If they are not the one encoding of a signed header within its limits.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ChangeError> {
        let mut reader = Reader::new(bytes);
        reader.tuple(8)?;
        let device = DeviceKey::from_bytes(reader.array_of()?);
        let author = Author { device, incarnation: Incarnation::from_bytes(reader.array_of()?) };
        let n = reader.uint()?;
        let record = RecordId::from_bytes(reader.array_of()?)?;
        let ink = read_ink(&mut reader)?;
        let cause = CauseHash::from_bytes(reader.array_of()?);
        let seen = read_seen(&mut reader, ink)?;
        let signature = reader.array_of()?;
        reader.end()?;
        Ok(Self { header: Header { author, n, record, ink, cause, seen }, signature })
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
