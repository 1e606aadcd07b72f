//! Promises 1, 2 and 4 over the real program: the demonstration is played, and everything it left is
//! looked through from outside. Every edit of its script is in the history of every node in whose scope
//! it lies, losing answers included, and nothing of it is anywhere else, or readable in a file.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod at_rest;

#[expect(dead_code, reason = "here it only runs, unasked")]
mod daemon;

mod finder;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rukun::disk::Folder;
use rukun::node::Node;
use rukun::verbs::{LogShape, RecordShape, Request};
use rukun_change::Region;
use serde::Deserialize;
use serde_json::{Value, json};

/// The nodes' folders, in the order in which the demonstration tells of the nodes.
const FOLDERS: [&str; 5] = ["district", "coordinator", "supervisor", "enumerator-1", "enumerator-2"];
const OFFICE: usize = 0;
/// Records whose history is asked for on the command line, at each node.
const ASKED_BY_COMMAND: usize = 4;

/// An edit as the demonstration wrote it down outside the stores.
#[derive(Deserialize)]
struct Edit {
    by: String,
    record: String,
    change: String,
    writes: Vec<(String, Value)>,
}

#[derive(Deserialize)]
struct Script {
    edits: Vec<Edit>,
}

/// What a demonstration left.
pub(crate) struct Left {
    dir: PathBuf,
    regions: Vec<Vec<Region>>,
    edits: Vec<Edit>,
    /// The histories of all records at the office.
    logs: BTreeMap<String, LogShape>,
}

#[test]
fn every_edit_is_where_it_belongs_and_nowhere_else_after_the_demonstration() {
    let parent = tempfile::tempdir().unwrap();
    let left = Left::of_demo(&parent.path().join("demo"));
    left.every_edit_is_found();
    left.losing_answers_are_among_them();
    left.the_command_line_tells_the_same();
    at_rest::no_store_holds_what_its_device_was_not_granted(&left);
    at_rest::no_file_tells_a_name_or_a_number(&left);
    at_rest::secrets_are_their_owners_alone(&left);
}

