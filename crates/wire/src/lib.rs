//! Frames and messages: bytes from a peer become a [`Message`] of claims, within limits that hold
//! before any memory is taken. No signature is checked here, and nobody here knows who may do
//! what: that is `authority`'s; which message answers which is `reconcile`'s.

pub mod limits;

mod fault;
pub use fault::{Fault, WireError};

mod body;
pub use body::Body;

mod frame;
pub use frame::Deframer;

mod framer;
pub use framer::Framer;

mod pack;
pub use pack::Effort;

mod rows;

mod hello;
pub use hello::{Cursor, Hello};

mod cells;

mod bodies;

mod changes;
pub use changes::Changes;

mod stubs;
pub use stubs::Stubs;

mod sketch;
pub use sketch::{Short, Sketch, Symbol};

mod parcels;
pub use parcels::Parcel;

mod notice;
pub use notice::{CloseCode, CloseReason, Exception};

mod kind;

mod message;
pub use message::Message;

mod enrolment;
pub use enrolment::{EnrolAnswer, EnrolAsk, EnrolRefusal};
