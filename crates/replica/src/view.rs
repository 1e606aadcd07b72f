//! Views of many records at once, derived and thrown away at will. A node that nobody asks, such
//! as a relay, never opens a document: views are made when they are looked at.

use rukun_authority::AdmittedChange;
use rukun_change::cbor::{CborError, Reader, Writer};
use rukun_change::{ChangeId, Fingerprint, Ink, RecordId, Region, Scalar, StatementId, SubSls};
use rukun_document::{Conflict, ConflictKind, Identity, Place, Reading};
use rukun_store::IdentityKind;
use std::collections::{BTreeMap, BTreeSet};

use crate::local::ActionError;
use crate::replica::{Replica, ReplicaError};

/// The variable that holds the name of a family's head.
const NAME_FIELD: &str = "r108";
/// How many records are made up at a time.
const REFRESH_RECORDS_MAX: usize = 512;
const NAME_BYTES_MAX: usize = 4_096;
/// Of the records that have a number too, so many are named. A number of zeros, typed wherever there was no
/// card, may stand in thousands: each of them is a conflict by itself, so that the list of them names all.
const OTHER_RECORDS_MAX: usize = 16;

/// A record in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordLine {
    /// The record.
    pub id: RecordId,
    /// The head of the family.
    pub name: String,
    /// How many members it has now.
    pub members: usize,
    /// The inks it is written in, lowest first.
    pub inks: Vec<Ink>,
    /// Its conflicts by kind, those with other records left out.
    pub conflicts: BTreeMap<ConflictKind, u64>,
    /// Whether it is marked gone.
    pub gone: bool,
    /// Whether it left this device's scope and is kept until the district has it.
    pub leaving: bool,
}

