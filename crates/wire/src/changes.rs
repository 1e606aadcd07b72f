//! A frame of changes, column by column: what is alike stands together and compresses, and what does not compress
//! stands last.
//! The first 8 bytes of a body (magic and checksum) follow from the rest: they stay off the wire
//! and are rebuilt, so that a change arrives with the right ones whatever its sender held.

use rukun_change::cbor::{Reader, Writer};
use rukun_change::{
    Author, Change, DeviceKey, Digest, Incarnation, RecordId, SignedChange, read_ink, read_seen, write_seen,
};

use crate::Fault;
use crate::bodies::{BODY_FIELDS, Bodies, read_bodies};
use crate::limits::FRAME_CHANGES_MAX;
use crate::rows::{read_column, read_rows_exactly, write_column, write_rows};

const CHUNK_MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHECKSUM_BYTES: usize = 4;
const HEAD_BYTES: usize = CHUNK_MAGIC.len() + CHECKSUM_BYTES;
/// Fields of the message beside the bodies.
const FIELDS: usize = 9;

/// Changes, each to be understood without any other frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The frame's number, which its acknowledgement names.
    pub frame: u64,
    /// The sender's log is sent up to here; nothing for a frame that repairs.
    pub upto: Option<u64>,
    /// The changes, causes first.
    pub items: Vec<SignedChange>,
}

impl Changes {
    /// The fields, in parts that are best compressed apart.
    pub(crate) fn write(&self) -> Vec<Vec<u8>> {
        let items = || self.items.iter();
        let (mut alike, mut unlike) = (Writer::new(), Writer::new());
        let out = alike.array(FIELDS + BODY_FIELDS).uint(self.frame);
        match self.upto {
            Some(upto) => out.uint(upto),
            None => out.null(),
        };
        let (table, named) = self.authors();
        write_column(out, &table, |out, author| {
            out.array(2).bytes(author.device.as_bytes()).bytes(author.incarnation.as_bytes());
        });
        write_column(out, &named, |out, index| _ = out.uint(*index as u64));
        let mut steps = Steps::new(table.len());
        let steps: Vec<u64> =
            items().zip(named).map(|(item, author)| steps.step_to(author, item.change.n)).collect();
        write_column(out, &steps, |out, step| _ = out.uint(*step));
        write_column(out, &self.items, |out, item| _ = out.uint(item.change.ink.number()));
        write_column(out, &self.items, |out, item| write_seen(out, &item.change.seen));
        let bodies = Bodies::of(items().map(|item| without_head(&item.change.body)));
        let values = bodies.write_alike(out);
        bodies.write_unlike(&mut unlike);
        write_rows(&mut unlike, items().map(|item| item.change.record.to_bytes()));
        write_rows(&mut unlike, items().map(|item| item.signature));
        let [others, texts] = [values.others, values.texts].map(|bytes| Writer::new().bytes(&bytes).finish());
        vec![alike.finish(), others, texts, unlike.finish()]
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.tuple(FIELDS + BODY_FIELDS)?;
        let frame = reader.uint()?;
        let upto = if reader.null() { None } else { Some(reader.uint()?) };
        let table = read_table(reader)?;
        let named = read_named(reader, table.len())?;
        let mut steps = Steps::new(table.len());
        let numbers =
            read_column(reader, &named, |reader, author| Ok(steps.number_after(*author, reader.uint()?)))?;
        let inks = read_column(reader, &named, |reader, _| Ok(read_ink(reader)?))?;
        let seen = read_column(reader, &inks, |reader, ink| Ok(read_seen(reader, *ink)?))?;
        let bodies = read_bodies(reader, named.len())?;
        let records = read_rows_exactly(reader, named.len())?;
        let signatures = read_rows_exactly(reader, named.len())?;

        let mut items = Vec::with_capacity(named.len());
        let columns = named.iter().zip(numbers).zip(records).zip(inks).zip(seen).zip(bodies).zip(signatures);
        for ((((((author, n), record), ink), seen), body), signature) in columns {
            let author = *table.get(*author).expect("only authors of the table are named");
            let (record, body) = (RecordId::from_bytes(*record)?, with_head(&body));
            let change = Change { author, n, record, ink, seen, body };
            items.push(SignedChange { change, signature: *signature });
        }
        Ok(Self { frame, upto, items })
    }

    /// The authors in the order of first use, and which of them made each change.
    fn authors(&self) -> (Vec<Author>, Vec<usize>) {
        let mut table = Vec::new();
        let mut named = Vec::with_capacity(self.items.len());
        for author in self.items.iter().map(|item| item.change.author) {
            let known = table.iter().position(|other| *other == author);
            named.push(known.unwrap_or(table.len()));
            if known.is_none() {
                table.push(author);
            }
        }
        (table, named)
    }
}

