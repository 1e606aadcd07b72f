//! The trust statements held, and what follows from them: who may read, write and grant where. Each
//! answer is a pure function of the set of statements, whatever order they came in. Statements that
//! cannot be placed yet are not kept here; the caller holds them back.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use rukun_change::{DeviceKey, Ink, Region, StatementId, SubSls, SurveyId};

use crate::places::{Places, cover, cover_region, intersection, union};
use crate::role::Role;
use crate::said::{Charter, Grant, Said};
use crate::statement::Statement;
use crate::verdict::{StatementRefusal, StatementVerdict, TrustError};

/// The trust statements of one survey.
#[derive(Clone, Debug)]
pub struct Trust {
    survey: SurveyId,
    root: DeviceKey,
    charter: Charter,
    grants: BTreeMap<StatementId, Held>,
    devices: BTreeMap<DeviceKey, Granted>,
}

/// A valid grant and the devices it came down through, root first.
#[derive(Clone, Debug)]
struct Held {
    grant: Grant,
    path: Vec<DeviceKey>,
}

/// What one device was granted.
#[derive(Clone, Debug, Default)]
struct Granted {
    grants: BTreeSet<StatementId>,
    /// By each path, the grant that counts: the highest serial; of two equal ones, which only a
    /// dishonest issuer makes, the higher id.
    current: BTreeMap<Vec<DeviceKey>, (u64, StatementId)>,
    /// Where it ever had each role.
    ever: BTreeMap<Role, Places>,
    /// What it may read, once somebody asked; forgotten whenever a grant comes.
    reads: OnceLock<Vec<Region>>,
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
    /// If the statement is no charter, its issuer did not sign it or nobody could read it.
    pub fn found(charter: &Statement) -> Result<Self, TrustError> {
        let founded = Self::recall(charter)?;
        if charter.verify(None) { Ok(founded) } else { Err(TrustError::Signature) }
    }

