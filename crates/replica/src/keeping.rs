//! What a revocation keeps of a device: what this node holds of its changes and statements, in the order in which
//! it came, as much of it as statements hold. A thief who makes more than that must keep nobody from revoking it, nor
//! from keeping what was there first.

use std::collections::{BTreeMap, BTreeSet};

use rukun_authority::limits::INCARNATIONS_MAX;
use rukun_authority::{AdmittedHeader, Kept, Statement};
use rukun_change::limits::STATEMENT_BYTES_MAX;
use rukun_change::{Author, ChangeId, DeviceKey, Incarnation, StatementId, SubSls};

use crate::held::Numbers;
use crate::replica::{Replica, ReplicaError};

/// An id takes 34 bytes. The first KiB is for all else.
pub(crate) const LISTED_MAX: usize = (STATEMENT_BYTES_MAX - 1024) / 34;
/// A place and the digest of its list take 45 bytes in the revocation: a third of it.
const PLACES_MAX: usize = 8 * 1024;
/// Half of the revocation.
const STATEMENTS_MAX: usize = 16 * 1024;

/// What is kept, as a revocation says it.
#[derive(Debug, Default)]
pub(crate) struct Keeping {
    pub(crate) kept: Vec<Kept>,
    /// Ascending, as are the ids of each.
    pub(crate) lists: Vec<(SubSls, Vec<ChangeId>)>,
    /// Ascending.
    pub(crate) statements: Vec<StatementId>,
    /// How many changes and statements found no room.
    pub(crate) left_out: u64,
}

impl Replica {
    /// What a revocation of this device would keep.
    pub(crate) fn keeping(&self, device: &DeviceKey) -> Result<Keeping, ReplicaError> {
        let mut keeping = self.changes_kept(device)?;
        let mut statements = Vec::new();
        for (id, bytes) in self.store.statements()? {
            if Statement::from_bytes(&bytes).is_ok_and(|held| held.issuer.device == *device) {
                statements.push(id);
            }
        }
        statements.extend(self.store.receipts_by(device)?);
        keeping.left_out += statements.len().saturating_sub(STATEMENTS_MAX) as u64;
        statements.truncate(STATEMENTS_MAX);
        statements.sort_unstable();
        keeping.statements = statements;
        Ok(keeping)
    }

    fn changes_kept(&self, device: &DeviceKey) -> Result<Keeping, ReplicaError> {
        let mut came = BTreeMap::new();
        for (incarnation, n, id, record) in self.store.changes_by(device)? {
            came.insert(self.store.change_seq(&id)?, (incarnation, n, id, record.home()));
        }
        let mut kept: BTreeMap<Incarnation, u64> = BTreeMap::new();
        let mut lists: BTreeMap<SubSls, BTreeSet<ChangeId>> = BTreeMap::new();
        let (mut left_out, mut numbers) = (0, Numbers::default());
        for (incarnation, n, id, home) in came.into_values() {
            let author = Author { device: *device, incarnation };
            if self.is_in_doubt(&id, numbers.forked(self, author, n)?)? {
                continue;
            }
            let listed = lists.get(&home).map_or(0, BTreeSet::len);
            let has_room = (kept.contains_key(&incarnation) || kept.len() < INCARNATIONS_MAX)
                && (listed > 0 || lists.len() < PLACES_MAX)
                && listed < LISTED_MAX;
            if !has_room {
                left_out += 1;
                continue;
            }
            let n_max = kept.entry(incarnation).or_default();
            *n_max = n.max(*n_max);
            lists.entry(home).or_default().insert(id);
        }
        let kept = kept.into_iter().map(|(incarnation, n_max)| Kept { incarnation, n_max }).collect();
        let lists = lists.into_iter().map(|(home, ids)| (home, ids.into_iter().collect())).collect();
        Ok(Keeping { kept, lists, statements: Vec::new(), left_out })
    }

    /// Whether a change bears a number of another and does not count. Who reads one branch's place alone never gets
    /// the list that keeps the other, and would follow what everybody above sets aside.
    fn is_in_doubt(&self, id: &ChangeId, same_number: &[AdmittedHeader]) -> Result<bool, ReplicaError> {
        if same_number.is_empty() {
            return Ok(false);
        }
        let (Some(trust), Some(change)) = (&self.trust, self.store.change(id)?) else { return Ok(true) };
        Ok(!trust.standing(&change, same_number).is_good())
    }
}