impl Replica {
    /// The records in a region after a given one.
    ///
    /// # Errors
    /// If the store fails.
    pub fn records(
        &mut self,
        region: Option<&Region>,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Result<Vec<RecordLine>, ReplicaError> {
        self.refresh(region, usize::MAX)?;
        let rows = self.store.derived_range(region, after, limit)?;
        let line = |(id, bytes): (RecordId, Vec<u8>)| {
            let line = read_line(id, &bytes).ok()?;
            Some(RecordLine { leaving: self.outgrown.contains(&id.home()), ..line })
        };
        Ok(rows.into_iter().filter_map(line).collect())
    }

    /// The conflicts in a region, of one kind or all, by record.
    ///
    /// # Errors
    /// If the store fails.
    pub fn conflicts(
        &mut self,
        region: Option<&Region>,
        kind: Option<ConflictKind>,
    ) -> Result<Vec<(RecordId, Vec<Conflict>)>, ActionError> {
        // One number may stand in records of two regions.
        self.refresh(None, usize::MAX)?;
        let duplicates = self.shared_numbers()?;
        let mut found = Vec::new();
        for line in self.records(region, None, usize::MAX)? {
            let own = line.conflicts.keys().any(|has| kind.is_none_or(|kind| kind == *has));
            let shared =
                duplicates.contains_key(&line.id) && kind.is_none_or(|kind| kind == ConflictKind::Duplicate);
            if own || shared {
                let mut conflicts = self.conflicts_of(&line.id)?;
                conflicts.retain(|conflict| kind.is_none_or(|kind| kind == conflict.kind));
                if !conflicts.is_empty() {
                    found.push((line.id, conflicts));
                }
            }
        }
        Ok(found)
    }

    /// The records of which anything is held, ascending. No view is made of them.
    ///
    /// # Errors
    /// If the store fails.
    pub fn record_ids(&self) -> Result<Vec<RecordId>, ReplicaError> {
        Ok(self.store.records(None, None, usize::MAX)?)
    }

    /// The changes of a record that are held, set-aside ones too, as they came.
    ///
    /// # Errors
    /// If the store fails.
    pub fn changes_of(&self, record: &RecordId) -> Result<Vec<AdmittedChange>, ReplicaError> {
        Ok(self.store.record_changes(record)?)
    }

    /// The ids of all changes held.
    ///
    /// # Errors
    /// If the store fails.
    pub fn change_ids(&self) -> Result<BTreeSet<ChangeId>, ReplicaError> {
        let mut ids = BTreeSet::new();
        for sub_sls in self.store.fingerprints(&everywhere())?.keys() {
            ids.extend(self.store.ids(sub_sls)?);
        }
        Ok(ids)
    }

    /// The statements held, charter included, as they travel and in the order in which they came.
    ///
    /// # Errors
    /// If the store fails.
    pub fn statements_held(&self) -> Result<Vec<Vec<u8>>, ReplicaError> {
        Ok(self.store.statements()?.into_iter().map(|(_, bytes)| bytes).collect())
    }

    /// The ids of the statements about the work of a sub-SLS, ascending.
    ///
    /// # Errors
    /// If the store fails.
    pub fn statements_about(&self, home: &SubSls) -> Result<Vec<StatementId>, ReplicaError> {
        Ok(self.store.statements_about(home)?)
    }

    /// The latest receipt of each issuer for each sub-SLS, or for one, as they travel.
    ///
    /// # Errors
    /// If the store fails.
    pub fn receipts_held(&self, home: Option<&SubSls>) -> Result<Vec<Vec<u8>>, ReplicaError> {
        let Some(home) = home else { return Ok(self.store.receipts()?) };
        let held = self.store.receipts_for(home)?.into_iter();
        Ok(held.map(|(_, seq)| self.store.receipt_bytes(seq)).collect::<Result<_, _>>()?)
    }

    /// The fingerprint of each sub-SLS in a region, or of all.
    ///
    /// # Errors
    /// If the store fails.
    pub fn fingerprints(
        &self,
        region: Option<&Region>,
    ) -> Result<BTreeMap<SubSls, Fingerprint>, ReplicaError> {
        let regions = match region {
            Some(region) => vec![*region],
            None => everywhere(),
        };
        Ok(self.store.fingerprints(&regions)?)
    }

    /// The conflicts of one record, those with other records too, as far as these were read since they changed.
    ///
    /// # Errors
    /// If there is no such record.
    pub fn conflicts_of(&self, record: &RecordId) -> Result<Vec<Conflict>, ActionError> {
        let reading = self.reading(record)?;
        let mut conflicts = reading.conflicts(self.questionnaire.as_ref());
        if let Some(questionnaire) = &self.questionnaire {
            for (identity, number, place) in reading.identities(questionnaire) {
                // Itself among them, and one by which it is seen that there are more.
                let limit = OTHER_RECORDS_MAX + 2;
                let same = self.store.same_identity(kind_of(identity), &number, limit);
                let same = same.map_err(ReplicaError::from)?.into_iter();
                let other: Vec<RecordId> = same.filter(|other| other != record).collect();
                if !other.is_empty() {
                    conflicts.push(duplicate(&reading, identity, place, other));
                }
            }
        }
        Ok(conflicts)
    }

    /// Makes up the views of records of a region, or of all, that changed since, at most so many.
    pub(crate) fn refresh(
        &mut self,
        region: Option<&Region>,
        records_max: usize,
    ) -> Result<(), ReplicaError> {
        let mut left = records_max;
        while left > 0 {
            let stale = self.store.stale_records(region, left.min(REFRESH_RECORDS_MAX))?;
            if stale.is_empty() {
                break;
            }
            for record in &stale {
                self.refresh_record(record)?;
            }
            left = left.saturating_sub(stale.len());
            // What is found in memory alone has to be told with what it was found in.
            self.prove_forks()?;
            self.store.commit()?;
        }
        Ok(())
    }

    /// How many records have conflicts of each kind, as far as views are made.
    pub(crate) fn conflict_counts(&self) -> Result<BTreeMap<ConflictKind, u64>, ReplicaError> {
        let mut counts = BTreeMap::new();
        for (id, bytes) in self.store.derived_range(None, None, usize::MAX)? {
            for (kind, count) in read_line(id, &bytes).map(|line| line.conflicts).unwrap_or_default() {
                *counts.entry(kind).or_default() += count;
            }
        }
        let duplicates: u64 = self.shared_numbers()?.values().sum();
        if duplicates > 0 {
            counts.insert(ConflictKind::Duplicate, duplicates);
        }
        Ok(counts)
    }

    fn refresh_record(&mut self, record: &RecordId) -> Result<(), ReplicaError> {
        let (_, reading) = self.held(record)?;
        let conflicts = reading.conflicts(self.questionnaire.as_ref());
        let line = line_of(&reading, &conflicts);
        let identities = self.questionnaire.as_ref().map(|questionnaire| reading.identities(questionnaire));
        let identities = identities.unwrap_or_default();
        let identities: Vec<(IdentityKind, &str)> =
            identities.iter().map(|(kind, number, _)| (kind_of(*kind), number.as_str())).collect();
        Ok(self.store.put_derived(record, &write_line(&line), &identities)?)
    }

    /// How many of its identity numbers each record shares with others, as far as they were read since they changed.
    ///
    /// # Errors
    /// If the store fails.
    pub fn shared_numbers(&self) -> Result<BTreeMap<RecordId, u64>, ReplicaError> {
        let mut counts = BTreeMap::new();
        for duplicate in self.store.duplicates()? {
            for record in duplicate.records {
                *counts.entry(record).or_default() += 1;
            }
        }
        Ok(counts)
    }
}

pub(crate) fn everywhere() -> Vec<Region> {
    (0..100).filter_map(|province| format!("{province:02}").parse().ok()).collect()
}

fn kind_of(identity: Identity) -> IdentityKind {
    match identity {
        Identity::Nik => IdentityKind::Nik,
        Identity::Kk => IdentityKind::Kk,
    }
}

fn duplicate(reading: &Reading, identity: Identity, place: Place, mut other: Vec<RecordId>) -> Conflict {
    let called = match identity {
        Identity::Nik => "NIK",
        Identity::Kk => "KK number",
    };
    let candidates =
        reading.answer(&place).map(|answer| vec![answer.effective().clone()]).unwrap_or_default();
    let cause = if other.len() > OTHER_RECORDS_MAX {
        format!(
            "the same {called} stands in more than {OTHER_RECORDS_MAX} other records, so it may mean \"unknown\"; \
             each of them is listed as a conflict"
        )
    } else {
        format!("the same {called} stands in {} other record(s)", other.len())
    };
    other.truncate(OTHER_RECORDS_MAX);
    let member = place.member;
    Conflict { kind: ConflictKind::Duplicate, place: Some(place), member, candidates, cause, other }
}

fn line_of(reading: &Reading, conflicts: &[Conflict]) -> RecordLine {
    let name = reading.answer(&Place { member: None, field: NAME_FIELD.into() });
    let name = match name.map(|answer| &answer.effective().value) {
        Some(Scalar::Text(name)) => name.clone(),
        _ => String::new(),
    };
    let mut counts = BTreeMap::new();
    for conflict in conflicts {
        *counts.entry(conflict.kind).or_default() += 1;
    }
    let (members, gone) = (reading.members().len(), reading.gone().is_some());
    RecordLine {
        id: *reading.id(),
        name,
        members,
        inks: reading.inks(),
        conflicts: counts,
        gone,
        leaving: false,
    }
}

fn write_line(line: &RecordLine) -> Vec<u8> {
    let mut bytes = Writer::new();
    bytes.array(5).text(&line.name).uint(line.members as u64).uint(line.gone.into()).array(line.inks.len());
    for ink in &line.inks {
        bytes.uint(ink.number());
    }
    bytes.array(line.conflicts.len());
    for (kind, count) in &line.conflicts {
        bytes.array(2).text(&kind.to_string()).uint(*count);
    }
    bytes.finish()
}

fn read_line(id: RecordId, bytes: &[u8]) -> Result<RecordLine, CborError> {
    let mut reader = Reader::new(bytes);
    reader.tuple(5)?;
    let name = reader.text(NAME_BYTES_MAX)?.to_owned();
    let members = reader.uint()? as usize;
    let gone = reader.uint()? == 1;
    let mut inks = Vec::new();
    for _ in 0..reader.array(Ink::ALL.len())? {
        inks.extend(Ink::from_number(reader.uint()?));
    }
    let mut conflicts = BTreeMap::new();
    for _ in 0..reader.array(16)? {
        reader.tuple(2)?;
        let kind = reader.text(32)?.parse().map_err(|_| CborError::Unexpected("a kind of conflict"))?;
        conflicts.insert(kind, reader.uint()?);
    }
    Ok(RecordLine { id, name, members, inks, conflicts, gone, leaving: false })
}
