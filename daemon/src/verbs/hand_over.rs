//! The verb that hands a region over: assign.

use std::collections::BTreeSet;

use rukun_change::{DeviceKey, Region};
use rukun_replica::Replica;

use super::error::VerbError;
use super::shape::{AssignedShape, HolderShape};
use super::teller::owner;
use super::typed;

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
