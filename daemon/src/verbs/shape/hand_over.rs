//! The shape of the answer about a hand-over.

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
