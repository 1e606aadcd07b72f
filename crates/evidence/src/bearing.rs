//! Which statements bear on a record: of all that are held, those that say who its authors are, what
//! each might do, and what became of that. The one place where a kind of statement is told to belong
//! into evidence or not. Who writes evidence gathers by it, and who reads it allows nothing else.

use std::collections::{BTreeMap, BTreeSet};

use rukun_authority::{Said, Statement, Trust};
use rukun_change::{ChangeId, DeviceKey, RecordId, SignedHeader, StatementId};

/// What a record's evidence is about.
pub(crate) struct Subject {
    /// The record.
    pub(crate) record: RecordId,
    /// Its changes.
    pub(crate) changes: BTreeSet<ChangeId>,
    /// Their authors, and who vouches for the evidence.
    pub(crate) devices: BTreeSet<DeviceKey>,
}

/// The statements that bear on the subject, in the one order that evidence has: the charter, then those
/// that rest on it alone, then those that rest on these; in each step by id.
pub(crate) fn bearing(trust: &Trust, statements: &[Statement], subject: Subject) -> Vec<StatementId> {
    let held: Vec<(StatementId, &Statement)> =
        statements.iter().map(|statement| (trust.statement_id(statement), statement)).collect();
    let mut taken = Taken { subject, rests_on: BTreeMap::new() };
    loop {
        let before = taken.rests_on.len();
        for (id, statement) in &held {
            if !taken.rests_on.contains_key(id) && taken.concerns(&statement.said) {
                taken.rests_on.insert(*id, rests_on(&statement.said));
                taken.subject.devices.insert(statement.issuer.device);
            }
        }
        if taken.rests_on.len() == before {
            break;
        }
    }
    let mut ids: Vec<StatementId> = taken.rests_on.keys().copied().collect();
    ids.sort_by_cached_key(|id| (taken.steps(id), *id));
    ids
}

/// What was found so far, and what each rests on. Whoever issued any of it becomes a subject too.
struct Taken {
    subject: Subject,
    rests_on: BTreeMap<StatementId, Option<StatementId>>,
}

impl Taken {
    fn concerns(&self, said: &Said) -> bool {
        let Subject { record, changes, devices } = &self.subject;
        match said {
            // Who is root decides of every grant what it counts for.
            Said::Charter(_) | Said::RootSuccession(_) => true,
            Said::Grant(grant) => devices.contains(&grant.subject),
            Said::Revocation(revocation) => devices.contains(&revocation.subject),
            Said::Succession(succession) => devices.contains(&succession.successor),
            Said::ForkProof(proof) => {
                let first = SignedHeader::from_bytes(&proof.first);
                first.is_ok_and(|first| devices.contains(&first.header.author.device))
            }
            Said::Decision(decision) => {
                decision.sub_sls == record.home()
                    && decision.changes.iter().any(|change| changes.contains(change))
            }
            Said::Transfer(transfer) => transfer.from == *record || transfer.to == *record,
            Said::Erasure(erasure) => erasure.record == *record,
            Said::Redrawing(redrawing) => redrawing.places().any(|place| place == record.home()),
            Said::KeptList(list) => {
                list.sub_sls == record.home() && self.rests_on.contains_key(&list.revocation)
            }
            // They say what may be read and what was delivered, nothing of what counts.
            Said::Closing(_) | Said::Receipt(_) => false,
        }
    }

    /// How many statements this one rests on, one on another. Hashes can't form a ring.
    fn steps(&self, id: &StatementId) -> usize {
        let below = |id: &StatementId| self.rests_on.get(id).copied().flatten();
        std::iter::successors(below(id), below).count()
    }
}

/// The statement without which this one says nothing.
fn rests_on(said: &Said) -> Option<StatementId> {
    match said {
        Said::Charter(_) => None,
        Said::ForkProof(proof) => Some(proof.parent),
        Said::Receipt(receipt) => Some(receipt.parent),
        Said::Succession(succession) => Some(succession.parent),
        Said::RootSuccession(said) => Some(said.parent),
        Said::Grant(grant) => Some(grant.parent),
        Said::Revocation(revocation) => Some(revocation.parent),
        Said::Closing(closing) => Some(closing.parent),
        Said::Decision(decision) => Some(decision.parent),
        Said::Transfer(transfer) => Some(transfer.parent),
        Said::Erasure(erasure) => Some(erasure.parent),
        Said::Redrawing(redrawing) => Some(redrawing.parent),
        Said::KeptList(list) => Some(list.revocation),
    }
}
