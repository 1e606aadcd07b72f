//! The chunk of a change, taken apart into the maps that it makes and the cells that it writes, and put together
//! again byte for byte, so that many changes can be written down like beside like. A chunk that is laid out any
//! other way than a record's has no layout and stays what it is; nothing here says whether a change is good.

use crate::columns::{DecodeError, Input, Runs, falses};
use crate::ids::{ActorId, CauseHash, MemberId};
use crate::limits::{ACTORS_MAX, BODY_BYTES_MAX, DEPS_MAX, MESSAGE_BYTES_MAX, OPS_MAX};
use crate::operations::{Columns, member};
use crate::runs::{write_counted, write_runs, write_signed, write_unsigned};

/// The type of a chunk that is a change and is not compressed.
const CHANGE: u8 = 1;
const MAKE: u64 = 0;
const SET: u64 = 1;

/// What stands in the chunk of a change, behind its magic and checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout<'a> {
    /// The changes that it directly follows.
    pub deps: Vec<CauseHash>,
    /// Its actor.
    pub actor: ActorId,
    /// The other actors that its operations name.
    pub others: Vec<ActorId>,
    /// Its number among its actor's.
    pub seq: u64,
    /// The counter of its first operation.
    pub start_op: u64,
    /// When it was made, milliseconds since 1970.
    pub time_ms: i64,
    /// The commit message.
    pub message: &'a str,
    /// The members whose maps it makes, by its first operations.
    pub makes: Vec<MemberId>,
    /// What it writes after that, in order.
    pub sections: Vec<Section<'a>>,
    /// Columns 112, 113 and 115, where it replaces anything.
    pub replaced: Option<[&'a [u8]; 3]>,
}

/// Cells of one map, ascending by field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Which map.
    pub map: SectionMap,
    /// The cells.
    pub cells: Vec<Cell<'a>>,
}

/// The map of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionMap {
    /// The family's own answers.
    Root,
    /// The map that the operation of this index in the same change makes.
    Own(u64),
    /// The map that another change made: index of its actor (0 the change's own), and counter.
    Other(u64, u64),
}

/// One field written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell<'a> {
    /// The variable's name.
    pub field: &'a str,
    /// What kind of value it is: Automerge's number for it, in the 4 lowest bits of what heads the value.
    pub kind: u8,
    /// The value as Automerge spells it.
    pub value: &'a [u8],
}

impl<'a> Layout<'a> {
    /// The layout of a chunk without its first 8 bytes, or nothing if it can't be put together again from one.
    pub fn of(rest: &'a [u8]) -> Option<Self> {
        let layout = read(&mut Input::new(rest)).ok().flatten()?;
        (layout.chunk().as_deref() == Some(rest)).then_some(layout)
    }

    /// The chunk without its first 8 bytes, or nothing if it would be longer than a chunk may be.
    pub fn chunk(&self) -> Option<Vec<u8>> {
        let cells = || self.sections.iter().flat_map(|section| &section.cells);
        let rows = self.makes.len() + cells().count();
        let bytes: usize = cells().map(|cell| cell.value.len()).sum();
        if rows > OPS_MAX || bytes > BODY_BYTES_MAX {
            return None;
        }
        let mut contents = Vec::with_capacity(bytes + 16 * rows);
        self.write_head(&mut contents);
        self.write_columns(&mut contents, rows);
        let mut chunk = Vec::with_capacity(contents.len() + 8);
        chunk.push(CHANGE);
        write_counted(&mut chunk, &contents);
        (chunk.len() <= BODY_BYTES_MAX).then_some(chunk)
    }

    fn write_head(&self, out: &mut Vec<u8>) {
        write_unsigned(out, self.deps.len() as u64);
        for cause in &self.deps {
            out.extend_from_slice(cause.as_bytes());
        }
        write_counted(out, self.actor.as_bytes());
        write_unsigned(out, self.seq);
        write_unsigned(out, self.start_op);
        write_signed(out, self.time_ms);
        write_counted(out, self.message.as_bytes());
        write_unsigned(out, self.others.len() as u64);
        for actor in &self.others {
            write_counted(out, actor.as_bytes());
        }
    }

    fn write_columns(&self, out: &mut Vec<u8>, rows: usize) {
        let makes = || self.makes.iter();
        let cells = || self.sections.iter().flat_map(|section| &section.cells);
        let maps = |part: fn((u64, u64)) -> u64| {
            let of = |section: &Section<'_>| self.operation(section.map).map(part);
            let sections =
                self.sections.iter().flat_map(move |section| section.cells.iter().map(move |_| of(section)));
            write_runs(makes().map(|_| None).chain(sections), write_unsigned)
        };
        let names: Vec<String> = makes().map(MemberId::to_string).collect();
        let keys = names.iter().map(String::as_str).chain(cells().map(|cell| cell.field)).map(Some);
        let actions = makes().map(|_| MAKE).chain(cells().map(|_| SET)).map(Some);
        let heads = makes().map(|_| 0).chain(cells().map(Cell::head)).map(Some);
        let nothing = write_runs(std::iter::repeat_n(Some(0), rows), write_unsigned);
        let [replaced, actors, counters] = self.replaced.unwrap_or([&nothing, &[], &[]]);
        let mut falses = Vec::new();
        if rows > 0 {
            write_unsigned(&mut falses, rows as u64);
        }
        let columns: [(u64, &[u8]); 10] = [
            (1, &maps(|(actor, _)| actor)),
            (2, &maps(|(_, counter)| counter)),
            (21, &write_runs(keys, |out, key| write_counted(out, key.as_bytes()))),
            (52, &falses),
            (66, &write_runs(actions, write_unsigned)),
            (86, &write_runs(heads, write_unsigned)),
            (87, &cells().flat_map(|cell| cell.value).copied().collect::<Vec<_>>()),
            (112, replaced),
            (113, actors),
            (115, counters),
        ];
        let columns = || columns.iter().filter(|(_, bytes)| !bytes.is_empty());
        write_unsigned(out, columns().count() as u64);
        for (number, bytes) in columns() {
            write_unsigned(out, *number);
            write_unsigned(out, bytes.len() as u64);
        }
        for (_, bytes) in columns() {
            out.extend_from_slice(bytes);
        }
    }

