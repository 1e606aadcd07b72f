//! A record that was erased, as it is told of: who said so and why, and how much of it is left.

use rukun_change::{DeviceKey, RecordId, StatementId};

/// A record of which only the history is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The record.
    pub record: RecordId,
    /// The erasure.
    pub statement: StatementId,
    /// Who erased it.
    pub issuer: DeviceKey,
    /// Why.
    pub reason: String,
    /// How many changes of it are in the set, without their answers.
    pub changes: u64,
}
