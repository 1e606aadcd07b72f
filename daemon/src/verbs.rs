//! The verbs: a [`Request`] and a node become an answer in JSON. The same function answers the
//! command line, the HTTP interface and the demonstration; the shapes of the answers are in
//! `verbs/shape.rs`. No sockets, no clock, no terminal, and no root key: that one never travels, so
//! what needs it stands apart, in [`found`], [`grant`] and [`succeed_root`].

mod address;
mod answer;
mod bundle;
mod courier;
mod custody;
mod erasure;
mod error;
mod evidence;
mod hand_over;
mod import;
mod invite;
mod loss;
mod network;
mod officers;
mod provenance;
mod record;
mod request;
mod root;
mod shape;
mod sls;
mod teller;
mod typed;

pub use answer::{answer, found, grant};
pub use bundle::{BundleShape, BundleTakenShape};
pub use courier::{GivenShape, ParcelShape, ParcelsShape};
pub use erasure::erase;
pub use error::VerbError;
pub use evidence::{EvidenceShape, ProofLine, ProofShape};
pub use invite::take_enrolment;
pub use loss::{losing, revoke, rotate};
pub use network::{NetworkNews, NetworkShape, no_daemon};
pub use officers::*;
pub use request::{Drawing, Edit, PrelistRow, Request};
pub use root::{check_root, no_root, succeed_root};
pub use shape::*;

pub(crate) use address::check_address;
pub(crate) use import::REGION;
pub(crate) use teller::rfc3339;
