//! Receipts: the latest of each issuer for each sub-SLS, and what each was found to prove. They stand in
//! the log, where they go to peers from, and are no part of any fingerprint: a receipt would change
//! what it attests. One that another takes the place of is left in the log and found no more.

use std::collections::BTreeSet;

use rukun_change::{DeviceKey, Region, StatementId, SubSls};

use crate::entry::EntryKind;
use crate::fault::StoreError;
use crate::rows::{all_in, home_of, key_in, place_of};
use crate::staging::Staging;
use crate::store::Store;
use crate::tables::{ABOUT, CAUSE, ENTRY, LOG, PROOF, RECEIPT};

/// A change, or a statement about one, that is held in a sub-SLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeldItem {
    /// Its place in the log.
    pub seq: u64,
    /// Its id.
    pub id: [u8; 32],
    /// Whether it was made here.
    pub own: bool,
    /// Whether it is a change.
    pub is_change: bool,
}

/// What a receipt was found to cover in its sub-SLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Who gave the receipt.
    pub issuer: DeviceKey,
    /// Where in the log the receipt stands.
    pub seq: u64,
    /// Up to where in the log its set goes.
    pub upto: u64,
    /// Up to where, of what was made here.
    pub own_upto: u64,
}

impl Store {
    /// Appends a receipt in place of the one that its issuer gave there before, and gives its place in
    /// the log.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn append_receipt(
        &mut self,
        home: &SubSls,
        issuer: &DeviceKey,
        id: &StatementId,
        bytes: &[u8],
        from: Option<&DeviceKey>,
    ) -> Result<u64, StoreError> {
        self.write(|txn, vault, memory| {
            let seq = memory.head + 1;
            let sealed = vault.keys.statement.seal(&mut vault.entropy, &LOG, &seq.to_be_bytes(), bytes);
            txn.open_table(LOG)?.insert(seq, sealed.as_slice())?;
            let from = memory.number_from(txn, from)?;
            let entry = [&[2][..], id.as_bytes(), &from.to_be_bytes()].concat();
            txn.open_table(ENTRY)?.insert(seq, entry.as_slice())?;
            let before = txn.open_table(RECEIPT)?.insert(&key(home, issuer), seq)?.map(|seq| seq.value());
            before.map(|before| memory.receipts.remove(&before));
            memory.receipts.insert(seq, *home);
            memory.head = seq;
            Ok(seq)
        })
    }

    /// Where in the log an issuer's latest receipt for a sub-SLS stands.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn receipt(&self, home: &SubSls, issuer: &DeviceKey) -> Result<Option<u64>, StoreError> {
        self.read(|txn| Ok(txn.look_in(RECEIPT)?.get(&key(home, issuer))?.map(|seq| seq.value())))
    }

    /// The latest receipts for a sub-SLS: issuers, ascending, and places in the log.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn receipts_for(&self, home: &SubSls) -> Result<Vec<(DeviceKey, u64)>, StoreError> {
        self.read(|txn| {
            let (first, last) = (key(home, &lowest()), key(home, &highest()));
            let table = txn.look_in(RECEIPT)?;
            let rows = table.range::<&[u8; 40]>(&first..=&last)?;
            rows.map(|row| {
                let (key, seq) = row?;
                Ok((issuer_of(key.value()), seq.value()))
            })
            .collect()
        })
    }

    /// The latest receipts for what lies in these regions, none of which lies in another: ids and places in the
    /// log.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn receipts_in(&self, regions: &[Region]) -> Result<Vec<(StatementId, u64)>, StoreError> {
        self.read(|txn| {
            let (table, entries) = (txn.look_in(RECEIPT)?, txn.look_in(ENTRY)?);
            let mut receipts = Vec::new();
            for (first, last) in regions.iter().map(Region::bounds) {
                let (first, last) = (key(&first, &lowest()), key(&last, &highest()));
                for row in table.range::<&[u8; 40]>(&first..=&last)? {
                    let seq = row?.1.value();
                    let damaged = || StoreError::damaged(&ENTRY, &seq.to_be_bytes());
                    let entry = entries.get(seq)?.ok_or_else(damaged)?;
                    match self.memory.entry(seq, entry.value())?.kind {
                        EntryKind::Receipt { id } => receipts.push((id, seq)),
                        _ => return Err(damaged()),
                    }
                }
            }
            Ok(receipts)
        })
    }

    /// The ids of an issuer's latest receipts.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn receipts_by(&self, issuer: &DeviceKey) -> Result<Vec<StatementId>, StoreError> {
        self.read(|txn| {
            let entries = txn.look_in(ENTRY)?;
            let mut ids = Vec::new();
            for (seq, home) in &self.memory.receipts {
                if txn.look_in(RECEIPT)?.get(&key(home, issuer))?.is_none_or(|at| at.value() != *seq) {
                    continue;
                }
                let damaged = || StoreError::damaged(&ENTRY, &seq.to_be_bytes());
                let entry = entries.get(*seq)?.ok_or_else(damaged)?;
                match self.memory.entry(*seq, entry.value())?.kind {
                    EntryKind::Receipt { id } => ids.push(id),
                    _ => return Err(damaged()),
                }
            }
            Ok(ids)
        })
    }

    /// The latest receipts, in log order.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn receipts(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.memory.receipts.keys().map(|seq| self.receipt_bytes(*seq)).collect()
    }

    /// Of where the receipt is that stands at this place in the log, if it is its issuer's latest there.
    pub fn receipt_at(&self, seq: u64) -> Option<SubSls> {
        self.memory.receipts.get(&seq).copied()
    }

    /// The bytes of the receipt, latest or not, at a place in the log.
    ///
    /// # Errors
    /// If the medium fails or the row is damaged.
    pub fn receipt_bytes(&self, seq: u64) -> Result<Vec<u8>, StoreError> {
        self.read(|txn| {
            let row = seq.to_be_bytes();
            let table = txn.look_in(LOG)?;
            let sealed = table.get(seq)?.ok_or_else(|| StoreError::damaged(&LOG, &row))?;
            self.vault.keys.statement.open(&LOG, &row, sealed.value())
        })
    }

    /// Keeps what a receipt was found to cover. What it covers besides all that an earlier one of its
    /// issuer did, it covers in that one's place.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn prove(&mut self, home: &SubSls, proof: &Proof) -> Result<(), StoreError> {
        let earlier = self.proofs(home)?.into_iter().filter(|held| held.issuer == proof.issuer);
        let within: Vec<Proof> =
            earlier.filter(|held| held.upto <= proof.upto && held.own_upto <= proof.own_upto).collect();
        self.write(|txn, _, _| {
            let mut table = txn.open_table(PROOF)?;
            for held in within {
                table.remove(&proof_key(home, &held.issuer, held.seq))?;
            }
            table.insert(&proof_key(home, &proof.issuer, proof.seq), (proof.upto, proof.own_upto))?;
            Ok(())
        })
    }

    /// What receipts were found to cover in a sub-SLS, by issuer.
    ///
    /// # Errors
    /// If the medium fails.
    pub fn proofs(&self, home: &SubSls) -> Result<Vec<Proof>, StoreError> {
        self.read(|txn| {
            let (first, last) = (proof_key(home, &lowest(), 0), proof_key(home, &highest(), u64::MAX));
            let table = txn.look_in(PROOF)?;
            let rows = table.range::<&[u8; 48]>(&first..=&last)?;
            rows.map(|row| {
                let (key, covered) = row?;
                let (upto, own_upto) = covered.value();
                let seq = place_of(&PROOF, key.value())?;
                Ok(Proof { issuer: issuer_of(key.value()), seq, upto, own_upto })
            })
            .collect()
        })
    }

    /// The places of which there are receipts that prove nothing so far.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn unproved(&self) -> Result<BTreeSet<SubSls>, StoreError> {
        self.read(|txn| {
            let proofs = txn.look_in(PROOF)?;
            let mut places = BTreeSet::new();
            for row in txn.look_in(RECEIPT)?.all()? {
                let (key, seq) = row?;
                let (home, issuer) = (home_of(&RECEIPT, key.value())?, issuer_of(key.value()));
                if proofs.get(&proof_key(&home, &issuer, seq.value()))?.is_none() {
                    places.insert(home);
                }
            }
            Ok(places)
        })
    }

    /// All that is held in a sub-SLS and counts in its fingerprint, in log order.
    ///
    /// # Errors
    /// If the medium fails or a row is damaged.
    pub fn items(&self, home: &SubSls) -> Result<Vec<HeldItem>, StoreError> {
        self.read(|txn| {
            let mut places = places_in(txn, home)?;
            places.sort_unstable();
            let entries = txn.look_in(ENTRY)?;
            let items = places.into_iter().map(|seq| {
                let damaged = || StoreError::damaged(&ENTRY, &seq.to_be_bytes());
                let entry = entries.get(seq)?.ok_or_else(damaged)?;
                let entry = self.memory.entry(seq, entry.value())?;
                let (id, is_change) = match entry.kind {
                    EntryKind::Change { id, .. } => (*id.as_bytes(), true),
                    EntryKind::Statement { id } => (*id.as_bytes(), false),
                    EntryKind::Receipt { .. } | EntryKind::Released => return Err(damaged()),
                };
                Ok(HeldItem { seq, id, own: entry.from.is_none(), is_change })
            });
            items.collect()
        })
    }
}

