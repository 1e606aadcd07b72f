//! The model beside the product: the same set of changes and grants, and any difference in words.
//! The only file of the model that knows both.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use rukun_authority::{Reason, Trust};
use rukun_change::{ChangeId, DeviceKey, Ink, RecordId, Scalar, SubSls};
use rukun_document::{ConflictKind, Reading};
use rukun_replica::{RecordLine, Replica, ReplicaError};

use super::{
    Conflict, Erasure, Expected, Fact, Granted, Grants, Held, Judged, Kind, Loss, Place, Role, RootWord,
    Standing, Why, broken, identities,
};

/// The facts of all changes ever seen, decoded once for all nodes.
pub type Facts = BTreeMap<ChangeId, Arc<Fact>>;

/// What a node holds, as the model sees it: its changes and its grants. Nothing before it has the
/// charter.
///
/// # Errors
/// If its store fails.
///
/// # Panics
/// If it holds a change that no node may ever admit.
pub fn holdings(replica: &Replica, facts: &mut Facts) -> Result<Option<(Held, Grants)>, ReplicaError> {
    let Some(trust) = replica.trust() else { return Ok(None) };
    let (grants, erasures) = grants_of(replica, trust)?;
    let mut held = Held::default();
    for erasure in erasures {
        assert!(grants.may_erase(&erasure), "only a district erases: {erasure:?}");
        let record = erasure.record();
        held.erase(record);
        for stub in replica.headers_of(&record)? {
            held.insert(facts.get(&stub.id()).expect("a stub is of a change that somebody made").clone());
        }
    }
    for record in replica.record_ids()? {
        assert!(!held.is_erased(&record), "an erased record is in no list");
        for change in replica.changes_of(&record)? {
            let decoded =
                || Fact::of(change.signed(), change.id()).expect("only what may be admitted is held");
            held.insert(facts.entry(change.id()).or_insert_with(|| Arc::new(decoded())).clone());
        }
    }
    Ok(Some((held, grants)))
}

/// The grants that a node holds, and what took them away again. Nothing before it has the charter.
///
/// # Errors
/// If its store fails.
pub fn grants_held(replica: &Replica) -> Result<Option<Grants>, ReplicaError> {
    let Some(trust) = replica.trust() else { return Ok(None) };
    Ok(Some(grants_of(replica, trust)?.0))
}

fn grants_of(replica: &Replica, trust: &Trust) -> Result<(Grants, Vec<Erasure>), ReplicaError> {
    let mut grants = Grants::new(*trust.survey(), *trust.root());
    let mut erasures = Vec::new();
    for bytes in replica.statements_held()? {
        if let Some(granted) = Granted::of(&bytes, trust.survey()) {
            grants.hold(granted);
        } else if let Some(word) = RootWord::of(&bytes, trust.survey()) {
            grants.follow(word);
        } else if let Some((loss, _)) = Loss::of(&bytes, trust.survey()) {
            match loss {
                Loss::Erasure(erasure) => erasures.push(erasure),
                Loss::Transfer => {}
                loss => grants.lose(loss),
            }
        }
    }
    Ok((grants, erasures))
}

/// Whether a node reads in a record what the model expects, and finds the same conflicts. Those of
/// rules and of identity numbers, which only the questionnaire can tell, are for the two below.
///
/// # Errors
/// What differs.
pub fn compare(
    expected: &Expected<'_>,
    reading: &Reading,
    conflicts: &[rukun_document::Conflict],
) -> Result<(), String> {
    compare_logs(expected, reading)?;
    compare_answers(expected, reading)?;
    same("members", &expected.members.iter().collect::<Vec<_>>(), &reading.members().iter().collect())?;
    let all_members = &reading.all_members().iter().collect();
    same("members, gone ones included", &expected.all_members.iter().collect::<Vec<_>>(), all_members)?;
    same("reason of being gone", &expected.gone, &reading.gone())?;
    let mut found: Vec<Conflict<'_>> = conflicts.iter().filter_map(as_expected).collect();
    found.retain(|conflict| conflict.kind != Kind::Rule);
    found.sort();
    same("conflicts", &expected.conflicts, &found)
}

/// Whether a node finds the same at odds with the worlds' questionnaire.
///
/// # Errors
/// What differs.
pub fn compare_rules(expected: &Expected<'_>, conflicts: &[rukun_document::Conflict]) -> Result<(), String> {
    let mut found: Vec<Conflict<'_>> = conflicts.iter().filter_map(as_expected).collect();
    found.retain(|conflict| conflict.kind == Kind::Rule);
    found.sort();
    same("what is at odds with the questionnaire", &broken(expected), &found)
}

