//! The bodies of a frame's changes, each a chunk without its first 8 bytes, written down like beside like: what they
//! have in common, what they write, and what is different in each. A chunk without a layout goes as it is.

use std::collections::BTreeSet;

use rukun_change::cbor::{CborError, Reader, Writer};
use rukun_change::limits::{ACTORS_MAX, BODY_BYTES_MAX, DEPS_MAX, MESSAGE_BYTES_MAX, OPS_MAX};
use rukun_change::{ActorId, CauseHash, Layout, MemberId, Section, SectionMap};

use crate::Fault;
use crate::cells::{Heads, Values, is_writable, write_cells};
use crate::limits::{FRAME_CELLS_MAX, FRAME_FIELDS_MAX, FRAME_SECTIONS_MAX, UNPACKED_BYTES_MAX};
use crate::rows::{read_column, read_rows_exactly, write_column, write_rows};

/// Fields of the message that hold bodies.
pub(crate) const BODY_FIELDS: usize = 18;

/// Bodies on their way out.
pub(crate) struct Bodies<'a> {
    /// Those that go as they are; nothing for one that is laid out.
    plain: Vec<Option<&'a [u8]>>,
    laid: Vec<Layout<'a>>,
}

impl<'a> Bodies<'a> {
    pub(crate) fn of(bodies: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut plain, mut laid, mut room) = (Vec::new(), Vec::new(), Room::default());
        for body in bodies {
            match Layout::of(body).filter(|layout| room.take(layout)) {
                Some(layout) => {
                    laid.push(layout);
                    plain.push(None);
                }
                None => plain.push(Some(body)),
            }
        }
        Self { plain, laid }
    }

    /// Writes what the bodies have in common; the values are returned.
    pub(crate) fn write_alike(&self, out: &mut Writer) -> Values {
        write_column(out, &self.plain, |out, body| {
            _ = match body {
                Some(body) => out.bytes(body),
                None => out.null(),
            }
        });
        write_column(out, &self.laid, |out, body| {
            write_column(out, &body.deps, |out, cause| _ = out.bytes(cause.as_bytes()));
        });
        write_column(out, &self.laid, |out, body| {
            out.array(1 + body.others.len()).bytes(body.actor.as_bytes());
            body.others.iter().for_each(|actor| _ = out.bytes(actor.as_bytes()));
        });
        write_column(out, &self.laid, |out, body| _ = out.uint(body.seq));
        write_column(out, &self.laid, |out, body| _ = out.uint(body.start_op));
        write_column(out, &self.laid, |out, body| _ = out.text(body.message));
        write_column(out, &self.laid, |out, body| _ = out.uint(body.makes.len() as u64));
        write_column(out, &self.laid, |out, body| {
            write_column(out, &body.sections, |out, section| write_map(out, section.map, body.makes.len()));
        });
        let counters: Vec<u64> = self.sections().filter_map(|section| other_counter(section.map)).collect();
        write_column(out, &counters, |out, counter| _ = out.uint(*counter));
        write_column(out, &self.laid, |out, body| match &body.replaced {
            None => _ = out.null(),
            Some(columns) => write_column(out, columns, |out, column| _ = out.bytes(column)),
        });
        let (roots, members): (Vec<_>, Vec<_>) =
            self.sections().partition(|section| section.map == SectionMap::Root);
        let mut values = Values::default();
        write_cells(out, &roots, &mut values);
        write_cells(out, &members, &mut values);
        values
    }

    /// Writes what is different in each.
    pub(crate) fn write_unlike(&self, out: &mut Writer) {
        let mut before = 0;
        write_column(out, &self.laid, |out, body| {
            out.int(body.time_ms.wrapping_sub(std::mem::replace(&mut before, body.time_ms)));
        });
        write_rows(out, self.laid.iter().flat_map(|body| &body.makes).map(|member| *member.as_bytes()));
    }

    fn sections(&self) -> impl Iterator<Item = &Section<'a>> {
        self.laid.iter().flat_map(|body| &body.sections)
    }
}

/// What one frame's tables can still hold.
#[derive(Default)]
struct Room<'a> {
    sections: usize,
    cells: usize,
    root_fields: BTreeSet<&'a str>,
    member_fields: BTreeSet<&'a str>,
}

