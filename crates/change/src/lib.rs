//! The vocabulary: regions, ids, inks, and the change that one device makes to one record in one
//! ink. Raw bytes become a [`SignedChange`], a *claim*: well formed, but nobody has checked the
//! signature yet, nor whether its author may write there. Checking is `authority`'s, meaning is
//! `document`'s; no key ever signs or verifies in this crate.

mod region;
pub use region::{Region, RegionError, SubSls};

mod identity;
pub use identity::{IdentityError, KkNumber, Nik};

mod ids;
pub use ids::{
    ActorId, Author, CauseHash, ChangeId, DeviceKey, Digest, Incarnation, InvitationId, MemberId, RecordId,
    StatementId, SurveyId,
};

mod text;
pub use text::{IdTextError, check_digit};

mod ink;
pub use ink::Ink;

mod moment;
pub use moment::Moment;

pub mod cbor;

pub mod cose;

mod columns;
pub use columns::DecodeError;

mod shape;
pub use shape::{BodyError, MakeMap, MapRef, OpId, Scalar, Write, is_field_name};

mod operations;

mod body;
pub use body::Body;

mod runs;

mod layout;
pub use layout::{Cell, Layout, Section, SectionMap};

mod header;
pub use header::{
    CHANGE_TYPE, ChangeError, Header, SIGNATURE_BYTES, Signature, SignedHeader, read_ink, read_seen,
    write_seen,
};

mod change;
pub use change::{Change, SignedChange};

mod point;

mod fingerprint;
pub use fingerprint::{EncodedFingerprint, Fingerprint, FingerprintError};

pub mod limits;
