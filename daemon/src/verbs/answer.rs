//! Each request to what answers it.

use std::path::Path;

use rukun_authority::{Charter, Keypair};
use rukun_change::{Digest, Moment, Region};
use rukun_replica::{NewGrant, Replica, Status};
use serde::Serialize;
use serde_json::Value;

use super::address::{add_addresses, check_address};
use super::error::VerbError;
use super::request::Request;
use super::shape::{
    BackupShape, FingerprintsShape, FoundedShape, GrantedShape, GrantsShape, IdShape, JoinedShape, PeerShape,
    PeersShape, StatusShape, SurveyShape,
};
use super::teller::{Teller, rfc3339};
use super::{
    bundle, courier, custody, erasure, evidence, hand_over, import, invite, loss, network, provenance,
    record, sls, typed,
};
use crate::disk;

/// Carries out a request. What it writes is staged: the caller commits before passing the answer on.
///
/// # Errors
/// If it can't be carried out; then nothing was written, but of a bundle what it brought before.
pub fn answer(replica: &mut Replica, now: Moment, request: Request) -> Result<Value, VerbError> {
    match request {
        Request::Id => json(id(replica)),
        Request::Join { survey, peers } => {
            // All of them first: what is refused has written nothing.
            peers.iter().try_for_each(|peer| check_address(peer))?;
            replica.join(survey)?;
            let peers = add_addresses(replica, peers)?;
            json(JoinedShape { survey: survey.to_string(), device: replica.device().to_string(), peers })
        }
        Request::Grant { device, role, regions, name } => {
            let new = NewGrant { subject: device, role, regions, name };
            json(grant(replica, None, new)?)
        }
        Request::Grants => {
            let teller = Teller::of(replica);
            let grants = replica.trust().map(rukun_authority::Trust::grants).unwrap_or_default();
            json(GrantsShape { grants: grants.iter().map(|grant| teller.grant(grant)).collect() })
        }
        Request::Assign { region, from, to } => json(hand_over::assign(replica, &region, &from, &to)?),
        Request::Transfer { record, to } => json(hand_over::transfer(replica, now, &record, &to)?),
        Request::Losing { device } => json(loss::losing(replica, None, &device)?),
        Request::Revoke { device, reason } => json(loss::revoke(replica, None, &device, &reason)?),
        Request::SetAside { region } => json(loss::set_aside(replica, region.as_deref())?),
        Request::Settle { changes, device, region, upheld } => {
            json(loss::settle(replica, &changes, device.as_deref(), region.as_deref(), upheld)?)
        }
        Request::Held { device } => json(loss::held(replica, &device)?),
        Request::Erase { record, reason } => json(erasure::erase(replica, None, &record, &reason)?),
        Request::Erased { region } => json(erasure::erased(replica, region.as_deref())?),
        Request::Released => json(hand_over::released(replica)?),
        Request::SlsRedraw { from, to } => json(sls::redraw(replica, from, to)?),
        Request::SlsList => json(sls::list(replica)?),
        Request::PeerAdd { address } => json(PeersShape { peers: add_addresses(replica, vec![address])? }),
        Request::PeerRemove { address } => json(remove_address(replica, &address)?),
        Request::PeerList => json(PeersShape { peers: replica.addresses()? }),
        Request::ImportHeading { columns } => json(import::heading(replica, &columns)?),
        Request::Import { rows } => json(import::import(replica, now, rows)?),
        Request::RecordAdd { region, ink, patch, set } => {
            json(record::add(replica, now, &region, ink.as_deref(), patch, &set)?)
        }
        Request::RecordSet(edit) => json(record::set(replica, now, edit)?),
        Request::RecordSetMany { edits } => json(record::set_many(replica, now, edits)?),
        Request::RecordShow { record } => json(record::show(replica, &record)?),
        Request::RecordList { region, after, limit } => {
            json(record::list(replica, region.as_deref(), after.as_deref(), limit)?)
        }
        Request::RecordGone { record, member, reason, ink } => {
            json(record::gone(replica, now, &record, member.as_deref(), &reason, ink.as_deref())?)
        }
        Request::Status => {
            let status = replica.status()?;
            let dials = replica.addresses()?;
            json(tell_status(&Teller::of(replica), status, dials))
        }
        Request::Log { record } => json(provenance::log(replica, &record)?),
        Request::Blame { record } => json(provenance::blame(replica, &record)?),
        Request::Evidence { record } => json(evidence::evidence(replica, now, &record)?),
        Request::BundleExport { recipient } => json(bundle::export(replica, &recipient)?),
        Request::BundleImport { bundle } => json(bundle::import(replica, now, &bundle)?),
        Request::CourierTake { bundle } => json(courier::take(replica, now, &bundle)?),
        Request::CourierList => json(courier::list(replica)),
        Request::CourierGive { bundle } => json(courier::give(replica, &bundle)?),
        Request::CourierDrop { bundle } => json(courier::drop(replica, &bundle)?),
        Request::Conflicts { region, kind } => {
            json(provenance::conflicts(replica, region.as_deref(), kind.as_deref())?)
        }
        Request::ConflictsShow { record } => json(provenance::show_conflicts(replica, &record)?),
        Request::Resolve { record, field, pick, value, ink } => {
            let choice = provenance::typed_choice(pick, value)?;
            json(provenance::resolve(replica, now, &record, &field, &choice, ink.as_deref())?)
        }
        // A daemon answers it before it comes here.
        Request::Network(_) => Err(network::no_daemon()),
        Request::Backup { path } => json(back_up(replica, &path)?),
        Request::Fingerprints { region } => {
            let region = typed::region(region.as_deref())?;
            let fingerprints = replica.fingerprints(region.as_ref())?.into_iter();
            let text = |(home, fingerprint): (rukun_change::SubSls, rukun_change::Fingerprint)| {
                (home.to_string(), fingerprint.to_string())
            };
            json(FingerprintsShape { fingerprints: fingerprints.map(text).collect() })
        }
        Request::Officers => json(invite::list(replica, now)?),
        Request::OfficersCheck { rows } => json(invite::check(replica, now, rows)?),
        Request::OfficersInvite { officers, expires_ms } => {
            json(invite::invite(replica, now, officers, expires_ms)?)
        }
        Request::OfficersWithdraw { who } => json(invite::withdraw(replica, now, &who)?),
        Request::Enrol(enrol) => json(invite::enrol(replica, now, &enrol)?),
    }
}

