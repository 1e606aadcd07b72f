//! The grants that a node holds, and what follows from them: a pure function of the set. Which role
//! may do what stands here once more, as a table of its own.

use std::collections::BTreeMap;

use rukun_change::cbor::Reader;
use rukun_change::cose::sig_structure;
use rukun_change::{DeviceKey, Digest, Ink, Region, StatementId, SubSls, SurveyId};

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
}

impl Granted {
    /// The grant in the bytes of a statement; nothing if they say something else.
    pub fn of(statement: &[u8], survey: &SurveyId) -> Option<Self> {
        let mut outer = Reader::new(statement);
        outer.tag(18).ok()?;
        outer.tuple(4).ok()?;
        outer.bytes(128).ok()?;
        outer.map(0).ok()?;
        let payload = outer.bytes(statement.len()).ok()?;
        let signed = sig_structure("application/rukun-statement; v=1", survey.as_bytes(), payload);
        let id = StatementId::from_bytes(*Digest::of(&signed).as_bytes());
        let mut said = Reader::new(payload);
        said.tuple(5).ok()?;
        if said.uint().ok()? != 2 {
            return None;
        }
        let issuer = DeviceKey::from_bytes(said.array_of().ok()?);
        said.array_of::<4>().ok()?;
        said.uint().ok()?;
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
        Some(Self { id, parent, issuer, subject, role, regions: regions?, serial: said.uint().ok()? })
    }
}

/// All grants that a node holds, good or not.
#[derive(Clone, Debug)]
pub struct Grants {
    survey: SurveyId,
    root: DeviceKey,
    all: BTreeMap<StatementId, Granted>,
}

impl Grants {
    /// None yet, in the survey of this root.
    pub fn new(survey: SurveyId, root: DeviceKey) -> Self {
        Self { survey, root, all: BTreeMap::new() }
    }

    /// Holds one more.
    pub fn hold(&mut self, granted: Granted) {
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
        let in_force = self.of(device).filter(|granted| self.in_force(granted, &home.region()));
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

    fn is_roots(&self, granted: &Granted) -> bool {
        granted.parent.as_bytes() == self.survey.as_bytes()
    }

    /// A grant holds if it only narrows one that holds and is its issuer's. The root grants
    /// districts.
    fn holds(&self, granted: &Granted) -> bool {
        if granted.regions.is_empty() {
            return false;
        }
        if self.is_roots(granted) {
            return granted.issuer == self.root && granted.role == Role::District;
        }
        self.parent(granted).is_some_and(|parent| {
            parent.subject == granted.issuer
                && parent.role.may_grant(granted.role)
                && granted.regions.iter().all(|region| parent.covers(region))
                && self.holds(parent)
        })
    }

    /// The issuers from the root down to the grant's own.
    fn path(&self, granted: &Granted) -> Vec<DeviceKey> {
        let mut path = match self.parent(granted) {
            Some(parent) if !self.is_roots(granted) => self.path(parent),
            _ => Vec::new(),
        };
        path.push(granted.issuer);
        path
    }

    /// The grant that counts for this subject by this path.
    fn current(&self, subject: &DeviceKey, path: &[DeviceKey]) -> Option<&Granted> {
        let by_path = self.of(subject).filter(|granted| self.path(granted) == path);
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
        is_current && granted.covers(place) && given
    }
}

impl Granted {
    fn covers(&self, place: &Region) -> bool {
        self.regions.iter().any(|region| region.covers(place))
    }
}
