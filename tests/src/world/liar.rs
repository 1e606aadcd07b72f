//! Peers that lie: what a device with a grant and bad intent, or a stranger, can put on a wire.

mod chunk;
pub use chunk::Chunk;

mod pen;
pub use pen::{Draft, Pen, Spot};
