//! Who takes part and where: real villages of Mesuji, and families that nobody has met.

use rukun_authority::Role;
use rukun_change::{Region, SubSls};

use crate::people::{Family, Population};
use crate::verbs::VerbError;

const VILLAGES: &[u8] = include_bytes!("../../data/mesuji-desa.csv");
/// The same people in every run.
const SEED: u64 = 1811;

pub(super) const DISTRICT: usize = 0;
pub(super) const COORDINATOR: usize = 1;
pub(super) const SUPERVISOR: usize = 2;
pub(super) const ENUMERATORS: [usize; 2] = [3, 4];

/// Where families live, by who holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The first enumerator's own SLS, or the second's.
    Own(usize),
    /// The SLS that both enumerators are granted.
    Shared,
    /// Another village of the coordinator's.
    Coordinators,
    /// Another sub-district.
    Districts,
}

/// One of those who take part.
pub(super) struct Part {
    pub(super) name: &'static str,
    /// The name of its folder.
    pub(super) folder: &'static str,
    pub(super) role: Role,
    pub(super) regions: Vec<Region>,
}

/// A family and where the story has it.
pub(super) struct Household {
    pub(super) place: Place,
    pub(super) family: Family,
}

/// Everything that is there before the story begins.
pub(super) struct Stage {
    pub(super) parts: Vec<Part>,
    pub(super) households: Vec<Household>,
    pub(super) villages: Vec<(String, String)>,
}

impl Stage {
    /// The stage in Kabupaten Mesuji.
    pub(super) fn mesuji() -> Result<Self, VerbError> {
        let own = [place("18110100050001")?, place("18110100060001")?];
        let shared = place("18110100050002")?;
        let part = |name, folder, role, regions| Part { name, folder, role, regions };
        let parts = vec![
            part("BPS Kabupaten Mesuji", "district", Role::District, vec![place("1811")?]),
            part("Wayan Sudarma", "coordinator", Role::Coordinator, vec![place("1811010")?]),
            part(
                "Sri Lestari",
                "supervisor",
                Role::Supervisor,
                vec![place("1811010005")?, place("1811010006")?],
            ),
            part("Budi Santoso", "enumerator-1", Role::Enumerator, vec![own[0], shared]),
            part("Nurhayati", "enumerator-2", Role::Enumerator, vec![own[1], shared]),
        ];
        let homes = [
            (Place::Own(ENUMERATORS[0]), "1811010005000100", 32),
            (Place::Own(ENUMERATORS[1]), "1811010006000100", 32),
            (Place::Shared, "1811010005000200", 28),
            (Place::Coordinators, "1811010012000100", 16),
            (Place::Districts, "1811040003000100", 12),
        ];
        let mut people = Population::new(SEED);
        let mut households = Vec::new();
        for (place, home, count) in homes {
            let home: SubSls = home.parse().map_err(|error| VerbError::new(error, ""))?;
            let family = |number| Household { place, family: people.family(home, number, number) };
            households.extend((1..=count).map(family));
        }
        Ok(Self {
            parts,
            households,
            villages: villages(&["1811010005", "1811010006", "1811010012", "1811040003"]),
        })
    }

    /// The families of one place.
    pub(super) fn at(&self, place: Place) -> Vec<&Family> {
        let there = self.households.iter().filter(|household| household.place == place);
        there.map(|household| &household.family).collect()
    }
}

fn place(code: &str) -> Result<Region, VerbError> {
    code.parse().map_err(|error| VerbError::new(error, ""))
}

/// These villages' names.
fn villages(codes: &[&str]) -> Vec<(String, String)> {
    let mut reader = csv::Reader::from_reader(VILLAGES);
    let rows = reader.records().filter_map(Result::ok);
    let named = rows.filter_map(|row| Some((row.get(0)?.to_owned(), row.get(4)?.to_owned())));
    named.filter(|(code, _)| codes.contains(&code.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_has_120_families_in_real_villages_within_the_grants() {
        let stage = Stage::mesuji().unwrap();
        assert_eq!((stage.households.len(), stage.villages.len()), (120, 4));
        for household in &stage.households {
            let village = household.family.home.to_string()[..10].to_owned();
            assert!(stage.villages.iter().any(|(code, _)| *code == village));
            let holders = stage.parts.iter().filter(|part| {
                part.regions.iter().any(|region| region.covers_sub_sls(&household.family.home))
            });
            let expected = match household.place {
                Place::Own(_) => 4,
                Place::Shared => 5,
                Place::Coordinators => 2,
                Place::Districts => 1,
            };
            assert_eq!(holders.count(), expected);
        }
    }
}
