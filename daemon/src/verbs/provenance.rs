//! The verbs that say where answers come from and settle what is disputed: log, blame, conflicts,
//! resolve.

use std::collections::{BTreeMap, BTreeSet};

use rukun_change::{ChangeId, Moment, RecordId};
use rukun_document::{ConflictKind, Logged, Place, Reading};
use rukun_replica::{Choice, Replica};

use super::custody;
use super::error::VerbError;
use super::record::questionnaire;
use super::shape::{BlameShape, CameShape, ConflictsShape, LogLine, LogShape, WriteShape, WrittenShape};
use super::teller::{Teller, head_name, members, owner, rfc3339, value};
use super::typed;

/// How many transfers back a history is followed: whoever signs one can sign a ring.
const TRANSFERS_MAX: usize = 16;
/// What the message of a resolution begins with.
const RESOLVE: &str = "resolve ";

pub(super) fn log(replica: &Replica, record: &str) -> Result<LogShape, VerbError> {
    log_since(replica, &replica.find_record(record)?, TRANSFERS_MAX)
}

/// The history of a record, and of those from which it goes on.
fn log_since(replica: &Replica, record: &RecordId, transfers_max: usize) -> Result<LogShape, VerbError> {
    let reading = replica.reading(record)?;
    let (reached, least) = custody::reached(replica, reading.id())?;
    let mut log = log_of(&Teller::of(replica), &reading);
    let reached: BTreeMap<String, String> =
        reached.into_iter().map(|(change, reached)| (change.to_string(), reached.to_string())).collect();
    log.reached = least.to_string();
    for line in &mut log.changes {
        line.reached = reached.get(&line.change).unwrap_or(&log.reached).clone();
    }
    log.came = came(replica, record, transfers_max)?.map(Box::new);
    Ok(log)
}

fn came(replica: &Replica, record: &RecordId, max: usize) -> Result<Option<CameShape>, VerbError> {
    let Some((statement, from)) = replica.came_from(record).filter(|_| max > 0) else { return Ok(None) };
    // Not every place may be read here.
    let log = match log_since(replica, &from, max - 1) {
        Err(error) if [404, 410].contains(&error.status) => None,
        log => Some(log?),
    };
    let by = replica.issuer_of(&statement)?.map(|issuer| owner(replica, &issuer)).unwrap_or_default();
    Ok(Some(CameShape { from: from.to_string(), by, transfer: statement.to_string(), log }))
}

/// The history of a record as read. How far it has come is not told.
pub(super) fn log_of(teller: &Teller<'_>, reading: &Reading) -> LogShape {
    let home = reading.id().home();
    let line = |logged: &Logged| LogLine {
        change: logged.change.to_string(),
        who: teller.who(&logged.author, &home, logged.ink),
        n: logged.n,
        ink: logged.ink.to_string(),
        time: rfc3339(logged.time_ms),
        time_ms: logged.time_ms,
        standing: logged.standing.to_string(),
        reached: String::new(),
        resolves: resolves(&logged.message),
        writes: writes(teller, logged),
        made: logged.made.iter().map(ToString::to_string).collect(),
    };
    let changes = in_telling_order(reading).into_iter().map(line).collect();
    let (record, name) = (reading.id().to_string(), head_name(reading));
    LogShape { record, name, reached: String::new(), came: None, changes }
}

pub(super) fn writes(teller: &Teller<'_>, logged: &Logged) -> Vec<WriteShape> {
    logged.writes.iter().map(|(place, scalar)| write(teller, place, scalar)).collect()
}

/// Causes first, as everywhere; what causes leave open is told in the order of the authors' clocks.
fn in_telling_order(reading: &Reading) -> Vec<&Logged> {
    let log = reading.log();
    let knows = |later: &Logged, earlier: &Logged| reading.knew(&later.change, &earlier.change);
    let mut causes_left: Vec<usize> =
        log.iter().map(|later| log.iter().filter(|earlier| knows(later, earlier)).count()).collect();
    let free = |at: usize| log.get(at).map(|logged| (logged.time_ms, logged.change, at));
    let without_cause = causes_left.iter().enumerate().filter(|(_, left)| **left == 0);
    let mut ready: BTreeSet<_> = without_cause.filter_map(|(at, _)| free(at)).collect();
    let mut told = Vec::with_capacity(log.len());
    while let Some((_, _, at)) = ready.pop_first() {
        let Some(earlier) = log.get(at) else { continue };
        told.push(earlier);
        for (at, (later, left)) in log.iter().zip(&mut causes_left).enumerate() {
            if knows(later, earlier) {
                *left -= 1;
                ready.extend(free(at).filter(|_| *left == 0));
            }
        }
    }
    told
}

