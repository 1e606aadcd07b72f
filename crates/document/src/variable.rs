//! One question of the questionnaire: what it is called, whom it asks, and which answers it takes.
//! A value becomes accepted or an [`AnswerError`] for the one who typed it. Whether the question
//! had to be asked at all is `rules`'s.

use std::fmt;

use rukun_change::limits::TEXT_BYTES_MAX;
use rukun_change::{IdentityError, KkNumber, Nik, Scalar};

use crate::expression::Expression;
use crate::slip::did_you_mean;

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
            (_, Scalar::Text(text)) => self.check_text(text),
        }
    }

    fn check_text(&self, text: &str) -> Result<(), AnswerError> {
        let variable = || self.title();
        match self.kind {
            _ if text.trim().is_empty() => Err(AnswerError::Empty { variable: variable() }),
            _ if text.len() > TEXT_BYTES_MAX => {
                Err(AnswerError::Long { variable: variable(), bytes: text.len(), max: TEXT_BYTES_MAX })
            }
            Kind::Digits16(identity) => {
                identity.check(text).map_err(|source| AnswerError::Identity { variable: variable(), source })
            }
            Kind::Region
                if text.len() > CODE_DIGITS_MAX || !text.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                Err(AnswerError::Code { variable: variable() })
            }
            Kind::Region | Kind::Text | Kind::Integer { .. } => Ok(()),
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

/// A number as an error may repeat it: one of many digits may be whose identity number stands in the wrong column.
fn repeatable(value: i64) -> String {
    if value.unsigned_abs() < 1_000_000 { value.to_string() } else { "a number of over 6 digits".into() }
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
    #[error("{variable}: {} is outside {min}..{max}", repeatable(*value))]
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
    #[error("{variable}: {} is below {min}", repeatable(*value))]
    Below {
        /// The variable.
        variable: String,
        /// What was given.
        value: i64,
        /// The least.
        min: i64,
    },
    /// Above the greatest, where there is no least.
    #[error("{variable}: {} is above {max}", repeatable(*value))]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(kind: Kind) -> Variable {
        let required = Expression::parse("always").unwrap();
        let (name, block) = ("r304".into(), "III".into());
        let (label_id, label_en) = ("Jenis dinding terluas".into(), "Wall material".into());
        Variable { name, block, level: Level::Family, label_id, label_en, kind, required }
    }

    fn message(kind: &Kind, value: &Scalar) -> String {
        let message =
            variable(kind.clone()).check(value).map_or_else(|error| error.to_string(), |()| "ok".into());
        message.trim_start_matches("r304 (Jenis dinding terluas): ").into()
    }

    #[test]
    fn a_number_stays_within_its_range_and_the_message_says_which() {
        let range = |min, max: Option<i64>| Kind::Integer { min, max: max.map(Bound::Number) };
        for (kind, number, said) in [
            (range(Some(1), Some(7)), 1, "ok"),
            (range(Some(1), Some(7)), 7, "ok"),
            (range(Some(1), Some(7)), 9, "9 is outside 1..7"),
            (range(Some(1), Some(7)), 0, "0 is outside 1..7"),
            (range(Some(1), None), 0, "0 is below 1"),
            (range(Some(1), None), i64::MAX, "ok"),
            (range(None, Some(7)), 8, "8 is above 7"),
            (range(None, Some(7)), 1_811_010_101_100_001, "a number of over 6 digits is above 7"),
            (range(None, None), i64::MIN, "ok"),
        ] {
            assert_eq!(message(&kind, &Scalar::Int(number)), said);
        }
        let by_another = Kind::Integer { min: Some(1), max: Some(Bound::Variable("r112".into())) };
        assert_eq!(message(&by_another, &Scalar::Int(99)), "ok");
        assert_eq!(message(&by_another, &Scalar::Int(0)), "0 is below 1");
        let error = variable(range(Some(1), Some(7))).check(&Scalar::Int(9)).unwrap_err();
        assert_eq!(error.to_string(), "r304 (Jenis dinding terluas): 9 is outside 1..7");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused_with_the_remedy() {
        let number = Kind::Integer { min: None, max: None };
        assert_eq!(
            message(&number, &Scalar::Text("3".into())),
            "a text is given where a number is expected; write the number without quotes"
        );
        for kind in [Kind::Text, Kind::Region, Kind::Digits16(Identity::Nik)] {
            assert_eq!(
                message(&kind, &Scalar::Int(1_811_014_107_850_001)),
                "a number is given where a text is expected; write it in quotes"
            );
        }
    }

    #[test]
    fn null_clears_any_answer_and_an_empty_text_none() {
        for kind in
            [Kind::Text, Kind::Region, Kind::Digits16(Identity::Kk), Kind::Integer { min: None, max: None }]
        {
            assert_eq!(message(&kind, &Scalar::Null), "ok");
        }
        assert_eq!(
            message(&Kind::Text, &Scalar::Text(" ".into())),
            "the text is empty; null clears an answer"
        );
    }

    #[test]
    fn an_identity_number_is_checked_and_never_repeated() {
        let text = |text: &str| Scalar::Text(text.into());
        assert_eq!(message(&Kind::Digits16(Identity::Nik), &text("1811014107850001")), "ok");
        assert_eq!(
            message(&Kind::Digits16(Identity::Kk), &text("181101410785")),
            "a KK number has 16 digits, not 12"
        );
        let said = message(&Kind::Digits16(Identity::Nik), &text("18110141O7850001"));
        assert_eq!(said, "a NIK is 16 digits; character 9 is not a digit");
    }

    #[test]
    fn a_code_keeps_its_zeros_and_is_nothing_but_digits() {
        for (code, said) in [
            ("0003", "ok"),
            ("1811010005000300", "ok"),
            ("18110100050003001", "a code is 1 to 16 digits and nothing else"),
            ("18-11", "a code is 1 to 16 digits and nothing else"),
        ] {
            assert_eq!(message(&Kind::Region, &Scalar::Text(code.into())), said);
        }
        let long = Scalar::Text("a".repeat(TEXT_BYTES_MAX + 1));
        assert_eq!(message(&Kind::Text, &long), "the text has 4097 bytes; at most 4096 are possible");
    }
}
