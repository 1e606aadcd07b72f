//! Bytes that no encoder makes: counts of 2^63, frames without end, compressed content that lies.

use rukun_change::cbor::Writer;
use rukun_change::{Digest, Fingerprint};
use rukun_wire::{CloseCode, CloseReason, Message};

use super::{Expect, Lie, Telling, Truth, frame_of, hello};
use crate::world::Chance;

const HUGE: u64 = 1 << 63;
/// The heads of a byte string, a text and an array of 2^63.
const HUGE_BYTES: [u8; 9] = [0x5b, 0x80, 0, 0, 0, 0, 0, 0, 0];
const HUGE_TEXT: [u8; 9] = [0x7b, 0x80, 0, 0, 0, 0, 0, 0, 0];
const HUGE_ARRAY: [u8; 9] = [0x9b, 0x80, 0, 0, 0, 0, 0, 0, 0];

/// The frames of a lie in bytes; nothing if it is told otherwise.
pub(super) fn tell(lie: Lie, chance: &mut Chance, truth: &Truth<'_>) -> Option<Telling> {
    let closes = |bytes: Vec<u8>| Telling::greeted(vec![bytes], Expect::LinkCloses);
    Some(match lie {
        Lie::HugeCount => {
            let all = huge_counts(truth);
            closes(chance.pick(&all).clone())
        }
        Lie::HugeFrame => {
            let lengths = [0, 1 << 21, 1 << 31, u32::MAX];
            closes([&chance.pick(&lengths).to_be_bytes()[..], &[7; 64]].concat())
        }
        Lie::Bomb => {
            let kind = *chance.pick(&[STATEMENTS, CHANGES]);
            let claim = [&ZSTD_MAGIC[..], &[0xe0], &HUGE.to_le_bytes(), &[1, 0, 0]].concat();
            closes(framed(kind, &claim))
        }
        Lie::ControlText => {
            let text = Writer::new().array(2).uint(CloseCode::Done.number()).text("\u{1b}[2J").finish();
            closes(framed(CLOSE, &text))
        }
        Lie::GarbageBytes => match chance.below(3) {
            0 => closes(b"GET / HTTP/1.1\r\nHost: kantor\r\n\r\n".to_vec()),
            1 => closes(framed(chance.between(13, 255) as u8, &chance.bytes::<40>())),
            _ => {
                // A good message and more behind it.
                let good = Message::Close(CloseReason { code: CloseCode::Done, text: "selesai".into() });
                closes(framed(CLOSE, &[&good.encode()[5..], &chance.bytes::<9>()].concat()))
            }
        },
        Lie::TruncatedFrame => {
            let mut frame = match chance.below(2) {
                0 => frame_of(1, truth.honest.iter().take(4).cloned().collect()),
                _ => Message::Hello(hello(truth)).encode(),
            };
            frame.truncate(1 + chance.below(frame.len() - 1));
            Telling::greeted(vec![frame], Expect::Harmless)
        }
        _ => return None,
    })
}

const STATEMENTS: u8 = 3;
const BLOB: u8 = 5;
const CHANGES: u8 = 6;
const CLOSE: u8 = 12;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A frame of this type, its length right.
fn framed(kind: u8, fields: &[u8]) -> Vec<u8> {
    let length = u32::try_from(fields.len() + 1).expect("a short frame").to_be_bytes();
    [&length[..], &[kind], fields].concat()
}

/// A frame of a type that is compressed. The content stands in it as it is, in one block.
fn packed(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a short content");
    let block = ((length << 3) | 1).to_le_bytes();
    framed(kind, &[&ZSTD_MAGIC[..], &[0xa0], &length.to_le_bytes(), &block[..3], content].concat())
}

/// 2^63 of something, in every type of message and at every place that counts.
fn huge_counts(truth: &Truth<'_>) -> Vec<Vec<u8>> {
    let with = |begin: &mut dyn FnMut(&mut Writer), huge: &[u8]| {
        let mut out = Writer::new();
        begin(&mut out);
        [&out.finish()[..], huge].concat()
    };
    let hello = |out: &mut Writer| {
        out.array(8).uint(1).uint(1).bytes(truth.survey.as_bytes()).bytes(&[0x66; 4]).null();
        out.uint(0).bytes(&Fingerprint::default().to_bytes());
    };
    let digest = Digest::of(b"");
    let home = truth.home.as_bytes();
    let sum = Fingerprint::default().to_bytes();
    let key = [3; 32];
    let author = |out: &mut Writer| _ = out.array(2).bytes(&[1; 32]).bytes(&[2; 4]);
    vec![
        framed(1, &with(&mut |out| hello(out), &HUGE_ARRAY)),
        framed(2, &HUGE_BYTES),
        packed(STATEMENTS, &with(&mut |out| _ = out.array(2), &HUGE_ARRAY)),
        packed(STATEMENTS, &with(&mut |out| _ = out.array(2).array(1), &HUGE_BYTES)),
        framed(4, &with(&mut |out| _ = out.array(2).bytes(digest.as_bytes()).uint(HUGE), &[])),
        packed(BLOB, &with(&mut |out| _ = out.array(4).bytes(digest.as_bytes()).uint(0).uint(HUGE), &[0x40])),
        packed(
            BLOB,
            &with(&mut |out| _ = out.array(4).bytes(digest.as_bytes()).uint(0).uint(9), &HUGE_BYTES),
        ),
        framed(19, &HUGE_ARRAY),
        framed(
            19,
            &with(&mut |out| _ = out.array(1).array(5).bytes(&key).bytes(&key).bytes(&key).uint(HUGE), &[0]),
        ),
        framed(20, &with(&mut |out| _ = out.array(2).bytes(&key), &HUGE_TEXT)),
        packed(CHANGES, &with(&mut |out| _ = out.array(10).uint(1).null(), &HUGE_ARRAY)),
        packed(CHANGES, &with(&mut |out| author(out.array(10).uint(1).null().array(1)), &HUGE_ARRAY)),
        packed(CHANGES, &with(&mut |out| _ = out.array(10).uint(1).null().array(0).array(0), &HUGE_ARRAY)),
        packed(
            CHANGES,
            &with(&mut |out| _ = out.array(10).uint(1).null().array(0).array(0).array(0), &HUGE_BYTES),
        ),
        framed(7, &with(&mut |out| _ = out.array(2).uint(1), &HUGE_ARRAY)),
        framed(7, &with(&mut |out| _ = out.array(2).uint(1).array(1).array(2).bytes(&[3; 32]), &HUGE_TEXT)),
        framed(8, &HUGE_BYTES),
        framed(9, &HUGE_BYTES),
        framed(10, &with(&mut |out| _ = out.array(3).bytes(home), &HUGE_BYTES)),
        framed(11, &HUGE_BYTES),
        framed(14, &with(&mut |out| _ = out.array(4), &HUGE_ARRAY)),
        framed(14, &with(&mut |out| _ = out.array(4).array(0).bytes(&sum).uint(HUGE), &HUGE_BYTES)),
        framed(16, &HUGE_BYTES),
        framed(17, &HUGE_BYTES),
        framed(CLOSE, &with(&mut |out| _ = out.array(2).uint(0), &HUGE_TEXT)),
    ]
}
