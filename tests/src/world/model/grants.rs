//! The grants that a node holds, and what follows from them: a pure function of the set. Which role
//! may do what stands here once more, as a table of its own.

use std::collections::{BTreeMap, BTreeSet};

use rukun_change::{DeviceKey, Digest, Incarnation, Ink, Region, StatementId, SubSls, SurveyId};

use super::losses::{Claim, Decision, Loss, Revocation};
use super::roots::{RootWord, Roots};
use super::said::said_of;

/// A tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// BPS Kabupaten.
    District,
    /// Koseka.
    Coordinator,
    /// PML.
    Supervisor,
    /// PPL.
    Enumerator,
}

impl Role {
    /// The inks that it writes.
    pub fn inks(self) -> &'static [Ink] {
        match self {
            Self::District => &[Ink::Printed, Ink::Black],
            Self::Coordinator => &[Ink::Green],
            Self::Supervisor => &[Ink::Red],
            Self::Enumerator => &[Ink::Pencil],
        }
    }

    /// Whether it may grant the other.
    pub fn may_grant(self, other: Self) -> bool {
        match self {
            Self::District => other != Self::District,
            Self::Coordinator => matches!(other, Self::Supervisor | Self::Enumerator),
            Self::Supervisor => other == Self::Enumerator,
            Self::Enumerator => false,
        }
    }
}

/// All tiers.
const ROLES: [Role; 4] = [Role::District, Role::Coordinator, Role::Supervisor, Role::Enumerator];

/// One grant, as its issuer signed it. Whether it holds is for [`Grants`] to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The statement.
    pub id: StatementId,
    /// The issuer's own grant; the survey's id if the issuer is the root.
    pub parent: StatementId,
    /// Who grants.
    pub issuer: DeviceKey,
    /// To whom.
    pub subject: DeviceKey,
    /// In which role.
    pub role: Role,
    /// Where.
    pub regions: Vec<Region>,
    /// A higher one by the same path of issuers replaces.
    pub serial: u64,
    /// Whether it is the word of a key that another follows in its grant `parent`: role, regions and serial
    /// are that one's.
    pub follows: bool,
}

impl Granted {
    /// The grant in the bytes of a statement; nothing if they say something else.
    pub fn of(statement: &[u8], survey: &SurveyId) -> Option<Self> {
        let (id, kind, issuer, mut said) = said_of(statement, survey, &[2, 11])?;
        if kind == 11 {
            said.tuple(3).ok()?;
            let parent = StatementId::from_bytes(said.array_of().ok()?);
            let subject = DeviceKey::from_bytes(said.array_of().ok()?);
            let (role, regions, serial) = (Role::Enumerator, Vec::new(), 0);
            return Some(Self { id, parent, issuer, subject, role, regions, serial, follows: true });
        }
        said.tuple(6).ok()?;
        let parent = StatementId::from_bytes(said.array_of().ok()?);
        let subject = DeviceKey::from_bytes(said.array_of().ok()?);
        let role = match said.uint().ok()? {
            1 => Role::District,
            2 => Role::Coordinator,
            3 => Role::Supervisor,
            4 => Role::Enumerator,
            _ => return None,
        };
        let count = said.array(1_024).ok()?;
        let regions: Option<Vec<Region>> = (0..count).map(|_| said.text(16).ok()?.parse().ok()).collect();
        let serial = said.uint().ok()?;
        Some(Self { id, parent, issuer, subject, role, regions: regions?, serial, follows: false })
    }
}

/// All grants that a node holds, good or not, and what is held against devices.
#[derive(Clone, Debug)]
pub struct Grants {
    roots: Roots,
    all: BTreeMap<StatementId, Granted>,
    losses: Vec<Loss>,
}

impl Grants {
    /// None yet, in the survey of this root.
    pub fn new(survey: SurveyId, root: DeviceKey) -> Self {
        Self { roots: Roots::new(&survey, root), all: BTreeMap::new(), losses: Vec::new() }
    }

    /// Holds a word against somebody.
    pub fn lose(&mut self, loss: Loss) {
        self.losses.push(loss);
    }

    pub(super) fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// Holds a word by which one root follows another.
    pub fn follow(&mut self, word: RootWord) {
        self.roots.follow(word);
    }

