//! A disk in memory, with everything that disks do wrong: what was not synced may be kept, lost, torn
//! or reordered when power goes; syncs fail, room runs out, sectors can't be read, bits flip.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use rukun_replica::StorageBackend;

use super::{Chance, Fault};

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// A disk. Its clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<State>>);

/// What goes wrong when a disk is asked to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The machine stops at a write, resize or sync, this many from now.
    StopsAfter(u64),
    /// Syncs fail.
    SyncFails,
    /// No write finds room any more, after this many.
    Full(u64),
    /// Nothing can be read any more.
    ReadFails,
}

/// What becomes of what was not synced when power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced {
    /// All of it made it.
    Kept,
    /// None of it did.
    Lost,
    /// Of each write, some sectors.
    Torn,
    /// Some of the writes, in another order.
    Reordered,
}

impl Unsynced {
    /// What it is counted as.
    pub fn fault(self) -> Fault {
        match self {
            Self::Kept => Fault::PowerLossKept,
            Self::Lost => Fault::PowerLossLost,
            Self::Torn => Fault::PowerLossTorn,
            Self::Reordered => Fault::PowerLossReordered,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    unsynced: Vec<Act>,
    trouble: Option<Trouble>,
    /// Whether the trouble has met somebody.
    hit: bool,
    stopped: bool,
}

#[derive(Debug)]
enum Act {
    Write { offset: usize, before: Vec<u8>, after: Vec<u8> },
    Resize { before: usize, tail: Vec<u8>, after: usize },
}

impl Disk {
    /// A disk that holds this.
    pub fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State { bytes, ..State::default() })))
    }

    /// Something will go wrong.
    pub fn trouble(&self, trouble: Trouble) {
        let mut state = self.state();
        (state.trouble, state.hit) = (Some(trouble), false);
    }

    /// The disk is sound again.
    pub fn heal(&self) {
        self.state().trouble = None;
    }

    /// The trouble, if it has met somebody.
    pub fn hit(&self) -> Option<Trouble> {
        let state = self.state();
        state.trouble.filter(|_| state.hit)
    }

    /// Whoever holds the disk can do nothing with it any more: its program is dead.
    pub fn stop(&self) {
        self.state().stopped = true;
    }

    /// A copy of what programs see.
    pub fn copy(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    /// What the next program finds when the last one was killed: all that it wrote.
    pub fn after_kill(&self) -> Vec<u8> {
        let mut state = self.state();
        state.stopped = true;
        std::mem::take(&mut state.bytes)
    }

    /// What the next program finds after power was lost, and how many writes were at stake.
    pub fn after_power_loss(&self, fate: Unsynced, chance: &mut Chance) -> (Vec<u8>, usize) {
        let mut state = self.state();
        state.stopped = true;
        let mut bytes = std::mem::take(&mut state.bytes);
        let mut acts = std::mem::take(&mut state.unsynced);
        if fate != Unsynced::Kept {
            acts.iter().rev().for_each(|act| act.undo(&mut bytes));
        }
        if fate == Unsynced::Reordered {
            for at in (1..acts.len()).rev() {
                acts.swap(at, chance.below(at + 1));
            }
        }
        for act in &acts {
            match fate {
                Unsynced::Torn => act.tear(&mut bytes, chance),
                Unsynced::Reordered if chance.one_in(2) => act.redo(&mut bytes),
                Unsynced::Kept | Unsynced::Lost | Unsynced::Reordered => {}
            }
        }
        (bytes, acts.len())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics with a disk in hand")
    }
}

impl State {
    fn alive(&self) -> io::Result<()> {
        if self.stopped { Err(io::Error::other("the machine has stopped")) } else { Ok(()) }
    }

