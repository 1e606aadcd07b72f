//! Prelist rows into records in printed ink. Each row is judged by itself: what is wrong with one is
//! told by line and column, and the others go in. A family that is there already is not made twice.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use rukun_change::{Ink, Moment, RecordId, Scalar, SubSls};
use rukun_document::{Identity, Kind, Level, Place, Questionnaire, Reading};
use rukun_replica::{ActionError, Replica};
use serde_json::{Map, Value};

use super::error::VerbError;
use super::record::questionnaire;
use super::request::PrelistRow;
use super::shape::{BadRow, HeadingShape, ImportShape, ThereRow};
use super::{sls, typed};

/// The column that says where the family lives.
pub(crate) const REGION: &str = "region";
/// Building and family number: by them a family without a KK number is known again.
const NUMBERS: [&str; 2] = ["r110", "r111"];

/// By what a family in a sub-SLS is known again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Kk(String),
    Numbers(i64, i64),
}

type Known = BTreeMap<SubSls, BTreeMap<Mark, RecordId>>;

pub(super) fn heading(replica: &Replica, columns: &[String]) -> Result<HeadingShape, VerbError> {
    let questionnaire = questionnaire(replica)?;
    let remedy = "the columns are region and variables of the family, such as r108, r110, r111, r112, r114";
    if !columns.iter().any(|column| column == REGION) {
        return Err(VerbError::new("the column region is missing", remedy));
    }
    let mut seen = Vec::new();
    for (column, at) in columns.iter().zip(1..) {
        if column.is_empty() {
            return Err(VerbError::new(format!("column {at} has no name"), remedy));
        }
        if seen.contains(&column) {
            return Err(VerbError::new(format!("the column {column} stands there twice"), remedy));
        }
        seen.push(column);
        if column != REGION {
            questionnaire
                .check(column, Level::Family, &Scalar::Null)
                .map_err(|error| VerbError::new(error, remedy))?;
        }
    }
    Ok(HeadingShape { kk: kk_variable(questionnaire) })
}

pub(super) fn import(
    replica: &mut Replica,
    now: Moment,
    rows: Vec<PrelistRow>,
) -> Result<ImportShape, VerbError> {
    let kk = kk_variable(questionnaire(replica)?);
    let mut known = Known::new();
    let (mut outcome, mut homes) = (ImportShape::default(), BTreeSet::new());
    for row in rows {
        let line = row.line;
        let (home, patch) = match read(questionnaire(replica)?, row) {
            Ok(read) => read,
            Err(bad) => {
                outcome.bad.extend(bad);
                continue;
            }
        };
        let here = match known.entry(home) {
            Entry::Occupied(here) => here.into_mut(),
            Entry::Vacant(here) => here.insert(marks_in(replica, home, kk.as_deref())?),
        };
        let marks = marks_of(kk.as_deref(), |field| patch.get(field).and_then(scalar));
        if let Some(there) = marks.iter().find_map(|mark| here.get(mark)).copied() {
            if has_other_kk(here, &there, &marks) {
                outcome.bad.push(another_family(line, &there));
            } else {
                outcome.there.push(ThereRow { line, record: there.to_string() });
            }
            continue;
        }
        match replica.add_record(now, home, Some(Ink::Printed), &Value::Object(patch)) {
            Ok((record, _)) => {
                outcome.added += 1;
                homes.insert(home);
                here.extend(marks.into_iter().map(|mark| (mark, record)));
            }
            Err(error) => outcome.bad.push(bad_row(line, error)?),
        }
    }
    outcome.unassigned = sls::unassigned(replica, homes);
    Ok(outcome)
}

/// The row as a home and a patch, or all that is wrong with it.
fn read(questionnaire: &Questionnaire, row: PrelistRow) -> Result<(SubSls, Map<String, Value>), Vec<BadRow>> {
    let line = row.line;
    let mut bad = Vec::new();
    let mut fault = |column: &str, message: String| bad.push(BadRow { line, column: column.into(), message });
    let home = row.region.trim().parse::<SubSls>().map_err(|error| fault(REGION, error.to_string())).ok();
    let mut patch = Map::new();
    for (column, text) in row.cells.into_iter().filter(|(_, text)| !text.trim().is_empty()) {
        if text.trim().contains(['\n', '\r']) {
            let remedy = "write it in one line, and close every quote that opens before it";
            fault(&column, format!("an answer is one line, and this one goes on in the next; {remedy}"));
            continue;
        }
        let typed =
            typed::answer(questionnaire, Level::Family, &column, &text).map_err(|error| error.message);
        let checked = typed.and_then(|value| {
            let fits = scalar(&value).map(|scalar| questionnaire.check(&column, Level::Family, &scalar));
            fits.transpose().map(|_| value).map_err(|error| error.to_string())
        });
        match checked {
            Ok(value) => drop(patch.insert(column, value)),
            Err(message) => fault(&column, message),
        }
    }
    if patch.is_empty() && bad.is_empty() {
        bad.push(BadRow {
            line,
            column: String::new(),
            message: "the row has no answer beside its region".into(),
        });
    }
    home.filter(|_| bad.is_empty()).map(|home| (home, patch)).ok_or(bad)
}

