//! What a store must hold, as plain maps: each act is done to a store and to the model, and the two are
//! compared. Other packages take this file in by its path, so it names its neighbours by `super`.

use std::collections::{BTreeMap, BTreeSet};

use rukun_change::{ChangeId, DeviceKey, Digest, Fingerprint, Incarnation, RecordId, StatementId, SubSls};
use rukun_store::{BlobState, Duplicate, EntryKind, IdentityKind, PeerState, Store};

use super::changes::{INCARNATION, author, device, pool, record, statement_id};

/// One thing done to a store.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Change(usize, Option<u8>),
    Statement(u8),
    Receipt(u8, u8),
    Elsewhere(u8, u64),
    NextN,
    Setting(u8, Option<u8>),
    Peer(u8, u64),
    Wait(u8, usize),
    Waited(u8, usize),
    Derive(usize, Vec<u8>),
    Stale,
    Erase(usize),
    Piece(u8),
    Incarnation(u8),
    Commit,
    Drop,
    PowerLoss(u64),
}

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    log: Vec<(Entry, Option<u8>)>,
    n: u64,
    incarnation: u8,
    settings: BTreeMap<u8, u8>,
    peers: BTreeMap<DeviceKey, u64>,
    waiting: BTreeMap<(DeviceKey, ChangeId), usize>,
    derived: BTreeMap<RecordId, Vec<u8>>,
    stale: BTreeSet<RecordId>,
    pieces: BTreeMap<u8, usize>,
    /// By sub-SLS and issuer, the place of the latest.
    receipts: BTreeMap<(SubSls, DeviceKey), u64>,
    alone: BTreeSet<(SubSls, u64)>,
    erased: BTreeSet<RecordId>,
    renewal_due: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Change(usize),
    Statement(u8),
    Receipt(u8),
}

const PIECES: usize = 3;
/// The statement that erases records.
const ERASURE: StatementId = StatementId::from_bytes([200; 32]);

/// What is done in each of the commits, so that every table changes and pages are freed and reused.
pub(crate) fn script(round: usize) -> Vec<Act> {
    let mut acts = vec![Act::NextN, Act::Statement(round as u8), Act::Piece(0)];
    for at in round * 8..round * 8 + 8 {
        acts.extend([Act::Change(at, Some(2)), Act::Derive(at, vec![at as u8 % 3])]);
    }
    acts.extend([Act::Peer(1, round as u64), Act::Wait(1, round), Act::Setting(0, Some(round as u8))]);
    acts.push(Act::Waited(1, round.saturating_sub(1)));
    acts.extend([Act::Receipt(round as u8, 2), Act::Change(40 + round, None), Act::Elsewhere(0, 9)]);
    // What comes of this record in the last round becomes stubs.
    acts.extend((round == 2).then_some(Act::Erase(0)));
    acts
}

