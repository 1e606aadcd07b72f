//! Sets of places: regions in ascending order, none inside another, so that the only one that can
//! cover a place is the last that does not come after it. A hostile issuer may name thousands.

use std::collections::BTreeSet;

use rukun_change::{Region, SubSls};

/// A set that only grows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(BTreeSet<Region>);

impl Places {
    /// Whether the sub-SLS lies in one of the regions.
    pub(crate) fn cover(&self, home: &SubSls) -> bool {
        self.cover_region(&home.region())
    }

    /// Puts a region in, and takes out those that it covers.
    pub(crate) fn insert(&mut self, region: Region) {
        if self.cover_region(&region) {
            return;
        }
        let inside = self.0.range(region..).take_while(|inner| region.covers(inner));
        for inner in inside.copied().collect::<Vec<_>>() {
            self.0.remove(&inner);
        }
        self.0.insert(region);
    }

    fn cover_region(&self, region: &Region) -> bool {
        self.0.range(..=region).next_back().is_some_and(|last| last.covers(region))
    }
}

/// Whether the sub-SLS lies in one of these places.
pub(crate) fn cover(places: &[Region], home: &SubSls) -> bool {
    cover_region(places, &home.region())
}

/// Whether the region lies in one of these places.
pub(crate) fn cover_region(places: &[Region], region: &Region) -> bool {
    let after = places.partition_point(|place| place <= region);
    after.checked_sub(1).and_then(|last| places.get(last)).is_some_and(|last| last.covers(region))
}

/// The places of any regions.
pub(crate) fn union(mut regions: Vec<Region>) -> Vec<Region> {
    regions.sort_unstable();
    regions.dedup_by(|inner, outer| outer.covers(inner));
    regions
}

/// What lies in both.
pub(crate) fn intersection(one: &[Region], other: &[Region]) -> Vec<Region> {
    let mut both = Vec::new();
    for region in one {
        if cover_region(other, region) {
            both.push(*region);
        } else {
            let from = other.partition_point(|place| place < region);
            both.extend(other.iter().skip(from).take_while(|inner| region.covers(inner)));
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Regions close together, so that they often cover each other.
    fn region() -> impl Strategy<Value = Region> {
        let digits = (proptest::sample::select(vec![2_usize, 4, 7, 10, 14, 16]), any::<u16>());
        digits.prop_map(|(len, bits)| {
            let code: String = (0..16).map(|at| if bits >> at & 1 == 1 { '2' } else { '1' }).collect();
            code[..len].parse().unwrap()
        })
    }

    fn regions() -> impl Strategy<Value = Vec<Region>> {
        proptest::collection::vec(region(), 0..12)
    }

    proptest! {
        #[test]
        fn a_set_covers_what_one_of_its_regions_covers(regions in regions(), place in region()) {
            let expected = regions.iter().any(|region| region.covers(&place));
            prop_assert_eq!(cover_region(&union(regions.clone()), &place), expected);
            let mut places = Places::default();
            for region in &regions {
                places.insert(*region);
            }
            prop_assert_eq!(places.cover_region(&place), expected);
            prop_assert_eq!(places.0.into_iter().collect::<Vec<_>>(), union(regions));
        }

        #[test]
        fn an_intersection_covers_what_both_cover(one in regions(), other in regions(), place in region()) {
            let (one, other) = (union(one), union(other));
            let both = intersection(&one, &other);
            let expected = cover_region(&one, &place) && cover_region(&other, &place);
            prop_assert_eq!(cover_region(&both, &place), expected);
            prop_assert_eq!(union(both.clone()), both);
        }
    }
}
