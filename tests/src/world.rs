//! The simulated world.

mod chance;
pub use chance::Chance;

pub mod model;
