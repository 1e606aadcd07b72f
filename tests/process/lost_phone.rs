//! A lost phone over the real program: its story is played, and what it left is looked through from
//! outside, by the command line. What the phone delivered late is at every tier and counts at none but
//! for what was upheld, every node says the same, and its families are where they were handed over.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rukun::verbs::{ErasedListShape, LogShape, RecordShape, RecordsShape, SetAsideShape, StatusShape};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The nodes that go on, from the top.
const FOLDERS: [&str; 4] = ["district", "coordinator", "supervisor", "enumerator-2"];
const LOST: &str = "enumerator-1";
/// Where the phone's families live.
const REGION: &str = "18110100050001";
/// How many there are in the end: one of 32 was erased.
const FAMILIES: usize = 31;
/// Records compared by the command line at each node.
const COMPARED: usize = 8;

struct Left {
    dir: PathBuf,
    /// What the demonstration wrote down of the phone's changes, in order: change and record.
    phones: Vec<(String, String)>,
}

#[test]
fn a_lost_phone_is_set_aside_settled_and_handed_over_alike_at_every_node() {
    let parent = tempfile::tempdir().unwrap();
    let left = Left::of_story(&parent.path().join("story"));
    left.what_came_late_counts_nowhere_but_for_what_was_upheld();
    left.every_node_says_the_same();
    left.the_families_have_changed_hands();
    left.one_family_is_forgotten_at_every_node_that_goes_on();
}

