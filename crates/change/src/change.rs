//! A change and its signature: fields become the one byte string that is signed (COSE
//! `Sig_structure`, RFC 9052 section 4.4) and the one encoding in which it is kept. Nothing here
//! signs or verifies.

use crate::body::chunk_hash;
use crate::cbor::{Reader, Writer};
use crate::header::{ChangeError, Header, Signature, SignedHeader, read_ink, read_seen, write_seen};
use crate::ids::{Author, CauseHash, DeviceKey, Incarnation, RecordId, SurveyId};
use crate::ink::Ink;
use crate::limits::BODY_BYTES_MAX;
use crate::shape::BodyError;

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
    /// What the signature speaks of.
    ///
    /// # Errors
    /// If the body is no Automerge change chunk.
    pub fn header(&self) -> Result<Header, BodyError> {
        let Self { author, n, record, ink, seen, body } = self;
        let cause = chunk_hash(body)?;
        Ok(Header { author: *author, n: *n, record: *record, ink: *ink, cause, seen: seen.clone() })
    }

    /// The bytes that are signed.
    ///
    /// # Errors
    /// If the body is no Automerge change chunk.
    pub fn to_be_signed(&self, survey: &SurveyId) -> Result<Vec<u8>, BodyError> {
        Ok(self.header()?.to_be_signed(survey))
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

impl SignedChange {
    /// The header with the same signature.
    ///
    /// # Errors
    /// If the body is no Automerge change chunk.
    pub fn signed_header(&self) -> Result<SignedHeader, BodyError> {
        Ok(SignedHeader { header: self.change.header()?, signature: self.signature })
    }
}
