//! Erasure: the district says that a record is to be forgotten, and of every change of it the header alone
//! is left, wherever the word arrives and whatever comes back later. The ids stay in the set, so that
//! nodes go on agreeing.

use rukun_authority::{AdmittedHeader, Erasure, Keypair, Said, Statement, VerifiedHeader};
use rukun_change::{DeviceKey, RecordId, Region, StatementId};

use crate::erased::Erased;
use crate::input::Event;
use crate::local::{ActionError, reason_line};
use crate::replica::{Replica, ReplicaError};
use crate::take::Admission;

impl Replica {
    /// Erases a record for ever, here and wherever it is held.
    ///
    /// # Errors
    /// If whoever erases is no district there, the record is not held, or it was erased before.
    pub fn erase(
        &mut self,
        root: Option<&Keypair>,
        record: &RecordId,
        reason: &str,
    ) -> Result<Erased, ActionError> {
        let reason = reason_line(reason)?;
        self.held_known(record)?;
        let (by, home) = (root.map_or(self.device(), Keypair::key), record.home());
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let parent = trust.district_grant(&by, &home).ok_or(ActionError::NotTheDistrict { home })?;
        let said = Said::Erasure(Erasure { parent, record: *record, reason: reason.into() });
        self.say(root, said)?;
        self.erasure_of(record)?.ok_or_else(|| ActionError::Own("its erasure is not held".into()))
    }

    /// The records of a region, or all, that were erased and of which anything was held.
    ///
    /// # Errors
    /// If the store fails.
    pub fn erased(&self, region: Option<&Region>) -> Result<Vec<Erased>, ReplicaError> {
        let Some(trust) = &self.trust else { return Ok(Vec::new()) };
        let inside = |record: &&RecordId| region.is_none_or(|region| region.covers_sub_sls(&record.home()));
        let mut found = Vec::new();
        for record in trust.erased().filter(inside) {
            let erased = self.erasure_of(record)?;
            found.extend(erased.filter(|erased| erased.changes > 0));
        }
        Ok(found)
    }

    /// The erasure of a record, if one is held.
    ///
    /// # Errors
    /// If the store fails.
    pub fn erasure_of(&self, record: &RecordId) -> Result<Option<Erased>, ReplicaError> {
        let Some(id) = self.trust.as_ref().and_then(|trust| trust.erased_by(record)) else { return Ok(None) };
        let damaged = || ReplicaError::Statement { id };
        let bytes = self.store.statement(&id)?.ok_or_else(damaged)?;
        let statement = Statement::from_bytes(&bytes).map_err(|_| damaged())?;
        let Said::Erasure(Erasure { reason, .. }) = statement.said else { return Err(damaged()) };
        let changes = self.store.record_headers(record)?.len() as u64;
        let issuer = statement.issuer.device;
        Ok(Some(Erased { record: *record, statement: id, issuer, reason, changes }))
    }

    /// The headers of a record's changes, as they came: all that is left of one that was erased.
    ///
    /// # Errors
    /// If the store fails.
    pub fn headers_of(&self, record: &RecordId) -> Result<Vec<AdmittedHeader>, ReplicaError> {
        Ok(self.store.record_headers(record)?)
    }

    /// The record of an erasure that was just taken in is forgotten, and what was shown of it.
    pub(crate) fn erase_held(&mut self, record: &RecordId, by: &StatementId) -> Result<(), ReplicaError> {
        if cfg!(planted = "erasure-not-heeded") {
            return Ok(());
        }
        if self.store.erase(record, by)? {
            self.tell(Event::Erased { record: *record });
        }
        Ok(())
    }

    /// What is left of a change comes, or is made of one that came whole after its record was erased.
    pub(crate) fn admit_stub(
        &mut self,
        stub: VerifiedHeader,
        from: Option<&DeviceKey>,
    ) -> Result<Admission, ReplicaError> {
        let record = stub.header().record;
        if self.store.has_change(&stub.id())? {
            return Ok(Admission::Done(false));
        }
        let Some(trust) = &self.trust else { return Ok(Admission::Done(false)) };
        let by = trust.erased_by(&record);
        let by = by.or_else(|| cfg!(planted = "stub-unasked").then(|| StatementId::from_bytes([0; 32])));
        let (Some(by), Some(stub)) = (by, trust.judge_header(stub)) else {
            return Ok(Admission::NoStub);
        };
        self.store.append_stub(&stub, &by, from)?;
        if from.is_some() {
            self.unproved.insert(record.home());
        }
        self.note_fork(&stub)?;
        self.tell(Event::Changed { record, change: stub.id() });
        Ok(Admission::Done(true))
    }
}
