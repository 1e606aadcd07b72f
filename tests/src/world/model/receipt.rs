//! A receipt, as its bytes say it, and what it is worth: the tier of the grant that it names, if its
//! issuer holds that there and its word counts.

use rukun_change::{DeviceKey, Fingerprint, StatementId, SubSls, SurveyId};

use super::grants::{Grants, Role};
use super::losses::Erasure;
use super::said::said_of;

/// Somebody says that it holds a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The statement.
    pub id: StatementId,
    /// Who says so.
    pub issuer: DeviceKey,
    /// The issuer's own grant.
    pub parent: StatementId,
    /// Where.
    pub sub_sls: SubSls,
    /// Which set: its fingerprint.
    pub set: [u8; Fingerprint::BYTES],
}

impl Receipt {
    /// The receipt in the bytes of a statement; nothing if they say something else.
    pub fn of(statement: &[u8], survey: &SurveyId) -> Option<Self> {
        let (id, _, issuer, mut said) = said_of(statement, survey, &[10])?;
        said.tuple(3).ok()?;
        let parent = StatementId::from_bytes(said.array_of().ok()?);
        let sub_sls = SubSls::from_bytes(said.array_of().ok()?).ok()?;
        Some(Self { id, issuer, parent, sub_sls, set: said.array_of().ok()? })
    }
}

impl Grants {
    /// Whether an erasure is the word of a district, ever, of that place. What became of it since changes
    /// nothing: nobody could give back what was forgotten.
    pub fn may_erase(&self, erasure: &Erasure) -> bool {
        let Erasure { parent, issuer, record } = erasure;
        if let Some(root) = self.seated(parent) {
            return *issuer == root;
        }
        self.grant(parent).is_some_and(|granted| {
            granted.subject == *issuer
                && granted.role == Role::District
                && granted.covers(&record.home().region())
        })
    }

    /// The tier at which a receipt shows work to be, to one who holds these grants.
    pub fn attested_by(&self, receipt: &Receipt) -> Option<Role> {
        let granted = self.good().find(|granted| granted.id == receipt.parent)?;
        let may = granted.subject == receipt.issuer
            && granted.role != Role::Enumerator
            && granted.covers(&receipt.sub_sls.region());
        (may && self.counts(&receipt.id, &receipt.parent)).then_some(granted.role)
    }
}
