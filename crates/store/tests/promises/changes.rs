//! Admitted changes of small families, signed, and stores to put them in.

use std::sync::LazyLock;

use automerge::transaction::Transactable;
use automerge::{AutoCommit, ROOT};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rukun_authority::{AdmittedChange, Keypair, sign};
use rukun_change::{Author, Change, DeviceKey, Incarnation, Ink, RecordId, StatementId, SurveyId};
use rukun_store::{NewStore, OpenError, StorageBackend, Store, Unlock};

pub(crate) const KEY_FILE: [u8; 32] = *b"the 32 bytes of the key file....";
pub(crate) const DEVICE_SEED: [u8; 32] = *b"the secret seed of the device...";
pub(crate) const INCARNATION: Incarnation = Incarnation::from_bytes([1, 2, 3, 4]);
pub(crate) const SURVEY: SurveyId = SurveyId::from_bytes([9; 32]);
pub(crate) const NAME: &str = "SITI RAHAYU BINTI SLAMET";
pub(crate) const NIK: &str = "1811014107850001";

pub(crate) fn entropy(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(crate) fn create(backend: impl StorageBackend) -> Result<Store, OpenError> {
    let new = NewStore { device_seed: DEVICE_SEED, incarnation: INCARNATION };
    let mut store = Store::create(backend, Unlock::KeyFile(&KEY_FILE), &new, &mut entropy(1))?;
    store.set_survey(&SURVEY)?;
    store.commit()?;
    Ok(store)
}

pub(crate) fn open(backend: impl StorageBackend) -> Result<Store, OpenError> {
    Store::open(backend, Unlock::KeyFile(&KEY_FILE), entropy(2))
}

pub(crate) fn device(number: u8) -> DeviceKey {
    Keypair::from_seed(&[number; 32]).key()
}

pub(crate) fn author(number: u8) -> Author {
    Author { device: device(number), incarnation: INCARNATION }
}

pub(crate) fn record(sub_sls: u8, salt: u8) -> RecordId {
    RecordId::new(format!("18110100050003{sub_sls:02}").parse().unwrap(), [salt; 8])
}

pub(crate) fn statement_id(name: u8) -> StatementId {
    StatementId::from_bytes([name; 32])
}

/// An answer by a device, in a document of its own.
pub(crate) fn change(number: u8, n: u64, record: RecordId, ink: Ink, answer: &str) -> AdmittedChange {
    admitted(number, n, record, ink, body(number, n, answer))
}

pub(crate) fn body(number: u8, n: u64, answer: &str) -> Vec<u8> {
    let mut document = AutoCommit::new().with_actor(author(number).actor().as_bytes().as_slice().into());
    document.put(ROOT, "r402", answer).unwrap();
    document.put(ROOT, "r403", NIK).unwrap();
    document.put(ROOT, "r404", n as i64).unwrap();
    document.commit();
    document.get_last_local_change().unwrap().raw_bytes().to_vec()
}

pub(crate) fn admitted(number: u8, n: u64, record: RecordId, ink: Ink, body: Vec<u8>) -> AdmittedChange {
    let keypair = Keypair::from_seed(&[number; 32]);
    let change = Change { author: author(number), n, record, ink, seen: Vec::new(), body };
    let signed = sign(&keypair, change, &SURVEY).unwrap();
    AdmittedChange::recall(&signed.to_bytes(), &SURVEY).unwrap()
}

/// Changes of three devices to eight records in two sub-SLS; the last two are a fork, and the one
/// before has the same cause as another of the same record.
pub(crate) fn pool() -> &'static [AdmittedChange] {
    static POOL: LazyLock<Vec<AdmittedChange>> = LazyLock::new(|| {
        let mut pool = Vec::new();
        for n in 1..=16 {
            for number in 1..=3 {
                let ink = if n % 4 == 0 { Ink::Red } else { Ink::Pencil };
                pool.push(change(number, n, record(n as u8 % 2, n as u8 % 4), ink, NAME));
            }
        }
        pool.push(admitted(1, 90, record(0, 0), Ink::Pencil, body(1, 1, NAME)));
        pool.push(admitted(1, 91, record(0, 0), Ink::Pencil, body(1, 1, NAME)));
        pool.push(change(2, 99, record(1, 1), Ink::Pencil, "BUDI"));
        pool.push(change(2, 99, record(1, 1), Ink::Pencil, "BUDIMAN"));
        pool
    });
    &POOL
}