impl Left {
    /// Plays it.
    fn of_demo(dir: &Path) -> Self {
        let played = rukun().args(["demo", "--json", "--keep"]).arg(dir).output().unwrap();
        let told = String::from_utf8(played.stdout).unwrap();
        let errors = String::from_utf8_lossy(&played.stderr);
        assert!(played.status.success(), "the demonstration ended with {}: {told}\n{errors}", played.status);
        let last: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
        assert_eq!((&last["converged"], &last["lost"]), (&json!(true), &json!(0)), "{last}");
        let before = |kind: &str| last["conflicts_before"][kind].as_u64().unwrap();
        assert!(before("field") >= 1 && before("stale") >= 1, "{last}");
        let after = last["conflicts_after"].as_object().unwrap();
        assert!(after.len() >= 6 && after.values().all(|count| *count == json!(0)), "{last}");
        let nodes = last["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), FOLDERS.len());
        assert!(nodes.iter().all(|node| node["conflicts_left"] == json!(0)), "{last}");
        let regions = |node: &Value| -> Vec<Region> {
            let regions = node["regions"].as_array().unwrap().iter();
            regions.map(|region| region.as_str().unwrap().parse().unwrap()).collect()
        };
        let script: Script =
            serde_json::from_slice(&std::fs::read(dir.join("script.json")).unwrap()).unwrap();
        let mut left = Self {
            dir: dir.into(),
            regions: nodes.iter().map(regions).collect(),
            edits: script.edits,
            logs: BTreeMap::new(),
        };
        let mut office = left.node(OFFICE);
        for edit in &left.edits {
            let record = edit.record.clone();
            left.logs.entry(record.clone()).or_insert_with(|| office.ask(Request::Log { record }).unwrap());
        }
        left
    }

    fn folder(&self, at: usize) -> PathBuf {
        self.dir.join(FOLDERS[at])
    }

    /// The node of a folder, opened here: no daemon runs any more.
    fn node(&self, at: usize) -> Node {
        Node::open(&Folder::at(self.folder(at))).unwrap()
    }

    fn covers(&self, at: usize, record: &str) -> bool {
        self.regions[at].iter().any(|region| record.starts_with(region.as_str()))
    }

    fn every_edit_is_found(&self) {
        assert!(self.edits.len() > 240 && self.logs.len() == 120, "{} edits", self.edits.len());
        for (at, folder) in FOLDERS.into_iter().enumerate() {
            let mut node = self.node(at);
            let mut logs: BTreeMap<&str, LogShape> = BTreeMap::new();
            let mut found = 0;
            for edit in self.edits.iter().filter(|edit| self.covers(at, &edit.record)) {
                let log = logs
                    .entry(&edit.record)
                    .or_insert_with(|| node.ask(Request::Log { record: edit.record.clone() }).unwrap());
                assert!(edit.is_in(log), "{folder} lacks change {} of {}", edit.change, edit.record);
                found += 1;
            }
            // 60 families lie in an enumerator's scope, each imported once and interviewed once.
            assert!(found >= 120, "only {found} edits lie in the scope of {folder}");
            let by: Vec<&str> = self.edits.iter().map(|edit| edit.by.as_str()).collect();
            assert!(["Sri Lestari", "Budi Santoso", "Nurhayati"].iter().all(|name| by.contains(name)));
        }
    }

    /// An answer that lost is one that the office does not read any more.
    fn losing_answers_are_among_them(&self) {
        let mut office = self.node(OFFICE);
        let mut read: BTreeMap<&str, RecordShape> = BTreeMap::new();
        let mut lost = 0;
        for edit in &self.edits {
            let read = read
                .entry(&edit.record)
                .or_insert_with(|| office.ask(Request::RecordShow { record: edit.record.clone() }).unwrap());
            let differs = |(field, value): &(String, Value)| {
                !field.starts_with("member/") && read.answers.get(field).unwrap_or(&Value::Null) != value
            };
            lost += usize::from(edit.writes.iter().any(differs));
        }
        assert!(lost >= 10, "only {lost} edits hold an answer that lost");
    }

    fn the_command_line_tells_the_same(&self) {
        // Those with the longest histories tell most.
        let mut records: Vec<&LogShape> = self.logs.values().collect();
        records.sort_by_key(|log| std::cmp::Reverse(log.changes.len()));
        for (at, folder) in FOLDERS.into_iter().enumerate() {
            let covered = records.iter().filter(|log| self.covers(at, &log.record));
            let mut asked = 0;
            for log in covered.take(ASKED_BY_COMMAND) {
                let told =
                    rukun().args(["log", &log.record, "--json", "--dir"]).arg(self.folder(at)).output();
                let told = told.unwrap();
                assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
                let told: LogShape = serde_json::from_slice(&told.stdout).unwrap();
                assert_eq!(told, **log, "at {folder}");
                asked += 1;
            }
            assert_eq!(asked, ASKED_BY_COMMAND);
        }
    }
}

impl Edit {
    /// Whether it stands in this history with everything that it wrote. New members get their ids at
    /// the node, so an answer of a member counts under its field alone.
    fn is_in(&self, log: &LogShape) -> bool {
        let Some(line) = log.changes.iter().find(|line| line.change == self.change) else { return false };
        let field = |text: &str| match text.split_once('/') {
            Some((_, field)) => format!("member/{field}"),
            None => text.to_owned(),
        };
        let mut held: Vec<(String, &Value)> =
            line.writes.iter().map(|write| (field(&write.field), &write.value)).collect();
        self.writes.iter().all(|(name, value)| {
            let place = held.iter().position(|(held, other)| *held == field(name) && *other == value);
            place.map(|place| held.swap_remove(place)).is_some()
        })
    }
}

fn rukun() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rukun"));
    command.stdin(Stdio::null()).env_remove("RUKUN_DIR");
    command
}
