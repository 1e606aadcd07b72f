//! What the store promises, each promise a test: over a backend that loses power, against a model,
//! and of the bytes that a lost phone would yield.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod backend;
mod changes;
mod durability;
mod erasure;
mod fixture;
mod flips;
mod golden;
mod histories;
mod invitations;
mod meaning;
mod model;
mod release;
mod renewal;
mod rows;
mod salvage;
mod sealing;
mod seized;
mod tables;
