//! What the changes of a frame write, field by field instead of change by change: a table of fields, one head for
//! each field in each section, and the values in the same order, texts apart from all others.

use std::collections::BTreeSet;

use rukun_change::cbor::{CborError, Reader, Writer};
use rukun_change::limits::FIELD_BYTES_MAX;
use rukun_change::{Cell, Section, is_field_name};

use crate::Fault;
use crate::limits::{FRAME_CELLS_MAX, FRAME_FIELDS_MAX};
use crate::rows::check_ascending;

/// Automerge's number for texts.
const TEXT: u8 = 6;

/// No value is so long.
const ABSENT: u32 = u32::MAX;

/// Values without anything between them.
#[derive(Default)]
pub(crate) struct Values {
    pub(crate) texts: Vec<u8>,
    pub(crate) others: Vec<u8>,
}

/// Writes the fields and the heads, and appends the values.
pub(crate) fn write_cells(out: &mut Writer, sections: &[&Section<'_>], values: &mut Values) {
    let fields: BTreeSet<&str> =
        sections.iter().flat_map(|section| &section.cells).map(|cell| cell.field).collect();
    out.array(fields.len());
    for field in &fields {
        out.text(field);
    }
    out.array(fields.len() * sections.len());
    let mut left: Vec<_> = sections.iter().map(|section| section.cells.iter().peekable()).collect();
    for field in fields {
        for cells in &mut left {
            let Some(cell) = cells.next_if(|cell| cell.field == field) else {
                out.null();
                continue;
            };
            out.uint((cell.value.len() as u64) << 4 | u64::from(cell.kind));
            let values = if cell.kind == TEXT { &mut values.texts } else { &mut values.others };
            values.extend_from_slice(cell.value);
        }
    }
}

/// Whether a table of fields can hold what a section writes.
pub(crate) fn is_writable(section: &Section<'_>) -> bool {
    section.cells.iter().all(|cell| is_field_name(cell.field))
}

/// Fields and heads that were read, whose values come later.
pub(crate) struct Heads<'a> {
    fields: Vec<&'a str>,
    /// One for each field in each section, `ABSENT` where it is not written.
    heads: Vec<u32>,
}

impl<'a> Heads<'a> {
    /// Of this many sections. Of `cells` as many are taken as are written.
    pub(crate) fn read(reader: &mut Reader<'a>, sections: usize, cells: &mut usize) -> Result<Self, Fault> {
        let count = reader.array(FRAME_FIELDS_MAX)?;
        let fields = (0..count).map(|_| reader.text(FIELD_BYTES_MAX)).collect::<Result<Vec<_>, _>>()?;
        check_ascending(fields.iter())?;
        reader.tuple(count * sections)?;
        let mut heads = Vec::with_capacity(count * sections);
        for _ in 0..count * sections {
            heads.push(if reader.null() { ABSENT } else { read_head(reader, cells)? });
        }
        Ok(Self { fields, heads })
    }

    /// Puts the cells into their sections, with values from the front of these.
    pub(crate) fn fill(
        self,
        sections: &mut [&mut Section<'a>],
        texts: &mut &'a [u8],
        others: &mut &'a [u8],
    ) -> Result<(), Fault> {
        let mut heads = self.heads.into_iter();
        for field in self.fields {
            for (section, head) in sections.iter_mut().zip(heads.by_ref()) {
                if head == ABSENT {
                    continue;
                }
                let kind = (head & 0xf) as u8;
                let values = if kind == TEXT { &mut *texts } else { &mut *others };
                let (value, rest) = values.split_at_checked(head as usize >> 4).ok_or(Fault::Values)?;
                *values = rest;
                section.cells.push(Cell { field, kind, value });
            }
        }
        Ok(())
    }
}

fn read_head(reader: &mut Reader<'_>, cells: &mut usize) -> Result<u32, Fault> {
    *cells = cells
        .checked_sub(1)
        .ok_or(CborError::TooMany { items: FRAME_CELLS_MAX + 1, max: FRAME_CELLS_MAX })?;
    u32::try_from(reader.uint()?).ok().filter(|head| *head != ABSENT).ok_or(Fault::Values)
}
