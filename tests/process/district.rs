//! A district in folders: an office that founded a survey and devices that it granted something, none
//! of them running yet; and how tests over running ones write and look.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rukun::client::ClientError;
use rukun::disk::{Folder, random};
use rukun::survey::{BUILT_IN, Survey};
use rukun::verbs::{
    self, Edit, FingerprintsShape, LogShape, PeersShape, RecordsShape, Request, WrittenShape,
};
use rukun_authority::{Keypair, Role};
use rukun_change::SurveyId;
use rukun_replica::{NewGrant, Replica};
use serde_json::json;

use crate::daemon::Daemon;

/// Under what a survey is founded here: what an office keeps under lock.
pub(crate) const ROOT_SEED: [u8; 32] = [1; 32];
const WAIT_MAX: Duration = Duration::from_mins(2);
const LOOK_EVERY: Duration = Duration::from_millis(10);
const PAGE: usize = 500;

/// Who is granted what.
pub(crate) struct Officer {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) region: &'static str,
}

/// The folders of an office and its officers.
pub(crate) struct District {
    pub(crate) survey: SurveyId,
    pub(crate) office: PathBuf,
    pub(crate) officers: Vec<PathBuf>,
}

impl District {
    /// Founds a survey in a folder and grants each officer's device, in another, its region.
    pub(crate) fn found(parent: &Path, officers: &[Officer]) -> Self {
        let make =
            |dir: &Path| Replica::open(Folder::at(dir).create_store().unwrap(), *random().unwrap()).unwrap();
        let office_dir = parent.join("office");
        let mut office = make(&office_dir);
        let survey = Survey {
            name: "Drill".into(),
            code: "drill".into(),
            period: ("2022-10-15".into(), "2022-11-14".into()),
            questionnaire: BUILT_IN.1.to_vec(),
            office: "BPS Kabupaten Mesuji".into(),
            region: "1811".parse().unwrap(),
        };
        verbs::found(&mut office, &Keypair::from_seed(&ROOT_SEED), &survey).unwrap();
        let survey = office.survey().unwrap();
        let mut dirs = Vec::new();
        for Officer { name, role, region } in officers {
            let dir = parent.join(name);
            let mut device = make(&dir);
            let (subject, regions) = (device.device(), vec![region.parse().unwrap()]);
            office.grant(None, NewGrant { subject, role: *role, regions, name: (*name).into() }).unwrap();
            device.join(survey).unwrap();
            device.commit().unwrap();
            dirs.push(dir);
        }
        office.commit().unwrap();
        Self { survey, office: office_dir, officers: dirs }
    }
}

/// A change that a daemon answered for: its record and its id.
pub(crate) type Answered = (String, String);

/// Makes a record.
pub(crate) fn add(daemon: &Daemon, home: &str) -> Answered {
    try_add(daemon, home).unwrap_or_else(|error| panic!("a new record in {home}: {error}"))
}

/// The same, where it may be refused.
pub(crate) fn try_add(daemon: &Daemon, home: &str) -> Result<Answered, ClientError> {
    let patch = Some(json!({"r108": "Siti Aminah", "r304": 1}));
    let written: WrittenShape =
        daemon.try_ask(Request::RecordAdd { region: home.into(), ink: None, patch, set: Vec::new() })?;
    Ok((written.record, written.change.expect("a new record is a change")))
}

/// Changes a record; `step` makes one edit another than the one before.
pub(crate) fn edit(daemon: &Daemon, record: &str, step: usize) -> Answered {
    try_edit(daemon, record, step).unwrap_or_else(|error| panic!("an edit of {record}: {error}"))
}

/// The same, where it may be refused.
pub(crate) fn try_edit(daemon: &Daemon, record: &str, step: usize) -> Result<Answered, ClientError> {
    let patch = Some(json!({"r302": 20 + step % 900, "r304": 2 + step % 5}));
    let edit = Edit { record: record.into(), ink: None, patch, set: Vec::new() };
    let written: WrittenShape = daemon.try_ask(Request::RecordSet(edit))?;
    Ok((written.record, written.change.expect("every edit changes something")))
}

/// All records that a daemon holds.
pub(crate) fn records(daemon: &Daemon) -> BTreeSet<String> {
    let (mut found, mut after) = (BTreeSet::new(), None);
    loop {
        let page: RecordsShape = daemon.ask(Request::RecordList { region: None, after, limit: Some(PAGE) });
        found.extend(page.records.into_iter().map(|line| line.record));
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

/// Every change that a daemon holds, and its standing.
pub(crate) fn changes(daemon: &Daemon) -> BTreeMap<Answered, String> {
    let mut found = BTreeMap::new();
    for record in records(daemon) {
        let log: LogShape = daemon.ask(Request::Log { record });
        found.extend(log.changes.into_iter().map(|line| ((log.record.clone(), line.change), line.standing)));
    }
    found
}

/// Which of these a daemon does not hold.
pub(crate) fn lacking(daemon: &Daemon, of: &BTreeSet<Answered>) -> BTreeSet<Answered> {
    let mut lacking = of.clone();
    for record in of.iter().map(|(record, _)| record).collect::<BTreeSet<_>>() {
        match daemon.try_ask::<LogShape>(Request::Log { record: record.clone() }) {
            Ok(log) => {
                for line in log.changes {
                    lacking.remove(&(record.clone(), line.change));
                }
            }
            Err(ClientError::Refused { status: 404, .. }) => {}
            Err(error) => panic!("log {record}: {error}"),
        }
    }
    lacking
}

/// What tells whether two hold the same in a region.
pub(crate) fn fingerprints(daemon: &Daemon, region: &str) -> FingerprintsShape {
    daemon.ask(Request::Fingerprints { region: Some(region.into()) })
}

/// A device dials an office where it listens now, at once and nowhere else.
pub(crate) fn point(device: &Daemon, office: &Daemon) {
    let old: PeersShape = device.ask(Request::PeerList);
    for address in old.peers {
        let _: PeersShape = device.ask(Request::PeerRemove { address });
    }
    let _: PeersShape = device.ask(Request::PeerAdd { address: office.address() });
}

/// Waits until this holds; gives how long that took.
pub(crate) fn wait(what: &str, mut done: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < WAIT_MAX, "waited {WAIT_MAX:?} for {what}");
        sleep(LOOK_EVERY);
    }
    started.elapsed()
}
