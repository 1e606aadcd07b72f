//! Placeholder.

pub mod people;
