//! Ids as text for people: hexadecimal, or base32 in eight groups with check digits, so that a
//! slip of the pen is found and placed before it does harm.

use data_encoding::{BASE32_NOPAD, HEXLOWER_PERMISSIVE};

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Base32 digits of 32 bytes.
const DIGITS: usize = 52;
/// Each run of 13 digits is followed by its check digit.
const RUN: usize = 13;
/// Both together are shown in groups of 7: two groups a run.
const GROUP: usize = 7;

pub(crate) fn to_checked(bytes: &[u8; 32]) -> String {
    let digits = BASE32_NOPAD.encode(bytes);
    let mut checked = String::with_capacity(64);
    for run in digits.as_bytes().chunks(RUN) {
        checked.extend(run.iter().map(|digit| char::from(*digit)));
        checked.push(char::from(check_digit(ALPHABET, 0, run)));
    }
    let groups: Vec<&str> =
        checked.as_bytes().chunks(GROUP).filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join("-")
}

pub(crate) fn from_checked(text: &str, called: &'static str) -> Result<[u8; 32], IdTextError> {
    let typed: Vec<u8> = text
        .bytes()
        .filter(|byte| !matches!(byte, b'-' | b' '))
        .map(|byte| match byte.to_ascii_uppercase() {
            // Digits that base32 leaves out are slips for the letters they look like.
            b'0' => b'O',
            b'1' => b'I',
            b'8' => b'B',
            other => other,
        })
        .collect();
    if let Some(at) = typed.iter().position(|byte| !ALPHABET.contains(byte)) {
        return Err(IdTextError::Character { called, column: at + 1 });
    }
    if typed.len() != DIGITS + DIGITS / RUN {
        return Err(IdTextError::Length { called, digits: typed.len(), expected: DIGITS + DIGITS / RUN });
    }
    let mut digits = Vec::with_capacity(DIGITS);
    for (index, run) in typed.chunks(RUN + 1).enumerate() {
        let (check, run) = run.split_last().expect("a chunk is never empty");
        if check_digit(ALPHABET, 0, run) != *check {
            return Err(IdTextError::Check { called, first: 2 * index + 1, second: 2 * index + 2 });
        }
        digits.extend_from_slice(run);
    }
    let bytes = BASE32_NOPAD.decode(&digits).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(IdTextError::Character { called, column: DIGITS })
}

pub(crate) fn from_hex<const N: usize>(text: &str, called: &'static str) -> Result<[u8; N], IdTextError> {
    if text.len() != 2 * N {
        return Err(IdTextError::Length { called, digits: text.len(), expected: 2 * N });
    }
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes());
    let bytes = bytes.map_err(|error| IdTextError::Character { called, column: error.position + 1 })?;
    bytes.try_into().map_err(|_| IdTextError::Length { called, digits: text.len(), expected: 2 * N })
}

/// Luhn's check digit, mod 32: it finds every single slip and nearly every swap of neighbours. Runs whose
/// sums `begin` at different numbers are not taken for each other.
pub fn check_digit(alphabet: &[u8; 32], begin: usize, run: &[u8]) -> u8 {
    let value = |digit: &u8| alphabet.iter().position(|letter| letter == digit).unwrap_or_default();
    let products = run.iter().rev().enumerate().map(|(index, digit)| {
        let product = value(digit) * (2 - index % 2);
        product / 32 + product % 32
    });
    let sum = products.fold(begin % 32, |sum, product| sum + product);
    alphabet.get((32 - sum % 32) % 32).copied().expect("a remainder of 32 indexes 32 letters")
}

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdTextError {
    /// A character that the id's alphabet lacks.
    #[error("the {called} has a character it can't have, at position {column}")]
    Character {
        /// Which kind of id.
        called: &'static str,
        /// Where, counted from 1 without hyphens.
        column: usize,
    },
    /// Too short or too long.
    #[error("the {called} has {digits} characters where {expected} are expected; was it copied whole?")]
    Length {
        /// Which kind of id.
        called: &'static str,
        /// How many were given.
        digits: usize,
        /// How many it has.
        expected: usize,
    },
    /// A check digit that does not fit.
    #[error("the {called} does not check: look for a slip in group {first} or {second} of 8")]
    Check {
        /// Which kind of id.
        called: &'static str,
        /// The first group it can be in.
        first: usize,
        /// The other.
        second: usize,
    },
    /// Another form altogether.
    #[error("a {called} is {shape}")]
    Shape {
        /// Which kind of id.
        called: &'static str,
        /// What it looks like.
        shape: &'static str,
    },
    /// The region part of a record id is wrong.
    #[error(transparent)]
    Region(crate::RegionError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceKey;

    fn text() -> String {
        DeviceKey::from_bytes(std::array::from_fn(|index| (index * 37 + 11) as u8)).to_string()
    }

    #[test]
    fn an_id_comes_back_from_its_text_however_it_is_typed() {
        let key: DeviceKey = text().parse().unwrap();
        assert_eq!(key.to_string(), text());
        assert_eq!(text().to_lowercase().replace('-', " ").parse(), Ok(key));
    }

    #[test]
    fn every_single_slip_is_found_and_placed() {
        let good = text();
        for at in (0..good.len()).filter(|at| good.as_bytes()[*at] != b'-') {
            for letter in *ALPHABET {
                let mut slip = good.clone().into_bytes();
                if slip[at] == letter {
                    continue;
                }
                slip[at] = letter;
                let group = at / (GROUP + 1) + 1;
                match String::from_utf8(slip).unwrap().parse::<DeviceKey>() {
                    Err(IdTextError::Check { first, second, .. }) => {
                        assert!(group == first || group == second);
                    }
                    other => panic!("slip at {at} gave {other:?}"),
                }
            }
        }
    }
}
