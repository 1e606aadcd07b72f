//! A medium that changes what it was given: bits flip and sectors are lost in every page of a store
//! that holds something in every table. Whoever opens it is told, or gets everything as it was written.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rand_chacha::rand_core::Rng;

use crate::backend::CrashBackend;
use crate::changes::{create, entropy, open};
use crate::model::{Act, Model, script};

const PAGE_BYTES: usize = 4096;
const SECTOR_BYTES: usize = 512;
/// The part of the first page in which redb says which commit counts.
const HEADER_BYTES: usize = 320;
/// Optimised, everything is tried; else a share of it.
const THOROUGH: bool = !cfg!(debug_assertions);

/// A store with something in every table, closed as it should be and cut off after its last commit.
fn filled() -> (Model, [Vec<u8>; 2]) {
    let disk = CrashBackend::default();
    let mut store = create(disk.clone()).unwrap();
    let mut model = Model::default();
    for round in 0..4 {
        let last = [Act::Piece(1), Act::Setting(2, Some(round as u8)), Act::Incarnation(1)];
        script(round).iter().chain(&last).for_each(|act| model.act(&mut store, act).unwrap());
        store.commit().unwrap();
    }
    let cut_off = disk.after_power_loss(0);
    drop(store);
    (model, [disk.image(), cut_off])
}

/// What is done to one page.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Flip(usize, u8),
    Zeroed(usize),
    Overwritten(usize),
}

impl Harm {
    fn all() -> Vec<Self> {
        let (offsets, sectors): (&[usize], usize) =
            if THOROUGH { (&[0, 1, 2, 3, 9, 100, 1500, 4095], 1) } else { (&[0, 3, 100], 7) };
        let flips = offsets.iter().map(|at| Self::Flip(*at, 1 << (at % 8)));
        let lost = (0..PAGE_BYTES / SECTOR_BYTES).step_by(sectors);
        flips.chain(lost.flat_map(|sector| [Self::Zeroed(sector), Self::Overwritten(sector)])).collect()
    }

    fn apply(self, page: &mut [u8]) {
        match self {
            Self::Flip(at, bit) => page[at] ^= bit,
            Self::Zeroed(sector) => page[sector * SECTOR_BYTES..][..SECTOR_BYTES].fill(0),
            Self::Overwritten(sector) => {
                entropy(sector as u64).fill_bytes(&mut page[sector * SECTOR_BYTES..][..SECTOR_BYTES]);
            }
        }
    }
}

/// What came of all that was tried.
#[derive(Debug, Default)]
struct Tally {
    detected: usize,
    harmless: usize,
}

impl Tally {
    fn harm(&mut self, model: &Model, image: &[u8], page: usize, harm: Harm) {
        let mut damaged = image.to_vec();
        harm.apply(&mut damaged[page * PAGE_BYTES..][..PAGE_BYTES]);
        if damaged == image {
            return;
        }
        let opened = catch_unwind(|| open(CrashBackend::with_image(damaged)));
        match opened.unwrap_or_else(|_| panic!("page {page}, {harm:?}: opening it panics")) {
            Err(error) => {
                assert!(!error.to_string().contains("remove the file"), "page {page}, {harm:?}: {error}");
                self.detected += 1;
            }
            Ok(store) => {
                let served = catch_unwind(AssertUnwindSafe(|| model.agrees(&store)));
                assert!(served.is_ok(), "page {page}, {harm:?}: something is served as it was not written");
                self.harmless += 1;
            }
        }
    }
}

#[test]
fn harm_to_any_page_is_found_or_harms_nothing() {
    let (model, images) = filled();
    for image in images {
        let mut tally = Tally::default();
        for page in 0..image.len() / PAGE_BYTES {
            for harm in Harm::all() {
                tally.harm(&model, &image, page, harm);
            }
        }
        assert!(tally.detected > 100 && tally.harmless > 100, "{tally:?}");
    }
}

#[test]
fn no_bit_of_the_first_page_takes_the_last_commit_away() {
    let (model, images) = filled();
    for image in images {
        let mut tally = Tally::default();
        for at in 0..HEADER_BYTES {
            let bits = (0..8).filter(|bit| THOROUGH || (at + bit) % 4 == 0 || at == 9);
            bits.for_each(|bit| tally.harm(&model, &image, 0, Harm::Flip(at, 1 << bit)));
        }
        assert!(tally.detected > 100 && tally.harmless > 10, "{tally:?}");
    }
}
