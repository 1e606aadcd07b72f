//! What can be seen of a store at little cost, to tell one committed state from another: everything but
//! the bodies of changes and what indexes find, which are asked for at a sample of the points.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rukun_change::{ChangeId, DeviceKey, Digest, Fingerprint, Incarnation, RecordId, StatementId, SubSls};
use rukun_store::{Duplicate, LogEntry, PeerState, Store, StoreError, Waits};

use super::changes::device;

/// Their keys take longer to make than a store to open.
static DEVICES: LazyLock<[DeviceKey; 3]> = LazyLock::new(|| [1, 2, 3].map(device));

/// A state of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    n: u64,
    incarnation: Incarnation,
    entries: Vec<LogEntry>,
    statements: Vec<StatementId>,
    records: Vec<RecordId>,
    fingerprints: BTreeMap<SubSls, Fingerprint>,
    alone: Vec<Vec<u64>>,
    peers: Vec<(DeviceKey, PeerState)>,
    waiting: Vec<(DeviceKey, ChangeId)>,
    waits: Vec<Waits>,
    views: Vec<(RecordId, Vec<u8>)>,
    stale: Vec<RecordId>,
    duplicates: Vec<Duplicate>,
    settings: Vec<Option<Vec<u8>>>,
    blobs: Vec<u64>,
}

impl Snapshot {
    /// What is seen of this store. It takes a running number, which is not committed.
    pub(super) fn of(store: &mut Store) -> Result<Self, String> {
        Self::read(store).map_err(|error| format!("it can't be read: {error}"))
    }

    fn read(store: &mut Store) -> Result<Self, StoreError> {
        let blob = |file: u8| store.blob_offset(&Digest::of(&[file; 30]));
        let fingerprints = store.fingerprints(&["1811".parse().unwrap()])?;
        Ok(Self {
            alone: fingerprints.keys().map(|home| store.alone_in(home)).collect::<Result<_, _>>()?,
            incarnation: store.incarnation(),
            entries: store.scan(0, usize::MAX)?,
            statements: store.statement_ids()?,
            records: store.records(None, None, usize::MAX)?,
            fingerprints,
            peers: store.peers()?,
            waiting: store.waiting()?.into_iter().map(|(from, id, _)| (from, id)).collect(),
            views: store.derived_range(None, None, usize::MAX)?,
            waits: DEVICES.iter().map(|device| store.waits_of(device)).collect(),
            stale: store.stale_records(None, usize::MAX)?,
            duplicates: store.duplicates()?,
            settings: (0..3u8).map(|name| store.setting(&name.to_string())).collect::<Result<_, _>>()?,
            blobs: (0..2).map(blob).collect::<Result<_, _>>()?,
            n: store.next_n()?,
        })
    }

    /// The first difference.
    pub(super) fn differs_from(&self, found: &Self) -> String {
        let pairs = [
            ("end of the log", self.entries.len() as u64, found.entries.len() as u64),
            ("n", self.n, found.n),
            ("statements", self.statements.len() as u64, found.statements.len() as u64),
            ("records", self.records.len() as u64, found.records.len() as u64),
        ];
        let differs = pairs.into_iter().find(|(_, expected, found)| expected != found);
        differs.map_or_else(
            || format!("\n  expected {self:?}\n  found    {found:?}"),
            |(what, expected, found)| format!("{what} is {found}, {expected} was committed"),
        )
    }
}
