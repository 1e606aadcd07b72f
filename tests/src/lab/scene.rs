//! A district in two folders, an office and the phone of an enumerator, and the work that is waiting to
//! cross the link between them. All people are generated.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use rukun::disk::{Folder, random};
use rukun::people::{Family, Population};
use rukun::survey::{BUILT_IN, Survey};
use rukun::verbs::{self, Edit, EditOutcome, Request, WrittenManyShape, WrittenShape};
use rukun_authority::{Keypair, Role};
use rukun_change::{Ink, Moment, RecordId};
use rukun_replica::{NewGrant, Replica};
use serde_json::{Value, json};

use super::machine::Machine;
use crate::world::chance::Chance;

/// Under what a survey is founded here.
const ROOT_SEED: [u8; 32] = [1; 32];
pub(super) const REGION: &str = "1811010005";
/// How many families a sub-SLS has.
const SUB_SLS_FAMILIES: usize = 60;
const NEW_FAMILIES: usize = 9;
const EDITS: usize = 20;
const CORRECTIONS: usize = 40;
/// The seed of those who are found only during the day.
const NEWCOMERS: u64 = 1_000_003;

/// The folders, and who is in them.
#[derive(Debug)]
pub struct Scene {
    /// The office's folder.
    pub office: PathBuf,
    /// The phone's.
    pub phone: PathBuf,
    records: Vec<RecordId>,
}

impl Scene {
    /// Founds a survey, grants the phone its region and lets the office hold so many families there, each
    /// with a whole interview if `are_visited`, else as the form is printed. Neither has met the other.
    ///
    /// # Errors
    /// If a folder can't be made.
    pub fn found(parent: &Path, families: usize, are_visited: bool, seed: u64) -> anyhow::Result<Self> {
        let make = |dir: &Path| -> anyhow::Result<Replica> {
            Ok(Replica::open(Folder::at(dir).create_store()?, *random()?)?)
        };
        let scene = Self { office: parent.join("office"), phone: parent.join("phone"), records: Vec::new() };
        let (mut office, mut phone) = (make(&scene.office)?, make(&scene.phone)?);
        let survey = Survey {
            name: "Laboratory".into(),
            code: "lab".into(),
            period: ("2022-10-15".into(), "2022-11-14".into()),
            questionnaire: BUILT_IN.1.to_vec(),
            office: "BPS Kabupaten Mesuji".into(),
            region: "1811".parse()?,
        };
        verbs::found(&mut office, &Keypair::from_seed(&ROOT_SEED), &survey)?;
        let (subject, regions) = (phone.device(), vec![REGION.parse()?]);
        let grant = NewGrant { subject, role: Role::Enumerator, regions, name: "Budi".into() };
        office.grant(None, grant)?;
        phone.join(office.survey().context("a survey was founded")?)?;
        phone.commit()?;
        let records = add(&mut office, families, are_visited, seed)?;
        Ok(Self { records, ..scene })
    }

    /// The families that the office holds.
    pub fn records(&self) -> &[RecordId] {
        &self.records
    }

    /// The day's work of an enumerator, and what was corrected at the office meanwhile: nine families are
    /// found and interviewed, twenty answers changed, and forty corrected. Gives how many changes the phone
    /// will hold more than before once all of it has arrived.
    ///
    /// # Errors
    /// If any of it is refused.
    pub fn work(&self, phone: &Machine, office: &Machine, seed: u64) -> anyhow::Result<u64> {
        let mut chance = Chance::new(seed);
        let before = phone.status()?.changes;
        for at in 0..NEW_FAMILIES {
            let family = newcomer(seed, at)?;
            let (region, patch) = (family.home.to_string(), Some(family.interview));
            let added = Request::RecordAdd { region, ink: None, patch, set: Vec::new() };
            let _: WrittenShape = phone.ask(added)?;
        }
        let mut edit = |machine: &Machine, count: usize| -> anyhow::Result<()> {
            let edits = (0..count).map(|_| Edit {
                record: chance.pick(&self.records).to_string(),
                ink: None,
                patch: Some(five_fields(&mut chance)),
                set: Vec::new(),
            });
            let done: WrittenManyShape = machine.ask(Request::RecordSetMany { edits: edits.collect() })?;
            let refused = done.edits.iter().find(|edit| matches!(edit, EditOutcome::Refused(_)));
            ensure!(refused.is_none(), "an edit was refused: {refused:?}");
            Ok(())
        };
        edit(phone, EDITS)?;
        let mine = phone.status()?.changes - before;
        edit(office, CORRECTIONS)?;
        Ok(mine + CORRECTIONS as u64)
    }
}

fn add(office: &mut Replica, families: usize, are_visited: bool, seed: u64) -> anyhow::Result<Vec<RecordId>> {
    let mut population = Population::new(seed);
    let now = Moment { wall_ms: 1_666_000_000_000, steady_ms: 0 };
    let mut records = Vec::new();
    for at in 0..families {
        let home = format!("{REGION}{:04}00", 1 + at / SUB_SLS_FAMILIES).parse()?;
        let number = u32::try_from(at % SUB_SLS_FAMILIES)? + 1;
        let family = population.family(home, number, number);
        let (ink, patch) =
            if are_visited { (None, &family.interview) } else { (Some(Ink::Printed), &family.prelist) };
        records.push(office.add_record(now, home, ink, patch)?.0);
        if at % 256 == 255 {
            office.commit()?;
        }
    }
    office.commit()?;
    Ok(records)
}

fn newcomer(seed: u64, at: usize) -> anyhow::Result<Family> {
    let home = format!("{REGION}000100").parse()?;
    let number = u32::try_from(SUB_SLS_FAMILIES + at + 1)?;
    Ok(Population::new(NEWCOMERS + seed * NEW_FAMILIES as u64 + at as u64).family(home, number, number))
}

/// Five answers, drawn evenly.
fn five_fields(chance: &mut Chance) -> Value {
    json!({
        "r302": chance.between(1, 997),
        "r303": chance.between(1, 9),
        "r304": chance.between(1, 7),
        "r305": chance.between(1, 8),
        "r308": chance.between(0, 11),
    })
}
