//! The planted bugs: mutations of the product, one at a time compiled in by `--cfg planted="..."`,
//! that the world must find. What stands in `tests/planted/bugs.toml` becomes a list.

mod scratch;

use std::fs;
use std::path::{Path, PathBuf};

pub use scratch::Scratch;

/// How many promises there are.
pub const PROMISES: u8 = 8;

/// A bug that can be planted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bug {
    /// What the product calls it.
    pub name: String,
    /// Which promise it breaks, from 1.
    pub promise: u8,
    /// What it does.
    pub what: String,
}

/// All of them, by promise.
///
/// # Panics
/// If the table does not say what it must.
pub fn bugs() -> Vec<Bug> {
    let text = fs::read_to_string(workspace().join("tests/planted/bugs.toml")).expect("the table is there");
    let table: toml::Table = text.parse().expect("the table is TOML");
    let rows = table["bug"].as_array().expect("the table is a list of bugs");
    let text = |row: &toml::Value, name: &str| row[name].as_str().expect("text").to_owned();
    let bug = |row| Bug {
        name: text(row, "name"),
        promise: row["promise"].as_integer().and_then(|number| number.try_into().ok()).expect("a number"),
        what: text(row, "what"),
    };
    rows.iter().map(bug).collect()
}

/// The folder of the whole workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in the workspace").into()
}