    /// The operation that made a map, as a chunk names it.
    fn operation(&self, map: SectionMap) -> Option<(u64, u64)> {
        match map {
            SectionMap::Root => None,
            SectionMap::Own(index) => Some((0, self.start_op.wrapping_add(index))),
            SectionMap::Other(actor, counter) => Some((actor, counter)),
        }
    }

    /// Takes in what one operation does. Nothing if a layout has no place for it.
    fn take(&mut self, map: Option<(u64, u64)>, action: u64, cell: Cell<'a>) -> Option<()> {
        if action == MAKE {
            let first = map.is_none() && self.sections.is_empty() && cell.head() == 0;
            self.makes.push(member(cell.field).filter(|_| first)?);
            return Some(());
        }
        let map = match map {
            None => SectionMap::Root,
            Some((actor, counter)) => match counter.checked_sub(self.start_op) {
                Some(index) if actor == 0 && index < self.makes.len() as u64 => SectionMap::Own(index),
                _ if actor <= self.others.len() as u64 => SectionMap::Other(actor, counter),
                _ => return None,
            },
        };
        let goes_on = |section: &&mut Section<'_>| {
            section.map == map && section.cells.last().is_none_or(|last| last.field < cell.field)
        };
        match self.sections.last_mut().filter(goes_on) {
            Some(section) => section.cells.push(cell),
            None => self.sections.push(Section { map, cells: vec![cell] }),
        }
        (action == SET).then_some(())
    }
}

impl Cell<'_> {
    /// What stands for the value in column 86: its kind and how long it is.
    fn head(&self) -> u64 {
        (self.value.len() as u64) << 4 | u64::from(self.kind)
    }
}

fn read<'a>(input: &mut Input<'a>) -> Result<Option<Layout<'a>>, DecodeError> {
    if input.array()? != [CHANGE] {
        return Ok(None);
    }
    let bytes = input.count(BODY_BYTES_MAX)?;
    if bytes != input.len() {
        return Ok(None);
    }
    let causes = input.count(DEPS_MAX)?;
    let mut layout = Layout {
        deps: (0..causes).map(|_| input.array().map(CauseHash::from_bytes)).collect::<Result<_, _>>()?,
        actor: read_actor(input)?,
        seq: input.unsigned()?,
        start_op: input.unsigned()?,
        time_ms: input.signed()?,
        message: input.text(MESSAGE_BYTES_MAX)?,
        others: Vec::new(),
        makes: Vec::new(),
        sections: Vec::new(),
        replaced: None,
    };
    let others = input.count(ACTORS_MAX)?;
    layout.others = (0..others).map(|_| read_actor(input)).collect::<Result<_, _>>()?;
    let Ok(columns) = Columns::read(input) else { return Ok(None) };
    let whole = read_rows(&mut layout, &columns)?.is_some();
    Ok(whole.then_some(layout))
}

fn read_actor(input: &mut Input<'_>) -> Result<ActorId, DecodeError> {
    match input.unsigned()? {
        16 => input.array().map(ActorId::from_bytes),
        _ => Err(DecodeError::Number),
    }
}

/// Reads the operations in step. Whatever they leave over shows when the chunk is put together again.
fn read_rows<'a>(layout: &mut Layout<'a>, columns: &Columns<'a>) -> Result<Option<()>, DecodeError> {
    let rows = if columns.insert.is_empty() { 0 } else { falses(columns.insert)?.unwrap_or_default() };
    let mut map_actors = Runs::<u64>::new(columns.map_actor, rows);
    let mut map_counters = Runs::<u64>::new(columns.map_counter, rows);
    let mut keys = Runs::<&str>::new(columns.key, rows);
    let mut actions = Runs::<u64>::new(columns.action, rows);
    let mut heads = Runs::<u64>::new(columns.value_head, rows);
    let mut values = Input::new(columns.value);
    for _ in 0..rows {
        let map = match (map_actors.next()?, map_counters.next()?) {
            (None, None) => None,
            (Some(actor), Some(counter)) => Some((actor, counter)),
            _ => return Ok(None),
        };
        let (field, action, head) = (keys.value()?, actions.value()?, heads.value()?);
        let bytes = usize::try_from(head >> 4).map_err(|_| DecodeError::CutOff)?;
        let cell = Cell { field, kind: (head & 0xf) as u8, value: values.take(bytes)? };
        if layout.take(map, action, cell).is_none() {
            return Ok(None);
        }
    }
    let nothing = write_runs(std::iter::repeat_n(Some(0), rows), write_unsigned);
    if columns.replaced != nothing {
        layout.replaced = Some([columns.replaced, columns.replaced_actor, columns.replaced_counter]);
    }
    Ok(Some(()))
}
