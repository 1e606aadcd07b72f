//! Automerge chunks by hand: contents become a chunk whose head is right.

use rukun_change::Digest;

/// A change chunk of these contents.
pub(super) fn chunk(contents: &[u8]) -> Vec<u8> {
    let hashed = [&[1][..], &leb(contents.len() as u64), contents].concat();
    [&[0x85, 0x6f, 0x4a, 0x83], &Digest::of(&hashed).as_bytes()[..4], &hashed].concat()
}

/// What [`chunk`] made this of.
pub(super) fn contents(chunk: &[u8]) -> &[u8] {
    let after_type = &chunk[9..];
    let length = after_type.iter().position(|byte| byte & 0x80 == 0).unwrap();
    &after_type[length + 1..]
}

/// An unsigned number as Automerge spells it.
pub(super) fn leb(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}
