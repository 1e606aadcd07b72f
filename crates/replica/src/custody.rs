//! Where work is, as far as that is proved: on this device alone, held elsewhere, or at one of the tiers
//! above by a receipt. And the other way round: what this node should hold of each officer's work, and
//! which numbers are missing. Nothing here is believed of anybody but by acknowledgement, equality or
//! signature, so that too little may be shown and never too much.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use rukun_authority::{Role, Trust};
use rukun_change::{ChangeId, DeviceKey, Incarnation, RecordId, SubSls};
use rukun_store::{EntryKind, Proof};

use crate::replica::{Replica, ReplicaError};

/// How far a change is known to have come, ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// It was made here, and nobody else is known to hold it.
    HereAlone,
    /// It is held here, and no receipt of a superior covers it.
    Here,
    /// A supervisor holds it.
    Supervisor,
    /// A coordinator holds it.
    Coordinator,
    /// The district holds it.
    District,
}

/// Where the changes are that a device wrote, and whether any that it holds are nowhere else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Custody {
    /// How many of the changes that this device wrote have come how far at most.
    pub written: BTreeMap<Reached, u64>,
    /// How many changes, whoever wrote them, nobody else is known to hold.
    pub alone: u64,
    /// When the first of these was made, by its author's clock, milliseconds since 1970.
    pub alone_since_ms: Option<i64>,
}

/// An officer whose whole work this node should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfficerLine {
    /// The device.
    pub device: DeviceKey,
    /// Whose it is.
    pub name: String,
    /// Its highest role in force.
    pub role: Option<Role>,
    /// How many of its changes are held here.
    pub changes: u64,
    /// When it was last linked with this node, by this device's clock; 0 if never.
    pub last_contact_ms: i64,
    /// The numbers of its work, by incarnation of its store.
    pub incarnations: Vec<NumberLine>,
}

/// The numbers that an officer's changes and statements carry in one incarnation of its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberLine {
    /// The incarnation.
    pub incarnation: Incarnation,
    /// The highest number that is held.
    pub last: u64,
    /// The numbers below it that are not held.
    pub missing: Vec<RangeInclusive<u64>>,
}

/// What is proved of one sub-SLS.
struct Proved {
    /// The role in which this device itself keeps work there.
    own: Option<Role>,
    /// Tiers, up to where in the log, and up to where of what was made here.
    receipts: Vec<(Role, u64, u64)>,
    alone: BTreeSet<u64>,
}

impl Replica {
    /// How far each change of a record is known to have come.
    ///
    /// # Errors
    /// If the store fails.
    pub fn reached(&self, record: &RecordId) -> Result<BTreeMap<ChangeId, Reached>, ReplicaError> {
        let in_home = self.reached_in(&record.home())?;
        let of_record = self.changes_of(record)?.into_iter();
        Ok(of_record
            .filter_map(|change| in_home.get_key_value(&change.id()))
            .map(|(id, at)| (*id, *at))
            .collect())
    }

    /// How far each change of a sub-SLS is known to have come.
    ///
    /// # Errors
    /// If the store fails.
    pub fn reached_in(&self, home: &SubSls) -> Result<BTreeMap<ChangeId, Reached>, ReplicaError> {
        let proved = self.proved(home)?;
        let items = self.store.items(home)?.into_iter().filter(|item| item.is_change);
        let reached = items.map(|item| (ChangeId::from_bytes(item.id), proved.reached(item.seq, item.own)));
        Ok(reached.collect())
    }

    /// These changes were acknowledged by a peer.
    pub(crate) fn found_elsewhere(
        &mut self,
        changes: &BTreeMap<ChangeId, SubSls>,
    ) -> Result<(), ReplicaError> {
        if self.store.alone_count() == 0 {
            return Ok(());
        }
        for (id, home) in changes {
            if let Some(seq) = self.store.change_seq(id)? {
                self.elsewhere.insert((*home, seq));
            }
        }
        Ok(())
    }

