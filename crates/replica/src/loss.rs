//! What becomes of work when a device is lost or lies: revocation with its lists of what is kept, the
//! set-aside work and the decisions about it, what a device held, and proofs of forks. Each is signed
//! here and goes through the same gate as a stranger's.

use std::collections::{BTreeMap, BTreeSet};

use rukun_authority::{Decision, ForkProof, KeptList, Keypair, Revocation, Said, Statement};
use rukun_change::{ChangeId, DeviceKey, Incarnation, RecordId, Region, StatementId, SubSls};
use rukun_document::{ConflictKind, Logged};
use rukun_store::EntryKind;

use crate::keeping::{Keeping, LISTED_MAX};
use crate::local::{ActionError, reason_line};
use crate::replica::{Replica, ReplicaError};

/// How many forks of one device are proved to all. One says enough; a device that makes thousands must
/// not fill everyone's store.
const PROOFS_MAX: usize = 64;

/// What a revocation keeps, as far as this node holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The device.
    pub device: DeviceKey,
    /// The revocations, once they are made: one for each path by which the device was granted something through
    /// whoever revokes.
    pub revocations: Vec<StatementId>,
    /// Its changes that are kept: all that this node holds, as far as a revocation holds them.
    pub changes: u64,
    /// In so many sub-SLS.
    pub sub_sls: u64,
    /// Its own statements that are kept.
    pub statements: u64,
    /// Changes and statements of it that are held and not kept: they came after more than a revocation holds.
    pub left_out: u64,
    /// Who can end what it goes on by all the same: this node does not speak for them.
    pub others: Vec<DeviceKey>,
    /// Keys that follow it by its own word, which is kept like all that it said, and read on: a thief's, if the thief
    /// said so.
    pub followers: Vec<DeviceKey>,
}

/// A change without good standing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// In which record.
    pub record: RecordId,
    /// The change, its standing and what it writes.
    pub logged: Logged,
}

/// What a decision settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The changes, ascending.
    pub changes: Vec<ChangeId>,
    /// One decision for each sub-SLS, or as many as it takes to list them.
    pub decisions: Vec<StatementId>,
}

/// A change that is to be decided on, and what was decided of it.
type ToDecide = (ChangeId, BTreeSet<StatementId>);

/// A record that a device held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLine {
    /// The record.
    pub record: RecordId,
    /// The head of the family.
    pub name: String,
    /// How many of its changes the device made itself.
    pub own: u64,
    /// How many of its changes this node sent it, and had acknowledged.
    pub sent: u64,
    /// How many more it may hold by other routes.
    pub maybe: u64,
}

/// What a device held, as far as this node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldReport {
    /// The device.
    pub device: DeviceKey,
    /// Where it could ever read.
    pub regions: Vec<Region>,
    /// When this node last heard from it, milliseconds since 1970; 0 if never.
    pub last_contact_ms: i64,
    /// Its records.
    pub lines: Vec<HeldLine>,
}

impl Replica {
    /// What a revocation by this device, or under the root key, would keep. Nothing is written.
    ///
    /// # Errors
    /// If whoever revokes does not stand above the device.
    pub fn losing(&self, root: Option<&Keypair>, device: &DeviceKey) -> Result<Loss, ActionError> {
        self.weigh(root, device).map(|(loss, _, _)| loss)
    }

    /// Revokes a device: what this node holds of it is kept, everything else that it made or will make
    /// is set aside.
    ///
    /// # Errors
    /// If whoever revokes does not stand above the device, or did so before, or the reason is none.
    pub fn revoke(
        &mut self,
        root: Option<&Keypair>,
        device: &DeviceKey,
        reason: &str,
    ) -> Result<Loss, ActionError> {
        let reason = reason_line(reason)?;
        let (mut loss, mut parents, keeping) = self.weigh(root, device)?;
        let by = root.map_or(self.device(), Keypair::key);
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        parents.retain(|parent| !trust.has_revoked_on(parent, &by, device));
        if parents.is_empty() {
            return Err(ActionError::RevokedBefore { device: *device });
        }
        for parent in parents {
            loss.revocations.push(self.revoke_on(parent, root, device, reason, &keeping)?);
        }
        Ok(loss)
    }

    /// Takes away what came down by one path.
    fn revoke_on(
        &mut self,
        parent: StatementId,
        root: Option<&Keypair>,
        device: &DeviceKey,
        reason: &str,
        keeping: &Keeping,
    ) -> Result<StatementId, ActionError> {
        let Keeping { kept, lists, statements, .. } = keeping;
        let named = lists.iter().map(|(home, ids)| (*home, KeptList::digest(ids))).collect();
        let revocation = self.say(
            root,
            Said::Revocation(Revocation {
                parent,
                subject: *device,
                reason: reason.into(),
                kept: kept.clone(),
                lists: named,
                statements: statements.clone(),
            }),
        )?;
        for (sub_sls, changes) in lists {
            let list = KeptList { revocation, sub_sls: *sub_sls, changes: changes.clone() };
            self.say(root, Said::KeptList(list))?;
        }
        Ok(revocation)
    }

