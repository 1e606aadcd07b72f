//! Identifiers. Each is a type of its own, made from bytes and shown as text; none is a secret.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::region::SubSls;
use crate::text::{self, IdTextError};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// From its bytes.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:.8})"), HEXLOWER.encode(&self.0))
            }
        }
    };
}

macro_rules! hex_text {
    ($name:ident, $bytes:literal, $called:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&HEXLOWER.encode(&self.0))
            }
        }

        impl FromStr for $name {
            type Err = IdTextError;

            fn from_str(text: &str) -> Result<Self, IdTextError> {
                text::from_hex(text, $called).map(Self)
            }
        }
    };
}

macro_rules! checked_text {
    ($name:ident, $called:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&text::to_checked(&self.0))
            }
        }

        impl FromStr for $name {
            type Err = IdTextError;

            fn from_str(text: &str) -> Result<Self, IdTextError> {
                text::from_checked(text, $called).map(Self)
            }
        }
    };
}

id! {
    /// An Ed25519 public key: a device, a peer in TLS, the root of a survey.
    DeviceKey, 32
}
checked_text!(DeviceKey, "device id");
id! {
    /// The hash of a survey's charter.
    SurveyId, 32
}
checked_text!(SurveyId, "survey id");
id! {
    /// Random, new whenever a store is created or restored, so that a restored backup never
    /// reuses a number.
    Incarnation, 4
}
hex_text!(Incarnation, 4, "incarnation");
id! {
    /// An Automerge actor: the first 16 bytes of SHA-256(device key, incarnation).
    ActorId, 16
}
hex_text!(ActorId, 16, "actor id");
id! {
    /// An Automerge change hash. It serves causes only: it does not cover the record, and the same
    /// first edit of two records has the same one.
    CauseHash, 32
}
hex_text!(CauseHash, 32, "cause");
id! {
    /// SHA-256 of the message that a change's author signed: the identity of a change everywhere.
    ChangeId, 32
}
hex_text!(ChangeId, 32, "change id");
id! {
    /// SHA-256 of a statement's signed message.
    StatementId, 32
}
hex_text!(StatementId, 32, "statement id");
id! {
    /// SHA-256 of a file that the charter names: the questionnaire, the dictionary.
    Digest, 32
}
hex_text!(Digest, 32, "digest");
id! {
    /// An invitation: what its code is looked up by. It follows from the code, and the code not from it.
    InvitationId, 16
}
hex_text!(InvitationId, 16, "invitation id");

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl DeviceKey {
    /// The first group of the text form, for tables where the whole is too wide.
    pub fn short(&self) -> String {
        self.to_string().split('-').next().map(String::from).unwrap_or_default()
    }
}

/// A device in one of its incarnations: what one Automerge actor stands for, and what numbers
/// changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Author {
    /// The device.
    pub device: DeviceKey,
    /// Its incarnation.
    pub incarnation: Incarnation,
}

impl Author {
    /// The Automerge actor that this author writes under.
    pub fn actor(&self) -> ActorId {
        let hash = Sha256::new().chain_update(self.device.0).chain_update(self.incarnation.0).finalize();
        let (actor, _) = hash.split_first_chunk().expect("a SHA-256 hash is longer than 16 bytes");
        ActorId(*actor)
    }
}

/// Which family: the home sub-SLS and 64 random bits. Immutable, and sorts by region.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    home: SubSls,
    salt: [u8; 8],
}

impl RecordId {
    /// The record of this sub-SLS with these random bits.
    pub const fn new(home: SubSls, salt: [u8; 8]) -> Self {
        Self { home, salt }
    }

    /// From its 16 bytes: packed region code, then the random bits.
    ///
    /// # Errors
    /// If the first 8 bytes are no packed region code.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, crate::RegionError> {
        let (home, salt) = bytes.split_first_chunk::<8>().expect("16 bytes hold 8");
        let salt = salt.try_into().expect("16 bytes hold 8 and 8");
        Ok(Self { home: SubSls::from_bytes(*home)?, salt })
    }

    /// Its 16 bytes.
    pub fn to_bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let (home, salt) = bytes.split_at_mut(8);
        home.copy_from_slice(self.home.as_bytes());
        salt.copy_from_slice(&self.salt);
        bytes
    }

    /// The sub-SLS where the record was made.
    pub fn home(&self) -> SubSls {
        self.home
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}-{}", self.home, HEXLOWER.encode(&self.salt)))
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordId({self})")
    }
}

impl FromStr for RecordId {
    type Err = IdTextError;

    fn from_str(given: &str) -> Result<Self, IdTextError> {
        let (home, salt) = given.split_once('-').ok_or(IdTextError::Shape {
            called: "record id",
            shape: "16 digits of region, a hyphen and 16 hexadecimal digits",
        })?;
        let home = home.parse().map_err(IdTextError::Region)?;
        Ok(Self { home, salt: text::from_hex(salt, "record id")? })
    }
}

/// Which member of a family: 64 random bits, written `m:` and 16 hexadecimal digits, which no
/// variable's name can be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId([u8; 8]);

impl MemberId {
    /// The member with these random bits.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("m:{}", HEXLOWER.encode(&self.0)))
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberId({self})")
    }
}

impl FromStr for MemberId {
    type Err = IdTextError;

    fn from_str(given: &str) -> Result<Self, IdTextError> {
        let shape = IdTextError::Shape { called: "member id", shape: "m: and 16 hexadecimal digits" };
        text::from_hex(given.strip_prefix("m:").ok_or(shape)?, "member id").map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_id_sorts_by_region_and_comes_back_from_bytes_and_text() {
        let near = RecordId::new("1811010005000300".parse().unwrap(), [0xff; 8]);
        let far = RecordId::new("1811010005000400".parse().unwrap(), [0; 8]);
        assert!(near < far && near.to_bytes() < far.to_bytes());
        assert_eq!(RecordId::from_bytes(near.to_bytes()), Ok(near));
        assert_eq!(near.to_string(), "1811010005000300-ffffffffffffffff");
        assert_eq!(near.to_string().parse(), Ok(near));
    }

    #[test]
    fn the_actor_is_a_fixed_function_of_device_and_incarnation() {
        let author =
            Author { device: DeviceKey::from_bytes([1; 32]), incarnation: Incarnation::from_bytes([2; 4]) };
        assert_eq!(author.actor().to_string(), "bf3df52251318b1099709cb3340e3998".to_string());
    }

    #[test]
    fn a_member_id_is_no_variable_name() {
        let member = MemberId::from_bytes([0xab; 8]);
        assert_eq!(member.to_string(), "m:abababababababab");
        assert_eq!("m:abababababababab".parse(), Ok(member));
        assert!("r401".parse::<MemberId>().is_err());
    }
}