/// What is one row's fault; everything else is so for all rows and ends the import.
fn bad_row(line: u64, error: ActionError) -> Result<BadRow, VerbError> {
    let column = match error {
        ActionError::NotGranted { .. } | ActionError::Ink { .. } | ActionError::Retired { .. } => REGION,
        ActionError::Edit(_) | ActionError::Empty => "",
        other => return Err(other.into()),
    };
    Ok(BadRow { line, column: column.into(), message: VerbError::from(error).message })
}

fn marks_in(
    replica: &mut Replica,
    home: SubSls,
    kk: Option<&str>,
) -> Result<BTreeMap<Mark, RecordId>, VerbError> {
    let region = home.region();
    // Most sub-SLS are empty when their prelist comes; then no record has to be read.
    if replica.fingerprints(Some(&region))?.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut marks = BTreeMap::new();
    for line in replica.records(Some(&region), None, usize::MAX)? {
        let reading: Reading = replica.reading(&line.id)?;
        let value = |field: &str| reading.value(&Place::family(field)).cloned();
        marks.extend(marks_of(kk, value).into_iter().map(|mark| (mark, line.id)));
        // The same file is known again by a number that was corrected since.
        let answer = kk.and_then(|kk| reading.answer(&Place::family(kk)));
        let printed = answer.map(|answer| answer.in_ink(Ink::Printed)).unwrap_or_default();
        marks.extend(printed.iter().filter_map(|one| Some((kk_mark(&one.value)?, line.id))));
    }
    Ok(marks)
}

/// Whether a record has a KK number, and the row another one: the same house, and another family.
fn has_other_kk(here: &BTreeMap<Mark, RecordId>, there: &RecordId, marks: &[Mark]) -> bool {
    let is_kk = |mark: &Mark| matches!(mark, Mark::Kk(_));
    let of_row = marks.iter().find(|mark| is_kk(mark));
    let has_kk = || here.iter().any(|(mark, record)| record == there && is_kk(mark));
    of_row.is_some_and(|of_row| !here.contains_key(of_row) && has_kk())
}

fn another_family(line: u64, there: &RecordId) -> BadRow {
    let [building, family] = NUMBERS;
    let message = format!(
        "record {there} has this {building} and {family} and another KK number: give the family a number of its own"
    );
    BadRow { line, column: family.into(), message }
}

fn marks_of(kk: Option<&str>, value: impl Fn(&str) -> Option<Scalar>) -> Vec<Mark> {
    let kk = kk.and_then(&value).and_then(|value| kk_mark(&value));
    let number = |field| match value(field) {
        Some(Scalar::Int(number)) => Some(number),
        _ => None,
    };
    let [building, family] = NUMBERS.map(number);
    let numbers = building.zip(family).map(|(building, family)| Mark::Numbers(building, family));
    kk.into_iter().chain(numbers).collect()
}

fn kk_mark(value: &Scalar) -> Option<Mark> {
    match value {
        Scalar::Text(number) => Some(Mark::Kk(number.clone())),
        _ => None,
    }
}

fn kk_variable(questionnaire: &Questionnaire) -> Option<String> {
    let mut variables = questionnaire.variables();
    let found = variables.find(|variable| variable.kind == Kind::Digits16(Identity::Kk));
    found.map(|variable| variable.name.clone())
}

fn scalar(value: &Value) -> Option<Scalar> {
    match value {
        Value::Number(number) => number.as_i64().map(Scalar::Int),
        Value::String(text) => Some(Scalar::Text(text.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(region: &str, cells: &[(&str, &str)]) -> PrelistRow {
        let cells = cells.iter().map(|(column, text)| ((*column).into(), (*text).into())).collect();
        PrelistRow { line: 7, region: region.into(), cells }
    }

    #[test]
    fn everything_wrong_with_a_row_is_named_by_line_and_column() {
        let questionnaire = Questionnaire::parse(include_bytes!("../../data/regsosek-k.csv")).unwrap();
        let bad =
            row("18110100050003", &[("r110", "dua"), ("r112", "0"), ("r114", "1,81E+15"), ("r108", "Siti")]);
        let bad = read(&questionnaire, bad).unwrap_err();
        let columns: Vec<&str> = bad.iter().map(|bad| bad.column.as_str()).collect();
        assert_eq!(columns, ["region", "r110", "r112", "r114"]);
        assert!(bad.iter().all(|bad| bad.line == 7));
        assert!(bad[0].message.contains("16"), "{}", bad[0].message);
    }

    #[test]
    fn empty_cells_are_no_answers() {
        let questionnaire = Questionnaire::parse(include_bytes!("../../data/regsosek-k.csv")).unwrap();
        let (_, patch) =
            read(&questionnaire, row("1811010005000300", &[("r108", " Siti "), ("r110", "")])).unwrap();
        assert_eq!(Value::Object(patch), serde_json::json!({"r108": "Siti"}));
        assert!(read(&questionnaire, row("1811010005000300", &[("r108", "")])).is_err());
    }
}
