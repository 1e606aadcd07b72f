//! Evidence becomes a [`VerifiedEvidence`]: trust is founded from its charter alone, each statement and
//! each change goes through the gate, in the order in which the file has them, and what is left is a
//! record as any node reads it. Whatever does not hold is a [`Flaw`], and one is enough.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use rukun_authority::{
    AdmittedChange, AdmittedHeader, GrantView, Missing, Refusal, Said, Standing, StatementRefusal,
    StatementVerdict, Trust, TrustError, Verdict, VerifiedChange,
};
use rukun_change::{
    Author, CauseHash, ChangeId, DeviceKey, Ink, RecordId, Region, SignedChange, StatementId, SurveyId,
};
use rukun_document::Reading;

use crate::bearing::{Subject, bearing};
use crate::evidence::{Evidence, SignedEvidence};

/// A record and what is known of its authors, by a file in which everything holds.
#[derive(Clone, Debug)]
pub struct VerifiedEvidence {
    exporter: DeviceKey,
    time_ms: i64,
    trust: Trust,
    /// Every grant, and what it rests on.
    grants: BTreeMap<StatementId, (GrantView, StatementId)>,
    statements: usize,
    reading: Reading,
}

impl VerifiedEvidence {
    /// Checks everything. Without the survey's id the file proves only what it says of itself: anyone can
    /// found a survey of the same name.
    ///
    /// # Errors
    /// [`Flaw`], the first that is found.
    pub fn verify(signed: &SignedEvidence, survey: Option<&SurveyId>) -> Result<Self, Flaw> {
        let evidence = &signed.evidence;
        let (charter, others) = evidence.statements.split_first().ok_or(Flaw::Empty)?;
        let mut trust = Trust::found(charter)?;
        let found = *trust.survey();
        if let Some(expected) = survey.filter(|expected| **expected != found) {
            return Err(Flaw::OtherSurvey { found, expected: *expected });
        }
        if !signed.is_vouched_for(&found) {
            return Err(Flaw::NotVouched { exporter: evidence.exporter });
        }
        let mut ids = vec![trust.statement_id(charter)];
        let mut parents = BTreeMap::new();
        for (at, statement) in (2..).zip(others) {
            let id = match trust.judge_statement(statement) {
                StatementVerdict::Admit(id) => id,
                StatementVerdict::Wait(lacking) => return Err(Flaw::Unfounded { at, lacking }),
                StatementVerdict::Refuse(refusal) => return Err(Flaw::Statement { at, refusal }),
            };
            ids.push(id);
            parents.extend(granted_under(&statement.said).map(|parent| (id, parent)));
        }
        if !trust.ever_covered(&evidence.exporter, &evidence.record.home()) {
            return Err(Flaw::Stranger { exporter: evidence.exporter, record: evidence.record });
        }
        let held = admit(&trust, evidence)?;
        let reading = Reading::read(evidence.record, &held);
        let in_order = reading.log().iter().map(|logged| logged.change);
        if !in_order.eq(held.iter().map(|(change, _)| change.id())) {
            return Err(Flaw::ChangesOutOfOrder);
        }
        if bearing(&trust, &evidence.statements, subject(evidence, &held)) != ids {
            return Err(Flaw::Idle);
        }
        let views = trust.grants().into_iter();
        let grants = views.filter_map(|view| Some((view.id, (view.clone(), *parents.get(&view.id)?))));
        Ok(Self {
            exporter: evidence.exporter,
            time_ms: evidence.time_ms,
            grants: grants.collect(),
            trust,
            statements: evidence.statements.len(),
            reading,
        })
    }

    /// The device that wrote the file and vouches that nothing was left out.
    pub fn exporter(&self) -> &DeviceKey {
        &self.exporter
    }

    /// When it was written, by that device's clock.
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// What follows from the statements in it.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// How many statements it holds, the charter among them.
    pub fn statements(&self) -> usize {
        self.statements
    }

    /// The record as every node reads it that holds the same.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// The grants that came down to a device, the root's first, by which it might write this ink in the
    /// record; if none of its grants says so, those by which its work was let in. Before a key that follows
    /// another stands the grant of that one.
    pub fn path(&self, device: &DeviceKey, ink: Ink) -> Vec<&GrantView> {
        let home = self.reading.id().home();
        let here = |regions: &[Region]| regions.iter().any(|region| region.covers_sub_sls(&home));
        let own = self.grants.values().filter(|(grant, _)| grant.subject == *device && here(&grant.regions));
        let rank = |(grant, _): &&(GrantView, StatementId)| {
            let writes = grant.role.inks().contains(&ink);
            (!writes, !here(&grant.in_force), grant.role, grant.serial, grant.id)
        };
        let above = |(_, parent): &&(GrantView, StatementId)| self.grants.get(parent);
        let steps = std::iter::successors(own.min_by_key(rank), above);
        let mut path: Vec<&GrantView> = steps.map(|(grant, _)| grant).collect();
        path.reverse();
        path
    }
}

