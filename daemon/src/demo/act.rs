//! The story, step by step.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Narrator;
use super::cast::{DISTRICT, ENUMERATORS, Place, SUPERVISOR};
use super::scene::Scene;
use super::verdict::{self, Verdict};
use crate::people::Family;
use crate::prelist::{self, Progress};
use crate::render::{self, Cell, Table};
use crate::verbs::{
    BadRow, CandidateShape, ConflictShape, ConflictsShape, LogShape, MemberShape, RecordShape, RecordsShape,
    Request, VerbError,
};

/// The shared families, by what happens to them: both enumerators change an answer of the family,
const DISPUTED: std::ops::Range<usize> = 0..5;
/// or of a member,
const DISPUTED_MEMBERS: std::ops::Range<usize> = 5..7;
/// the supervisor corrects what an enumerator is changing unseen,
const CORRECTED_BLIND: std::ops::Range<usize> = 7..10;
/// or has seen the last pencil,
const CORRECTED_SEEING: std::ops::Range<usize> = 10..13;
/// one enumerator marks the family gone while the other one changes an answer.
const GONE: usize = 13;

pub(super) fn play(scene: &mut Scene, narrator: &Narrator) -> Result<Verdict, VerbError> {
    import(scene, narrator)?;
    interview_linked(scene, narrator)?;
    cut_off(scene, narrator)?;
    work_apart(scene, narrator)?;
    reconnect(scene, narrator)?;
    let before = verdict::conflicts(scene, SUPERVISOR)?;
    show(scene, narrator)?;
    resolve(scene, narrator)?;
    narrator.step("Compare what they hold, and look for every edit");
    let converged = scene.settle()?;
    scene.write_script()?;
    verdict::judge(scene, converged, before, None)
}

pub(super) fn import(scene: &mut Scene, narrator: &Narrator) -> Result<(), VerbError> {
    narrator.step("The office imports the prelist");
    let rows = scene.stage.households.iter().map(|household| household.family.prelist_row() + "\n");
    let text: String = std::iter::once(format!("{}\n", Family::PRELIST_HEADING)).chain(rows).collect();
    let path = scene.home.join("prelist.csv");
    std::fs::write(&path, text)
        .map_err(|error| VerbError::new(format!("{}: {error}", path.display()), ""))?;
    let report = prelist::import(&path, scene.officer(DISTRICT).node()?, &mut Silent)?;
    let villages: Vec<String> =
        scene.stage.villages.iter().map(|(code, name)| format!("{name} ({code})")).collect();
    narrator.line(&format!("{} families in {}", report.added, villages.join(", ")));
    let listed: RecordsShape =
        scene.officer(DISTRICT).ask(Request::RecordList { region: None, after: None, limit: Some(1_000) })?;
    let prelists: BTreeMap<String, Value> = scene
        .stage
        .households
        .iter()
        .map(|household| (household.family.kk.clone(), printed(&household.family)))
        .collect();
    let office = scene.officer(DISTRICT).part.name;
    for line in listed.records {
        let log: LogShape = scene.officer(DISTRICT).ask(Request::Log { record: line.record.clone() })?;
        let first = log.changes.first().ok_or_else(|| VerbError::new("an imported record is empty", ""))?;
        let kk =
            first.writes.iter().find(|write| write.field == "r114").and_then(|write| write.value.as_str());
        let kk = kk.unwrap_or_default().to_owned();
        if let Some(prelist) = prelists.get(&kk) {
            scene.script.add(office, &line.record, &first.change, prelist);
            scene.records.insert(kk, line.record);
        }
    }
    scene.settle()?;
    Ok(())
}

/// What the prelist file says of a family.
fn printed(family: &Family) -> Value {
    let columns = Family::PRELIST_HEADING.split(',').skip(1);
    let cells = columns.filter_map(|column| Some((column.to_owned(), family.prelist.get(column)?.clone())));
    Value::Object(cells.collect())
}

struct Silent;

impl Progress for Silent {
    fn done(&mut self, _: u64) {}

    fn bad(&mut self, _: &BadRow) {}
}

