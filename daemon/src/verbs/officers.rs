//! The shapes of what is asked and answered about officers and their invitations. No code is in them but
//! what follows from one.

use std::net::IpAddr;

use rukun_replica::{EnrolAsk, Session};
use serde::{Deserialize, Serialize};

use super::shape::{BadRow, GrantShape};

/// A row of a file of officers, its cells as they stand there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfficerRow {
    /// Its line in the file, for messages.
    pub line: u64,
    /// The person's name.
    pub name: String,
    /// The role: its word, or BPS's.
    pub role: String,
    /// Region codes.
    pub regions: Vec<String>,
    /// The person's number.
    pub phone: String,
}

/// A row, and what follows from the code that was made for the person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOfficer {
    /// The row.
    #[serde(flatten)]
    pub row: OfficerRow,
    /// The invitation's id, 32 hexadecimal digits.
    pub invitation: String,
    /// What proves the code, 64 hexadecimal digits. A secret.
    pub proof_key: String,
}

/// The answer to `officers-check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedShape {
    /// The survey's name.
    pub survey: String,
    /// The lines of those who can be invited.
    pub new: Vec<u64>,
    /// Those who are already.
    pub there: Vec<InvitedRow>,
    /// Rows that can't be.
    pub bad: Vec<BadRow>,
}

/// The answer to `officers-invite`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitedShape {
    /// Those who are invited now.
    pub made: Vec<InvitedRow>,
    /// Those who were already.
    pub there: Vec<InvitedRow>,
    /// Rows that could not be.
    pub bad: Vec<BadRow>,
}

/// A row and the person's invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitedRow {
    /// The line in the file.
    pub line: u64,
    /// The invitation.
    pub invitation: String,
    /// The person's name.
    #[serde(default)]
    pub name: String,
    /// The device that an earlier invitation of the person enrolled, if it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
}

/// The answer to `officers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfficersShape {
    /// Everyone who was invited, by role and name.
    pub officers: Vec<OfficerShape>,
    /// From where codes were guessed in the last hour, as far as this run of the daemon knows.
    pub wrong_tries: Vec<WrongTriesShape>,
}

/// An invitation and what became of it. The answer to `officers-withdraw`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfficerShape {
    /// The invitation's id.
    pub invitation: String,
    /// The person's name.
    pub name: String,
    /// In which role.
    pub role: String,
    /// Where.
    pub regions: Vec<String>,
    /// The person's number.
    pub phone: String,
    /// `open`, `used`, `expired` or `withdrawn`.
    pub state: String,
    /// When it was made, RFC 3339.
    pub made: String,
    /// The same in milliseconds since 1970.
    pub made_ms: i64,
    /// Until when it is good, RFC 3339.
    pub expires: String,
    /// The same in milliseconds since 1970.
    pub expires_ms: i64,
    /// The device that used it.
    pub device: Option<String>,
    /// The grant that this device got.
    pub grant: Option<String>,
    /// When it was used or withdrawn, RFC 3339.
    pub settled: Option<String>,
    /// The same in milliseconds since 1970.
    pub settled_ms: Option<i64>,
}

/// An address from which codes were guessed wrongly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongTriesShape {
    /// The address; of IPv6 the network of 64 bits.
    pub address: String,
    /// How many wrong codes came in the last hour.
    pub tries: usize,
    /// Until when it is refused, RFC 3339; null if it is not.
    pub refused_until: Option<String>,
    /// The same in milliseconds since 1970.
    pub refused_until_ms: Option<i64>,
}

/// The answer to a joining by code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolledShape {
    /// The survey.
    pub survey: String,
    /// Its name.
    pub name: String,
    /// This device.
    pub device: String,
    /// What it was granted.
    pub grant: GrantShape,
    /// The addresses that are dialled.
    pub peers: Vec<String>,
}

/// What a device asks that wants to be enrolled, and how it came.
#[derive(Clone, Debug)]
pub struct EnrolRequest {
    /// From which address.
    pub from: IpAddr,
    /// In which session.
    pub session: Session,
    /// What.
    pub ask: EnrolAsk,
}
