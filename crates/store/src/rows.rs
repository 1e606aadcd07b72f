//! Keys of rows that begin with a sub-SLS, so that all that a table has of one place stands together, and of
//! those that end with a place in the log.

use std::ops::RangeInclusive;

use redb::TableHandle;
use rukun_change::SubSls;

use crate::fault::StoreError;

/// The key that begins with a sub-SLS.
///
/// # Panics
/// If the rest has another length than the table's keys leave it.
pub(crate) fn key_in<const N: usize>(home: &SubSls, rest: &[&[u8]]) -> [u8; N] {
    let key = [&[&home.as_bytes()[..]], rest].concat().concat();
    key.try_into().expect("a sub-SLS and the rest are as long as the table's keys")
}

/// All keys that begin with a sub-SLS.
pub(crate) fn all_in<const N: usize>(home: &SubSls) -> RangeInclusive<[u8; N]> {
    let beginning = |rest| {
        let mut key = [rest; N];
        key.iter_mut().zip(home.as_bytes()).for_each(|(byte, of_home)| *byte = *of_home);
        key
    };
    beginning(0)..=beginning(0xff)
}

/// The sub-SLS with which a key begins.
pub(crate) fn home_of(table: &impl TableHandle, key: &[u8]) -> Result<SubSls, StoreError> {
    let home = key.first_chunk().and_then(|home| SubSls::from_bytes(*home).ok());
    home.ok_or_else(|| StoreError::damaged(table, key))
}

/// The place in the log with which a key ends.
pub(crate) fn place_of(table: &impl TableHandle, key: &[u8]) -> Result<u64, StoreError> {
    let place = key.last_chunk().map(|place| u64::from_be_bytes(*place));
    place.ok_or_else(|| StoreError::damaged(table, key))
}
