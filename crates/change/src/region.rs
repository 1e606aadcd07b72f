//! Region codes of BPS: digits become a [`Region`], a prefix of the 16-digit code, or a
//! [`SubSls`], the whole of it. No names of places here: a code says where, never what it is called.

use std::fmt;
use std::str::FromStr;

const DIGITS_MAX: usize = 16;
/// Where a prefix may end: province 2, district 4, sub-district 7, village 10, SLS 14, sub-SLS 16.
const LEVELS: [usize; 6] = [2, 4, 7, 10, 14, DIGITS_MAX];

/// A prefix of the 16-digit region code: province, district, sub-district, village, SLS or
/// sub-SLS. `1811` covers `1811010005`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region {
    digits: [u8; DIGITS_MAX],
    len: u8,
}

impl Region {
    /// The code as text, 2 to 16 digits.
    pub fn as_str(&self) -> &str {
        let digits = self.digits.get(..usize::from(self.len));
        digits.and_then(|digits| str::from_utf8(digits).ok()).expect("a region is at most 16 ASCII digits")
    }

    /// Whether `other` lies in this region or is this region.
    pub fn covers(&self, other: &Self) -> bool {
        // Whatever is sent or read is asked this, so that the codes are not made texts first.
        let len = usize::from(self.len);
        other.len >= self.len && other.digits.get(..len) == self.digits.get(..len)
    }

    /// Whether the sub-SLS lies in this region.
    pub fn covers_sub_sls(&self, home: &SubSls) -> bool {
        self.covers(&home.region())
    }

    /// The part that both regions cover: the narrower one, or nothing.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        if self.covers(other) { Some(*other) } else { other.covers(self).then_some(*self) }
    }

    /// The first and the last sub-SLS code in this region, both included.
    pub fn bounds(&self) -> (SubSls, SubSls) {
        let fill = |digit: u8| {
            let mut digits = [digit; DIGITS_MAX];
            for (to, from) in digits.iter_mut().zip(self.as_str().bytes()) {
                *to = from;
            }
            SubSls::pack(&digits)
        };
        (fill(b'0'), fill(b'9'))
    }
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        if let Some(at) = text.bytes().position(|byte| !byte.is_ascii_digit()) {
            return Err(RegionError::NotADigit { text: text.into(), column: at + 1 });
        }
        if !LEVELS.contains(&text.len()) {
            return Err(RegionError::Length { text: text.into(), digits: text.len() });
        }
        let mut digits = [0; DIGITS_MAX];
        for (to, from) in digits.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Ok(Self { digits, len: text.len() as u8 })
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A whole region code, all 16 digits, two to a byte: where a record lives, and the grain of
/// fingerprints and receipts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubSls([u8; 8]);

impl SubSls {
    /// The code of a region that has all 16 digits.
    ///
    /// # Errors
    /// [`RegionError::NotWhole`] if the region is a shorter prefix.
    pub fn new(region: Region) -> Result<Self, RegionError> {
        if usize::from(region.len) == DIGITS_MAX {
            Ok(Self::pack(&region.digits))
        } else {
            Err(RegionError::NotWhole { text: region.to_string(), digits: region.len.into() })
        }
    }

    /// The code from its packed form, two digits to a byte.
    ///
    /// # Errors
    /// [`RegionError::NotPacked`] if a half byte is no decimal digit.
    pub fn from_bytes(bytes: [u8; 8]) -> Result<Self, RegionError> {
        if bytes.iter().all(|byte| byte >> 4 < 10 && byte & 0xf < 10) {
            Ok(Self(bytes))
        } else {
            Err(RegionError::NotPacked)
        }
    }

    /// The packed form, two digits to a byte. It sorts as the code does.
    pub fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// The code as a region.
    pub fn region(&self) -> Region {
        let mut digits = [0; DIGITS_MAX];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[b'0' + (byte >> 4), b'0' + (byte & 0xf)]);
        }
        Region { digits, len: DIGITS_MAX as u8 }
    }

    fn pack(digits: &[u8; DIGITS_MAX]) -> Self {
        let mut packed = [0; 8];
        for (byte, pair) in packed.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().fold(0, |byte, digit| (byte << 4) | (digit - b'0'));
        }
        Self(packed)
    }
}

impl FromStr for SubSls {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        Self::new(text.parse()?)
    }
}

impl fmt::Display for SubSls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.region().fmt(f)
    }
}

impl fmt::Debug for SubSls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.region().fmt(f)
    }
}

/// Why a text or bytes are no region code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegionError {
    /// Something other than a digit.
    #[error("{text:?} is no region code: character {column} is not a digit")]
    NotADigit {
        /// What was given.
        text: String,
        /// Which character, counted from 1.
        column: usize,
    },
    /// A prefix that ends between two levels.
    #[error(
        "{text:?} has {digits} digits; a region code has 2 (province), 4 (district), 7 (sub-district), 10 (village), 14 (SLS) or 16 (sub-SLS)"
    )]
    Length {
        /// What was given.
        text: String,
        /// How many digits it has.
        digits: usize,
    },
    /// A prefix where the whole code is needed.
    #[error(
        "{text} has {digits} digits where the whole code of 16 is needed (province, district, sub-district, village, SLS, sub-SLS)"
    )]
    NotWhole {
        /// What was given.
        text: String,
        /// How many digits it has.
        digits: usize,
    },
    /// Packed bytes that hold something other than decimal digits.
    #[error("packed region code holds a half byte that is no decimal digit")]
    NotPacked,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_covers_what_starts_with_it_and_nothing_else() {
        let district: Region = "1811".parse().unwrap();
        assert!(district.covers(&"1811010005".parse().unwrap()));
        assert!(!district.covers(&"18".parse().unwrap()));
        assert!(!district.covers(&"1812010005".parse().unwrap()));
        assert!(district.covers_sub_sls(&"1811010005000300".parse().unwrap()));
    }

    #[test]
    fn packed_codes_sort_as_their_digits_do_and_come_back_whole() {
        let low: SubSls = "1811010005000300".parse().unwrap();
        let high: SubSls = "1811010005000301".parse().unwrap();
        assert!(low < high);
        assert_eq!(SubSls::from_bytes(*low.as_bytes()), Ok(low));
        assert_eq!(low.to_string(), "1811010005000300");
        assert_eq!(SubSls::from_bytes([0xaf; 8]), Err(RegionError::NotPacked));
    }

    #[test]
    fn bounds_hold_exactly_the_codes_of_the_region() {
        let (first, last) = "18110100050003".parse::<Region>().unwrap().bounds();
        assert_eq!(
            (first.to_string(), last.to_string()),
            ("1811010005000300".into(), "1811010005000399".into())
        );
    }

    #[test]
    fn a_bad_code_is_named_with_its_remedy() {
        let message = "18110".parse::<Region>().unwrap_err().to_string();
        assert!(message.contains("5 digits") && message.contains("7 (sub-district)"), "{message}");
        let message = "18x1".parse::<Region>().unwrap_err().to_string();
        assert!(message.contains("character 3"), "{message}");
    }
}
