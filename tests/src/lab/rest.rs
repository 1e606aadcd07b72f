//! A phone with a link and nothing to do: how often it wakes, and what it holds meanwhile.

use std::thread::sleep;
use std::time::Duration;

use serde::Serialize;

use super::pair::Setting;

/// What belongs to the session before is over by then.
const CALM: Duration = Duration::from_mins(1);
const WATCHED: Duration = Duration::from_mins(10);

/// What a daemon did that had nothing to do.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rested {
    /// How often one of its threads went to sleep, and so had woken, a minute.
    pub wakes_a_minute: f64,
    /// What of it is in memory at the end.
    pub resident_kib: u64,
    /// Processor time a minute.
    pub cpu_ms_a_minute: f64,
    /// Packets from and to it a minute.
    pub packets_a_minute: (f64, f64),
}

/// Watches a phone that is linked to an office and has all that the office has.
///
/// # Errors
/// If they don't come to agree, or end.
pub fn watch(setting: &Setting<'_>, seed: u64) -> anyhow::Result<Rested> {
    let parent = tempfile::tempdir()?;
    let pair = setting.settled_pair(parent.path(), seed)?;
    sleep(CALM);
    let (woke, used, traffic) = (pair.phone.wakes()?, pair.phone.used()?, pair.tunnel.traffic());
    sleep(WATCHED);
    let (woke_now, used_now) = (pair.phone.wakes()?, pair.phone.used()?);
    let traffic = pair.tunnel.traffic().since(&traffic);
    let minutes = WATCHED.as_secs_f64() / 60.0;
    let a_minute = |figure: u64| figure as f64 / minutes;
    Ok(Rested {
        wakes_a_minute: a_minute(woke_now - woke),
        resident_kib: pair.phone.resident_kib()?,
        cpu_ms_a_minute: a_minute(used_now.cpu_ms - used.cpu_ms),
        packets_a_minute: (a_minute(traffic.up.packets), a_minute(traffic.down.packets)),
    })
}
