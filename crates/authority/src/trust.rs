//! The trust statements held, and what follows from them: who may read, write and grant where. Each
//! answer is a pure function of the set of statements, whatever order they came in. Statements that
//! cannot be placed yet are not kept here; the caller holds them back.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use rukun_change::{DeviceKey, Ink, RecordId, Region, StatementId, SubSls, SurveyId};

use crate::effects::Effects;
use crate::erasures::Erasures;
use crate::grants::{Grants, Held};
use crate::losses::Losses;
use crate::places::{cover, cover_region, intersection, union};
use crate::redrawings::Redrawings;
use crate::role::Role;
use crate::said::{Charter, Grant, Said};
use crate::statement::{Statement, VerifiedStatement};
use crate::transfers::Transfers;
use crate::verdict::{StatementRefusal, StatementVerdict, TrustError};

mod judged;

mod place;

mod roots;

/// The trust statements of one survey.
#[derive(Clone, Debug)]
pub struct Trust {
    survey: SurveyId,
    charter: Charter,
    grants: Grants,
    losses: Losses,
    erasures: Erasures,
    transfers: Transfers,
    redrawings: Redrawings,
    /// What the losses come to, once somebody asked; forgotten whenever a statement comes.
    effects: OnceLock<Effects>,
    /// What each device may read, likewise, once somebody asked of that device.
    reads: OnceLock<BTreeMap<DeviceKey, OnceLock<Vec<Region>>>>,
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
    /// Whether its subject was revoked here.
    pub revoked: bool,
}

