//! One node without a world: everything that can happen to it is an [`Input`], everything it does
//! is an [`Output`], and four verbs turn one into the other: `handle` decides, `commit` makes
//! durable and only then releases what `handle` staged, `poll` gives one output, `deadline` says
//! when to come back. No clock, no entropy, no socket, no file, no thread: the daemon and the
//! simulator drive the same code.

mod input;
pub use input::{Event, Frame, Input, LinkId, Output};

mod piece;

mod rank;

mod erased;
pub use erased::Erased;

mod replica;
pub use replica::{Replica, ReplicaError};

mod session;
mod sketch;

mod link;

mod greet;

mod blob;

mod awaited;

mod batch;

mod bundle;
pub use bundle::{BundleError, BundleTaken, BundleWritten};

mod opened;

mod parcels;
pub use parcels::{ParcelLine, ParcelState};

mod carried;
pub use carried::CourierError;

mod courier;

mod overtake;

mod send;

mod take;

mod waiting;

mod survey;
pub use survey::NewGrant;

mod hand_over;

mod held;

mod incarnation;

mod keeping;

mod local;
pub use local::{ActionError, reason_line};

mod resolve;
pub use resolve::Choice;

mod loss;
pub use loss::{Decided, HeldLine, HeldReport, Loss, SetAside};

mod root;
pub use root::RootFollowed;

mod erasure;

mod transfer;
pub use transfer::Moved;

mod redrawing;
pub use redrawing::Redrawn;

mod rotation;

mod receipt;

mod release;

mod custody;
pub use custody::{Custody, NumberLine, OfficerLine, Reached};
mod early;
mod enrol;
pub use enrol::{InvitationError, Invited, NewInvitation};
mod evidence;

mod view;
pub use view::RecordLine;

mod status;
pub use status::{PeerLine, Status, SurveyLine};

pub use rukun_bundle::OpenError as BundleOpenError;
pub use rukun_bundle::limits::BUNDLE_BYTES_MAX;
pub use rukun_enrolment::{
    Code, CodeError, EnrolError, Enrolled, Fate, Guesser, Invitation, InvitationState, Officer, ProofKey,
    Session, ask, believe,
};
pub use rukun_store::{
    FileBackend, InMemoryBackend, NewStore, OpenError, Released, Salvaged, StorageBackend, Store, StoreError,
    Unlock,
};
pub use rukun_wire::{Body, Deframer, EnrolAnswer, EnrolAsk, EnrolRefusal, Parcel, WireError, limits};
