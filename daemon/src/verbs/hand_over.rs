//! The verbs that hand a region over and move a family: assign, transfer, released.

use std::collections::BTreeSet;

use rukun_change::{DeviceKey, Moment, Region};
use rukun_replica::{Released, Replica};

use super::error::VerbError;
use super::shape::{AssignedShape, HolderShape, MovedShape, ReleasedListShape, ReleasedShape};
use super::teller::owner;
use super::{sls, typed};

pub(super) fn assign(
    replica: &mut Replica,
    region: &Region,
    from: &str,
    to: &str,
) -> Result<AssignedShape, VerbError> {
    let (from, to) = (typed::device(replica, from)?, typed::device(replica, to)?);
    let over = replica.assign(region, &from, &to)?;
    let roles = over.grants.iter().map(|grant| grant.role.to_string());
    Ok(AssignedShape {
        regions: texts(&over.regions),
        roles: roles.collect::<BTreeSet<_>>().into_iter().collect(),
        from: holder(replica, &from),
        to: holder(replica, &to),
        others: over.others.iter().map(|issuer| owner(replica, issuer)).collect(),
    })
}

pub(super) fn transfer(
    replica: &mut Replica,
    now: Moment,
    record: &str,
    to: &str,
) -> Result<MovedShape, VerbError> {
    let record = replica.find_record(record)?;
    let home = to.parse().map_err(|error| VerbError::new(error, "name all 16 digits of the sub-SLS"))?;
    let moved = replica.transfer(now, &record, home)?;
    Ok(MovedShape {
        from: moved.from.to_string(),
        to: moved.to.to_string(),
        transfer: moved.statement.to_string(),
        unassigned: sls::unassigned(replica, [home]),
    })
}

pub(super) fn released(replica: &Replica) -> Result<ReleasedListShape, VerbError> {
    let lines = replica.released()?.into_iter();
    let told = |line: Released| ReleasedShape {
        record: line.record.to_string(),
        changes: line.changes,
        own: line.own,
    };
    Ok(ReleasedListShape { records: lines.map(told).collect(), leaving: replica.outgrown_count()? })
}

fn holder(replica: &Replica, device: &DeviceKey) -> HolderShape {
    let (regions, revocations) =
        replica.trust().map(|trust| (trust.reads(device), trust.revocations_of(device))).unwrap_or_default();
    HolderShape {
        device: device.to_string(),
        name: owner(replica, device),
        revoked: revocations.iter().any(|revocation| revocation.counts),
        regions: texts(&regions),
    }
}

fn texts(regions: &[Region]) -> Vec<String> {
    regions.iter().map(Region::to_string).collect()
}