    /// Writes down what others were found to hold.
    pub(crate) fn note_elsewhere(&mut self) -> Result<(), ReplicaError> {
        for (home, seq) in std::mem::take(&mut self.elsewhere) {
            self.store.held_elsewhere(&home, seq)?;
        }
        Ok(())
    }

    /// Whether something was written here that nobody else is known to hold.
    pub fn has_undelivered(&self) -> bool {
        self.store.alone_count() > 0
    }

    /// How far the changes that this device wrote are known to have come, and what nobody else is known to hold.
    ///
    /// # Errors
    /// If the store fails.
    pub fn custody(&mut self) -> Result<Custody, ReplicaError> {
        self.note_elsewhere()?;
        let mut custody = Custody { alone: self.store.alone_count(), ..Custody::default() };
        if let Some(seq) = self.store.alone_first()? {
            custody.alone_since_ms = self.made_ms(seq)?;
        }
        let mut written: BTreeMap<SubSls, Vec<(u64, bool)>> = BTreeMap::new();
        for (home, seq, own) in self.store.written_by(&self.device())? {
            written.entry(home).or_default().push((seq, own));
        }
        for (home, written) in written {
            let proved = self.proved(&home)?;
            for (seq, own) in written {
                *custody.written.entry(proved.reached(seq, own)).or_default() += 1;
            }
        }
        Ok(custody)
    }

    /// The officers whose whole work this node should hold, since it may read wherever they were ever
    /// granted anything, and the numbers that are missing of it.
    pub(crate) fn officers(&self) -> Result<Vec<OfficerLine>, ReplicaError> {
        let Some(trust) = &self.trust else { return Ok(Vec::new()) };
        let numbers = self.store.numbers()?;
        let mut lines = Vec::new();
        for device in self.covered_officers(trust) {
            let in_force = trust.grants_of(&device).into_iter().filter(|grant| !grant.in_force.is_empty());
            let mut line = OfficerLine {
                device,
                name: trust.name_of(&device).unwrap_or_default().into(),
                role: in_force.map(|grant| grant.role).min(),
                changes: 0,
                last_contact_ms: self.last_contact_ms(&device)?,
                incarnations: Vec::new(),
            };
            let mut runs: BTreeMap<Incarnation, Vec<RangeInclusive<u64>>> = BTreeMap::new();
            for (author, of_changes) in numbers.range(of(&device)) {
                line.changes += of_changes.changes;
                runs.entry(author.incarnation).or_default().extend(of_changes.runs.iter().cloned());
            }
            for (author, of_statements) in self.statement_numbers.range(of(&device)) {
                let runs = runs.entry(author.incarnation).or_default();
                runs.extend(of_statements.iter().map(|n| *n..=*n));
            }
            line.incarnations =
                runs.into_iter().map(|(incarnation, runs)| holes(incarnation, runs)).collect();
            lines.push(line);
        }
        Ok(lines)
    }

    fn covered_officers(&self, trust: &Trust) -> BTreeSet<DeviceKey> {
        let reads = trust.reads(&self.device());
        let mut devices: BTreeMap<DeviceKey, bool> = BTreeMap::new();
        for grant in trust.grants() {
            let within = grant.regions.iter().all(|region| reads.iter().any(|wide| wide.covers(region)));
            *devices.entry(grant.subject).or_insert(true) &= within;
        }
        devices.remove(&self.device());
        devices.into_iter().filter(|(_, within)| *within).map(|(device, _)| device).collect()
    }

    fn last_contact_ms(&self, device: &DeviceKey) -> Result<i64, ReplicaError> {
        let live = self.links.values().find(|link| link.is_live() && link.peer == *device);
        if let Some(link) = live {
            return Ok(link.state.last_contact_ms);
        }
        Ok(self.store.peer(device)?.unwrap_or_default().last_contact_ms)
    }

    /// When a change was made, by its author's clock.
    fn made_ms(&self, seq: u64) -> Result<Option<i64>, ReplicaError> {
        let entry = self.store.scan(seq.saturating_sub(1), 1)?.into_iter().next();
        let Some(EntryKind::Change { id, .. }) = entry.map(|entry| entry.kind) else { return Ok(None) };
        Ok(self.store.change(&id)?.map(|change| change.body().time_ms))
    }

