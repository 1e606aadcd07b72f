//! The story of a lost phone, step by step: it is revoked while somebody goes on with it, what it
//! delivers later is set aside, one change of that is upheld and one dismissed, and its families go to
//! another enumerator. At last a family asks to be forgotten.

use serde_json::json;

use super::Narrator;
use super::act::{families, import, slice};
use super::agreement::Agreement;
use super::cast::{COORDINATOR, DISTRICT, ENUMERATORS, Place, SUPERVISOR};
use super::scene::Scene;
use super::verdict::{self, Verdict};
use crate::render::{self, Cell, Table};
use crate::verbs::{AssignedShape, ErasedShape, LossShape, Request, SetAsideShape, SettledShape, VerbError};

/// Whose phone is lost,
const LOSER: usize = ENUMERATORS[0];
/// and who goes on with its families.
const HEIR: usize = ENUMERATORS[1];
/// The loser's own families, by what happens to them: interviewed and delivered,
const DELIVERED: std::ops::Range<usize> = 0..10;
/// of these changed by whoever found the phone;
const TAMPERED: std::ops::Range<usize> = 0..2;
/// interviewed, and not delivered when the phone was lost;
const UNDELIVERED: std::ops::Range<usize> = 10..12;
/// left to the heir, the last one of those not delivered among them.
const LEFT: std::ops::Range<usize> = 11..32;
/// The village whose families the loser had.
const VILLAGE: &str = "1811010005";

pub(super) fn play(scene: &mut Scene, narrator: &Narrator) -> Result<Verdict, VerbError> {
    import(scene, narrator)?;
    interview(scene, narrator)?;
    lose(scene, narrator)?;
    revoke(scene, narrator)?;
    go_on(scene, narrator)?;
    let set_aside = deliver(scene, narrator)?;
    let before = verdict::conflicts(scene, SUPERVISOR)?;
    settle(scene, narrator)?;
    hand_over(scene, narrator)?;
    take_over(scene, narrator)?;
    erase(scene, narrator)?;
    narrator.step("Compare what they hold and read, and look for every edit");
    let converged = scene.settle()?;
    scene.write_script()?;
    let settled = Agreement::of(scene, set_aside)?;
    verdict::judge(scene, converged, before, Some(settled))
}

fn interview(scene: &mut Scene, narrator: &Narrator) -> Result<(), VerbError> {
    narrator.step("Both enumerators interview, with signal");
    for enumerator in ENUMERATORS {
        for family in slice(&families(scene, Place::Own(enumerator)), DELIVERED) {
            scene.edit(enumerator, &scene.record(family), &family.interview)?;
        }
    }
    let shared = families(scene, Place::Shared);
    for (family, enumerator) in shared.iter().zip(ENUMERATORS.into_iter().cycle()) {
        scene.edit(enumerator, &scene.record(family), &family.interview)?;
    }
    scene.settle()?;
    let count = shared.len() + DELIVERED.len() * ENUMERATORS.len();
    narrator.line(&format!("{count} interviews in pencil, delivered up to the district"));
    Ok(())
}

fn lose(scene: &mut Scene, narrator: &Narrator) -> Result<(), VerbError> {
    let name = scene.officer(LOSER).part.name;
    narrator.step(&format!("{name} works out of signal, and loses the phone"));
    scene.cut_off(LOSER)?;
    for family in slice(&families(scene, Place::Own(LOSER)), UNDELIVERED) {
        scene.edit(LOSER, &scene.record(family), &family.interview)?;
    }
    narrator.line(&format!("{} interviews more are on that phone and nowhere else", UNDELIVERED.len()));
    Ok(())
}

fn revoke(scene: &mut Scene, narrator: &Narrator) -> Result<(), VerbError> {
    narrator.step("The supervisor revokes it, out of its reach");
    let (device, reason) = (scene.officer(LOSER).part.name.to_owned(), "phone lost on the way to Way Puji");
    narrator.line(&said(scene, SUPERVISOR, &format!("revoke '{device}' --reason '{reason}'")));
    let loss: LossShape = scene.officer(SUPERVISOR).ask(Request::Revoke { device, reason: reason.into() })?;
    narrator.line(render::losing(&loss).trim_end());
    // It may read nothing from now on, and whatever it has yet to deliver is looked for elsewhere.
    scene.officer(LOSER).part.regions.clear();
    Ok(())
}

fn go_on(scene: &mut Scene, narrator: &Narrator) -> Result<(), VerbError> {
    narrator.step("Whoever found the phone writes with it, still without signal");
    let own = families(scene, Place::Own(LOSER));
    let shared = families(scene, Place::Shared);
    let tampered = slice(&own, TAMPERED).iter().chain(shared.first());
    for family in tampered {
        scene.edit(LOSER, &scene.record(family), &json!({"r302": 900}))?;
    }
    narrator.line(&format!("{} families suddenly live on 900 square metres", TAMPERED.len() + 1));
    Ok(())
}

