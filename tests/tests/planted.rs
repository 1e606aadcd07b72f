//! The table of planted bugs, the list that the compiler checks names against, and the places in the
//! product are of one mind; every promise has bugs that break it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rukun_tests::planted::{PROMISES, bugs, workspace};

/// What stands between `before` and the next quote, each time.
fn quoted<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = String> + 'a {
    text.split(before).skip(1).map(|rest| rest.split('"').next().unwrap_or_default().to_owned())
}

fn sources(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: std::path::PathBuf| {
        if path.is_dir() { sources(&path) } else { vec![fs::read_to_string(path).unwrap()] }
    };
    entries.flat_map(of).collect()
}

/// The names in each source, as often as they stand there.
fn planted_in_crates() -> Vec<String> {
    let crates = fs::read_dir(workspace().join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let texts = crates.filter(|path| path.is_dir()).flat_map(|path| sources(&path.join("src")));
    texts.flat_map(|text| quoted(&text, "cfg!(planted = \"").collect::<Vec<_>>()).collect()
}

#[test]
fn table_lint_and_product_name_the_same_bugs() {
    let table: BTreeSet<String> = bugs().into_iter().map(|bug| bug.name).collect();
    assert_eq!(table.len(), bugs().len(), "a bug has one name and a name one bug");
    let manifest: toml::Table = fs::read_to_string(workspace().join("Cargo.toml")).unwrap().parse().unwrap();
    let lint = &manifest["workspace"]["lints"]["rust"]["unexpected_cfgs"]["check-cfg"];
    let lint = lint.as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    let lint: BTreeSet<String> =
        lint.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned).collect();
    assert_eq!(lint, table);
    assert_eq!(planted_in_crates().into_iter().collect::<BTreeSet<_>>(), table);
}

#[test]
fn a_bug_is_no_attribute_and_stands_below_the_daemon() {
    let crates = workspace().join("crates");
    let crates = fs::read_dir(crates).unwrap().map(|entry| entry.unwrap().path().join("src"));
    let texts: Vec<String> = crates.filter(|path| path.is_dir()).flat_map(|path| sources(&path)).collect();
    let named: usize = texts.iter().map(|text| text.matches("planted =").count()).sum();
    assert_eq!(named, planted_in_crates().len(), "what is planted is compiled always and chosen by cfg!");
    let daemon = sources(&workspace().join("daemon/src"));
    assert!(daemon.iter().all(|text| !text.contains("planted =")), "the daemon decides nothing");
}

#[test]
fn every_promise_has_two_bugs_or_more() {
    let mut count: BTreeMap<u8, usize> = (1..=PROMISES).map(|promise| (promise, 0)).collect();
    for bug in bugs() {
        *count.get_mut(&bug.promise).expect("a bug breaks one of the promises") += 1;
        assert!(!bug.what.is_empty() && !bug.what.ends_with('.'), "{}: say what it does", bug.name);
    }
    assert!(count.values().all(|bugs| *bugs >= 2), "{count:?}");
}

#[test]
fn what_came_of_each_bug_is_written_down() {
    let said = fs::read_to_string(workspace().join("docs/promises.md")).unwrap();
    for bug in bugs() {
        let row = format!("| {} | `{}` | {} | ", bug.promise, bug.name, bug.what);
        assert!(said.contains(&row), "docs/promises.md does not say what came of {}", bug.name);
    }
}
