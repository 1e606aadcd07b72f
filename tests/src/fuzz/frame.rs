//! Frames: any stream of bytes becomes messages or a reason, and a message has one spelling.

use rukun_authority::Verifier;
use rukun_replica::Frame;
use rukun_wire::{Body, Deframer, Effort, Framer, Message};

use super::people;

/// The types whose fields are compressed: statements, changes and stubs.
const PACKED: [u8; 3] = [3, 6, 13];

/// The first byte says whether a stream follows, or one message of a compressed type, its fields
/// plain: a fuzzer does not learn to compress.
pub(super) fn run(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    match (mode % 2, rest.split_first()) {
        (0, _) => stream(rest),
        (_, Some((kind, fields))) => {
            let kind = PACKED[usize::from(*kind) % PACKED.len()];
            let packed = zstd::bulk::compress(fields, 1).unwrap();
            alone(&[&[kind][..], &packed].concat());
        }
        _ => {}
    }
}

fn stream(bytes: &[u8]) {
    let (mut whole, mut by_parts) = (Deframer::new(), Deframer::new());
    whole.push(bytes);
    let mut parts = bytes.chunks(7);
    loop {
        let frame = whole.next_frame();
        let same = loop {
            match by_parts.next_frame() {
                Ok(None) => match parts.next() {
                    Some(part) => by_parts.push(part),
                    None => break Ok(None),
                },
                other => break other,
            }
        };
        assert_eq!(frame, same, "frames depend on how the bytes arrive");
        match frame {
            Ok(Some(frame)) => body(&frame),
            Ok(None) | Err(_) => return,
        }
    }
}

fn alone(bytes: &[u8]) {
    let Ok(held) = Body::alone(bytes) else { return };
    body(&held);
    let Ok(message) = Message::of(&held) else { return };
    let spelled = message.encode();
    assert!(PACKED.contains(&bytes[0]) || &spelled[4..] == bytes, "a {} has two spellings", message.name());
}

fn body(held: &Body) {
    drop(Frame::check(held, Some(&people::survey().id), &Verifier::default()));
    drop(Frame::check(held, None, &Verifier::default()));
    let Ok(message) = Message::of(held) else { return };
    assert_eq!(Message::decode(&message.encode()[4..]).as_ref(), Ok(&message));
    let (mut framer, mut deframer) = (Framer::new(), Deframer::new());
    for effort in [Effort::Quick, Effort::Thorough] {
        deframer.push(&framer.frame(&message, effort));
        let held = deframer.next_frame().unwrap().unwrap();
        assert_eq!(Message::of(&held).as_ref(), Ok(&message), "what refers back says something else");
    }
}