    pub(super) fn seated(&self, parent: &StatementId) -> Option<DeviceKey> {
        self.roots.seated(parent)
    }

    pub(super) fn grant(&self, id: &StatementId) -> Option<&Granted> {
        self.all.get(id)
    }

    /// Holds one more, after what it rests on.
    pub fn hold(&mut self, mut granted: Granted) {
        if let Some(old) = self.all.get(&granted.parent).filter(|_| granted.follows) {
            (granted.role, granted.regions, granted.serial) = (old.role, old.regions.clone(), old.serial);
        }
        self.all.insert(granted.id, granted);
    }

    /// The grants that hold, in no order that means anything.
    pub fn good(&self) -> impl Iterator<Item = &Granted> {
        self.all.values().filter(|granted| self.holds(granted))
    }

    /// Whether the device was ever granted anything.
    pub fn ever_granted(&self, device: &DeviceKey) -> bool {
        self.of(device).next().is_some()
    }

    /// Whether any grant, whatever replaced it, ever covered this place for the device.
    pub fn ever_covered(&self, device: &DeviceKey, home: &SubSls) -> bool {
        self.of(device).any(|granted| granted.covers(&home.region()))
    }

    /// Whether some role that the device ever had at this place writes the ink.
    pub fn ever_wrote(&self, device: &DeviceKey, home: &SubSls, ink: Ink) -> bool {
        self.of(device).any(|granted| granted.covers(&home.region()) && granted.role.inks().contains(&ink))
    }

    /// Whether the device may read at this place now.
    pub fn may_read(&self, device: &DeviceKey, home: &SubSls) -> bool {
        !self.roles_at(device, home).is_empty()
    }

    /// Whether the device may write this ink at this place now.
    pub fn may_write(&self, device: &DeviceKey, home: &SubSls, ink: Ink) -> bool {
        self.roles_at(device, home).iter().any(|role| role.inks().contains(&ink))
    }

    /// The roles that the device has in force at this place, highest first.
    pub fn roles_at(&self, device: &DeviceKey, home: &SubSls) -> Vec<Role> {
        let in_force = self.of(device).filter(|granted| {
            self.in_force(granted, &home.region())
                && self.revocations_on(granted).is_empty()
                && !self.is_followed(granted)
        });
        let mut roles: Vec<Role> = in_force.map(|granted| granted.role).collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    fn of<'a>(&'a self, device: &DeviceKey) -> impl Iterator<Item = &'a Granted> {
        let device = *device;
        self.all.values().filter(move |granted| granted.subject == device && self.holds(granted))
    }

    fn parent(&self, granted: &Granted) -> Option<&Granted> {
        self.all.get(&granted.parent)
    }

    /// A grant holds if it only narrows one that holds and is its issuer's. The root grants
    /// districts.
    fn holds(&self, granted: &Granted) -> bool {
        if let Some(root) = self.seated(&granted.parent) {
            return granted.issuer == root && granted.role == Role::District;
        }
        self.parent(granted).is_some_and(|parent| {
            parent.subject == granted.issuer
                && (granted.follows && parent.role == Role::Enumerator || parent.role.may_grant(granted.role))
                && granted.regions.iter().all(|region| parent.covers(region))
                && self.holds(parent)
        })
    }

    /// The issuers from the root down to the grant's own. The first root stands for all that came after it.
    pub(super) fn path(&self, granted: &Granted) -> Vec<DeviceKey> {
        match self.parent(granted) {
            Some(parent) if granted.follows => self.path(parent),
            Some(parent) => [self.path(parent), vec![granted.issuer]].concat(),
            None if self.seated(&granted.parent).is_some() => vec![self.roots.first()],
            None => vec![granted.issuer],
        }
    }

    /// Whether another key follows the subject in what it has by this path and role, by a word that counts.
    fn is_followed(&self, granted: &Granted) -> bool {
        let path = self.path(granted);
        let same = |old: &Granted| {
            old.subject == granted.subject && old.role == granted.role && self.path(old) == path
        };
        let mut words = self.all.values().filter(|one| one.follows && self.parent(one).is_some_and(&same));
        words.any(|one| self.holds(one) && self.counts(&one.id, &one.parent))
    }

    /// Whether whoever a key follows would have this place still.
    fn is_left(&self, granted: &Granted, place: &Region) -> bool {
        let Some(old) = self.parent(granted).filter(|_| granted.follows) else { return true };
        let now = self.current(&old.subject, &self.path(old));
        now.is_some_and(|one| one.role == granted.role && one.covers(place)) && self.is_left(old, place)
    }

    /// The grant that counts for this subject by this path.
    fn current(&self, subject: &DeviceKey, path: &[DeviceKey]) -> Option<&Granted> {
        let by_path = self.of(subject).filter(|granted| self.path(granted) == path);
        let by_path = by_path.filter(|granted| self.counts(&granted.id, &granted.parent));
        by_path.max_by_key(|granted| (granted.serial, granted.id))
    }

    /// Whether nothing replaced the grant, and every issuer above could still give it here.
    fn in_force(&self, granted: &Granted, place: &Region) -> bool {
        let path = self.path(granted);
        let is_current = self.current(&granted.subject, &path).is_some_and(|one| one.id == granted.id);
        let given = match path.split_last() {
            Some((issuer, above)) if !above.is_empty() => self
                .current(issuer, above)
                .is_some_and(|own| own.role.may_grant(granted.role) && self.in_force(own, place)),
            _ => true,
        };
        is_current && granted.covers(place) && given && self.is_left(granted, place)
    }
}

