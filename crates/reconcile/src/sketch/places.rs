//! An id's short form becomes the symbols that hold it: all of them the first, and the one at place `i`
//! with a chance of about 1 / (1 + a i). The paper has one `a`, 1/2, for all ids. Here three ids of sixteen fall
//! into more symbols (`a` = 1/4) and the others into fewer (2/3): a difference then costs 1.40 symbols
//! an id instead of 1.46 at a hundred, 1.26 instead of 1.37 at a thousand, and the same when it is small. All
//! in whole numbers, so that every machine finds the same places.

use rukun_wire::Short;

/// The step of the generator, as in the authors' own program.
const MULTIPLIER: u64 = 0xda94_2042_e4dd_58b5;
const ONE: u128 = 1 << 32;
const ONE_SQUARED: u128 = ONE * ONE;

/// The places of one id, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Places {
    at: u64,
    state: u64,
    density: Density,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Density {
    Quarter,
    TwoThirds,
}

impl Places {
    pub(super) fn of(short: Short) -> Self {
        let density = if short.0 % 16 < 3 { Density::Quarter } else { Density::TwoThirds };
        Self { at: 0, state: short.0, density }
    }

    /// The place where it stands.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Goes to the next place: from `i` on by (i + (1 + 1/a)/2) (u^-a - 1), rounded up, for u evenly between
    /// 0 and 1 (section 4.2 of the paper).
    pub(super) fn advance(&mut self) {
        self.state = self.state.wrapping_mul(MULTIPLIER);
        let (at, state) = (u128::from(self.at), u128::from(self.state));
        let gap = match self.density {
            Density::Quarter => {
                // u is state / 2^64.
                let root = (state << 64).isqrt().isqrt() + 1;
                ((2 * at + 5) * (ONE - root)).div_ceil(2 * root)
            }
            Density::TwoThirds => {
                // u is state / 2^64, of which a third power is not whole, so one bit less of it.
                let root = cube_root((state >> 1) << 33) + 1;
                (4 * at + 5).saturating_mul(ONE_SQUARED - root * root).div_ceil(4 * root * root)
            }
        };
        self.at = self.at.saturating_add(u64::try_from(gap.max(1)).unwrap_or(u64::MAX));
    }
}

/// The greatest whole number whose cube is at most this, which is less than 2^96. The floating root is a
/// guess that may be off by some, on one machine more than on another.
fn cube_root(of: u128) -> u128 {
    let mut root = (of as f64).cbrt() as u128;
    while root.pow(3) > of {
        root -= 1;
    }
    while (root + 1).pow(3) <= of {
        root += 1;
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cube_root_is_exact() {
        for root in [0_u128, 1, 2, 1_000, (1 << 31) - 1, 1 << 31, (1 << 32) - 1] {
            assert_eq!(cube_root(root.pow(3)), root);
            assert_eq!(cube_root((root + 1).pow(3) - 1), root);
        }
    }

    /// Two machines that find other places understand nothing of each other.
    #[test]
    fn places_stay_what_they_are() {
        let places = |short: u64| {
            let mut places = Places::of(Short(short));
            std::iter::from_fn(|| {
                let at = places.at();
                places.advance();
                Some(at)
            })
            .take(12)
            .collect::<Vec<_>>()
        };
        assert_eq!(places(0x0123_4567_89ab_cde0), [0, 1, 2, 4, 9, 15, 18, 21, 32, 44, 76, 80]);
        assert_eq!(places(0x0123_4567_89ab_cdef), [0, 1, 3, 5, 8, 11, 35, 43, 68, 73, 379, 487]);
        assert_eq!(places(0)[..2], [0, 10_737_418_238]);
    }

    /// By this a place must be far from any chance of an overflow.
    #[test]
    fn the_last_place_is_the_last_number() {
        for short in [0, 3, u64::MAX] {
            let mut places = Places { at: u64::MAX - 1, ..Places::of(Short(short)) };
            places.advance();
            assert_eq!(places.at(), u64::MAX);
        }
    }

    /// The share of ids in a symbol, held against 1 / (1 + a i).
    #[test]
    fn a_symbol_holds_its_share_of_the_ids() {
        const IDS: u64 = 40_000;
        let mut state = 1_u64;
        let mut held = [[0_u64; 33]; 2];
        let mut ids = [0_u64; 2];
        for _ in 0..IDS {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut places = Places::of(Short(state ^ (state >> 29)));
            let class = usize::from(places.density == Density::TwoThirds);
            ids[class] += 1;
            while places.at() <= 32 {
                held[class][places.at() as usize] += 1;
                places.advance();
            }
        }
        for (class, a) in [(0, 0.25), (1, 2.0 / 3.0)] {
            for at in [0, 1, 2, 5, 10, 32] {
                let (found, due) = (held[class][at] as f64 / ids[class] as f64, 1.0 / (1.0 + a * at as f64));
                assert!((found - due).abs() < 0.07, "place {at} of a = {a}: {found} of {due}");
            }
        }
    }
}
