//! The fingerprint of a set of ids: a count and the sum of the ids, each hashed to a point of
//! Ristretto255 (RFC 9496). Sets in any order give the same sum, sums of disjoint sets add, and
//! finding two sets with one sum is as hard as discrete logarithms (Bellare and Micciancio 1997,
//! over an elliptic curve: Maitin-Shepard et al. 2016). XOR would be forgeable by linear algebra.

use std::fmt;
use std::ops::AddAssign;

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::traits::Identity;
use data_encoding::HEXLOWER;

use crate::point::point;

/// How many ids a set has, and their collision-resistant sum.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    count: u64,
    sum: RistrettoPoint,
}

impl Fingerprint {
    /// The bytes of an encoded fingerprint: count (8, big-endian), then the sum (32).
    pub const BYTES: usize = 40;

    /// How many ids the set has.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Puts an id into the set. The caller sees to it that it was not in it before.
    pub fn insert(&mut self, id: &[u8; 32]) {
        self.count += 1;
        if !cfg!(planted = "fingerprint-counts-only") {
            self.sum += point(id);
        }
    }

    /// Takes an id out of the set. The caller sees to it that it was in it before.
    pub fn remove(&mut self, id: &[u8; 32]) {
        self.count -= 1;
        if !cfg!(planted = "fingerprint-counts-only") {
            self.sum -= point(id);
        }
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (count, sum) = bytes.split_at_mut(8);
        count.copy_from_slice(&self.count.to_be_bytes());
        sum.copy_from_slice(self.sum.compress().as_bytes());
        bytes
    }

    /// The fingerprint in these bytes.
    ///
    /// # Errors
    /// If the sum is no point.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Result<Self, FingerprintError> {
        let (count, sum) = bytes.split_first_chunk::<8>().expect("40 bytes hold 8");
        let sum = CompressedRistretto::from_slice(sum).ok().and_then(|sum| sum.decompress());
        Ok(Self { count: u64::from_be_bytes(*count), sum: sum.ok_or(FingerprintError)? })
    }
}

/// A fingerprint as a receipt carries it. Finding the point costs as much as a signature, and most
/// receipts are only handed on or compared by count, so it is looked for where the set is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EncodedFingerprint([u8; Fingerprint::BYTES]);

impl EncodedFingerprint {
    /// These bytes, whether they hold a point or not.
    pub const fn from_bytes(bytes: [u8; Fingerprint::BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Fingerprint::BYTES] {
        &self.0
    }

    /// How many ids the set is said to have.
    pub fn count(&self) -> u64 {
        let (count, _) = self.0.split_first_chunk::<8>().expect("40 bytes hold 8");
        u64::from_be_bytes(*count)
    }

    /// The fingerprint.
    ///
    /// # Errors
    /// If the sum is no point.
    pub fn decode(&self) -> Result<Fingerprint, FingerprintError> {
        Fingerprint::from_bytes(&self.0)
    }
}

impl From<&Fingerprint> for EncodedFingerprint {
    fn from(fingerprint: &Fingerprint) -> Self {
        Self(fingerprint.to_bytes())
    }
}

impl fmt::Debug for EncodedFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodedFingerprint({:.20})", HEXLOWER.encode(&self.0))
    }
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self { count: 0, sum: RistrettoPoint::identity() }
    }
}

impl AddAssign for Fingerprint {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
    }
}

impl<'a> FromIterator<&'a [u8; 32]> for Fingerprint {
    fn from_iter<I: IntoIterator<Item = &'a [u8; 32]>>(ids: I) -> Self {
        let mut fingerprint = Self::default();
        for id in ids {
            fingerprint.insert(id);
        }
        fingerprint
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}:{}", self.count, HEXLOWER.encode(self.sum.compress().as_bytes())))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({:.20})", self.to_string())
    }
}

/// Bytes that are no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("fingerprint holds no point of Ristretto255")]
pub struct FingerprintError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_disjoint_sets_add() {
        let ids: Vec<[u8; 32]> = (0..9).map(|byte| [byte; 32]).collect();
        let all: Fingerprint = ids.iter().collect();
        assert_eq!(all, ids.iter().rev().collect());
        let (left, right) = ids.split_at(4);
        let mut sum: Fingerprint = left.iter().collect();
        sum += right.iter().collect();
        assert_eq!(sum, all);
        assert_eq!(Fingerprint::from_bytes(&all.to_bytes()), Ok(all));
        let encoded = EncodedFingerprint::from(&all);
        assert_eq!((encoded.count(), encoded.decode()), (9, Ok(all)));
    }

    #[test]
    fn what_is_taken_out_leaves_the_sum_of_the_rest() {
        let ids: Vec<[u8; 32]> = (0..3).map(|byte| [byte; 32]).collect();
        let mut all: Fingerprint = ids.iter().collect();
        all.remove(&ids[1]);
        assert_eq!(all, [ids[2], ids[0]].iter().collect());
    }

    #[test]
    fn what_cancels_under_xor_does_not_cancel_here() {
        let twice: Fingerprint = [[7; 32], [7; 32]].iter().collect();
        assert_ne!(twice.sum, Fingerprint::default().sum);
    }

    #[test]
    fn bytes_that_are_no_point_are_refused() {
        assert_eq!(Fingerprint::from_bytes(&[0xff; 40]), Err(FingerprintError));
    }

    #[test]
    fn golden_bytes_of_the_fingerprint_of_one_id() {
        let one: Fingerprint = [[1; 32]].iter().collect();
        assert_eq!(one.to_string(), "1:2ef2c6ee9e0e267588b3242fd306ce2676b5ce65af1bf70b1bc9bc616bec2d24");
    }
}
