//! The verbs about erased records: erase, erased.

use rukun_authority::Keypair;
use rukun_replica::{Erased, Replica};

use super::error::VerbError;
use super::shape::{ErasedListShape, ErasedShape};
use super::teller::owner;
use super::typed;

/// Erases a record.
///
/// # Errors
/// If whoever erases is no district there, there is no such record, or it was erased before.
pub fn erase(
    replica: &mut Replica,
    root: Option<&Keypair>,
    record: &str,
    reason: &str,
) -> Result<ErasedShape, VerbError> {
    let record = replica.find_record(record)?;
    let erased = replica.erase(root, &record, reason)?;
    Ok(told(replica, erased))
}

pub(super) fn erased(replica: &Replica, region: Option<&str>) -> Result<ErasedListShape, VerbError> {
    let region = typed::region(region)?;
    let found = replica.erased(region.as_ref())?.into_iter();
    Ok(ErasedListShape { records: found.map(|erased| told(replica, erased)).collect() })
}

fn told(replica: &Replica, erased: Erased) -> ErasedShape {
    ErasedShape {
        record: erased.record.to_string(),
        erasure: erased.statement.to_string(),
        by: owner(replica, &erased.issuer),
        device: erased.issuer.to_string(),
        reason: erased.reason,
        changes: erased.changes,
    }
}
