//! The table of attackers in `docs/trust.md` names a test for each: they are there.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use rukun_tests::planted::workspace;

const HEADING: &str = "| who | can | cannot | shown by |";

/// All that is compiled as Rust here.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, text);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&entry).unwrap());
        }
    }
}

#[test]
fn each_attacker_is_met_by_tests_that_exist() {
    let page = fs::read_to_string(workspace().join("docs/trust.md")).unwrap();
    let rows = page.lines().skip_while(|line| *line != HEADING).skip(2);
    let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 8, "the table has moved: {} rows", rows.len());
    let mut text = String::new();
    for folder in ["crates", "daemon", "tests/src", "tests/tests", "tests/process"] {
        sources(&workspace().join(folder), &mut text);
    }
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 4, "{row}");
        let named: Vec<&str> = cells[3].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test shows what {} gets", cells[0]);
        for test in named {
            assert!(text.contains(&format!("fn {test}(")), "there is no test {test}, named for {}", cells[0]);
        }
    }
}
