//! A disk in memory that can be taken back: what is written on top of a synced image is undone after
//! each look, so that no image is ever copied. What power loss leaves of unsynced writes is here, too.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;
use rukun_store::StorageBackend;

use super::Loss;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// What a disk is asked to do.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Write(u64, Vec<u8>),
    Len(u64),
    Sync,
}

/// What an act did, to be taken back.
enum Undo {
    Write(usize, Vec<u8>),
    Grown(usize),
    Shrunk(Vec<u8>),
}

#[derive(Default)]
struct Disk {
    bytes: Vec<u8>,
    undo: Vec<Undo>,
    record: Option<Vec<Act>>,
    dead: bool,
}

/// A disk that takes back what was done to it.
#[derive(Clone, Default)]
pub(super) struct Scratch(Arc<Mutex<Disk>>);

impl Scratch {
    pub(super) fn with_image(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Disk { bytes, ..Disk::default() })))
    }

    /// Notes every act from now on.
    pub(super) fn record(&self) {
        self.disk().record = Some(Vec::new());
    }

    /// What was noted, and no more notes.
    pub(super) fn recorded(&self) -> Vec<Act> {
        self.disk().record.take().unwrap_or_default()
    }

    /// How much has been noted.
    pub(super) fn acts(&self) -> usize {
        self.disk().record.as_ref().map_or(0, Vec::len)
    }

    pub(super) fn image(&self) -> Vec<u8> {
        self.disk().bytes.clone()
    }

    pub(super) fn apply(&self, act: &Act) {
        self.disk().apply(act);
    }

    /// Every act fails from now on, until it is revived or what was done is undone.
    pub(super) fn die(&self) {
        self.disk().dead = true;
    }

    pub(super) fn revive(&self) {
        self.disk().dead = false;
    }

    /// What was done so far stays.
    pub(super) fn forget_undo(&self) {
        self.disk().undo.clear();
    }

    pub(super) fn mark(&self) -> usize {
        self.disk().undo.len()
    }

    pub(super) fn undo(&self) {
        self.undo_to(0);
    }

    /// Takes back what was done since the mark.
    pub(super) fn undo_to(&self, mark: usize) {
        let mut disk = self.disk();
        disk.dead = false;
        while disk.undo.len() > mark {
            match disk.undo.pop().unwrap() {
                Undo::Write(start, old) => disk.bytes[start..start + old.len()].copy_from_slice(&old),
                Undo::Grown(len) => disk.bytes.truncate(len),
                Undo::Shrunk(tail) => disk.bytes.extend(tail),
            }
        }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }

    fn act(&self, act: Act) -> io::Result<()> {
        let mut disk = self.alive()?;
        disk.apply(&act);
        if let Some(record) = &mut disk.record {
            record.push(act);
        }
        Ok(())
    }

    fn alive(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.disk();
        if disk.dead { Err(io::Error::other("power lost")) } else { Ok(disk) }
    }
}

impl Disk {
    /// What is written past the end is lost: a file system grows a file by its own journal, in order,
    /// before what is written into it counts.
    fn apply(&mut self, act: &Act) {
        let len = self.bytes.len();
        match act {
            Act::Write(offset, data) => {
                let start = (*offset as usize).min(len);
                let end = (start + data.len()).min(len);
                self.undo.push(Undo::Write(start, self.bytes[start..end].to_vec()));
                self.bytes[start..end].copy_from_slice(&data[..end - start]);
            }
            Act::Len(to) if (*to as usize) < len => {
                let tail = self.bytes.split_off(*to as usize);
                self.undo.push(Undo::Shrunk(tail));
            }
            Act::Len(to) => {
                self.undo.push(Undo::Grown(len));
                self.bytes.resize(*to as usize, 0);
            }
            Act::Sync => {}
        }
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scratch")
    }
}

impl StorageBackend for Scratch {
    fn len(&self) -> io::Result<u64> {
        Ok(self.alive()?.bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.alive()?;
        let start = offset as usize;
        let from = disk.bytes.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(from);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.act(Act::Len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.act(Act::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.act(Act::Write(offset, data.to_vec()))
    }
}

/// What of these acts, none of them synced, the disk comes up with, in the order it did them.
pub(super) fn survivors(unsynced: &[Act], loss: Loss, luck: &mut ChaCha20Rng) -> Vec<Act> {
    match loss {
        Loss::Kept => unsynced.to_vec(),
        Loss::Dropped => Vec::new(),
        Loss::Torn | Loss::Again => choose(unsynced.iter().flat_map(sectors).collect(), luck),
        Loss::Reordered => {
            let mut acts = choose(unsynced.to_vec(), luck);
            // Resizes keep their order, as a file system's journal keeps it; writes between them don't.
            for run in acts.split_mut(|act| matches!(act, Act::Len(_))) {
                for at in (1..run.len()).rev() {
                    run.swap(at, luck.next_u64() as usize % (at + 1));
                }
            }
            acts
        }
    }
}

fn sectors(act: &Act) -> Vec<Act> {
    let Act::Write(offset, data) = act else { return vec![act.clone()] };
    let at = |index: usize| offset + (index * SECTOR_BYTES) as u64;
    let sectors = data.chunks(SECTOR_BYTES).enumerate();
    sectors.map(|(index, sector)| Act::Write(at(index), sector.to_vec())).collect()
}

/// A few, about half, most, all but one, or one alone. A resize is lost only with all that follow.
fn choose(acts: Vec<Act>, luck: &mut ChaCha20Rng) -> Vec<Act> {
    let manner = luck.next_u32() % 5;
    let odd = luck.next_u64() as usize % acts.len().max(1);
    let mut kept: Vec<bool> = (0..acts.len())
        .map(|at| match manner {
            0 => luck.next_u32().is_multiple_of(16),
            1 => luck.next_u32().is_multiple_of(2),
            2 => !luck.next_u32().is_multiple_of(16),
            3 => at != odd,
            _ => at == odd,
        })
        .collect();
    let mut grows = true;
    for (_, kept) in acts.iter().zip(&mut kept).filter(|(act, _)| matches!(act, Act::Len(_))) {
        grows &= *kept;
        *kept = grows;
    }
    acts.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(act, _)| act).collect()
}
