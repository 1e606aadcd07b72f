//! What somebody decides, grants, revokes or moves, and what its node holds true at once: what was asked for, of whom
//! it was asked, and of everybody else what was so before. The model hears of a statement from the node that made it,
//! and would follow one that says something else.

use std::collections::{BTreeMap, BTreeSet};

use rukun_authority::{GrantView, Reason, Standing, Trust};
use rukun_change::{Author, ChangeId, DeviceKey, Ink, RecordId, Region, StatementId};
use rukun_document::{Logged, Reading};
use rukun_replica::{Decided, Loss, Moved, NewGrant, Replica};
use serde_json::Value;

use super::sim::Checked;

/// How each change stands that a node holds of some records.
pub(super) type Standings = BTreeMap<ChangeId, (DeviceKey, Standing)>;
/// The numbers that some changes have.
pub(super) type Numbers = BTreeSet<(Author, u64)>;
/// Where each device that was ever granted anything may read.
pub(super) type Readers = BTreeMap<DeviceKey, Vec<Region>>;

pub(super) fn standings(replica: &Replica, records: &[RecordId]) -> Standings {
    let readings = records.iter().filter_map(|record| replica.reading(record).ok());
    readings.flat_map(|reading| of_log(&reading)).collect()
}

fn of_log(reading: &Reading) -> Standings {
    let log = reading.log().iter();
    log.map(|logged| (logged.change, (logged.author.device, logged.standing))).collect()
}

pub(super) fn readers(trust: Option<&Trust>) -> Readers {
    let trust = trust.iter();
    trust
        .flat_map(|trust| {
            trust.grants().into_iter().map(|grant| (grant.subject, trust.reads(&grant.subject)))
        })
        .collect()
}

fn covers(places: &[Region], region: &Region) -> bool {
    places.iter().any(|place| place.covers(region))
}

/// A grant says what was to be granted, and gives it.
pub(super) fn is_granted(
    trust: Option<&Trust>,
    view: &GrantView,
    new: &NewGrant,
    issuer: DeviceKey,
) -> Checked {
    let said = (view.issuer, view.subject, view.role, view.name.as_str());
    let same = new.regions.iter().all(|region| covers(&view.regions, region))
        && view.regions.iter().all(|region| covers(&new.regions, region));
    let reads = trust.map(|trust| trust.reads(&new.subject)).unwrap_or_default();
    let gives = new.regions.iter().all(|region| covers(&reads, region));
    if said == (issuer, new.subject, new.role, new.name.as_str()) && same && gives {
        return Ok(());
    }
    Err(format!("{new:?} by {} was meant, and {view:?} granted, by which it reads {reads:?}", issuer.short()))
}

/// Decisions name the changes that were to be decided on, and no other.
pub(super) fn are_named(decided: &Decided, changes: &[ChangeId]) -> Checked {
    let (named, meant): (BTreeSet<_>, BTreeSet<_>) =
        (decided.changes.iter().collect(), changes.iter().collect());
    if named == meant && decided.changes.len() == meant.len() && !decided.decisions.is_empty() {
        return Ok(());
    }
    Err(format!("{changes:?} were to be decided on, and {decided:?} was"))
}

/// Those of them in this record stand as was decided. Of all others nothing was said, but of those that share a
/// number or a place with one of them.
pub(super) fn are_decided(
    (changes, numbers, upheld): (&[ChangeId], &Numbers, bool),
    before: &Standings,
    after: &Reading,
) -> Checked {
    let log = after.log();
    let named: Vec<&Logged> = log.iter().filter(|logged| changes.contains(&logged.change)).collect();
    let held = changes.iter().filter(|change| before.contains_key(*change)).count();
    if named.len() != held {
        return Err(format!("of {held} changes that were decided on {} are there", named.len()));
    }
    let otherwise = named.iter().find(|one| match one.standing {
        Standing::Upheld | Standing::SetAside(Reason::Dangling | Reason::Sequence) => !upheld,
        Standing::SetAside(Reason::Dismissed) => upheld,
        _ => true,
    });
    if let Some(one) = otherwise {
        return Err(format!("{:.12} stands {:?} once it was decided on: {upheld}", one.change, one.standing));
    }
    let shares = |change: &ChangeId| {
        let other = log.iter().find(|logged| logged.change == *change);
        other.is_some_and(|other| {
            let of_author = |one: &&&Logged| one.author.device == other.author.device;
            numbers.contains(&(other.author, other.n))
                || named.iter().filter(of_author).any(|one| one.ink == other.ink)
        })
    };
    let now = of_log(after);
    let touched = before
        .iter()
        .find(|(other, (_, stood))| now.get(*other).is_none_or(|(_, now)| now != stood && !shares(other)));
    match touched {
        None => Ok(()),
        Some((other, stood)) => {
            Err(format!("{other:.12} stood {stood:?} and was not decided on: {:?}", now.get(other)))
        }
    }
}