/// Of the other records that have a number, so many are named.
const OTHERS_NAMED_MAX: usize = 16;

/// Whether a node finds the same numbers in two of these records, which are all that it lists.
///
/// # Errors
/// What differs.
pub fn compare_duplicates(
    expected: &BTreeMap<RecordId, Expected<'_>>,
    conflicts: &[(RecordId, Vec<rukun_document::Conflict>)],
) -> Result<(), String> {
    let mut bearers: BTreeMap<(bool, &str), BTreeSet<RecordId>> = BTreeMap::new();
    let of_family = |(_, field): &Place<'_>| *field == "r114";
    for (record, expected) in expected {
        for (place, number) in identities(expected) {
            bearers.entry((of_family(&place), number)).or_default().insert(*record);
        }
    }
    let mut ours = Vec::new();
    for (record, expected) in expected {
        for (place, number) in identities(expected) {
            let mut others = bearers[&(of_family(&place), number)].clone();
            others.remove(record);
            if !others.is_empty() {
                ours.push((*record, place, others.into_iter().take(OTHERS_NAMED_MAX).collect::<Vec<_>>()));
            }
        }
    }
    let all = conflicts.iter().flat_map(|(record, found)| found.iter().map(move |one| (record, one)));
    let mut theirs = Vec::new();
    for (record, conflict) in all.filter(|(_, one)| one.kind == ConflictKind::Duplicate) {
        let place = conflict.place.as_ref().ok_or("a number stands at no place")?;
        theirs.push((*record, (place.member, place.field.as_str()), conflict.other.clone()));
    }
    ours.sort();
    theirs.sort();
    same("numbers that stand twice", &ours, &theirs)
}

/// Whether a node's list shows a record as the model expects.
///
/// # Errors
/// What differs.
pub fn compare_line(expected: &Expected<'_>, line: &RecordLine) -> Result<(), String> {
    let name = expected.answers.get(&(None, "r108")).and_then(|candidates| match candidates[0].value {
        Scalar::Text(name) => Some(name.as_str()),
        Scalar::Null | Scalar::Int(_) => None,
    });
    same("name in the list", &name.unwrap_or_default(), &line.name.as_str())?;
    same("members in the list", &expected.members.len(), &line.members)?;
    same("gone in the list", &expected.gone.is_some(), &line.gone)?;
    let good = expected.log.iter().filter(|logged| logged.standing.is_good());
    let mut inks: Vec<Ink> = good.map(|logged| logged.ink).collect();
    inks.sort_unstable();
    inks.dedup();
    same("inks in the list", &inks, &line.inks)?;
    for kind in [Kind::Field, Kind::Stale, Kind::Presence, Kind::SetAside] {
        let count = expected.conflicts.iter().filter(|conflict| conflict.kind == kind).count() as u64;
        let listed = line.conflicts.get(&kind_in_product(kind)).copied().unwrap_or_default();
        same(&format!("{kind:?} conflicts in the list"), &count, &listed)?;
    }
    Ok(())
}

/// Whether a node's trust says of these devices and places what the model expects.
///
/// # Errors
/// What differs.
pub fn compare_trust(
    grants: &Grants,
    trust: &Trust,
    devices: &[DeviceKey],
    homes: &[SubSls],
) -> Result<(), String> {
    for device in devices {
        same("whether it was granted anything", &grants.ever_granted(device), &trust.ever_granted(device))?;
        for home in homes {
            let here = format!("of {} in {home}", device.short());
            let covered = (grants.ever_covered(device, home), trust.ever_covered(device, home));
            same(&format!("ever covered {here}"), &covered.0, &covered.1)?;
            let reads = (grants.may_read(device, home), trust.may_read(device, home));
            same(&format!("may read {here}"), &reads.0, &reads.1)?;
            let roles = trust.roles_at(device, home).into_iter().map(role_in_model).collect();
            same(&format!("roles {here}"), &grants.roles_at(device, home), &roles)?;
            for ink in Ink::ALL {
                let wrote = (grants.ever_wrote(device, home, ink), trust.ever_wrote(device, home, ink));
                same(&format!("ever wrote {ink} {here}"), &wrote.0, &wrote.1)?;
            }
        }
    }
    Ok(())
}

