//! Evidence: what a third party needs to believe a record, in one file. Admitted changes and the
//! statements that bear on them become a [`SignedEvidence`], whose bytes anyone with a COSE library can
//! check, and bytes become a [`VerifiedEvidence`], after everything in them went through the same gate
//! as on a node. No store, no session, no questionnaire: what the answers should be is not judged here.

mod evidence;
pub use evidence::{Evidence, EvidenceError, SignedEvidence};

mod bearing;

mod verified;
pub use verified::{Flaw, VerifiedEvidence};

mod export;
pub use export::{ExportError, export};

pub mod limits;

#[cfg(test)]
mod fixture;