/// A revocation as people look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationView {
    /// The statement.
    pub id: StatementId,
    /// Who revoked.
    pub issuer: DeviceKey,
    /// Why.
    pub reason: String,
    /// Whether it takes anything from the device: its issuer stands above it, and no higher one has
    /// spoken.
    pub counts: bool,
}

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
        let survey = SurveyId::from_bytes(*charter.id(None).as_bytes());
        Ok(Self {
            survey,
            charter: said.clone(),
            grants: Grants::new(survey, charter.issuer.device),
            losses: Losses::default(),
            erasures: Erasures::default(),
            transfers: Transfers::default(),
            redrawings: Redrawings::default(),
            effects: OnceLock::new(),
            reads: OnceLock::new(),
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

    /// The id of a statement in this survey.
    pub fn statement_id(&self, statement: &Statement) -> StatementId {
        match statement.said {
            Said::Charter(_) => statement.id(None),
            _ => statement.id(Some(&self.survey)),
        }
    }

    /// Checks the signature of a statement, judges it and, if it is admitted, takes it in.
    pub fn judge_statement(&mut self, statement: &Statement) -> StatementVerdict {
        match VerifiedStatement::verify(statement.clone(), &self.survey) {
            Ok(verified) => self.judge_verified(&verified),
            Err(refusal) => StatementVerdict::Refuse(refusal),
        }
    }

    /// Judges a statement and, if it is admitted, takes it in.
    pub fn judge_verified(&mut self, statement: &VerifiedStatement) -> StatementVerdict {
        if self.holds(&statement.id()) {
            return StatementVerdict::Admit(statement.id());
        }
        self.weigh(statement.id(), statement.statement())
    }

    /// Takes a statement in again that this device admitted before and kept under its own seal: its
    /// signature held then. All else is judged as the first time.
    pub fn recall_statement(&mut self, statement: &Statement) -> StatementVerdict {
        self.weigh(self.statement_id(statement), statement)
    }

    fn weigh(&mut self, id: StatementId, statement: &Statement) -> StatementVerdict {
        if matches!(statement.said, Said::Charter(_)) {
            let same = id.as_bytes() == self.survey.as_bytes();
            return if same {
                StatementVerdict::Admit(id)
            } else {
                StatementVerdict::Refuse(StatementRefusal::OtherSurvey)
            };
        }
        match self.place(id, statement) {
            // A receipt is weighed and not kept here: nothing follows from it for anybody.
            Ok(None) if matches!(statement.said, Said::Receipt(_)) => StatementVerdict::Admit(id),
            Ok(None) => {
                self.effects.take();
                self.reads.take();
                StatementVerdict::Admit(id)
            }
            Ok(Some(first)) => StatementVerdict::Wait(first),
            Err(refusal) => StatementVerdict::Refuse(refusal),
        }
    }

    /// How many keys had this grant before the one that has it now, whatever became of them.
    pub fn keys_before(&self, grant: &StatementId) -> usize {
        self.grants.get(grant).map_or(0, |held| held.keys_before)
    }

    /// The keys that follow this one, by words that count.
    pub fn followers(&self, device: &DeviceKey) -> BTreeSet<DeviceKey> {
        let followed = self.grants.of(device).flat_map(|(grant, _)| {
            let words = self.grants.followed(grant);
            words.filter(|id| self.effects().stands(&self.grants, &self.losses, id, self.held(id)))
        });
        followed.map(|id| self.held(id).grant.subject).collect()
    }

    /// The keys that follow this one and that nobody follows yet; the key itself, if nobody follows it.
    pub fn newest_of(&self, device: &DeviceKey) -> BTreeSet<DeviceKey> {
        let (mut newest, mut seen, mut open) = (BTreeSet::new(), BTreeSet::from([*device]), vec![*device]);
        while let Some(key) = open.pop() {
            let followers = self.followers(&key);
            if followers.is_empty() {
                newest.insert(key);
            }
            open.extend(followers.into_iter().filter(|follower| seen.insert(*follower)));
        }
        newest
    }

    fn held(&self, id: &StatementId) -> &Held {
        self.grants.get(id).expect("a succession is held as a grant of the successor")
    }

    /// Whether this statement was taken in. The charter was, by its hash.
    pub fn holds(&self, id: &StatementId) -> bool {
        let moved = self.erasures.has(id) || self.transfers.has(id) || self.redrawings.has(id);
        let granted = self.grants.get(id).is_some() || self.grants.roots().key(id).is_some();
        moved || granted || self.losses.has(id)
    }

    /// The erasure of a record, if one is held: the first of several. It is for ever.
    pub fn erased_by(&self, record: &RecordId) -> Option<StatementId> {
        self.erasures.of(record)
    }

    /// The records of which an erasure is held, whether or not anything of them is.
    pub fn erased(&self) -> impl Iterator<Item = &RecordId> {
        self.erasures.records()
    }

    /// The record from which this one goes on, and whose word it is; none if nobody moved it, or whoever did
    /// was revoked and the word is not kept. The first of several.
    pub fn came_from(&self, record: &RecordId) -> Option<(StatementId, RecordId)> {
        let counts = |id: &StatementId, parent: &StatementId| {
            self.effects().speaks(&self.grants, &self.losses, parent, id)
        };
        let mut words = self.transfers.of(record);
        words.find(|(id, came)| counts(id, &came.parent)).map(|(id, came)| (*id, came.from))
    }

    /// The grant on which the device can rest a word about records there that is the district's: one as
    /// district, in force. The root rests it on its seat.
    pub fn district_grant(&self, device: &DeviceKey, home: &SubSls) -> Option<StatementId> {
        self.district_grant_over(device, std::slice::from_ref(home))
    }

    /// The same for a word about all of these places.
    pub fn district_grant_over(&self, device: &DeviceKey, homes: &[SubSls]) -> Option<StatementId> {
        if let Some(seat) = self.root_seat(device) {
            return Some(seat);
        }
        let mut own = self.current_grants(device).filter(|(_, held)| held.grant.role == Role::District);
        let covers = |places: &[Region]| homes.iter().all(|home| cover(places, home));
        own.find(|(_, held)| covers(&self.narrowed(held))).map(|(id, _)| *id)
    }

    /// Whether a grant is known by which the device ever covered this place, whatever replaced it.
    pub fn ever_covered(&self, device: &DeviceKey, home: &SubSls) -> bool {
        self.grants.ever_covered(device, home)
    }

    /// Whether the device once covered this place, and may read nothing there now.
    pub fn has_outgrown(&self, device: &DeviceKey, home: &SubSls) -> bool {
        self.ever_covered(device, home) && !self.may_read(device, home)
    }

    /// Whether the device was ever granted anything.
    pub fn ever_granted(&self, device: &DeviceKey) -> bool {
        self.grants.has(device)
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
        self.grants.ever_wrote(device, home, ink)
    }

    /// The grants of a device, the highest role first and in it the oldest serial.
    pub fn grants_of(&self, device: &DeviceKey) -> Vec<GrantView> {
        let mut views: Vec<GrantView> =
            self.grants.of(device).map(|(id, held)| self.view(id, held)).collect();
        views.sort_by_key(|view| (view.role, view.serial, view.id));
        views
    }

    /// Every grant.
    pub fn grants(&self) -> Vec<GrantView> {
        self.grants.iter().map(|(id, held)| self.view(id, held)).collect()
    }

    /// Every grant that this device made, as it was said, whatever became of it.
    pub fn granted_by(&self, issuer: DeviceKey) -> impl Iterator<Item = (&StatementId, &Grant)> {
        let own = self.grants.iter().filter(move |(_, held)| self.grants.issuer_of(held) == issuer);
        own.map(|(id, held)| (id, &held.grant))
    }

    /// Whose device it is, as the grant says that came down by the shortest path; of several the
    /// newest. So no officer can give another name to a device above itself. What was revoked keeps its
    /// name while nothing else gives one.
    pub fn name_of(&self, device: &DeviceKey) -> Option<&str> {
        let rank = |(id, held): &(&StatementId, &Held)| {
            (self.effects().is_revoked(held), held.path.len(), Reverse((held.grant.serial, **id)))
        };
        let current = self.grants.paths(device).filter_map(|path| self.current(device, path));
        let highest = current.min_by_key(rank);
        highest.map(|(_, held)| held.grant.name.as_str())
    }

    /// The grants of `device`, each after those it rests on: what a stranger needs to believe it.
    /// The charter, which founds them, is not among them; the successions of the root are. What is in
    /// force and came down by the shortest path comes first, so that whoever has room for few takes those.
    pub fn chain(&self, device: &DeviceKey) -> Vec<StatementId> {
        let rank = |id: &StatementId, held: &Held| (self.in_force(id, held).is_empty(), held.path.len(), *id);
        let mut own: Vec<_> = self.grants.of(device).map(|(id, held)| rank(id, held)).collect();
        own.sort_unstable();
        let (mut chain, mut seen) = (Vec::new(), BTreeSet::new());
        for (_, _, id) in own {
            self.grants.chain_of(&id, &mut chain, &mut seen);
        }
        chain
    }

    /// What a grant came down through, from below the charter to itself: successions of the root, then grants;
    /// none if it is not held.
    pub fn grant_path(&self, grant: &StatementId) -> Vec<StatementId> {
        let mut path = Vec::new();
        self.grants.chain_of(grant, &mut path, &mut BTreeSet::new());
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
        if let Some(seat) = self.root_seat(device).filter(|_| role == Role::District) {
            return Some(seat);
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
            None => vec![*self.root()],
        };
        let last = self.grants.by_path(subject, &path).next();
        last.map_or(1, |(_, held)| held.grant.serial.saturating_add(1))
    }

    /// Whether only their ids tell which of two grants counts: they came down by one path under one serial, as a
    /// superior makes them whose store was put back.
    pub fn are_told_apart_by_id(&self, one: &StatementId, other: &StatementId) -> bool {
        let place = |id| self.grants.get(id).map(|held| (&held.path, held.grant.serial));
        place(one).is_some() && place(one) == place(other)
    }

    /// Where a grant is in force: nowhere once it is replaced or revoked, or another key has it.
    pub(crate) fn in_force(&self, id: &StatementId, held: &Held) -> Vec<Region> {
        match self.current(&held.grant.subject, &held.path) {
            Some((current, _)) if current == id && self.is_with_its_key(held) => self.narrowed(held),
            _ => Vec::new(),
        }
    }

    /// What is left of a grant after what those it came down through may still grant, or might before
    /// they were revoked.
    fn narrowed(&self, held: &Held) -> Vec<Region> {
        let (mut places, mut role) = (self.left_to_its_key(held), held.grant.role);
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

    /// The regions of a grant; of one that another key had, what that one would have now. A key can't be given
    /// what was taken from the one that it follows.
    fn left_to_its_key(&self, held: &Held) -> Vec<Region> {
        let (mut places, mut follower) = (held.grant.regions.clone(), held);
        while let Some(old) =
            self.grants.followed_by(follower).filter(|_| !cfg!(planted = "follower-keeps-all"))
        {
            match self.current(&old.grant.subject, &old.path) {
                Some((_, current)) if current.grant.role == held.grant.role => {
                    places = intersection(&places, &current.grant.regions);
                }
                _ => return Vec::new(),
            }
            follower = old;
        }
        places
    }

    fn places_read(&self, device: &DeviceKey) -> &[Region] {
        let of_each = || self.grants.devices().map(|device| (*device, OnceLock::new())).collect();
        let Some(reads) = self.reads.get_or_init(of_each).get(device) else { return &[] };
        let narrowed =
            || union(self.current_grants(device).flat_map(|(_, held)| self.narrowed(held)).collect());
        reads.get_or_init(narrowed)
    }

    /// The grant that counts for this subject by this path: the highest serial of those that stand.
    pub(crate) fn current(&self, subject: &DeviceKey, path: &[DeviceKey]) -> Option<(&StatementId, &Held)> {
        let stands = |(id, held): &(&StatementId, &Held)| {
            let skipped = cfg!(planted = "empty-grant-skipped") && held.grant.regions.is_empty();
            !skipped && self.effects().stands(&self.grants, &self.losses, id, held)
        };
        self.grants.by_path(subject, path).find(stands)
    }

    /// The grants that count for this device, one by each path, the revoked ones left out.
    pub(crate) fn current_grants<'a>(
        &'a self,
        device: &DeviceKey,
    ) -> impl Iterator<Item = (&'a StatementId, &'a Held)> {
        let device = *device;
        let current = self.grants.paths(&device).filter_map(move |path| self.current(&device, path));
        current.filter(|(_, held)| self.is_with_its_key(held))
    }

    /// Whether a grant is neither revoked nor gone over to another key.
    fn is_with_its_key(&self, held: &Held) -> bool {
        let revoked = self.effects().is_revoked(held) && !cfg!(planted = "revoked-reads-on");
        !revoked && !self.effects().is_followed(&self.grants, &self.losses, held)
    }

    pub(crate) fn grants_held(&self) -> &Grants {
        &self.grants
    }

    pub(crate) fn losses(&self) -> &Losses {
        &self.losses
    }

    pub(crate) fn effects(&self) -> &Effects {
        self.effects.get_or_init(|| Effects::of(&self.grants, &self.losses))
    }

    fn view(&self, id: &StatementId, held: &Held) -> GrantView {
        let issuer = self.grants.issuer_of(held);
        let Grant { subject, name, role, regions, serial, .. } = held.grant.clone();
        let (in_force, revoked) = (self.in_force(id, held), self.effects().is_revoked(held));
        GrantView { id: *id, issuer, subject, name, role, regions, in_force, serial, revoked }
    }
}

mod receipts;
mod redrawn;
pub use redrawn::RedrawingView;

#[cfg(test)]
mod tests;
