//! A disk that can lose power: what was written since the last sync may or may not be there.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rukun_store::StorageBackend;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Debug, Default)]
pub(crate) struct CrashBackend(Arc<Mutex<Disk>>);

#[derive(Debug, Default)]
struct Disk {
    live: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Act>,
    acts: u64,
    dies_at: Option<u64>,
    syncs_fail: bool,
}

#[derive(Clone, Debug)]
enum Act {
    Write(u64, Vec<u8>),
    Len(u64),
}

impl CrashBackend {
    pub(crate) fn with_image(image: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Disk { live: image.clone(), synced: image, ..Disk::default() })))
    }

    /// Power goes at this write, resize or sync, counted from now.
    pub(crate) fn die_after(&self, acts: u64) {
        let mut disk = self.disk();
        disk.dies_at = Some(disk.acts + acts);
    }

    pub(crate) fn fail_syncs(&self) {
        self.disk().syncs_fail = true;
    }

    pub(crate) fn acts(&self) -> u64 {
        self.disk().acts
    }

    /// What programs see.
    pub(crate) fn image(&self) -> Vec<u8> {
        self.disk().live.clone()
    }

    /// What is there after power is lost now. Of what was not synced, the seed says which sectors
    /// made it: 0 none, 1 all, else some.
    pub(crate) fn after_power_loss(&self, seed: u64) -> Vec<u8> {
        let disk = self.disk();
        let mut image = disk.synced.clone();
        let mut luck = ChaCha20Rng::seed_from_u64(seed);
        let mut kept = || match seed {
            0 => false,
            1 => true,
            _ => luck.next_u32().is_multiple_of(2),
        };
        for act in &disk.unsynced {
            match act {
                Act::Len(_) => {
                    if kept() {
                        act.apply(&mut image);
                    }
                }
                Act::Write(offset, data) => {
                    for (index, sector) in data.chunks(SECTOR_BYTES).enumerate() {
                        if kept() {
                            let offset = offset + (index * SECTOR_BYTES) as u64;
                            Act::Write(offset, sector.to_vec()).apply(&mut image);
                        }
                    }
                }
            }
        }
        image
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }
}

impl Disk {
    fn act(&mut self, act: Act) -> io::Result<()> {
        self.alive()?;
        self.acts += 1;
        if self.alive().is_ok() {
            act.apply(&mut self.live);
        }
        self.unsynced.push(act);
        self.alive()
    }

    fn alive(&self) -> io::Result<()> {
        let dead = self.dies_at.is_some_and(|at| self.acts >= at);
        if dead { Err(io::Error::other("power lost")) } else { Ok(()) }
    }
}

impl Act {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Len(len) => image.resize(*len as usize, 0),
            Self::Write(offset, data) => {
                let start = *offset as usize;
                let end = start + data.len();
                if image.len() < end {
                    image.resize(end, 0);
                }
                image[start..end].copy_from_slice(data);
            }
        }
    }
}

impl StorageBackend for CrashBackend {
    fn len(&self) -> io::Result<u64> {
        let disk = self.disk();
        disk.alive()?;
        Ok(disk.live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.disk();
        disk.alive()?;
        let start = offset as usize;
        let from = disk.live.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(from);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk().act(Act::Len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.alive()?;
        disk.acts += 1;
        disk.alive()?;
        if disk.syncs_fail {
            return Err(io::Error::other("sync failed"));
        }
        for act in std::mem::take(&mut disk.unsynced) {
            act.apply(&mut disk.synced);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk().act(Act::Write(offset, data.to_vec()))
    }
}
