//! The trust statements held, and what follows from them: who may read, write and grant where. Each
//! answer is a pure function of the set of statements, whatever order they came in. Statements that
//! cannot be placed yet are not kept here; the caller holds them back.

use std::collections::BTreeMap;

use rukun_change::{DeviceKey, Ink, Region, StatementId, SubSls, SurveyId};

use crate::gate::AdmittedChange;
use crate::role::Role;
use crate::standing::{Reason, Standing};
use crate::statement::{Charter, Grant, Said, Statement};

/// The trust statements of one survey.
#[derive(Clone, Debug)]
pub struct Trust {
    survey: SurveyId,
    root: DeviceKey,
    charter: Charter,
    grants: BTreeMap<StatementId, Held>,
    by_subject: BTreeMap<DeviceKey, Vec<StatementId>>,
}

/// A valid grant and the devices it came down through, root first.
#[derive(Clone, Debug)]
struct Held {
    grant: Grant,
    path: Vec<DeviceKey>,
}

/// A grant as people look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantView {
    /// The statement.
    pub id: StatementId,
    /// Who granted.
    pub issuer: DeviceKey,
    /// To whom.
    pub subject: DeviceKey,
    /// Whose device it is.
    pub name: String,
    /// In which role.
    pub role: Role,
    /// Where, as the grant says.
    pub regions: Vec<Region>,
    /// Where, after what its issuers may still grant; empty once it is replaced.
    pub in_force: Vec<Region>,
    /// Its serial.
    pub serial: u64,
}

/// The longest path of grants. The role table bounds it already; this says so to the reader.
const PATH_MAX: usize = Role::ALL.len();

impl Trust {
    /// The trust that a charter alone founds: only its root may grant.
    ///
    /// # Errors
    /// If the statement is no charter or its issuer did not sign it.
    pub fn found(charter: &Statement) -> Result<Self, TrustError> {
        let Said::Charter(said) = &charter.said else { return Err(TrustError::NoCharter) };
        if !charter.verify(None) {
            return Err(TrustError::Signature);
        }
        Ok(Self {
            survey: SurveyId::from_bytes(*charter.id(None).as_bytes()),
            root: charter.issuer.device,
            charter: said.clone(),
            grants: BTreeMap::new(),
            by_subject: BTreeMap::new(),
        })
    }

    /// The survey's id: the charter's hash.
    pub fn survey(&self) -> &SurveyId {
        &self.survey
    }

    /// The charter.
    pub fn charter(&self) -> &Charter {
        &self.charter
    }

    /// The root key.
    pub fn root(&self) -> &DeviceKey {
        &self.root
    }

    /// The id of a statement in this survey.
    pub fn statement_id(&self, statement: &Statement) -> StatementId {
        match statement.said {
            Said::Charter(_) => statement.id(None),
            _ => statement.id(Some(&self.survey)),
        }
    }

    /// Judges a statement and, if it is admitted, takes it in.
    pub fn judge_statement(&mut self, statement: &Statement) -> StatementVerdict {
        let id = self.statement_id(statement);
        let grant = match &statement.said {
            Said::Charter(_) if *id.as_bytes() == *self.survey.as_bytes() => {
                return StatementVerdict::Admit(id);
            }
            Said::Charter(_) => return StatementVerdict::Refuse(StatementRefusal::OtherSurvey),
            Said::Grant(grant) => grant,
            _ => return StatementVerdict::Refuse(StatementRefusal::NotYet),
        };
        if self.grants.contains_key(&id) {
            return StatementVerdict::Admit(id);
        }
        if !statement.verify(Some(&self.survey)) {
            return StatementVerdict::Refuse(StatementRefusal::Signature);
        }
        let path = match self.path_below(&statement.issuer.device, grant) {
            Ok(Some(path)) => path,
            Ok(None) => return StatementVerdict::Wait(grant.parent),
            Err(refusal) => return StatementVerdict::Refuse(refusal),
        };
        self.by_subject.entry(grant.subject).or_default().push(id);
        self.grants.insert(id, Held { grant: grant.clone(), path });
        StatementVerdict::Admit(id)
    }

    /// Whether a grant is known by which the device ever covered this place, whatever replaced it.
    pub fn ever_covered(&self, device: &DeviceKey, home: &SubSls) -> bool {
        self.known(device).any(|(_, held)| covers(&held.grant.regions, home))
    }

    /// Whether the device was ever granted anything.
    pub fn ever_granted(&self, device: &DeviceKey) -> bool {
        self.known(device).next().is_some()
    }

