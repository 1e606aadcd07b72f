//! A disk that harms a page of a node's store: what the harmed file still holds is saved into a new one,
//! and the rest comes back from a peer. Every page in turn, over real stores and real sessions.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rukun_authority::{Charter, Role};
use rukun_change::{ChangeId, Digest, Incarnation, RecordId};
use rukun_document::ConflictKind;
use rukun_replica::{CourierError, NewStore, OpenError, ParcelState, Replica, StorageBackend, Store, Unlock};
use rukun_store::{EntryKind, Salvaged};
use rukun_tests::by_hand::{Node, QUESTIONNAIRE, World, new_grant};
use serde_json::json;

const PAGE_BYTES: usize = 4096;
const KEY: Unlock<'_> = Unlock::KeyFile(&[7; 32]);
const HOME: &str = "1811010005000300";
const OFFICE: Node = Node(0);

/// A disk in memory whose bytes can be looked at.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Vec<u8>>>);

impl Disk {
    fn with_image(image: &[u8]) -> Self {
        Self(Arc::new(Mutex::new(image.to_vec())))
    }

    fn image(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.0.lock().unwrap();
        let from = disk.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap()[offset as usize..][..data.len()].copy_from_slice(data);
        Ok(())
    }
}

/// An office and an enumerator, who have work in common and each some that the other lacks.
struct Before {
    world: World,
    /// Both files, cut off after the last commit.
    office: Vec<u8>,
    enumerator: Vec<u8>,
    /// What the office lacks.
    undelivered: BTreeSet<ChangeId>,
}

const ENUMERATOR: Node = Node(1);

fn before() -> Before {
    let mut world = World::new(1);
    let (office, enumerator) = (Disk::default(), Disk::default());
    world.replicas[0] = made(&office, 2);
    found(&mut world);
    world.add_bare(9);
    world.replicas[1] = made(&enumerator, 9);
    let survey = world.replicas[0].survey().unwrap();
    world.replicas[1].join(survey).unwrap();
    world.replicas[1].set_addresses(&["kantor.example.id:7811".into()]).unwrap();
    world.commit(ENUMERATOR);
    world.grant(OFFICE, ENUMERATOR, Role::Enumerator, &[HOME]);
    meet(&mut world);
    let records: Vec<RecordId> = (0..20).map(|at| add(&mut world, at).0).collect();
    meet(&mut world);
    for (at, record) in records.iter().enumerate().take(8) {
        edit(&mut world, OFFICE, record, 30 + at);
    }
    let mut undelivered = BTreeSet::new();
    for at in 0..8 {
        undelivered.insert(edit(&mut world, ENUMERATOR, &records[at + 6], at));
        undelivered.insert(add(&mut world, 100 + at).1);
    }
    Before { office: office.image(), enumerator: enumerator.image(), undelivered, world }
}

fn made(disk: &Disk, seed: u8) -> Replica {
    let new = NewStore { device_seed: [seed; 32], incarnation: Incarnation::from_bytes([seed; 4]) };
    let store = Store::create(disk.clone(), KEY, &new, &mut entropy(seed.into())).unwrap();
    Replica::open(store, [seed; 32]).unwrap()
}

fn found(world: &mut World) {
    let charter = Charter {
        name: "Regsosek 2022".into(),
        code: "REGSOSEK22".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: Digest::of(QUESTIONNAIRE),
        dictionary: None,
    };
    let grant = new_grant(world.key(OFFICE), Role::District, &["1811"]);
    let root = world.root.clone();
    world.replicas[0].found(&root, charter, QUESTIONNAIRE, grant).unwrap();
    world.commit(OFFICE);
}

fn meet(world: &mut World) {
    world.link(ENUMERATOR, OFFICE);
    world.settle(10_000);
    world.cut_all();
}

fn add(world: &mut World, at: usize) -> (RecordId, ChangeId) {
    let patch = json!({ "r108": format!("Siti {at}"), "r110": at + 1 });
    let (now, home) = (world.now(), HOME.parse().unwrap());
    let added = world.replicas[1].add_record(now, home, None, &patch).unwrap();
    world.commit(ENUMERATOR);
    added
}

