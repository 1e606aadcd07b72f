//! Links that go down for longer than either end waits: in the middle of a first sync, or before an edit.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::bail;
use rukun::verbs::{Edit, Request, WrittenManyShape};
use serde::Serialize;
use serde_json::json;

use super::measured::{Measured, measure};
use super::pair::{RUN_MAX, Setting};
use crate::world::chance::Chance;

/// By then both ends of a connection have given it up.
const GIVEN_UP: Duration = Duration::from_secs(140);
/// The longest time without a link.
const OUTAGE_MS_MAX: u64 = 600_000;

/// What a device did after its link had come back.
#[derive(Clone, Debug, Serialize)]
pub struct Back {
    /// Of the run.
    pub seed: u64,
    /// How long there was no link.
    pub outage_seconds: f64,
    /// Until the first packet of the phone was sent over it.
    pub heard_seconds: f64,
    /// Until the office held what the phone wrote meanwhile.
    pub held_seconds: f64,
    /// Until the phone had the office's receipt for what it wrote meanwhile.
    pub delivered_seconds: f64,
}

/// A first sync that is cut once, after any of so many bytes that go to the phone.
///
/// # Errors
/// If it goes otherwise than it should.
pub fn cut(setting: &Setting<'_>, seed: u64, whole_bytes: u64) -> anyhow::Result<Measured> {
    let parent = tempfile::tempdir()?;
    let pair = setting.pair(parent.path(), seed)?;
    pair.tunnel.break_after(Chance::new(seed).between(0, whole_bytes), GIVEN_UP);
    measure(&pair, false, setting.families as u64, setting.profile, seed)
}

/// A phone writes while there is no link, and then there is one.
///
/// # Errors
/// If it goes otherwise than it should, or takes longer than a run may.
pub fn back(setting: &Setting<'_>, seed: u64) -> anyhow::Result<Back> {
    let parent = tempfile::tempdir()?;
    let pair = setting.settled_pair(parent.path(), seed)?;
    let changes = setting.families as u64 + 1;
    pair.tunnel.cut();
    let mut chance = Chance::new(seed);
    let outage = Duration::from_millis(chance.between(1_000, OUTAGE_MS_MAX));
    let record = chance.pick(setting.scene.records()).to_string();
    let edits = vec![Edit { record, ink: None, patch: Some(json!({"r302": 60})), set: Vec::new() }];
    let _: WrittenManyShape = pair.phone.ask(Request::RecordSetMany { edits })?;
    sleep(outage);

    let before = pair.tunnel.traffic().up.packets;
    let began = Instant::now();
    pair.tunnel.join(setting.profile.windows);
    let (mut heard, mut held) = (None, None);
    loop {
        if heard.is_none() && pair.tunnel.traffic().up.packets > before {
            heard = Some(began.elapsed());
        }
        if held.is_none() && pair.office.status()?.changes == changes {
            held = Some(began.elapsed());
        }
        if heard.is_some() && held.is_some() && pair.is_done(changes)? {
            break;
        }
        if began.elapsed() > RUN_MAX {
            bail!("after {} s without a link nothing is delivered", outage.as_secs());
        }
        sleep(pair.look_every);
    }
    let delivered_seconds = began.elapsed().as_secs_f64();
    let (Some(heard), Some(held)) = (heard, held) else { bail!("what was delivered went over no link") };
    Ok(Back {
        seed,
        outage_seconds: outage.as_secs_f64(),
        heard_seconds: heard.as_secs_f64(),
        held_seconds: held.as_secs_f64(),
        delivered_seconds,
    })
}