    /// One more write, resize or sync: what is in the way of it.
    fn act(&mut self, is_sync: bool) -> io::Result<()> {
        self.alive()?;
        match &mut self.trouble {
            Some(Trouble::StopsAfter(0)) => {
                (self.hit, self.stopped) = (true, true);
                self.alive()
            }
            Some(Trouble::StopsAfter(left)) => {
                *left -= 1;
                Ok(())
            }
            Some(Trouble::SyncFails) if is_sync => {
                self.hit = true;
                Err(io::Error::other("the disk did not sync"))
            }
            Some(Trouble::Full(0)) if !is_sync => {
                self.hit = true;
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(Trouble::Full(left)) if !is_sync => {
                *left -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Act {
    fn undo(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, before, .. } => put(bytes, *offset, before),
            Self::Resize { before, tail, .. } => {
                bytes.resize(*before, 0);
                put(bytes, before - tail.len(), tail);
            }
        }
    }

    fn redo(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, after, .. } => put(bytes, *offset, after),
            Self::Resize { after, .. } => bytes.resize(*after, 0),
        }
    }

    fn tear(&self, bytes: &mut Vec<u8>, chance: &mut Chance) {
        match self {
            Self::Write { offset, after, .. } => {
                for (index, sector) in after.chunks(SECTOR_BYTES).enumerate() {
                    if chance.one_in(2) {
                        put(bytes, offset + index * SECTOR_BYTES, sector);
                    }
                }
            }
            Self::Resize { .. } if chance.one_in(2) => self.redo(bytes),
            Self::Resize { .. } => {}
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, piece: &[u8]) {
    let end = offset + piece.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(piece);
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        let state = self.state();
        state.alive()?;
        Ok(state.bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        if state.trouble == Some(Trouble::ReadFails) {
            state.hit = true;
            return Err(io::Error::other("the sector can't be read"));
        }
        let start = offset as usize;
        let from = state.bytes.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(from);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let (mut state, after) = (self.state(), len as usize);
        state.act(false)?;
        let before = state.bytes.len();
        let tail = state.bytes.get(after..).unwrap_or_default().to_vec();
        state.bytes.resize(after, 0);
        state.unsynced.push(Act::Resize { before, tail, after });
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        state.act(true)?;
        state.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (mut state, offset) = (self.state(), offset as usize);
        state.act(false)?;
        let end = (offset + data.len()).min(state.bytes.len());
        let before = state.bytes.get(offset..end).unwrap_or_default().to_vec();
        put(&mut state.bytes, offset, data);
        state.unsynced.push(Act::Write { offset, before, after: data.to_vec() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Disk {
        let disk = Disk::holding(vec![1; 2048]);
        disk.write(0, &[2; 1024]).unwrap();
        disk.sync_data().unwrap();
        disk.write(0, &[3; 1024]).unwrap();
        disk.set_len(4096).unwrap();
        disk.write(2048, &[4; 2048]).unwrap();
        disk
    }

    #[test]
    fn what_was_synced_is_there_after_power_loss_and_the_rest_meets_its_fate() {
        let chance = &mut Chance::new(1);
        let (kept, at_stake) = written().after_power_loss(Unsynced::Kept, chance);
        assert_eq!((kept[0], kept.len(), at_stake), (3, 4096, 3));
        let (lost, _) = written().after_power_loss(Unsynced::Lost, chance);
        assert_eq!((lost[0], lost[1024], lost.len()), (2, 1, 2048));
        let torn: Vec<Vec<u8>> =
            (0..20).map(|_| written().after_power_loss(Unsynced::Torn, chance).0).collect();
        assert!(torn.iter().any(|bytes| bytes[0] == 3 && bytes[512] == 2), "no write was torn");
        let reordered: Vec<Vec<u8>> =
            (0..20).map(|_| written().after_power_loss(Unsynced::Reordered, chance).0).collect();
        assert!(
            reordered.iter().any(|bytes| bytes[0] == 2 && bytes.len() == 4096),
            "no write came late alone"
        );
        assert!(torn.iter().chain(&reordered).all(|bytes| bytes[1024] == 1), "what was synced is gone");
    }

    #[test]
    fn trouble_comes_when_it_is_said_to_come() {
        let disk = Disk::holding(vec![0; 512]);
        disk.trouble(Trouble::StopsAfter(1));
        disk.write(0, &[1]).unwrap();
        assert!(
            disk.hit().is_none() && disk.sync_data().is_err() && disk.hit().is_some() && disk.len().is_err()
        );
        let disk = Disk::holding(vec![0; 512]);
        disk.trouble(Trouble::Full(0));
        assert_eq!(disk.write(0, &[1]).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(disk.sync_data().is_ok());
    }
}
