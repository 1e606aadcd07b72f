//! What each peer is known to hold: the cursors of both directions. A hint: losing it costs bytes,
//! never a change.

use rukun_change::cbor::{CborError, Reader, Writer};
use rukun_change::{DeviceKey, Incarnation};

use crate::fault::StoreError;
use crate::store::Store;
use crate::tables::PEER;

/// What is known of a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerState {
    /// How far into its log we hold everything: its incarnation and the place.
    pub received: Option<(Incarnation, u64)>,
    /// How far into our log it acknowledged everything.
    pub acknowledged: u64,
    /// When it was last heard of, milliseconds since 1970.
    pub last_contact_ms: i64,
    /// Whether it holds the statements that speak of us.
    pub knows_us: bool,
    /// Whether fingerprints agreed when last compared.
    pub in_sync: bool,
}

impl Store {
    /// What is known of a peer.
    ///
    /// # Errors
    /// If the medium fails or the row is damaged.
    pub fn peer(&self, key: &DeviceKey) -> Result<Option<PeerState>, StoreError> {
        self.read(|txn| {
            let table = txn.look_in(PEER)?;
            let sealed = table.get(key.as_bytes())?;
            sealed.map(|sealed| self.unseal_peer(key.as_bytes(), sealed.value())).transpose()
        })
    }

    /// Keeps what is known of a peer.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn set_peer(&mut self, key: &DeviceKey, state: &PeerState) -> Result<(), StoreError> {
        self.write(|txn, vault, _| {
            let sealed = vault.keys.peer.seal(&mut vault.entropy, &PEER, key.as_bytes(), &state.to_bytes());
            txn.open_table(PEER)?.insert(key.as_bytes(), sealed.as_slice())?;
            Ok(())
        })
    }

    /// All peers, by key.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn peers(&self) -> Result<Vec<(DeviceKey, PeerState)>, StoreError> {
        self.read(|txn| {
            let table = txn.look_in(PEER)?;
            let peers = table.all()?.map(|row| {
                let (key, sealed) = row?;
                Ok((DeviceKey::from_bytes(*key.value()), self.unseal_peer(key.value(), sealed.value())?))
            });
            peers.collect()
        })
    }

    fn unseal_peer(&self, row: &[u8; 32], sealed: &[u8]) -> Result<PeerState, StoreError> {
        let bytes = self.vault.keys.peer.open(&PEER, row, sealed)?;
        PeerState::from_bytes(&bytes).map_err(|_| StoreError::damaged(&PEER, row))
    }
}

impl PeerState {
    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Writer::new();
        bytes.array(5);
        match self.received {
            Some((incarnation, seq)) => bytes.array(2).bytes(incarnation.as_bytes()).uint(seq),
            None => bytes.null(),
        };
        bytes.uint(self.acknowledged).int(self.last_contact_ms);
        bytes.uint(self.knows_us.into()).uint(self.in_sync.into());
        bytes.finish()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, CborError> {
        let mut reader = Reader::new(bytes);
        reader.tuple(5)?;
        let received = if reader.null() {
            None
        } else {
            reader.tuple(2)?;
            Some((Incarnation::from_bytes(reader.array_of()?), reader.uint()?))
        };
        let state = Self {
            received,
            acknowledged: reader.uint()?,
            last_contact_ms: reader.int()?,
            knows_us: reader.uint()? == 1,
            in_sync: reader.uint()? == 1,
        };
        reader.end()?;
        Ok(state)
    }
}
