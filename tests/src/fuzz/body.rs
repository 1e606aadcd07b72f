//! The chunk of a change, with the right checksum: what is taken, Automerge takes too and reads the
//! same way.

use std::panic::catch_unwind;

use rukun_change::{Body, Layout};

use super::chunk::chunk;

/// The contents of a chunk, past its head.
pub(super) fn run(data: &[u8]) {
    drop(Body::decode(data));
    let chunk = chunk(data);
    let rest = &chunk[8..];
    let laid = Layout::of(rest);
    assert!(
        laid.is_none_or(|layout| layout.chunk().as_deref() == Some(rest)),
        "another chunk comes of its layout"
    );
    let Ok(body) = Body::decode(&chunk) else { return };
    let bytes = chunk.clone();
    let theirs = catch_unwind(move || automerge::Change::from_bytes(bytes));
    let theirs = theirs.expect("Automerge panics at what the gate takes").expect("Automerge takes it too");
    assert_eq!(theirs.hash().0, *body.hash.as_bytes());
    assert_eq!(theirs.actor_id().to_bytes(), body.actor.as_bytes());
    assert_eq!((theirs.seq(), theirs.start_op().get()), (body.seq, body.start_op));
    assert_eq!(theirs.timestamp(), body.time_ms);
    assert_eq!(theirs.message().map(ToString::to_string).unwrap_or_default(), body.message);
    assert_eq!(theirs.len(), body.maps.len() + body.writes.len());
    assert_eq!(theirs.raw_bytes(), chunk, "Automerge spells it otherwise");
    let deps: Vec<_> = theirs.deps().iter().map(|dep| dep.0).collect();
    assert_eq!(deps, body.deps.iter().map(|dep| *dep.as_bytes()).collect::<Vec<_>>());
}