fn interview_linked(scene: &mut Scene, narrator: &Narrator) -> Result<(), VerbError> {
    narrator.step("Both enumerators interview the SLS that they share, with signal");
    let shared = families(scene, Place::Shared);
    for (family, enumerator) in shared.iter().zip(ENUMERATORS.into_iter().cycle()) {
        scene.edit(enumerator, &scene.record(family), &family.interview)?;
    }
    scene.settle()?;
    for family in slice(&shared, CORRECTED_SEEING) {
        scene.edit(SUPERVISOR, &scene.record(family), &json!({"r302": 45}))?;
    }
    scene.settle()?;
    narrator.line(&format!(
        "{} interviews in pencil; the supervisor, who has them, corrects {} in red",
        shared.len(),
        CORRECTED_SEEING.len()
    ));
    Ok(())
}

fn cut_off(scene: &mut Scene, narrator: &Narrator) -> Result<(), VerbError> {
    narrator.step("The enumerators lose their signal");
    for enumerator in ENUMERATORS {
        scene.cut_off(enumerator)?;
        narrator.line(&format!("{} goes on alone", scene.officer(enumerator).part.name));
    }
    Ok(())
}

fn work_apart(scene: &mut Scene, narrator: &Narrator) -> Result<(), VerbError> {
    narrator.step("They go on working, each alone");
    let [first, second] = ENUMERATORS;
    for enumerator in ENUMERATORS {
        for family in families(scene, Place::Own(enumerator)) {
            scene.edit(enumerator, &scene.record(&family), &family.interview)?;
        }
    }
    let shared = families(scene, Place::Shared);
    for family in slice(&shared, DISPUTED) {
        let record = scene.record(family);
        scene.edit(first, &record, &json!({"r304": 4, "r305": 5}))?;
        scene.edit(second, &record, &json!({"r304": 5}))?;
    }
    for family in slice(&shared, DISPUTED_MEMBERS) {
        let record = scene.record(family);
        for (enumerator, illness) in [(first, 7), (second, 9)] {
            let head = head(scene, enumerator, &record)?;
            scene.edit(enumerator, &record, &json!({"members": {head: {"r430": illness}}}))?;
        }
    }
    for family in slice(&shared, CORRECTED_BLIND) {
        let record = scene.record(family);
        scene.edit(second, &record, &json!({"r303": 7}))?;
        scene.edit(SUPERVISOR, &record, &json!({"r303": 6}))?;
    }
    for family in slice(&shared, GONE..GONE + 1) {
        let record = scene.record(family);
        let reason = "moved to Tulang Bawang";
        let gone =
            Request::RecordGone { record: record.clone(), member: None, reason: reason.into(), ink: None };
        scene.write(second, gone, &json!({"gone": reason}))?;
        scene.edit(first, &record, &json!({"r305": 6}))?;
    }
    narrator.line("each interviews its own SLS; both change the same families; one marks a family gone");
    narrator.line("the supervisor corrects in red what an enumerator is changing unseen");
    Ok(())
}

fn reconnect(scene: &mut Scene, narrator: &Narrator) -> Result<(), VerbError> {
    narrator.step("The signal comes back, for the second one first");
    for enumerator in ENUMERATORS.into_iter().rev() {
        scene.reconnect(enumerator)?;
        scene.wait_until("a node to catch up", |scene| {
            let held = scene.fingerprints(enumerator)?;
            let office = scene.fingerprints(DISTRICT)?;
            Ok(held.iter().all(|(home, fingerprint)| office.get(home) == Some(fingerprint)))
        })?;
        narrator.line(&format!(
            "{} has delivered all of it, up to the district",
            scene.officer(enumerator).part.name
        ));
    }
    scene.settle()?;
    Ok(())
}

