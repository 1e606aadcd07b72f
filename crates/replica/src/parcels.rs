//! Parcels: which bundles are carried on a device for others, which are still coming, and what became of them; and the
//! list of them as bytes. The bundles themselves are files. What is done with a parcel is in `carried` and `courier`.

use std::collections::BTreeMap;

use rukun_change::cbor::{CborError, Reader, Writer};
use rukun_change::{DeviceKey, Digest};
use rukun_wire::Parcel;
use rukun_wire::limits::{PARCELS_MAX, REFUSAL_BYTES_MAX};

/// As many as a device keeps, and as many again that are coming.
const LINES_MAX: usize = 2 * PARCELS_MAX;

/// What has become of a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParcelState {
    /// A part of it has come from this device.
    Coming {
        /// That device.
        from: DeviceKey,
    },
    /// It is here, and is given to its recipient when that is linked.
    Carried,
    /// Its recipient has taken it in. An answer may come.
    Brought,
    /// Its recipient did not take it in.
    Refused {
        /// Why.
        why: String,
    },
    /// It answers what this device was brought, and waits for who brought that.
    Waiting {
        /// The device that brought it.
        courier: DeviceKey,
        /// What it brought.
        answers: Digest,
    },
}

/// A parcel on this device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParcelLine {
    /// From whom to whom.
    pub parcel: Parcel,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// What has become of it.
    pub state: ParcelState,
}

/// A bundle that was brought and is to be answered.
pub(crate) struct AnswerDue {
    /// Who made it.
    pub(crate) sender: DeviceKey,
    pub(crate) courier: DeviceKey,
    /// What was brought.
    pub(crate) answers: Digest,
    pub(crate) at_ms: i64,
}

impl ParcelLine {
    /// Whether its bundle, or a part of it, is on this device.
    pub fn has_bundle(&self) -> bool {
        !matches!(self.state, ParcelState::Brought | ParcelState::Refused { .. })
    }

    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.state, ParcelState::Refused { .. })
    }

    pub(crate) fn is_coming(&self) -> bool {
        matches!(self.state, ParcelState::Coming { .. })
    }

    fn write(&self, out: &mut Writer) {
        let Parcel { digest, sender, recipient, bytes, is_answer } = &self.parcel;
        out.array(7).bytes(digest.as_bytes()).bytes(sender.as_bytes()).bytes(recipient.as_bytes());
        out.uint(*bytes).uint((*is_answer).into()).int(self.since_ms);
        match &self.state {
            ParcelState::Coming { from } => out.array(2).uint(0).bytes(from.as_bytes()),
            ParcelState::Carried => out.array(1).uint(1),
            ParcelState::Brought => out.array(1).uint(2),
            ParcelState::Refused { why } => out.array(2).uint(3).text(why),
            ParcelState::Waiting { courier, answers } => {
                out.array(3).uint(4).bytes(courier.as_bytes()).bytes(answers.as_bytes())
            }
        };
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CborError> {
        reader.tuple(7)?;
        let digest = Digest::from_bytes(reader.array_of()?);
        let sender = DeviceKey::from_bytes(reader.array_of()?);
        let recipient = DeviceKey::from_bytes(reader.array_of()?);
        let (bytes, is_answer) = (reader.uint()?, reader.uint()? == 1);
        let parcel = Parcel { digest, sender, recipient, bytes, is_answer };
        let since_ms = reader.int()?;
        let fields = reader.array(3)?;
        let state = match (reader.uint()?, fields) {
            (0, 2) => ParcelState::Coming { from: DeviceKey::from_bytes(reader.array_of()?) },
            (1, 1) => ParcelState::Carried,
            (2, 1) => ParcelState::Brought,
            (3, 2) => ParcelState::Refused { why: reader.text(REFUSAL_BYTES_MAX)?.into() },
            (4, 3) => ParcelState::Waiting {
                courier: DeviceKey::from_bytes(reader.array_of()?),
                answers: Digest::from_bytes(reader.array_of()?),
            },
            _ => return Err(CborError::Unexpected("what became of a parcel")),
        };
        Ok(Self { parcel, since_ms, state })
    }
}

