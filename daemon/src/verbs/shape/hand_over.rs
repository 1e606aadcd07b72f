//! The shapes of the answers about hand-overs and transfers.

use serde::{Deserialize, Serialize};

/// The answer to `assign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedShape {
    /// What changed hands.
    pub regions: Vec<String>,
    /// In which role; several where the device was granted several.
    pub roles: Vec<String>,
    /// Who gave it.
    pub from: HolderShape,
    /// Who has it now.
    pub to: HolderShape,
    /// Officers by whose grants the first one still holds some of it, since this device does not speak
    /// for them.
    pub others: Vec<String>,
}

/// A device and what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderShape {
    /// The device.
    pub device: String,
    /// Whose it is.
    pub name: String,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Where it may read now.
    pub regions: Vec<String>,
}

/// The answer to `transfer`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedShape {
    /// The record that ended.
    pub from: String,
    /// The record that goes on.
    pub to: String,
    /// The word that says so.
    pub transfer: String,
    /// The sub-SLS that it goes on in, if no enumerator is granted that, as far as this node knows.
    #[serde(default)]
    pub unassigned: Vec<String>,
}

/// From where a record came, in the answer to `log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameShape {
    /// The record before.
    pub from: String,
    /// Whose word it is.
    pub by: String,
    /// The word.
    pub transfer: String,
    /// The history before, where it may be read.
    pub log: Option<super::LogShape>,
}

/// A line of `released`: a record that left this device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedShape {
    /// The record.
    pub record: String,
    /// How many changes of it were held here.
    pub changes: u64,
    /// How many of these were made here.
    pub own: u64,
}

/// The answer to `released`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedListShape {
    /// The records, ascending.
    pub records: Vec<ReleasedShape>,
    /// How many records are still here that may be read here no more.
    pub leaving: u64,
}
