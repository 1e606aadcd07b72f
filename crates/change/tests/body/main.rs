//! Decoding the Automerge change inside a change, against Automerge's own decoder.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod by_hand;
mod real;
