//! What several test files need: a world of replicas in one process, driven by the same four verbs
//! as the daemon, with real stores in memory and links that can be cut. No threads, no sockets.

// This package is test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

pub mod by_hand;
pub mod crash;
pub mod enrol;
pub mod fuzz;
pub mod lab;
pub mod planted;
pub mod world;
