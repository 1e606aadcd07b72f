//! What every file of source keeps to: a first line that says what it is for, a length that can be
//! held in the head, a name that says something.

use crate::tree::{self, File};

const LINES_MAX: usize = 500;

/// Names for places where things end up that nobody has thought about.
const BANNED: [&str; 12] = [
    "core", "common", "utils", "util", "helpers", "helper", "manager", "types", "misc", "base", "shared",
    "stuff",
];

fn sources() -> Vec<File> {
    tree::crates().iter().flat_map(|folder| tree::files(&format!("{folder}/src"), ".rs")).collect()
}

fn sources_and_tests() -> Vec<File> {
    let tests = tree::crates();
    let tests = tests.iter().flat_map(|folder| tree::files(&format!("{folder}/tests"), ".rs"));
    sources().into_iter().chain(tests).chain(tree::files("tests/process", ".rs")).collect()
}

#[test]
fn every_file_begins_by_saying_what_it_is_for() {
    let first = |file: &File| file.text.lines().next().unwrap_or_default().to_owned();
    let says = |first: &str| first.strip_prefix("//! ").is_some_and(|said| said.split(' ').count() > 2);
    let silent = sources_and_tests().into_iter().filter(|file| !says(&first(file)));
    let silent: Vec<String> = silent.map(|file| format!("{}: {}", file.path, first(&file))).collect();
    let silent = silent.join("\n");
    assert!(silent.is_empty(), "the first line must be `//! ...` and say what the file is for:\n{silent}");
}

#[test]
fn no_file_is_longer_than_a_head_can_hold() {
    let lengths = sources_and_tests().into_iter().map(|file| (file.text.lines().count(), file.path));
    let long: Vec<(usize, String)> = lengths.filter(|(lines, _)| *lines > LINES_MAX).collect();
    assert!(long.is_empty(), "longer than {LINES_MAX} lines, so they do two things: {long:?}");
}

#[test]
fn no_file_folder_or_crate_has_a_name_that_says_nothing() {
    for File { path, .. } in sources_and_tests() {
        let said_nothing =
            path.split('/').map(|part| part.trim_end_matches(".rs")).find(|part| BANNED.contains(part));
        assert_eq!(said_nothing, None, "{path}: a name must say what is in there");
    }
    for file in sources() {
        let tokens = crate::source::tokens(&file.text);
        let inline = tokens.windows(2).find(|pair| pair[0] == "mod" && BANNED.contains(&pair[1].as_str()));
        assert_eq!(inline, None, "{}: a module's name must say what is in there", file.path);
    }
}

#[test]
fn nothing_is_left_to_do() {
    for File { path, text } in sources_and_tests().iter().filter(|file| file.name() != "files.rs") {
        for (index, line) in text.lines().enumerate() {
            let left = ["TODO", "FIXME", "XXX", "HACK"].into_iter().find(|word| line.contains(word));
            assert_eq!(left, None, "{path}:{}: do it, or say in docs/ that it is not there", index + 1);
        }
    }
}
