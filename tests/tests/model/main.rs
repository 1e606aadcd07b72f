//! Promises 1, 2, 3 and 8 against the specification: whatever set of changes and grants a node
//! holds, the gate, the standing, the answers and the conflicts are those that an independent
//! model expects; for sets that no honest device would make, and in surveys that are lied to.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod forged;
mod granted;
mod surveys;
