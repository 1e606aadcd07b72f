//! What the pages of a damaged file still give under its key: header, keys of records, the log, files,
//! what waited. Each is known by its seal; what is not sealed serves as a hint at most. What becomes of
//! it is the business of `salvage`.

use std::collections::{BTreeMap, BTreeSet};

use redb::{StorageBackend, TableHandle};
use rukun_change::{DeviceKey, RecordId, SIGNATURE_BYTES, SurveyId};
use zeroize::Zeroizing;

use crate::entry::RELEASED_ENTRY;
use crate::fault::OpenError;
use crate::keys::{Keys, Lock, Unlock};
use crate::pages::{Row, Shape, visit};
use crate::seal::SealKey;
use crate::tables::{BLOB, HEADER, LOG, RECORD, SETTING, WAITING};

const NAMED: Shape = Shape { key: None, value: None };
const PLACED: Shape = sealed(8);
/// All that the log holds is signed: no row of it is shorter than a signature with nonce and tag. The rows
/// beside it, which have the same keys, all are.
const LOGGED_BYTES_MIN: usize = 24 + SIGNATURE_BYTES + 16;

const fn sealed(key: usize) -> Shape {
    Shape { key: Some(key), value: None }
}

/// Everything that was found.
#[derive(Default)]
pub(crate) struct Finds {
    /// The device's own, and those that it followed where old pages still have them.
    pub(crate) device_seeds: Vec<Zeroizing<[u8; 32]>>,
    /// What the header may have said.
    pub(crate) surveys: Vec<SurveyId>,
    pub(crate) settings: BTreeMap<String, BTreeSet<Vec<u8>>>,
    /// By place in the log. More than one at a place: an old page outlived a loss of power.
    pub(crate) statements: BTreeMap<u64, BTreeSet<Vec<u8>>>,
    pub(crate) changes: BTreeMap<u64, BTreeSet<Vec<u8>>>,
    /// What was left of changes whose records were erased.
    pub(crate) stubs: BTreeMap<u64, BTreeSet<Vec<u8>>>,
    /// Digest -> offset -> piece.
    pub(crate) pieces: BTreeMap<[u8; 32], BTreeMap<u64, Vec<u8>>>,
    pub(crate) waiting: BTreeSet<(DeviceKey, Vec<u8>)>,
    /// More than one for a record: the row of a commit that never counted tells no other than itself.
    records: BTreeMap<[u8; 16], Vec<SealKey>>,
    /// What the rows beside the log say: whose record stands at a place, zeros for a statement.
    hints: BTreeMap<u64, [u8; 16]>,
    /// Places whose content was released, as some page says.
    released: BTreeSet<u64>,
}

impl Finds {
    /// Looks through all pages.
    pub(crate) fn search(damaged: &impl StorageBackend, unlock: Unlock<'_>) -> Result<Self, OpenError> {
        let mut header: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
        visit(damaged, NAMED, |row| {
            let name = std::str::from_utf8(row.key).ok();
            let known = name.filter(|name| ["lock", "data_key", "device_seed", "survey"].contains(name));
            known.is_some_and(|name| {
                header.entry(name.into()).or_default().insert(row.value.to_vec());
                true
            })
        })?;
        let keys = data_key(&header, unlock)?;
        let rows = |name: &str| header.get(name).into_iter().flatten();
        let seeds =
            rows("device_seed").filter_map(|row| keys.header.open_key(&HEADER, b"device_seed", row).ok());
        let device_seeds: Vec<Zeroizing<[u8; 32]>> =
            seeds.map(|seed| Zeroizing::new(*seed.bytes())).collect();
        if device_seeds.is_empty() {
            return Err(OpenError::Gone { what: "device key" });
        }
        let surveys =
            rows("survey").filter_map(|row| Some(SurveyId::from_bytes(row.as_slice().try_into().ok()?)));
        let mut finds = Self { device_seeds, surveys: surveys.collect(), ..Self::default() };
        visit(damaged, PLACED, |row| {
            if let Some(seq) = place(row.key).filter(|_| row.sound && row.value == [RELEASED_ENTRY]) {
                finds.released.insert(seq);
                return true;
            }
            let hint = place(row.key).zip(hint(row.value)).filter(|_| row.sound);
            hint.map(|(seq, hint)| finds.hints.insert(seq, hint)).is_some()
        })?;
        finds.search_sealed(damaged, &keys)?;
        visit(damaged, PLACED, |row| finds.take_from_log(&row, &keys))?;
        Ok(finds)
    }

    /// How many places of the log are known to have been filled and gave nothing.
    pub(crate) fn lost(&self) -> u64 {
        let found = self.statements.keys().chain(self.changes.keys()).chain(self.stubs.keys());
        let found: BTreeSet<u64> = found.chain(&self.released).copied().collect();
        let gaps = found.last().map_or(0, |last| last - found.len() as u64);
        let past = self.hints.keys().filter(|seq| found.last().is_none_or(|last| *seq > last));
        gaps + past.count() as u64
    }