/// What a grant rests on: what its issuer rests its word on, or what the key had that this one follows.
fn granted_under(said: &Said) -> Option<StatementId> {
    match said {
        Said::Grant(grant) => Some(grant.parent),
        Said::Succession(succession) => Some(succession.parent),
        _ => None,
    }
}

/// What a file is about, for those who ask which statements bear on it.
pub(crate) fn subject(evidence: &Evidence, held: &[(AdmittedChange, Standing)]) -> Subject {
    let authors = evidence.changes.iter().map(|signed| signed.change.author.device);
    Subject {
        record: evidence.record,
        changes: held.iter().map(|(change, _)| change.id()).collect(),
        devices: authors.chain([evidence.exporter]).collect(),
    }
}

/// The changes behind the gate, with their standing as far as statements and numbers tell.
fn admit(trust: &Trust, evidence: &Evidence) -> Result<Vec<(AdmittedChange, Standing)>, Flaw> {
    let mut ids: BTreeSet<ChangeId> = BTreeSet::new();
    let mut causes: BTreeSet<(Ink, CauseHash)> = BTreeSet::new();
    let mut numbers: BTreeMap<(Author, u64), Vec<AdmittedHeader>> = BTreeMap::new();
    let mut admitted = Vec::with_capacity(evidence.changes.len());
    for (at, signed) in (1..).zip(&evidence.changes) {
        let SignedChange { change, .. } = signed;
        if change.record != evidence.record {
            return Err(Flaw::Elsewhere { at, record: change.record });
        }
        let verified = VerifiedChange::verify(signed.clone(), trust.survey());
        let verified = verified.map_err(|refusal| Flaw::Change { at, refusal })?;
        if !ids.insert(verified.id()) {
            return Err(Flaw::Twice { change: verified.id() });
        }
        let holds = |ink: Ink, cause: &CauseHash| Ok::<bool, Infallible>(causes.contains(&(ink, *cause)));
        let Ok(verdict) = trust.judge(verified, holds);
        let admitted_change = match verdict {
            Verdict::Admit(change) => *change,
            Verdict::Wait(_, missing) => return Err(Flaw::Missing { at, missing }),
        };
        causes.insert((change.ink, admitted_change.body().hash));
        numbers.entry((change.author, change.n)).or_default().push(admitted_change.to_header());
        admitted.push(admitted_change);
    }
    if admitted.is_empty() {
        return Err(Flaw::Empty);
    }
    let standing = |change: AdmittedChange| {
        let number = (change.change().author, change.change().n);
        let same = numbers.get(&number).map(Vec::as_slice).unwrap_or_default();
        let standing = trust.standing(&change, same);
        (change, standing)
    };
    Ok(admitted.into_iter().map(standing).collect())
}

/// Why evidence proves nothing. Statements and changes are counted from 1; the charter is statement 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Nothing in it.
    #[error("it holds no charter or no change")]
    Empty,
    /// A charter that founds nothing.
    #[error("statement 1: {0}")]
    Charter(#[from] TrustError),
    /// The evidence of another survey.
    #[error("it is of survey {found}, not of {expected}")]
    OtherSurvey {
        /// Of which.
        found: SurveyId,
        /// Which was asked for.
        expected: SurveyId,
    },
    /// The exporter did not sign it as it is.
    #[error(
        "the signature of device {} over the whole file does not hold: something was changed, added or taken out",
        exporter.short()
    )]
    NotVouched {
        /// Who should have.
        exporter: DeviceKey,
    },
    /// An exporter who might never have held the record.
    #[error("device {}, which vouches for the file, was never granted the place of record {record}", exporter.short())]
    Stranger {
        /// Who vouches.
        exporter: DeviceKey,
        /// For which record.
        record: RecordId,
    },
    /// A statement that can never be admitted.
    #[error("statement {at}: {refusal}")]
    Statement {
        /// Which.
        at: usize,
        /// Why.
        refusal: StatementRefusal,
    },
    /// A statement without what it rests on.
    #[error("statement {at} rests on statement {lacking:.12}, which is not before it")]
    Unfounded {
        /// Which.
        at: usize,
        /// On what.
        lacking: StatementId,
    },
    /// Statements that the record does not need, one twice, or another order.
    #[error("the statements are not those that bear on the record, each once and in their order")]
    Idle,
    /// A change that can never be admitted.
    #[error("change {at}: {refusal}")]
    Change {
        /// Which.
        at: usize,
        /// Why.
        refusal: Refusal,
    },
    /// A change of another record.
    #[error("change {at} is of record {record}")]
    Elsewhere {
        /// Which.
        at: usize,
        /// Of which.
        record: RecordId,
    },
    /// One change more than once.
    #[error("change {change:.12} is there twice")]
    Twice {
        /// Which.
        change: ChangeId,
    },
    /// A change without the grant or the cause that it needs.
    #[error("change {at}: {missing}")]
    Missing {
        /// Which.
        at: usize,
        /// What it needs.
        missing: Missing,
    },
    /// Changes in another order.
    #[error("the changes are not in their order")]
    ChangesOutOfOrder,
}

#[cfg(test)]
mod tests;
