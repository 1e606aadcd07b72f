//! COSE as far as we use it (RFC 9052): a payload becomes the one byte string that Ed25519 signs, and
//! with the signature a `COSE_Sign1`. The type tag keeps a signature made for one purpose from serving
//! another.

use crate::cbor::{CborError, Reader, Writer};

/// COSE header parameters: `alg` (1) and `typ` (16, RFC 9596), and EdDSA's number.
const ALG: u64 = 1;
const TYP: u64 = 16;
const EDDSA: i64 = -8;
/// The tag of `COSE_Sign1`.
const COSE_SIGN1: u64 = 18;
/// The longest protected header that is looked at.
const HEADER_BYTES_MAX: usize = 128;

/// COSE `Sig_structure` for `COSE_Sign1` with EdDSA and a type tag, both protected.
pub fn sig_structure(typ: &str, external: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = Writer::new();
    bytes.array(4).text("Signature1").bytes(&protected_header(typ)).bytes(external).bytes(payload);
    bytes.finish()
}

/// The protected header that names EdDSA and the type.
pub fn protected_header(typ: &str) -> Vec<u8> {
    Writer::new().map(2).uint(ALG).int(EDDSA).uint(TYP).text(typ).finish()
}

/// A tagged `COSE_Sign1` of ours. Nobody has checked the signature yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sign1<'a> {
    /// What is signed; nothing where it is detached: whoever checks it knows it otherwise.
    pub payload: Option<&'a [u8]>,
    /// The claimed signature.
    pub signature: [u8; 64],
}

impl<'a> Sign1<'a> {
    /// Its bytes, under this type.
    pub fn to_bytes(&self, typ: &str) -> Vec<u8> {
        let mut bytes = Writer::new();
        bytes.tag(COSE_SIGN1).array(4).bytes(&protected_header(typ)).map(0);
        match self.payload {
            Some(payload) => bytes.bytes(payload),
            None => bytes.null(),
        };
        bytes.bytes(&self.signature).finish()
    }

    /// The claim in these bytes.
    ///
    /// # Errors
    /// If they are no `COSE_Sign1` of this type.
    pub fn from_bytes(bytes: &'a [u8], typ: &str) -> Result<Self, Sign1Error> {
        let mut reader = Reader::new(bytes);
        reader.tag(COSE_SIGN1)?;
        reader.tuple(4)?;
        if reader.bytes(HEADER_BYTES_MAX)? != protected_header(typ) {
            return Err(Sign1Error::Header);
        }
        reader.map(0)?;
        let payload = if reader.null() { None } else { Some(reader.bytes(bytes.len())?) };
        let signature = reader.array_of()?;
        reader.end()?;
        Ok(Self { payload, signature })
    }
}

/// Why bytes are no `COSE_Sign1` of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Sign1Error {
    /// Not the encoding.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// Another algorithm, type or version.
    #[error("another header than version 1 of this program signs")]
    Header,
}
