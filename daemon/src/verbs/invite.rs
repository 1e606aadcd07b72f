//! Officers into invitations, invitations into lists, and what a device asks into an answer. Each row is
//! judged by itself: what is wrong with one is told by line and column, and the others go in.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use rukun_authority::Role;
use rukun_change::{DeviceKey, InvitationId, Moment, Region};
use rukun_replica::{
    Enrolled, Fate, Invitation, InvitationError, InvitationState, Invited, NewInvitation, Officer, ProofKey,
    Replica,
};

use super::address::add_addresses;
use super::error::VerbError;
use super::officers::{
    CheckedShape, EnrolRequest, EnrolledShape, InvitedRow, InvitedShape, NewOfficer, OfficerRow,
    OfficerShape, OfficersShape, WrongTriesShape,
};
use super::shape::BadRow;
use super::teller::{Teller, rfc3339};

/// The longest name, as a grant has it.
const NAME_BYTES_MAX: usize = 256;
const PHONE_CHARS_MAX: usize = 32;
/// As many as one grant has.
const REGIONS_MAX: usize = 1_024;
/// The shortest beginning of an id that is taken for one.
const ID_DIGITS_MIN: usize = 4;

pub(super) fn check(
    replica: &Replica,
    now: Moment,
    rows: Vec<OfficerRow>,
) -> Result<CheckedShape, VerbError> {
    let survey = replica.trust().map(|trust| trust.charter().name.clone());
    let survey = survey.ok_or(InvitationError::from(rukun_replica::ActionError::NoCharter))?;
    let mut checked = CheckedShape { survey, new: Vec::new(), there: Vec::new(), bad: Vec::new() };
    let mut lines = BTreeMap::new();
    for row in rows {
        let line = row.line;
        let officer = match read(row).and_then(|officer| may_invite(replica, line, officer)) {
            Ok(officer) => officer,
            Err(bad) => {
                checked.bad.extend(bad);
                continue;
            }
        };
        let first = *lines.entry(officer.person()).or_insert(line);
        if first != line {
            let message = format!("the same person, role, regions and number stand on line {first}");
            checked.bad.push(BadRow { line, column: String::new(), message });
        } else if let Some(id) = replica.invitation_in_use(now, &officer)? {
            let (invitation, name) = (id.to_string(), officer.name);
            checked.there.push(InvitedRow { line, invitation, name, revoked: None });
        } else {
            checked.new.push(line);
        }
    }
    Ok(checked)
}

pub(super) fn invite(
    replica: &mut Replica,
    now: Moment,
    officers: Vec<NewOfficer>,
    expires_ms: i64,
) -> Result<InvitedShape, VerbError> {
    let keyed = |NewOfficer { row, invitation, proof_key }| {
        let id = invitation.parse::<InvitationId>().map_err(|error| VerbError::new(error, ""))?;
        let key = HEXLOWER.decode(proof_key.as_bytes()).ok().and_then(|key| key.try_into().ok());
        let key = key.ok_or_else(|| VerbError::new("a proof key has 64 hexadecimal digits", ""))?;
        Ok((row, id, ProofKey::from_bytes(key)))
    };
    // All before the first is invited: whoever is refused takes it that nobody was.
    let officers = officers.into_iter().map(keyed).collect::<Result<Vec<_>, VerbError>>()?;
    let lost = lost_devices(replica)?;
    let mut invited = InvitedShape::default();
    for (row, id, proof_key) in officers {
        let line = row.line;
        let officer = match read(row).and_then(|officer| may_invite(replica, line, officer)) {
            Ok(officer) => officer,
            Err(bad) => {
                invited.bad.extend(bad);
                continue;
            }
        };
        let (name, revoked) = (officer.name.clone(), lost.get(&officer.person()).map(DeviceKey::to_string));
        let new = NewInvitation { id, proof_key, officer, expires_ms };
        match replica.invite(now, new)? {
            Invited::Made => {
                invited.made.push(InvitedRow { line, invitation: id.to_string(), name, revoked });
            }
            Invited::There(id) => {
                invited.there.push(InvitedRow { line, invitation: id.to_string(), name, revoked: None });
            }
        }
    }
    Ok(invited)
}

