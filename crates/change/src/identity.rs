//! Numbers of people: 16 digits become a [`Nik`] or a [`KkNumber`], so that neither can be passed
//! for the other or for a region code. Neither prints itself by accident.

use std::fmt;
use std::str::FromStr;

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident, $called:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The number, 16 digits. Personal data: for the office's eyes, never for logs or keys.
            pub fn reveal(&self) -> &str {
                str::from_utf8(&self.0).expect("an identity number is 16 ASCII digits")
            }
        }

        impl FromStr for $name {
            type Err = IdentityError;

            fn from_str(text: &str) -> Result<Self, IdentityError> {
                if let Some(at) = text.bytes().position(|byte| !byte.is_ascii_digit()) {
                    return Err(IdentityError::NotADigit { called: $called, column: at + 1 });
                }
                let digits = text.as_bytes().try_into();
                digits.map(Self).map_err(|_| IdentityError::Length { called: $called, digits: text.len() })
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($called, "(hidden)"))
            }
        }
    };
}

identity! {
    /// Nomor Induk Kependudukan, a person's national identity number.
    Nik, "NIK"
}
identity! {
    /// Nomor Kartu Keluarga, the number of a family card.
    KkNumber, "KK number"
}

/// Why a text is no identity number. It never repeats the number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Something other than a digit.
    #[error("a {called} is 16 digits; character {column} is not a digit")]
    NotADigit {
        /// Which kind of number.
        called: &'static str,
        /// Which character, counted from 1.
        column: usize,
    },
    /// Too few or too many digits.
    #[error("a {called} has 16 digits, not {digits}")]
    Length {
        /// Which kind of number.
        called: &'static str,
        /// How many were given.
        digits: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_number_is_never_printed_by_accident() {
        let nik: Nik = "1811014107850001".parse().unwrap();
        assert_eq!(nik.reveal(), "1811014107850001");
        assert!(!format!("{nik:?}").contains("1811"));
        let error = "18110141078500".parse::<KkNumber>().unwrap_err().to_string();
        assert!(error.contains("not 14") && !error.contains("1811"), "{error}");
    }
}
