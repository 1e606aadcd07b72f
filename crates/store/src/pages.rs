//! Rows straight from the pages of a file, whatever its trees say: every page is read as a leaf of one
//! table after another. What comes out may be damaged, outdated or nothing at all; who asked must know a
//! row by its seal. Nothing here opens the file as a database.

use std::io;

use redb::StorageBackend;

const PAGE_BYTES: usize = 4096;
/// Where in a leaf the number of its rows stands, 2 bytes; then the ends of its keys and its values,
/// where they are of no fixed width, 4 bytes each; then all keys, then all values.
const COUNT_AT: usize = 2;
const ENDS_AT: usize = 4;
/// A value longer than this is none of ours.
const LEAF_BYTES_MAX: usize = 40 * 1024 * 1024;

/// How wide the keys and values of a table are, if they are all alike.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) key: Option<usize>,
    pub(crate) value: Option<usize>,
}

/// What may be a row.
pub(crate) struct Row<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    /// Whether its page is laid out as a leaf of this shape is.
    pub(crate) sound: bool,
}

/// Shows everything that may be a row of this shape. The visitor says which were rows indeed: where none
/// was, the page is read once more for every number of rows that it could have.
pub(crate) fn visit(
    backend: &impl StorageBackend,
    shape: Shape,
    mut visitor: impl FnMut(Row<'_>) -> bool,
) -> io::Result<()> {
    let len = backend.len()?;
    let mut page = Vec::new();
    for start in (0..len).step_by(PAGE_BYTES) {
        page.resize(PAGE_BYTES.min((len - start) as usize), 0);
        // A page that can't be read holds nothing; the next one may.
        if backend.read(start, &mut page).is_err() {
            continue;
        }
        if page.iter().all(|byte| *byte == 0) {
            continue;
        }
        let Some(count) = number(&page, COUNT_AT, 2) else { continue };
        if let Some(end) = shape.end(&page, count).filter(|end| (PAGE_BYTES..LEAF_BYTES_MAX).contains(end)) {
            let whole = (end as u64).min(len - start) as usize;
            let fits = shape.ends_ascend(&page, count) && whole == end;
            if fits && page_of(backend, start, whole, &mut page).is_err() {
                continue;
            }
        }
        if !show(&page, shape, count, &mut visitor) {
            let others = (1..=shape.rows_max()).filter(|other| *other != count);
            others
                .filter(|other| shape.is_sound(&page, *other))
                .any(|other| show(&page, shape, other, &mut |row| visitor(Row { sound: false, ..row })));
        }
        page.truncate(PAGE_BYTES);
    }
    Ok(())
}

fn page_of(backend: &impl StorageBackend, start: u64, len: usize, page: &mut Vec<u8>) -> io::Result<()> {
    page.resize(len, 0);
    backend.read(start, page)
}

/// Shows the rows of one page; whether any was one.
fn show(page: &[u8], shape: Shape, count: usize, visitor: &mut impl FnMut(Row<'_>) -> bool) -> bool {
    let sound = shape.is_sound(page, count);
    let mut any = false;
    for row in 0..count.min(PAGE_BYTES) {
        let Some((key, value)) = shape.row(page, count, row) else { continue };
        any |= visitor(Row { key, value, sound });
    }
    any
}

impl Shape {
    fn row<'a>(&self, page: &'a [u8], count: usize, row: usize) -> Option<(&'a [u8], &'a [u8])> {
        let key_start = if row == 0 { self.keys_at(count) } else { self.key_end(page, count, row - 1)? };
        let value_start = if row == 0 {
            self.key_end(page, count, count - 1)?
        } else {
            self.value_end(page, count, row - 1)?
        };
        let key = page.get(key_start..self.key_end(page, count, row)?)?;
        Some((key, page.get(value_start..self.value_end(page, count, row)?)?))
    }

    fn keys_at(&self, count: usize) -> usize {
        let ends = usize::from(self.key.is_none()) + usize::from(self.value.is_none());
        ENDS_AT + 4 * count * ends
    }

    fn key_end(&self, page: &[u8], count: usize, row: usize) -> Option<usize> {
        match self.key {
            Some(width) => Some(self.keys_at(count) + width * (row + 1)),
            None => number(page, ENDS_AT + 4 * row, 4),
        }
    }

    fn value_end(&self, page: &[u8], count: usize, row: usize) -> Option<usize> {
        match self.value {
            Some(width) => Some(self.key_end(page, count, count.checked_sub(1)?)? + width * (row + 1)),
            None => number(page, ENDS_AT + 4 * (row + if self.key.is_none() { count } else { 0 }), 4),
        }
    }

    /// Where the last value ends.
    fn end(&self, page: &[u8], count: usize) -> Option<usize> {
        self.value_end(page, count, count.checked_sub(1)?)
    }

    fn ends_ascend(&self, page: &[u8], count: usize) -> bool {
        let mut last = self.keys_at(count);
        let mut ascends = |end: Option<usize>| {
            let ascends = end.is_some_and(|end| end >= last);
            last = end.unwrap_or(last);
            ascends
        };
        // Ends that follow from a width ascend by themselves.
        let keys = if self.key.is_none() { 0 } else { count.saturating_sub(1) };
        (keys..count).all(|row| ascends(self.key_end(page, count, row)))
            && (self.value.is_some() || (0..count).all(|row| ascends(self.value_end(page, count, row))))
    }

    /// How many rows a page has room for.
    fn rows_max(&self) -> usize {
        PAGE_BYTES / (self.key.unwrap_or(4) + self.value.unwrap_or(4))
    }

    fn is_sound(&self, page: &[u8], count: usize) -> bool {
        count > 0
            && count <= PAGE_BYTES / ENDS_AT
            && self.end(page, count).is_some_and(|end| end <= page.len())
            && self.ends_ascend(page, count)
    }
}

/// A little-endian number, as redb writes them.
fn number(page: &[u8], at: usize, width: usize) -> Option<usize> {
    let bytes = page.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}
