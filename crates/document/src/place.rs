//! Where an answer stands in a record: the family's own, or one member's. A place and its text
//! become each other. Whether the questionnaire asks for such an answer is the questionnaire's.

use std::fmt;
use std::str::FromStr;

use rukun_change::{IdTextError, MemberId, is_field_name};

/// The field that marks a record or a member gone. It holds the reason; null is present.
pub(crate) const GONE: &str = "gone";

/// A field of the family or of one member. The family's sort before the members'.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Whose; none is the family's own.
    pub member: Option<MemberId>,
    /// The variable's name.
    pub field: String,
}

impl Place {
    /// A field of the family.
    pub fn family(field: impl Into<String>) -> Self {
        Self { member: None, field: field.into() }
    }

    /// A field of a member.
    pub fn of(member: MemberId, field: impl Into<String>) -> Self {
        Self { member: Some(member), field: field.into() }
    }

    /// The place that says whether the record (no member) or the member is gone.
    pub fn gone(member: Option<MemberId>) -> Self {
        Self { member, field: GONE.into() }
    }

    /// Whether this place says that something is gone.
    pub fn is_gone(&self) -> bool {
        self.field == GONE
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.member {
            Some(member) => f.pad(&format!("{member}/{}", self.field)),
            None => f.pad(&self.field),
        }
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (member, field) = match text.split_once('/') {
            Some((member, field)) => (Some(member.parse()?), field),
            None => (None, text),
        };
        if is_field_name(field) {
            Ok(Self { member, field: field.into() })
        } else {
            Err(PlaceError::Field { text: text.into() })
        }
    }
}

/// Why a text names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// What stands before the slash is no member.
    #[error(transparent)]
    Member(#[from] IdTextError),
    /// What should be a variable's name is none.
    #[error("{text:?} is no place in a record: r304 is the family's, m:0123456789abcdef/r402 a member's")]
    Field {
        /// What was given.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_from_its_text_and_the_family_sorts_first() {
        let family: Place = "r304".parse().unwrap();
        let member: Place = "m:0123456789abcdef/r402".parse().unwrap();
        assert_eq!((family.to_string(), member.to_string().parse()), ("r304".into(), Ok(member.clone())));
        assert!(family < member && Place::family("zzz") < member);
    }

    #[test]
    fn a_text_that_names_no_place_is_refused_with_what_would() {
        for text in ["", "R304", "m:0123456789abcdef", "m:0123456789abcdef/", "m:01/r402", "a/b"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
        assert!("R304".parse::<Place>().unwrap_err().to_string().contains("r304 is the family's"));
    }
}
