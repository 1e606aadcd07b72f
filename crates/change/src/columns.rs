//! The bytes of an Automerge change chunk become numbers, texts and rows, one row for each
//! operation, read in step and never collected. Counts are bounded before time or memory is spent
//! on them, and only the encoding that Automerge itself writes is taken: it keeps operations, not
//! chunks, and a chunk that it would write otherwise gets another hash when it is rebuilt.

use crate::limits::{OPS_MAX, TEXT_BYTES_MAX};

/// What is left to read of some bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    /// All that is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::CutOff)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(DecodeError::CutOff)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// An unsigned LEB128 number in its shortest spelling.
    pub(crate) fn unsigned(&mut self) -> Result<u64, DecodeError> {
        let first = self.byte()?;
        if first & 0x80 == 0 {
            return Ok(first.into());
        }
        let mut value = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let fits = shift < 63 || byte <= 1;
                return if byte != 0 && fits { Ok(value) } else { Err(DecodeError::Number) };
            }
        }
        Err(DecodeError::Number)
    }

    /// A signed LEB128 number in its shortest spelling.
    pub(crate) fn signed(&mut self) -> Result<i64, DecodeError> {
        let (mut value, mut before) = (0, None);
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let negative = byte & 0x40 != 0;
                let sign = if negative { 0x7f } else { 0 };
                let shortest =
                    byte != sign || before.is_none_or(|before: u8| (before & 0x40 != 0) != negative);
                let fits = shift < 63 || byte == sign;
                let value = if negative && shift < 57 { value | (-1 << (shift + 7)) } else { value };
                return if shortest && fits { Ok(value) } else { Err(DecodeError::Number) };
            }
            before = Some(byte);
        }
        Err(DecodeError::Number)
    }

    /// A count of at most `max`.
    pub(crate) fn count(&mut self, max: usize) -> Result<usize, DecodeError> {
        let count = self.unsigned()?;
        let bounded = usize::try_from(count).ok().filter(|bounded| *bounded <= max);
        bounded.ok_or(DecodeError::TooMany { count, max })
    }

    /// A text of at most `max` bytes, its length in front.
    pub(crate) fn text(&mut self, max: usize) -> Result<&'a str, DecodeError> {
        let bytes = self.count(max)?;
        str::from_utf8(self.take(bytes)?).map_err(|_| DecodeError::NotText)
    }

    /// That nothing is left.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(DecodeError::Leftover { bytes: self.len() }) }
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (byte, rest) = self.rest.split_first().ok_or(DecodeError::CutOff)?;
        self.rest = rest;
        Ok(*byte)
    }
}

/// What a column can hold.
pub(crate) trait Cell<'a>: Copy + PartialEq {
    /// Reads one.
    fn read(input: &mut Input<'a>) -> Result<Self, DecodeError>;
}

impl Cell<'_> for u64 {
    fn read(input: &mut Input<'_>) -> Result<Self, DecodeError> {
        input.unsigned()
    }
}

impl Cell<'_> for i64 {
    fn read(input: &mut Input<'_>) -> Result<Self, DecodeError> {
        input.signed()
    }
}

impl<'a> Cell<'a> for &'a str {
    fn read(input: &mut Input<'a>) -> Result<Self, DecodeError> {
        input.text(TEXT_BYTES_MAX)
    }
}

/// A run-length encoded column of a known number of rows.
#[derive(Debug)]
pub(crate) struct Runs<'a, T> {
    input: Input<'a>,
    /// Rows that no run read so far has claimed.
    unclaimed: usize,
    run: Run,
    /// Rows that are left of the run.
    left: usize,
    /// The cell of the row before.
    last: Option<T>,
}

/// How the rows of a run are written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Run {
    /// None was read yet.
    Start,
    /// Each by itself.
    Literal,
    /// Once for all.
    Repeat,
    /// Not at all.
    Null,
}

