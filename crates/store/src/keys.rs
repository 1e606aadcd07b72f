//! Keys: what the user holds (a key file or a passphrase) opens the lock on the data key, and from
//! the data key come all keys of tables. Nothing here reads or writes a table.

use argon2::{Algorithm, Argon2, Params, Version};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;
use rukun_change::cbor::{CborError, Reader, Writer};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::fault::OpenError;
use crate::seal::SealKey;

/// Argon2id with the second recommendation of RFC 9106 (section 4): 64 MiB, 3 passes, 4 lanes.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;
const SALT_BYTES: usize = 16;
/// What a header may ask for at most: it is read before anything proves who wrote it.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 64;
const LANES_MAX: u32 = 64;

/// What opens a store.
#[derive(Clone, Copy)]
pub enum Unlock<'a> {
    /// The 32 random bytes of a key file.
    KeyFile(&'a [u8; 32]),
    /// A passphrase, for a person to remember.
    Passphrase(&'a str),
}

/// How the data key is locked: which kind of unlocking it takes, and with which parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    KeyFile,
    Passphrase { memory_kib: u32, passes: u32, lanes: u32, salt: [u8; SALT_BYTES] },
}

impl Lock {
    /// A new lock for this kind of unlocking.
    pub(crate) fn new(unlock: Unlock<'_>, entropy: &mut ChaCha20Rng) -> Self {
        match unlock {
            Unlock::KeyFile(_) => Self::KeyFile,
            Unlock::Passphrase(_) => {
                let mut salt = [0; SALT_BYTES];
                entropy.fill_bytes(&mut salt);
                Self::Passphrase { memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES, salt }
            }
        }
    }

    /// The key that seals the data key.
    pub(crate) fn key(&self, unlock: Unlock<'_>) -> Result<SealKey, OpenError> {
        let mut key = Zeroizing::new([0; 32]);
        match (self, unlock) {
            (Self::KeyFile, Unlock::KeyFile(file)) => expand(file, "key file", &mut key),
            (Self::Passphrase { memory_kib, passes, lanes, salt }, Unlock::Passphrase(passphrase)) => {
                let params = Params::new(*memory_kib, *passes, *lanes, Some(32));
                let params = params.map_err(|_| OpenError::Damaged { what: "lock" })?;
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(passphrase.as_bytes(), salt, &mut *key)
                    .map_err(|_| OpenError::NoMemory { mib: memory_kib / 1024 })?;
            }
            (Self::KeyFile, Unlock::Passphrase(_)) => return Err(OpenError::NeedsKeyFile),
            (Self::Passphrase { .. }, Unlock::KeyFile(_)) => return Err(OpenError::NeedsPassphrase),
        }
        Ok(SealKey::new(key))
    }

    /// What a key that does not fit is called.
    pub(crate) fn wrong_key(&self) -> OpenError {
        match self {
            Self::KeyFile => OpenError::WrongKeyFile,
            Self::Passphrase { .. } => OpenError::WrongPassphrase,
        }
    }

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Writer::new();
        match self {
            Self::KeyFile => bytes.array(1).uint(1),
            Self::Passphrase { memory_kib, passes, lanes, salt } => {
                bytes.array(5).uint(2).uint(memory_kib.into()).uint(passes.into()).uint(lanes.into());
                bytes.bytes(&salt)
            }
        };
        bytes.finish()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, CborError> {
        let mut reader = Reader::new(bytes);
        let items = reader.array(5)?;
        let lock = match (reader.uint()?, items) {
            (1, 1) => Self::KeyFile,
            (2, 5) => Self::Passphrase {
                memory_kib: at_most(&mut reader, MEMORY_KIB_MAX)?,
                passes: at_most(&mut reader, PASSES_MAX)?,
                lanes: at_most(&mut reader, LANES_MAX)?,
                salt: reader.array_of()?,
            },
            _ => return Err(CborError::Unexpected("a known lock")),
        };
        reader.end()?;
        Ok(lock)
    }
}

