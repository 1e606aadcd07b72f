//! Files that the charter names (questionnaire, dictionary), and bundles that are carried for others: pieces in order
//! become a file whose digest fits, or nothing. Resumable, since every piece is kept until the last has come.

use rukun_change::Digest;

use crate::fault::StoreError;
use crate::staging::Staging;
use crate::store::{Store, Vault};
use crate::tables::{BLOB, BLOB_STATE};

/// The longest file that the store takes.
pub const BLOB_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// What comes in longer pieces is kept in shorter ones, so that a part of a file can be read without the rest.
const ROW_BYTES_MAX: usize = 64 * 1024;

/// What a piece has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobState {
    /// More is needed, from here.
    Partial {
        /// The offset of the next piece.
        offset: u64,
    },
    /// The file is whole and its digest fits.
    Complete,
    /// The file was whole and its digest did not fit: it has been thrown away.
    Wrong,
}

impl Store {
    /// Takes a piece of a file. One that does not follow what is held, or that belongs to a file of
    /// another length, changes nothing; a piece at 0 of another length starts again.
    ///
    /// # Errors
    /// [`StoreError::BlobBounds`] if the piece reaches past the file or the file past the limit, or
    /// if the medium fails or a piece held is damaged.
    pub fn put_blob(
        &mut self,
        digest: &Digest,
        offset: u64,
        total: u64,
        bytes: &[u8],
    ) -> Result<BlobState, StoreError> {
        let len = bytes.len() as u64;
        let fits = offset.checked_add(len).is_some_and(|end| end <= total);
        if !fits || total > BLOB_BYTES_MAX {
            return Err(StoreError::BlobBounds { offset, bytes: len, total, max: BLOB_BYTES_MAX });
        }
        match self.blob_state(digest)? {
            Some((held_total, held)) if held == held_total => return Ok(BlobState::Complete),
            Some((held_total, held)) if held_total == total && offset != held => {
                return Ok(BlobState::Partial { offset: held });
            }
            Some((held_total, held)) if held_total != total && offset != 0 => {
                return Ok(BlobState::Partial { offset: held });
            }
            None if offset != 0 => return Ok(BlobState::Partial { offset: 0 }),
            _ => {}
        }
        self.write(|txn, vault, _| vault.put_piece(txn, digest, offset, total, bytes))
    }

    /// A whole file.
    ///
    /// # Errors
    /// If the medium fails or a piece is damaged.
    pub fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        match self.blob_state(digest)? {
            Some((total, held)) if total == held => self.read(|txn| self.vault.pieces(txn, digest).map(Some)),
            _ => Ok(None),
        }
    }

    /// How long a whole file is, and so much of it from a place on, or what there is.
    ///
    /// # Errors
    /// If the medium fails or a piece is damaged.
    pub fn blob_part(
        &self,
        digest: &Digest,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        match self.blob_state(digest)? {
            Some((total, held)) if total == held => {
                let part = self.read(|txn| self.vault.part(txn, digest, offset, bytes_max))?;
                Ok(Some((total, part)))
            }
            _ => Ok(None),
        }
    }

    /// How many bytes of a file are held, from its start.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn blob_offset(&self, digest: &Digest) -> Result<u64, StoreError> {
        Ok(self.blob_state(digest)?.map_or(0, |(_, held)| held))
    }

    /// Forgets a file, or the part of it that has come.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn forget_blob(&mut self, digest: &Digest) -> Result<(), StoreError> {
        self.write(|txn, _, _| forget(txn, digest))
    }

    fn blob_state(&self, digest: &Digest) -> Result<Option<(u64, u64)>, StoreError> {
        self.read(|txn| Ok(txn.look_in(BLOB_STATE)?.get(digest.as_bytes())?.map(|state| state.value())))
    }
}

impl Vault {
    fn put_piece(
        &mut self,
        txn: &Staging,
        digest: &Digest,
        offset: u64,
        total: u64,
        bytes: &[u8],
    ) -> Result<BlobState, StoreError> {
        if offset == 0 {
            forget(txn, digest)?;
        }
        for (at, piece) in (offset..).step_by(ROW_BYTES_MAX).zip(bytes.chunks(ROW_BYTES_MAX)) {
            let row = key(digest, at);
            let sealed = self.keys.blob.seal(&mut self.entropy, &BLOB, &row, piece);
            txn.open_table(BLOB)?.insert(&row, sealed.as_slice())?;
        }
        let held = offset + bytes.len() as u64;
        if held < total {
            txn.open_table(BLOB_STATE)?.insert(digest.as_bytes(), (total, held))?;
            return Ok(BlobState::Partial { offset: held });
        }
        if Digest::of(&self.pieces(txn, digest)?) != *digest {
            forget(txn, digest)?;
            return Ok(BlobState::Wrong);
        }
        txn.open_table(BLOB_STATE)?.insert(digest.as_bytes(), (total, held))?;
        Ok(BlobState::Complete)
    }

    fn pieces(&self, txn: &Staging, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        self.part(txn, digest, 0, usize::MAX)
    }

    fn part(
        &self,
        txn: &Staging,
        digest: &Digest,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Vec<u8>, StoreError> {
        let table = txn.look_in(BLOB)?;
        let before =
            table.range::<&[u8; 40]>(&key(digest, 0)..=&key(digest, offset))?.next_back().transpose()?;
        let first = before.map_or(key(digest, offset), |(row, _)| *row.value());
        let mut part = Vec::new();
        for row in table.range::<&[u8; 40]>(&first..=&key(digest, u64::MAX))? {
            let (row, sealed) = row?;
            let piece = self.keys.blob.open(&BLOB, row.value(), sealed.value())?;
            let skipped = offset.saturating_sub(place(row.value())).min(piece.len() as u64);
            part.extend_from_slice(piece.get(skipped as usize..).unwrap_or_default());
            if part.len() >= bytes_max {
                part.truncate(bytes_max);
                break;
            }
        }
        Ok(part)
    }
}

fn forget(txn: &Staging, digest: &Digest) -> Result<(), StoreError> {
    let mut table = txn.open_table(BLOB)?;
    table.retain_in::<&[u8; 40], _>(&key(digest, 0)..=&key(digest, u64::MAX), |_, _| false)?;
    txn.open_table(BLOB_STATE)?.remove(digest.as_bytes())?;
    Ok(())
}

fn key(digest: &Digest, offset: u64) -> [u8; 40] {
    let key = [&digest.as_bytes()[..], &offset.to_be_bytes()].concat();
    key.try_into().expect("32 and 8 bytes are 40")
}

/// Where in its file a piece begins.
fn place(row: &[u8; 40]) -> u64 {
    let (_, offset) = row.split_last_chunk::<8>().expect("8 of 40 bytes");
    u64::from_be_bytes(*offset)
}