fn edit(world: &mut World, node: Node, record: &RecordId, at: usize) -> ChangeId {
    world.pass_ms(1_000);
    let now = world.now();
    let patch = json!({ "r108": format!("Siti of {at}") });
    let change = world.replicas[node.0].edit(now, record, None, &patch).unwrap().unwrap();
    world.commit(node);
    change
}

fn entropy(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn open(image: &[u8]) -> Result<Store, OpenError> {
    Store::open(Disk::with_image(image), KEY, entropy(5))
}

/// Every change in a file that is sound.
fn changes(image: &[u8]) -> BTreeSet<ChangeId> {
    let entries = open(image).unwrap().scan(0, usize::MAX).unwrap();
    let ids = entries.into_iter().filter_map(|entry| match entry.kind {
        EntryKind::Change { id, .. } => Some(id),
        EntryKind::Statement { .. } | EntryKind::Receipt { .. } | EntryKind::Released => None,
    });
    ids.collect()
}

/// What is done to a page.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Flip(usize),
    Zeroed(usize),
    Overwritten,
}

const HARMS: [Harm; 8] = [
    Harm::Flip(0),
    Harm::Flip(2),
    Harm::Flip(5),
    Harm::Flip(700),
    Harm::Flip(3_000),
    Harm::Zeroed(0),
    Harm::Zeroed(5),
    Harm::Overwritten,
];

impl Harm {
    fn done_to(self, image: &[u8], page: usize) -> Vec<u8> {
        let mut image = image.to_vec();
        let page = &mut image[page * PAGE_BYTES..][..PAGE_BYTES];
        match self {
            Self::Flip(at) => page[at] ^= 4,
            Self::Zeroed(sector) => page[sector * 512..][..512].fill(0),
            Self::Overwritten => entropy(3).fill_bytes(page),
        }
        image
    }
}

#[derive(Debug, Default)]
struct Tally {
    opened: u64,
    repaired: u64,
    whole: u64,
    changes: u64,
    waited: u64,
    lost: u64,
    own_lost: u64,
}

impl Before {
    /// Repairs the enumerator's file and lets it meet the office as it was: afterwards both hold the
    /// same, and of the enumerator's own work nothing lacks that still opened.
    fn repair(&mut self, harmed: &[u8], what: &str, tally: &mut Tally) {
        let disk = Disk::default();
        let (damaged, fresh) = (Disk::with_image(harmed), Incarnation::from_bytes([77; 4]));
        let made = Store::salvage(&damaged, KEY, disk.clone(), fresh, &mut entropy(6));
        let (store, saved): (Store, Salvaged) = made.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(damaged.image(), harmed, "{what}: the damaged file was written to");
        let office = Disk::with_image(&self.office);
        self.world.replicas[0] =
            Replica::open(Store::open(office.clone(), KEY, entropy(7)).unwrap(), [2; 32]).unwrap();
        self.world.replicas[1] =
            Replica::open(store, [9; 32]).unwrap_or_else(|error| panic!("{what}: {error}"));
        meet(&mut self.world);
        meet(&mut self.world);
        let (held, theirs) = (changes(&disk.image()), changes(&office.image()));
        assert_eq!(held, theirs, "{what}: {saved:?}");
        assert!(held.is_superset(&changes(&self.office)), "{what}: {saved:?}");
        let own_lost = self.undelivered.difference(&held).count() as u64;
        assert!(own_lost <= saved.lost + saved.waiting, "{what}: own work is gone in silence: {saved:?}");
        // It works on under its new incarnation, and nobody takes that for a fork.
        let (_, new) = add(&mut self.world, 500);
        meet(&mut self.world);
        assert!(changes(&office.image()).contains(&new), "{what}");
        let conflicts = self.world.replicas[0].status().unwrap().conflicts;
        assert_eq!(conflicts.get(&ConflictKind::SetAside), None, "{what}: {conflicts:?}");
        tally.repaired += 1;
        tally.whole += u64::from(saved.lost + saved.waiting + saved.unplaced == 0);
        tally.changes += saved.changes;
        tally.waited += saved.waiting;
        tally.lost += saved.lost;
        tally.own_lost += own_lost;
    }
}

