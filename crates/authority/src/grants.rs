//! The grants held, and the paths that they came down by. What a grant may not do is refused here;
//! whether it is in force is for [`crate::Trust`] to say, once it is known who was revoked.

use std::collections::{BTreeMap, BTreeSet};

use rukun_change::{DeviceKey, Ink, StatementId, SubSls, SurveyId};

use crate::places::{Places, cover, cover_region};
use crate::role::Role;
use crate::roots::Roots;
use crate::said::{Grant, RootSuccession};
use crate::verdict::StatementRefusal;

/// The valid grants of one survey.
#[derive(Clone, Debug)]
pub(crate) struct Grants {
    roots: Roots,
    all: BTreeMap<StatementId, Held>,
    devices: BTreeMap<DeviceKey, Granted>,
    /// By which statements a grant went over to another key.
    followed: BTreeMap<StatementId, BTreeSet<StatementId>>,
}

/// A valid grant and the devices it came down through: first the key that founded the survey, whichever was
/// root when it was said.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) grant: Grant,
    pub(crate) path: Vec<DeviceKey>,
    /// The statement that its own rests on: the issuer's grant, or that of the key which this one follows.
    pub(crate) rests_on: StatementId,
    /// How many keys had it before this one.
    pub(crate) keys_before: usize,
}

/// What one device was granted.
#[derive(Clone, Debug, Default)]
struct Granted {
    grants: BTreeSet<StatementId>,
    /// By each path, its grants: the one that counts is the highest serial; of two equal ones, which
    /// only a dishonest issuer makes, the higher id.
    by_path: BTreeMap<Vec<DeviceKey>, BTreeSet<(u64, StatementId)>>,
    /// Where it ever had each role.
    ever: BTreeMap<Role, Places>,
}

/// What a statement rests on: the root's own word, or a grant of its issuer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Footing<'a> {
    /// The charter, or the succession that made its issuer root.
    Root,
    /// A grant.
    Grant(&'a Held),
}

/// The longest path of grants. The role table bounds it already; this says so to the reader.
const PATH_MAX: usize = Role::ALL.len();

impl Grants {
    /// None yet.
    pub(crate) fn new(survey: SurveyId, root: DeviceKey) -> Self {
        let roots = Roots::new(&survey, root);
        Self { roots, all: BTreeMap::new(), devices: BTreeMap::new(), followed: BTreeMap::new() }
    }

    /// Whose words the first grants are.
    pub(crate) fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Takes in that another key is root.
    pub(crate) fn seat(&mut self, id: StatementId, said: &RootSuccession) {
        self.roots.take(id, said);
    }

