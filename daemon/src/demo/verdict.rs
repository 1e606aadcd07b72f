//! What came of it: whether all that should be equal is, whether every edit is where it belongs,
//! and the figures.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::Narrator;
use super::agreement::Agreement;
use super::cast::SUPERVISOR;
use super::scene::Scene;
use crate::render::{self, Cell, Paint, Table};
use crate::verbs::{ConflictsShape, LogShape, Request, StatusShape, TrafficShape, VerbError};

/// What came of the story.
pub(super) struct Verdict {
    converged: bool,
    /// Edits that some node lacks in whose scope they lie, each counted once a node.
    lost: usize,
    /// Edits looked for, each counted once a node.
    looked_for: usize,
    nodes: Vec<Line>,
    before: BTreeMap<String, usize>,
    after: BTreeMap<String, usize>,
    /// What became of a lost phone's work, in the story of one.
    settled: Option<Agreement>,
}

struct Line {
    name: &'static str,
    role: &'static str,
    regions: Vec<String>,
    families: u64,
    changes: u64,
    traffic: TrafficShape,
    /// Open conflicts but for set-aside work.
    conflicts: u64,
    aside: u64,
}

impl Verdict {
    pub(super) fn is_good(&self) -> bool {
        let before = |kind| self.before.get(kind).is_some_and(|count| *count > 0);
        let not_lost = self.nodes.iter().filter(|node| !node.is_lost());
        let left: u64 = not_lost.map(|node| node.conflicts).sum();
        let told = match &self.settled {
            None => before("field") && before("stale") && self.nodes.iter().all(|node| node.aside == 0),
            Some(settled) => settled.is_good(),
        };
        self.converged && self.lost == 0 && left == 0 && told
    }

    pub(super) fn to_json(&self, took: Duration) -> Value {
        let node = |line: &Line| {
            json!({
                "node": line.name, "role": line.role, "regions": line.regions, "families": line.families,
                "changes": line.changes, "bytes_sent": line.traffic.bytes_sent,
                "bytes_received": line.traffic.bytes_received, "conflicts_left": line.conflicts,
            })
        };
        let mut told = json!({
            "converged": self.converged,
            "lost": self.lost,
            "seconds": (took.as_secs_f64() * 10.0).round() / 10.0,
            "nodes": self.nodes.iter().map(node).collect::<Vec<_>>(),
            "conflicts_before": counts(&self.before),
            "conflicts_after": counts(&self.after),
        });
        if let (Some(settled), Some(told)) = (&self.settled, told.as_object_mut()) {
            told.insert("set_aside".into(), settled.set_aside.into());
            told.insert("upheld".into(), settled.upheld.into());
            told.insert("dismissed".into(), settled.dismissed.into());
            told.insert("erased".into(), settled.erased.into());
            told.insert("agree".into(), settled.agrees().into());
        }
        told
    }
}

impl Line {
    /// Whether it may read nothing any more. Then it does not even learn which of its work counts.
    fn is_lost(&self) -> bool {
        self.regions.is_empty()
    }

    fn cells(&self, paint: Paint) -> Vec<Cell> {
        let mut cells = vec![Cell::text(self.name), Cell::text(self.role)];
        cells.push(if self.is_lost() {
            Cell::text("revoked").painted(|word| paint.alert(word))
        } else {
            Cell::text(self.regions.join(" "))
        });
        cells.extend([Cell::number(self.families), Cell::number(self.changes)]);
        let bytes = [self.traffic.bytes_sent, self.traffic.bytes_received];
        cells.extend(bytes.map(|bytes| Cell::text(render::shown_bytes(bytes)).right()));
        if !self.is_lost() {
            let left = Cell::number(self.conflicts);
            cells.push(
                left.painted(|count| if count == "0" { paint.good(count) } else { paint.alert(count) }),
            );
            cells.push(Cell::number(self.aside));
        }
        cells
    }
}

/// The kinds that a script asks for are there even when there are none.
fn counts(found: &BTreeMap<String, usize>) -> Value {
    let mut counts: BTreeMap<&str, usize> = ["field", "stale", "duplicate", "rule", "presence", "set-aside"]
        .into_iter()
        .map(|kind| (kind, 0))
        .collect();
    counts.extend(found.iter().map(|(kind, count)| (kind.as_str(), *count)));
    json!(counts)
}

/// The open conflicts that a node sees, by kind.
pub(super) fn conflicts(scene: &mut Scene, at: usize) -> Result<BTreeMap<String, usize>, VerbError> {
    let open: ConflictsShape = scene.officer(at).ask(Request::Conflicts { region: None, kind: None })?;
    let mut counts = BTreeMap::new();
    for conflict in open.conflicts {
        *counts.entry(conflict.kind).or_default() += 1;
    }
    Ok(counts)
}