pub(super) fn list(replica: &Replica, now: Moment) -> Result<OfficersShape, VerbError> {
    let mut invitations = replica.invitations()?;
    invitations.sort_by_key(|(id, held)| (held.officer.role, held.officer.name.clone(), held.made_ms, *id));
    let officers = invitations.iter().map(|(id, held)| shape(id, held, now)).collect();
    let wrong_tries = replica.guessers(now).into_iter().map(|guesser| {
        let left_ms = |until: u64| until.saturating_sub(now.steady_ms) as i64;
        let refused_until_ms =
            guesser.refused_until_ms.map(|until| now.wall_ms.saturating_add(left_ms(until)));
        WrongTriesShape {
            address: guesser.address.to_string(),
            tries: guesser.tries,
            refused_until: refused_until_ms.map(rfc3339),
            refused_until_ms,
        }
    });
    Ok(OfficersShape { officers, wrong_tries: wrong_tries.collect() })
}

pub(super) fn withdraw(replica: &mut Replica, now: Moment, who: &str) -> Result<OfficerShape, VerbError> {
    let id = find(&replica.invitations()?, now, who)?;
    let withdrawn = replica.withdraw(now, &id)?;
    Ok(shape(&id, &withdrawn, now))
}

/// The bytes of the answer, in hexadecimal.
pub(super) fn enrol(replica: &mut Replica, now: Moment, asked: &EnrolRequest) -> Result<String, VerbError> {
    let answer = replica.enrol(now, asked.from, &asked.session, &asked.ask)?;
    Ok(HEXLOWER.encode(&answer.encode()))
}

/// Takes part in the survey into which a relay has enrolled this device, and dials that relay from now on.
///
/// # Errors
/// If the device is in another survey, or what came grants it nothing.
pub fn take_enrolment(
    replica: &mut Replica,
    relay: &DeviceKey,
    enrolled: &Enrolled,
    address: &str,
) -> Result<EnrolledShape, VerbError> {
    let view = replica.take_enrolment(relay, enrolled)?;
    let peers = add_addresses(replica, vec![address.into()])?;
    Ok(EnrolledShape {
        survey: enrolled.survey.to_string(),
        name: replica.trust().map(|trust| trust.charter().name.clone()).unwrap_or_default(),
        device: replica.device().to_string(),
        grant: Teller::of(replica).grant(&view),
        peers,
    })
}

/// The revoked device that each person had last.
fn lost_devices(replica: &Replica) -> Result<BTreeMap<Vec<u8>, DeviceKey>, VerbError> {
    let Some(trust) = replica.trust() else { return Ok(BTreeMap::new()) };
    let is_lost = |device: &DeviceKey| trust.revocations_of(device).iter().any(|one| one.counts);
    let used = replica.invitations()?.into_iter().filter_map(|(_, held)| match held.fate {
        Fate::Used { device, at_ms, .. } if is_lost(&device) => Some((at_ms, held.officer.person(), device)),
        _ => None,
    });
    let mut used: Vec<_> = used.collect();
    used.sort();
    Ok(used.into_iter().map(|(_, person, device)| (person, device)).collect())
}

/// The row as a person, or all that is wrong with it.
fn read(row: OfficerRow) -> Result<Officer, Vec<BadRow>> {
    let OfficerRow { line, name, role, regions: codes, phone } = row;
    let mut bad = Vec::new();
    let mut fault = |column: &str, message: String| bad.push(BadRow { line, column: column.into(), message });
    let (name, phone) = (name.trim().to_owned(), phone.trim().to_owned());
    if name.is_empty() {
        fault("name", "there is no name".into());
    } else if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        fault("name", format!("a name is one line of at most {NAME_BYTES_MAX} bytes"));
    }
    let role = role.trim().parse::<Role>().map_err(|error| fault("role", error.to_string())).ok();
    let mut regions = Vec::new();
    for code in codes.iter().take(REGIONS_MAX + 1) {
        match code.parse::<Region>() {
            Ok(region) => regions.push(region),
            Err(error) => fault("regions", error.to_string()),
        }
    }
    match codes.len() {
        0 => fault("regions", "there is no region".into()),
        count if count > REGIONS_MAX => {
            fault("regions", format!("{count} regions where a grant has {REGIONS_MAX} at most"));
        }
        _ => {}
    }
    let dialled = |letter: char| letter.is_ascii_digit() || "+-() .".contains(letter);
    if phone.chars().count() > PHONE_CHARS_MAX || !phone.chars().all(dialled) {
        let message =
            format!("{phone:?} is no phone number; format the column as text and write 0812-3456-7890");
        fault("phone", message);
    }
    match role {
        Some(role) if bad.is_empty() => {
            regions.sort_unstable();
            regions.dedup_by(|inner, outer| outer.covers(inner));
            Ok(Officer { name, phone, role, regions })
        }
        _ => Err(bad),
    }
}