impl<'a> Room<'a> {
    /// Whether there is room for this one, which is taken then.
    fn take(&mut self, layout: &Layout<'a>) -> bool {
        let sections = self.sections + layout.sections.len();
        let cells = self.cells + layout.sections.iter().map(|section| section.cells.len()).sum::<usize>();
        if !layout.sections.iter().all(is_writable)
            || sections > FRAME_SECTIONS_MAX
            || cells > FRAME_CELLS_MAX
        {
            return false;
        }
        let (mut root_fields, mut member_fields) = (BTreeSet::new(), BTreeSet::new());
        for section in &layout.sections {
            let (fields, held) = match section.map {
                SectionMap::Root => (&mut root_fields, &self.root_fields),
                _ => (&mut member_fields, &self.member_fields),
            };
            fields.extend(section.cells.iter().map(|cell| cell.field).filter(|field| !held.contains(field)));
        }
        let fits = self.root_fields.len() + root_fields.len() <= FRAME_FIELDS_MAX
            && self.member_fields.len() + member_fields.len() <= FRAME_FIELDS_MAX;
        if fits {
            (self.sections, self.cells) = (sections, cells);
            self.root_fields.append(&mut root_fields);
            self.member_fields.append(&mut member_fields);
        }
        fits
    }
}

/// `changes` bodies, without their first 8 bytes.
pub(crate) fn read_bodies(reader: &mut Reader<'_>, changes: usize) -> Result<Vec<Vec<u8>>, Fault> {
    reader.tuple(changes)?;
    let mut plain = Vec::with_capacity(changes);
    for _ in 0..changes {
        plain.push(if reader.null() { None } else { Some(reader.bytes(BODY_BYTES_MAX)?) });
    }
    let laid = plain.iter().filter(|body| body.is_none()).count();
    let (mut laid, makes) = read_alike(reader, laid)?;
    read_cells(reader, &mut laid)?;
    read_unlike(reader, &mut laid, &makes)?;
    let mut laid = laid.into_iter();
    let bodies = plain.into_iter().enumerate().map(|(index, body)| match body {
        Some(body) => Ok(body.to_vec()),
        None => laid.next().and_then(|layout| layout.chunk()).ok_or(Fault::Body { index }),
    });
    bodies.collect()
}

/// Layouts that lack their cells and what is different in each, and how many maps each makes.
fn read_alike<'a>(reader: &mut Reader<'a>, count: usize) -> Result<(Vec<Layout<'a>>, Vec<usize>), Fault> {
    let each = vec![(); count];
    let deps = read_column(reader, &each, |reader, ()| read_deps(reader))?;
    let actors = read_column(reader, &each, |reader, ()| read_actors(reader))?;
    let seqs = read_column(reader, &each, |reader, ()| Ok(reader.uint()?))?;
    let starts = read_column(reader, &each, |reader, ()| Ok(reader.uint()?))?;
    let messages = read_column(reader, &each, |reader, ()| Ok(reader.text(MESSAGE_BYTES_MAX)?))?;
    let makes = read_column(reader, &each, |reader, ()| read_count(reader, OPS_MAX))?;
    let mut left = FRAME_SECTIONS_MAX;
    let maps = read_column(reader, &makes, |reader, makes| read_maps(reader, *makes, &mut left))?;
    let maps = read_counters(reader, maps)?;
    let replaced = read_column(reader, &each, |reader, ()| read_replaced(reader))?;

    let columns = deps.into_iter().zip(actors).zip(seqs).zip(starts).zip(messages).zip(maps).zip(replaced);
    let laid = columns.map(|((((((deps, (actor, others)), seq), start_op), message), maps), replaced)| {
        let sections = maps.into_iter().map(|map| Section { map, cells: Vec::new() }).collect();
        Layout { deps, actor, others, seq, start_op, time_ms: 0, message, makes: vec![], sections, replaced }
    });
    Ok((laid.collect(), makes))
}

