//! The rules of the house that no compiler holds, each a test: which crate may name which, where the
//! large libraries live, that modules form no circle, how long a file may be, and that the documents
//! speak of what is there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod tree;

mod manifests;

mod source;

mod circles;

mod files;

mod documents;