/// The same, if this device could grant it.
fn may_invite(replica: &Replica, line: u64, officer: Officer) -> Result<Officer, Vec<BadRow>> {
    let Err(error) = replica.check_invitable(officer.role, &officer.regions) else { return Ok(officer) };
    let column = if matches!(error, InvitationError::Role { .. }) { "role" } else { "regions" };
    Err(vec![BadRow { line, column: column.into(), message: error.to_string() }])
}

/// The invitation that a person means: by the beginning of its id, or by name. Of several of one name the
/// only one that is open.
fn find(held: &[(InvitationId, Invitation)], now: Moment, who: &str) -> Result<InvitationId, VerbError> {
    let is_open = |held: &Invitation| held.state(now.wall_ms) == InvitationState::Open;
    let lower = who.trim().to_lowercase();
    let by_name: Vec<_> = held.iter().filter(|(_, held)| held.officer.name.to_lowercase() == lower).collect();
    let open: Vec<_> = by_name.iter().filter(|(_, held)| is_open(held)).collect();
    let by_id =
        held.iter().filter(|(id, _)| lower.len() >= ID_DIGITS_MIN && id.to_string().starts_with(&lower));
    let by_id: Vec<_> = by_id.collect();
    match (&by_id[..], &by_name[..], &open[..]) {
        ([(id, _)], [], _) | ([], [(id, _)], _) | ([], _, [(id, _)]) => Ok(*id),
        ([], [], _) => {
            let remedy = "rukun officers lists the invitations, each with its id";
            Err(VerbError::new(format!("nobody called {who} was invited"), remedy).with_status(404))
        }
        _ => {
            let all = by_id.iter().chain(&by_name).map(|(id, _)| format!("{:.8}", id.to_string()));
            let message = format!("{who} may be any of {}", all.collect::<Vec<_>>().join(", "));
            Err(VerbError::new(message, "give the id: rukun officers shows it"))
        }
    }
}

fn shape(id: &InvitationId, held: &Invitation, now: Moment) -> OfficerShape {
    let (device, grant, settled_ms) = match held.fate {
        Fate::Open => (None, None, None),
        Fate::Used { device, grant, at_ms } => {
            (Some(device.to_string()), Some(grant.to_string()), Some(at_ms))
        }
        Fate::Withdrawn { at_ms } => (None, None, Some(at_ms)),
    };
    let state = match held.state(now.wall_ms) {
        InvitationState::Open => "open",
        InvitationState::Used => "used",
        InvitationState::Expired => "expired",
        InvitationState::Withdrawn => "withdrawn",
    };
    OfficerShape {
        invitation: id.to_string(),
        name: held.officer.name.clone(),
        role: held.officer.role.to_string(),
        regions: held.officer.regions.iter().map(Region::to_string).collect(),
        phone: held.officer.phone.clone(),
        state: state.into(),
        made: rfc3339(held.made_ms),
        made_ms: held.made_ms,
        expires: rfc3339(held.expires_ms),
        expires_ms: held.expires_ms,
        device,
        grant,
        settled: settled_ms.map(rfc3339),
        settled_ms,
    }
}

impl From<InvitationError> for VerbError {
    fn from(error: InvitationError) -> Self {
        use InvitationError as E;
        let status = match error {
            E::Action(error) => return error.into(),
            E::Role { .. } | E::Outside { .. } | E::Apart => 403,
            E::Gone { .. } => 404,
            E::Used { .. } => 409,
            E::Damaged { .. } => 500,
            E::Path(_) => 422,
        };
        let text = error.to_string();
        let (message, remedy) = text.split_once("; ").unwrap_or((&text, ""));
        Self::new(message, remedy).with_status(status)
    }
}

#[cfg(test)]
mod tests {
    use rukun_replica::Code;

    use super::*;
    use crate::node::Node;
    use crate::node::tests::district;
    use crate::verbs::Request;

