//! How a node is: who it is, what it holds, and what each peer is known to lack of it.

use std::collections::{BTreeMap, BTreeSet};

use rukun_authority::{GrantView, Role, Trust};
use rukun_change::{DeviceKey, Fingerprint, Incarnation, Region, SurveyId};
use rukun_document::ConflictKind;
use rukun_reconcile::Known;
use rukun_store::{EntryKind, LogEntry, OpenError, StorageBackend};

use crate::custody::{Custody, OfficerLine};
use crate::local::ActionError;
use crate::replica::{Replica, ReplicaError};
use crate::send::covers;
use crate::view::everywhere;

/// How many records status makes up before it answers; the rest is told as `unread`.
const REFRESH_RECORDS_MAX: usize = 2_000;
const ADDRESSES: &str = "addresses";

/// How a node is.
#[derive(Clone, Debug)]
pub struct Status {
    /// This device.
    pub device: DeviceKey,
    /// Its present incarnation.
    pub incarnation: Incarnation,
    /// The survey, once joined.
    pub survey: Option<SurveyLine>,
    /// This device's own grants.
    pub grants: Vec<GrantView>,
    /// Why it was revoked, by those whose word counts.
    pub revoked: Vec<String>,
    /// What it may read now.
    pub regions: Vec<Region>,
    /// Records held.
    pub records: u64,
    /// Of these, how many are kept although they left this device's scope.
    pub leaving: u64,
    /// Whether the store has still to be made anew, since something in it was erased or released.
    pub renewal_due: bool,
    /// Changes held.
    pub changes: u64,
    /// Statements held.
    pub statements: u64,
    /// Conflicts by kind, as far as records are read.
    pub conflicts: BTreeMap<ConflictKind, u64>,
    /// Records that nobody has read since they changed.
    pub unread: u64,
    /// Changes that wait outside the set.
    pub waiting: u64,
    /// How many bundles are on the list of those that are carried for others.
    pub carries: u64,
    /// The size of the store.
    pub disk_bytes: u64,
    /// The fingerprint of all that is held.
    pub fingerprint: Fingerprint,
    /// Where its work is.
    pub custody: Custody,
    /// The officers whose whole work it should hold.
    pub officers: Vec<OfficerLine>,
    /// Who is or was linked.
    pub peers: Vec<PeerLine>,
}

/// The survey as its charter names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyLine {
    /// Its id.
    pub id: SurveyId,
    /// Its name; empty until the charter has come.
    pub name: String,
    /// Its code.
    pub code: String,
    /// First and last day.
    pub period: (String, String),
    /// Whether the questionnaire is here.
    pub has_questionnaire: bool,
    /// The root keys in force: one, unless two were let to follow one.
    pub roots: Vec<DeviceKey>,
}

/// A peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerLine {
    /// Its device.
    pub key: DeviceKey,
    /// Whose it is.
    pub name: String,
    /// Its highest role in force.
    pub role: Option<Role>,
    /// What it may read.
    pub regions: Vec<Region>,
    /// Whether a session with it is open.
    pub linked: bool,
    /// When it was last heard, by this device's clock.
    pub last_contact_ms: i64,
    /// How many of our changes in its scope it is not known to have.
    pub lacks: u64,
    /// Whether it was found to hold all that it may read of ours when last compared.
    pub in_sync: bool,
    /// What was refused from it since this process started.
    pub refused: u64,
}

impl Replica {
    /// How this node is.
    ///
    /// # Errors
    /// If the store fails.
    pub fn status(&mut self) -> Result<Status, ReplicaError> {
        self.refresh(None, REFRESH_RECORDS_MAX)?;
        let stats = self.store.stats()?;
        let device = self.device();
        let mut fingerprint = Fingerprint::default();
        for part in self.store.fingerprints(&everywhere())?.into_values() {
            fingerprint += part;
        }
        Ok(Status {
            device,
            incarnation: self.store.incarnation(),
            survey: self.survey_line(),
            grants: self.trust.as_ref().map(|trust| trust.grants_of(&device)).unwrap_or_default(),
            revoked: self.trust.as_ref().map(|trust| reasons(trust, &device)).unwrap_or_default(),
            regions: self.trust.as_ref().map(|trust| trust.reads(&device)).unwrap_or_default(),
            records: stats.records,
            leaving: self.outgrown_count()?,
            renewal_due: self.store.renewal_due()?,
            changes: stats.changes,
            statements: stats.statements,
            conflicts: self.conflict_counts()?,
            unread: stats.stale,
            waiting: stats.waiting,
            carries: self.parcels.values().filter(|line| line.has_bundle()).count() as u64,
            disk_bytes: stats.disk_bytes,
            fingerprint,
            custody: self.custody()?,
            officers: self.officers()?,
            peers: self.peers()?,
        })
    }

