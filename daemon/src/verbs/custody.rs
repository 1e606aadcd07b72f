//! How far work has come, told in words.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use rukun_change::{ChangeId, RecordId};
use rukun_replica::{Custody, NumberLine, OfficerLine, Reached, Replica};

use super::error::VerbError;
use super::shape::{CustodyShape, NumbersShape, TeamShape};
use super::teller::rfc3339;

/// How far each change of a record has come, and how far all of them have.
pub(super) fn reached(
    replica: &Replica,
    record: &RecordId,
) -> Result<(BTreeMap<ChangeId, Reached>, Reached), VerbError> {
    let reached = replica.reached(record)?;
    let least = reached.values().min().copied().unwrap_or(Reached::Here);
    Ok((reached, least))
}

pub(super) fn custody(custody: &Custody) -> CustodyShape {
    let at = |reached: Reached| custody.written.get(&reached).copied().unwrap_or_default();
    CustodyShape {
        written: custody.written.values().sum(),
        district: at(Reached::District),
        coordinator: at(Reached::Coordinator),
        supervisor: at(Reached::Supervisor),
        unproved: at(Reached::Here) + at(Reached::HereAlone),
        alone: custody.alone,
        alone_since: custody.alone_since_ms.map(rfc3339),
        alone_since_ms: custody.alone_since_ms,
    }
}

pub(super) fn officer(line: OfficerLine) -> TeamShape {
    let heard = Some(line.last_contact_ms).filter(|ms| *ms > 0);
    let numbers = |line: NumberLine| NumbersShape {
        incarnation: line.incarnation.to_string(),
        last: line.last,
        missing: line.missing.into_iter().map(RangeInclusive::into_inner).collect(),
    };
    TeamShape {
        device: line.device.to_string(),
        name: line.name,
        role: line.role.map(|role| role.to_string()),
        changes: line.changes,
        last_contact: heard.map(rfc3339),
        last_contact_ms: heard,
        numbers: line.incarnations.into_iter().map(numbers).collect(),
    }
}