    /// What is proved of a sub-SLS by receipts whose issuers' word counts.
    fn proved(&self, home: &SubSls) -> Result<Proved, ReplicaError> {
        let mut proved = Proved { own: None, receipts: Vec::new(), alone: BTreeSet::new() };
        let Some(trust) = &self.trust else { return Ok(proved) };
        proved.own = trust.receipt_grant(&self.device(), home).map(|(_, role)| role);
        // Its own word proves nothing to a device: it may be a superior there no more, and alone hold what it signed for.
        let by_others = |proof: &Proof| proof.issuer != self.device();
        for proof in self.store.proofs(home)?.into_iter().filter(by_others) {
            let (receipt, rank) = self.read_receipt(proof.seq)?;
            if let Some(role) = trust.attested_by(&rank.id, &receipt) {
                proved.receipts.push((role, proof.upto, proof.own_upto));
            }
        }
        let noted = self.elsewhere.iter().filter(|(place, _)| place == home).map(|(_, seq)| *seq);
        let noted: BTreeSet<u64> = noted.collect();
        let alone = self.store.alone_in(home)?.into_iter();
        proved.alone = alone.filter(|seq| !noted.contains(seq)).collect();
        Ok(proved)
    }
}

impl Proved {
    /// How far what stands at a place in the log, made here or not, is known to have come.
    fn reached(&self, seq: u64, own: bool) -> Reached {
        let covers = |(_, upto, own_upto): &&(Role, u64, u64)| seq <= *upto && (!own || seq <= *own_upto);
        let tiers = self.receipts.iter().filter(covers).map(|(role, ..)| *role).chain(self.own);
        match tiers.min() {
            Some(Role::District) => Reached::District,
            Some(Role::Coordinator) => Reached::Coordinator,
            Some(Role::Supervisor) => Reached::Supervisor,
            Some(Role::Enumerator) | None if self.alone.contains(&seq) => Reached::HereAlone,
            Some(Role::Enumerator) | None => Reached::Here,
        }
    }
}

impl Reached {
    /// All, ascending.
    pub const ALL: [Self; 5] =
        [Self::HereAlone, Self::Here, Self::Supervisor, Self::Coordinator, Self::District];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::HereAlone => "on this device alone",
            Self::Here => "on this device",
            Self::Supervisor => "at the supervisor",
            Self::Coordinator => "at the coordinator",
            Self::District => "at the district",
        }
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Every incarnation of a device.
fn of(device: &DeviceKey) -> RangeInclusive<rukun_change::Author> {
    let author =
        |byte| rukun_change::Author { device: *device, incarnation: Incarnation::from_bytes([byte; 4]) };
    author(0)..=author(0xff)
}

/// What lies between runs of numbers, in any order, from 1 to the last.
fn holes(incarnation: Incarnation, mut runs: Vec<RangeInclusive<u64>>) -> NumberLine {
    runs.sort_unstable_by_key(|run| (*run.start(), *run.end()));
    let mut line = NumberLine { incarnation, last: 0, missing: Vec::new() };
    for run in runs {
        if run.start().saturating_sub(1) > line.last {
            line.missing.push(line.last + 1..=*run.start() - 1);
        }
        line.last = line.last.max(*run.end());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_is_what_no_run_covers_below_the_last_number() {
        let line = holes(Incarnation::from_bytes([1; 4]), vec![5..=6, 2..=3, 6..=6, 9..=9]);
        assert_eq!((line.last, line.missing), (9, vec![1..=1, 4..=4, 7..=8]));
        let whole = holes(Incarnation::from_bytes([1; 4]), vec![3..=4, 1..=2]);
        assert_eq!((whole.last, whole.missing), (4, vec![]));
        let most = holes(Incarnation::from_bytes([1; 4]), vec![u64::MAX..=u64::MAX; 2]);
        assert_eq!(most.missing, [1..=u64::MAX - 1]);
    }
}
