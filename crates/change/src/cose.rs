//! COSE as far as we use it (RFC 9052): a payload becomes the one byte string that Ed25519 signs.
//! The type tag keeps a signature made for one purpose from serving another.

use crate::cbor::Writer;

/// COSE header parameters: `alg` (1) and `typ` (16, RFC 9596), and EdDSA's number.
const ALG: u64 = 1;
const TYP: u64 = 16;
const EDDSA: i64 = -8;

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
