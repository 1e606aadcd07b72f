//! Why a verb was not carried out: what happened, to what, and what to do next.

use std::fmt;

use rukun_replica::{ActionError, ReplicaError};
use serde::{Deserialize, Serialize};

/// A verb's refusal, in the form that HTTP gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerbError {
    /// What happened, and to what.
    #[serde(rename = "error")]
    pub message: String,
    /// What to do next; empty where nothing helps.
    #[serde(default)]
    pub remedy: String,
    /// The HTTP status: 4xx is the asker's to mend, 5xx the node's.
    #[serde(skip, default = "unprocessable")]
    pub status: u16,
}

const fn unprocessable() -> u16 {
    422
}

impl VerbError {
    /// Something that is not as asked for: 422.
    pub fn new(message: impl fmt::Display, remedy: impl fmt::Display) -> Self {
        Self { message: message.to_string(), remedy: remedy.to_string(), status: unprocessable() }
    }

    /// The same, and what it is about.
    pub fn about(self, what: &impl fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// The same under another HTTP status.
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }
}

impl fmt::Display for VerbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "\n  {}", self.remedy) }
    }
}

impl std::error::Error for VerbError {}

impl From<ReplicaError> for VerbError {
    fn from(error: ReplicaError) -> Self {
        Self::new(error, "the store can't be trusted now; stop, look at the disk, start again")
            .with_status(500)
    }
}

impl From<ActionError> for VerbError {
    fn from(error: ActionError) -> Self {
        use ActionError as E;
        let status = match error {
            E::Replica(error) => return error.into(),
            E::NoRecord { .. }
            | E::NoMember { .. }
            | E::NoConflict { .. }
            | E::NoCandidate { .. }
            | E::NoChange { .. }
            | E::UnknownDevice { .. } => 404,
            E::NotGranted { .. }
            | E::Ink { .. }
            | E::SettlesNothing { .. }
            | E::MayNotGrant { .. }
            | E::NotAbove { .. }
            | E::NotAboveWork { .. }
            | E::NotTheRoot { .. }
            | E::NotTheDistrict { .. } => 403,
            E::Erased(_) => 410,
            E::NoCharter
            | E::NoQuestionnaire
            | E::InSurvey { .. }
            | E::RevokedBefore { .. }
            | E::Retired { .. }
            | E::NotShown { .. }
            | E::NewCandidate { .. } => 409,
            _ => 422,
        };
        let text = error.to_string();
        // The remedy stands after the semicolon; edits name several faults, one a line.
        let parts = match error {
            E::Edit(_) => None,
            // The district's own reason stands before it.
            E::Erased(_) => text.rsplit_once("; "),
            _ => text.split_once("; "),
        };
        let (message, remedy) = parts.unwrap_or((&text, ""));
        Self::new(message, remedy).with_status(status)
    }
}
