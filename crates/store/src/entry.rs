//! An entry of the log: the row beside a sealed value becomes what stands there, its ids and the peer
//! that it came from. Nothing is unsealed here; appending is the business of `log`.

use rukun_change::{ChangeId, DeviceKey, RecordId, StatementId};

use crate::fault::StoreError;
use crate::store::Memory;
use crate::tables::ENTRY;

/// What is left in the row of a place whose content was released.
pub(crate) const RELEASED_ENTRY: u8 = 3;

/// What stands at one place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its place, from 1.
    pub seq: u64,
    /// What it is.
    pub kind: EntryKind,
    /// The peer that it came from; none if it was made here.
    pub from: Option<DeviceKey>,
}

/// What kind of thing stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A change.
    Change {
        /// Which.
        id: ChangeId,
        /// Of which record.
        record: RecordId,
    },
    /// A statement.
    Statement {
        /// Which.
        id: StatementId,
    },
    /// A receipt, the latest of its issuer there or an earlier one.
    Receipt {
        /// Which.
        id: StatementId,
    },
    /// Nothing any more: what stood here was released.
    Released,
}

impl Memory {
    /// Reads a row of [`ENTRY`].
    pub(crate) fn entry(&self, seq: u64, entry: &[u8]) -> Result<LogEntry, StoreError> {
        let read = || {
            let (kind, rest) = entry.split_first()?;
            if *kind == RELEASED_ENTRY {
                return rest.is_empty().then_some(LogEntry { seq, kind: EntryKind::Released, from: None });
            }
            let (id, rest) = rest.split_first_chunk::<32>()?;
            let (kind, from) = match kind {
                0 => {
                    let (record, from) = rest.split_first_chunk::<16>()?;
                    let record = RecordId::from_bytes(*record).ok()?;
                    (EntryKind::Change { id: ChangeId::from_bytes(*id), record }, from)
                }
                1 => (EntryKind::Statement { id: StatementId::from_bytes(*id) }, rest),
                2 => (EntryKind::Receipt { id: StatementId::from_bytes(*id) }, rest),
                _ => return None,
            };
            let from = match u32::from_be_bytes(from.try_into().ok()?) {
                0 => None,
                number => Some(*self.devices.get(&number)?),
            };
            Some(LogEntry { seq, kind, from })
        };
        read().ok_or_else(|| StoreError::damaged(&ENTRY, &seq.to_be_bytes()))
    }
}