    /// The trust of a charter that this device has believed before and kept under its own seal: its
    /// signature held then.
    ///
    /// # Errors
    /// If the statement is no charter or nobody could read it.
    pub fn recall(charter: &Statement) -> Result<Self, TrustError> {
        let Said::Charter(said) = &charter.said else { return Err(TrustError::NoCharter) };
        charter.check_spelling()?;
        Ok(Self {
            survey: SurveyId::from_bytes(*charter.id(None).as_bytes()),
            root: charter.issuer.device,
            charter: said.clone(),
            grants: BTreeMap::new(),
            devices: BTreeMap::new(),
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
        if !statement.verify(Some(&self.survey)) && !cfg!(planted = "statement-signature-unchecked") {
            return StatementVerdict::Refuse(StatementRefusal::Signature);
        }
        self.place(id, statement, grant)
    }

    /// Takes a statement in again that this device admitted before and kept under its own seal: its
    /// signature held then. All else is judged as the first time.
    pub fn recall_statement(&mut self, statement: &Statement) -> StatementVerdict {
        match &statement.said {
            Said::Grant(grant) => self.place(self.statement_id(statement), statement, grant),
            _ => self.judge_statement(statement),
        }
    }

    fn place(&mut self, id: StatementId, statement: &Statement, grant: &Grant) -> StatementVerdict {
        if let Err(error) = statement.check_spelling() {
            return StatementVerdict::Refuse(StatementRefusal::Spelling(error));
        }
        let path = match self.path_below(&statement.issuer.device, grant) {
            Ok(Some(path)) => path,
            Ok(None) => return StatementVerdict::Wait(grant.parent),
            Err(refusal) => return StatementVerdict::Refuse(refusal),
        };
        self.take(id, Held { grant: grant.clone(), path });
        StatementVerdict::Admit(id)
    }

    /// Whether a grant is known by which the device ever covered this place, whatever replaced it.
    pub fn ever_covered(&self, device: &DeviceKey, home: &SubSls) -> bool {
        let granted = self.devices.get(device);
        granted.is_some_and(|granted| granted.ever.values().any(|places| places.cover(home)))
    }

    /// Whether the device was ever granted anything.
    pub fn ever_granted(&self, device: &DeviceKey) -> bool {
        self.devices.contains_key(device)
    }

    /// What the device may read now: ascending, none inside another.
    pub fn reads(&self, device: &DeviceKey) -> Vec<Region> {
        self.places_read(device).to_vec()
    }

    /// Whether the device may read at this place now.
    pub fn may_read(&self, device: &DeviceKey, home: &SubSls) -> bool {
        cover(self.places_read(device), home)
    }

    /// The roles that the device has in force at this place.
    pub fn roles_at(&self, device: &DeviceKey, home: &SubSls) -> Vec<Role> {
        let here = self.current_grants(device).filter(|(_, held)| cover(&held.grant.regions, home));
        let mut roles: Vec<Role> = here
            .filter(|(_, held)| cover(&self.narrowed(held), home))
            .map(|(_, held)| held.grant.role)
            .collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    /// Whether some role that the device ever had at this place writes the ink.
    pub fn ever_wrote(&self, device: &DeviceKey, home: &SubSls, ink: Ink) -> bool {
        let writes = |(role, places): (&Role, &Places)| role.inks().contains(&ink) && places.cover(home);
        self.devices.get(device).is_some_and(|granted| granted.ever.iter().any(writes))
    }

    /// The grants of a device, the highest role first and in it the oldest serial.
    pub fn grants_of(&self, device: &DeviceKey) -> Vec<GrantView> {
        let mut views: Vec<GrantView> = self.known(device).map(|(id, held)| self.view(id, held)).collect();
        views.sort_by_key(|view| (view.role, view.serial, view.id));
        views
    }

    /// Every grant.
    pub fn grants(&self) -> Vec<GrantView> {
        self.grants.iter().map(|(id, held)| self.view(id, held)).collect()
    }

    /// Whose device it is, as the grant says that came down by the shortest path; of several the
    /// newest. So no officer can give another name to a device above itself.
    pub fn name_of(&self, device: &DeviceKey) -> Option<&str> {
        let rank = |(id, held): &(&StatementId, &Held)| (held.path.len(), Reverse((held.grant.serial, **id)));
        let highest = self.current_grants(device).min_by_key(rank);
        highest.map(|(_, held)| held.grant.name.as_str())
    }

    /// The grants of `device`, each after those it rests on: what a stranger needs to believe it.
    /// The charter, which founds them, is not among them. What is in force and came down by the
    /// shortest path comes first, so that whoever has room for few takes those.
    pub fn chain(&self, device: &DeviceKey) -> Vec<StatementId> {
        let rank = |id: &StatementId, held: &Held| (self.in_force(id, held).is_empty(), held.path.len(), *id);
        let mut own: Vec<_> = self.known(device).map(|(id, held)| rank(id, held)).collect();
        own.sort_unstable();
        let (mut chain, mut seen) = (Vec::new(), BTreeSet::new());
        for (_, _, id) in own {
            self.chain_of(&id, &mut chain, &mut seen);
        }
        chain
    }

    /// The grants that a grant came down through, from below the charter to itself; none if it is not held.
    pub fn grant_path(&self, grant: &StatementId) -> Vec<StatementId> {
        let mut path = Vec::new();
        self.chain_of(grant, &mut path, &mut BTreeSet::new());
        path
    }

    /// The grant on which the device can rest one of its own: in force, of a role that may grant
    /// `role`, covering all the regions.
    pub fn grant_to_rest_on(
        &self,
        device: &DeviceKey,
        role: Role,
        regions: &[Region],
    ) -> Option<StatementId> {
        if *device == self.root && role == Role::District {
            return Some(StatementId::from_bytes(*self.survey.as_bytes()));
        }
        let mut grants = self.current_grants(device).filter(|(_, held)| held.grant.role.may_grant(role));
        let rests = |held: &Held| {
            let places = self.narrowed(held);
            regions.iter().all(|region| cover_region(&places, region))
        };
        grants.find(|(_, held)| rests(held)).map(|(id, _)| *id)
    }

    /// The serial with which a new grant for this subject that rests on `parent` replaces those
    /// before by the same path.
    pub fn next_serial_on(&self, parent: &StatementId, subject: &DeviceKey) -> u64 {
        let path = match self.grants.get(parent) {
            Some(held) => held.path_below(),
            None => vec![self.root],
        };
        let current = self.devices.get(subject).and_then(|granted| granted.current.get(&path));
        current.map_or(1, |(serial, _)| serial.saturating_add(1))
    }

    fn take(&mut self, id: StatementId, held: Held) {
        for granted in self.devices.values_mut() {
            granted.reads.take();
        }
        let granted = self.devices.entry(held.grant.subject).or_default();
        granted.grants.insert(id);
        let places = granted.ever.entry(held.grant.role).or_default();
        held.grant.regions.iter().for_each(|region| places.insert(*region));
        let counts = (held.grant.serial, id);
        let current = granted.current.entry(held.path.clone()).or_insert(counts);
        *current = if cfg!(planted = "serial-ignored") { *current } else { counts.max(*current) };
        self.grants.insert(id, held);
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
        if cfg!(planted = "grant-by-arrival") && self.in_force(&grant.parent, parent).is_empty() {
            return Ok(None);
        }
        if parent.grant.subject != *issuer {
            return Err(StatementRefusal::NotIssuers);
        }
        if !parent.grant.role.may_grant(grant.role) {
            let issuer = parent.grant.role.to_string();
            return Err(StatementRefusal::Role { issuer, role: grant.role });
        }
        let outside = |region: &&Region| !cover_region(&parent.grant.regions, region);
        let wider = |region: &&Region| outside(region) && !cfg!(planted = "wider-grant-accepted");
        if let Some(region) = grant.regions.iter().find(wider) {
            return Err(StatementRefusal::Wider { region: *region });
        }
        let path = parent.path_below();
        assert!(path.len() <= PATH_MAX, "each step of a path goes down at least one role");
        Ok(Some(path))
    }

    /// Where a grant is in force: nowhere once it is replaced.
    fn in_force(&self, id: &StatementId, held: &Held) -> Vec<Region> {
        match self.current(&held.grant.subject, &held.path) {
            Some((current, _)) if current == id => self.narrowed(held),
            _ => Vec::new(),
        }
    }

    /// What is left of a grant after what those it came down through may still grant.
    fn narrowed(&self, held: &Held) -> Vec<Region> {
        let (mut places, mut role) = (held.grant.regions.clone(), held.grant.role);
        let mut path = held.path.as_slice();
        while let Some((issuer, above)) = path.split_last().filter(|(_, above)| !above.is_empty()) {
            match self.current(issuer, above) {
                Some((_, wide)) if wide.grant.role.may_grant(role) => {
                    places = intersection(&places, &wide.grant.regions);
                    (role, path) = (wide.grant.role, above);
                }
                _ => return Vec::new(),
            }
        }
        places
    }

    fn places_read(&self, device: &DeviceKey) -> &[Region] {
        let Some(granted) = self.devices.get(device) else { return &[] };
        let narrowed =
            || union(self.current_grants(device).flat_map(|(_, held)| self.narrowed(held)).collect());
        granted.reads.get_or_init(narrowed)
    }

    /// The grant that counts for this subject by this path.
    fn current(&self, subject: &DeviceKey, path: &[DeviceKey]) -> Option<(&StatementId, &Held)> {
        let (_, id) = self.devices.get(subject)?.current.get(path)?;
        self.grants.get_key_value(id)
    }

    /// The grants that count for this device, one by each path.
    fn current_grants<'a>(&'a self, device: &DeviceKey) -> impl Iterator<Item = (&'a StatementId, &'a Held)> {
        let current = self.devices.get(device).into_iter().flat_map(|granted| granted.current.values());
        current.filter_map(|(_, id)| self.grants.get_key_value(id))
    }

    fn known<'a>(&'a self, device: &DeviceKey) -> impl Iterator<Item = (&'a StatementId, &'a Held)> {
        let ids = self.devices.get(device).into_iter().flat_map(|granted| &granted.grants);
        ids.filter_map(|id| self.grants.get_key_value(id))
    }

    fn chain_of(&self, id: &StatementId, chain: &mut Vec<StatementId>, seen: &mut BTreeSet<StatementId>) {
        let Some(held) = self.grants.get(id) else { return };
        if seen.insert(*id) {
            self.chain_of(&held.grant.parent, chain, seen);
            chain.push(*id);
        }
    }

    fn view(&self, id: &StatementId, held: &Held) -> GrantView {
        let issuer = held.path.last().copied().unwrap_or(self.root);
        let Grant { subject, name, role, regions, serial, .. } = held.grant.clone();
        GrantView { id: *id, issuer, subject, name, role, regions, in_force: self.in_force(id, held), serial }
    }
}

impl Held {
    /// The path of what rests on this grant.
    fn path_below(&self) -> Vec<DeviceKey> {
        self.path.iter().copied().chain([self.grant.subject]).collect()
    }
}

#[cfg(test)]
mod tests;