/// A disputed family and one corrected blindly, as each of the five sees them.
fn show(scene: &mut Scene, narrator: &Narrator) -> Result<(), VerbError> {
    narrator.step("Two conflicts, as each tier sees them");
    let shared = families(scene, Place::Shared);
    let records: Vec<String> = [DISPUTED, CORRECTED_BLIND]
        .into_iter()
        .filter_map(|range| slice(&shared, range).first().map(|family| scene.record(family)))
        .collect();
    let mut table = Table::with_heading(&["NODE", "ROLE", "KIND", "FIELD", "VALUES"], narrator.paint);
    for (at, role) in scene.roles().into_iter().enumerate() {
        for record in &records {
            let request = Request::ConflictsShow { record: record.clone() };
            let seen: ConflictsShape = scene.officer(at).ask(request)?;
            for conflict in seen.conflicts {
                table.row(seen_by(scene.officer(at).part.name, role.name(), &conflict, narrator));
            }
        }
    }
    narrator.line(table.lines("").trim_end());
    let name = scene.officer(SUPERVISOR).part.name;
    for record in records {
        narrator.line(&format!("\n{name}: rukun conflicts show {}", render::short_record(&record)));
        let conflicts: ConflictsShape = scene.officer(SUPERVISOR).ask(Request::ConflictsShow { record })?;
        narrator.line(render::conflict_details(&conflicts, narrator.paint).trim_end());
    }
    Ok(())
}

fn seen_by(name: &str, role: &str, conflict: &ConflictShape, narrator: &Narrator) -> [Cell; 5] {
    let by = |one: &CandidateShape| format!("{} by {}", render::shown(&one.value), one.who.author);
    let values: Vec<String> = conflict.candidates.iter().map(by).collect();
    let inked = |one: &CandidateShape| narrator.paint.ink(&one.ink, &by(one));
    let painted: Vec<String> = conflict.candidates.iter().map(inked).collect();
    [
        Cell::text(name),
        Cell::text(role),
        Cell::text(&conflict.kind).painted(|kind| narrator.paint.alert(kind)),
        Cell::text(conflict.field.as_deref().unwrap_or_default()),
        Cell::text(values.join(" | ")).painted(|_| painted.join(" | ")),
    ]
}

/// The supervisor settles everything, by looking at each record and choosing.
fn resolve(scene: &mut Scene, narrator: &Narrator) -> Result<(), VerbError> {
    narrator.step("The supervisor settles them, in red");
    let open: ConflictsShape =
        scene.officer(SUPERVISOR).ask(Request::Conflicts { region: None, kind: None })?;
    let mut records: Vec<String> = open.conflicts.into_iter().map(|conflict| conflict.record).collect();
    records.dedup();
    let mut settled = 0;
    for record in records {
        let shown: ConflictsShape =
            scene.officer(SUPERVISOR).ask(Request::ConflictsShow { record: record.clone() })?;
        for conflict in shown.conflicts {
            settled += usize::from(settle(scene, &record, &conflict, settled)?);
        }
    }
    narrator.line(&format!(
        "{settled} conflicts settled, each by a signed change that names what it chose among"
    ));
    Ok(())
}

fn settle(scene: &mut Scene, record: &str, conflict: &ConflictShape, turn: usize) -> Result<bool, VerbError> {
    let Some(field) = conflict.field.clone() else { return Ok(false) };
    let candidates = &conflict.candidates;
    let Some(candidate) = candidates.get(turn % candidates.len().max(1)) else { return Ok(false) };
    // Now the one, now the other, and a family that was found again is there again.
    let (pick, value, written) = match conflict.kind.as_str() {
        "presence" => (None, Some(String::new()), Value::Null),
        _ => (Some(candidate.change.clone()), None, candidate.value.clone()),
    };
    let name = field.rsplit('/').next().unwrap_or_default();
    let patch = match field.split_once('/') {
        Some((member, _)) => json!({"members": {member: {name: written}}}),
        None => json!({name: written}),
    };
    let request = Request::Resolve { record: record.into(), field, pick, value, ink: None };
    scene.write(SUPERVISOR, request, &patch)?;
    Ok(true)
}

fn head(scene: &mut Scene, at: usize, record: &str) -> Result<String, VerbError> {
    let shown: RecordShape = scene.officer(at).ask(Request::RecordShow { record: record.into() })?;
    let head: Option<MemberShape> = shown.members.into_iter().next();
    head.map(|head| head.member).ok_or_else(|| VerbError::new(format!("record {record} has no member"), ""))
}

pub(super) fn families(scene: &Scene, place: Place) -> Vec<Family> {
    scene.stage.at(place).into_iter().cloned().collect()
}

pub(super) fn slice(families: &[Family], range: std::ops::Range<usize>) -> &[Family] {
    families.get(range).unwrap_or_default()
}
