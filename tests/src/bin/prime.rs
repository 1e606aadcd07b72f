//! Writes what every link refers back to at first: `cargo run -p rukun-tests --bin prime`. It is what a few frames contain of
//! generated families, without what is random in each: ids and signatures.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use rukun::people::Population;
use rukun_change::{ChangeId, SignedChange};
use rukun_tests::by_hand::{Node, World};
use rukun_wire::{Changes, Message};
use serde_json::json;

const OFFICE: Node = Node(0);
/// No family of it is measured anywhere.
const SEED: u64 = 11_042_022;
const HOME: &str = "1811010005000100";
/// How many families are found, and how many of them are edited.
const FAMILIES: u32 = 9;
const EDITED: u32 = 4;
/// What the longest content has before it is decompressed.
const CONTENT_BYTES_MAX: usize = 1 << 20;
/// A message's length and type.
const HEAD_BYTES: usize = 5;
/// The rows of record ids and of signatures at the end of a frame, and the heads of the two.
const ROW_BYTES: usize = 16 + 64;
const ROWS_HEAD_BYTES: usize = 6;

fn main() {
    let (mut world, mut population) = (World::new(3), Population::new(SEED));
    let (mut interviews, mut edits) = (Vec::new(), Vec::new());
    for at in 0..FAMILIES {
        let now = world.now();
        let interview = population.family(HOME.parse().unwrap(), at + 1, at + 1).interview;
        let replica = &mut world.replicas[OFFICE.0];
        let (record, found) = replica.add_record(now, HOME.parse().unwrap(), None, &interview).unwrap();
        interviews.push(change(&world, &record, &found));
        if at < EDITED {
            let patch = json!({"r302": 31 + at, "r304": 2 + at % 5});
            let edited = world.replicas[OFFICE.0].edit(now, &record, None, &patch).unwrap().unwrap();
            edits.push(change(&world, &record, &edited));
        }
        world.commit(OFFICE);
    }
    let prime = [content(&edits), content(&interviews)].concat();
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/wire/prime.bin"), prime).unwrap();
}

fn change(world: &World, record: &rukun_change::RecordId, id: &ChangeId) -> SignedChange {
    let held = world.replicas[OFFICE.0].changes_of(record).unwrap();
    held.iter().find(|change| change.id() == *id).unwrap().signed().clone()
}

/// What a frame of these contains, up to the rows of what is random in each.
fn content(items: &[SignedChange]) -> Vec<u8> {
    let frame = Message::Changes(Changes { frame: 1, upto: Some(1), items: items.to_vec() }).encode();
    let mut content = zstd::bulk::decompress(&frame[HEAD_BYTES..], CONTENT_BYTES_MAX).unwrap();
    content.truncate(content.len() - items.len() * ROW_BYTES - ROWS_HEAD_BYTES);
    content
}