/// What was committed before is in it; what this answer's own commit makes durable is nothing of it.
fn back_up(replica: &Replica, path: &Path) -> Result<BackupShape, VerbError> {
    if !path.is_absolute() {
        return Err(VerbError::new(format!("{} is no whole path", path.display()), "begin it with /"));
    }
    let (changes, bytes) = disk::back_up(path, |file| replica.back_up(file))?;
    Ok(BackupShape { path: path.display().to_string(), changes, bytes })
}

/// Founds a survey under its root key and grants this device the district.
///
/// # Errors
/// If the device is in a survey already, or the questionnaire can't be used.
pub fn found(
    replica: &mut Replica,
    root: &Keypair,
    survey: &crate::survey::Survey,
) -> Result<FoundedShape, VerbError> {
    let charter = Charter {
        name: survey.name.clone(),
        code: survey.code.clone(),
        period: survey.period.clone(),
        questionnaire: Digest::of(&survey.questionnaire),
        dictionary: None,
    };
    let device = replica.device();
    let office = NewGrant {
        subject: device,
        role: rukun_authority::Role::District,
        regions: vec![survey.region],
        name: survey.office.clone(),
    };
    let id = replica.found(root, charter, &survey.questionnaire, office)?;
    Ok(FoundedShape {
        survey: id.to_string(),
        name: survey.name.clone(),
        device: device.to_string(),
        region: survey.region.to_string(),
    })
}

/// Grants a role, under the root key or as this device.
///
/// # Errors
/// If the issuer holds no grant that this one could rest on.
pub fn grant(
    replica: &mut Replica,
    root: Option<&Keypair>,
    new: NewGrant,
) -> Result<GrantedShape, VerbError> {
    let subject = new.subject;
    let reads = |replica: &Replica| replica.trust().map(|trust| trust.reads(&subject)).unwrap_or_default();
    let mut taken = reads(replica);
    let view = replica.grant(root, new)?;
    let left = reads(replica);
    taken.retain(|place| !left.iter().any(|left| left.covers(place)));
    let taken = taken.iter().map(ToString::to_string).collect();
    Ok(GrantedShape { grant: Teller::of(replica).grant(&view), taken })
}

fn id(replica: &Replica) -> IdShape {
    IdShape {
        device: replica.device().to_string(),
        survey: replica.survey().map(|survey| survey.to_string()),
    }
}

fn remove_address(replica: &mut Replica, address: &str) -> Result<PeersShape, VerbError> {
    let mut peers = replica.addresses()?;
    let before = peers.len();
    peers.retain(|held| held != address);
    if peers.len() == before {
        let remedy = "rukun peer list shows the addresses";
        return Err(
            VerbError::new(format!("{address} is not among the addresses dialled"), remedy).with_status(404)
        );
    }
    replica.set_addresses(&peers)?;
    Ok(PeersShape { peers })
}

fn tell_status(teller: &Teller<'_>, status: Status, dials: Vec<String>) -> StatusShape {
    let survey = status.survey.map(|line| {
        let known = !line.name.is_empty();
        SurveyShape {
            survey: line.id.to_string(),
            name: known.then_some(line.name),
            code: known.then_some(line.code),
            period: known.then_some(line.period),
            roots: line.roots.iter().map(ToString::to_string).collect(),
            questionnaire: line.has_questionnaire,
        }
    });
    StatusShape {
        device: status.device.to_string(),
        survey,
        grants: status.grants.iter().map(|grant| teller.grant(grant)).collect(),
        revoked: status.revoked,
        records: status.records,
        leaving: status.leaving,
        renewal_due: status.renewal_due,
        changes: status.changes,
        statements: status.statements,
        carries: status.carries,
        conflicts: status.conflicts.iter().map(|(kind, count)| (kind.to_string(), *count)).collect(),
        unread: status.unread,
        waiting: status.waiting,
        disk_bytes: status.disk_bytes,
        fingerprint: status.fingerprint.to_string(),
        custody: custody::custody(&status.custody),
        officers: status.officers.into_iter().map(custody::officer).collect(),
        peers: status.peers.into_iter().map(peer).collect(),
        dials,
        traffic: None,
    }
}

fn peer(line: rukun_replica::PeerLine) -> PeerShape {
    let heard = line.last_contact_ms > 0;
    PeerShape {
        device: line.key.to_string(),
        name: line.name,
        role: line.role.map(|role| role.to_string()),
        regions: line.regions.iter().map(Region::to_string).collect(),
        linked: line.linked,
        in_sync: line.in_sync,
        lacks: line.lacks,
        refused: line.refused,
        last_contact: heard.then(|| rfc3339(line.last_contact_ms)),
        last_contact_ms: heard.then_some(line.last_contact_ms),
        traffic: None,
    }
}

fn json(shape: impl Serialize) -> Result<Value, VerbError> {
    serde_json::to_value(shape)
        .map_err(|error| VerbError::new(format!("the answer can't be written: {error}"), "").with_status(500))
}
