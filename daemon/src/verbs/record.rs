//! The verbs about one family: add, set, show, list, gone.

use std::collections::BTreeMap;

use rukun_change::{Moment, SubSls};
use rukun_document::{Questionnaire, Reading};
use rukun_replica::{ActionError, RecordLine, Replica};
use serde_json::Value;

use super::error::VerbError;
use super::request::Edit;
use super::shape::{EditOutcome, RecordLineShape, RecordShape, RecordsShape, WrittenManyShape, WrittenShape};
use super::teller::{Teller, head_name, members};
use super::{sls, typed};

/// How many records are listed if nobody says.
const LIST_RECORDS: usize = 100;

pub(super) fn add(
    replica: &mut Replica,
    now: Moment,
    home: &str,
    ink: Option<&str>,
    patch: Option<Value>,
    set: &[String],
) -> Result<WrittenShape, VerbError> {
    let home: SubSls =
        home.parse().map_err(|error| VerbError::new(error, "a record's home is a whole code, 16 digits"))?;
    let patch = typed::patch(questionnaire(replica)?, None, patch, set)?;
    let added = replica.add_record(now, home, typed::ink(ink)?, &patch);
    let (record, change) = added.map_err(|error| match error {
        ActionError::Empty => VerbError::new("no answer was given", "give one, such as r108='Siti Aminah'"),
        error => error.into(),
    })?;
    Ok(WrittenShape { record: record.to_string(), change: Some(change.to_string()) })
}

pub(super) fn set(replica: &mut Replica, now: Moment, edit: Edit) -> Result<WrittenShape, VerbError> {
    let record = replica.find_record(&edit.record)?;
    // A slip in a whole id would begin another family.
    let reading = replica.reading(&record)?;
    let patch = typed::patch(questionnaire(replica)?, Some(&reading), edit.patch, &edit.set)?;
    let change = replica.edit(now, &record, typed::ink(edit.ink.as_deref())?, &patch)?;
    Ok(WrittenShape { record: record.to_string(), change: change.map(|change| change.to_string()) })
}

pub(super) fn set_many(
    replica: &mut Replica,
    now: Moment,
    edits: Vec<Edit>,
) -> Result<WrittenManyShape, VerbError> {
    let mut outcomes = Vec::with_capacity(edits.len());
    for edit in edits {
        outcomes.push(match set(replica, now, edit) {
            Ok(written) => EditOutcome::Written(written),
            // The disk's fault is everybody's.
            Err(error) if error.status >= 500 => return Err(error),
            Err(error) => EditOutcome::Refused(error),
        });
    }
    Ok(WrittenManyShape { edits: outcomes })
}

pub(super) fn show(replica: &Replica, record: &str) -> Result<RecordShape, VerbError> {
    let reading = replica.reading(&replica.find_record(record)?)?;
    let mut conflicts = BTreeMap::new();
    for conflict in replica.conflicts_of(reading.id())? {
        *conflicts.entry(conflict.kind.to_string()).or_default() += 1;
    }
    Ok(RecordShape {
        record: reading.id().to_string(),
        region: reading.id().home().to_string(),
        name: head_name(&reading),
        gone: reading.gone().map(String::from),
        inks: reading.inks().iter().map(ToString::to_string).collect(),
        changes: reading.log().len(),
        conflicts,
        members: members(&reading),
        answers: reading.to_json(),
        fields: Teller::of(replica).blame(&reading),
    })
}

pub(super) fn list(
    replica: &mut Replica,
    within: Option<&str>,
    after: Option<&str>,
    limit: Option<usize>,
) -> Result<RecordsShape, VerbError> {
    let within = typed::region(within)?;
    let after = after.map(|after| replica.find_record(after)).transpose()?;
    let limit = limit.unwrap_or(LIST_RECORDS);
    let lines = replica.records(within.as_ref(), after.as_ref(), limit)?;
    let next = if lines.len() == limit { lines.last().map(|line| line.id.to_string()) } else { None };
    let shared = replica.shared_numbers()?;
    let records = lines.into_iter().map(|one| {
        let others = shared.get(&one.id).copied().unwrap_or_default();
        line(one, others, replica)
    });
    let records = records.collect();
    Ok(RecordsShape { records, next })
}

fn line(line: RecordLine, others: u64, replica: &Replica) -> RecordLineShape {
    RecordLineShape {
        place: sls::place(replica, &line.id.home()),
        record: line.id.to_string(),
        name: line.name,
        members: line.members,
        inks: line.inks.iter().map(ToString::to_string).collect(),
        conflicts: line.conflicts.values().sum::<u64>() + others,
        gone: line.gone,
        leaving: line.leaving,
    }
}

pub(super) fn gone(
    replica: &mut Replica,
    now: Moment,
    record: &str,
    member: Option<&str>,
    reason: &str,
    ink: Option<&str>,
) -> Result<WrittenShape, VerbError> {
    let record = replica.find_record(record)?;
    let reading: Reading = replica.reading(&record)?;
    let member = member.map(|member| typed::member(Some(&reading), member)).transpose()?;
    let change = replica.mark_gone(now, &record, member, reason, typed::ink(ink)?)?;
    Ok(WrittenShape { record: record.to_string(), change: Some(change.to_string()) })
}

pub(super) fn questionnaire(replica: &Replica) -> Result<&Questionnaire, VerbError> {
    let missing =
        if replica.survey().is_none() { ActionError::NoCharter } else { ActionError::NoQuestionnaire };
    replica.questionnaire().ok_or_else(|| missing.into())
}
