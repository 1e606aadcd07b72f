//! Parcels: sealed bundles that one device carries for others. Rows in a message tell a peer which of them are for it,
//! and a parcel's end says what became of one. The bundles themselves travel as files, by their digests; what is in
//! them is known to their two ends alone.

use rukun_change::cbor::{Reader, Writer};
use rukun_change::{DeviceKey, Digest};

use crate::Fault;
use crate::limits::{BLOB_BYTES_MAX, PARCELS_MAX, REFUSAL_BYTES_MAX};
use crate::notice::{one_line, read_line};
use crate::rows::{check_ascending, read_yes, write_yes};

/// A sealed bundle on somebody's device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Which file.
    pub digest: Digest,
    /// The device that it says it is from.
    pub sender: DeviceKey,
    /// The device that can open it.
    pub recipient: DeviceKey,
    /// How long it is.
    pub bytes: u64,
    /// Whether it answers one that was carried, so that none is to answer it.
    pub is_answer: bool,
}

impl Parcel {
    fn write(&self, out: &mut Writer) {
        out.array(5).bytes(self.digest.as_bytes());
        out.bytes(self.sender.as_bytes()).bytes(self.recipient.as_bytes()).uint(self.bytes);
        write_yes(out, self.is_answer);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.tuple(5)?;
        let digest = Digest::from_bytes(reader.array_of()?);
        let sender = DeviceKey::from_bytes(reader.array_of()?);
        let recipient = DeviceKey::from_bytes(reader.array_of()?);
        let bytes = reader.uint()?;
        if bytes > BLOB_BYTES_MAX {
            return Err(Fault::OutsideBlob { offset: 0, end: bytes, total: bytes, max: BLOB_BYTES_MAX });
        }
        Ok(Self { digest, sender, recipient, bytes, is_answer: read_yes(reader)? })
    }
}

pub(crate) fn write_parcels(out: &mut Writer, parcels: &[Parcel]) {
    out.array(parcels.len());
    for parcel in parcels {
        parcel.write(out);
    }
}

pub(crate) fn read_parcels(reader: &mut Reader<'_>) -> Result<Vec<Parcel>, Fault> {
    let count = reader.array(PARCELS_MAX)?;
    let parcels = (0..count).map(|_| Parcel::read(reader)).collect::<Result<Vec<_>, _>>()?;
    check_ascending(parcels.iter().map(|parcel| parcel.digest))?;
    Ok(parcels)
}

pub(crate) fn write_parcel_end(out: &mut Writer, digest: &Digest, refused: Option<&str>) {
    out.array(2).bytes(digest.as_bytes());
    match refused {
        Some(why) => out.text(&one_line(why, REFUSAL_BYTES_MAX)),
        None => out.null(),
    };
}

pub(crate) fn read_parcel_end(reader: &mut Reader<'_>) -> Result<(Digest, Option<String>), Fault> {
    reader.tuple(2)?;
    let digest = Digest::from_bytes(reader.array_of()?);
    let refused = if reader.null() { None } else { Some(read_line(reader, REFUSAL_BYTES_MAX)?) };
    Ok((digest, refused))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Message, WireError};

    fn parcel(digest: u8) -> Parcel {
        let key = DeviceKey::from_bytes([2; 32]);
        let digest = Digest::from_bytes([digest; 32]);
        Parcel { digest, sender: key, recipient: key, bytes: 9, is_answer: false }
    }

    fn refusal(parcels: Vec<Parcel>) -> Fault {
        match Message::decode(Message::Parcels(parcels).encode().get(4..).expect("a frame has a length")) {
            Err(WireError::Malformed { fault, .. }) => fault,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn too_many_parcels_one_twice_and_one_too_long_are_refused() {
        assert_eq!(refusal(vec![parcel(1), parcel(1)]), Fault::OutOfOrder { index: 1 });
        let long = Parcel { bytes: BLOB_BYTES_MAX + 1, ..parcel(1) };
        assert!(matches!(refusal(vec![long]), Fault::OutsideBlob { .. }));
        let many = (0..=PARCELS_MAX as u8).map(parcel).collect();
        assert!(matches!(refusal(many), Fault::Cbor(_)));
    }
}
