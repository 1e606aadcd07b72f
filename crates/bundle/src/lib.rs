//! Bundles: what one device has to say to another, as a file that anybody may carry. Frames become the
//! bytes of a [`SealedBundle`], which only the device that they are for can open, and which nobody but the
//! device that they are from can have made. What is in the frames is not known here, and nothing is believed
//! of it: they go through the same gates as frames from a link.

mod envelope;
pub use envelope::{EnvelopeError, SealedBundle};

mod sealing;
pub use sealing::{OpenError, OpenedBundle, SealError, seal};

pub mod limits;
