//! Cells become the columns in which Automerge keeps them: LEB128 numbers, and run-length encoding in the one
//! form that `columns` reads. Only what was read from a chunk is written again; no change is made here.

/// Appends an unsigned LEB128 number in its shortest spelling.
pub(crate) fn write_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed LEB128 number in its shortest spelling.
pub(crate) fn write_signed(out: &mut Vec<u8>, mut value: i64) {
    while !(-0x40..0x40).contains(&value) {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8 & 0x7f);
}

/// Appends a text or bytes behind their length.
pub(crate) fn write_counted(out: &mut Vec<u8>, bytes: &[u8]) {
    write_unsigned(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A run-length encoded column. A column of nulls alone has no bytes.
pub(crate) fn write_runs<T: Copy + PartialEq>(
    cells: impl Iterator<Item = Option<T>>,
    write: impl Fn(&mut Vec<u8>, T),
) -> Vec<u8> {
    let mut runs = Runs { out: Vec::new(), write, literals: Vec::new(), any: false };
    let mut cells = cells.peekable();
    while let Some(cell) = cells.next() {
        let mut rows = 1_usize;
        while cells.next_if_eq(&cell).is_some() {
            rows += 1;
        }
        runs.push(cell, rows);
    }
    runs.finish()
}

struct Runs<T, W> {
    out: Vec<u8>,
    write: W,
    /// Cells that stand once each, until something else ends their run.
    literals: Vec<T>,
    /// Whether there is a cell that is not null.
    any: bool,
}

impl<T: Copy, W: Fn(&mut Vec<u8>, T)> Runs<T, W> {
    fn push(&mut self, cell: Option<T>, rows: usize) {
        self.any |= cell.is_some();
        match cell {
            Some(cell) if rows == 1 => self.literals.push(cell),
            Some(cell) => {
                self.end_literals();
                write_signed(&mut self.out, rows as i64);
                (self.write)(&mut self.out, cell);
            }
            None => {
                self.end_literals();
                write_signed(&mut self.out, 0);
                write_unsigned(&mut self.out, rows as u64);
            }
        }
    }

    fn end_literals(&mut self) {
        if !self.literals.is_empty() {
            write_signed(&mut self.out, -(self.literals.len() as i64));
            for cell in self.literals.drain(..) {
                (self.write)(&mut self.out, cell);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.end_literals();
        if self.any { self.out } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::columns;

    proptest! {
        #[test]
        fn what_is_written_is_the_one_spelling_that_is_read(
            cells in prop::collection::vec(prop::option::of(0..3_u64), 0..40),
            signed: i64,
            bits in 0..64_u32,
        ) {
            let bytes = write_runs(cells.iter().copied(), write_unsigned);
            let mut runs = columns::Runs::new(&bytes, cells.len());
            for cell in &cells {
                prop_assert_eq!(runs.next(), Ok(*cell));
            }
            prop_assert_eq!(runs.end(), Ok(()));

            let (signed, mut bytes) = (signed >> bits, Vec::new());
            write_signed(&mut bytes, signed);
            write_unsigned(&mut bytes, signed as u64);
            let mut input = columns::Input::new(&bytes);
            prop_assert_eq!((input.signed(), input.unsigned()), (Ok(signed), Ok(signed as u64)));
            prop_assert!(input.is_empty());
        }
    }
}
