//! An Automerge change chunk taken apart and put together otherwise, its checksum right again: what
//! no library would make.

use rukun_change::{ActorId, CauseHash, Digest};

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];

/// The parts of a change chunk that say where the change stands among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The type of the chunk: 1 is a change, 2 a compressed one.
    pub kind: u8,
    /// The changes that it follows.
    pub deps: Vec<CauseHash>,
    /// Its actor.
    pub actor: ActorId,
    /// Its number among the actor's.
    pub seq: u64,
    /// The counter of its first operation.
    pub start_op: u64,
    /// Time, message, other actors, columns.
    pub rest: Vec<u8>,
}

impl Chunk {
    /// The parts of a chunk that a library made.
    ///
    /// # Panics
    /// If it is none.
    pub fn of(bytes: &[u8]) -> Self {
        let mut input = bytes.strip_prefix(&MAGIC).expect("a chunk begins with its magic");
        input = &input[4..];
        let kind = input[0];
        input = &input[1..];
        assert_eq!(number(&mut input), input.len() as u64, "a whole chunk");
        let deps = (0..number(&mut input)).map(|_| CauseHash::from_bytes(array(&mut input))).collect();
        assert_eq!(number(&mut input), 16, "a device's actor");
        let actor = ActorId::from_bytes(array(&mut input));
        let (seq, start_op) = (number(&mut input), number(&mut input));
        Self { kind, deps, actor, seq, start_op, rest: input.to_vec() }
    }

    /// The chunk of these parts.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut contents = leb(self.deps.len() as u64);
        self.deps.iter().for_each(|dep| contents.extend(dep.as_bytes()));
        contents.extend(leb(16));
        contents.extend(self.actor.as_bytes());
        contents.extend(leb(self.seq));
        contents.extend(leb(self.start_op));
        contents.extend(&self.rest);
        Self::sealed(self.kind, &contents)
    }

    /// Any contents under a right length and a right checksum.
    pub fn sealed(kind: u8, contents: &[u8]) -> Vec<u8> {
        Self::claiming(kind, contents.len() as u64, contents)
    }

    /// Any contents under any length, and a checksum that fits both.
    pub fn claiming(kind: u8, length: u64, contents: &[u8]) -> Vec<u8> {
        let hashed = [&[kind][..], &leb(length), contents].concat();
        let digest = Digest::of(&hashed);
        [&MAGIC[..], &digest.as_bytes()[..4], &hashed].concat()
    }
}

/// A number as Automerge spells it.
pub(super) fn leb(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn number(input: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = input.split_first().expect("a number ends");
        *input = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

fn array<const N: usize>(input: &mut &[u8]) -> [u8; N] {
    let (array, rest) = input.split_first_chunk().expect("a chunk is whole");
    *input = rest;
    *array
}