impl Model {
    /// Does it to both; a store must answer as the model does.
    pub(crate) fn act(&mut self, store: &mut Store, act: &Act) -> Result<(), rukun_store::StoreError> {
        match act {
            Act::Change(at, from) => {
                let change = &pool()[*at];
                let fresh = !self.log.iter().any(|(entry, _)| *entry == Entry::Change(*at));
                let (record, sender) = (change.change().record, from.map(device));
                let erased = self.erased.contains(&record);
                let place = if erased {
                    store.append_stub(&change.to_header(), &ERASURE, sender.as_ref())?
                } else {
                    store.append_change(change, sender.as_ref())?
                };
                assert_eq!(place, fresh.then_some(self.log.len() as u64 + 1));
                if fresh {
                    self.log.push((Entry::Change(*at), *from));
                    if from.is_none() {
                        self.alone.insert((record.home(), self.head()));
                    }
                    if !erased {
                        self.stale.insert(record);
                    }
                }
            }
            Act::Statement(name) => {
                let fresh = !self.log.iter().any(|(entry, _)| *entry == Entry::Statement(*name));
                let place = store.append_statement(&statement_id(*name), &[*name; 100], None, None)?;
                assert_eq!(place, fresh.then_some(self.log.len() as u64 + 1));
                if fresh {
                    self.log.push((Entry::Statement(*name), None));
                }
            }
            Act::Receipt(name, issuer) => {
                let (home, issuer) = (record(name % 2, 0).home(), device(*issuer));
                let id = statement_id(*name);
                let place = store.append_receipt(&home, &issuer, &id, &[*name; 60], None)?;
                self.log.push((Entry::Receipt(*name), None));
                assert_eq!(place, self.head());
                self.receipts.insert((home, issuer), place);
            }
            Act::Elsewhere(sub_sls, upto) => {
                let home = record(*sub_sls, 0).home();
                store.held_elsewhere_upto(&home, *upto)?;
                self.alone.retain(|(of, place)| *of != home || place > upto);
            }
            Act::NextN => {
                assert_eq!(store.next_n()?, self.n + 1);
                self.n += 1;
            }
            Act::Setting(name, value) => {
                let long = value.map(|value| setting(*name, value));
                store.set_setting(&name.to_string(), long.as_deref())?;
                match value {
                    Some(value) => self.settings.insert(*name, *value),
                    None => self.settings.remove(name),
                };
            }
            Act::Peer(number, place) => {
                store.set_peer(&device(*number), &peer(*place))?;
                self.peers.insert(device(*number), *place);
            }
            Act::Wait(from, at) => {
                let change = &pool()[*at];
                store.put_waiting(&device(*from), &change.id(), &change.signed().to_bytes())?;
                self.waiting.insert((device(*from), change.id()), *at);
            }
            Act::Waited(from, at) => {
                let key = (device(*from), pool()[*at].id());
                assert_eq!(store.remove_waiting(&key.0, &key.1)?, self.waiting.remove(&key).is_some());
            }
            Act::Derive(at, numbers) => self.derive(store, pool()[*at].change().record, numbers)?,
            Act::Stale => {
                store.mark_stale(None)?;
                self.stale = self.records();
            }
            Act::Erase(at) => self.erase(store, pool()[*at].change().record)?,
            Act::Piece(file) => self.piece(store, *file)?,
            Act::Incarnation(number) => {
                store.set_incarnation(incarnation(*number))?;
                (self.n, self.incarnation) = (0, *number);
            }
            Act::Commit | Act::Drop | Act::PowerLoss(_) => {}
        }
        Ok(())
    }

    fn derive(
        &mut self,
        store: &mut Store,
        record: RecordId,
        numbers: &[u8],
    ) -> Result<(), rukun_store::StoreError> {
        if !self.records().contains(&record) {
            return Ok(());
        }
        let texts: Vec<String> = numbers.iter().map(u8::to_string).collect();
        let identities: Vec<_> = texts.iter().map(|text| (IdentityKind::Nik, text.as_str())).collect();
        store.put_derived(&record, numbers, &identities)?;
        self.derived.insert(record, numbers.to_vec());
        self.stale.remove(&record);
        Ok(())
    }

    fn erase(&mut self, store: &mut Store, record: RecordId) -> Result<(), rukun_store::StoreError> {
        let waits = |at: &usize| pool()[*at].change().record == record;
        let any = self.records().contains(&record) || self.waiting.values().any(waits);
        let fresh = any && !self.erased.contains(&record);
        assert_eq!(store.erase(&record, &ERASURE)?, fresh);
        if fresh {
            self.erased.insert(record);
            self.renewal_due = true;
            self.derived.remove(&record);
            self.stale.remove(&record);
            self.waiting.retain(|_, at| !waits(at));
        }
        Ok(())
    }

    fn piece(&mut self, store: &mut Store, file: u8) -> Result<(), rukun_store::StoreError> {
        let whole = vec![file; PIECES * 10];
        let held = self.pieces.entry(file).or_default();
        let offset = PIECES.saturating_sub(1).min(*held) as u64 * 10;
        let state = store.put_blob(&Digest::of(&whole), offset, whole.len() as u64, &[file; 10])?;
        *held = PIECES.min(*held + 1);
        let expected = match *held {
            PIECES => BlobState::Complete,
            held => BlobState::Partial { offset: held as u64 * 10 },
        };
        assert_eq!(state, expected);
        Ok(())
    }

    /// The store was made anew.
    pub(crate) fn renew(&mut self) {
        (self.renewal_due, self.stale) = (false, self.records());
    }

    pub(crate) fn head(&self) -> u64 {
        self.log.len() as u64
    }

    /// Those that were not erased.
    fn records(&self) -> BTreeSet<RecordId> {
        let records = self.changes().map(|at| pool()[at].change().record);
        records.filter(|record| !self.erased.contains(record)).collect()
    }

