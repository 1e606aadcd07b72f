//! The code on an officer's card: a hundred random bits become five groups that a person reads and
//! types, each with a check digit of its own, and back. What a code proves is in `proof`.

use std::fmt;
use std::str::FromStr;

use rukun_change::{InvitationId, check_digit};
use zeroize::{Zeroize, Zeroizing};

use crate::proof::{ProofKey, derived};

/// Crockford's base32: no I, L, O or U, which are misread or make words.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DIGITS: usize = 20;
/// Digits of a group before its check digit.
const RUN: usize = 4;
const GROUPS: usize = DIGITS / RUN;

/// A one-time code. A secret: it is shown only where it is printed, and its memory is wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct Code([u8; DIGITS]);

impl Code {
    /// Letters and digits of a code as it is typed, check digits among them, hyphens not.
    pub const LETTERS: usize = DIGITS + GROUPS;

    /// The code of these random bytes: five bits of each.
    pub fn from_random(bytes: &[u8; DIGITS]) -> Self {
        Self(bytes.map(|byte| *ALPHABET.get(usize::from(byte % 32)).expect("32 letters")))
    }

    /// The code as it is printed and typed.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(Self::LETTERS + GROUPS));
        for (at, run) in self.0.chunks(RUN).enumerate() {
            if at > 0 {
                text.push('-');
            }
            text.extend(run.iter().chain(&[check_digit(ALPHABET, at + 1, run)]).copied().map(char::from));
        }
        text
    }

    /// The id of its invitation. It may be known to anyone: to try codes against it costs as much as to
    /// guess one.
    pub fn invitation(&self) -> InvitationId {
        InvitationId::from_bytes(*derived(&self.0, "invitation"))
    }

    /// What proves that one knows the code, and all that a relay keeps of it.
    pub fn proof_key(&self) -> ProofKey {
        ProofKey::from_bytes(*derived(&self.0, "proof"))
    }
}

impl FromStr for Code {
    type Err = CodeError;

    /// Reads a code as people type it: in any case, with hyphens and blanks anywhere, with the letters
    /// that it lacks for the digits that they look like.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let mut typed = Zeroizing::new(Vec::with_capacity(text.len()));
        for letter in text.chars().filter(|letter| !matches!(letter, '-' | ' ')) {
            let digit = match letter.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let digit = u8::try_from(digit).ok().filter(|digit| ALPHABET.contains(digit));
            let group = typed.len() / (RUN + 1) + 1;
            typed.push(digit.ok_or(CodeError::Character { group, letter })?);
        }
        if typed.len() != Self::LETTERS {
            return Err(CodeError::Length { letters: typed.len() });
        }
        let mut digits = [0; DIGITS];
        for (at, (group, run)) in typed.chunks(RUN + 1).zip(digits.chunks_mut(RUN)).enumerate() {
            let (check, typed) = group.split_last().expect("a chunk is never empty");
            if check_digit(ALPHABET, at + 1, typed) != *check {
                return Err(CodeError::Check { group: at + 1 });
            }
            run.copy_from_slice(typed);
        }
        Ok(Self(digits))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Why a text is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// A character that no code has.
    #[error("the code has {letter:?} in group {group} of 5, which no code has")]
    Character {
        /// Which group it stands in.
        group: usize,
        /// The character.
        letter: char,
    },
    /// Too short or too long.
    #[error("the code has {letters} letters and digits where 25 are expected; was it typed whole?")]
    Length {
        /// How many were given.
        letters: usize,
    },
    /// A check digit that does not fit.
    #[error("the code does not check: look for a slip in group {group} of 5")]
    Check {
        /// Which group it is in.
        group: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> Code {
        Code::from_random(&std::array::from_fn(|index| (index * 37 + 11) as u8))
    }

    #[test]
    fn a_code_comes_back_from_its_text_however_it_is_typed() {
        let text = code().text();
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [5; 5], "{}", *text);
        assert_eq!(text.parse(), Ok(code()));
        let loose = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert_eq!(loose.parse(), Ok(code()));
        assert_eq!(text.replace('-', "").parse(), Ok(code()));
    }

    #[test]
    fn every_single_slip_is_found_in_its_group() {
        let good = code().text();
        for at in (0..good.len()).filter(|at| good.as_bytes()[*at] != b'-') {
            for letter in *ALPHABET {
                let mut slip = good.as_bytes().to_vec();
                if slip[at] == letter {
                    continue;
                }
                slip[at] = letter;
                let read = String::from_utf8(slip).unwrap().parse::<Code>();
                assert_eq!(read, Err(CodeError::Check { group: at / 6 + 1 }));
            }
        }
    }

    #[test]
    fn a_group_in_another_ones_place_is_found() {
        let text = code().text();
        let groups: Vec<&str> = text.split('-').collect();
        for (one, other) in [(0, 1), (0, 4), (2, 3)] {
            let mut swapped = groups.clone();
            swapped.swap(one, other);
            assert_eq!(swapped.join("-").parse::<Code>(), Err(CodeError::Check { group: one + 1 }));
        }
    }

    #[test]
    fn what_is_no_code_is_told_from_a_slip() {
        let text = code().text();
        assert_eq!(text[1..].parse::<Code>(), Err(CodeError::Length { letters: 24 }));
        let u = format!("{}U", &text[..text.len() - 1]);
        assert_eq!(u.parse::<Code>(), Err(CodeError::Character { group: 5, letter: 'U' }));
    }

    #[test]
    fn a_code_never_shows_where_it_was_not_asked_for() {
        assert_eq!(format!("{:?}", code()), "Code(..)");
        assert!(!format!("{:?}", code().proof_key()).contains(&code().text()[..5]));
    }

    /// By Python's hmac and hashlib, from the 20 letters of the code.
    #[test]
    fn golden_bytes_of_what_follows_from_a_code() {
        let code = Code::from_random(&[0; 20]);
        assert_eq!(&**code.text(), "0000Z-0000Y-0000X-0000W-0000V");
        assert_eq!(code.invitation().to_string(), "efbc6fe93adbe99b1f68e17df5457cde");
        assert_eq!(code.proof_key().as_bytes()[..4], [0x27, 0x33, 0x02, 0xde]);
    }
}