/// A revoked device reads nothing that nobody else granted it; what stood of it stands, all of it; who was granted
/// anything through it reads on.
pub(super) fn is_revoked(
    trust: Option<&Trust>,
    loss: &Loss,
    (by, device): (DeviceKey, DeviceKey),
    (stood, stands): (&Standings, &Standings),
    (read, read_now): (&Readers, &Readers),
) -> Checked {
    let said = trust.map(|trust| trust.revocations_of(&device)).unwrap_or_default();
    let is_said = |id: &StatementId| {
        said.iter().any(|said| said.id == *id && said.issuer == by && said.reason == "dicuri")
    };
    let is_meant = loss.device == device && loss.left_out == 0 && !loss.revocations.is_empty();
    if !is_meant || !loss.revocations.iter().all(is_said) {
        return Err(format!("{} was to be revoked by {}, and {loss:?} is", device.short(), by.short()));
    }
    let reads = read_now.get(&device).map(Vec::as_slice).unwrap_or_default();
    if loss.others.is_empty() != reads.is_empty() {
        let by = by.short();
        return Err(format!(
            "{} was revoked by {by}, and reads {reads:?}: {:?}",
            device.short(),
            loss.others
        ));
    }
    let fallen = stood.iter().find(|(change, (author, standing))| {
        let now = stands.get(*change).map(|(_, standing)| *standing);
        let kept = now.is_some_and(|now| now.is_good() || now == Standing::SetAside(Reason::Fork));
        *author == device && standing.is_good() && !kept
    });
    if let Some((change, standing)) = fallen {
        return Err(format!(
            "{change:.12} stood {standing:?}, was to be kept, and stands {:?}",
            stands.get(change)
        ));
    }
    // What an earlier revocation of a lower tier had left out counts again where this one keeps it: a place that was
    // handed over, then, is the other's.
    let is_first = said.len() == loss.revocations.len();
    let lost = read.iter().filter(|_| is_first).find(|(other, places)| {
        **other != device && !places.iter().all(|place| covers(&read_now[other], place))
    });
    match lost {
        None => Ok(()),
        Some((other, places)) => Err(format!(
            "{} read {places:?} before another was revoked, and reads {:?}",
            other.short(),
            read_now[other]
        )),
    }
}

/// Whoever read anything reads it on, where one key took the place of another.
pub(super) fn goes_on(before: &Readers, after: &Readers, (old, new): (DeviceKey, DeviceKey)) -> Checked {
    for (device, places) in before {
        let now = if *device == old { new } else { *device };
        let reads = after.get(&now).map(Vec::as_slice).unwrap_or_default();
        if let Some(place) = places.iter().find(|place| !covers(reads, place)) {
            return Err(format!("{} does not read {place} any more, as {}", device.short(), now.short()));
        }
    }
    Ok(())
}

/// A family that moved is read where it is now as it was, its old record says where it went, and the district's word
/// leads back.
pub(super) fn is_moved(replica: &Replica, moved: &Moved, record: RecordId, before: &Reading) -> Checked {
    let read = |record: &RecordId| replica.reading(record).map_err(|error| error.to_string());
    let (now, old) = (read(&moved.to)?, read(&record)?);
    let is_plain = before.inks().iter().all(|ink| *ink != Ink::Black);
    // A store that was put back silently uses its numbers again.
    if now.log().iter().chain(old.log()).any(|logged| logged.standing == Standing::SetAside(Reason::Fork)) {
        return Ok(());
    }
    let gone = format!("pindah ke {}", moved.to);
    let leads: Option<(StatementId, RecordId)> = replica.came_from(&moved.to);
    let same = answers(before) == answers(&now) && now.inks() == [Ink::Printed];
    if moved.from == record
        && same
        && leads == Some((moved.statement, record))
        && (!is_plain || old.gone() == Some(gone.as_str()))
    {
        return Ok(());
    }
    Err(format!(
        "{record} was moved as {moved:?}: {:?} was read, and {:?} is",
        before.to_json(),
        now.to_json()
    ))
}

/// What is read, without the members' ids.
fn answers(reading: &Reading) -> (Value, Vec<String>) {
    let mut json = reading.to_json();
    let members = json.as_object_mut().and_then(|answers| answers.remove("members"));
    let members = members.as_ref().and_then(Value::as_object).into_iter().flatten();
    let mut members: Vec<String> = members.map(|(_, answers)| answers.to_string()).collect();
    members.sort_unstable();
    (json, members)
}
