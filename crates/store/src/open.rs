//! Making and opening a store: a storage backend and what unlocks it become a [`Store`]. What is in
//! the tables past the header is not looked at here.

use std::io;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use redb::{Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageBackend, TableError};
use rukun_change::{Incarnation, SurveyId};
use zeroize::{Zeroize, Zeroizing};

use crate::fault::{OpenError, StoreError};
use crate::keys::{Keys, Lock, Unlock};
use crate::metered::Metered;
use crate::seal::SealKey;
use crate::slots::{Opening, open_newest};
use crate::staging::begin;
use crate::store::{Identity, Store, Vault};
use crate::tables::{self, FORMAT, HEADER, HEADER_COPY, every_table};

/// What redb may keep of the file in memory. A relay stays under 400 MB with all that it holds.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// What a new store begins with. The seed is wiped when dropped.
pub struct NewStore {
    /// The secret seed of the device's key.
    pub device_seed: [u8; 32],
    /// Random, new whenever a store is created or restored.
    pub incarnation: Incarnation,
}

impl Drop for NewStore {
    fn drop(&mut self) {
        self.device_seed.zeroize();
    }
}

impl Store {
    /// Makes a store on an empty backend. It is durable when this returns.
    ///
    /// # Errors
    /// [`OpenError::NotEmpty`] if the backend holds anything, or if the medium fails.
    pub fn create(
        backend: impl StorageBackend,
        unlock: Unlock<'_>,
        new: &NewStore,
        entropy: &mut ChaCha20Rng,
    ) -> Result<Self, OpenError> {
        let (backend, meter) = Metered::new(backend)?;
        if backend.len()? > 0 {
            return Err(OpenError::NotEmpty);
        }
        let db = database(backend)?.settle()?;
        let mut entropy = ChaCha20Rng::from_rng(entropy);
        let data_key = SealKey::random(&mut entropy);
        let keys = Keys::derive(&data_key);
        let lock = Lock::new(unlock, &mut entropy);
        let device_seed = Zeroizing::new(new.device_seed);
        let identity = Identity { device_seed, incarnation: new.incarnation, survey: None };
        let rows = [
            ("format", FORMAT.to_be_bytes().to_vec()),
            ("lock", lock.to_bytes()),
            ("data_key", lock.key(unlock)?.seal(&mut entropy, &HEADER, b"data_key", data_key.bytes())),
            ("device_seed", keys.header.seal(&mut entropy, &HEADER, b"device_seed", &*identity.device_seed)),
            ("incarnation", identity.incarnation.as_bytes().to_vec()),
        ];
        write_first(&db, &rows)?;
        Ok(Self::assemble(db, Vault { keys, entropy }, identity, meter)?)
    }

    /// Opens a store, recovering what was committed if it was not closed properly. Nothing is written to it
    /// unless it opens.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong and what to do.
    pub fn open(
        backend: impl StorageBackend,
        unlock: Unlock<'_>,
        entropy: ChaCha20Rng,
    ) -> Result<Self, OpenError> {
        let (backend, meter) = Metered::new(backend)?;
        if backend.len()? == 0 {
            return Err(OpenError::Empty);
        }
        let opening = database(backend)?;
        let header = Header::read(&opening.db().begin_read().map_err(StoreError::from)?)?;
        let keys = Keys::derive(&header.data_key(unlock)?);
        let damaged = OpenError::Damaged { what: "device_seed" };
        let Ok(seed) = keys.header.open_key(&HEADER, b"device_seed", &header.device_seed) else {
            return Err(damaged);
        };
        let identity = Identity {
            device_seed: Zeroizing::new(*seed.bytes()),
            incarnation: header.incarnation,
            survey: header.survey,
        };
        // A wrong key has come no further, and nothing was written.
        let db = opening.settle()?;
        Ok(Self::assemble(db, Vault { keys, entropy }, identity, meter)?)
    }
}

/// Every page is checked, not only after a crash: redb may panic on a file that it trusts wrongly.
/// It costs about a second for 500 MB.
pub(crate) fn database<B: StorageBackend>(backend: B) -> Result<Opening<B>, OpenError> {
    let opened = open_newest(backend, |backend| {
        Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create_with_backend(backend)
    });
    opened.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse,
        DatabaseError::UpgradeRequired(_) => OpenError::UnknownFile,
        DatabaseError::Storage(redb::StorageError::Io(error))
            if error.kind() == io::ErrorKind::InvalidData =>
        {
            OpenError::NotAStore
        }
        DatabaseError::Storage(redb::StorageError::Io(error))
            if error.kind() == io::ErrorKind::UnexpectedEof =>
        {
            OpenError::Corrupted { what: "it ends too early".into() }
        }
        DatabaseError::Storage(redb::StorageError::Corrupted(what)) => OpenError::Corrupted { what },
        other => OpenError::Medium(Box::new(other.into())),
    })
}

/// Header and empty tables, in one transaction: a store is there or it is not.
fn write_first(db: &Database, rows: &[(&str, Vec<u8>)]) -> Result<(), StoreError> {
    let txn = begin(db)?;
    for table in [HEADER, HEADER_COPY] {
        let mut header = txn.open_table(table)?;
        for (name, value) in rows {
            header.insert(name, value.as_slice())?;
        }
    }
    macro_rules! make {
        ($($table:ident)*) => {$( txn.open_table(tables::$table)?; )*};
    }
    every_table!(make);
    Ok(txn.commit()?)
}

pub(crate) struct Header {
    lock: Vec<u8>,
    data_key: Vec<u8>,
    pub(crate) device_seed: Vec<u8>,
    incarnation: Incarnation,
    survey: Option<SurveyId>,
}

impl Header {
    /// The key under which all others lie.
    pub(crate) fn data_key(&self, unlock: Unlock<'_>) -> Result<SealKey, OpenError> {
        let lock = Lock::from_bytes(&self.lock).map_err(|_| OpenError::Damaged { what: "lock" })?;
        let opened = lock.key(unlock)?.open_key(&HEADER, b"data_key", &self.data_key);
        opened.map_err(|_| lock.wrong_key())
    }

    pub(crate) fn read(txn: &ReadTransaction) -> Result<Self, OpenError> {
        let table = match txn.open_table(HEADER) {
            Ok(table) => table,
            Err(TableError::Storage(error)) => return Err(StoreError::from(error).into()),
            Err(_) => return Err(OpenError::NotAStore),
        };
        let row = |name: &'static str| -> Result<Option<Vec<u8>>, OpenError> {
            Ok(table.get(name).map_err(StoreError::from)?.map(|value| value.value().to_vec()))
        };
        let needed = |name| row(name)?.ok_or(OpenError::Damaged { what: name });
        let format = u32::from_be_bytes(fixed(&row("format")?.ok_or(OpenError::NotAStore)?, "format")?);
        if format != FORMAT {
            return Err(OpenError::UnknownFormat { format });
        }
        Ok(Self {
            lock: needed("lock")?,
            data_key: needed("data_key")?,
            device_seed: needed("device_seed")?,
            incarnation: Incarnation::from_bytes(fixed(&needed("incarnation")?, "incarnation")?),
            survey: match row("survey")? {
                Some(survey) => Some(SurveyId::from_bytes(fixed(&survey, "survey")?)),
                None => None,
            },
        })
    }
}

fn fixed<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[u8; N], OpenError> {
    bytes.try_into().map_err(|_| OpenError::Damaged { what })
}
