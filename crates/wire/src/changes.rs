//! A frame of changes: column by column, so that what is alike stands together and compresses.
//! The first 8 bytes of a body (magic and checksum) follow from the rest: they stay off the wire
//! and are rebuilt, so that a change arrives with the right ones whatever its sender held.

use rukun_change::cbor::{Reader, Writer};
use rukun_change::limits::BODY_BYTES_MAX;
use rukun_change::{
    Author, Change, DeviceKey, Digest, Incarnation, RecordId, SignedChange, read_ink, read_seen, write_seen,
};

use crate::Fault;
use crate::limits::FRAME_CHANGES_MAX;

const CHUNK_MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHECKSUM_BYTES: usize = 4;
const CHUNK_HEAD_BYTES: usize = CHUNK_MAGIC.len() + CHECKSUM_BYTES;
/// Fields of the message: three of the frame, then the columns.
const FIELDS: usize = 10;

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
    pub(crate) fn write(&self, out: &mut Writer) {
        out.array(FIELDS).uint(self.frame);
        match self.upto {
            Some(upto) => out.uint(upto),
            None => out.null(),
        };
        let (authors, named) = self.authors();
        out.array(authors.len());
        for author in authors {
            out.array(2).bytes(author.device.as_bytes()).bytes(author.incarnation.as_bytes());
        }
        out.array(named.len());
        for index in named {
            out.uint(index as u64);
        }
        self.column(out, |item, out| _ = out.uint(item.change.n));
        self.column(out, |item, out| _ = out.bytes(&item.change.record.to_bytes()));
        self.column(out, |item, out| _ = out.uint(item.change.ink.number()));
        self.column(out, |item, out| write_seen(out, &item.change.seen));
        self.column(out, |item, out| _ = out.bytes(without_head(&item.change.body)));
        self.column(out, |item, out| _ = out.bytes(&item.signature));
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.tuple(FIELDS)?;
        let frame = reader.uint()?;
        let upto = if reader.null() { None } else { Some(reader.uint()?) };
        let authors = read_authors(reader)?;
        let count = authors.len();
        let ns = read_column(reader, count, |reader| Ok(reader.uint()?))?;
        let records = read_column(reader, count, |reader| {
            RecordId::from_bytes(reader.array_of()?).map_err(Fault::from)
        })?;
        let inks = read_column(reader, count, |reader| Ok(read_ink(reader)?))?;
        let mut ink = inks.iter();
        let seen = read_column(reader, count, |reader| {
            let ink = ink.next().expect("as many inks as changes");
            Ok(read_seen(reader, *ink)?)
        })?;
        let bodies = read_column(reader, count, |reader| {
            Ok(with_head(reader.bytes(BODY_BYTES_MAX - CHUNK_HEAD_BYTES)?))
        })?;
        let signatures = read_column(reader, count, |reader| Ok(reader.array_of()?))?;
        let mut items = Vec::with_capacity(count);
        let columns =
            authors.into_iter().zip(ns).zip(records).zip(inks).zip(seen).zip(bodies).zip(signatures);
        for ((((((author, n), record), ink), seen), body), signature) in columns {
            items.push(SignedChange { change: Change { author, n, record, ink, seen, body }, signature });
        }
        Ok(Self { frame, upto, items })
    }

    /// The authors in the order of first use, and which of them made each change.
    fn authors(&self) -> (Vec<Author>, Vec<usize>) {
        let mut authors = Vec::new();
        let mut named = Vec::with_capacity(self.items.len());
        for author in self.items.iter().map(|item| item.change.author) {
            let known = authors.iter().position(|other| *other == author);
            named.push(known.unwrap_or(authors.len()));
            if known.is_none() {
                authors.push(author);
            }
        }
        (authors, named)
    }

    fn column(&self, out: &mut Writer, write: impl Fn(&SignedChange, &mut Writer)) {
        out.array(self.items.len());
        for item in &self.items {
            write(item, out);
        }
    }
}

/// The author of each change, from the table of authors and the column that names its entries.
fn read_authors(reader: &mut Reader<'_>) -> Result<Vec<Author>, Fault> {
    let listed = reader.array(FRAME_CHANGES_MAX)?;
    let mut table: Vec<Author> = Vec::with_capacity(listed);
    for index in 0..listed {
        reader.tuple(2)?;
        let device = DeviceKey::from_bytes(reader.array_of()?);
        let author = Author { device, incarnation: Incarnation::from_bytes(reader.array_of()?) };
        if table.contains(&author) {
            return Err(Fault::Authors { index: index as u64 });
        }
        table.push(author);
    }
    let count = reader.array(FRAME_CHANGES_MAX)?;
    let mut used = 0;
    let mut authors = Vec::with_capacity(count);
    for _ in 0..count {
        let index = reader.uint()?;
        let author =
            usize::try_from(index).ok().filter(|index| *index <= used).and_then(|index| table.get(index));
        authors.push(*author.ok_or(Fault::Authors { index })?);
        used += usize::from(index == used as u64);
    }
    if used == listed { Ok(authors) } else { Err(Fault::Authors { index: used as u64 }) }
}

fn read_column<'a, T>(
    reader: &mut Reader<'a>,
    count: usize,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    reader.tuple(count)?;
    (0..count).map(|_| read(reader)).collect()
}

fn without_head(chunk: &[u8]) -> &[u8] {
    chunk.get(CHUNK_HEAD_BYTES..).unwrap_or_default()
}

fn with_head(rest: &[u8]) -> Vec<u8> {
    let digest = Digest::of(rest);
    let checksum = digest.as_bytes().first_chunk::<CHECKSUM_BYTES>().expect("a digest has 32 bytes");
    [&CHUNK_MAGIC[..], checksum, rest].concat()
}