    fn row(line: u64, name: &str, role: &str, regions: &[&str], phone: &str) -> OfficerRow {
        let regions = regions.iter().map(ToString::to_string).collect();
        OfficerRow { line, name: name.into(), role: role.into(), regions, phone: phone.into() }
    }

    fn invited(node: &mut Node, row: OfficerRow, code: u8, expires_ms: i64) -> InvitedShape {
        let code = Code::from_random(&[code; 20]);
        let proof_key = HEXLOWER.encode(code.proof_key().as_bytes());
        let officers = vec![NewOfficer { row, invitation: code.invitation().to_string(), proof_key }];
        node.ask(Request::OfficersInvite { officers, expires_ms }).unwrap()
    }

    #[test]
    fn everything_wrong_with_a_row_is_named_by_line_and_column() {
        let (_parent, mut node) = district();
        let rows = vec![
            row(2, "Siti Aminah", "PPL", &["18110100050003"], "0812-3456-7890"),
            row(3, "", "petugas", &["18110"], "8,12E+11"),
            row(4, "Budi", "district", &["1811"], ""),
            row(5, "Wayan", "Koseka", &["1811010", "1805"], ""),
            row(6, "Sri", "PML", &[], ""),
            row(7, "siti aminah", "enumerator", &["18110100050003"], "081234567890"),
        ];
        let checked: CheckedShape = node.ask(Request::OfficersCheck { rows }).unwrap();
        assert_eq!(checked.new, [2]);
        let bad: Vec<(u64, &str)> = checked.bad.iter().map(|bad| (bad.line, bad.column.as_str())).collect();
        let expected = [
            (3, "name"),
            (3, "role"),
            (3, "regions"),
            (3, "phone"),
            (4, "role"),
            (5, "regions"),
            (6, "regions"),
            (7, ""),
        ];
        assert_eq!(bad, expected, "{:?}", checked.bad);
        assert!(checked.bad[5].message.starts_with("1805 is outside"), "{}", checked.bad[5].message);
        assert!(checked.bad[7].message.contains("line 2"), "{}", checked.bad[7].message);
    }

    #[test]
    fn a_person_is_invited_once_until_that_is_withdrawn_or_expired() {
        let (_parent, mut node) = district();
        let siti = || row(2, "Siti Aminah", "PPL", &["18110100050003"], "0812");
        let far = crate::clock::now().wall_ms + 1_000_000;
        assert_eq!(invited(&mut node, siti(), 1, far).made.len(), 1);
        assert_eq!(invited(&mut node, siti(), 2, far).there.len(), 1);
        let withdrawn: OfficerShape =
            node.ask(Request::OfficersWithdraw { who: "siti aminah".into() }).unwrap();
        assert_eq!(withdrawn.state, "withdrawn");
        // This one is over as it is made.
        assert_eq!(invited(&mut node, siti(), 3, 0).made.len(), 1);
        assert_eq!(invited(&mut node, siti(), 4, far).made.len(), 1);
        let listed: OfficersShape = node.ask(Request::Officers).unwrap();
        let mut states: Vec<&str> = listed.officers.iter().map(|officer| officer.state.as_str()).collect();
        states.sort_unstable();
        assert_eq!(states, ["expired", "open", "withdrawn"]);
    }

    #[test]
    fn who_is_to_be_withdrawn_is_found_by_name_or_id_and_asked_for_when_in_doubt() {
        let (_parent, mut node) = district();
        let far = crate::clock::now().wall_ms + 1_000_000;
        for (code, region) in [(1, "18110100050003"), (2, "18110100050004")] {
            invited(&mut node, row(2, "Siti", "PPL", &[region], ""), code, far);
        }
        let mut withdraw = |who: &str| {
            let request = Request::OfficersWithdraw { who: who.into() };
            node.ask::<OfficerShape>(request)
        };
        assert!(withdraw("Siti").unwrap_err().message.contains("any of"));
        assert_eq!(withdraw("Budi").unwrap_err().status, 404);
        let id = Code::from_random(&[2; 20]).invitation().to_string();
        assert_eq!(withdraw(&id[..8]).unwrap().regions, ["18110100050004"]);
        assert_eq!(withdraw("Siti").unwrap().regions, ["18110100050003"], "the other one is open");
    }
}
