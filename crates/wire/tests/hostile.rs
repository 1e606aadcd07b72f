//! Bytes of a peer that means ill: none makes the node panic, and none makes it take more memory
//! than the limits say. One test, because memory is counted for the whole process.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod claims;
mod dice;
mod interview;

use dice::Dice;
use peak_alloc::PeakAlloc;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use rukun_change::{ActorId, Cell, Layout, MemberId, Section, SectionMap};
use rukun_wire::limits::{
    FRAME_BYTES_MAX, FRAME_CELLS_MAX, FRAME_CHANGES_MAX, FRAME_SECTIONS_MAX, UNPACKED_BYTES_MAX,
};
use rukun_wire::{Deframer, Message};
use zstd::zstd_safe::get_frame_content_size;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const CHANGES: u8 = 6;
const STATEMENTS: u8 = 3;
const STUBS: u8 = 13;
/// Those that are compressed, which has many spellings.
const PACKED: [u8; 3] = [STATEMENTS, CHANGES, STUBS];
const TYPES: u8 = 18;

/// What decoding these bytes takes at its peak.
fn peak_of_decoding(body: &[u8]) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let decoded = Message::decode(body);
    let peak = MEMORY.peak_usage() - before;
    drop(decoded);
    peak
}

/// What a cell of a change that is laid out takes on its way to a body: with its name, which stands once on the wire.
const CELL_BYTES: usize = 128;

/// A few times what the message holds or, compressed, claims to hold within its limit; and the
/// room for as many entries as any list may have.
fn limit(body: &[u8]) -> usize {
    let laid_out = if body.first() == Some(&CHANGES) { CELL_BYTES * FRAME_CELLS_MAX } else { 0 };
    let held = match body.split_first() {
        Some((&(CHANGES | STATEMENTS | STUBS), packed)) => match get_frame_content_size(packed) {
            Ok(Some(claimed)) if claimed <= UNPACKED_BYTES_MAX as u64 => claimed as usize,
            _ => 0,
        },
        _ => body.len(),
    };
    4 * held + laid_out + 256 * 1024
}

fn check(body: &[u8]) {
    let peak = peak_of_decoding(body);
    assert!(
        peak <= limit(body),
        "decoding {} bytes took {peak}: {:02x?}",
        body.len(),
        &body[..body.len().min(40)]
    );
}

fn cut_and_flipped(body: &[u8], dice: &mut Dice) {
    let strict = |body: &[u8]| body.first().is_some_and(|kind| !PACKED.contains(kind));
    for _ in 0..24 {
        let end = dice.next() as usize % body.len();
        check(&body[..end]);
        assert!(Message::decode(&body[..end]).is_err(), "a message cut at {end} of {} was taken", body.len());
    }
    for _ in 0..48 {
        let mut flipped = body.to_vec();
        flipped[dice.next() as usize % body.len()] ^= 1 << (dice.next() % 8);
        check(&flipped);
        if let Ok(message) = Message::decode(&flipped)
            && strict(&flipped)
        {
            assert_eq!(&message.encode()[4..], flipped, "a message has two spellings");
        }
    }
    let longer = [body, &[0]].concat();
    assert!(Message::decode(&longer).is_err(), "a message with a byte too many was taken");
}

/// A packed message whose content is broken, not its packing.
fn broken_content(number: u8, content: &[u8], dice: &mut Dice) {
    let packed = |content: &[u8]| [&[number][..], &zstd::bulk::compress(content, 1).unwrap()].concat();
    for _ in 0..24 {
        let mut flipped = content.to_vec();
        flipped[dice.next() as usize % content.len()] ^= 1 << (dice.next() % 8);
        check(&packed(&flipped));
        let cut = &content[..dice.next() as usize % content.len()];
        assert!(Message::decode(&packed(cut)).is_err());
    }
    assert!(Message::decode(&packed(&[content, &[0xf6]].concat())).is_err());
}

#[test]
fn hostile_bytes_neither_panic_nor_take_memory_over_the_limit() {
    let mut dice = Dice(11);
    let mut runner = TestRunner::deterministic();
    for _ in 0..400 {
        let frame = claims::message().new_tree(&mut runner).unwrap().current().encode();
        cut_and_flipped(&frame[4..], &mut dice);
        if PACKED.contains(&frame[4]) {
            let content = zstd::bulk::decompress(&frame[5..], UNPACKED_BYTES_MAX).unwrap();
            broken_content(frame[4], &content, &mut dice);
        }
    }
    for seed in 0..16 {
        let mut changes = interview::frame(1 + seed as usize % 9, seed);
        changes.items[0].change.body = claims::chunk(b"none that can be laid out");
        let frame = Message::Changes(changes).encode();
        cut_and_flipped(&frame[4..], &mut dice);
        broken_content(CHANGES, &zstd::bulk::decompress(&frame[5..], UNPACKED_BYTES_MAX).unwrap(), &mut dice);
    }
    let fattest = fattest_frame();
    assert!(fattest.len() < 64 * 1024);
    check(&fattest[4..]);
    assert!(Message::decode(&fattest[4..]).is_ok());
    for _ in 0..20_000 {
        let bytes = dice.next() as usize % 300;
        let mut noise: Vec<u8> = (0..bytes).map(|_| dice.next() as u8).collect();
        check(&noise);
        if let Some(kind) = noise.first_mut() {
            *kind = 1 + *kind % TYPES;
        }
        check(&noise);
    }
    claims_of_length(&mut dice);
    bombs();
    a_length_alone_takes_nothing();
}

