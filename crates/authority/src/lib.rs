//! Who may do what, and what is true of a claim. A [`rukun_change::SignedChange`], which anyone may
//! have written, becomes a [`VerifiedChange`] (the signature holds, the body is within its limits),
//! and that becomes an [`AdmittedChange`] at the gate, [`Trust::judge`], which alone makes them. Signing happens here too: a
//! local edit is signed and then judged exactly like a stranger's. No storage and no meaning: this
//! crate holds statements, never records.

mod keypair;
pub use keypair::Keypair;

mod role;
pub use role::{Role, RoleError};

mod statement;
pub use statement::{
    Charter, Closing, Decision, Erasure, ForkProof, Grant, Kept, KeptList, Receipt, Revocation, Said,
    Statement, StatementError, Transfer,
};

mod encoding;

mod places;

mod trust;
pub use trust::{GrantView, Trust};

mod verdict;
pub use verdict::{StatementRefusal, StatementVerdict, TrustError};

mod gate;
pub use gate::{AdmittedChange, Missing, RecallError, Refusal, Verdict, VerifiedChange, sign};

mod standing;
pub use standing::{Reason, Standing};

pub mod limits;

#[cfg(test)]
mod fixture;
