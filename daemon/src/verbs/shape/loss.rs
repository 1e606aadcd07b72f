//! The shapes of the answers about lost devices and set-aside work.

use serde::{Deserialize, Serialize};

use super::{Who, WriteShape};

/// The answer to `losing` and `revoke`: what is kept of a device's work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossShape {
    /// The device.
    pub device: String,
    /// Whose it is.
    pub name: String,
    /// The revocations, once they are made: one for each path by which the device was granted something through whoever
    /// revokes.
    pub revocations: Vec<String>,
    /// How many of its changes are kept.
    pub changes: u64,
    /// In how many sub-SLS.
    pub sub_sls: u64,
    /// How many of its own statements, grants among them, are kept.
    pub statements: u64,
    /// How many of its changes and statements are held and not kept, since they came after more than a revocation holds.
    pub left_out: u64,
    /// Officers who can end what the device goes on by, since this node does not speak for them.
    pub others: Vec<String>,
    /// Keys that follow the device by its own word, which is kept like all that it said, and read on.
    pub followers: Vec<String>,
}

/// The answer to `key rotate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotatedShape {
    /// The new key.
    pub device: String,
    /// The old one.
    pub was: String,
}

/// The answer to `root succeed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFollowedShape {
    /// The statement that says so.
    pub statement: String,
    /// The key that was root.
    pub was: String,
    /// The key that is.
    pub root: String,
    /// How many statements of the old key are kept.
    pub kept: u64,
    /// Where the shares of the new key are.
    pub shares: Vec<String>,
}

/// A change that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAsideLine {
    /// In which record.
    pub record: String,
    /// The head's name in that record.
    pub name: String,
    /// The change.
    pub change: String,
    /// Whose it is.
    #[serde(flatten)]
    pub who: Who,
    /// In which ink.
    pub ink: String,
    /// When, RFC 3339, by the author's clock.
    pub time: String,
    /// When, in milliseconds since 1970.
    pub time_ms: i64,
    /// `set aside: ` and why.
    pub standing: String,
    /// What it wrote.
    pub writes: Vec<WriteShape>,
}

/// The answer to `set-aside`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAsideShape {
    /// The changes, by record.
    pub changes: Vec<SetAsideLine>,
}

/// The answer to `settle`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledShape {
    /// Whether they were upheld; else they were dismissed.
    pub upheld: bool,
    /// The changes.
    pub changes: Vec<String>,
    /// The decisions, one for each sub-SLS.
    pub decisions: Vec<String>,
}

/// A record that a device held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLineShape {
    /// The record.
    pub record: String,
    /// The head's name.
    pub name: String,
    /// `wrote`, `was sent` or `may hold`: the surest that this node knows.
    pub held: String,
    /// How many of its changes the device made.
    pub own: u64,
    /// How many more this node knows it to have.
    pub sent: u64,
    /// How many more it could have got elsewhere.
    pub maybe: u64,
}

/// The answer to `held`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldShape {
    /// The device.
    pub device: String,
    /// Whose it is.
    pub name: String,
    /// Where it could ever read.
    pub regions: Vec<String>,
    /// When this node last heard of it, RFC 3339.
    pub last_contact: Option<String>,
    /// Why it was revoked, if it was.
    pub revoked: Vec<String>,
    /// The records.
    pub records: Vec<HeldLineShape>,
}
