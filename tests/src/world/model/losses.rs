//! What is held against devices and their work, as its bytes say it. What it comes to is with the grants.

use std::collections::BTreeSet;

use rukun_change::{
    Author, ChangeId, DeviceKey, Incarnation, Ink, RecordId, SignedHeader, StatementId, SubSls, SurveyId,
};

use super::Fact;
use super::said::said_of;

/// A word against somebody's work, as its issuer signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// A device may no longer act.
    Revocation(Revocation),
    /// Which changes a revocation keeps in one place.
    KeptList {
        /// The revocation.
        revocation: StatementId,
        /// Where.
        sub_sls: SubSls,
        /// The changes.
        changes: BTreeSet<ChangeId>,
    },
    /// Work is upheld or dismissed.
    Decision(Decision),
    /// A record goes on in another. What is read in either does not follow from it.
    Transfer,
    /// A record is to be forgotten.
    Erasure(Erasure),
    /// A number was used for two changes.
    Fork {
        /// Both.
        branches: [Claim; 2],
    },
}

/// As much of a change as a proof tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub(super) id: ChangeId,
    pub(super) author: Author,
    pub(super) n: u64,
    pub(super) home: SubSls,
    pub(super) ink: Ink,
}

impl Claim {
    pub(super) fn of(fact: &Fact) -> Self {
        Self { id: fact.id, author: fact.author, n: fact.n, home: fact.record.home(), ink: fact.ink }
    }
}

/// A device may no longer act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    pub(super) id: StatementId,
    pub(super) parent: StatementId,
    pub(super) issuer: DeviceKey,
    pub(super) subject: DeviceKey,
    pub(super) kept: Vec<(Incarnation, u64)>,
    pub(super) lists: Vec<(SubSls, [u8; 32])>,
    pub(super) statements: BTreeSet<StatementId>,
}

/// Work is upheld or dismissed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub(super) id: StatementId,
    pub(super) parent: StatementId,
    pub(super) issuer: DeviceKey,
    pub(super) sub_sls: SubSls,
    pub(super) upheld: bool,
    pub(super) changes: BTreeSet<ChangeId>,
    pub(super) supersedes: BTreeSet<StatementId>,
}

/// A record is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    pub(super) parent: StatementId,
    pub(super) issuer: DeviceKey,
    pub(super) record: RecordId,
}

impl Erasure {
    /// Which.
    pub fn record(&self) -> RecordId {
        self.record
    }
}

const LIST_MAX: usize = 40_000;

impl Loss {
    /// What the bytes of a statement say against somebody, and where it is held if not by everyone;
    /// nothing if they say something else.
    pub fn of(statement: &[u8], survey: &SurveyId) -> Option<(Self, Option<SubSls>)> {
        let (id, kind, issuer, mut said) = said_of(statement, survey, &[3, 4, 6, 7, 8, 9])?;
        let list = |said: &mut rukun_change::cbor::Reader<'_>| -> Option<BTreeSet<[u8; 32]>> {
            let count = said.array(LIST_MAX).ok()?;
            (0..count).map(|_| said.array_of().ok()).collect()
        };
        match kind {
            3 => {
                said.tuple(6).ok()?;
                let parent = StatementId::from_bytes(said.array_of().ok()?);
                let subject = DeviceKey::from_bytes(said.array_of().ok()?);
                said.text(1_024).ok()?;
                let mut kept = Vec::new();
                for _ in 0..said.array(LIST_MAX).ok()? {
                    said.tuple(2).ok()?;
                    kept.push((Incarnation::from_bytes(said.array_of().ok()?), said.uint().ok()?));
                }
                let mut lists = Vec::new();
                for _ in 0..said.array(LIST_MAX).ok()? {
                    said.tuple(2).ok()?;
                    lists.push((SubSls::from_bytes(said.array_of().ok()?).ok()?, said.array_of().ok()?));
                }
                let statements = list(&mut said)?.into_iter().map(StatementId::from_bytes).collect();
                let revocation = Revocation { id, parent, issuer, subject, kept, lists, statements };
                Some((Self::Revocation(revocation), None))
            }
            4 => {
                said.tuple(3).ok()?;
                said.array_of::<32>().ok()?;
                let mut branch = || -> Option<Claim> {
                    let one = SignedHeader::from_bytes(said.bytes(statement.len()).ok()?).ok()?.header;
                    let (id, home) = (one.id(survey), one.record.home());
                    Some(Claim { id, author: one.author, n: one.n, home, ink: one.ink })
                };
                let branches = [branch()?, branch()?];
                Some((Self::Fork { branches }, None))
            }
            6 => {
                said.tuple(5).ok()?;
                let parent = StatementId::from_bytes(said.array_of().ok()?);
                let sub_sls = SubSls::from_bytes(said.array_of().ok()?).ok()?;
                let upheld = said.uint().ok()? == 1;
                let changes = list(&mut said)?.into_iter().map(ChangeId::from_bytes).collect();
                let supersedes = list(&mut said)?.into_iter().map(StatementId::from_bytes).collect();
                let decision = Decision { id, parent, issuer, sub_sls, upheld, changes, supersedes };
                Some((Self::Decision(decision), Some(sub_sls)))
            }
            7 => {
                said.tuple(3).ok()?;
                said.array_of::<32>().ok()?;
                said.array_of::<16>().ok()?;
                let to = RecordId::from_bytes(said.array_of().ok()?).ok()?;
                Some((Self::Transfer, Some(to.home())))
            }
            8 => {
                said.tuple(3).ok()?;
                let parent = StatementId::from_bytes(said.array_of().ok()?);
                let record = RecordId::from_bytes(said.array_of().ok()?).ok()?;
                Some((Self::Erasure(Erasure { parent, issuer, record }), Some(record.home())))
            }
            9 => {
                said.tuple(3).ok()?;
                let revocation = StatementId::from_bytes(said.array_of().ok()?);
                let sub_sls = SubSls::from_bytes(said.array_of().ok()?).ok()?;
                let changes = list(&mut said)?.into_iter().map(ChangeId::from_bytes).collect();
                Some((Self::KeptList { revocation, sub_sls, changes }, Some(sub_sls)))
            }
            _ => None,
        }
    }
}
