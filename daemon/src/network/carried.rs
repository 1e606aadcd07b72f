//! What links carried in a day, so that it can be held against a budget, and the file that keeps it while no daemon
//! runs. Days are those of UTC, by the device's clock: where that is wrong, the budget begins at another hour.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::disk::{self, DiskError, Folder};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What was carried on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    day: i64,
    bytes: u64,
}

impl Carried {
    /// What was carried when a daemon last ran here; nothing if that is not known.
    pub fn read(folder: &Folder) -> Self {
        let path = path(folder);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::warn!("{} is not read, and the day's budget begins anew: {error}", path.display());
                Self::default()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(error) => {
                tracing::warn!("{} cannot be read: {error}", path.display());
                Self::default()
            }
        }
    }

    /// Keeps it.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn write(&self, folder: &Folder) -> Result<(), DiskError> {
        let text = serde_json::to_vec(self).expect("two numbers are plain JSON");
        disk::replace(&path(folder), &text)
    }

    /// So much more was carried at this time.
    pub(super) fn add(&mut self, bytes: u64, wall_ms: i64) {
        *self = Self { day: day(wall_ms), bytes: self.on_day_of(wall_ms).saturating_add(bytes) };
    }

    /// What was carried on the day of this time: nothing on any but the one that is counted.
    pub(super) fn on_day_of(&self, wall_ms: i64) -> u64 {
        if self.day == day(wall_ms) { self.bytes } else { 0 }
    }
}

fn day(wall_ms: i64) -> i64 {
    wall_ms.div_euclid(DAY_MS)
}

fn path(folder: &Folder) -> PathBuf {
    folder.path().join("carried.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_MS: i64 = 20_000 * DAY_MS + DAY_MS / 2;

    #[test]
    fn what_is_carried_adds_up_until_midnight_and_then_begins_anew() {
        let mut carried = Carried::default();
        carried.add(10, NOON_MS);
        carried.add(5, NOON_MS + DAY_MS / 2 - 1);
        assert_eq!(carried.on_day_of(NOON_MS), 15);
        assert_eq!(carried.on_day_of(NOON_MS + DAY_MS / 2), 0, "midnight is the next day's");
        carried.add(7, NOON_MS + DAY_MS / 2);
        assert_eq!(carried.on_day_of(NOON_MS + DAY_MS), 7);
    }

    #[test]
    fn a_clock_that_was_set_back_or_stands_before_1970_does_no_harm() {
        let mut carried = Carried::default();
        carried.add(10, NOON_MS);
        assert_eq!(carried.on_day_of(NOON_MS - DAY_MS), 0);
        carried.add(u64::MAX, -1);
        carried.add(u64::MAX, -2);
        assert_eq!((carried.on_day_of(-DAY_MS), carried.on_day_of(0)), (u64::MAX, 0));
    }

    #[test]
    fn what_was_kept_is_read_again_and_what_makes_no_sense_counts_as_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::at(parent.path());
        assert_eq!(Carried::read(&folder), Carried::default(), "a first start");
        let mut carried = Carried::default();
        carried.add(10, NOON_MS);
        for _ in 0..2 {
            carried.write(&folder).unwrap();
            carried.add(1, NOON_MS);
        }
        assert_eq!(Carried::read(&folder).on_day_of(NOON_MS), 11);
        for text in ["", "{}", "{\"day\": 20000, \"bytes\": -1}", "\u{0}"] {
            fs::write(path(&folder), text).unwrap();
            assert_eq!(Carried::read(&folder), Carried::default(), "{text:?}");
        }
    }
}
