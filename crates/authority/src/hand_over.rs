//! A hand-over: what a device holds of a region by another's grants becomes grants that give it to a
//! third and leave the first what remains, each replacing the one before on its path. Nothing is signed
//! here, and no rule is new: every grant stands by itself.

use rukun_change::{DeviceKey, Region};

use crate::grants::Held;
use crate::places::{cover_region, union};
use crate::role::Role;
use crate::said::Grant;
use crate::trust::Trust;

/// What a hand-over comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandOver {
    /// The places that change hands, ascending.
    pub regions: Vec<Region>,
    /// The grants that say so, in the order in which they are to be said.
    pub grants: Vec<Grant>,
    /// By whose grants the first device goes on there in the same role.
    pub others: Vec<DeviceKey>,
}

impl Trust {
    /// What `issuer` says to hand over what `from` holds of a region by its grants, whoever was revoked
    /// meanwhile.
    ///
    /// # Errors
    /// If there is nothing to hand over or no grant that says just that. Whoever hands over can mend it.
    pub fn hand_over(
        &self,
        issuer: &DeviceKey,
        region: &Region,
        from: &DeviceKey,
        to: &DeviceKey,
    ) -> Result<HandOver, HandOverError> {
        let name = |device: &DeviceKey| match self.name_of(device) {
            Some(name) => Ok(String::from(name)),
            None => Err(HandOverError::Unknown { device: *device }),
        };
        let (giver, taker) = (name(from)?, name(to)?);
        if from == to {
            return Err(HandOverError::SameDevice { name: giver });
        }
        let mut over = HandOver::default();
        let paths = self.grants_held().paths(from).filter(|path| path.last() == Some(issuer));
        for (path, (_, held)) in paths.filter_map(|path| Some((path, self.current(from, path)?))) {
            let (moved, kept): (Vec<Region>, Vec<Region>) =
                held.grant.regions.iter().partition(|place| region.covers(place));
            if let Some(wide) = kept.iter().find(|place| place.covers(region)) {
                return Err(HandOverError::Part { name: giver, region: *region, wide: *wide });
            }
            if moved.is_empty() {
                continue;
            }
            let role = held.grant.role;
            over.grants.extend(self.given(path, to, &taker, role, &moved)?);
            if !cfg!(planted = "hand-over-keeps") {
                over.grants.push(self.replacing(path, from, role, kept, held.grant.name.clone())?);
            }
            over.regions.extend(moved);
        }
        over.regions = union(over.regions);
        let others = self.also_held(issuer, region, from);
        if let (Some((other, _)), true) = (others.first(), over.regions.is_empty()) {
            let issuer = name(other).unwrap_or_else(|_| other.to_string());
            return Err(HandOverError::Elsewhere { name: giver, region: *region, issuer });
        }
        if over.regions.is_empty() {
            return Err(HandOverError::NotHeld { name: giver, region: *region });
        }
        let same_role = |role: Role| over.grants.iter().any(|grant| grant.role == role);
        over.others =
            others.into_iter().filter(|(_, role)| same_role(*role)).map(|(other, _)| other).collect();
        Ok(over)
    }

    /// The grant of these places beside those that the device has by this path; nothing if it has them.
    fn given(
        &self,
        path: &[DeviceKey],
        to: &DeviceKey,
        name: &str,
        role: Role,
        places: &[Region],
    ) -> Result<Option<Grant>, HandOverError> {
        let own = self.current(to, path).map(|(_, own)| &own.grant).filter(|own| !own.regions.is_empty());
        if let Some(other) = own.filter(|own| own.role != role) {
            return Err(HandOverError::OtherRole { name: name.into(), role: other.role, wanted: role });
        }
        let had = own.map_or(&[][..], |own| own.regions.as_slice());
        let reads = self.reads(to);
        if places.iter().all(|place| cover_region(had, place) && cover_region(&reads, place)) {
            return Ok(None);
        }
        let had = if cfg!(planted = "hand-over-drops") { &[] } else { had };
        let all = union(had.iter().chain(places).copied().collect());
        let name = own.map_or(name, |own| own.name.as_str());
        self.replacing(path, to, role, all, name.into()).map(Some)
    }

