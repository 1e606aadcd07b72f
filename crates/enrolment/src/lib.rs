//! One-time codes: a [`Code`] that an officer types and the TLS session on which a device calls a
//! relay become a grant for that device, or a refusal. Both ends are here, pure: what a relay keeps
//! of a code, how each end proves to know it, what is granted once, and who has guessed too often. No
//! sockets, no store, no clock and no entropy; the code itself never leaves the hands of those who
//! print and type it.

mod code;
pub use code::{Code, CodeError};

mod proof;
pub use proof::{End, ProofKey, Session};

mod invitation;
pub use invitation::{Fate, Invitation, InvitationState, Officer};

mod tries;
pub use tries::{ADDRESSES_MAX, Guesser, REFUSED_MS, TRIES_MAX, Tries};

mod relay;
pub use relay::{Judgement, granted, judge, refused};

mod device;
pub use device::{EnrolError, Enrolled, ask, believe};
