//! Deterministic CBOR (RFC 8949, section 4.2.1) in the small subset that our formats use:
//! unsigned and negative integers, byte and text strings, arrays, maps, tags and null, all of definite length
//! and shortest form. The reader refuses any other spelling, so equal values have equal bytes.

use ciborium_ll::{Decoder, Encoder, Header, simple};

/// An initial byte and an argument of at most eight (RFC 8949, section 3).
const HEADER_BYTES_MAX: usize = 9;

/// Most of what is written is longer than a few fields and shorter than this.
const WRITTEN_BYTES: usize = 128;

/// Builds one deterministic CBOR item after another.
#[derive(Debug)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty writer.
    #[expect(clippy::new_without_default, reason = "one way to begin is enough")]
    pub fn new() -> Self {
        Self(Vec::with_capacity(WRITTEN_BYTES))
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.push(Header::Positive(value))
    }

    /// A signed integer.
    pub fn int(&mut self, value: i64) -> &mut Self {
        if value < 0 { self.push(Header::Negative(!value as u64)) } else { self.uint(value as u64) }
    }

    /// A byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.push(Header::Bytes(Some(bytes.len())));
        self.0.extend_from_slice(bytes);
        self
    }

    /// A text string.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.push(Header::Text(Some(text.len())));
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// The head of an array; its `items` follow.
    pub fn array(&mut self, items: usize) -> &mut Self {
        self.push(Header::Array(Some(items)))
    }

    /// The head of a map; its `pairs` follow, keys in ascending order of their encoding.
    pub fn map(&mut self, pairs: usize) -> &mut Self {
        self.push(Header::Map(Some(pairs)))
    }

    /// A tag; its item follows.
    pub fn tag(&mut self, tag: u64) -> &mut Self {
        self.push(Header::Tag(tag))
    }

    /// Null.
    pub fn null(&mut self) -> &mut Self {
        self.push(Header::Simple(simple::NULL))
    }

    /// What was built.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    fn push(&mut self, header: Header) -> &mut Self {
        Encoder::from(&mut self.0).push(header).expect("writing to memory cannot fail");
        self
    }
}

