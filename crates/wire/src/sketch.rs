//! A sketch: what a peer holds in some regions, in sum and as the first coded symbols of its ids. The
//! symbols are numbers here; what they tell is found in `reconcile`.

use rukun_change::cbor::{Reader, Writer};
use rukun_change::{Fingerprint, Region};

use crate::Fault;
use crate::limits::{SKETCH_REGIONS_MAX, SYMBOLS_MAX};
use crate::rows::{check_ascending, read_rows, write_rows};

const REGION_DIGITS_MAX: usize = 16;
const FIELDS: usize = 4;

/// What the sender holds in some regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    /// Where, ascending.
    pub regions: Vec<Region>,
    /// All of it.
    pub fingerprint: Fingerprint,
    /// Under which salt ids have their short forms: none at first, another after a sketch that led nowhere.
    pub salt: u64,
    /// The first symbols.
    pub symbols: Vec<Symbol>,
}

/// A coded symbol: the sum of the short forms of the ids that fall into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Symbol {
    /// The short forms, each bit added alone.
    pub sum: u64,
    /// Their checks, likewise.
    pub check: u32,
    /// How many they are, of which only the last eight bits are told.
    pub count: i8,
}

/// An id's short form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Short(pub u64);

impl Symbol {
    /// The bytes of an encoded symbol: sum (8, big-endian), check (4, big-endian), count (1).
    pub const BYTES: usize = 13;

    fn to_row(self) -> [u8; Self::BYTES] {
        let mut row = [0; Self::BYTES];
        let (sum, rest) = row.split_at_mut(8);
        let (check, count) = rest.split_at_mut(4);
        sum.copy_from_slice(&self.sum.to_be_bytes());
        check.copy_from_slice(&self.check.to_be_bytes());
        count.copy_from_slice(&self.count.to_be_bytes());
        row
    }

    fn from_row(row: &[u8; Self::BYTES]) -> Self {
        let [s0, s1, s2, s3, s4, s5, s6, s7, c0, c1, c2, c3, count] = *row;
        Self {
            sum: u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]),
            check: u32::from_be_bytes([c0, c1, c2, c3]),
            count: i8::from_be_bytes([count]),
        }
    }
}

impl Sketch {
    pub(crate) fn write(&self, out: &mut Writer) {
        out.array(FIELDS).array(self.regions.len());
        for region in &self.regions {
            out.text(region.as_str());
        }
        out.bytes(&self.fingerprint.to_bytes()).uint(self.salt);
        write_symbols(out, &self.symbols);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.tuple(FIELDS)?;
        let count = reader.array(SKETCH_REGIONS_MAX)?;
        let mut regions = Vec::with_capacity(count);
        for _ in 0..count {
            regions.push(reader.text(REGION_DIGITS_MAX)?.parse()?);
        }
        check_ascending(regions.iter())?;
        Ok(Self {
            regions,
            fingerprint: Fingerprint::from_bytes(&reader.array_of()?)?,
            salt: reader.uint()?,
            symbols: read_symbols(reader)?,
        })
    }
}

pub(crate) fn write_symbols(out: &mut Writer, symbols: &[Symbol]) {
    write_rows(out, symbols.iter().map(|symbol| symbol.to_row()));
}

pub(crate) fn read_symbols(reader: &mut Reader<'_>) -> Result<Vec<Symbol>, Fault> {
    Ok(read_rows(reader, SYMBOLS_MAX)?.iter().map(Symbol::from_row).collect())
}

pub(crate) fn write_shorts(out: &mut Writer, shorts: &[Short]) {
    write_rows(out, shorts.iter().map(|short| short.0.to_be_bytes()));
}

pub(crate) fn read_shorts(reader: &mut Reader<'_>) -> Result<Vec<Short>, Fault> {
    let rows = read_rows(reader, SYMBOLS_MAX)?;
    check_ascending(rows.iter())?;
    Ok(rows.iter().map(|row| Short(u64::from_be_bytes(*row))).collect())
}