/// The frame that grows most when it is put together: as many cells as it may have, with the longest names and no values.
fn fattest_frame() -> Vec<u8> {
    let names: Vec<String> =
        (0..FRAME_CELLS_MAX / FRAME_SECTIONS_MAX).map(|name| format!("f{name:031}")).collect();
    let cells: Vec<_> = names.iter().map(|field| Cell { field, kind: 0, value: &[] }).collect();
    let maps = FRAME_SECTIONS_MAX / FRAME_CHANGES_MAX;
    let section = |index| Section { map: SectionMap::Own(index), cells: cells.clone() };
    let layout = Layout {
        deps: vec![],
        actor: ActorId::from_bytes([7; 16]),
        others: vec![],
        seq: 1,
        start_op: 1,
        time_ms: 0,
        message: "",
        makes: (0..maps as u64).map(|member| MemberId::from_bytes(member.to_be_bytes())).collect(),
        sections: (0..maps as u64).map(section).collect(),
        replaced: None,
    };
    let mut changes = interview::frame(FRAME_CHANGES_MAX, 1);
    for item in &mut changes.items {
        item.change.body = claims::chunk(&layout.chunk().unwrap());
    }
    Message::Changes(changes).encode()
}

/// Heads that claim up to 2^64 of anything, in every place where a message can have one.
fn claims_of_length(dice: &mut Dice) {
    for number in 1..=12 {
        for major in [0x40_u8, 0x60, 0x80, 0xa0] {
            for claim in [1_u64 << 20, 1 << 31, 1 << 32, 1 << 63, (1 << 63) - 1, u64::MAX] {
                let head = [&[major | 0x1b][..], &claim.to_be_bytes()].concat();
                let tails = [vec![], dice.bytes::<40>().to_vec()];
                for body in [vec![], vec![0x82], vec![0x83, 0x48], vec![0x82, 1], vec![0x8a, 1, 0xf6]] {
                    for tail in &tails {
                        let fields = [&body[..], &head, tail].concat();
                        check(&[&[number], &fields[..]].concat());
                        check(&[&[number], &zstd::bulk::compress(&fields, 1).unwrap()[..]].concat());
                    }
                }
            }
        }
    }
}

fn bombs() {
    let zeros = vec![0; UNPACKED_BYTES_MAX + 1];
    let bomb = zstd::bulk::compress(&zeros, 3).unwrap();
    assert!(bomb.len() < 2_000);
    drop(zeros);
    for number in [STATEMENTS, CHANGES] {
        let body = [&[number][..], &bomb].concat();
        assert!(peak_of_decoding(&body) < 4_096, "a bomb over the limit is refused before memory is taken");
        let error = Message::decode(&body).unwrap_err().to_string();
        assert!(error.contains("8388609 bytes where at most 8388608 are allowed"), "{error}");
        // A claim of 1 000 bytes in front of the bomb, after type, magic, descriptor and window.
        let mut liar = body.clone();
        assert_eq!(liar[5], 0x80, "the content's size has 4 bytes");
        liar[7..11].copy_from_slice(&1_000_u32.to_le_bytes());
        assert!(peak_of_decoding(&liar) < 8_192, "content beyond its claim is never unpacked");
        assert!(Message::decode(&liar).is_err());
    }
}

fn a_length_alone_takes_nothing() {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let mut deframer = Deframer::new();
    deframer.push(&(FRAME_BYTES_MAX as u32).to_be_bytes());
    assert_eq!(deframer.next_frame(), Ok(None));
    deframer.push(&[0; 1_000]);
    assert_eq!(deframer.next_frame(), Ok(None));
    let mut refusing = Deframer::new();
    refusing.push(&(FRAME_BYTES_MAX as u32 + 1).to_be_bytes());
    assert!(refusing.next_frame().is_err());
    for _ in 0..1_000 {
        refusing.push(&[0; 10_000]);
        assert!(refusing.next_frame().is_err());
    }
    assert!(MEMORY.peak_usage() - before < 8_192, "a frame takes memory as it arrives, not on its word");
}