/// The running number that each author's changes have reached in a frame. On the wire stands by
/// how much it grew, modulo 2^64: mostly 1, which compresses to nothing.
struct Steps(Vec<u64>);

impl Steps {
    fn new(authors: usize) -> Self {
        Self(vec![0; authors])
    }

    fn step_to(&mut self, author: usize, n: u64) -> u64 {
        n.wrapping_sub(std::mem::replace(self.reached(author), n))
    }

    fn number_after(&mut self, author: usize, step: u64) -> u64 {
        let reached = self.reached(author);
        *reached = reached.wrapping_add(step);
        *reached
    }

    fn reached(&mut self, author: usize) -> &mut u64 {
        self.0.get_mut(author).expect("only authors of the table are named")
    }
}

/// The table of authors, none twice.
fn read_table(reader: &mut Reader<'_>) -> Result<Vec<Author>, Fault> {
    let count = reader.array(FRAME_CHANGES_MAX)?;
    let mut table: Vec<Author> = Vec::with_capacity(count);
    for index in 0..count {
        reader.tuple(2)?;
        let device = DeviceKey::from_bytes(reader.array_of()?);
        let author = Author { device, incarnation: Incarnation::from_bytes(reader.array_of()?) };
        if table.contains(&author) {
            return Err(Fault::Authors { index: index as u64 });
        }
        table.push(author);
    }
    Ok(table)
}

/// Which author made each change: every one of the table, first named in its order.
fn read_named(reader: &mut Reader<'_>, authors: usize) -> Result<Vec<usize>, Fault> {
    let count = reader.array(FRAME_CHANGES_MAX)?;
    let mut named = Vec::with_capacity(count);
    let mut used = 0;
    for _ in 0..count {
        let index = reader.uint()?;
        let known = usize::try_from(index).ok().filter(|index| *index <= used && *index < authors);
        let known = known.ok_or(Fault::Authors { index })?;
        used += usize::from(known == used);
        named.push(known);
    }
    if used == authors { Ok(named) } else { Err(Fault::Authors { index: used as u64 }) }
}

fn without_head(chunk: &[u8]) -> &[u8] {
    chunk.get(HEAD_BYTES..).unwrap_or_default()
}

fn with_head(rest: &[u8]) -> Vec<u8> {
    let digest = Digest::of(rest);
    let checksum = digest.as_bytes().first_chunk::<CHECKSUM_BYTES>().expect("a digest has 32 bytes");
    [&CHUNK_MAGIC[..], checksum, rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The columns that name authors, as a peer may spell them.
    fn read(table: &[u8], named: &[u64]) -> Result<Vec<usize>, Fault> {
        let mut out = Writer::new();
        write_column(&mut out, table, |out, device| {
            out.array(2).bytes(&[*device; 32]).bytes(&[0; 4]);
        });
        write_column(&mut out, named, |out, index| _ = out.uint(*index));
        let bytes = out.finish();
        let mut reader = Reader::new(&bytes);
        let table = read_table(&mut reader)?;
        read_named(&mut reader, table.len())
    }

    #[test]
    fn the_table_of_authors_has_one_spelling() {
        assert_eq!(read(&[5, 6], &[0, 0, 1, 0]), Ok(vec![0, 0, 1, 0]));
        assert_eq!(read(&[], &[]), Ok(vec![]));
        assert_eq!(read(&[5, 5], &[0, 1]), Err(Fault::Authors { index: 1 }), "listed twice");
        assert_eq!(read(&[5, 6], &[0, 0]), Err(Fault::Authors { index: 1 }), "never used");
        assert_eq!(read(&[5, 6], &[1, 0]), Err(Fault::Authors { index: 1 }), "not in the order of use");
        assert_eq!(read(&[5], &[0, 1]), Err(Fault::Authors { index: 1 }), "not listed");
        assert_eq!(read(&[5], &[0, 1 << 63]), Err(Fault::Authors { index: 1 << 63 }), "not listed");
    }

    #[test]
    fn running_numbers_arrive_whatever_they_are() {
        let (mut sender, mut receiver) = (Steps::new(2), Steps::new(2));
        for (author, n) in [(0, 5), (1, u64::MAX), (0, 6), (1, 0), (0, 3), (0, 3)] {
            let step = sender.step_to(author, n);
            assert_eq!(receiver.number_after(author, step), n);
        }
    }

    #[test]
    fn columns_of_unequal_length_are_refused() {
        let bytes = Writer::new().array(1).uint(1).finish();
        let column = read_column(&mut Reader::new(&bytes), &[0, 0], |reader, _| Ok(reader.uint()?));
        assert!(matches!(column, Err(Fault::Cbor(_))), "{column:?}");
        let bytes = Writer::new().bytes(&[0; 16]).finish();
        let rows = read_rows_exactly::<16>(&mut Reader::new(&bytes), 2);
        assert!(matches!(rows, Err(Fault::Cbor(_))), "{rows:?}");
    }
}