impl<'a, T: Cell<'a>> Runs<'a, T> {
    pub(crate) fn new(bytes: &'a [u8], rows: usize) -> Self {
        Self { input: Input::new(bytes), unclaimed: rows, run: Run::Start, left: 0, last: None }
    }

    /// The cell of the next row. A column of nulls alone is left out, so one that has no bytes has
    /// null in every row.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<T>, DecodeError> {
        if self.left == 0 {
            if self.run == Run::Start && self.input.is_empty() {
                return Ok(None);
            }
            self.start_run()?;
        }
        self.left -= 1;
        if self.run == Run::Literal {
            let cell = T::read(&mut self.input)?;
            if self.last == Some(cell) {
                return Err(DecodeError::NotShortest);
            }
            self.last = Some(cell);
        }
        Ok(self.last)
    }

    /// The cell of the next row of a column that has no nulls.
    #[inline]
    pub(crate) fn value(&mut self) -> Result<T, DecodeError> {
        self.next()?.ok_or(DecodeError::Null)
    }

    /// That the column has no more rows.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        if self.left > 0 { Err(DecodeError::RowsLeft) } else { self.input.end() }
    }

    fn start_run(&mut self) -> Result<(), DecodeError> {
        let before = self.run;
        let head = self.input.signed()?;
        let (run, rows) = match head {
            0 => (Run::Null, self.input.unsigned()?),
            1.. => (Run::Repeat, head.unsigned_abs()),
            _ => (Run::Literal, head.unsigned_abs()),
        };
        let claimed = usize::try_from(rows).ok().filter(|rows| *rows <= self.unclaimed);
        self.left = claimed.ok_or(DecodeError::TooMany { count: rows, max: self.unclaimed })?;
        self.unclaimed -= self.left;
        self.run = run;
        let shortest = match run {
            Run::Null => {
                self.last = None;
                let alone = before == Run::Start && self.input.is_empty();
                rows > 0 && before != Run::Null && !alone
            }
            Run::Literal => before != Run::Literal,
            Run::Repeat | Run::Start => {
                let cell = T::read(&mut self.input)?;
                rows > 1 && self.last.replace(cell) != Some(cell)
            }
        };
        if shortest { Ok(()) } else { Err(DecodeError::NotShortest) }
    }
}

/// A run-length encoded column of differences.
#[derive(Debug)]
pub(crate) struct Deltas<'a> {
    runs: Runs<'a, i64>,
    sum: i64,
}

impl<'a> Deltas<'a> {
    pub(crate) fn new(bytes: &'a [u8], rows: usize) -> Self {
        Self { runs: Runs::new(bytes, rows), sum: 0 }
    }

    /// The number of the next row of a column that has no nulls.
    pub(crate) fn value(&mut self) -> Result<u64, DecodeError> {
        self.sum = self.sum.checked_add(self.runs.value()?).ok_or(DecodeError::Number)?;
        u64::try_from(self.sum).map_err(|_| DecodeError::Number)
    }

    /// That the column has no more rows.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        self.runs.end()
    }
}

/// The number of rows of a boolean column that is false in all of them; nothing if it is true in
/// any.
pub(crate) fn falses(bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
    let mut input = Input::new(bytes);
    let rows = input.unsigned()?;
    if rows == 0 || !input.is_empty() {
        return Ok(None);
    }
    Input::new(bytes).count(OPS_MAX).map(Some)
}