#[test]
fn whatever_page_is_harmed_a_repair_and_a_peer_bring_everything_back() {
    let mut before = before();
    let mut tally = Tally::default();
    let image = before.enumerator.clone();
    for page in 0..image.len() / PAGE_BYTES {
        // Optimised, everything is tried; else a share of it.
        let (first, step) = if cfg!(debug_assertions) { (page % 4, 4) } else { (0, 1) };
        for harm in HARMS.into_iter().skip(first).step_by(step) {
            let harmed = harm.done_to(&image, page);
            if harmed == image {
                continue;
            }
            match open(&harmed) {
                Ok(_) => tally.opened += 1,
                Err(error) => {
                    assert!(error.to_string().contains("rukun repair"), "{error}");
                    before.repair(&harmed, &format!("page {page}, {harm:?}"), &mut tally);
                }
            }
        }
    }
    println!("{} pages: {tally:?}", image.len() / PAGE_BYTES);
    assert!(tally.repaired > 30 && tally.whole > 10, "{tally:?}");
    assert!(tally.own_lost * 20 < tally.repaired * before.undelivered.len() as u64, "{tally:?}");
}

#[test]
fn a_sound_file_gives_all_that_it_holds_and_every_setting() {
    let before = before();
    let (disk, fresh) = (Disk::default(), Incarnation::from_bytes([77; 4]));
    let damaged = Disk::with_image(&before.enumerator);
    let (store, saved) = Store::salvage(&damaged, KEY, disk.clone(), fresh, &mut entropy(6)).unwrap();
    assert_eq!((store.device_seed(), store.incarnation()), (&[9; 32], fresh));
    drop(store);
    let all = changes(&before.enumerator);
    assert_eq!(changes(&disk.image()), all);
    assert_eq!((saved.changes, saved.own), (all.len() as u64, all.len() as u64));
    assert_eq!((saved.lost, saved.waiting, saved.unplaced, saved.files), (0, 0, 0, 1));
    let addresses = saved.settings.values().flatten().any(|value| value == b"kantor.example.id:7811");
    assert!(addresses, "{:?}", saved.settings.keys());
}

#[test]
fn a_bundle_that_a_repair_could_not_save_is_carried_no_longer_and_the_list_says_so() {
    let mut before = before();
    let world = &mut before.world;
    let ani = world.add(20, OFFICE, Role::Enumerator, &["18110100050004"]);
    let (office, key, now) = (world.key(OFFICE), world.key(ani), world.now());
    let joining = world.replicas[0].write_bundle(&key).unwrap().bytes;
    world.replicas[ani.0].take_bundle(now, &joining).unwrap();
    let bundle = world.replicas[ani.0].write_bundle(&office).unwrap().bytes;
    let disk = Disk::with_image(&before.enumerator);
    let opened = || Replica::open(Store::open(disk.clone(), KEY, entropy(7)).unwrap(), [9; 32]).unwrap();
    let mut courier = opened();
    let digest = courier.carry(now, &bundle).unwrap().parcel.digest;
    courier.commit().unwrap();
    drop(courier);
    assert_eq!(opened().parcels()[0].state, ParcelState::Carried);
    let mut store = Store::open(disk.clone(), KEY, entropy(7)).unwrap();
    store.forget_blob(&digest).unwrap();
    store.commit().unwrap();
    drop(store);
    let mut courier = opened();
    let state = courier.parcels()[0].state.clone();
    assert!(matches!(&state, ParcelState::Refused { why } if why.contains("damaged")), "{state:?}");
    assert!(matches!(courier.carried(&digest), Err(CourierError::NotCarried { .. })));
    // Whoever brings it again finds room for it.
    courier.drop_parcel(&digest).unwrap();
    assert_eq!(courier.carry(now, &bundle).unwrap().state, ParcelState::Carried);
}

#[test]
fn another_key_repairs_nothing_and_a_file_without_a_key_says_what_to_do() {
    let before = before();
    let fresh = Incarnation::from_bytes([77; 4]);
    let repair = |image: &[u8], key: &[u8; 32]| {
        let made = Store::salvage(
            &Disk::with_image(image),
            Unlock::KeyFile(key),
            Disk::default(),
            fresh,
            &mut entropy(6),
        );
        made.map(|_| ()).unwrap_err()
    };
    assert!(matches!(repair(&before.enumerator, &[8; 32]), OpenError::WrongKeyFile));
    let nothing = repair(&vec![0; 40_960], &[7; 32]);
    assert!(nothing.to_string().contains("join as a new device"), "{nothing}");
}
