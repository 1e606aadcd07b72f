//! A node of the world: a replica while its program runs, the file that it leaves behind, its clock,
//! its officer's place in the survey.

use std::collections::BTreeSet;
use std::fmt;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rukun_authority::{Keypair, Role};
use rukun_change::{ChangeId, DeviceKey, Incarnation, Moment};
use rukun_replica::{NewStore, OpenError, Replica, ReplicaError, Store, Unlock};

use super::Chance;
use super::disk::{Disk, Unsynced};

/// When the world begins.
const WALL_MS: i64 = 1_665_800_000_000;
const KEY_FILE: [u8; 32] = [7; 32];
/// How many copies of a store are kept.
const BACKUPS_MAX: usize = 3;

/// How a program ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// The program alone: the system has all that it wrote.
    Program,
    /// The machine, within a commit or not.
    Machine(Unsynced),
}

/// A copy of a store's file, and what it held.
pub(super) struct Backup {
    pub(super) image: Vec<u8>,
    pub(super) held: BTreeSet<ChangeId>,
    /// The device's key then.
    pub(super) key: DeviceKey,
}

pub(super) struct Node {
    pub(super) role: Role,
    pub(super) upstream: usize,
    pub(super) key: DeviceKey,
    /// Keys that this store had before: what they were granted, it may still hold.
    pub(super) former: Vec<DeviceKey>,
    pub(super) replica: Option<Replica>,
    pub(super) disk: Disk,
    /// The file, while no program runs.
    image: Vec<u8>,
    /// How the program will end when its disk stops it.
    pub(super) end: End,
    /// When the program starts again.
    pub(super) up_at_ms: u64,
    /// Until when the officer is nowhere near a network.
    pub(super) away_until_ms: u64,
    pub(super) clock_off_ms: i64,
    /// How many stores this node has had: every restored or new one counts.
    pub(super) stores: u64,
    pub(super) backups: Vec<Backup>,
    /// Kill it between handling and committing.
    pub(super) dies_before_commit: bool,
    /// Its store was put back without anyone telling it.
    pub(super) put_back: bool,
    entropy: Chance,
}

impl Node {
    /// A node with an empty store and a key of its own.
    pub(super) fn new(role: Role, upstream: usize, chance: &mut Chance) -> Self {
        let mut entropy = Chance::new(chance.u64());
        let (key, disk, replica) = begin(&mut entropy);
        Self {
            role,
            upstream,
            key,
            former: Vec::new(),
            replica: Some(replica),
            disk,
            image: Vec::new(),
            end: End::Program,
            up_at_ms: 0,
            away_until_ms: 0,
            clock_off_ms: 0,
            stores: 0,
            backups: Vec::new(),
            dies_before_commit: false,
            put_back: false,
            entropy,
        }
    }

    /// A new device in place of this one: nothing is left of what it held.
    pub(super) fn begin_anew(&mut self) {
        self.stop();
        (self.key, self.disk, self.replica) = {
            let (key, disk, replica) = begin(&mut self.entropy);
            (key, disk, Some(replica))
        };
        self.image.clear();
        self.backups.clear();
        self.former.clear();
        self.stores += 1;
        self.put_back = false;
    }

    /// Ends the program, whatever it was doing. Gives how many unsynced writes were at stake.
    pub(super) fn stop(&mut self) -> usize {
        let Some(replica) = self.replica.take() else { return 0 };
        self.disk.stop();
        drop(replica);
        self.dies_before_commit = false;
        let (image, at_stake) = match std::mem::replace(&mut self.end, End::Program) {
            End::Program => (self.disk.after_kill(), 0),
            End::Machine(fate) => self.disk.after_power_loss(fate, &mut self.entropy),
        };
        self.image = image;
        at_stake
    }

    /// Starts the program on the file that is there. The file stays if it can't be opened.
    pub(super) fn start(&mut self) -> Result<(), StartError> {
        // Without a copy: most starts succeed, and the files are large.
        let disk = Disk::holding(std::mem::take(&mut self.image));
        self.start_on(disk.clone()).inspect_err(|_| self.image = disk.after_kill())
    }

