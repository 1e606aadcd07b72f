//! `docs/formats.md` says what the code does: limits, numbers and tables are read from it and
//! compared, and it names every file of golden bytes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rukun_authority::{Role, Statement};
use rukun_change::Ink;
use rukun_change::cbor::Reader;
use rukun_wire::{CloseCode, Message};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn page() -> String {
    read("docs/formats.md")
}

/// The rows of the table whose first head is this, cell by cell.
fn table(head: &str) -> Vec<Vec<String>> {
    let page = page();
    let lines: Vec<&str> = page.lines().collect();
    let start = format!("| {head} |");
    let is_head = |pair: &[&str]| pair[0].starts_with(&start) && pair[1].starts_with("| ---");
    let at = lines.windows(2).position(is_head).unwrap_or_else(|| panic!("there is no table of {head}"));
    let cells =
        |line: &&str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    lines[at + 2..].iter().take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// The table of names by number.
fn numbered(head: &str, number: usize) -> BTreeMap<u64, String> {
    let rows = table(head);
    let numbered: BTreeMap<u64, String> =
        rows.iter().map(|row| (row[number].parse().unwrap(), row[1 - number].clone())).collect();
    assert_eq!(numbered.len(), rows.len(), "a number of the table of {head} stands there twice");
    numbered
}

fn code_text(cell: &str) -> &str {
    cell.trim_matches('`')
}

fn from_hex(text: &str) -> Vec<u8> {
    let text = text.trim_end();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

macro_rules! limits {
    ($($path:path,)*) => {
        vec![$((stringify!($path).replace(' ', ""), u64::try_from($path).unwrap()),)*]
    };
}

#[test]
fn the_limits_on_the_page_are_those_of_the_code() {
    let code: BTreeMap<String, u64> = limits![
        rukun_change::limits::BODY_BYTES_MAX,
        rukun_change::limits::OPS_MAX,
        rukun_change::limits::DEPS_MAX,
        rukun_change::limits::SEEN_MAX,
        rukun_change::limits::ACTORS_MAX,
        rukun_change::limits::MESSAGE_BYTES_MAX,
        rukun_change::limits::TEXT_BYTES_MAX,
        rukun_change::limits::FIELD_BYTES_MAX,
        rukun_change::limits::CHANGE_BYTES_MAX,
        rukun_change::limits::HEADER_BYTES_MAX,
        rukun_change::limits::STATEMENT_BYTES_MAX,
        rukun_authority::limits::LINE_BYTES_MAX,
        rukun_authority::limits::REGIONS_MAX,
        rukun_authority::limits::INCARNATIONS_MAX,
        rukun_authority::limits::REDRAWN_MAX,
        rukun_authority::limits::SUCCESSIONS_MAX,
        rukun_authority::limits::LIST_MAX,
        rukun_wire::limits::FRAME_BYTES_MAX,
        rukun_wire::limits::UNPACKED_BYTES_MAX,
        rukun_wire::limits::HISTORY_BYTES_MAX,
        rukun_wire::limits::BATCH_BYTES_MAX,
        rukun_wire::limits::FRAME_CHANGES_MAX,
        rukun_wire::limits::FRAME_SECTIONS_MAX,
        rukun_wire::limits::FRAME_CELLS_MAX,
        rukun_wire::limits::FRAME_FIELDS_MAX,
        rukun_wire::limits::STATEMENTS_MAX,
        rukun_wire::limits::STATEMENT_IDS_MAX,
        rukun_wire::limits::STATEMENT_LISTS_MAX,
        rukun_wire::limits::CHAIN_STATEMENTS_MAX,
        rukun_wire::limits::SUMMARY_SUB_SLS_MAX,
        rukun_wire::limits::CHANGE_IDS_MAX,
        rukun_wire::limits::EARLY_FRAMES_MAX,
        rukun_wire::limits::SKETCH_REGIONS_MAX,
        rukun_wire::limits::SYMBOLS_MAX,
        rukun_wire::limits::BLOB_PIECE_BYTES_MAX,
        rukun_wire::limits::BLOB_BYTES_MAX,
        rukun_wire::limits::PARCELS_MAX,
        rukun_wire::limits::REFUSAL_BYTES_MAX,
        rukun_wire::limits::CLOSE_TEXT_BYTES_MAX,
        rukun_wire::limits::ENROL_ASK_BYTES_MAX,
        rukun_wire::limits::ENROL_ANSWER_BYTES_MAX,
        rukun_wire::limits::ENROL_STATEMENTS_MAX,
        rukun_store::BLOB_BYTES_MAX,
        rukun_bundle::limits::BUNDLE_BYTES_MAX,
        rukun_bundle::limits::PART_BYTES_MAX,
        rukun_evidence::limits::EVIDENCE_BYTES_MAX,
        rukun_evidence::limits::STATEMENTS_MAX,
        rukun_evidence::limits::CHANGES_MAX,
    ]
    .into_iter()
    .collect();
    let said: BTreeMap<String, u64> = table("limit")
        .into_iter()
        .map(|row| (code_text(&row[1]).to_owned(), row[2].replace(' ', "").parse().unwrap()))
        .collect();
    assert_eq!(said, code);
}

#[test]
fn every_frame_fits_into_a_part_of_a_bundle_and_every_bundle_into_a_request() {
    assert_eq!(rukun_bundle::limits::PART_BYTES_MAX, rukun_wire::limits::FRAME_BYTES_MAX + 16);
    assert!(rukun_bundle::limits::BUNDLE_BYTES_MAX.div_ceil(3) * 4 + 64 < rukun::http::BODY_BYTES_MAX);
}

#[test]
fn no_public_limit_is_left_out() {
    let said: BTreeSet<String> = table("limit").iter().map(|row| code_text(&row[1]).to_owned()).collect();
    for crate_name in ["change", "authority", "wire", "evidence"] {
        let source = read(&format!("crates/{crate_name}/src/limits.rs"));
        for line in source.lines().filter_map(|line| line.strip_prefix("pub const ")) {
            let (name, _) = line.split_once(':').unwrap();
            let path = format!("rukun_{crate_name}::limits::{name}");
            assert!(said.contains(&path), "{path} is not on the page");
        }
    }
}

#[test]
fn the_limits_that_no_crate_shows_are_those_of_the_code() {
    let page = page();
    for (source, line, said) in [
        ("crates/change/src/shape.rs", "const COUNTER_MAX: u64 = u32::MAX as u64;", "2^32 - 1"),
        ("crates/change/src/body.rs", "const TIME_MS_MAX: u64 = 1 << 53;", "at most 2^53 either way"),
        ("crates/change/src/operations.rs", "const COLUMNS_MAX: usize = 16;", "at most 16"),
        ("crates/change/src/operations.rs", "const REPLACED_MAX: usize = 4 * OPS_MAX;", "at most 32 768"),
        (
            "crates/replica/src/opened.rs",
            "const UNPACKED_BYTES_MIN: usize = 64 * 1024 * 1024;",
            "at most 64 MiB and",
        ),
        ("crates/replica/src/opened.rs", "_BYTES_PER_BYTE_MAX: usize = 64;", "64 bytes for each of its own"),
        (
            "crates/replica/src/opened.rs",
            "const SIGNED_BYTES_MIN: usize = 32;",
            "statement for each 32 bytes",
        ),
        ("crates/store/src/keys.rs", "const MEMORY_KIB: u32 = 64 * 1024;", "65 536 KiB"),
        ("crates/store/src/keys.rs", "const PASSES: u32 = 3;", "3\npasses"),
        ("crates/store/src/keys.rs", "const LANES: u32 = 4;", "4 lanes"),
        ("crates/store/src/keys.rs", "const MEMORY_KIB_MAX: u32 = 1024 * 1024;", "at most 1 048 576 KiB"),
        ("crates/store/src/keys.rs", "const PASSES_MAX: u32 = 64;", "64 and 64"),
        ("crates/store/src/keys.rs", "const LANES_MAX: u32 = 64;", "64 and 64"),
    ] {
        assert!(read(source).contains(line), "{source} no longer has {line}");
        assert!(page.contains(said), "the page no longer says {said}");
    }
}

#[test]
fn the_page_names_every_file_of_golden_bytes_and_no_other() {
    let crates = root().join("crates");
    let golden = files(&crates).into_iter().map(|path| path.strip_prefix(root()).unwrap().to_owned());
    let held: BTreeSet<String> = golden
        .map(|path| path.to_str().unwrap().to_owned())
        .filter(|path| path.contains("/golden/"))
        .collect();
    let page = page();
    let named = page.split('`').filter(|word| word.starts_with("crates/") && word.contains("/golden/"));
    let named: BTreeSet<String> = named.map(String::from).collect();
    assert!(held.len() > 30, "only {} files of golden bytes", held.len());
    assert_eq!(named, held);
}

#[test]
fn inks_roles_and_close_codes_have_the_numbers_on_the_page() {
    let inks = Ink::ALL.map(|ink| (ink.number(), ink.to_string()));
    assert_eq!(numbered("ink", 1), inks.into());
    let roles = Role::ALL.map(|role| (role.number(), role.to_string()));
    assert_eq!(numbered("role", 1), roles.into());
    let codes: Vec<u64> = CloseCode::ALL.map(CloseCode::number).into();
    assert_eq!(numbered("code", 0).into_keys().collect::<Vec<_>>(), codes);
}

#[test]
fn messages_have_the_types_on_the_page() {
    let rows = table("type");
    for row in &rows {
        let (number, name) = (row[0].parse::<u8>().unwrap(), &row[1]);
        let frame = from_hex(&read(&format!("crates/wire/golden/v1/{name}.hex")));
        assert_eq!(frame[4], number, "{name}");
        assert_eq!(Message::decode(&frame[4..]).unwrap().name(), name);
    }
    let kinds = read("crates/wire/src/kind.rs");
    let kinds = kinds.lines().filter(|line| line.contains(" = ") && line.ends_with(','));
    assert_eq!(rows.len(), kinds.count());
}

#[test]
fn statements_have_the_kinds_on_the_page() {
    let rows = table("kind");
    assert_eq!(rows.len(), 13);
    for row in rows {
        let (number, name) = (row[0].parse::<u64>().unwrap(), &row[1]);
        let bytes = from_hex(&read(&format!("crates/authority/golden/v1/{name}.hex")));
        assert!(Statement::from_bytes(&bytes).is_ok(), "{name}");
        let mut reader = Reader::new(&bytes);
        reader.tag(18).unwrap();
        reader.tuple(4).unwrap();
        reader.bytes(4_096).unwrap();
        reader.map(0).unwrap();
        let mut payload = Reader::new(reader.bytes(4_096).unwrap());
        payload.tuple(5).unwrap();
        assert_eq!(payload.uint().unwrap(), number, "{name}");
    }
}

#[test]
fn the_tables_of_the_store_are_those_on_the_page() {
    let source = read("crates/store/src/tables.rs");
    let defined: BTreeSet<&str> =
        source.split("TableDefinition::new(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let rows = table("table");
    let said: BTreeSet<&str> = rows.iter().map(|row| code_text(&row[0])).collect();
    assert_eq!(said, defined);
    let keys = read("crates/store/src/keys.rs");
    for row in &rows {
        for key in row.get(3).into_iter().flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
            assert!(keys.contains(&format!("key(\"{key}\")")), "no key {key:?}");
        }
    }
}
