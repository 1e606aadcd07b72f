//! The tiers of a survey and what each may do: the table that the whole trust model reads from.

use std::fmt;
use std::str::FromStr;

use rukun_change::Ink;

/// What a grant makes of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// The district office (BPS Kabupaten), and the relay that serves it.
    District = 1,
    /// Koseka, coordinator of a sub-district.
    Coordinator = 2,
    /// PML, supervisor of some four enumerators.
    Supervisor = 3,
    /// PPL, enumerator.
    Enumerator = 4,
}

impl Role {
    /// All roles, highest first.
    pub const ALL: [Self; 4] = [Self::District, Self::Coordinator, Self::Supervisor, Self::Enumerator];

    /// The inks that this role may write, the usual one first.
    pub fn inks(self) -> &'static [Ink] {
        match self {
            Self::District => &[Ink::Black, Ink::Printed],
            Self::Coordinator => &[Ink::Green],
            Self::Supervisor => &[Ink::Red],
            Self::Enumerator => &[Ink::Pencil],
        }
    }

    /// The role that writes this ink.
    pub fn of_ink(ink: Ink) -> Self {
        match ink {
            Ink::Black | Ink::Printed => Self::District,
            Ink::Green => Self::Coordinator,
            Ink::Red => Self::Supervisor,
            Ink::Pencil => Self::Enumerator,
        }
    }

    /// Whether this role may grant the other: any tier below its own. Districts come from the
    /// root alone.
    pub fn may_grant(self, other: Self) -> bool {
        other > self
    }

    /// The number that stands for it in formats.
    pub fn number(self) -> u64 {
        self as u64
    }

    /// The role of a number as it stands in formats.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.number() == number)
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::District => "district",
            Self::Coordinator => "coordinator",
            Self::Supervisor => "supervisor",
            Self::Enumerator => "enumerator",
        }
    }

    /// What BPS calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::District => "BPS Kabupaten",
            Self::Coordinator => "Koseka",
            Self::Supervisor => "PML",
            Self::Enumerator => "PPL",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let lower = text.to_ascii_lowercase();
        let found = Self::ALL
            .into_iter()
            .find(|role| role.name() == lower || role.title().to_ascii_lowercase() == lower);
        found.ok_or_else(|| RoleError { text: text.into() })
    }
}

/// A word that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no role: district, coordinator (Koseka), supervisor (PML) or enumerator (PPL)")]
pub struct RoleError {
    /// What was given.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_grants_only_below_itself() {
        assert!(Role::District.may_grant(Role::Enumerator) && Role::Supervisor.may_grant(Role::Enumerator));
        for role in Role::ALL {
            assert!(!role.may_grant(role) && !role.may_grant(Role::District));
        }
    }

    #[test]
    fn every_ink_has_exactly_one_role_that_writes_it() {
        for ink in Ink::ALL {
            let roles: Vec<Role> = Role::ALL.into_iter().filter(|role| role.inks().contains(&ink)).collect();
            assert_eq!(roles, [Role::of_ink(ink)], "{ink}");
        }
    }
}
