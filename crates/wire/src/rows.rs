//! Lists: of things that all have the same width as one byte string of rows, without a head for each; of others as
//! columns that are as long as each other.

use rukun_change::cbor::{CborError, Reader, Writer};

use crate::Fault;

/// Writes the rows as one byte string.
pub(crate) fn write_rows<const N: usize>(out: &mut Writer, rows: impl Iterator<Item = [u8; N]>) {
    out.bytes(&rows.flatten().collect::<Vec<u8>>());
}

/// At most `max` rows.
pub(crate) fn read_rows<'a, const N: usize>(
    reader: &mut Reader<'a>,
    max: usize,
) -> Result<&'a [[u8; N]], Fault> {
    let bytes = reader.bytes(max * N)?;
    match bytes.as_chunks() {
        (rows, []) => Ok(rows),
        _ => Err(Fault::BrokenRow { bytes: bytes.len(), width: N }),
    }
}

/// `count` rows.
pub(crate) fn read_rows_exactly<'a, const N: usize>(
    reader: &mut Reader<'a>,
    count: usize,
) -> Result<&'a [[u8; N]], Fault> {
    match read_rows(reader, count)? {
        rows if rows.len() == count => Ok(rows),
        rows => Err(CborError::Length { bytes: rows.len() * N, expected: count * N }.into()),
    }
}

/// Writes one entry for each of these.
pub(crate) fn write_column<T>(out: &mut Writer, column: &[T], mut write: impl FnMut(&mut Writer, &T)) {
    out.array(column.len());
    for item in column {
        write(out, item);
    }
}

/// One more column, as long as one that was read before.
pub(crate) fn read_column<'a, B, T>(
    reader: &mut Reader<'a>,
    before: &[B],
    mut read: impl FnMut(&mut Reader<'a>, &B) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    reader.tuple(before.len())?;
    before.iter().map(|item| read(reader, item)).collect()
}

/// That each of the keys is greater than the one before.
pub(crate) fn check_ascending<T: Ord>(keys: impl Iterator<Item = T>) -> Result<(), Fault> {
    let mut before = None;
    for (index, key) in keys.enumerate() {
        if before.is_some_and(|before| before >= key) {
            return Err(Fault::OutOfOrder { index });
        }
        before = Some(key);
    }
    Ok(())
}

/// Writes byte strings as an array.
pub(crate) fn write_strings(out: &mut Writer, strings: &[Vec<u8>]) {
    out.array(strings.len());
    for string in strings {
        out.bytes(string);
    }
}

/// At most `max` byte strings of at most `bytes_max` each.
pub(crate) fn read_strings(
    reader: &mut Reader<'_>,
    max: usize,
    bytes_max: usize,
) -> Result<Vec<Vec<u8>>, CborError> {
    let count = reader.array(max)?;
    (0..count).map(|_| Ok(reader.bytes(bytes_max)?.to_vec())).collect()
}

/// Writes yes or no.
pub(crate) fn write_yes(out: &mut Writer, yes: bool) {
    out.uint(yes.into());
}

pub(crate) fn read_yes(reader: &mut Reader<'_>) -> Result<bool, Fault> {
    match reader.uint()? {
        0 => Ok(false),
        1 => Ok(true),
        number => Err(Fault::YesOrNo { number }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_row_and_a_row_too_many_are_refused() {
        let bytes = Writer::new().bytes(&[0; 9]).finish();
        let rows = |max| read_rows::<8>(&mut Reader::new(&bytes), max).map(<[_]>::len);
        assert_eq!(rows(2), Err(Fault::BrokenRow { bytes: 9, width: 8 }));
        assert_eq!(rows(1), Err(Fault::Cbor(CborError::TooMany { items: 9, max: 8 })));
    }

    #[test]
    fn what_ascends_has_nothing_twice() {
        assert_eq!(check_ascending([1, 2, 9].into_iter()), Ok(()));
        assert_eq!(check_ascending([1, 2, 2].into_iter()), Err(Fault::OutOfOrder { index: 2 }));
        assert_eq!(check_ascending([2, 1].into_iter()), Err(Fault::OutOfOrder { index: 1 }));
    }

    #[test]
    fn yes_and_no_have_one_spelling_each() {
        assert_eq!(read_yes(&mut Reader::new(&[1])), Ok(true));
        assert_eq!(read_yes(&mut Reader::new(&[2])), Err(Fault::YesOrNo { number: 2 }));
    }
}
