//! The verbs about lost devices and set-aside work: revoke, set-aside, uphold, dismiss, held.

use rukun_authority::Keypair;
use rukun_change::{ChangeId, Moment};
use rukun_replica::{HeldLine, Loss, Replica, SetAside};

use super::error::VerbError;
use super::provenance::writes;
use super::shape::{
    HeldLineShape, HeldShape, LossShape, RotatedShape, SetAsideLine, SetAsideShape, SettledShape,
};
use super::teller::{Teller, head_name, owner, rfc3339};
use super::typed;

/// What a revocation would keep.
///
/// # Errors
/// If no such device is known, or whoever revokes does not stand above it.
pub fn losing(replica: &Replica, root: Option<&Keypair>, device: &str) -> Result<LossShape, VerbError> {
    let device = typed::device(replica, device)?;
    Ok(tell_loss(replica, &replica.losing(root, &device)?))
}

/// Revokes a device.
///
/// # Errors
/// If no such device is known, or whoever revokes does not stand above it or did so before.
pub fn revoke(
    replica: &mut Replica,
    root: Option<&Keypair>,
    device: &str,
    reason: &str,
) -> Result<LossShape, VerbError> {
    let device = typed::device(replica, device)?;
    let loss = replica.revoke(root, &device, reason)?;
    Ok(tell_loss(replica, &loss))
}

/// Goes on under the key of this seed.
///
/// # Errors
/// If this device has nothing that could go over, or stands above others.
pub fn rotate(replica: &mut Replica, now: Moment, seed: &[u8; 32]) -> Result<RotatedShape, VerbError> {
    let was = replica.rotate(now, *seed)?;
    Ok(RotatedShape { device: replica.device().to_string(), was: was.to_string() })
}

pub(super) fn set_aside(replica: &mut Replica, region: Option<&str>) -> Result<SetAsideShape, VerbError> {
    let region = typed::region(region)?;
    let found = replica.set_aside(region.as_ref())?;
    let line = |aside: SetAside| -> Result<SetAsideLine, VerbError> {
        let reading = replica.reading(&aside.record)?;
        let (teller, logged) = (Teller::of(replica), &aside.logged);
        Ok(SetAsideLine {
            record: aside.record.to_string(),
            name: head_name(&reading),
            change: logged.change.to_string(),
            who: teller.who(&logged.author, &aside.record.home(), logged.ink),
            ink: logged.ink.to_string(),
            time: rfc3339(logged.time_ms),
            time_ms: logged.time_ms,
            standing: logged.standing.to_string(),
            writes: writes(&teller, logged),
        })
    };
    Ok(SetAsideShape { changes: found.into_iter().map(line).collect::<Result<_, _>>()? })
}

/// Upholds or dismisses changes named by their beginnings, or all of a device that are set aside.
pub(super) fn settle(
    replica: &mut Replica,
    changes: &[String],
    device: Option<&str>,
    region: Option<&str>,
    upheld: bool,
) -> Result<SettledShape, VerbError> {
    let changes = match device {
        None => named(replica, changes)?,
        Some(device) => set_aside_of(replica, device, region)?,
    };
    let decided = replica.decide(None, &changes, upheld)?;
    Ok(SettledShape {
        upheld,
        changes: decided.changes.iter().map(ToString::to_string).collect(),
        decisions: decided.decisions.iter().map(ToString::to_string).collect(),
    })
}

pub(super) fn held(replica: &mut Replica, device: &str) -> Result<HeldShape, VerbError> {
    let device = typed::device(replica, device)?;
    let report = replica.held_by(&device)?;
    let revocations = replica.trust().map(|trust| trust.revocations_of(&device)).unwrap_or_default();
    let line = |line: HeldLine| HeldLineShape {
        record: line.record.to_string(),
        name: line.name,
        held: match (line.own, line.sent) {
            (0, 0) => "may hold".into(),
            (0, _) => "was sent".into(),
            _ => "wrote".into(),
        },
        own: line.own,
        sent: line.sent,
        maybe: line.maybe,
    };
    let heard = report.last_contact_ms > 0;
    Ok(HeldShape {
        device: device.to_string(),
        name: owner(replica, &device),
        regions: report.regions.iter().map(ToString::to_string).collect(),
        last_contact: heard.then(|| rfc3339(report.last_contact_ms)),
        revoked: revocations.into_iter().filter(|one| one.counts).map(|one| one.reason).collect(),
        records: report.lines.into_iter().map(line).collect(),
    })
}

/// The changes that have these beginnings.
fn named(replica: &Replica, beginnings: &[String]) -> Result<Vec<ChangeId>, VerbError> {
    let ids = replica.change_ids()?;
    beginnings.iter().map(|text| typed::change_among(&ids, text, "rukun set-aside")).collect()
}

fn set_aside_of(
    replica: &mut Replica,
    device: &str,
    region: Option<&str>,
) -> Result<Vec<ChangeId>, VerbError> {
    let (device, region) = (typed::device(replica, device)?, typed::region(region)?);
    let aside = replica.set_aside(region.as_ref())?;
    let of_device = aside.into_iter().filter(|aside| aside.logged.author.device == device);
    let changes: Vec<ChangeId> = of_device.map(|aside| aside.logged.change).collect();
    if changes.is_empty() {
        let message = format!("nothing of {} is set aside there", owner(replica, &device));
        return Err(VerbError::new(message, "rukun set-aside lists what is").with_status(404));
    }
    Ok(changes)
}

fn tell_loss(replica: &Replica, loss: &Loss) -> LossShape {
    LossShape {
        device: loss.device.to_string(),
        name: owner(replica, &loss.device),
        revocations: loss.revocations.iter().map(ToString::to_string).collect(),
        changes: loss.changes,
        sub_sls: loss.sub_sls,
        statements: loss.statements,
        left_out: loss.left_out,
        others: loss.others.iter().map(|issuer| owner(replica, issuer)).collect(),
        followers: loss.followers.iter().map(ToString::to_string).collect(),
    }
}
