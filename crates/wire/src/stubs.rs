//! A frame of stubs: the signed headers of changes whose records were erased, in the place of the
//! changes. Erasures are rare, so each header stands by itself in its own encoding.

use rukun_change::SignedHeader;
use rukun_change::cbor::{Reader, Writer};
use rukun_change::limits::HEADER_BYTES_MAX;

use crate::Fault;
use crate::limits::FRAME_CHANGES_MAX;
use crate::rows::{read_strings, write_strings};

/// Fields of the message.
const FIELDS: usize = 3;

/// What is left of changes. The erasures of their records have gone before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stubs {
    /// The frame's number, counted with those of [`crate::Changes`].
    pub frame: u64,
    /// The sender's log is sent up to here; nothing for a frame that repairs.
    pub upto: Option<u64>,
    /// The headers.
    pub items: Vec<SignedHeader>,
}

impl Stubs {
    pub(crate) fn write(&self, out: &mut Writer) {
        out.array(FIELDS).uint(self.frame);
        match self.upto {
            Some(upto) => out.uint(upto),
            None => out.null(),
        };
        let items: Vec<Vec<u8>> = self.items.iter().map(SignedHeader::to_bytes).collect();
        write_strings(out, &items);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.tuple(FIELDS)?;
        let frame = reader.uint()?;
        let upto = if reader.null() { None } else { Some(reader.uint()?) };
        let items = read_strings(reader, FRAME_CHANGES_MAX, HEADER_BYTES_MAX)?;
        let items = items.iter().map(|bytes| SignedHeader::from_bytes(bytes)).collect::<Result<_, _>>()?;
        Ok(Self { frame, upto, items })
    }
}