    /// What the device may read now: ascending, none inside another.
    pub fn reads(&self, device: &DeviceKey) -> Vec<Region> {
        union(self.known(device).flat_map(|(id, held)| self.in_force(id, held)).collect())
    }

    /// The roles that the device has in force at this place.
    pub fn roles_at(&self, device: &DeviceKey, home: &SubSls) -> Vec<Role> {
        let mut roles: Vec<Role> = self
            .known(device)
            .filter(|(id, held)| covers(&self.in_force(id, held), home))
            .map(|(_, held)| held.grant.role)
            .collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    /// Whether some role that the device ever had at this place writes the ink.
    pub fn ever_wrote(&self, device: &DeviceKey, home: &SubSls, ink: Ink) -> bool {
        let writes = |held: &Held| held.grant.role.inks().contains(&ink) && covers(&held.grant.regions, home);
        self.known(device).any(|(_, held)| writes(held))
    }

    /// The standing of a change as far as statements and numbers tell. `same_number` counts the
    /// changes held that carry its author's number, itself included.
    pub fn standing(&self, change: &AdmittedChange, same_number: usize) -> Standing {
        let made = change.change();
        if !self.ever_wrote(&made.author.device, &made.record.home(), made.ink) {
            Standing::SetAside(Reason::Ink)
        } else if same_number > 1 {
            Standing::SetAside(Reason::Fork)
        } else {
            Standing::Good
        }
    }

    /// The grants of a device, oldest serial first.
    pub fn grants_of(&self, device: &DeviceKey) -> Vec<GrantView> {
        let mut views: Vec<GrantView> = self.known(device).map(|(id, held)| self.view(id, held)).collect();
        views.sort_by_key(|view| (view.role, view.serial, view.id));
        views
    }

    /// Every grant.
    pub fn grants(&self) -> Vec<GrantView> {
        self.grants.iter().map(|(id, held)| self.view(id, held)).collect()
    }

    /// Whose device it is, as its newest grant says.
    pub fn name_of(&self, device: &DeviceKey) -> Option<&str> {
        let newest = self.known(device).max_by_key(|(id, held)| (held.grant.serial, **id));
        newest.map(|(_, held)| held.grant.name.as_str())
    }

    /// The grants by which `device` may read, each after those it rests on: what a stranger needs
    /// to believe it. The charter, which founds them, is not among them.
    pub fn chain(&self, device: &DeviceKey) -> Vec<StatementId> {
        let mut chain = Vec::new();
        for (id, _) in self.known(device) {
            self.chain_of(id, &mut chain);
        }
        chain
    }

    /// The grant on which the device can rest one of its own: in force, of a role that may grant
    /// `role`, covering all the regions.
    pub fn grant_to_rest_on(
        &self,
        device: &DeviceKey,
        role: Role,
        regions: &[Region],
    ) -> Option<StatementId> {
        if *device == self.root {
            return (role == Role::District).then(|| StatementId::from_bytes(*self.survey.as_bytes()));
        }
        let rests = |id: &StatementId, held: &Held| {
            let in_force = self.in_force(id, held);
            let covered = |region: &Region| in_force.iter().any(|wide| wide.covers(region));
            held.grant.role.may_grant(role) && regions.iter().all(covered)
        };
        self.known(device).find(|(id, held)| rests(id, held)).map(|(id, _)| *id)
    }

    /// The serial that a new grant for this subject needs, so that it replaces those before.
    pub fn next_serial(&self, subject: &DeviceKey) -> u64 {
        self.known(subject).map(|(_, held)| held.grant.serial + 1).max().unwrap_or(1)
    }

    /// The path that a grant by this issuer stands on; nothing if its parent is not known yet.
    fn path_below(
        &self,
        issuer: &DeviceKey,
        grant: &Grant,
    ) -> Result<Option<Vec<DeviceKey>>, StatementRefusal> {
        if grant.regions.is_empty() {
            return Err(StatementRefusal::NoRegion);
        }
        if grant.parent.as_bytes() == self.survey.as_bytes() {
            return match (*issuer == self.root, grant.role) {
                (false, _) => Err(StatementRefusal::NotIssuers),
                (true, Role::District) => Ok(Some(vec![*issuer])),
                (true, role) => Err(StatementRefusal::Role { issuer: "root".into(), role }),
            };
        }
        let Some(parent) = self.grants.get(&grant.parent) else { return Ok(None) };
        if parent.grant.subject != *issuer {
            return Err(StatementRefusal::NotIssuers);
        }
        if !parent.grant.role.may_grant(grant.role) {
            let issuer = parent.grant.role.to_string();
            return Err(StatementRefusal::Role { issuer, role: grant.role });
        }
        let wider = |region: &&Region| !parent.grant.regions.iter().any(|wide| wide.covers(region));
        if let Some(region) = grant.regions.iter().find(wider) {
            return Err(StatementRefusal::Wider { region: *region });
        }
        let path: Vec<DeviceKey> = parent.path.iter().copied().chain([*issuer]).collect();
        assert!(path.len() <= PATH_MAX, "each step of a path goes down at least one role");
        Ok(Some(path))
    }

    /// Where a grant is in force: not replaced, and no wider than what its issuer may still grant.
    fn in_force(&self, id: &StatementId, held: &Held) -> Vec<Region> {
        let (issuer, above) = held.path.split_last().expect("a path starts at the root");
        if self.current(&held.grant.subject, &held.path).is_none_or(|(current, _)| current != id) {
            return Vec::new();
        }
        if above.is_empty() {
            return held.grant.regions.clone();
        }
        let Some((parent, wide)) = self.current(issuer, above) else { return Vec::new() };
        if !wide.grant.role.may_grant(held.grant.role) {
            return Vec::new();
        }
        let wide = self.in_force(parent, wide);
        let narrowed =
            held.grant.regions.iter().flat_map(|region| wide.iter().filter_map(|w| w.intersection(region)));
        union(narrowed.collect())
    }

    /// The grant that counts for this subject by this path: the highest serial; of two equal ones,
    /// which only a dishonest issuer makes, the higher id.
    fn current(&self, subject: &DeviceKey, path: &[DeviceKey]) -> Option<(&StatementId, &Held)> {
        let by_path = self.known(subject).filter(|(_, held)| held.path == path);
        by_path.max_by_key(|(id, held)| (held.grant.serial, **id))
    }

    fn known<'a>(&'a self, device: &DeviceKey) -> impl Iterator<Item = (&'a StatementId, &'a Held)> {
        let ids = self.by_subject.get(device).map(Vec::as_slice).unwrap_or_default();
        ids.iter().filter_map(|id| self.grants.get_key_value(id))
    }

