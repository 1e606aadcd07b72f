//! Repairing a damaged store: what it still holds goes into a new one of the same device, which takes its
//! place; the damaged file stays beside it. What was lost comes back from peers. A sound store is left
//! as it is.

use std::path::PathBuf;

use rukun_replica::{OpenError, Replica, Salvaged, Store, StoreError};
use serde::Serialize;

use crate::disk::{self, DiskError, Folder};
use crate::verbs::VerbError;

/// What a repair came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Changes that are in the new store.
    pub changes: u64,
    /// Of these, changes made on this device.
    pub own: u64,
    /// Changes that wait for something lost to come back from a peer.
    pub waiting: u64,
    /// Statements that are in the new store.
    pub statements: u64,
    /// Statements that rest on lost ones: peers bring both, but for what was made here and never sent.
    pub unplaced: u64,
    /// Places of the log that gave nothing, as far as can be told.
    pub lost: u64,
    /// Where the damaged file is kept.
    pub kept: PathBuf,
}

/// Repairs the store of a folder; nothing if it is sound.
///
/// # Errors
/// If there is no store, another process has it open, its key is lost, or the disk fails.
pub fn repair(folder: &Folder) -> Result<Option<Repaired>, VerbError> {
    match folder.open_store() {
        Ok(store) => {
            if is_sound(store)? {
                return Ok(None);
            }
        }
        // A slip of the fingers is no damage.
        Err(error @ DiskError::Open { source: OpenError::WrongPassphrase, .. }) => return Err(error.into()),
        Err(DiskError::Open { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let (store, salvaged, damaged) = folder.salvage()?;
    let mut replica = Replica::open(store, *disk::random()?)?;
    replica.set_addresses(&addresses(&salvaged))?;
    replica.commit()?;
    drop(replica);
    let kept = folder.replace(damaged)?;
    let Salvaged { changes, own, waiting, statements, unplaced, lost, .. } = salvaged;
    Ok(Some(Repaired { changes, own, waiting, statements, unplaced, lost, kept }))
}

/// Whether everything in a store that opened can be read.
fn is_sound(store: Store) -> Result<bool, VerbError> {
    let read = || -> Result<(), StoreError> {
        store.peers()?;
        store.waiting()?;
        store.scan(0, usize::MAX)?;
        store.derived_range(None, None, usize::MAX)?;
        for record in store.records(None, None, usize::MAX)? {
            store.record_changes(&record)?;
        }
        Ok(())
    };
    match read() {
        Err(StoreError::Damaged { .. } | StoreError::Recall { .. }) => return Ok(false),
        Err(error) => return Err(VerbError::new(error, "see to the disk, then try again").with_status(500)),
        Ok(()) => {}
    }
    Ok(Replica::open(store, *disk::random()?).is_ok_and(|replica| replica.addresses().is_ok()))
}

/// Every address that was ever kept here: which of them are outdated, a damaged file does not say.
fn addresses(salvaged: &Salvaged) -> Vec<String> {
    let kept = salvaged.settings.get("addresses").into_iter().flatten();
    let texts = kept.filter_map(|value| std::str::from_utf8(value).ok());
    let mut addresses: Vec<String> = texts.flat_map(str::lines).map(String::from).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::node::{Node, tests::district};
    use crate::verbs::{IdShape, Request, StatusShape};

    fn ask(folder: &Folder) -> (IdShape, StatusShape) {
        let mut node = Node::open(folder).unwrap();
        (node.ask(Request::Id).unwrap(), node.ask(Request::Status).unwrap())
    }

    #[test]
    fn a_damaged_store_is_replaced_and_kept_and_a_sound_one_is_left_alone() {
        let (parent, mut node) = district();
        let folder = Folder::at(parent.path().join("data"));
        for at in 0..5 {
            let (region, set) = ("1811010005000300".into(), vec![format!("r108=Siti {at}")]);
            node.answer(Request::RecordAdd { region, ink: None, patch: None, set }).unwrap();
        }
        node.answer(Request::PeerAdd { address: "kantor.example.id:7811".into() }).unwrap();
        let error = repair(&folder).unwrap_err();
        assert!(error.to_string().contains("in use"), "{error}");
        drop(node);
        let before = ask(&folder);
        assert_eq!(repair(&folder).unwrap(), None);

        let path = folder.path().join("rukun.redb");
        let mut damaged = fs::read(&path).unwrap();
        // The magic number: nothing of the file is found by its trees any more.
        damaged[0] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let told = Node::open(&folder).err().unwrap().to_string();
        assert!(told.contains("rukun repair"), "{told}");
        let repaired = repair(&folder).unwrap().unwrap();
        assert_eq!((repaired.changes, repaired.own, repaired.lost, repaired.unplaced), (5, 5, 0, 0));
        assert_eq!(fs::read(&repaired.kept).unwrap(), damaged);
        let after = ask(&folder);
        assert_eq!(after.0.device, before.0.device);
        assert_eq!((after.1.changes, after.1.statements), (before.1.changes, before.1.statements));
        let peers = Node::open(&folder).unwrap().answer(Request::PeerList).unwrap().to_string();
        assert!(peers.contains("kantor.example.id"), "{peers}");
        assert_eq!(repair(&folder).unwrap(), None);
    }
}
