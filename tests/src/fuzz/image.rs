//! Stores made once and opened for each input: a storage backend over a copy of an image, and the
//! images of nodes of the survey.

use std::io;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rukun_change::Digest;
use rukun_replica::{NewStore, Replica, Store, Unlock};
use rukun_store::StorageBackend;

use super::people::{self, Device, OFFICE, QUESTIONNAIRE, SUPERVISOR};

const KEY_FILE: [u8; 32] = [7; 32];
/// No input needs a larger one; a damaged length must not take all memory.
const IMAGE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A disk in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Image(Arc<Mutex<Vec<u8>>>);

impl Image {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(bytes)))
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.held().clone()
    }

    fn held(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().expect("nothing panics while it holds the image")
    }
}

impl StorageBackend for Image {
    fn len(&self) -> io::Result<u64> {
        Ok(self.held().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let held = self.held();
        let end = offset.checked_add(out.len() as u64).and_then(|end| usize::try_from(end).ok());
        let range = end.and_then(|end| held.get(offset as usize..end));
        out.copy_from_slice(range.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > IMAGE_BYTES_MAX {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.held().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut held = self.held();
        let end = offset.checked_add(data.len() as u64).filter(|end| *end <= IMAGE_BYTES_MAX);
        let end = end.ok_or(io::ErrorKind::StorageFull)? as usize;
        if held.len() < end {
            held.resize(end, 0);
        }
        held[offset as usize..end].copy_from_slice(data);
        Ok(())
    }
}

/// The supervisor, with the honest work.
pub(super) fn supervisor() -> Replica {
    static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| image_of(SUPERVISOR, true));
    open(IMAGE.clone())
}

/// The office, without any record.
pub(super) fn office() -> Replica {
    static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| image_of(OFFICE, false));
    open(IMAGE.clone())
}

fn open(image: Vec<u8>) -> Replica {
    let entropy = ChaCha20Rng::from_seed([2; 32]);
    let store = Store::open(Image::new(image), Unlock::KeyFile(&KEY_FILE), entropy).unwrap();
    Replica::open(store, [3; 32]).unwrap()
}

fn image_of(device: Device, with_work: bool) -> Vec<u8> {
    let disk = Image::default();
    let new = NewStore { device_seed: device.seed(), incarnation: device.incarnation() };
    let mut entropy = ChaCha20Rng::from_seed([1; 32]);
    let mut store = Store::create(disk.clone(), Unlock::KeyFile(&KEY_FILE), &new, &mut entropy).unwrap();
    let survey = people::survey();
    store.set_survey(&survey.id).unwrap();
    for statement in [&survey.charter].into_iter().chain(&survey.grants) {
        let id = survey.trust.statement_id(statement);
        store.append_statement(&id, &statement.to_bytes(), None, None).unwrap();
    }
    let length = QUESTIONNAIRE.len() as u64;
    store.put_blob(&Digest::of(QUESTIONNAIRE), 0, length, QUESTIONNAIRE).unwrap();
    if with_work {
        for (change, _) in people::honest_work() {
            store.append_change(change, None).unwrap();
        }
    }
    store.commit().unwrap();
    drop(store);
    disk.bytes()
}