    /// The changes in a region, or all, that are held and do not count.
    ///
    /// # Errors
    /// If the store fails.
    pub fn set_aside(&mut self, region: Option<&Region>) -> Result<Vec<SetAside>, ActionError> {
        let mut found = Vec::new();
        for line in self.records(region, None, usize::MAX)? {
            if line.conflicts.contains_key(&ConflictKind::SetAside) {
                let reading = self.reading(&line.id)?;
                let aside = reading.log().iter().filter(|logged| !logged.standing.is_good());
                found.extend(aside.map(|logged| SetAside { record: line.id, logged: logged.clone() }));
            }
        }
        Ok(found)
    }

    /// Upholds or dismisses changes, in one decision for each sub-SLS, or as many as it takes to list them, over
    /// whatever was decided of them before.
    ///
    /// # Errors
    /// If a change is not held, or its author does not stand below whoever decides there.
    pub fn decide(
        &mut self,
        root: Option<&Keypair>,
        changes: &[ChangeId],
        upheld: bool,
    ) -> Result<Decided, ActionError> {
        let by = root.map_or(self.device(), Keypair::key);
        let mut places: BTreeMap<(SubSls, StatementId), Vec<ToDecide>> = BTreeMap::new();
        let decided_on = if cfg!(planted = "first-decided-alone") { 1 } else { changes.len() };
        for id in changes.iter().take(decided_on) {
            let change = self.store.change(id).map_err(ReplicaError::from)?;
            let change = change.ok_or(ActionError::NoChange { change: *id })?;
            let (author, home) = (change.change().author.device, change.change().record.home());
            let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
            let parent = trust.grant_to_decide_on(&by, &change, upheld);
            let parent =
                parent.ok_or(ActionError::NotAboveWork { device: author, ink: change.change().ink })?;
            let before = trust.decisions_on(id).into_iter().collect();
            places.entry((home, parent)).or_default().push((*id, before));
        }
        let mut decided = Decided { changes: Vec::new(), decisions: Vec::new() };
        for ((sub_sls, parent), changes) in places {
            for (changes, supersedes) in parted(changes, LISTED_MAX) {
                decided.changes.extend(&changes);
                let (changes, supersedes) = (changes.into_iter().collect(), supersedes.into_iter().collect());
                let said = Said::Decision(Decision { parent, sub_sls, upheld, changes, supersedes });
                decided.decisions.push(self.say(root, said)?);
            }
        }
        Ok(decided)
    }

    /// Which records a device held, as far as this node knows: those that it wrote, those that it was
    /// sent, and those that it could have got elsewhere.
    ///
    /// # Errors
    /// If the device was never granted anything.
    pub fn held_by(&mut self, device: &DeviceKey) -> Result<HeldReport, ActionError> {
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let mut regions: Vec<Region> =
            trust.grants_of(device).into_iter().flat_map(|grant| grant.regions).collect();
        regions.sort_unstable();
        regions.dedup_by(|inner, outer| outer.covers(inner));
        if regions.is_empty() {
            return Err(ActionError::UnknownDevice { device: *device });
        }
        let state = self.store.peer(device).map_err(ReplicaError::from)?.unwrap_or_default();
        let own: BTreeSet<ChangeId> = self
            .store
            .changes_by(device)
            .map_err(ReplicaError::from)?
            .into_iter()
            .map(|(_, _, id, _)| id)
            .collect();
        let mut lines: BTreeMap<RecordId, HeldLine> = BTreeMap::new();
        for region in &regions {
            for line in self.records(Some(region), None, usize::MAX)? {
                let (record, name) = (line.id, line.name);
                lines.insert(record, HeldLine { record, name, own: 0, sent: 0, maybe: 0 });
            }
            for erased in self.erased(Some(region)).map_err(ActionError::from)? {
                let record = erased.record;
                lines.insert(record, HeldLine { record, name: "(erased)".into(), own: 0, sent: 0, maybe: 0 });
            }
        }
        let walked = self.store.walk(0, |entry| {
            let EntryKind::Change { id, record } = entry.kind else { return };
            let Some(line) = lines.get_mut(&record) else { return };
            let sent = entry.seq <= state.acknowledged || entry.from == Some(*device);
            let count = if own.contains(&id) {
                &mut line.own
            } else if sent {
                &mut line.sent
            } else {
                &mut line.maybe
            };
            *count += 1;
        });
        walked.map_err(ReplicaError::from)?;
        let lines = lines.into_values().collect();
        Ok(HeldReport { device: *device, regions, last_contact_ms: state.last_contact_ms, lines })
    }