/// Gives how many changes were set aside.
fn deliver(scene: &mut Scene, narrator: &Narrator) -> Result<usize, VerbError> {
    narrator.step("The phone has signal again, delivers, and all of it is set aside");
    let late = UNDELIVERED.len() + TAMPERED.len() + 1;
    scene.reconnect(LOSER)?;
    for (at, count) in [(SUPERVISOR, late), (COORDINATOR, late), (DISTRICT, late), (HEIR, 1)] {
        scene.wait_until("the work of the lost phone to arrive", |scene| {
            Ok(set_aside(scene, at)?.changes.len() >= count)
        })?;
    }
    scene.settle()?;
    let mut table = Table::with_heading(&["NODE", "ROLE", "SET ASIDE", "WHY"], narrator.paint);
    for at in scene.those_not_lost() {
        let aside = set_aside(scene, at)?;
        let part = &scene.officer(at).part;
        let why = aside.changes.first().map(|line| line.standing.clone()).unwrap_or_default();
        table.row([
            Cell::text(part.name),
            Cell::text(part.role.name()),
            Cell::number(aside.changes.len() as u64),
            Cell::text(why).painted(|why| narrator.paint.alert(why)),
        ]);
    }
    narrator.line(table.lines("").trim_end());
    narrator.line(&format!("\n{}", said(scene, SUPERVISOR, "set-aside")));
    let aside = set_aside(scene, SUPERVISOR)?;
    narrator.line(render::set_aside(&aside, narrator.paint).trim_end());
    Ok(set_aside(scene, DISTRICT)?.changes.len())
}

/// One of the interviews was the loser's own, and one change certainly was not.
fn settle(scene: &mut Scene, narrator: &Narrator) -> Result<(), VerbError> {
    narrator.step("One of these changes is upheld, one dismissed");
    let own = families(scene, Place::Own(LOSER));
    let honest = slice(&own, UNDELIVERED).first().map(|family| scene.record(family));
    let forged = slice(&own, TAMPERED).first().map(|family| scene.record(family));
    for (at, record, upheld) in [(SUPERVISOR, honest, true), (DISTRICT, forged, false)] {
        let aside = set_aside(scene, at)?;
        let line = aside.changes.into_iter().find(|line| Some(&line.record) == record.as_ref());
        let line = line.ok_or_else(|| VerbError::new("the change is not set aside", ""))?;
        let verb = if upheld { "uphold" } else { "dismiss" };
        narrator.line(&said(scene, at, &format!("{verb} {}", render::short_change(&line.change))));
        let changes = vec![line.change];
        let request = Request::Settle { changes, device: None, region: None, upheld };
        let settled: SettledShape = scene.officer(at).ask(request)?;
        narrator.line(render::settled(&settled).trim_end());
    }
    scene.settle()?;
    Ok(())
}

fn hand_over(scene: &mut Scene, narrator: &Narrator) -> Result<(), VerbError> {
    let (from, to) = (scene.officer(LOSER).part.name, scene.officer(HEIR).part.name);
    narrator.step(&format!("The families of {from} go to {to}"));
    narrator.line(&said(scene, SUPERVISOR, &format!("assign --region {VILLAGE} --from '{from}' --to {to}")));
    let region = VILLAGE.parse().map_err(|error| VerbError::new(error, ""))?;
    let request = Request::Assign { region, from: from.into(), to: to.into() };
    let assigned: AssignedShape = scene.officer(SUPERVISOR).ask(request)?;
    narrator.line(render::assigned(&assigned, narrator.paint).trim_end());
    let regions = assigned.to.regions.iter().map(|region| region.parse());
    scene.officer(HEIR).part.regions =
        regions.collect::<Result<_, _>>().map_err(|error| VerbError::new(error, ""))?;
    scene.settle()?;
    Ok(())
}

fn take_over(scene: &mut Scene, narrator: &Narrator) -> Result<(), VerbError> {
    let name = scene.officer(HEIR).part.name;
    narrator.step(&format!("{name} goes on with them"));
    let own = families(scene, Place::Own(LOSER));
    for family in slice(&own, LEFT) {
        scene.edit(HEIR, &scene.record(family), &family.interview)?;
    }
    for family in slice(&own, TAMPERED) {
        scene.edit(HEIR, &scene.record(family), &json!({"r305": 6}))?;
    }
    scene.settle()?;
    narrator.line(&format!(
        "{} interviews, one of them again, since the lost phone's does not count; {} answers corrected",
        LEFT.len(),
        TAMPERED.len()
    ));
    Ok(())
}

/// A family asks to be forgotten.
fn erase(scene: &mut Scene, narrator: &Narrator) -> Result<(), VerbError> {
    narrator.step("A family asks to be forgotten, and is");
    let own = families(scene, Place::Own(LOSER));
    let record = own.last().map(|family| scene.record(family)).unwrap_or_default();
    let holders = [DISTRICT, COORDINATOR, SUPERVISOR, HEIR];
    let mut keys = Vec::new();
    for at in holders {
        scene.officer(at).count_anew()?;
        keys.push(scene.officer(at).folder().key()?);
    }
    let reason = "the family asked for it";
    let command = format!("erase {} --reason '{reason}'", render::short_record(&record));
    narrator.line(&said(scene, DISTRICT, &command));
    let request = Request::Erase { record: record.clone(), reason: reason.into() };
    let erased: ErasedShape = scene.officer(DISTRICT).ask(request)?;
    narrator.line(render::erased(&erased, None, narrator.paint).trim_end());
    scene.erased = Some(record);
    scene.wait_until("every store to be made anew", |scene| {
        for (at, old) in holders.into_iter().zip(&keys) {
            let is_new = scene.officer(at).folder().key()? != *old;
            if !is_new || scene.fingerprints(at).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    narrator.line("each node that held it has made its file anew, under a new key");
    scene.settle()?;
    Ok(())
}

fn set_aside(scene: &mut Scene, at: usize) -> Result<SetAsideShape, VerbError> {
    scene.officer(at).ask(Request::SetAside { region: None })
}

/// Who does what, as it would be typed.
fn said(scene: &mut Scene, at: usize, command: &str) -> String {
    format!("{}: rukun {command}", scene.officer(at).part.name)
}