    fn search_sealed(&mut self, damaged: &impl StorageBackend, keys: &Keys) -> Result<(), OpenError> {
        visit(damaged, sealed(16), |row| {
            let key = keys.record.open_key(&RECORD, row.key, row.value).ok();
            let record = <[u8; 16]>::try_from(row.key).ok().filter(|row| RecordId::from_bytes(*row).is_ok());
            key.zip(record).map(|(key, record)| self.put_key(record, key)).is_some()
        })?;
        visit(damaged, sealed(64), |row| {
            let bytes = opened(&keys.waiting, &WAITING, &row);
            let from = row.key.first_chunk().copied().map(DeviceKey::from_bytes);
            from.zip(bytes).map(|waiting| self.waiting.insert(waiting)).is_some()
        })?;
        visit(damaged, sealed(40), |row| {
            let Some((digest, offset)) = row.key.split_first_chunk::<32>() else { return false };
            let offset = offset.try_into().map(u64::from_be_bytes).ok();
            let piece = offset.zip(opened(&keys.blob, &BLOB, &row));
            piece
                .map(|(offset, piece)| self.pieces.entry(*digest).or_default().insert(offset, piece))
                .is_some()
        })?;
        Ok(visit(damaged, NAMED, |row| {
            let name = std::str::from_utf8(row.key).ok().map(String::from);
            let value = name.zip(opened(&keys.setting, &SETTING, &row));
            value.map(|(name, value)| self.settings.entry(name).or_default().insert(value)).is_some()
        })?)
    }

    /// Old pages have most keys again and again.
    fn put_key(&mut self, record: [u8; 16], key: SealKey) {
        let keys = self.records.entry(record).or_default();
        if keys.iter().all(|known| known.bytes() != key.bytes()) {
            keys.push(key);
        }
    }

    /// A row of the log opens under the statements' key, the stubs' or one of its record's. Where the hint
    /// at the record is lost, every record's keys are tried.
    fn take_from_log(&mut self, row: &Row<'_>, keys: &Keys) -> bool {
        let Some(seq) = place(row.key).filter(|_| row.value.len() >= LOGGED_BYTES_MIN) else { return false };
        let aad = seq.to_be_bytes();
        if let Ok(bytes) = keys.statement.open(&LOG, &aad, row.value) {
            self.statements.entry(seq).or_default().insert(bytes);
            return true;
        }
        if let Ok(bytes) = keys.stub.open(&LOG, &aad, row.value) {
            self.stubs.entry(seq).or_default().insert(bytes);
            return true;
        }
        let hinted = self.hints.get(&seq).and_then(|hint| self.records.get(hint));
        let under = |key: &SealKey| key.open(&LOG, &aad, row.value).ok();
        let bytes = hinted.into_iter().flatten().find_map(under).or_else(|| {
            let all = self.records.values().flatten().filter(|_| row.sound);
            { all }.find_map(under)
        });
        bytes.map(|bytes| self.changes.entry(seq).or_default().insert(bytes)).is_some()
    }
}

/// The record of a place in the log; zeros for a statement.
fn hint(entry: &[u8]) -> Option<[u8; 16]> {
    match (entry.first()?, entry.len()) {
        (0, 53) => entry.get(33..49)?.try_into().ok(),
        (1 | 2, 37) => Some([0; 16]),
        _ => None,
    }
}

/// The keys under the data key that the user's key opens, whichever copy of it is sound.
fn data_key(header: &BTreeMap<String, BTreeSet<Vec<u8>>>, unlock: Unlock<'_>) -> Result<Keys, OpenError> {
    let rows = |name: &str| header.get(name).into_iter().flatten();
    let mut wrong = OpenError::Gone { what: "lock" };
    for lock in rows("lock").filter_map(|row| Lock::from_bytes(row).ok()) {
        match lock.key(unlock) {
            Ok(key) => {
                let opened = rows("data_key").find_map(|row| key.open_key(&HEADER, b"data_key", row).ok());
                if let Some(data_key) = opened {
                    return Ok(Keys::derive(&data_key));
                }
                wrong = lock.wrong_key();
            }
            Err(error) => wrong = error,
        }
    }
    Err(wrong)
}

fn opened(key: &SealKey, table: &impl TableHandle, row: &Row<'_>) -> Option<Vec<u8>> {
    key.open(table, row.key, row.value).ok()
}

/// A place in the log, as redb writes numbers.
fn place(key: &[u8]) -> Option<u64> {
    key.try_into().map(u64::from_le_bytes).ok().filter(|seq| (1..1 << 40).contains(seq))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    /// The longest value beside the log: kind, id, record, number of a device.
    const ENTRY_BYTES_MAX: usize = 1 + 32 + 16 + 4;

    #[test]
    fn a_row_as_short_as_those_beside_the_log_is_tried_under_no_key() {
        let mut entropy = ChaCha20Rng::from_seed([1; 32]);
        let keys = Keys::derive(&SealKey::random(&mut entropy));
        let (of_record, seq) = (SealKey::random(&mut entropy), 7_u64);
        let mut taken = |sealing: &SealKey, sealed_bytes: usize| {
            let plain = vec![0; sealed_bytes - 24 - 16];
            let value = sealing.seal(&mut entropy, &LOG, &seq.to_be_bytes(), &plain);
            assert_eq!(value.len(), sealed_bytes);
            let row = Row { key: &seq.to_le_bytes(), value: &value, sound: true };
            let mut finds = Finds::default();
            finds.put_key([1; 16], SealKey::new(Zeroizing::new(*of_record.bytes())));
            finds.take_from_log(&row, &keys)
        };
        // Each would open if it were tried under the key that sealed it.
        for sealing in [&keys.statement, &keys.stub, &of_record] {
            assert!(!taken(sealing, ENTRY_BYTES_MAX));
            assert!(taken(sealing, 24 + SIGNATURE_BYTES + 16), "nothing in the log is as short as this");
        }
    }
}
