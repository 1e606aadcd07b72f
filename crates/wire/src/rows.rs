//! Lists of things that all have the same width: one byte string of rows, without a head for each.

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
