//! Which of a file's two last commits counts. redb keeps the answer in one bit that no checksum covers:
//! were it to flip, the file would open at the commit before the last, and nobody would know. So where
//! the commit that does not count is the newer one, which power loss in the midst of a commit leaves,
//! too, that one is tried first, and counts if every page of it is sound. Nothing is written before whoever
//! opens the file has taken what was found there.

use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, Database, DatabaseError, StorageBackend};

/// The magic number, the byte of flags, the size of pages and regions, then the two commits.
const HEADER_BYTES: usize = 320;
const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
const FLAGS_AT: usize = 9;
const FLAG_SECOND: u8 = 1;
const FLAG_TWO_PHASE: u8 = 4;
/// Where the number of each commit stands.
const NUMBERS_AT: [usize; 2] = [64 + 104, 192 + 104];

type Header = [u8; HEADER_BYTES];

/// A database that is open, with nothing written to its medium yet.
pub(crate) struct Opening<B> {
    db: Database,
    inner: Arc<B>,
    held: Arc<Mutex<Option<Held>>>,
}

/// Opens the commit that counts, or a newer one that is whole.
pub(crate) fn open_newest<B: StorageBackend>(
    backend: B,
    open: impl Fn(Slots<B>) -> Result<Database, DatabaseError>,
) -> Result<Opening<B>, DatabaseError> {
    let inner = Arc::new(backend);
    let opened = |other| {
        let held = Arc::new(Mutex::new(Some(Held { other, acts: Vec::new() })));
        let db = open(Slots { inner: Arc::clone(&inner), held: Arc::clone(&held) })?;
        Ok(Opening { db, inner: Arc::clone(&inner), held })
    };
    if let Some(header) = other_is_newer(&*inner).map_err(|error| DatabaseError::Storage(error.into()))? {
        // Where the one that counts is damaged, its number may be what makes the other look newer.
        drop(opened(None)?);
        if let Ok(newer) = opened(Some(header)) {
            return Ok(newer);
        }
    }
    opened(None)
}

impl<B: StorageBackend> Opening<B> {
    /// What is in it.
    pub(crate) fn db(&self) -> &Database {
        &self.db
    }

    /// Writes what opening it came to. Without this the medium stays as it was.
    pub(crate) fn settle(self) -> io::Result<Database> {
        // Before the lock is let go: what is held is written before anything that comes after it.
        let mut held = lock(&self.held);
        if let Some(held) = held.take() {
            held.settle(&*self.inner)?;
        }
        drop(held);
        Ok(self.db)
    }
}

/// The header of a file whose other commit is newer than the one that counts. Files written in one
/// phase are left to redb, which takes the newer of two sound ones by itself.
fn other_is_newer(backend: &impl StorageBackend) -> io::Result<Option<Header>> {
    let mut header = [0; HEADER_BYTES];
    if backend.len()? < HEADER_BYTES as u64 {
        return Ok(None);
    }
    backend.read(0, &mut header)?;
    let flags = header.get(FLAGS_AT).copied().unwrap_or_default();
    let [first, second] = NUMBERS_AT.map(|at| {
        let number = header.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        u64::from_le_bytes(number.unwrap_or_default())
    });
    let newer = if flags & FLAG_SECOND == 0 { second > first } else { first > second };
    Ok((header.starts_with(MAGIC) && flags & FLAG_TWO_PHASE != 0 && newer).then_some(header))
}

/// A backend under a database that is being opened. Until that is settled, nothing is written through.
#[derive(Debug)]
pub(crate) struct Slots<B> {
    inner: Arc<B>,
    held: Arc<Mutex<Option<Held>>>,
}

/// What is done to the backend as long as it is not known whether what was opened is taken.
#[derive(Debug)]
struct Held {
    /// The header of the file, if the other commit is to count.
    other: Option<Header>,
    acts: Vec<Act>,
}

#[derive(Debug)]
enum Act {
    Write(u64, Vec<u8>),
    Len(u64),
    Sync,
}

impl Held {
    /// Does it all, in the order in which it was to be done.
    fn settle(self, inner: &impl StorageBackend) -> io::Result<()> {
        self.acts.into_iter().try_for_each(|act| match act {
            Act::Write(offset, data) => inner.write(offset, &data),
            Act::Len(len) => inner.set_len(len),
            Act::Sync => inner.sync_data(),
        })
    }

    fn len(&self, inner: u64) -> u64 {
        let resized = |act: &Act| if let Act::Len(len) = act { Some(*len) } else { None };
        self.acts.iter().rev().find_map(resized).unwrap_or(inner)
    }

    fn read(&self, inner: &impl StorageBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let len = inner.len()?;
        if offset + out.len() as u64 > self.len(len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let there = len.saturating_sub(offset).min(out.len() as u64) as usize;
        let (there, grown) = out.split_at_mut(there);
        if !there.is_empty() {
            inner.read(offset, there)?;
        }
        grown.fill(0);
        // Unless another process has written here since.
        if offset == 0 && self.other.is_some_and(|header| out.starts_with(&header)) {
            out.iter_mut().skip(FLAGS_AT).take(1).for_each(|flags| *flags ^= FLAG_SECOND);
        }
        for act in &self.acts {
            if let Act::Write(at, data) = act {
                overlay(out, offset, data, *at);
            }
        }
        Ok(())
    }
}

/// Puts what lies at `at` over what was read at `offset`, where they meet.
fn overlay(out: &mut [u8], offset: u64, data: &[u8], at: u64) {
    let out = out.iter_mut().skip(at.saturating_sub(offset) as usize);
    let data = data.iter().skip(offset.saturating_sub(at) as usize);
    out.zip(data).for_each(|(out, data)| *out = *data);
}

fn lock(held: &Mutex<Option<Held>>) -> MutexGuard<'_, Option<Held>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<B: StorageBackend> StorageBackend for Slots<B> {
    fn len(&self) -> io::Result<u64> {
        let len = self.inner.len()?;
        Ok(lock(&self.held).as_ref().map_or(len, |held| held.len(len)))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match &*lock(&self.held) {
            Some(held) => held.read(&*self.inner, offset, out),
            None => self.inner.read(offset, out),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        match &mut *lock(&self.held) {
            Some(held) => held.acts.push(Act::Len(len)),
            None => self.inner.set_len(len)?,
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        match &mut *lock(&self.held) {
            Some(held) => held.acts.push(Act::Sync),
            None => self.inner.sync_data()?,
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match &mut *lock(&self.held) {
            Some(held) => held.acts.push(Act::Write(offset, data.to_vec())),
            None => self.inner.write(offset, data)?,
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}