    /// The grant that replaces what the subject has by this path.
    fn replacing(
        &self,
        path: &[DeviceKey],
        subject: &DeviceKey,
        role: Role,
        regions: Vec<Region>,
        name: String,
    ) -> Result<Grant, HandOverError> {
        let (issuer, above) = path.split_last().unwrap_or((self.root(), &[]));
        let rests = |held: &Held, own: &[Region]| {
            let covers = regions.iter().all(|region| cover_region(own, region));
            held.grant.role.may_grant(role) && covers && !own.is_empty()
        };
        let parent = self.current(issuer, above).filter(|(id, held)| rests(held, &self.in_force(id, held)));
        let Some((parent, _)) = parent else {
            let regions = match regions.as_slice() {
                [] => "nothing".into(),
                regions => regions.iter().map(Region::to_string).collect::<Vec<_>>().join(", "),
            };
            return Err(HandOverError::NotOwn { name, role, regions });
        };
        let serial = self.next_serial_on(parent, subject);
        Ok(Grant { parent: *parent, subject: *subject, role, regions, serial, name })
    }

    /// The others by whose grants in force the device holds something of a region, and in which role.
    fn also_held(&self, issuer: &DeviceKey, region: &Region, device: &DeviceKey) -> Vec<(DeviceKey, Role)> {
        let grants = self.grants_held().of(device);
        let here = grants.filter(|(id, held)| {
            let meets = |place: &Region| region.covers(place) || place.covers(region);
            self.in_force(id, held).iter().any(meets)
        });
        let mut others: Vec<(DeviceKey, Role)> = here
            .filter_map(|(_, held)| Some((*held.path.last()?, held.grant.role)))
            .filter(|(other, _)| other != issuer)
            .collect();
        others.sort_unstable();
        others.dedup();
        others
    }
}

/// Why nothing was handed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandOverError {
    /// A device that nobody granted anything, or whose name nobody knows.
    #[error(
        "no grant is known for device {device}; a device gets its first region and its name by rukun grant"
    )]
    Unknown {
        /// The device.
        device: DeviceKey,
    },
    /// From a device to itself.
    #[error("{name} would hand over to the same device; name another one with --to")]
    SameDevice {
        /// Whose.
        name: String,
    },
    /// Nothing there to hand over.
    #[error("{name} holds nothing in {region}; rukun grant gives a region that nobody has to hand over")]
    NotHeld {
        /// Who should give.
        name: String,
        /// What.
        region: Region,
    },
    /// Somebody else granted it.
    #[error("{name} holds {region} by the grant of {issuer}; let it be handed over there")]
    Elsewhere {
        /// Who should give.
        name: String,
        /// What.
        region: Region,
        /// Who granted it.
        issuer: String,
    },
    /// It is part of a larger one, of which nobody has said what remains.
    #[error(
        "{name} holds {wide}, and {region} is a part of it; first grant {name} in parts what stays and {region} (rukun grant, with --region for each), then hand over"
    )]
    Part {
        /// Who should give.
        name: String,
        /// What.
        region: Region,
        /// What is held.
        wide: Region,
    },
    /// One grant has one role, and would change it wherever the device is.
    #[error(
        "{name} is {role} by a grant of this device, and would become {wanted} everywhere; hand over to another device"
    )]
    OtherRole {
        /// Who should take.
        name: String,
        /// As what it acts.
        role: Role,
        /// As what the other acts.
        wanted: Role,
    },
    /// The issuer may no longer grant this.
    #[error(
        "this device may no longer say what {name} holds as {role} ({regions}); grant what it still may (rukun grant), or ask the tier above"
    )]
    NotOwn {
        /// Whose grant.
        name: String,
        /// In which role.
        role: Role,
        /// Where.
        regions: String,
    },
}

#[cfg(test)]
mod tests;
