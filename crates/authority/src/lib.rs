//! Who may do what, and what is true of a claim. A [`rukun_change::SignedChange`], which anyone may
//! have written, becomes a [`VerifiedChange`] (the signature holds, the body is within its limits),
//! and that becomes an [`AdmittedChange`] at the gate, [`Trust::judge`], which alone makes them.
//! Signing happens here too: a local edit is signed and then judged exactly like a stranger's. No
//! storage and no meaning: this crate holds statements, never records.

mod keypair;
pub use keypair::Keypair;

mod exchange;
pub use exchange::exchange_key;

mod role;
pub use role::{Role, RoleError};

mod said;
pub use said::{
    Charter, Closing, Decision, Drawn, Erasure, ForkProof, Grant, Kept, KeptList, Receipt, Redrawing,
    RedrawingKind, Revocation, RootSuccession, Said, Succession, Transfer,
};

mod encoding;
pub use encoding::StatementError;

mod statement;
pub use statement::{Statement, VerifiedStatement};

mod places;

mod verified;
pub use verified::{Refusal, VerifiedChange, sign};

mod verifier;
pub use verifier::Verifier;

mod grants;

mod succession;

mod roots;

mod fork;

mod losses;

mod erasures;

mod transfers;

mod redrawings;

mod effects;
mod vouch;
pub use vouch::{EVIDENCE_TYPE, vouch, vouches};

mod verdict;
pub use verdict::{StatementRefusal, StatementVerdict, TrustError};

mod trust;
pub use trust::{GrantView, RedrawingView, RevocationView, Trust};

mod hand_over;
pub use hand_over::{HandOver, HandOverError};

mod gate;
pub use gate::{AdmittedChange, Missing, RecallError, Verdict};

mod stub;
pub use stub::{AdmittedHeader, VerifiedHeader};

mod standing;
pub use standing::{Reason, Standing};

pub mod limits;

#[cfg(test)]
mod fixture;
