//! The shapes of the answers about the rows of a prelist.

use serde::{Deserialize, Serialize};

/// The answer to `import-heading`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadingShape {
    /// The variable that holds the KK number, if the questionnaire has one.
    pub kk: Option<String>,
}

/// The answer to `import`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportShape {
    /// How many records were made.
    pub added: usize,
    /// Rows whose family is there already.
    pub there: Vec<ThereRow>,
    /// Rows that could not go in.
    pub bad: Vec<BadRow>,
    /// Sub-SLS into which records came, and which no enumerator is granted, as far as this node knows.
    #[serde(default)]
    pub unassigned: Vec<String>,
}

/// A row whose family has a record already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThereRow {
    /// The line in the file.
    pub line: u64,
    /// The record that is there.
    pub record: String,
}

/// A row that could not go in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// The line in the file.
    pub line: u64,
    /// The column's name.
    pub column: String,
    /// What is wrong with it.
    pub message: String,
}
