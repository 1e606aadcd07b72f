//! What is missing, on both sides of a link: ids in, ids out. A session has two halves that know
//! nothing of each other: [`Outgoing`], what the peer still lacks of ours, and [`Incoming`], what
//! we ask the peer for. Neither sees a change, a signature or a disk; whoever drives them looks
//! things up and carries the messages.

mod outgoing;
pub use outgoing::{Delivered, FRAMES_IN_FLIGHT_MAX, Known, Outgoing, Work};

mod incoming;
pub use incoming::{Asking, Incoming};

mod receipt;
pub use receipt::{Beyond, Item, beyond};

pub mod sketch;

mod violation;
pub use violation::Violation;

mod greeting;
pub use greeting::{PROTOCOL_VERSIONS, agree_on_version, known_upto, starts_after};
