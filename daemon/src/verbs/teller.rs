//! What the crates know in keys and codes, told in words: a device by its owner's name, a field by
//! its label, a time as RFC 3339.

use rukun_authority::{GrantView, Role, Trust};
use rukun_change::{Author, DeviceKey, Ink, MemberId, RecordId, Scalar, SubSls};
use rukun_document::{Candidate, Conflict, Place, Questionnaire, Reading};
use rukun_replica::Replica;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::shape::{BlameLine, CandidateShape, ConflictShape, GrantShape, MemberShape, Who};

/// The variable that holds a member's name.
const MEMBER_NAME: &str = "r402";
/// The variable that holds the name of a family's head.
const HEAD_NAME: &str = "r108";

/// Tells what a node knows.
#[derive(Clone, Copy)]
pub(super) struct Teller<'a> {
    trust: Option<&'a Trust>,
    questionnaire: Option<&'a Questionnaire>,
}

impl<'a> Teller<'a> {
    pub(super) fn of(replica: &'a Replica) -> Self {
        Self { trust: replica.trust(), questionnaire: replica.questionnaire() }
    }

    /// What follows from these statements alone: fields have no labels.
    pub(super) fn of_trust(trust: &'a Trust) -> Self {
        Self { trust: Some(trust), questionnaire: None }
    }

    /// Who wrote in this ink there.
    pub(super) fn who(&self, author: &Author, home: &SubSls, ink: Ink) -> Who {
        let device = author.device;
        let name = self.trust.and_then(|trust| trust.name_of(&device)).unwrap_or_default();
        let role = self.role(&device, home, ink);
        Who { author: name.into(), role: role.map(|role| role.name().into()), device: device.to_string() }
    }

    /// The role that writes the ink, of those that the device ever had there; else any that it had.
    fn role(&self, device: &DeviceKey, home: &SubSls, ink: Ink) -> Option<Role> {
        let grants = self.trust?.grants_of(device);
        let here = |grant: &&GrantView| grant.regions.iter().any(|region| region.covers_sub_sls(home));
        let writes = |grant: &&GrantView| grant.role.inks().contains(&ink);
        let best = grants.iter().find(|grant| here(grant) && writes(grant));
        best.or_else(|| grants.iter().find(here)).or(grants.first()).map(|grant| grant.role)
    }

    pub(super) fn label(&self, field: &str) -> Option<String> {
        Some(self.questionnaire?.variable(field)?.label_id.clone())
    }

    pub(super) fn candidate(&self, candidate: &Candidate, home: &SubSls) -> CandidateShape {
        CandidateShape {
            change: candidate.change.to_string(),
            who: self.who(&candidate.author, home, candidate.ink),
            ink: candidate.ink.to_string(),
            value: value(&candidate.value),
            time: rfc3339(candidate.time_ms),
            time_ms: candidate.time_ms,
        }
    }

    pub(super) fn conflict(&self, conflict: &Conflict, reading: &Reading) -> ConflictShape {
        let record = reading.id();
        let candidate = |candidate| self.candidate(candidate, &record.home());
        ConflictShape {
            record: record.to_string(),
            name: head_name(reading),
            kind: conflict.kind.to_string(),
            field: conflict.place.as_ref().map(Place::to_string),
            label: conflict.place.as_ref().and_then(|place| self.label(&place.field)),
            member: conflict.member.map(|member| member.to_string()),
            member_name: conflict.member.map(|member| member_name(reading, member)),
            cause: conflict.cause.clone(),
            candidates: conflict.candidates.iter().map(candidate).collect(),
            other: conflict.other.iter().map(RecordId::to_string).collect(),
        }
    }

    /// Every answer, the family's first, in the questionnaire's order.
    pub(super) fn blame(&self, reading: &Reading) -> Vec<BlameLine> {
        let order = |field: &str| {
            let variables = self.questionnaire.map(Questionnaire::variables);
            variables.and_then(|mut variables| variables.position(|variable| variable.name == field))
        };
        let mut lines: Vec<_> =
            reading.blame().into_iter().map(|line| (order(&line.0.field), line)).collect();
        let number = |member: &Option<MemberId>| member.map(|member| member_number(reading, member));
        lines.sort_by_cached_key(|(at, (place, _, _))| {
            (number(&place.member), place.member, at.unwrap_or(usize::MAX), place.field.clone())
        });
        let home = reading.id().home();
        let line = |(_, (place, candidate, contested)): (_, (Place, Candidate, bool))| BlameLine {
            label: self.label(&place.field),
            field: place.to_string(),
            contested,
            answer: self.candidate(&candidate, &home),
        };
        lines.into_iter().map(line).collect()
    }

    pub(super) fn grant(&self, grant: &GrantView) -> GrantShape {
        GrantShape {
            grant: grant.id.to_string(),
            device: grant.subject.to_string(),
            name: grant.name.clone(),
            role: grant.role.to_string(),
            regions: grant.regions.iter().map(ToString::to_string).collect(),
            in_force: grant.in_force.iter().map(ToString::to_string).collect(),
            issuer: grant.issuer.to_string(),
            serial: grant.serial,
            survey: self.trust.map(|trust| trust.survey().to_string()).unwrap_or_default(),
        }
    }
}

/// Whose device it is, or its id where nobody says.
pub(super) fn owner(replica: &Replica, device: &DeviceKey) -> String {
    let name = replica.trust().and_then(|trust| trust.name_of(device));
    name.map_or_else(|| device.to_string(), String::from)
}

/// The name of the family's head, empty if nobody gave one.
pub(super) fn head_name(reading: &Reading) -> String {
    text(reading, &Place::family(HEAD_NAME))
}

/// The members, by their numbers on the form.
pub(super) fn members(reading: &Reading) -> Vec<MemberShape> {
    let mut members = reading.all_members().to_vec();
    members.sort_by_key(|member| (member_number(reading, *member), *member));
    let member = |member: MemberId| MemberShape {
        member: member.to_string(),
        name: member_name(reading, member),
        gone: reading.member_gone(&member).map(String::from),
    };
    members.into_iter().map(member).collect()
}

/// A member's number on the form; members without one come last.
pub(super) fn member_number(reading: &Reading, member: MemberId) -> i64 {
    match reading.value(&Place::of(member, "r401")) {
        Some(Scalar::Int(number)) => *number,
        _ => i64::MAX,
    }
}

fn member_name(reading: &Reading, member: MemberId) -> String {
    text(reading, &Place::of(member, MEMBER_NAME))
}

fn text(reading: &Reading, place: &Place) -> String {
    match reading.value(place) {
        Some(Scalar::Text(text)) => text.clone(),
        _ => String::new(),
    }
}

pub(super) fn value(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Int(number) => (*number).into(),
        Scalar::Text(text) => text.as_str().into(),
    }
}

/// A device's clock may show any time; one that RFC 3339 can't write is given as it is.
pub(crate) fn rfc3339(time_ms: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time_ms) * 1_000_000);
    let text = time.ok().and_then(|time| time.format(&Rfc3339).ok());
    text.unwrap_or_else(|| format!("{time_ms} ms since 1970"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clock_has_a_time_that_can_be_shown() {
        assert_eq!(rfc3339(1_666_224_000_123), "2022-10-20T00:00:00.123Z");
        assert_eq!(rfc3339(i64::MAX), format!("{} ms since 1970", i64::MAX));
    }
}
