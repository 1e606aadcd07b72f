//! The shapes of the answers about sub-SLS that were split, merged or renamed.

use serde::{Deserialize, Serialize};

/// The answer to `sls-redraw`, and a line of `sls-list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedrawnShape {
    /// The word that says so.
    pub redrawing: String,
    /// `split`, `merge` or `rename`.
    pub kind: String,
    /// The codes as they were.
    pub from: Vec<String>,
    /// What there is from then on.
    pub to: Vec<DrawnShape>,
    /// Whose word it is.
    pub by: String,
    /// The device that said so.
    pub device: String,
    /// Whether it counts: its issuer was not revoked, or it is kept.
    pub counts: bool,
    /// The codes in which nobody new is taken by this word, and who is left there.
    pub retired: Vec<RetiredShape>,
}

/// A sub-SLS that there is from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrawnShape {
    /// Its code.
    pub code: String,
    /// What this word calls it; empty if it leaves the name as it was.
    pub name: String,
    /// What it is called now; null if nobody named it.
    pub place: Option<String>,
    /// Whether an enumerator is granted it, as far as this node knows.
    pub assigned: bool,
}

/// A sub-SLS in which nobody new is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetiredShape {
    /// Its code.
    pub code: String,
    /// What it was called; null if nobody named it.
    pub place: Option<String>,
    /// The codes in use that it went to.
    pub into: Vec<String>,
    /// How many records held here still live there and are not gone.
    pub records: u64,
}

/// The answer to `sls-list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedrawnListShape {
    /// All that is known, the latest last.
    pub redrawings: Vec<RedrawnShape>,
}