    /// Tells everybody of the numbers that were found to be used twice: a node that holds one branch alone
    /// could not know.
    pub(crate) fn prove_forks(&mut self) -> Result<(), ReplicaError> {
        let mut news = false;
        for (one, other) in std::mem::take(&mut self.forks) {
            let Some(trust) = &self.trust else { return Ok(()) };
            let (author, n) = (one.header().author, one.header().n);
            let parent = trust.grants_of(&self.device()).first().map(|grant| grant.id);
            let told = trust.is_proved(&author, n) || trust.forks_of(&author.device) >= PROOFS_MAX;
            let Some(parent) = parent.filter(|_| !told) else { continue };
            let (first, second) = (one.signed().to_bytes(), other.signed().to_bytes());
            let said = Said::ForkProof(ForkProof { parent, first, second });
            let statement = self.signed(None, said)?;
            news |= self.take_claim(statement, None)?;
        }
        if news {
            self.statements_changed()?;
        }
        Ok(())
    }

    /// What a revocation comes to, the statements that it can rest on, and what is kept.
    fn weigh(
        &self,
        root: Option<&Keypair>,
        device: &DeviceKey,
    ) -> Result<(Loss, Vec<StatementId>, Keeping), ActionError> {
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let by = root.map_or(self.device(), Keypair::key);
        if !trust.ever_granted(device) {
            return Err(ActionError::UnknownDevice { device: *device });
        }
        let parents = trust.grants_above(&by, device);
        if parents.is_empty() {
            return Err(ActionError::NotAbove { device: *device });
        }
        let others = trust.granted_past(&by, device);
        let mut followers = trust.newest_of(device);
        followers.retain(|follower| follower != device && !trust.reads(follower).is_empty());
        let keeping = self.keeping(device)?;
        let loss = Loss {
            device: *device,
            revocations: Vec::new(),
            changes: keeping.lists.iter().map(|(_, ids)| ids.len() as u64).sum(),
            sub_sls: keeping.lists.len() as u64,
            statements: keeping.statements.len() as u64,
            left_out: keeping.left_out,
            others,
            followers: followers.into_iter().collect(),
        };
        Ok((loss, parents, keeping))
    }

    /// Says something, and takes it in.
    pub(crate) fn say(&mut self, root: Option<&Keypair>, said: Said) -> Result<StatementId, ActionError> {
        let statement = self.signed(root, said)?;
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let id = trust.statement_id(&statement);
        self.take_claim(statement, None)?;
        if !self.store.has_statement(&id).map_err(ReplicaError::from)? {
            return Err(ActionError::Own(format!("statement {id:.12}")));
        }
        self.statements_changed()?;
        Ok(id)
    }

    /// Signed under the root key, or as this device under its next number.
    fn signed(&mut self, root: Option<&Keypair>, said: Said) -> Result<Statement, ReplicaError> {
        let survey = self.survey();
        let (incarnation, n) = match root {
            // The root signs seldom and keeps no count: each signature has an incarnation of its own.
            Some(_) => (Incarnation::from_bytes(self.random()), 1),
            None => (self.store.incarnation(), self.store.next_n()?),
        };
        Ok(Statement::sign(root.unwrap_or(&self.keypair), incarnation, n, survey.as_ref(), said))
    }
}

/// What one decision says of these: the changes, and what is superseded. It lists at most so many of both.
fn parted(changes: Vec<ToDecide>, listed_max: usize) -> Vec<(BTreeSet<ChangeId>, BTreeSet<StatementId>)> {
    let mut parts = vec![(BTreeSet::new(), BTreeSet::new())];
    for (change, before) in changes {
        let (of, over) = parts.last().expect("there is one from the start");
        if !of.is_empty() && of.len() + 1 + over.union(&before).count() > listed_max {
            parts.push((BTreeSet::new(), BTreeSet::new()));
        }
        let (of, over) = parts.last_mut().expect("there is one from the start");
        of.insert(change);
        over.extend(before);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_are_decided_each_decision_lists_what_a_statement_holds() {
        let (change, statement) =
            (|at: u8| ChangeId::from_bytes([at; 32]), |at: u8| StatementId::from_bytes([at; 32]));
        let to_decide = |at: u8| (change(at), BTreeSet::from([statement(at / 4)]));
        let parts = parted((1..=100).map(to_decide).collect(), 10);
        for (of, over) in &parts {
            assert!(of.len() + over.len() <= 10);
            let before: BTreeSet<StatementId> =
                (1..=100).filter(|at| of.contains(&change(*at))).map(|at| statement(at / 4)).collect();
            assert_eq!(*over, before);
        }
        let all: Vec<ChangeId> = parts.into_iter().flat_map(|(of, _)| of).collect();
        assert_eq!(all, (1..=100).map(change).collect::<Vec<_>>());
    }
}