/// Whether a node holds only what it may: work of authors who were entitled there, causes and all, in
/// places that it was itself granted once.
///
/// # Errors
/// What it holds too much.
pub fn compare_set(device: &DeviceKey, held: &Held, grants: &Grants) -> Result<(), String> {
    for fact in held.facts() {
        let home = fact.record.home();
        same(
            &format!("verdict on {:?}, which it holds", fact.id),
            &Judged::Admit,
            &held.judge(fact, grants),
        )?;
        if !grants.ever_covered(device, &home) {
            return Err(format!("it holds {:?} in {home}, where it was never granted anything", fact.id));
        }
    }
    Ok(())
}

fn compare_logs(expected: &Expected<'_>, reading: &Reading) -> Result<(), String> {
    let ours: Vec<(ChangeId, Standing)> =
        expected.log.iter().map(|logged| (logged.change, logged.standing)).collect();
    let theirs = reading.log().iter().map(|logged| (logged.change, standing_in_model(logged.standing)));
    same("log", &ours, &theirs.collect())?;
    for (ours, theirs) in expected.log.iter().zip(reading.log()) {
        let what = format!("writes of {:?}", ours.change);
        let found = theirs.writes.iter().map(|(place, value)| ((place.member, place.field.as_str()), value));
        same(
            &what,
            &ours.writes.iter().map(|(place, value)| (*place, *value)).collect::<Vec<_>>(),
            &found.collect(),
        )?;
        let made = theirs.made.iter().collect();
        same("members made", &ours.made.iter().collect::<Vec<_>>(), &made)?;
    }
    Ok(())
}

fn compare_answers(expected: &Expected<'_>, reading: &Reading) -> Result<(), String> {
    let ours: Vec<_> = expected.answers.keys().copied().collect();
    let theirs = reading.answers().keys().map(|place| (place.member, place.field.as_str()));
    same("places that have an answer", &ours, &theirs.collect())?;
    for ((place, ours), theirs) in expected.answers.iter().zip(reading.answers().values()) {
        same(&format!("what is read at {place:?}"), &ours[0].change, &theirs.effective().change)?;
        let ours: Vec<_> =
            ours.iter().map(|one| (one.change, one.author, one.ink, one.value, one.time_ms)).collect();
        let theirs =
            theirs.candidates.iter().map(|one| (one.change, one.author, one.ink, &one.value, one.time_ms));
        same(&format!("answers at {place:?}"), &ours, &theirs.collect())?;
    }
    Ok(())
}

fn same<T: PartialEq + Debug>(what: &str, expected: &T, found: &T) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    Err(format!("{what}: the model expects {expected:?}, the node says {found:?}"))
}

fn as_expected(conflict: &rukun_document::Conflict) -> Option<Conflict<'_>> {
    let kind = match conflict.kind {
        ConflictKind::Field => Kind::Field,
        ConflictKind::Stale => Kind::Stale,
        ConflictKind::Presence => Kind::Presence,
        ConflictKind::SetAside => Kind::SetAside,
        ConflictKind::Rule => Kind::Rule,
        ConflictKind::Duplicate => return None,
    };
    let place = conflict.place.as_ref().map(|place| (place.member, place.field.as_str()));
    let candidates = conflict.candidates.iter().map(|candidate| (candidate.change, &candidate.value));
    Some(Conflict { kind, place, member: conflict.member, candidates: candidates.collect() })
}

fn kind_in_product(kind: Kind) -> ConflictKind {
    match kind {
        Kind::Field => ConflictKind::Field,
        Kind::Stale => ConflictKind::Stale,
        Kind::Presence => ConflictKind::Presence,
        Kind::SetAside => ConflictKind::SetAside,
        Kind::Rule => ConflictKind::Rule,
    }
}

fn standing_in_model(standing: rukun_authority::Standing) -> Standing {
    match standing {
        rukun_authority::Standing::Good => Standing::Good,
        rukun_authority::Standing::Upheld => Standing::Upheld,
        rukun_authority::Standing::SetAside(reason) => Standing::SetAside(match reason {
            Reason::Ink => Why::Ink,
            Reason::Fork => Why::Fork,
            Reason::Sequence => Why::Sequence,
            Reason::Dangling => Why::Dangling,
            Reason::Revoked => Why::Revoked,
            Reason::Dismissed => Why::Dismissed,
        }),
    }
}

/// The model's word for a role.
pub fn role_in_model(role: rukun_authority::Role) -> Role {
    match role {
        rukun_authority::Role::District => Role::District,
        rukun_authority::Role::Coordinator => Role::Coordinator,
        rukun_authority::Role::Supervisor => Role::Supervisor,
        rukun_authority::Role::Enumerator => Role::Enumerator,
    }
}
