//! A phone whose address and port outside change in the middle of a first sync, as where a carrier's gateway forgets it or
//! it goes from one network to another.

use serde::Serialize;

use super::measured::{Measured, measure};
use super::pair::Setting;
use crate::world::chance::Chance;

/// How a first sync went on.
#[derive(Clone, Debug, Serialize)]
pub struct Rebound {
    /// What it took.
    pub measured: Measured,
    /// How many sessions the phone began until then: one, if its connection went on.
    pub sessions: usize,
}

/// A first sync after any of so many bytes of which the phone is somewhere else.
///
/// # Errors
/// If it goes otherwise than it should.
pub fn rebound(setting: &Setting<'_>, seed: u64, whole_bytes: u64) -> anyhow::Result<Rebound> {
    let parent = tempfile::tempdir()?;
    let pair = setting.pair(parent.path(), seed)?;
    pair.tunnel.rebind_after(Chance::new(seed).between(0, whole_bytes));
    let measured = measure(&pair, false, setting.families as u64, setting.profile, seed)?;
    let sessions = pair.phone.log()?.matches("session begins").count();
    Ok(Rebound { measured, sessions })
}