    /// Copies what is durable into an empty backend: a store that the same key opens. Gives how many
    /// changes are in it.
    ///
    /// # Errors
    /// If a medium fails.
    pub fn back_up(&self, backend: impl StorageBackend) -> Result<u64, OpenError> {
        self.store.copy_to(backend)
    }

    /// Whom to dial, as `host:port`.
    ///
    /// # Errors
    /// If the store fails.
    pub fn addresses(&self) -> Result<Vec<String>, ActionError> {
        let stored = self.store.setting(ADDRESSES).map_err(ReplicaError::from)?.unwrap_or_default();
        let stored = String::from_utf8(stored).unwrap_or_default();
        Ok(stored.lines().map(String::from).collect())
    }

    /// Says whom to dial.
    ///
    /// # Errors
    /// If the store fails.
    pub fn set_addresses(&mut self, addresses: &[String]) -> Result<(), ActionError> {
        let stored = addresses.join("\n");
        Ok(self.store.set_setting(ADDRESSES, Some(stored.as_bytes())).map_err(ReplicaError::from)?)
    }

    fn survey_line(&self) -> Option<SurveyLine> {
        let id = self.survey()?;
        let charter = self.trust.as_ref().map(|trust| trust.charter().clone());
        let roots = self.trust.as_ref().map(Trust::roots).unwrap_or_default();
        let (name, code, period) =
            charter.map(|charter| (charter.name, charter.code, charter.period)).unwrap_or_default();
        Some(SurveyLine { id, name, code, period, roots, has_questionnaire: self.questionnaire.is_some() })
    }

    /// The peers that were ever met, and what they are known to hold.
    ///
    /// # Errors
    /// If the store fails.
    pub fn peers(&self) -> Result<Vec<PeerLine>, ReplicaError> {
        let mut states: BTreeMap<DeviceKey, _> = self.store.peers()?.into_iter().collect();
        let live: BTreeSet<DeviceKey> =
            self.links.values().filter(|link| link.is_live()).map(|link| link.peer).collect();
        let mut known = BTreeMap::new();
        for link in self.links.values().filter(|link| link.is_live()) {
            states.insert(link.peer, link.state);
            known.insert(link.peer, link.outgoing.known().clone());
        }
        let mut lines = Vec::new();
        for (key, state) in states {
            let Some(trust) = &self.trust else { continue };
            let regions = trust.reads(&key);
            let known = known.remove(&key).unwrap_or_else(|| Known::all_upto(state.acknowledged));
            let in_force = trust.grants_of(&key).into_iter().filter(|grant| !grant.in_force.is_empty());
            lines.push(PeerLine {
                key,
                name: trust.name_of(&key).unwrap_or_default().into(),
                role: in_force.map(|grant| grant.role).min(),
                linked: live.contains(&key),
                last_contact_ms: state.last_contact_ms,
                lacks: self.lacks(&key, &regions, &known)?,
                in_sync: state.in_sync,
                refused: self.refused.get(&key).copied().unwrap_or_default(),
                regions,
            });
        }
        Ok(lines)
    }

    /// The peers with which nothing is left to be said now.
    pub fn agreed(&self) -> BTreeSet<DeviceKey> {
        self.links.values().filter(|link| link.is_agreed()).map(|link| link.peer).collect()
    }

    /// The peers whose last link, since the start, ended before it had come to that.
    pub fn cut_short(&self) -> &BTreeSet<DeviceKey> {
        &self.cut_short
    }

    fn lacks(&self, key: &DeviceKey, regions: &[Region], known: &Known) -> Result<u64, ReplicaError> {
        let is_lacking = |entry: &LogEntry| match entry.kind {
            EntryKind::Change { id, record } => {
                entry.from.as_ref() != Some(key)
                    && covers(regions, &record.home())
                    && !known.holds(entry.seq, &id)
            }
            _ => false,
        };
        let mut lacks = 0;
        self.store.walk(known.lacks_after(), |entry| lacks += u64::from(is_lacking(entry)))?;
        Ok(lacks)
    }
}

/// What the revocations of a device say that take something from it.
fn reasons(trust: &Trust, device: &DeviceKey) -> Vec<String> {
    let counts = trust.revocations_of(device).into_iter().filter(|revocation| revocation.counts);
    counts.map(|revocation| revocation.reason).collect()
}
