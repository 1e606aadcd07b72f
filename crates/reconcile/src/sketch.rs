//! What two large sets of ids differ by, for the price of the difference: rateless invertible Bloom
//! lookup tables (Yang, Gilad and Alizadeh, SIGCOMM 2024). A set becomes an endless stream of coded
//! symbols, of which the other side needs about 1.4 for each id that only one of both has, however
//! many they share. Streams of disjoint sets add, symbol by symbol. Ids go in as keyed hashes of eight
//! bytes, so the outcome is a guess: who believes it closes with fingerprints of the whole ids.

mod difference;
pub use difference::{Difference, SketchError};

mod encoder;
pub use encoder::Encoder;

mod places;

mod prefix;
pub use prefix::Prefix;

mod key;
pub use key::SketchKey;

mod symbol;

#[cfg(test)]
mod tests;