/// Why bytes are not what Automerge writes in this place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end too early.
    #[error("cut off")]
    CutOff,
    /// A number in a longer spelling than needed, or out of range.
    #[error("a number out of range or not in its shortest spelling")]
    Number,
    /// A count over its limit.
    #[error("a count of {count} where at most {max} is possible")]
    TooMany {
        /// What it claims.
        count: u64,
        /// What is possible.
        max: usize,
    },
    /// A text that is none.
    #[error("a text that is not UTF-8")]
    NotText,
    /// Runs that could be fewer.
    #[error("runs that Automerge would write shorter")]
    NotShortest,
    /// Nothing where there must be something.
    #[error("nothing for an operation that needs it")]
    Null,
    /// More rows than there are operations.
    #[error("more rows than operations")]
    RowsLeft,
    /// More bytes than there are rows.
    #[error("{bytes} bytes left over")]
    Leftover {
        /// How many.
        bytes: usize,
    },
    /// Not in ascending order.
    #[error("out of order, or twice the same")]
    OutOfOrder,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spelled(mut value: i128, signed: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let byte = (value & 0x7f) as u8;
            value >>= 7;
            let done = if signed { value == if byte & 0x40 == 0 { 0 } else { -1 } } else { value == 0 };
            bytes.push(if done { byte } else { byte | 0x80 });
            if done {
                return bytes;
            }
        }
    }

    fn cells(bytes: &[u8], rows: usize) -> Result<Vec<Option<u64>>, DecodeError> {
        let mut runs = Runs::new(bytes, rows);
        let cells = (0..rows).map(|_| runs.next()).collect::<Result<_, _>>()?;
        runs.end().map(|()| cells)
    }

    proptest! {
        #[test]
        fn a_number_is_read_back_from_its_shortest_spelling_only(value: i64, bits in 0..64u32) {
            let value = value >> bits;
            let mut bytes = spelled(value.into(), true);
            prop_assert_eq!(Input::new(&bytes).signed(), Ok(value));
            *bytes.last_mut().unwrap() |= 0x80;
            bytes.push(if value < 0 { 0x7f } else { 0 });
            prop_assert_eq!(Input::new(&bytes).signed(), Err(DecodeError::Number));

            let value = value as u64 >> bits;
            let mut bytes = spelled(value.into(), false);
            prop_assert_eq!(Input::new(&bytes).unsigned(), Ok(value));
            *bytes.last_mut().unwrap() |= 0x80;
            bytes.push(0);
            prop_assert_eq!(Input::new(&bytes).unsigned(), Err(DecodeError::Number));
        }
    }

    #[test]
    fn the_largest_numbers_are_read_and_larger_ones_refused() {
        for value in [i64::MIN, i64::MIN + 1, i64::MAX, -1, 0, 63, 64, -64, -65] {
            assert_eq!(Input::new(&spelled(value.into(), true)).signed(), Ok(value));
        }
        assert_eq!(Input::new(&spelled(u64::MAX.into(), false)).unsigned(), Ok(u64::MAX));
        assert_eq!(Input::new(&spelled(i128::from(i64::MAX) + 1, true)).signed(), Err(DecodeError::Number));
        assert_eq!(Input::new(&spelled(i128::from(i64::MIN) - 1, true)).signed(), Err(DecodeError::Number));
        assert_eq!(Input::new(&spelled(1 << 64, false)).unsigned(), Err(DecodeError::Number));
        assert_eq!(Input::new(&[0x80; 64]).unsigned(), Err(DecodeError::Number));
        assert_eq!(Input::new(&[0x80; 64]).signed(), Err(DecodeError::Number));
    }

    #[test]
    fn runs_become_rows() {
        let bytes = [0, 2, 3, 7, 0x7e, 8, 9, 0, 1];
        let expected = [None, None, Some(7), Some(7), Some(7), Some(8), Some(9), None];
        assert_eq!(cells(&bytes, 8), Ok(expected.to_vec()));
        assert_eq!(cells(&[], 3), Ok(vec![None; 3]));
        assert_eq!(cells(&bytes, 9), Err(DecodeError::CutOff));
        assert_eq!(cells(&bytes, 7), Err(DecodeError::Leftover { bytes: 2 }));
        assert_eq!(cells(&bytes, 4), Err(DecodeError::TooMany { count: 3, max: 2 }));
    }

    #[test]
    fn runs_that_automerge_would_write_shorter_are_refused() {
        let longer: [&[u8]; 9] = [
            &[1, 7],
            &[2, 7, 2, 7],
            &[0x7e, 7, 7],
            &[0x7f, 7, 0x7f, 8],
            &[0x7f, 7, 2, 7],
            &[2, 7, 0x7f, 7],
            &[0, 1, 0, 1, 0x7f, 7],
            &[0, 0, 2, 7],
            &[0, 4],
        ];
        for bytes in longer {
            assert!(cells(bytes, 4).is_err() && cells(bytes, 4) != Err(DecodeError::CutOff), "{bytes:?}");
        }
    }

    #[test]
    fn a_huge_run_fails_at_once() {
        for head in [i64::MAX, i64::MIN, 1 << 62, -(1 << 62)] {
            let mut bytes = spelled(head.into(), true);
            bytes.push(1);
            assert!(matches!(cells(&bytes, 8_192), Err(DecodeError::TooMany { max: 8_192, .. })));
        }
        let mut bytes = vec![0];
        bytes.extend(spelled(u64::MAX.into(), false));
        assert!(matches!(cells(&bytes, 8_192), Err(DecodeError::TooMany { max: 8_192, .. })));
        assert!(falses(&spelled(1 << 62, false)).is_err());
    }

    #[test]
    fn differences_add_up_and_never_overflow() {
        let mut deltas = Deltas::new(&[0x7e, 5, 0x7e], 2);
        assert_eq!((deltas.value(), deltas.value(), deltas.end()), (Ok(5), Ok(3), Ok(())));
        let mut bytes = vec![2];
        bytes.extend(spelled(i64::MAX.into(), true));
        let mut deltas = Deltas::new(&bytes, 2);
        assert_eq!((deltas.value(), deltas.value()), (Ok(i64::MAX as u64), Err(DecodeError::Number)));
    }
}