/// Reads deterministic CBOR from a slice. Nothing is allocated on the word of a length.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader over all of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// An unsigned integer.
    ///
    /// # Errors
    /// If the next item is anything else.
    pub fn uint(&mut self) -> Result<u64, CborError> {
        match self.pull()? {
            Header::Positive(value) => Ok(value),
            _ => Err(CborError::Unexpected("an unsigned integer")),
        }
    }

    /// A signed integer.
    ///
    /// # Errors
    /// If the next item is anything else or does not fit 64 bits.
    pub fn int(&mut self) -> Result<i64, CborError> {
        let (value, negative) = match self.pull()? {
            Header::Positive(value) => (value, false),
            Header::Negative(value) => (value, true),
            _ => return Err(CborError::Unexpected("an integer")),
        };
        let value = i64::try_from(value).map_err(|_| CborError::Unexpected("an integer of 64 bits"))?;
        Ok(if negative { !value } else { value })
    }

    /// A byte string of at most `max` bytes.
    ///
    /// # Errors
    /// If the next item is anything else, longer, or cut off.
    pub fn bytes(&mut self, max: usize) -> Result<&'a [u8], CborError> {
        match self.pull()? {
            Header::Bytes(Some(len)) => self.take(len, max),
            _ => Err(CborError::Unexpected("a byte string")),
        }
    }

    /// A byte string of exactly `N` bytes.
    ///
    /// # Errors
    /// If the next item is anything else or has another length.
    pub fn array_of<const N: usize>(&mut self) -> Result<[u8; N], CborError> {
        let bytes = self.bytes(N)?;
        bytes.try_into().map_err(|_| CborError::Length { bytes: bytes.len(), expected: N })
    }

    /// A text string of at most `max` bytes.
    ///
    /// # Errors
    /// If the next item is anything else, longer, cut off or not UTF-8.
    pub fn text(&mut self, max: usize) -> Result<&'a str, CborError> {
        match self.pull()? {
            Header::Text(Some(len)) => {
                str::from_utf8(self.take(len, max)?).map_err(|_| CborError::Unexpected("UTF-8"))
            }
            _ => Err(CborError::Unexpected("a text string")),
        }
    }

    /// The head of an array of at most `max` items: how many follow.
    ///
    /// # Errors
    /// If the next item is anything else or longer.
    pub fn array(&mut self, max: usize) -> Result<usize, CborError> {
        match self.pull()? {
            Header::Array(Some(items)) if items <= max => Ok(items),
            Header::Array(Some(items)) => Err(CborError::TooMany { items, max }),
            _ => Err(CborError::Unexpected("an array")),
        }
    }

    /// The head of an array of exactly `items` items.
    ///
    /// # Errors
    /// If the next item is anything else or has another length.
    pub fn tuple(&mut self, items: usize) -> Result<(), CborError> {
        match self.array(items)? {
            found if found == items => Ok(()),
            found => Err(CborError::Length { bytes: found, expected: items }),
        }
    }

    /// The head of a map of at most `max` pairs: how many follow.
    ///
    /// # Errors
    /// If the next item is anything else or longer.
    pub fn map(&mut self, max: usize) -> Result<usize, CborError> {
        match self.pull()? {
            Header::Map(Some(pairs)) if pairs <= max => Ok(pairs),
            Header::Map(Some(items)) => Err(CborError::TooMany { items, max }),
            _ => Err(CborError::Unexpected("a map")),
        }
    }

    /// A tag of this number.
    ///
    /// # Errors
    /// If the next item is anything else.
    pub fn tag(&mut self, tag: u64) -> Result<(), CborError> {
        match self.pull()? {
            Header::Tag(found) if found == tag => Ok(()),
            _ => Err(CborError::Unexpected("another tag")),
        }
    }

    /// Takes a null if one is next.
    pub fn null(&mut self) -> bool {
        let mut ahead = Self { rest: self.rest };
        let found = matches!(ahead.pull(), Ok(Header::Simple(simple::NULL)));
        if found {
            self.rest = ahead.rest;
        }
        found
    }

    /// That nothing follows.
    ///
    /// # Errors
    /// [`CborError::Leftover`] if something does.
    pub fn end(self) -> Result<(), CborError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CborError::Leftover { bytes: self.rest.len() }) }
    }

    fn take(&mut self, len: usize, max: usize) -> Result<&'a [u8], CborError> {
        if len > max {
            return Err(CborError::TooMany { items: len, max });
        }
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(CborError::CutOff)?;
        self.rest = rest;
        Ok(taken)
    }

    fn pull(&mut self) -> Result<Header, CborError> {
        let mut decoder = Decoder::from(self.rest);
        let header = decoder.pull().map_err(|_| CborError::CutOff)?;
        let used = decoder.offset();
        let (spelling, rest) = self.rest.split_at_checked(used).ok_or(CborError::CutOff)?;
        let mut buffer = [0; HEADER_BYTES_MAX];
        let mut left = &mut buffer[..];
        Encoder::from(&mut left).push(header).map_err(|_| CborError::CutOff)?;
        let shortest = HEADER_BYTES_MAX - left.len();
        if buffer.get(..shortest) != Some(spelling) {
            return Err(CborError::NotShortest);
        }
        self.rest = rest;
        Ok(header)
    }
}

/// Why bytes are not what a format asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// The bytes end too early, or are no CBOR.
    #[error("cut off, or no CBOR")]
    CutOff,
    /// Another item than the format has here.
    #[error("expected {0}")]
    Unexpected(&'static str),
    /// A length over its limit.
    #[error("length {items} exceeds the limit of {max}")]
    TooMany {
        /// What it claims.
        items: usize,
        /// What is allowed.
        max: usize,
    },
    /// Another length than the format has here.
    #[error("length {bytes} where {expected} is expected")]
    Length {
        /// What it has.
        bytes: usize,
        /// What is expected.
        expected: usize,
    },
    /// A longer spelling than needed.
    #[error("not the shortest spelling")]
    NotShortest,
    /// More bytes than the item has.
    #[error("{bytes} bytes left over")]
    Leftover {
        /// How many.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = Writer::new().array(5).uint(24).int(-8).bytes(b"ab").text("cd").null().finish();
        assert_eq!(bytes, [0x85, 0x18, 24, 0x27, 0x42, b'a', b'b', 0x62, b'c', b'd', 0xf6]);
        let mut reader = Reader::new(&bytes);
        reader.tuple(5).unwrap();
        assert_eq!((reader.uint(), reader.int()), (Ok(24), Ok(-8)));
        assert_eq!((reader.bytes(2), reader.text(2)), (Ok(&b"ab"[..]), Ok("cd")));
        assert!(reader.null() && !reader.null());
        reader.end().unwrap();
    }

    #[test]
    fn a_longer_spelling_a_huge_length_and_a_cut_are_refused() {
        assert_eq!(Reader::new(&[0x18, 3]).uint(), Err(CborError::NotShortest));
        let huge = [0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(Reader::new(&huge).bytes(64), Err(CborError::TooMany { max: 64, .. })));
        assert_eq!(Reader::new(&[0x42, 1]).bytes(2), Err(CborError::CutOff));
        assert!(Reader::new(&[0x5f, 0x41, 1, 0xff]).bytes(2).is_err());
    }
}