    fn changes(&self) -> impl Iterator<Item = usize> + '_ {
        self.log.iter().filter_map(|(entry, _)| match entry {
            Entry::Change(at) => Some(*at),
            Entry::Statement(_) | Entry::Receipt(_) => None,
        })
    }

    /// Whether the store holds what the model holds, asked in every way.
    pub(crate) fn agrees(&self, store: &Store) {
        self.log_agrees(store);
        self.indexes_agree(store);
        self.receipts_agree(store);
        for name in 0..3u8 {
            let value = self.settings.get(&name).map(|value| setting(name, *value));
            assert_eq!(store.setting(&name.to_string()).unwrap(), value);
        }
        let peers: Vec<_> = self.peers.iter().map(|(key, place)| (*key, peer(*place))).collect();
        assert_eq!(store.peers().unwrap(), peers);
        let waiting = self.waiting.iter();
        let waiting: Vec<_> =
            waiting.map(|((from, id), at)| (*from, *id, pool()[*at].signed().to_bytes())).collect();
        assert_eq!(store.waiting().unwrap(), waiting);
        for number in 1..4 {
            let count = waiting.iter().filter(|(from, ..)| *from == device(number)).count();
            assert_eq!(store.waits_of(&device(number)).changes, count);
        }
        self.derived_agrees(store);
        for file in 0..2u8 {
            let whole = vec![file; PIECES * 10];
            let held = self.pieces.get(&file).copied().unwrap_or_default();
            assert_eq!(store.blob_offset(&Digest::of(&whole)).unwrap(), held as u64 * 10);
            assert_eq!(store.blob(&Digest::of(&whole)).unwrap(), (held == PIECES).then_some(whole));
        }
    }

    fn log_agrees(&self, store: &Store) {
        assert_eq!(store.incarnation(), incarnation(self.incarnation));
        assert_eq!(store.head(), self.log.len() as u64);
        let entries = store.scan(0, usize::MAX).unwrap();
        assert_eq!(entries.len(), self.log.len());
        for (at, (entry, (expected, from))) in entries.iter().zip(&self.log).enumerate() {
            assert_eq!((entry.seq, entry.from), (at as u64 + 1, from.map(device)));
            match expected {
                Entry::Change(at) => {
                    let change = &pool()[*at];
                    let record = change.change().record;
                    assert_eq!(entry.kind, EntryKind::Change { id: change.id(), record });
                    let whole = Some(change).filter(|_| !self.erased.contains(&record));
                    assert_eq!(store.change(&change.id()).unwrap().as_ref(), whole);
                    assert_eq!(store.header(&change.id()).unwrap(), Some(change.to_header()));
                }
                Entry::Statement(name) => {
                    let id = statement_id(*name);
                    assert_eq!(entry.kind, EntryKind::Statement { id });
                    assert_eq!(store.statement(&id).unwrap(), Some(vec![*name; 100]));
                }
                Entry::Receipt(name) => {
                    assert_eq!(entry.kind, EntryKind::Receipt { id: statement_id(*name) });
                    assert_eq!(store.receipt_bytes(entry.seq).unwrap(), vec![*name; 60]);
                }
            }
        }
        let statements: Vec<_> = store.statements().unwrap().into_iter().map(|(id, _)| id).collect();
        let expected = self.log.iter().filter_map(|(entry, _)| match entry {
            Entry::Statement(name) => Some(statement_id(*name)),
            Entry::Change(_) | Entry::Receipt(_) => None,
        });
        assert_eq!(statements, expected.collect::<Vec<_>>());
        assert_eq!(store.scan(self.log.len() as u64 / 2, 2).unwrap(), {
            let rest = entries.iter().skip(self.log.len() / 2).take(2);
            rest.copied().collect::<Vec<_>>()
        });
    }

    fn indexes_agree(&self, store: &Store) {
        let records: Vec<_> = self.records().into_iter().collect();
        assert_eq!(store.records(None, None, usize::MAX).unwrap(), records);
        assert_eq!(store.change_count().unwrap(), self.changes().count() as u64);
        let all: BTreeSet<RecordId> = pool().iter().map(|change| change.change().record).collect();
        for record in &all {
            let held = self.changes().map(|at| &pool()[at]);
            let held: Vec<_> = held.filter(|change| change.change().record == *record).collect();
            let headers: Vec<_> = held.iter().map(|change| change.to_header()).collect();
            assert_eq!(store.record_headers(record).unwrap(), headers);
            let erased = self.erased.contains(record);
            assert_eq!(store.erased(record), erased.then_some(ERASURE));
            let whole: Vec<_> = held.into_iter().filter(|_| !erased).cloned().collect();
            assert_eq!(store.record_changes(record).unwrap(), whole);
        }
        assert_eq!(store.renewal_due().unwrap(), self.renewal_due);
        for (at, change) in pool().iter().enumerate() {
            let held = self.changes().any(|held| held == at);
            assert_eq!(store.has_change(&change.id()).unwrap(), held);
            let (record, ink) = (change.change().record, change.change().ink);
            let caused = self.changes().map(|at| &pool()[at]).any(|other| {
                other.change().record == record
                    && other.change().ink == ink
                    && other.body().hash == change.body().hash
            });
            assert_eq!(store.has_cause(&record, ink, &change.body().hash).unwrap(), caused);
        }
        let fork = self.changes().map(|at| &pool()[at]).filter(|change| change.change().n == 99);
        let fork = fork.map(|change| (change.id(), change.change().record));
        assert_eq!(store.same_number(&author(2), 99).unwrap(), fork.collect::<Vec<_>>());
        let mut sets: BTreeMap<_, BTreeSet<ChangeId>> = BTreeMap::new();
        for change in self.changes().map(|at| &pool()[at]) {
            sets.entry(change.change().record.home()).or_default().insert(change.id());
        }
        let fingerprints = store.fingerprints(&["1811".parse().unwrap()]).unwrap();
        assert_eq!(fingerprints.len(), sets.len());
        for (home, ids) in sets {
            assert_eq!(fingerprints[&home], ids.iter().map(ChangeId::as_bytes).collect::<Fingerprint>());
            assert_eq!(store.ids(&home).unwrap(), ids.into_iter().collect::<Vec<_>>());
        }
    }

    /// The latest receipts are found, and what nobody else is known to hold.
    fn receipts_agree(&self, store: &Store) {
        let mut latest: Vec<u64> = self.receipts.values().copied().collect();
        latest.sort_unstable();
        let bytes: Vec<Vec<u8>> = latest.iter().map(|place| store.receipt_bytes(*place).unwrap()).collect();
        assert_eq!(store.receipts().unwrap(), bytes);
        assert_eq!(store.alone_count(), self.alone.len() as u64);
        assert_eq!(store.alone_first().unwrap(), self.alone.iter().map(|(_, place)| *place).min());
        for home in [0, 1].map(|sub_sls| record(sub_sls, 0).home()) {
            let here = self.receipts.iter().filter(|((of, _), _)| *of == home);
            let expected: Vec<_> = here.map(|((_, issuer), place)| (*issuer, *place)).collect();
            assert_eq!(store.receipts_for(&home).unwrap(), expected);
            let alone = self.alone.iter().filter(|(of, _)| *of == home).map(|(_, place)| *place);
            assert_eq!(store.alone_in(&home).unwrap(), alone.collect::<Vec<_>>());
            let held = self.log.iter().zip(1u64..).filter_map(|((entry, from), place)| match entry {
                Entry::Change(at) if pool()[*at].change().record.home() == home => {
                    Some((place, *pool()[*at].id().as_bytes(), from.is_none()))
                }
                _ => None,
            });
            let items = store.items(&home).unwrap().into_iter();
            assert_eq!(
                items.map(|item| (item.seq, item.id, item.own)).collect::<Vec<_>>(),
                held.collect::<Vec<_>>()
            );
        }
    }

    fn derived_agrees(&self, store: &Store) {
        let stale = store.stale_records(None, usize::MAX).unwrap();
        assert_eq!(stale, self.stale.iter().copied().collect::<Vec<_>>());
        let views: Vec<_> = self.derived.clone().into_iter().collect();
        assert_eq!(store.derived_range(None, None, usize::MAX).unwrap(), views);
        let mut duplicates = Vec::new();
        for number in 0..3u8 {
            let having = self.derived.iter().filter(|(_, numbers)| numbers.contains(&number));
            let having: Vec<_> = having.map(|(record, _)| *record).collect();
            assert_eq!(
                store.same_identity(IdentityKind::Nik, &number.to_string(), usize::MAX).unwrap(),
                having
            );
            if having.len() > 1 {
                duplicates.push(Duplicate { kind: IdentityKind::Nik, records: having });
            }
        }
        duplicates.sort();
        assert_eq!(store.duplicates().unwrap(), duplicates);
    }
}

fn peer(place: u64) -> PeerState {
    PeerState {
        received: (place.is_multiple_of(2)).then_some((Incarnation::from_bytes([7; 4]), place)),
        acknowledged: place / 3,
        last_contact_ms: place as i64,
        knows_us: place.is_multiple_of(5),
        in_sync: place.is_multiple_of(7),
    }
}

/// The last of the settings is longer than a page.
fn setting(name: u8, value: u8) -> Vec<u8> {
    vec![value; if name == 2 { 9_000 } else { 7 }]
}

/// The one that stores are made with, and others.
fn incarnation(number: u8) -> Incarnation {
    if number == 0 { INCARNATION } else { Incarnation::from_bytes([number; 4]) }
}