// What is held against devices: recursion down the paths of grants, nothing kept in between.
impl Grants {
    /// The revocations that hit a grant: by someone through whose hands it came down, whose word counts,
    /// and of these the highest.
    pub(super) fn revocations_on(&self, granted: &Granted) -> Vec<&Revocation> {
        let path = self.path(granted);
        let all = self.losses().iter().filter_map(|loss| match loss {
            Loss::Revocation(revocation) => Some(revocation),
            _ => None,
        });
        let hits = |one: &&Revocation| {
            let speaker = self.speaker(&one.issuer, &one.parent);
            one.subject == granted.subject
                && speaker.is_some_and(|speaker| path.starts_with(&speaker))
                && self.counts(&one.id, &one.parent)
        };
        let mut hits: Vec<&Revocation> = all.filter(hits).collect();
        let highest = hits.iter().map(|one| self.tier(&one.parent)).min();
        hits.retain(|one| Some(self.tier(&one.parent)) == highest);
        hits
    }

    /// Whether a statement counts: wherever somebody between the root and its issuer was revoked, the
    /// revocation keeps what that one had said on the way.
    pub(super) fn counts(&self, id: &StatementId, parent: &StatementId) -> bool {
        match self.grant(parent) {
            None => self.roots.counts(parent, id),
            Some(granted) => {
                self.revocations_on(granted).iter().all(|one| one.statements.contains(id))
                    && self.counts(&granted.id, &granted.parent)
            }
        }
    }

    /// Whether a change counts by some grant of its author, as far as revocations go.
    pub(super) fn entitles(&self, fact: &Claim) -> bool {
        self.entitling(fact).next().is_some()
    }

    /// Whether each grant by which a change counts was revoked by somebody who kept the change and not the other one.
    pub(super) fn outweighs(&self, fact: &Claim, other: &Claim) -> bool {
        let without = |one: &&Revocation| !self.keeps(one, other);
        self.entitling(fact).all(|granted| self.revocations_on(granted).iter().any(without))
    }

    fn entitling(&self, fact: &Claim) -> impl Iterator<Item = &Granted> {
        let (fact, home) = (*fact, fact.home);
        let writes = self.good().filter(move |granted| {
            granted.subject == fact.author.device
                && granted.covers(&home.region())
                && granted.role.inks().contains(&fact.ink)
        });
        writes.filter(move |granted| {
            self.counts(&granted.id, &granted.parent)
                && self.revocations_on(granted).iter().all(|one| self.keeps(one, &fact))
        })
    }