    fn chain_of(&self, id: &StatementId, chain: &mut Vec<StatementId>) {
        let Some(held) = self.grants.get(id) else { return };
        self.chain_of(&held.grant.parent, chain);
        if !chain.contains(id) {
            chain.push(*id);
        }
    }

    fn view(&self, id: &StatementId, held: &Held) -> GrantView {
        let issuer = held.path.last().copied().unwrap_or(self.root);
        let Grant { subject, name, role, regions, serial, .. } = held.grant.clone();
        GrantView { id: *id, issuer, subject, name, role, regions, in_force: self.in_force(id, held), serial }
    }
}

fn covers(regions: &[Region], home: &SubSls) -> bool {
    regions.iter().any(|region| region.covers_sub_sls(home))
}

/// Ascending, none inside another.
fn union(mut regions: Vec<Region>) -> Vec<Region> {
    regions.sort_unstable();
    regions.dedup_by(|inner, outer| outer.covers(inner));
    regions
}

/// What the gate says of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementVerdict {
    /// It is held.
    Admit(StatementId),
    /// The statement that it rests on must come first.
    Wait(StatementId),
    /// Never.
    Refuse(StatementRefusal),
}

/// Why a statement can never be admitted: its issuer's fault, or that of whoever forged it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementRefusal {
    /// Not its issuer's signature, or made for another survey.
    #[error("signature does not hold for this issuer and survey")]
    Signature,
    /// The charter of another survey.
    #[error("it is the charter of another survey")]
    OtherSurvey,
    /// A kind that this version keeps no rules for.
    #[error("this version has no rules for statements of this kind; update rukun")]
    NotYet,
    /// A grant of nothing.
    #[error("it grants no region")]
    NoRegion,
    /// A grant resting on somebody else's.
    #[error("it rests on a grant that is not its issuer's")]
    NotIssuers,
    /// A role that the issuer's may not grant.
    #[error("the role {issuer} may not grant the role {role}")]
    Role {
        /// The issuer's role.
        issuer: String,
        /// The role granted.
        role: Role,
    },
    /// A region outside the issuer's.
    #[error("it covers {region}, which its issuer's grant does not")]
    Wider {
        /// The region.
        region: Region,
    },
}

/// Why a statement founds no trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Another kind of statement.
    #[error("not a charter")]
    NoCharter,
    /// Not signed by the root it names.
    #[error("the charter's signature does not hold")]
    Signature,
}

#[cfg(test)]
mod tests;
