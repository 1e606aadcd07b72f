//! The five inks, lowest first. What is read is the overlay; who may write which is `authority`'s.

use std::fmt;
use std::str::FromStr;

/// The layer a change is written in, in the order in which layers outrank each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Ink {
    /// The prelist.
    Printed = 0,
    /// The enumerator (PPL).
    Pencil = 1,
    /// The supervisor (PML).
    Red = 2,
    /// The coordinator (Koseka).
    Green = 3,
    /// The district office.
    Black = 4,
}

impl Ink {
    /// All inks, lowest first.
    pub const ALL: [Self; 5] = [Self::Printed, Self::Pencil, Self::Red, Self::Green, Self::Black];

    /// The ink of a number as it stands in formats.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|ink| ink.number() == number)
    }

    /// The number that stands for this ink in formats.
    pub fn number(self) -> u64 {
        self as u64
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Printed => "printed",
            Self::Pencil => "pencil",
            Self::Red => "red",
            Self::Green => "green",
            Self::Black => "black",
        }
    }

    /// Whether a change in this ink names the heads of the lower inks that its author saw. The
    /// prelist comes before any answer, and a pencil answer stands for what the family said.
    pub fn names_seen(self) -> bool {
        self >= Self::Red
    }
}

impl fmt::Display for Ink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Ink {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|ink| ink.name() == text);
        found.ok_or_else(|| format!("{text:?} is no ink: printed, pencil, red, green or black"))
    }
}