/// The list as the store keeps it.
pub(crate) fn write(parcels: &BTreeMap<Digest, ParcelLine>) -> Vec<u8> {
    let mut out = Writer::new();
    out.array(parcels.len());
    for line in parcels.values() {
        line.write(&mut out);
    }
    out.finish()
}

/// The list again.
pub(crate) fn read(bytes: &[u8]) -> Result<BTreeMap<Digest, ParcelLine>, CborError> {
    let mut reader = Reader::new(bytes);
    let lines = (0..reader.array(LINES_MAX)?).map(|_| ParcelLine::read(&mut reader));
    let lines = lines.collect::<Result<Vec<_>, _>>()?;
    reader.end()?;
    Ok(lines.into_iter().map(|line| (line.parcel.digest, line)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of version 1, for ever.
    #[test]
    fn a_list_is_spelled_as_it_was() {
        let key = |byte| DeviceKey::from_bytes([byte; 32]);
        let digest = Digest::from_bytes([0x11; 32]);
        let parcel = Parcel { digest, sender: key(1), recipient: key(2), bytes: 7, is_answer: true };
        let state = ParcelState::Waiting { courier: key(3), answers: Digest::from_bytes([4; 32]) };
        let list = BTreeMap::from([(digest, ParcelLine { parcel, since_ms: 300, state })]);
        let string = |byte: u8| [&[0x58, 32][..], &[byte; 32]].concat();
        let expected = [
            &[0x81, 0x87][..],
            &[string(0x11), string(1), string(2)].concat(),
            &[7, 1, 0x19, 1, 0x2c, 0x83, 4],
            &[string(3), string(4)].concat(),
        ];
        assert_eq!(write(&list), expected.concat());
    }

    #[test]
    fn a_list_comes_back_from_its_bytes() {
        let key = |byte| DeviceKey::from_bytes([byte; 32]);
        let answers = Digest::from_bytes([9; 32]);
        let states = [
            ParcelState::Coming { from: key(3) },
            ParcelState::Carried,
            ParcelState::Brought,
            ParcelState::Refused { why: "cut off".into() },
            ParcelState::Waiting { courier: key(4), answers },
        ];
        let lines = (0..).zip(states).map(|(byte, state)| {
            let digest = Digest::from_bytes([byte; 32]);
            let parcel = Parcel { digest, sender: key(1), recipient: key(2), bytes: 7, is_answer: byte > 2 };
            (digest, ParcelLine { parcel, since_ms: -5, state })
        });
        let list: BTreeMap<Digest, ParcelLine> = lines.collect();
        let bytes = write(&list);
        assert_eq!(read(&bytes), Ok(list));
        assert!((0..bytes.len()).all(|cut| read(bytes.get(..cut).unwrap_or_default()).is_err()));
    }

    #[test]
    fn a_list_comes_back_that_is_full_of_what_is_kept_and_of_what_is_coming() {
        let key = DeviceKey::from_bytes([1; 32]);
        let line = |byte: u8| {
            let digest = Digest::from_bytes([byte; 32]);
            let parcel = Parcel { digest, sender: key, recipient: key, bytes: 7, is_answer: false };
            let is_kept = usize::from(byte) < PARCELS_MAX;
            let state = if is_kept { ParcelState::Brought } else { ParcelState::Coming { from: key } };
            (digest, ParcelLine { parcel, since_ms: 0, state })
        };
        let mut list: BTreeMap<Digest, ParcelLine> = (0..LINES_MAX as u8).map(line).collect();
        assert_eq!(read(&write(&list)), Ok(list.clone()));
        list.extend([line(LINES_MAX as u8)]);
        assert!(read(&write(&list)).is_err());
    }
}
