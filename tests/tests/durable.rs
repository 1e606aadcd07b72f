//! Promise 5: what is announced or acknowledged is durable. A disk whose syncs can be made to fail
//! shows that nothing leaves a node before its commit, and nothing at all after a failed one.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rukun_authority::{Charter, Keypair, Role};
use rukun_change::{Digest, Incarnation, Moment};
use rukun_replica::{InMemoryBackend, NewStore, Output, Replica, StorageBackend, Store, Unlock};
use rukun_tests::by_hand::{QUESTIONNAIRE, new_grant};
use serde_json::json;

const NOW: Moment = Moment { wall_ms: 1_665_800_000_000, steady_ms: 0 };

/// A disk in memory that fails every sync from some moment on.
#[derive(Debug)]
struct FailingDisk {
    disk: InMemoryBackend,
    fails: Arc<AtomicBool>,
}

impl StorageBackend for FailingDisk {
    fn len(&self) -> Result<u64, std::io::Error> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> Result<(), std::io::Error> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("the disk is gone"));
        }
        self.disk.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        self.disk.write(offset, data)
    }
}

fn office() -> (Replica, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(false));
    let disk = FailingDisk { disk: InMemoryBackend::new(), fails: Arc::clone(&fails) };
    let new = NewStore { device_seed: [3; 32], incarnation: Incarnation::from_bytes([3; 4]) };
    let mut entropy = ChaCha20Rng::from_seed([3; 32]);
    let store = Store::create(disk, Unlock::KeyFile(&[7; 32]), &new, &mut entropy).unwrap();
    let mut replica = Replica::open(store, [3; 32]).unwrap();
    let charter = Charter {
        name: "Regsosek".into(),
        code: "R".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: Digest::of(QUESTIONNAIRE),
        dictionary: None,
    };
    let grant = new_grant(replica.device(), Role::District, &["1811"]);
    replica.found(&Keypair::from_seed(&[1; 32]), charter, QUESTIONNAIRE, grant).unwrap();
    replica.commit().unwrap();
    while replica.poll().is_some() {}
    (replica, fails)
}

fn add(replica: &mut Replica) {
    let home = "1811010005000300".parse().unwrap();
    replica.add_record(NOW, home, None, &json!({"r108": "Siti"})).unwrap();
}

#[test]
fn nothing_is_announced_before_it_is_durable() {
    let (mut replica, _) = office();
    add(&mut replica);
    assert_eq!(replica.poll(), None, "announced before the commit");
    replica.commit().unwrap();
    assert!(matches!(replica.poll(), Some(Output::Event(_))));
}

#[test]
fn nothing_is_announced_after_a_failed_commit_and_the_node_stops() {
    let (mut replica, fails) = office();
    add(&mut replica);
    fails.store(true, Ordering::Relaxed);
    assert!(replica.commit().is_err());
    assert_eq!(replica.poll(), None, "announced what the disk refused");
    fails.store(false, Ordering::Relaxed);
    assert!(replica.commit().is_err(), "a store that failed once must be opened anew");
    assert_eq!(replica.poll(), None);
}