    /// Whether a change was upheld or dismissed: by the highest of those above its author who spoke, and
    /// among equals, but for what one of them took back, the stricter.
    pub(super) fn decided(&self, fact: &Claim) -> Option<bool> {
        let home = fact.home;
        let all = self.losses().iter().filter_map(|loss| match loss {
            Loss::Decision(decision) => Some(decision),
            _ => None,
        });
        let writes = |role: Role| role.inks().contains(&fact.ink);
        let own =
            |granted: &&Granted| granted.subject == fact.author.device && granted.covers(&home.region());
        let entitled = self.good().filter(own).any(|granted| writes(granted.role));
        let above = |speaker: &Vec<DeviceKey>| {
            let mut of = self.good().filter(own).filter(|granted| !entitled || writes(granted.role));
            of.any(|granted| self.path(granted).starts_with(speaker))
        };
        // Nobody lifts an ink that the author never had over the own.
        let lifts = |one: &Decision| {
            let role = self.grant(&one.parent).map(|granted| granted.role);
            one.upheld
                && !entitled
                && role.is_some_and(|role| ROLES.into_iter().any(|ink| ink < role && writes(ink)))
        };
        let covers =
            |one: &Decision| self.grant(&one.parent).is_none_or(|granted| granted.covers(&home.region()));
        let mut speak: Vec<&Decision> = all
            .filter(|one| one.changes.contains(&fact.id) && one.sub_sls == home)
            .filter(|one| covers(one) && !lifts(one))
            .filter(|one| self.speaker(&one.issuer, &one.parent).is_some_and(|speaker| above(&speaker)))
            .filter(|one| self.counts(&one.id, &one.parent))
            .collect();
        let highest = speak.iter().map(|one| self.tier(&one.parent)).min()?;
        speak.retain(|one| self.tier(&one.parent) == highest);
        let taken_back: BTreeSet<StatementId> =
            speak.iter().flat_map(|one| one.supersedes.iter().copied()).collect();
        speak.retain(|one| !taken_back.contains(&one.id));
        if speak.is_empty() { None } else { Some(speak.iter().all(|one| one.upheld)) }
    }

    /// Whether a change is out of the way of others: dismissed, or made by a revoked device and not kept.
    pub(super) fn drops(&self, fact: &Claim) -> bool {
        let wrote = self.ever_wrote(&fact.author.device, &fact.home, fact.ink);
        self.decided(fact).map_or(wrote && !self.entitles(fact), |upheld| !upheld)
    }

    /// The branches of all forks that were proved.
    pub(super) fn proved(&self) -> impl Iterator<Item = Claim> {
        let branches = self.losses.iter().map(|loss| match loss {
            Loss::Fork { branches } => branches.as_slice(),
            _ => &[],
        });
        branches.flatten().copied()
    }

    fn keeps(&self, revocation: &Revocation, fact: &Claim) -> bool {
        let counted = |(incarnation, n_max): &(Incarnation, u64)| {
            *incarnation == fact.author.incarnation && fact.n <= *n_max
        };
        let listed = |loss: &Loss| match loss {
            Loss::KeptList { revocation: of, sub_sls, changes } => {
                let bytes: Vec<u8> = changes.iter().flat_map(|id| *id.as_bytes()).collect();
                let named = (*sub_sls, *Digest::of(&bytes).as_bytes());
                *of == revocation.id
                    && *sub_sls == fact.home
                    && revocation.lists.contains(&named)
                    && changes.contains(&fact.id)
            }
            _ => false,
        };
        revocation.kept.iter().any(counted) && self.losses().iter().any(listed)
    }

    /// The devices from the root down to the one that speaks.
    fn speaker(&self, issuer: &DeviceKey, parent: &StatementId) -> Option<Vec<DeviceKey>> {
        if let Some(root) = self.seated(parent) {
            return (*issuer == root).then(|| vec![self.roots.first()]);
        }
        let granted = self.grant(parent).filter(|granted| granted.subject == *issuer)?;
        Some([self.path(granted), vec![*issuer]].concat())
    }

    fn tier(&self, parent: &StatementId) -> usize {
        self.grant(parent).map_or(0, |granted| 1 + granted.role as usize)
    }
}

impl Granted {
    pub(super) fn covers(&self, place: &Region) -> bool {
        self.regions.iter().any(|region| region.covers(place))
    }
}
