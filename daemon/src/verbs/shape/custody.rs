//! The shapes of what is told of delivery: how far work has come, and what is missing of whose.

use serde::{Deserialize, Serialize};

/// How far the changes that this device wrote have come, each counted at the highest tier that is proved,
/// and how much of what it holds is nowhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustodyShape {
    /// How many changes this device wrote.
    pub written: u64,
    /// How many of them are at the district.
    pub district: u64,
    /// How many more at a coordinator.
    pub coordinator: u64,
    /// How many more at a supervisor.
    pub supervisor: u64,
    /// How many no receipt covers.
    pub unproved: u64,
    /// How many of all changes held nobody else is known to hold.
    pub alone: u64,
    /// When the first of these was made, RFC 3339.
    pub alone_since: Option<String>,
    /// The same in milliseconds since 1970.
    pub alone_since_ms: Option<i64>,
}

/// An officer whose whole work this node should hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamShape {
    /// The device.
    pub device: String,
    /// Whose it is.
    pub name: String,
    /// Its highest role in force.
    pub role: Option<String>,
    /// How many of its changes are held here.
    pub changes: u64,
    /// When it was last linked with this node, RFC 3339; null if never.
    pub last_contact: Option<String>,
    /// The same in milliseconds since 1970.
    pub last_contact_ms: Option<i64>,
    /// The numbers of its work, by incarnation of its store.
    pub numbers: Vec<NumbersShape>,
}

/// The numbers that an officer's work carries in one incarnation of its store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumbersShape {
    /// The incarnation.
    pub incarnation: String,
    /// The highest number that is held.
    pub last: u64,
    /// The numbers below it that are not held, as first and last of each run.
    pub missing: Vec<(u64, u64)>,
}
