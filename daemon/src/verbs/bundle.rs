//! The verbs about bundles: what is written for a device, and what one brought.

use std::cmp::Reverse;

use data_encoding::BASE64;
use rukun_authority::{GrantView, Role, Trust};
use rukun_change::{DeviceKey, Moment};
use rukun_replica::{BundleError, BundleOpenError as OpenError, Replica};
use serde::{Deserialize, Serialize};

use super::custody::custody;
use super::error::VerbError;
use super::shape::Who;
use super::teller::owner;
use super::typed;

/// What stands for whichever device is the district's.
const DISTRICT: &str = "district";

/// The answer to `bundle-export`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleShape {
    /// Whom it is for.
    #[serde(rename = "for")]
    pub recipient: Who,
    /// How many changes are in it.
    pub changes: usize,
    /// How many statements.
    pub statements: usize,
    /// The file, in base64.
    pub bundle: String,
}

/// The answer to `bundle-import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleTakenShape {
    /// Who wrote it.
    pub from: Who,
    /// How many changes were in it.
    pub changes: usize,
    /// How many of them are new here.
    pub changes_new: u64,
    /// How many statements are new here.
    pub statements_new: u64,
    /// How many changes that this device wrote have a receipt now and had none.
    #[serde(default)]
    pub receipted: u64,
    /// How many changes of that device wait here for what they rest on.
    pub waiting: usize,
    /// How much in it was refused; the log says why.
    pub refused: u64,
}

pub(super) fn export(replica: &mut Replica, recipient: &str) -> Result<BundleShape, VerbError> {
    let recipient = match recipient {
        DISTRICT => district(replica)?,
        device => typed::device(replica, device)?,
    };
    let written = replica.write_bundle(&recipient).map_err(|error| refused(error, ""))?;
    Ok(BundleShape {
        recipient: who(replica, &recipient),
        changes: written.changes,
        statements: written.statements,
        bundle: BASE64.encode(&written.bytes),
    })
}

pub(super) fn import(
    replica: &mut Replica,
    now: Moment,
    bundle: &str,
) -> Result<BundleTakenShape, VerbError> {
    let bytes = BASE64.decode(bundle.as_bytes()).map_err(|error| VerbError::new(error, "send base64"))?;
    let before = with_receipt(replica)?;
    let taken = replica.take_bundle(now, &bytes).map_err(|error| {
        let remedy = match &error {
            BundleError::Open(OpenError::ForAnother { .. }) => {
                "carry it there: rukun courier take FILE; if it is another folder of this machine, name that with \
                 --dir DIR"
            }
            _ => "nothing of it was believed; have it written again: rukun bundle export --for DEVICE FILE",
        };
        refused(error, remedy)
    })?;
    Ok(BundleTakenShape {
        from: who(replica, &taken.sender),
        changes: taken.changes,
        changes_new: taken.changes_new,
        statements_new: taken.statements_new,
        receipted: with_receipt(replica)?.saturating_sub(before),
        waiting: taken.waiting,
        refused: taken.refused,
    })
}

/// How many changes that this device wrote a receipt covers.
fn with_receipt(replica: &mut Replica) -> Result<u64, VerbError> {
    let custody = custody(&replica.custody()?);
    Ok(custody.written - custody.unproved)
}

/// The district's device that this one's grant came down from; if it came from none, or from this one, any other.
/// Where a lost one was followed by another under the same name, both are granted: it is the one last heard of.
fn district(replica: &Replica) -> Result<DeviceKey, VerbError> {
    let nobody = || {
        let remedy = "name the device: rukun bundle export --for DEVICE FILE";
        VerbError::new("no device of the district is known here", remedy).with_status(404)
    };
    let trust = replica.trust().ok_or_else(|| refused(BundleError::NoCharter, ""))?;
    let own = replica.device();
    let above = trust.chain(&own);
    let mut held = trust.grants();
    held.retain(|grant| grant.role == Role::District && grant.subject != own && !grant.in_force.is_empty());
    let nearness = |grant: &GrantView| (above.contains(&grant.id), Reverse(grant.id));
    let nearest = held.iter().max_by_key(|grant| nearness(grant)).ok_or_else(nobody)?.name.clone();
    held.retain(|grant| grant.name == nearest);
    let peers = replica.peers()?;
    let heard_ms = |device: &DeviceKey| {
        peers.iter().find(|peer| peer.key == *device).map_or(0, |peer| peer.last_contact_ms)
    };
    let latest = held.iter().max_by_key(|grant| (heard_ms(&grant.subject), nearness(grant)));
    latest.map(|grant| grant.subject).ok_or_else(nobody)
}

pub(super) fn who(replica: &Replica, device: &DeviceKey) -> Who {
    let grants = replica.trust().map(Trust::grants).unwrap_or_default();
    let role = grants.iter().filter(|grant| grant.subject == *device).map(|grant| grant.role).min();
    Who {
        author: owner(replica, device),
        role: role.map(|role| role.to_string()),
        device: device.to_string(),
    }
}

fn refused(error: BundleError, remedy: &str) -> VerbError {
    match error {
        BundleError::Replica(error) => error.into(),
        error @ (BundleError::Refused { .. } | BundleError::NoCharter | BundleError::NoSurvey) => {
            VerbError::new(error, "")
        }
        error => VerbError::new(error, remedy),
    }
}
