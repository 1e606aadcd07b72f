//! Writes `golden/v1.pieces` anew: `cargo run -p rukun-store --example fixture`. It needs to be done
//! once in the life of a format. What stands in the file is said in `tests/promises/fixture.rs`, and
//! the golden test reads it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "it fails by panicking, as the tests do")]

#[allow(dead_code, reason = "tests need more of it")]
#[path = "../tests/promises/backend.rs"]
mod backend;
#[allow(dead_code, reason = "tests need more of it")]
#[path = "../tests/promises/changes.rs"]
mod changes;
#[path = "../tests/promises/fixture.rs"]
mod fixture;

#[allow(clippy::disallowed_methods, reason = "a fixture is a file")]
fn main() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/v1.pieces");
    std::fs::write(path, fixture::pack(&fixture::written())).unwrap();
}
