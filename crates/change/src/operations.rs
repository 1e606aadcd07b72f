//! The operations of an Automerge change: its columns, read in step, become the member maps that
//! it makes and the fields that it writes. Whatever else Automerge can do, a record can't hold, and
//! is refused with its name.

use crate::columns::{DecodeError, Deltas, Input, Runs, falses};
use crate::ids::{ActorId, MemberId};
use crate::limits::{BODY_BYTES_MAX, OPS_MAX, TEXT_BYTES_MAX};
use crate::shape::{BodyError, COUNTER_MAX, MakeMap, MapRef, OpId, Scalar, Write, is_field_name, malformed};

/// The most values that all operations of one change can replace: several each, where several
/// devices wrote the same field.
const REPLACED_MAX: usize = 4 * OPS_MAX;
/// More columns than a change of a record can have.
const COLUMNS_MAX: usize = 16;

/// Reads the columns, which are all that is left of the chunk. The first actor is the change's own.
pub(crate) fn read_operations(
    input: &mut Input<'_>,
    actors: Vec<ActorId>,
    start_op: u64,
) -> Result<(Vec<MakeMap>, Vec<Write>), BodyError> {
    let columns = Columns::read(input)?;
    if !input.is_empty() {
        return Err(BodyError::Extra { bytes: input.len() });
    }
    Operations::new(&columns, actors, start_op)?.read()
}

/// The columns of a change that stays within the document shape, still encoded.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    pub(crate) map_actor: &'a [u8],
    pub(crate) map_counter: &'a [u8],
    pub(crate) key: &'a [u8],
    pub(crate) insert: &'a [u8],
    pub(crate) action: &'a [u8],
    pub(crate) value_head: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) replaced: &'a [u8],
    pub(crate) replaced_actor: &'a [u8],
    pub(crate) replaced_counter: &'a [u8],
}

impl<'a> Columns<'a> {
    pub(crate) fn read(input: &mut Input<'a>) -> Result<Self, BodyError> {
        let mut columns = Self::default();
        let part = || malformed("columns");
        let count = input.count(COLUMNS_MAX).map_err(part())?;
        let mut heads = Vec::with_capacity(count);
        for _ in 0..count {
            let number = input.unsigned().map_err(part())?;
            let bytes = input.count(BODY_BYTES_MAX).map_err(part())?;
            heads.push((number, bytes));
        }
        if !heads.is_sorted_by(|(before, _), (after, _)| before < after) {
            return Err(part()(DecodeError::OutOfOrder));
        }
        for (number, bytes) in heads {
            let column = columns.numbered(number).ok_or(BodyError::Column { number })?;
            *column = input.take(bytes).map_err(part())?;
            if bytes == 0 {
                return Err(part()(DecodeError::NotShortest));
            }
        }
        Ok(columns)
    }

    /// The column of this number. What it leaves out are the keys of sequences (17, 19) and marks
    /// (148, 165), and what Automerge itself does not know.
    fn numbered(&mut self, number: u64) -> Option<&mut &'a [u8]> {
        Some(match number {
            1 => &mut self.map_actor,
            2 => &mut self.map_counter,
            21 => &mut self.key,
            52 => &mut self.insert,
            66 => &mut self.action,
            86 => &mut self.value_head,
            87 => &mut self.value,
            112 => &mut self.replaced,
            113 => &mut self.replaced_actor,
            115 => &mut self.replaced_counter,
            _ => return None,
        })
    }
}

/// Reads the columns in step and turns each row into what it does to a record.
struct Operations<'a> {
    map_actor: Runs<'a, u64>,
    map_counter: Runs<'a, u64>,
    key: Runs<'a, &'a str>,
    action: Runs<'a, u64>,
    value_head: Runs<'a, u64>,
    value: Input<'a>,
    replaced: Runs<'a, u64>,
    replaced_actor: Runs<'a, u64>,
    replaced_counter: Deltas<'a>,
    replaced_left: usize,
    count: usize,
    start_op: u64,
    /// All actors, and whether an operation names them.
    actors: Vec<(ActorId, bool)>,
    maps: Vec<MakeMap>,
    writes: Vec<Write>,
}

impl<'a> Operations<'a> {
    fn new(columns: &Columns<'a>, actors: Vec<ActorId>, start_op: u64) -> Result<Self, BodyError> {
        let count = match columns.insert {
            [] => 0,
            insert => {
                let count = falses(insert).map_err(malformed("number of operations"))?;
                let found = "is one of some that insert into a list or text";
                count.ok_or(BodyError::Shape { op: 0, found })?
            }
        };
        if start_op + count as u64 > COUNTER_MAX {
            return Err(malformed("operations' counters")(DecodeError::Number));
        }
        Ok(Self {
            map_actor: Runs::new(columns.map_actor, count),
            map_counter: Runs::new(columns.map_counter, count),
            key: Runs::new(columns.key, count),
            action: Runs::new(columns.action, count),
            value_head: Runs::new(columns.value_head, count),
            value: Input::new(columns.value),
            replaced: Runs::new(columns.replaced, count),
            replaced_actor: Runs::new(columns.replaced_actor, REPLACED_MAX),
            replaced_counter: Deltas::new(columns.replaced_counter, REPLACED_MAX),
            replaced_left: REPLACED_MAX,
            count,
            start_op,
            actors: actors.into_iter().enumerate().map(|(index, actor)| (actor, index == 0)).collect(),
            maps: Vec::new(),
            writes: Vec::with_capacity(count),
        })
    }