    /// All, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&StatementId, &Held)> {
        self.all.iter()
    }

    /// One.
    pub(crate) fn get(&self, id: &StatementId) -> Option<&Held> {
        self.all.get(id)
    }

    /// Those of a device, whatever became of them.
    pub(crate) fn of<'a>(&'a self, device: &DeviceKey) -> impl Iterator<Item = (&'a StatementId, &'a Held)> {
        let ids = self.devices.get(device).into_iter().flat_map(|granted| &granted.grants);
        ids.filter_map(|id| self.all.get_key_value(id))
    }

    /// Those of a device by one path, the one that counts first.
    pub(crate) fn by_path<'a>(
        &'a self,
        device: &DeviceKey,
        path: &[DeviceKey],
    ) -> impl Iterator<Item = (&'a StatementId, &'a Held)> {
        let ids = self.devices.get(device).and_then(|granted| granted.by_path.get(path));
        let ids = ids.into_iter().flat_map(|ids| ids.iter().rev());
        ids.filter_map(|(_, id)| self.all.get_key_value(id))
    }

    /// The paths by which a device was granted anything.
    pub(crate) fn paths<'a>(&'a self, device: &DeviceKey) -> impl Iterator<Item = &'a [DeviceKey]> + use<'a> {
        let granted = self.devices.get(device).into_iter();
        granted.flat_map(|granted| granted.by_path.keys().map(Vec::as_slice))
    }

    /// One grant of a device for each path by which it was granted anything.
    pub(crate) fn by_each_path<'a>(&'a self, device: &DeviceKey) -> impl Iterator<Item = &'a Held> + use<'a> {
        let granted = self.devices.get(device).into_iter();
        granted.flat_map(|granted| granted.by_path.values()).filter_map(|ids| self.all.get(&ids.last()?.1))
    }

    /// All devices that were ever granted anything.
    pub(crate) fn devices(&self) -> impl Iterator<Item = &DeviceKey> {
        self.devices.keys()
    }

    /// Whether the device was ever granted anything.
    pub(crate) fn has(&self, device: &DeviceKey) -> bool {
        self.devices.contains_key(device)
    }

    /// Whether a grant is known by which the device ever covered this place.
    pub(crate) fn ever_covered(&self, device: &DeviceKey, home: &SubSls) -> bool {
        let granted = self.devices.get(device);
        granted.is_some_and(|granted| granted.ever.values().any(|places| places.cover(home)))
    }

    /// Whether some role that the device ever had at this place writes the ink.
    pub(crate) fn ever_wrote(&self, device: &DeviceKey, home: &SubSls, ink: Ink) -> bool {
        let writes = |(role, places): (&Role, &Places)| role.inks().contains(&ink) && places.cover(home);
        self.devices.get(device).is_some_and(|granted| granted.ever.iter().any(writes))
    }

    /// What a statement of this issuer that names `parent` rests on; nothing if that is not known yet.
    pub(crate) fn footing(
        &self,
        issuer: &DeviceKey,
        parent: &StatementId,
    ) -> Result<Option<Footing<'_>>, StatementRefusal> {
        if let Some(root) = self.roots.key(parent) {
            return if issuer == root { Ok(Some(Footing::Root)) } else { Err(StatementRefusal::NotIssuers) };
        }
        match self.all.get(parent) {
            Some(held) if held.grant.subject == *issuer => Ok(Some(Footing::Grant(held))),
            Some(_) => Err(StatementRefusal::NotIssuers),
            None => Ok(None),
        }
    }

    /// The path that a grant of this issuer stands on; nothing if its parent is not known yet.
    pub(crate) fn path_below(
        &self,
        issuer: &DeviceKey,
        grant: &Grant,
    ) -> Result<Option<Vec<DeviceKey>>, StatementRefusal> {
        let role = grant.role;
        let parent = match self.footing(issuer, &grant.parent)? {
            Some(Footing::Root) if role == Role::District => return Ok(Some(vec![*self.roots.first()])),
            Some(Footing::Root) => return Err(StatementRefusal::Role { issuer: "root".into(), role }),
            Some(Footing::Grant(parent)) => parent,
            None => return Ok(None),
        };
        if !parent.grant.role.may_grant(role) {
            return Err(StatementRefusal::Role { issuer: parent.grant.role.to_string(), role });
        }
        let outside = |region: &&_| !cover_region(&parent.grant.regions, region);
        let wider = |region: &&_| outside(region) && !cfg!(planted = "wider-grant-accepted");
        if let Some(region) = grant.regions.iter().find(wider) {
            return Err(StatementRefusal::Wider { region: *region });
        }
        let path = parent.path_below();
        assert!(path.len() <= PATH_MAX, "each step of a path goes down at least one role");
        Ok(Some(path))
    }

    /// Takes in a grant that was found valid.
    pub(crate) fn take(&mut self, id: StatementId, held: Held) {
        let granted = self.devices.entry(held.grant.subject).or_default();
        granted.grants.insert(id);
        let places = granted.ever.entry(held.grant.role).or_default();
        held.grant.regions.iter().for_each(|region| places.insert(*region));
        let by_path = granted.by_path.entry(held.path.clone()).or_default();
        if by_path.is_empty() || !cfg!(planted = "serial-ignored") {
            by_path.insert((held.grant.serial, id));
        }
        self.all.insert(id, held);
    }

    /// Takes in that a key follows the one that has this grant.
    pub(crate) fn follow(&mut self, id: StatementId, parent: StatementId, successor: DeviceKey) {
        let Some(old) = self.all.get(&parent) else { return };
        let grant = Grant { subject: successor, ..old.grant.clone() };
        let (path, keys_before) = (old.path.clone(), old.keys_before + 1);
        let held = Held { grant, path, rests_on: parent, keys_before };
        self.followed.entry(parent).or_default().insert(id);
        self.take(id, held);
    }

    /// The grant that went over to the key which has this one; none if this one was said for its own subject.
    pub(crate) fn followed_by(&self, follower: &Held) -> Option<&Held> {
        // Who grants stands one step higher.
        self.all.get(&follower.rests_on).filter(|old| old.path == follower.path)
    }

    /// Who said a grant: by its path, unless it rests on a root's seat, whose key may be a later one.
    pub(crate) fn issuer_of(&self, held: &Held) -> DeviceKey {
        let seated = self.roots.key(&held.rests_on);
        *seated.or(held.path.last()).unwrap_or(self.roots.first())
    }

    /// The statements by which a grant went over to another key.
    pub(crate) fn followed(&self, grant: &StatementId) -> impl Iterator<Item = &StatementId> {
        self.followed.get(grant).into_iter().flatten()
    }

    /// The grant, each after those it rests on.
    pub(crate) fn chain_of(
        &self,
        id: &StatementId,
        chain: &mut Vec<StatementId>,
        seen: &mut BTreeSet<StatementId>,
    ) {
        let Some(held) = self.all.get(id) else { return self.roots.chain_of(id, chain, seen) };
        if seen.insert(*id) {
            self.chain_of(&held.rests_on, chain, seen);
            chain.push(*id);
        }
    }
}

impl Held {
    /// A grant that came down by this path.
    pub(crate) fn new(grant: Grant, path: Vec<DeviceKey>) -> Self {
        let rests_on = grant.parent;
        Self { grant, path, rests_on, keys_before: 0 }
    }

    /// The path of what rests on this grant.
    pub(crate) fn path_below(&self) -> Vec<DeviceKey> {
        self.path.iter().copied().chain([self.grant.subject]).collect()
    }

    /// Whether it covers this place and its role writes the ink.
    pub(crate) fn writes(&self, home: &SubSls, ink: Ink) -> bool {
        self.grant.role.inks().contains(&ink) && cover(&self.grant.regions, home)
    }
}

impl Footing<'_> {
    /// The role; none for the root, which is above all.
    pub(crate) fn role(&self) -> Option<Role> {
        match self {
            Self::Root => None,
            Self::Grant(held) => Some(held.grant.role),
        }
    }
}
