//! A record's id, or the beginning of one, becomes what is held of it: its changes with their standing, and what is
//! read in them. Only looked at: what is written stands in `local.rs`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rukun_authority::{AdmittedChange, AdmittedHeader, Reason, Standing, Trust};
use rukun_change::{Author, RecordId};
use rukun_document::Reading;

use crate::local::ActionError;
use crate::replica::{Replica, ReplicaError};

/// The fewest letters by which a record can be named: less is sooner a slip than a name.
const BEGINNING_MIN: usize = 4;

type Held = Vec<(AdmittedChange, Standing)>;

/// What shares a number, read once for each: of one that was used a thousand times, a thousand changes ask.
#[derive(Default)]
pub(crate) struct Numbers(BTreeMap<(Author, u64), Vec<AdmittedHeader>>);

impl Replica {
    /// The record of a whole id or of a beginning that only one id has.
    ///
    /// # Errors
    /// If none or more than one begins so, or it is short.
    pub fn find_record(&self, text: &str) -> Result<RecordId, ActionError> {
        if let Ok(record) = text.parse::<RecordId>() {
            return Ok(record);
        }
        if text.len() < BEGINNING_MIN {
            return Err(ActionError::ShortRecord { text: text.into(), min: BEGINNING_MIN });
        }
        let digits = text.split('-').next().unwrap_or_default();
        let region = (2..=digits.len().min(16)).rev().find_map(|len| digits.get(..len)?.parse().ok());
        let records = self.store.records(region.as_ref(), None, usize::MAX).map_err(ReplicaError::from)?;
        let erased = self.trust.iter().flat_map(|trust| trust.erased().copied());
        let mut found = records.into_iter().chain(erased).filter(|record| {
            let id = record.to_string();
            id.starts_with(text) || id.split_once('-').is_some_and(|(_, salt)| salt.starts_with(text))
        });
        let first = found.next().ok_or_else(|| ActionError::NoRecord { text: text.into() })?;
        match found.next() {
            None => Ok(first),
            Some(second) => Err(ActionError::Ambiguous { text: text.into(), first, second }),
        }
    }

    /// What is read in a record.
    ///
    /// # Errors
    /// If there is no such record.
    pub fn reading(&self, record: &RecordId) -> Result<Reading, ActionError> {
        Ok(self.held_known(record)?.1)
    }

    /// The changes held of a record with their standing, and what is read in them.
    pub(crate) fn held(&self, record: &RecordId) -> Result<(Held, Reading), ReplicaError> {
        let mut held = Vec::new();
        let mut numbers = Numbers::default();
        for change in self.store.record_changes(record)? {
            let made = change.change();
            let same_number = numbers.forked(self, made.author, made.n)?;
            let judge = |trust: &Trust| trust.standing(&change, same_number);
            let mut standing = self.trust.as_ref().map_or(Standing::Good, judge);
            if cfg!(planted = "fork-first-kept") && standing == Standing::SetAside(Reason::Fork) {
                let same = self.store.same_number(&made.author, made.n)?;
                standing = if same.first().map(|(id, _)| *id) == Some(change.id()) {
                    Standing::Good
                } else {
                    standing
                };
            }
            held.push((change, standing));
        }
        let reading = Reading::read(*record, &held);
        Ok((held, reading))
    }

    pub(crate) fn held_known(&self, record: &RecordId) -> Result<(Held, Reading), ActionError> {
        let (held, reading) = self.held(record)?;
        if let Some(erased) = self.erasure_of(record)? {
            return Err(ActionError::Erased(Box::new(erased)));
        }
        if held.is_empty() {
            return Err(ActionError::NoRecord { text: record.to_string() });
        }
        Ok((held, reading))
    }
}

impl Numbers {
    /// The headers of all changes held that carry a number, if more than one does.
    pub(crate) fn forked(
        &mut self,
        replica: &Replica,
        author: Author,
        n: u64,
    ) -> Result<&[AdmittedHeader], ReplicaError> {
        Ok(match self.0.entry((author, n)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(replica.forked(&author, n)?),
        })
    }
}
