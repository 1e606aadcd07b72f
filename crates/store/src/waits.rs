//! How much waits of each peer, in changes and in bytes, as it is counted in memory. What it is that waits stands in
//! `waiting`.

use std::collections::BTreeMap;

use rukun_change::DeviceKey;

/// How much waits, by who brought it.
#[derive(Default)]
pub(crate) struct Waiting(BTreeMap<DeviceKey, Waits>);

/// What one peer has left here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// How many changes.
    pub changes: usize,
    /// How many bytes they take, sealed.
    pub bytes: usize,
}

impl Waiting {
    /// What this peer has left here.
    pub(crate) fn of(&self, from: &DeviceKey) -> Waits {
        self.0.get(from).copied().unwrap_or_default()
    }

    /// One more change that waits.
    pub(crate) fn note(&mut self, from: &DeviceKey, bytes: usize) {
        let waits = self.0.entry(*from).or_default();
        waits.changes += 1;
        waits.bytes += bytes;
    }

    /// One less.
    pub(crate) fn forget(&mut self, from: &DeviceKey, bytes: usize) {
        let Some(waits) = self.0.get_mut(from) else { return };
        waits.changes -= 1;
        waits.bytes -= bytes;
        if waits.changes == 0 {
            self.0.remove(from);
        }
    }
}