    /// Starts the program on a disk with its troubles.
    pub(super) fn start_on(&mut self, disk: Disk) -> Result<(), StartError> {
        let entropy = ChaCha20Rng::from_seed(self.entropy.bytes());
        let mut store = Store::open(disk.clone(), Unlock::KeyFile(&KEY_FILE), entropy)?;
        let mut disk = disk;
        if store.renewal_due().map_err(ReplicaError::from)? {
            (store, disk) = self.renewed(&store)?;
        }
        let mut replica = Replica::open(store, self.entropy.bytes())?;
        replica.sum_up()?;
        self.key = replica.device();
        self.replica = Some(replica);
        self.disk = disk;
        self.image.clear();
        Ok(())
    }

    /// The same store in another file, after an erasure.
    fn renewed(&mut self, store: &Store) -> Result<(Store, Disk), StartError> {
        let (disk, key) = (Disk::default(), Unlock::KeyFile(&KEY_FILE));
        let mut luck = ChaCha20Rng::from_seed(self.entropy.bytes());
        store.renew_to(disk.clone(), key, key, |_| None, &mut luck)?;
        Ok((Store::open(disk.clone(), key, luck)?, disk))
    }

    /// The file that the program left behind.
    pub(super) fn image(&self) -> &[u8] {
        &self.image
    }

    /// Puts another file there while the program is down.
    pub(super) fn put(&mut self, image: Vec<u8>) {
        self.image = image;
        self.stores += 1;
    }

    /// Puts the same file there again.
    pub(super) fn put_sound(&mut self, image: Vec<u8>) {
        self.image = image;
    }

    /// Gives the restored store a new incarnation, as one who restores it knowingly does.
    pub(super) fn begin_incarnation(&mut self) -> Result<(), StartError> {
        let disk = Disk::holding(self.image.clone());
        let entropy = ChaCha20Rng::from_seed(self.entropy.bytes());
        let mut store = Store::open(disk.clone(), Unlock::KeyFile(&KEY_FILE), entropy)?;
        let incarnation = Incarnation::from_bytes(self.entropy.bytes());
        store.set_incarnation(incarnation).map_err(ReplicaError::from)?;
        store.commit().map_err(ReplicaError::from)?;
        drop(store);
        self.image = disk.after_kill();
        Ok(())
    }

    /// Puts a copy of the store aside.
    pub(super) fn back_up(&mut self, held: &BTreeSet<ChangeId>) {
        if self.replica.is_some() && self.backups.len() < BACKUPS_MAX {
            self.backups.push(self.copy(held));
        }
    }

    pub(super) fn copy(&self, held: &BTreeSet<ChangeId>) -> Backup {
        Backup { image: self.disk.copy(), held: held.clone(), key: self.key }
    }

    /// The time as this node's clocks tell it.
    pub(super) fn clock(&self, now_ms: u64) -> Moment {
        Moment { wall_ms: WALL_MS + now_ms as i64 + self.clock_off_ms, steady_ms: now_ms }
    }
}

fn begin(entropy: &mut Chance) -> (DeviceKey, Disk, Replica) {
    let new =
        NewStore { device_seed: entropy.bytes(), incarnation: Incarnation::from_bytes(entropy.bytes()) };
    let key = Keypair::from_seed(&new.device_seed).key();
    let disk = Disk::default();
    let mut luck = ChaCha20Rng::from_seed(entropy.bytes());
    let store = Store::create(disk.clone(), Unlock::KeyFile(&KEY_FILE), &new, &mut luck);
    let store = store.expect("an empty disk without troubles takes a store");
    let replica = Replica::open(store, entropy.bytes()).expect("an empty store opens");
    (key, disk, replica)
}

/// Why a program did not start.
#[derive(Debug)]
pub(super) enum StartError {
    Open(OpenError),
    Replica(ReplicaError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Replica(error) => error.fmt(f),
        }
    }
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<ReplicaError> for StartError {
    fn from(error: ReplicaError) -> Self {
        Self::Replica(error)
    }
}