fn at_most(reader: &mut Reader<'_>, max: u32) -> Result<u32, CborError> {
    let value = reader.uint()?;
    let small = u32::try_from(value).ok().filter(|value| *value <= max);
    small.ok_or(CborError::TooMany { items: value as usize, max: max as usize })
}

/// The keys of the tables, all derived from the data key.
pub(crate) struct Keys {
    pub(crate) header: SealKey,
    pub(crate) record: SealKey,
    pub(crate) statement: SealKey,
    pub(crate) stub: SealKey,
    pub(crate) peer: SealKey,
    pub(crate) waiting: SealKey,
    pub(crate) blob: SealKey,
    pub(crate) setting: SealKey,
    pub(crate) invitation: SealKey,
    identity: SealKey,
    person: SealKey,
}

impl Keys {
    pub(crate) fn derive(data_key: &SealKey) -> Self {
        let key = |purpose: &str| {
            let mut key = Zeroizing::new([0; 32]);
            expand(data_key.bytes(), purpose, &mut key);
            SealKey::new(key)
        };
        Self {
            header: key("header"),
            record: key("record"),
            statement: key("statement"),
            stub: key("stub"),
            peer: key("peer"),
            waiting: key("waiting"),
            blob: key("blob"),
            setting: key("setting"),
            invitation: key("invitation"),
            identity: key("identity"),
            person: key("person"),
        }
    }

    /// The tag under which an identity number is kept: nobody without the key can try numbers.
    pub(crate) fn identity_tag(&self, kind: u8, number: &str) -> [u8; 16] {
        tag(&self.identity, &[&[kind], number.as_bytes()])
    }

    /// The tag under which a person who was invited is kept: nobody without the key can try names.
    pub(crate) fn person_tag(&self, person: &[u8]) -> [u8; 16] {
        tag(&self.person, &[person])
    }
}

fn tag(key: &SealKey, parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    let whole: [u8; 32] = mac.finalize().into_bytes().into();
    let (tag, _) = whole.split_first_chunk().expect("32 bytes hold 16");
    *tag
}

fn expand(secret: &[u8; 32], purpose: &str, key: &mut [u8; 32]) {
    let info = format!("rukun store 1 {purpose}");
    Hkdf::<Sha256>::new(None, secret).expand(info.as_bytes(), key).expect("HKDF-SHA256 gives 32 bytes");
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_lock_comes_back_from_its_bytes_and_asks_for_no_terabyte() {
        let mut entropy = ChaCha20Rng::from_seed([3; 32]);
        for unlock in [Unlock::KeyFile(&[1; 32]), Unlock::Passphrase("kopi tubruk")] {
            let lock = Lock::new(unlock, &mut entropy);
            assert_eq!(Lock::from_bytes(&lock.to_bytes()), Ok(lock));
        }
        let greedy =
            Lock::Passphrase { memory_kib: MEMORY_KIB_MAX + 1, passes: 1, lanes: 1, salt: [0; SALT_BYTES] };
        assert!(matches!(Lock::from_bytes(&greedy.to_bytes()), Err(CborError::TooMany { .. })));
    }

    #[test]
    fn a_key_file_is_no_passphrase() {
        let key_file = Lock::KeyFile.key(Unlock::Passphrase("x"));
        assert!(matches!(key_file, Err(OpenError::NeedsKeyFile)));
        let lock = Lock::new(Unlock::Passphrase("x"), &mut ChaCha20Rng::from_seed([3; 32]));
        assert!(matches!(lock.key(Unlock::KeyFile(&[0; 32])), Err(OpenError::NeedsPassphrase)));
    }

    #[test]
    fn each_kind_of_number_has_tags_of_its_own() {
        let keys = Keys::derive(&SealKey::new(Zeroizing::new([5; 32])));
        assert_ne!(keys.identity_tag(0, "1811014107850001"), keys.identity_tag(1, "1811014107850001"));
        let other = Keys::derive(&SealKey::new(Zeroizing::new([6; 32])));
        assert_ne!(keys.identity_tag(0, "1811014107850001"), other.identity_tag(0, "1811014107850001"));
    }
}