pub(super) fn judge(
    scene: &mut Scene,
    converged: bool,
    before: BTreeMap<String, usize>,
    settled: Option<Agreement>,
) -> Result<Verdict, VerbError> {
    let (lost, looked_for) = look_for_edits(scene)?;
    let mut nodes = Vec::new();
    for at in 0..scene.officers.len() {
        let open = conflicts(scene, at)?;
        let all: usize = open.values().sum();
        let aside = open.get("set-aside").copied().unwrap_or_default();
        let officer = scene.officer(at);
        let traffic = officer.traffic()?;
        let status: StatusShape = officer.ask(Request::Status)?;
        nodes.push(Line {
            name: officer.part.name,
            role: officer.part.role.name(),
            regions: officer.part.regions.iter().map(ToString::to_string).collect(),
            families: status.records,
            changes: status.changes,
            traffic,
            conflicts: (all - aside) as u64,
            aside: aside as u64,
        });
    }
    let after = conflicts(scene, SUPERVISOR)?;
    Ok(Verdict { converged, lost, looked_for, nodes, before, after, settled })
}

/// Looks for every scripted edit in the history at every node in whose scope it lies.
fn look_for_edits(scene: &mut Scene) -> Result<(usize, usize), VerbError> {
    let mut by_record: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, edit) in scene.script.edits.iter().enumerate() {
        by_record.entry(edit.record.clone()).or_default().push(at);
    }
    let (mut lost, mut looked_for) = (0, 0);
    for at in 0..scene.officers.len() {
        let regions = scene.officer(at).part.regions.clone();
        let covered = |record: &str| regions.iter().any(|region| record.starts_with(region.as_str()));
        let there = |record: &String| covered(record) && scene.erased.as_ref() != Some(record);
        let sought: Vec<_> = by_record.iter().filter(|(record, _)| there(record)).collect();
        for (record, edits) in sought {
            looked_for += edits.len();
            let log: Result<LogShape, VerbError> =
                scene.officer(at).ask(Request::Log { record: record.clone() });
            match log {
                Ok(log) => {
                    let edits = edits.iter().filter_map(|at| scene.script.edits.get(*at));
                    lost += edits.filter(|edit| !edit.is_in(&log)).count();
                }
                Err(error) if error.status == 404 => lost += edits.len(),
                Err(error) => return Err(error),
            }
        }
    }
    Ok((lost, looked_for))
}

pub(super) fn tell(scene: &Scene, verdict: &Verdict, keep: Option<&Path>, narrator: &Narrator) {
    let paint = narrator.paint;
    let heading = ["NODE", "ROLE", "REGIONS", "FAMILIES", "CHANGES", "SENT", "RECEIVED", "CONFLICTS LEFT"];
    let mut heading = heading.to_vec();
    heading.extend(verdict.settled.as_ref().map(|_| "SET ASIDE"));
    let mut table = Table::with_heading(&heading, paint);
    for line in &verdict.nodes {
        table.row(line.cells(paint).into_iter().take(heading.len()));
    }
    narrator.line(&format!("\n{}", table.lines("").trim_end()));
    let edits = scene.script.edits.len();
    let found = verdict.looked_for - verdict.lost;
    let alike = if verdict.converged {
        paint.good("equal scopes have equal fingerprints")
    } else {
        paint.alert("fingerprints differ between equal scopes")
    };
    let kept = format!(
        "{edits} edits looked for at every node in whose scope they lie: {found} of {} found",
        verdict.looked_for
    );
    let kept = if verdict.lost == 0 { paint.good(&kept) } else { paint.alert(&kept) };
    narrator.line(&format!("\n{alike}\n{kept}"));
    if let Some(settled) = &verdict.settled {
        narrator.line(&settled.told(paint));
    }
    match keep {
        None => narrator.line("\nto look further, keep the folders: rukun demo --keep DIR"),
        Some(keep) => {
            let record = scene.script.edits.last().map(|edit| render::short_record(&edit.record));
            let record = record.unwrap_or_default();
            let folder = keep.join("supervisor");
            let command = |verb: &str| format!("  rukun --dir {} {verb}", folder.display());
            let commands =
                [format!("log {record}"), format!("blame {record}"), "status".into(), "record list".into()];
            let commands: Vec<String> = commands.iter().map(|verb| command(verb)).collect();
            narrator.line(&format!("\nlook further:\n{}", commands.join("\n")));
        }
    }
}
