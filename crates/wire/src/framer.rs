//! Messages become the frames of one way of a link: what is compressed refers back to what was compressed before it,
//! so the frames go in the order in which they were made, and [`crate::Deframer`] understands them in that order.

use crate::pack::{History, pack_after};
use crate::{Effort, Message};

/// Makes frames of messages.
#[derive(Debug, Default)]
pub struct Framer {
    history: History,
}

impl Framer {
    /// One that has sent nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The whole frame: length, type, fields. A message over its limits is spelled all the same, as by
    /// [`Message::encode`].
    pub fn frame(&mut self, message: &Message, effort: Effort) -> Vec<u8> {
        message.spell(|parts| pack_after(&mut self.history, parts, effort))
    }
}
