//! One question of the questionnaire: what it is called, whom it asks, and which answers it takes.
//! A value becomes accepted or an [`AnswerError`] for the one who typed it. Whether the question
//! had to be asked at all is `rules`'s.

use std::fmt;

use rukun_change::limits::TEXT_BYTES_MAX;
use rukun_change::{IdentityError, KkNumber, Nik, Scalar};

use crate::expression::Expression;

/// The longest region code.
const CODE_DIGITS_MAX: usize = 16;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name, such as `r304`.
    pub name: String,
    /// The block of the form that it stands in, such as `III`.
    pub block: String,
    /// Whom it asks.
    pub level: Level,
    /// What it asks, in Indonesian, as the officers know it.
    pub label_id: String,
    /// What it asks, in English.
    pub label_en: String,
    /// Which answers it takes.
    pub kind: Kind,
    /// When an answer must be there. Where this is false there must be none.
    pub required: Expression,
}

impl Variable {
    /// Its name and label, as messages show them: `r304 (Jenis dinding terluas)`.
    pub fn title(&self) -> String {
        format!("{} ({})", self.name, self.label_id)
    }

    /// Whether this answer can stand by itself: its type, and a range that no other answer sets.
    /// Null always can.
    ///
    /// # Errors
    /// If it cannot, with what would.
    pub fn check(&self, value: &Scalar) -> Result<(), AnswerError> {
        match (&self.kind, value) {
            (_, Scalar::Null) => Ok(()),
            (Kind::Integer { min, max }, Scalar::Int(number)) => {
                let max = if let Some(Bound::Number(max)) = max { Some(*max) } else { None };
                self.check_range(*number, *min, max)
            }
            (Kind::Integer { .. }, Scalar::Text(_)) => Err(AnswerError::Text { variable: self.title() }),
            (_, Scalar::Int(_)) => Err(AnswerError::Number { variable: self.title() }),
            (_, Scalar::Text(text)) if text.trim().is_empty() => {
                Err(AnswerError::Empty { variable: self.title() })
            }
            (_, Scalar::Text(text)) if text.len() > TEXT_BYTES_MAX => {
                Err(AnswerError::Long { variable: self.title(), bytes: text.len(), max: TEXT_BYTES_MAX })
            }
            (Kind::Text, Scalar::Text(_)) => Ok(()),
            (Kind::Digits16(identity), Scalar::Text(text)) => identity
                .check(text)
                .map_err(|source| AnswerError::Identity { variable: self.title(), source }),
            (Kind::Region, Scalar::Text(text)) => self.check_code(text),
        }
    }

    fn check_range(&self, value: i64, min: Option<i64>, max: Option<i64>) -> Result<(), AnswerError> {
        let variable = || self.title();
        match (min, max) {
            (Some(min), Some(max)) if value < min || value > max => {
                Err(AnswerError::Outside { variable: variable(), value, min, max })
            }
            (Some(min), None) if value < min => Err(AnswerError::Below { variable: variable(), value, min }),
            (None, Some(max)) if value > max => Err(AnswerError::Above { variable: variable(), value, max }),
            _ => Ok(()),
        }
    }

    fn check_code(&self, text: &str) -> Result<(), AnswerError> {
        if text.len() <= CODE_DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(())
        } else {
            Err(AnswerError::Code { variable: self.title() })
        }
    }
}

/// Whom a question asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The family, once.
    Family,
    /// Each of its members.
    Member,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Family => "family",
            Self::Member => "member",
        })
    }
}

/// Which answers a question takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number or a code, within a range where one is given.
    Integer {
        /// The least, if any.
        min: Option<i64>,
        /// The greatest, if any.
        max: Option<Bound>,
    },
    /// A text.
    Text,
    /// An identity number of 16 digits, as text.
    Digits16(Identity),
    /// Part of a region's code: up to 16 digits, as text, so that leading zeros stay.
    Region,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Integer { .. } => "integer",
            Self::Text => "text",
            Self::Digits16(_) => "digits16",
            Self::Region => "region",
        })
    }
}

/// The upper end of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A number.
    Number(i64),
    /// The answer to this variable. It is checked with the rules, not at the keyboard.
    Variable(String),
}

/// Whose number an identity number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// A person's NIK.
    Nik,
    /// The number of a family's card.
    Kk,
}

impl Identity {
    fn check(self, text: &str) -> Result<(), IdentityError> {
        match self {
            Self::Nik => text.parse::<Nik>().map(drop),
            Self::Kk => text.parse::<KkNumber>().map(drop),
        }
    }
}

/// A remedy for a slip in a name, to be put at the end of a message.
pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// Why an answer is not taken. It never repeats a text or an identity number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// No such variable.
    #[error(
        "{} is not a variable of this questionnaire{}",
        name.escape_debug(),
        did_you_mean(nearest.as_deref())
    )]
    Unknown {
        /// How it was called.
        name: String,
        /// A variable of that level whose name is nearly that.
        nearest: Option<String>,
    },
    /// A member's answer given for the family.
    #[error("{variable} is asked of each member, not of the family")]
    OfMember {
        /// The variable.
        variable: String,
    },
    /// The family's answer given for a member.
    #[error("{variable} is asked of the family, not of a member")]
    OfFamily {
        /// The variable.
        variable: String,
    },
    /// Outside the range.
    #[error("{variable}: {value} is outside {min}..{max}")]
    Outside {
        /// The variable.
        variable: String,
        /// What was given.
        value: i64,
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// Below the least, where there is no greatest.
    #[error("{variable}: {value} is below {min}")]
    Below {
        /// The variable.
        variable: String,
        /// What was given.
        value: i64,
        /// The least.
        min: i64,
    },
    /// Above the greatest, where there is no least.
    #[error("{variable}: {value} is above {max}")]
    Above {
        /// The variable.
        variable: String,
        /// What was given.
        value: i64,
        /// The greatest.
        max: i64,
    },
    /// A text for a number.
    #[error("{variable}: a text is given where a number is expected; write the number without quotes")]
    Text {
        /// The variable.
        variable: String,
    },
    /// A number for a text.
    #[error("{variable}: a number is given where a text is expected; write it in quotes")]
    Number {
        /// The variable.
        variable: String,
    },
    /// A text of nothing.
    #[error("{variable}: the text is empty; null clears an answer")]
    Empty {
        /// The variable.
        variable: String,
    },
    /// A text that a change cannot carry.
    #[error("{variable}: the text has {bytes} bytes; at most {max} are possible")]
    Long {
        /// The variable.
        variable: String,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// No identity number.
    #[error("{variable}: {source}")]
    Identity {
        /// The variable.
        variable: String,
        /// Why not.
        source: IdentityError,
    },
    /// No code of digits.
    #[error("{variable}: a code is 1 to {CODE_DIGITS_MAX} digits and nothing else")]
    Code {
        /// The variable.
        variable: String,
    },
}