    fn read(mut self) -> Result<(Vec<MakeMap>, Vec<Write>), BodyError> {
        for op in 0..self.count {
            self.read_row(op)?;
        }
        self.map_actor.end().and(self.map_counter.end()).map_err(malformed("maps"))?;
        self.key.end().map_err(malformed("keys"))?;
        self.action.end().map_err(malformed("actions"))?;
        self.value_head.end().and(self.value.end()).map_err(malformed("values"))?;
        let replaced = self.replaced.end().and(self.replaced_actor.end()).and(self.replaced_counter.end());
        replaced.map_err(malformed("replaced values"))?;
        if self.actors.iter().all(|(_, named)| *named) {
            Ok((self.maps, self.writes))
        } else {
            Err(BodyError::ActorUnused)
        }
    }

    fn read_row(&mut self, op: usize) -> Result<(), BodyError> {
        let map = self.read_map(op)?;
        let key = self.key.value().map_err(malformed("keys"))?;
        let action = self.action.value().map_err(malformed("actions"))?;
        let value = self.read_value(op)?;
        self.read_replaced(op)?;
        let refused = |found| Err(BodyError::Shape { op, found });
        match action {
            0 => match member(key) {
                _ if map != MapRef::Root => refused("makes a map within a map"),
                _ if value != Scalar::Null => refused("makes a map and gives it a value"),
                None => refused("makes a map under a key that is no member"),
                Some(member) => {
                    let (own, _) = self.actors.first().expect("a change's own actor is the first");
                    let op = OpId { counter: self.start_op + op as u64, actor: *own };
                    self.maps.push(MakeMap { op, member });
                    Ok(())
                }
            },
            1 if is_field_name(key) => {
                self.writes.push(Write { map, field: key.into(), value });
                Ok(())
            }
            1 => refused("writes under a key that is no variable's name"),
            2 => refused("makes a list"),
            3 => refused("deletes"),
            4 => refused("makes a text object"),
            5 => refused("increments a counter"),
            6 => refused("makes a table"),
            7 => refused("marks a text"),
            _ => refused("is of no known kind"),
        }
    }

    fn read_map(&mut self, op: usize) -> Result<MapRef, BodyError> {
        let actor = self.map_actor.next().map_err(malformed("maps"))?;
        let counter = self.map_counter.next().map_err(malformed("maps"))?;
        let (actor, counter) = match (actor, counter) {
            (Some(actor), Some(counter)) => (actor, counter),
            (None, None) => return Ok(MapRef::Root),
            _ => return Err(malformed("maps")(DecodeError::Null)),
        };
        let id = self.named(op, actor, counter)?;
        let own = actor == 0 && counter >= self.start_op;
        if own && self.maps.binary_search_by_key(&counter, |map| map.op.counter).is_err() {
            return Err(BodyError::Shape { op, found: "writes into what is no member's map" });
        }
        Ok(MapRef::Made(id))
    }

    fn read_value(&mut self, op: usize) -> Result<Scalar, BodyError> {
        let part = || malformed("values");
        let head = self.value_head.value().map_err(part())?;
        let (kind, bytes) = (head & 0xf, head >> 4);
        if bytes > TEXT_BYTES_MAX as u64 {
            return Err(part()(DecodeError::TooMany { count: bytes, max: TEXT_BYTES_MAX }));
        }
        let bytes = self.value.take(bytes as usize).map_err(part())?;
        let refused = |found| Err(BodyError::Shape { op, found });
        match kind {
            0 if bytes.is_empty() => Ok(Scalar::Null),
            4 => {
                let mut input = Input::new(bytes);
                let value = input.signed().and_then(|value| input.end().map(|()| value));
                value.map(Scalar::Int).map_err(part())
            }
            6 => {
                let text = str::from_utf8(bytes).map_err(|_| part()(DecodeError::NotText))?;
                Ok(Scalar::Text(text.into()))
            }
            0 => refused("writes a null that has bytes"),
            1 | 2 => refused("writes a truth value"),
            3 => refused("writes an unsigned integer"),
            5 => refused("writes a floating-point number"),
            7 => refused("writes bytes"),
            8 => refused("writes a counter"),
            9 => refused("writes a time"),
            _ => refused("writes a value of no known kind"),
        }
    }

    /// Reads which earlier values the operation replaces, ascending. Nothing is made of them: what
    /// stands is read from the causes.
    fn read_replaced(&mut self, op: usize) -> Result<(), BodyError> {
        let part = || malformed("replaced values");
        let count = self.replaced.value().map_err(part())?;
        let left = usize::try_from(count).ok().and_then(|count| self.replaced_left.checked_sub(count));
        self.replaced_left = left.ok_or(part()(DecodeError::TooMany { count, max: self.replaced_left }))?;
        let mut before = None;
        for _ in 0..count {
            let actor = self.replaced_actor.value().map_err(part())?;
            let counter = self.replaced_counter.value().map_err(part())?;
            let id = Some(self.named(op, actor, counter)?);
            if id <= before {
                return Err(part()(DecodeError::OutOfOrder));
            }
            before = id;
        }
        Ok(())
    }

    /// The earlier operation that an operation names.
    fn named(&mut self, op: usize, actor: u64, counter: u64) -> Result<OpId, BodyError> {
        let end = self.start_op + if actor == 0 { op as u64 } else { 0 };
        let index = usize::try_from(actor).ok();
        let Some((named, seen)) = index.and_then(|index| self.actors.get_mut(index)) else {
            return Err(BodyError::ActorUnknown { op, actor });
        };
        if !(1..end).contains(&counter) {
            return Err(BodyError::NotEarlier { op, counter });
        }
        *seen = true;
        Ok(OpId { counter, actor: *named })
    }
}

/// The member whose map is kept under this key, in the one spelling that there is.
pub(crate) fn member(key: &str) -> Option<MemberId> {
    let member = key.parse::<MemberId>().ok()?;
    key.bytes().all(|byte| !byte.is_ascii_uppercase()).then_some(member)
}
