//! A village hall without internet: an office, a PML and two PPLs of one survey, and somebody of another, each in a
//! namespace of their own on one bridge. Nobody is told where anybody is. The office leaves once it has granted; what
//! the PPLs write then is to be at the PML, with receipts. All people are generated.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rukun::disk::{Folder, random};
use rukun::people::Population;
use rukun::verbs::{Request, StatusShape, WrittenShape};
use rukun_authority::{Charter, Keypair, Role};
use rukun_change::{DeviceKey, Digest};
use rukun_replica::{NewGrant, Replica};

use super::machine::Machine;
use super::namespace::{self, Namespace};
use super::scene::REGION;
use crate::by_hand::QUESTIONNAIRE;

const LISTEN: &str = "0.0.0.0:7811";
const BRIDGE: &str = "hall";
/// How many families each PPL registers once the office has left.
const FAMILIES: usize = 9;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// After this nobody comes any more.
const WAIT_MAX: Duration = Duration::from_mins(2);
/// How long a stranger is watched.
const STRANGER_WATCHED: Duration = Duration::from_secs(10);

/// What was seen in a hall.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// From when the daemons had been started until all had met the office and held its grants.
    pub met_seconds: f64,
    /// From when the last family was written until both PPLs had the PML's receipts for all of them.
    pub delivered_seconds: f64,
    /// How many changes they were.
    pub changes: u64,
}

/// Lets officers meet.
///
/// # Errors
/// If they do not find each other, or somebody finds a stranger.
pub fn meet(program: &Path, parent: &Path) -> anyhow::Result<Seen> {
    namespace::run("ip", &["link", "add", BRIDGE, "type", "bridge"])?;
    namespace::run("ip", &["link", "set", "dev", BRIDGE, "up"])?;
    let officers = ["pml", "budi", "siti"].map(|name| parent.join(name));
    let office = parent.join("office");
    found(&office, 1, &officers)?;
    let stranger = parent.join("stranger");
    found(&stranger, 2, &[])?;

    let start = |seat: usize, dir: &PathBuf| Machine::start(seat_of(seat)?, program, dir, LISTEN);
    let stranger = start(1, &stranger)?;
    let office = start(2, &office)?;
    let began = Instant::now();
    let [pml, budi, siti] = &officers;
    let (pml, budi, siti) = (start(3, pml)?, start(4, budi)?, start(5, siti)?);
    let everyone = [&pml, &budi, &siti];
    until("the office's grants and questionnaire come", &everyone, |status| {
        !status.grants.is_empty() && status.survey.as_ref().is_some_and(|survey| survey.questionnaire)
    })?;
    let met_seconds = began.elapsed().as_secs_f64();
    drop(office);

    for (at, ppl) in [&budi, &siti].into_iter().enumerate() {
        write(ppl, at as u64)?;
    }
    let began = Instant::now();
    until("the PML's receipts come", &[&budi, &siti], |status| {
        status.custody.written > 0 && status.custody.supervisor == status.custody.written
    })?;
    let delivered_seconds = began.elapsed().as_secs_f64();
    let changes = budi.status()?.custody.written + siti.status()?.custody.written;
    ensure!(pml.status()?.changes >= changes, "the PML signed for what it does not hold");

    sleep(STRANGER_WATCHED.saturating_sub(began.elapsed()));
    let log = stranger.log()?;
    ensure!(
        log.contains("listening") && !log.contains("link"),
        "officers and a stranger found each other:\n{log}"
    );
    Ok(Seen { met_seconds, delivered_seconds, changes })
}

/// Founds a survey and grants these officers, the first of them a PML, their region, which they do not know yet.
fn found(office: &Path, seed: u8, officers: &[PathBuf]) -> anyhow::Result<()> {
    let mut office = replica(office)?;
    let charter = Charter {
        name: "Laboratory".into(),
        code: format!("lab{seed}"),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: Digest::of(QUESTIONNAIRE),
        dictionary: None,
    };
    let grant = |subject: DeviceKey, role, name: &str| -> anyhow::Result<NewGrant> {
        let regions = vec![if role == Role::District { "1811" } else { REGION }.parse()?];
        Ok(NewGrant { subject, role, regions, name: name.into() })
    };
    let own = grant(office.device(), Role::District, "BPS Kabupaten Mesuji")?;
    office.found(&Keypair::from_seed(&[seed; 32]), charter, QUESTIONNAIRE, own)?;
    let survey = office.survey().context("a survey was founded")?;
    for (dir, role) in officers.iter().zip([Role::Supervisor, Role::Enumerator, Role::Enumerator]) {
        let mut officer = replica(dir)?;
        officer.join(survey)?;
        officer.commit()?;
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        office.grant(None, grant(officer.device(), role, &name)?)?;
    }
    office.commit()?;
    Ok(())
}

fn replica(dir: &Path) -> anyhow::Result<Replica> {
    Ok(Replica::open(Folder::at(dir).create_store()?, *random()?)?)
}

/// A namespace that is plugged into the bridge.
fn seat_of(number: usize) -> anyhow::Result<Namespace> {
    let (here, there) = (format!("s{number}"), format!("t{number}"));
    namespace::run("ip", &["link", "add", &here, "type", "veth", "peer", "name", &there])?;
    namespace::run("ip", &["link", "set", "dev", &here, "master", BRIDGE, "up"])?;
    Namespace::new(&format!("seat{number}"), &there, &format!("192.168.43.{number}/24"))
}

fn write(ppl: &Machine, seed: u64) -> anyhow::Result<()> {
    let mut population = Population::new(seed);
    for at in 0..FAMILIES {
        let home = format!("{REGION}{:04}00", seed + 1);
        let number = u32::try_from(at)? + 1;
        let family = population.family(home.parse()?, number, number);
        let added =
            Request::RecordAdd { region: home, ink: None, patch: Some(family.interview), set: Vec::new() };
        let _: WrittenShape = ppl.ask(added)?;
    }
    Ok(())
}

fn until(what: &str, machines: &[&Machine], holds: impl Fn(&StatusShape) -> bool) -> anyhow::Result<()> {
    let began = Instant::now();
    for machine in machines {
        loop {
            let status = machine.status()?;
            if holds(&status) {
                break;
            }
            ensure!(began.elapsed() < WAIT_MAX, "waited in vain until {what}: {status:#?}");
            sleep(LOOK_EVERY);
        }
    }
    Ok(())
}
