//! The shapes of the answers about erased records.

use serde::{Deserialize, Serialize};

/// The answer to `erase`, and a line of `erased`: what is left of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedShape {
    /// The record.
    pub record: String,
    /// The erasure.
    pub erasure: String,
    /// Whose word it is.
    pub by: String,
    /// The device that said so.
    pub device: String,
    /// Why.
    pub reason: String,
    /// How many changes are left without their answers.
    pub changes: u64,
}

/// The answer to `erased`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedListShape {
    /// The records, ascending.
    pub records: Vec<ErasedShape>,
}