impl Left {
    /// Plays it.
    fn of_story(dir: &Path) -> Self {
        let mut command = rukun();
        let played = command.args(["demo", "--lost-phone", "--json", "--keep"]).arg(dir).output().unwrap();
        let told = String::from_utf8(played.stdout).unwrap();
        let errors = String::from_utf8_lossy(&played.stderr);
        assert!(played.status.success(), "the story ended with {}: {told}\n{errors}", played.status);
        let last: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
        let expected = json!({
            "converged": true, "lost": 0, "set_aside": 5, "upheld": 1, "dismissed": 1, "erased": 1,
            "agree": true,
        });
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&last[field], value, "{field}: {last}");
        }
        assert_eq!(last["conflicts_before"]["set-aside"], json!(5), "{last}");
        assert_eq!(last["conflicts_after"]["set-aside"], json!(4), "{last}");
        assert_eq!(last["nodes"].as_array().unwrap().len(), FOLDERS.len() + 1);
        let script: Value = serde_json::from_slice(&std::fs::read(dir.join("script.json")).unwrap()).unwrap();
        let edits = script["edits"].as_array().unwrap().iter();
        let text = |edit: &Value, field: &str| edit[field].as_str().unwrap().to_owned();
        let phones = edits.filter(|edit| edit["by"] == "Budi Santoso");
        let phones: Vec<_> = phones.map(|edit| (text(edit, "change"), text(edit, "record"))).collect();
        assert!(phones.len() > 20);
        Self { dir: dir.into(), phones }
    }

    fn ask<T: DeserializeOwned>(&self, folder: &str, words: &[&str]) -> T {
        let told = rukun().args(words).args(["--json", "--dir"]).arg(self.dir.join(folder)).output().unwrap();
        let errors = String::from_utf8_lossy(&told.stderr);
        assert!(told.status.success(), "{folder}: {words:?}: {errors}");
        serde_json::from_slice(&told.stdout).unwrap()
    }

    fn what_came_late_counts_nowhere_but_for_what_was_upheld(&self) {
        // Two interviews that nobody had, then three changes by whoever found the phone.
        let (early, late) = self.phones.split_at(self.phones.len() - 5);
        let expected: BTreeMap<&str, &str> = [
            (late[0].0.as_str(), "upheld"),
            (late[1].0.as_str(), "set aside: its device is revoked"),
            (late[2].0.as_str(), "set aside: it was dismissed"),
            (late[3].0.as_str(), "set aside: its device is revoked"),
            (late[4].0.as_str(), "set aside: its device is revoked"),
        ]
        .into();
        for folder in FOLDERS {
            for (change, record) in late {
                let log: LogShape = self.ask(folder, &["log", record]);
                let line = log.changes.iter().find(|line| line.change == *change);
                let line = line.unwrap_or_else(|| panic!("{folder} lacks change {change}"));
                assert_eq!(line.standing, expected[change.as_str()], "{folder}: {change}");
                assert_eq!(line.who.author, "Budi Santoso", "{folder}");
            }
            let aside: SetAsideShape = self.ask(folder, &["set-aside"]);
            let mut found: Vec<&str> = aside.changes.iter().map(|line| line.change.as_str()).collect();
            let mut listed: Vec<&str> = expected.keys().copied().filter(|id| *id != late[0].0).collect();
            found.sort_unstable();
            listed.sort_unstable();
            assert_eq!(found, listed, "{folder}");
        }
        // What it had delivered before stands.
        let (change, record) = &early[0];
        let log: LogShape = self.ask("district", &["log", record]);
        assert!(log.changes.iter().any(|line| line.change == *change && line.standing == "good"));
        // And nobody reads what its finder wrote.
        let read: RecordShape = self.ask("district", &["record", "show", &late[2].1]);
        assert_ne!(read.answers["r302"], json!(900));
    }

    fn every_node_says_the_same(&self) {
        let listed: RecordsShape = self.ask("district", &["record", "list", "--region", REGION]);
        assert_eq!(listed.records.len(), FAMILIES);
        for line in listed.records.iter().take(COMPARED) {
            let log: LogShape = self.ask("district", &["log", &line.record]);
            let read: RecordShape = self.ask("district", &["record", "show", &line.record]);
            for folder in &FOLDERS[1..] {
                assert_eq!(self.ask::<LogShape>(folder, &["log", &line.record]), log, "{folder}");
                let other: RecordShape = self.ask(folder, &["record", "show", &line.record]);
                assert_eq!(other, read, "{folder}");
            }
        }
    }

    fn one_family_is_forgotten_at_every_node_that_goes_on(&self) {
        let office: ErasedListShape = self.ask("district", &["erased"]);
        assert_eq!((office.records.len(), office.records[0].reason.as_str()), (1, "the family asked for it"));
        let record = &office.records[0].record;
        for folder in FOLDERS {
            assert_eq!(self.ask::<ErasedListShape>(folder, &["erased"]), office, "{folder}");
            let shown = rukun().args(["record", "show", record, "--dir"]).arg(self.dir.join(folder)).output();
            let shown = shown.unwrap();
            let said = String::from_utf8_lossy(&shown.stderr);
            assert!(
                !shown.status.success() && said.contains("was erased by the district"),
                "{folder}: {said}"
            );
        }
    }

    fn the_families_have_changed_hands(&self) {
        let heir: StatusShape = self.ask("enumerator-2", &["status"]);
        let in_force: Vec<&str> =
            heir.grants.iter().flat_map(|grant| &grant.in_force).map(String::as_str).collect();
        assert_eq!(in_force, [REGION, "18110100050002", "18110100060001"]);
        let listed: RecordsShape = self.ask("enumerator-2", &["record", "list", "--region", REGION]);
        assert_eq!(listed.records.len(), FAMILIES);
        let lost: StatusShape = self.ask(LOST, &["status"]);
        assert!(lost.grants.iter().all(|grant| grant.in_force.is_empty()));
        assert!(lost.grants.iter().any(|grant| grant.regions.is_empty()), "its grant was taken back");
        // The phone was sent nothing of what its heir wrote there.
        let by_heir = |folder: &str| {
            let records = &self.phones[..10];
            let logs = records.iter().map(|(_, record)| self.ask::<LogShape>(folder, &["log", record]));
            let lines = logs.flat_map(|log| log.changes);
            lines.filter(|line| line.who.author == "Nurhayati").count()
        };
        assert_eq!((by_heir("district"), by_heir(LOST)), (2, 0));
    }
}

fn rukun() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rukun"));
    command.stdin(Stdio::null()).env_remove("RUKUN_DIR");
    command
}