fn write(teller: &Teller<'_>, place: &Place, scalar: &rukun_change::Scalar) -> WriteShape {
    WriteShape { field: place.to_string(), label: teller.label(&place.field), value: value(scalar) }
}

/// The changes that a resolution names in its message. Anything else in there is a stranger's text.
fn resolves(message: &str) -> Vec<String> {
    let named = message.strip_prefix(RESOLVE).unwrap_or_default().split(',');
    named.filter_map(|id| id.parse::<ChangeId>().ok()).map(|id| id.to_string()).collect()
}

pub(super) fn blame(replica: &Replica, record: &str) -> Result<BlameShape, VerbError> {
    let reading = replica.reading(&replica.find_record(record)?)?;
    Ok(BlameShape {
        record: reading.id().to_string(),
        name: head_name(&reading),
        members: members(&reading),
        fields: Teller::of(replica).blame(&reading),
    })
}

pub(super) fn conflicts(
    replica: &mut Replica,
    within: Option<&str>,
    kind: Option<&str>,
) -> Result<ConflictsShape, VerbError> {
    let within = typed::region(within)?;
    let kind = kind.map(str::parse::<ConflictKind>).transpose().map_err(|error| VerbError::new(error, ""))?;
    let found = replica.conflicts(within.as_ref(), kind)?;
    let teller = Teller::of(replica);
    let mut conflicts = Vec::new();
    for (record, of_record) in found {
        let reading = replica.reading(&record)?;
        conflicts.extend(of_record.iter().map(|conflict| teller.conflict(conflict, &reading)));
    }
    Ok(ConflictsShape { conflicts })
}

pub(super) fn show_conflicts(replica: &mut Replica, record: &str) -> Result<ConflictsShape, VerbError> {
    let record = replica.find_record(record)?;
    let conflicts = replica.show_conflicts(&record)?;
    let reading = replica.reading(&record)?;
    let teller = Teller::of(replica);
    Ok(ConflictsShape {
        conflicts: conflicts.iter().map(|conflict| teller.conflict(conflict, &reading)).collect(),
    })
}

/// What a resolution settles on, as typed.
pub(super) enum TypedChoice {
    Pick(String),
    Value(String),
}

pub(super) fn typed_choice(pick: Option<String>, value: Option<String>) -> Result<TypedChoice, VerbError> {
    match (pick, value) {
        (Some(change), None) => Ok(TypedChoice::Pick(change)),
        (None, Some(value)) => Ok(TypedChoice::Value(value)),
        _ => Err(VerbError::new(
            "a resolution settles on one thing",
            "give either --pick CHANGE or --value VALUE",
        )),
    }
}

pub(super) fn resolve(
    replica: &mut Replica,
    now: Moment,
    record: &str,
    field: &str,
    choice: &TypedChoice,
    ink: Option<&str>,
) -> Result<WrittenShape, VerbError> {
    let record = replica.find_record(record)?;
    let reading = replica.reading(&record)?;
    let place = typed::place(&reading, field)?;
    let choice = match choice {
        TypedChoice::Pick(change) => Choice::Pick(typed::change(&reading, change)?),
        TypedChoice::Value(text) => Choice::Value(typed::scalar(questionnaire(replica)?, &place, text)?),
    };
    let change = replica.resolve(now, &record, &place, &choice, typed::ink(ink)?)?;
    Ok(WrittenShape { record: record.to_string(), change: Some(change.to_string()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_no_resolution_names_no_change() {
        let id = "ab".repeat(32);
        assert_eq!(resolves(&format!("resolve {id},{id}")), [id.clone(), id]);
        assert_eq!(resolves("resolve everything"), Vec::<String>::new());
        assert_eq!(resolves(""), Vec::<String>::new());
    }
}
