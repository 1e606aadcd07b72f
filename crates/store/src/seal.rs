//! Sealing: a value becomes nonce, ciphertext and tag (XChaCha20-Poly1305) bound to the table and
//! the key of its row, so that neither a changed value nor one moved elsewhere opens. Which key
//! seals what is decided in `keys`.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;
use redb::TableHandle;
use zeroize::Zeroizing;

use crate::fault::StoreError;

const NONCE_BYTES: usize = 24;

/// A key that seals values. It is wiped when dropped.
pub(crate) struct SealKey(Zeroizing<[u8; 32]>);

impl SealKey {
    pub(crate) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    pub(crate) fn random(entropy: &mut ChaCha20Rng) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill_bytes(&mut *key);
        Self(key)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn seal(
        &self,
        entropy: &mut ChaCha20Rng,
        table: &impl TableHandle,
        row: &[u8],
        plain: &[u8],
    ) -> Vec<u8> {
        let mut nonce = XNonce::default();
        entropy.fill_bytes(&mut nonce);
        let payload = Payload { msg: plain, aad: &associated(table, row) };
        let sealed = self.cipher().encrypt(&nonce, payload).expect("memory holds no 256 GiB to seal");
        [nonce.as_slice(), &sealed].concat()
    }

    pub(crate) fn open(
        &self,
        table: &impl TableHandle,
        row: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let damaged = || StoreError::damaged(table, row);
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
        let payload = Payload { msg: sealed, aad: &associated(table, row) };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| damaged())
    }

    /// Opens a sealed key.
    pub(crate) fn open_key(
        &self,
        table: &impl TableHandle,
        row: &[u8],
        sealed: &[u8],
    ) -> Result<Self, StoreError> {
        let plain = Zeroizing::new(self.open(table, row, sealed)?);
        let key = plain.as_slice().try_into().map_err(|_| StoreError::damaged(table, row))?;
        Ok(Self(Zeroizing::new(key)))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

fn associated(table: &impl TableHandle, row: &[u8]) -> Vec<u8> {
    [table.name().as_bytes(), &[0], row].concat()
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::tables::{LOG, PEER};

    #[test]
    fn a_sealed_value_opens_in_its_own_row_only() {
        let mut entropy = ChaCha20Rng::from_seed([1; 32]);
        let key = SealKey::random(&mut entropy);
        let sealed = key.seal(&mut entropy, &PEER, b"row", b"value");
        assert_eq!(key.open(&PEER, b"row", &sealed).unwrap(), b"value");
        for (table, row) in [("log", &b"row"[..]), ("peer", b"other")] {
            let opened =
                if table == "log" { key.open(&LOG, row, &sealed) } else { key.open(&PEER, row, &sealed) };
            assert!(matches!(opened, Err(StoreError::Damaged { .. })));
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open(&PEER, b"row", &changed).is_err());
            assert!(key.open(&PEER, b"row", &sealed[..at]).is_err());
        }
    }

    #[test]
    fn golden_bytes_of_a_sealed_value() {
        let mut entropy = ChaCha20Rng::from_seed([0; 32]);
        let key = SealKey::new(Zeroizing::new([7; 32]));
        let sealed = key.seal(&mut entropy, &PEER, b"row", b"value");
        assert_eq!(sealed.len(), NONCE_BYTES + 5 + 16);
        // The first 24 bytes of the ChaCha20 keystream of an all-zero key.
        assert_eq!(sealed[..8], [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90]);
    }
}