/// Where in the log the changes of a sub-SLS stand, and the statements about them.
fn places_in(txn: &Staging, home: &SubSls) -> Result<Vec<u64>, StoreError> {
    let (causes, about) = (all_in::<57>(home), all_in::<40>(home));
    let mut places = Vec::new();
    for row in txn.look_in(CAUSE)?.range::<&[u8; 57]>(causes.start()..=causes.end())? {
        places.push(place_of(&CAUSE, row?.0.value())?);
    }
    for row in txn.look_in(ABOUT)?.range::<&[u8; 40]>(about.start()..=about.end())? {
        places.push(row?.1.value());
    }
    Ok(places)
}

/// The key of a row in [`RECEIPT`].
fn key(home: &SubSls, issuer: &DeviceKey) -> [u8; 40] {
    key_in(home, &[issuer.as_bytes()])
}

/// The key of a row in [`PROOF`].
fn proof_key(home: &SubSls, issuer: &DeviceKey, seq: u64) -> [u8; 48] {
    key_in(home, &[issuer.as_bytes(), &seq.to_be_bytes()])
}

fn lowest() -> DeviceKey {
    DeviceKey::from_bytes([0; 32])
}

fn highest() -> DeviceKey {
    DeviceKey::from_bytes([0xff; 32])
}

fn issuer_of(key: &[u8]) -> DeviceKey {
    let issuer = key.get(8..40).and_then(|issuer| issuer.try_into().ok());
    DeviceKey::from_bytes(issuer.expect("an issuer follows the sub-SLS"))
}