fn read_cells<'a>(reader: &mut Reader<'a>, laid: &mut [Layout<'a>]) -> Result<(), Fault> {
    let sections = laid.iter_mut().flat_map(|body| &mut body.sections);
    let (mut roots, mut members): (Vec<_>, Vec<_>) =
        sections.partition(|section| section.map == SectionMap::Root);
    let mut left = FRAME_CELLS_MAX;
    let heads =
        [Heads::read(reader, roots.len(), &mut left)?, Heads::read(reader, members.len(), &mut left)?];
    let mut others = reader.bytes(UNPACKED_BYTES_MAX)?;
    let mut texts = reader.bytes(UNPACKED_BYTES_MAX)?;
    for (heads, sections) in heads.into_iter().zip([&mut roots, &mut members]) {
        heads.fill(sections, &mut texts, &mut others)?;
    }
    if texts.is_empty() && others.is_empty() { Ok(()) } else { Err(Fault::Values) }
}

fn read_unlike(reader: &mut Reader<'_>, laid: &mut [Layout<'_>], makes: &[usize]) -> Result<(), Fault> {
    let times = read_column(reader, laid, |reader, _| Ok(reader.int()?))?;
    let mut rows = read_rows_exactly(reader, makes.iter().sum())?.iter();
    let mut time_ms = 0_i64;
    for ((body, makes), step) in laid.iter_mut().zip(makes).zip(times) {
        time_ms = time_ms.wrapping_add(step);
        body.time_ms = time_ms;
        body.makes = rows.by_ref().take(*makes).copied().map(MemberId::from_bytes).collect();
    }
    Ok(())
}

/// 0 is the root, then come the maps that the change makes, then the actors of other changes' maps.
fn write_map(out: &mut Writer, map: SectionMap, makes: usize) {
    let first_actor = 1 + makes as u64;
    out.uint(match map {
        SectionMap::Root => 0,
        SectionMap::Own(index) => 1 + index,
        SectionMap::Other(actor, _) => first_actor + actor,
    });
}

fn other_counter(map: SectionMap) -> Option<u64> {
    if let SectionMap::Other(_, counter) = map { Some(counter) } else { None }
}

fn read_deps(reader: &mut Reader<'_>) -> Result<Vec<CauseHash>, Fault> {
    let count = reader.array(DEPS_MAX)?;
    (0..count).map(|_| Ok(CauseHash::from_bytes(reader.array_of()?))).collect()
}

/// A body's own actor, and the others that it names.
fn read_actors(reader: &mut Reader<'_>) -> Result<(ActorId, Vec<ActorId>), Fault> {
    let count = reader.array(1 + ACTORS_MAX)?;
    let own = ActorId::from_bytes(reader.array_of()?);
    let others = (1..count).map(|_| Ok(ActorId::from_bytes(reader.array_of()?)));
    Ok((own, others.collect::<Result<_, Fault>>()?))
}

fn read_count(reader: &mut Reader<'_>, max: usize) -> Result<usize, Fault> {
    let number = reader.uint()?;
    let count = usize::try_from(number).ok().filter(|count| *count <= max);
    count.ok_or(Fault::Cbor(CborError::TooMany { items: usize::try_from(number).unwrap_or(usize::MAX), max }))
}

/// The maps of a body's sections, whose counters come later.
fn read_maps(reader: &mut Reader<'_>, makes: usize, left: &mut usize) -> Result<Vec<SectionMap>, Fault> {
    let count = reader.array(*left)?;
    *left -= count;
    let makes = makes as u64;
    let read = |number| match number {
        0 => SectionMap::Root,
        _ if number <= makes => SectionMap::Own(number - 1),
        _ => SectionMap::Other(number - makes - 1, 0),
    };
    (0..count).map(|_| Ok(read(reader.uint()?))).collect()
}

fn read_counters(
    reader: &mut Reader<'_>,
    mut maps: Vec<Vec<SectionMap>>,
) -> Result<Vec<Vec<SectionMap>>, Fault> {
    let others: Vec<_> =
        maps.iter_mut().flatten().filter(|map| matches!(map, SectionMap::Other(..))).collect();
    reader.tuple(others.len())?;
    for map in others {
        if let SectionMap::Other(_, counter) = map {
            *counter = reader.uint()?;
        }
    }
    Ok(maps)
}

fn read_replaced<'a>(reader: &mut Reader<'a>) -> Result<Option<[&'a [u8]; 3]>, Fault> {
    if reader.null() {
        return Ok(None);
    }
    reader.tuple(3)?;
    let mut column = || reader.bytes(BODY_BYTES_MAX);
    Ok(Some([column()?, column()?, column()?]))
}
