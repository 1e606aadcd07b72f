//! What becomes of a district whose relay is lost, over the real program: a relay that is put back from a
//! day-old backup, and one that is made anew from its root key and nothing else, are refilled by their
//! devices with all that these still hold, while nobody touches the devices. The recipes are those of
//! `docs/operating.md`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod daemon;
#[expect(dead_code, reason = "here devices dial an address that stays")]
mod district;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use daemon::Daemon;
use district::{Answered, District, Officer, add, changes, edit, fingerprints, lacking, records, wait};
use rukun::disk::Folder;
use rukun::verbs::{
    BackupShape, BundleShape, GrantShape, IdShape, JoinedShape, PeersShape, Request, StatusShape,
};
use rukun_authority::{Keypair, Role};
use serde::de::DeserializeOwned;

/// Two enumerators, their supervisor, who writes in red over both, and a coordinator in green.
const OFFICERS: [Officer; 4] = [
    Officer { name: "Budi", role: Role::Enumerator, region: "18110100050001" },
    Officer { name: "Nurhayati", role: Role::Enumerator, region: "18110100050002" },
    Officer { name: "Sri", role: Role::Supervisor, region: "1811010005" },
    Officer { name: "Wayan", role: Role::Coordinator, region: "1811010" },
];
/// Where the officer of the same place makes new records.
const HOMES: [&str; 4] = ["1811010005000100", "1811010005000200", "1811010005000300", "1811010006000100"];
/// Where the office does: in the regions of the first and the third.
const OFFICE_HOMES: [&str; 2] = ["1811010005000100", "1811010005000300"];
const DISTRICT: &str = "1811";
const FIRST_DAY_RECORDS: usize = 3;
const DAY_EDITS: usize = 36;
const EVENING_EDITS: usize = 12;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A relay that runs at an address which stays, and the devices that dial it.
struct Drill {
    district: District,
    address: String,
    relay: Option<Daemon>,
    devices: Vec<Daemon>,
    /// All that was ever answered for, at the relay and at the devices.
    answered: BTreeSet<Answered>,
}

#[test]
fn a_relay_put_back_from_a_day_old_backup_is_refilled_by_its_devices() {
    let parent = tempfile::tempdir().unwrap();
    let mut drill = Drill::begin(parent.path());
    let office = drill.district.office.clone();
    let (backup, key) = (parent.path().join("backup.redb"), parent.path().join("key"));
    let _: BackupShape = rukun(&office, &["backup", backup.to_str().unwrap()]);
    fs::copy(office.join("key"), &key).unwrap();

    let day = drill.work_a_day();
    let relays_own: BTreeSet<Answered> = (0..2 * OFFICE_HOMES.len())
        .map(|at| add(drill.relay(), OFFICE_HOMES[at % OFFICE_HOMES.len()]))
        .collect();
    drill.answered.extend(relays_own.clone());
    drill.wait_until_all_is_held();
    let undelivered = drill.lose_the_relay();
    fs::remove_dir_all(&office).unwrap();

    let started = Instant::now();
    let words = ["restore", backup.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let _: serde_json::Value = rukun(&office, &words);
    drill.relay = Some(Daemon::start_at(&office, &drill.address));
    let lacking = drill.lacking();
    assert!(lacking.len() > 150 && undelivered.len() > 40, "{} and {}", lacking.len(), undelivered.len());
    assert!(day.is_subset(&lacking) && relays_own.is_subset(&lacking), "the backup is a day old");
    drill.wait_until_all_is_held();
    let took = started.elapsed();
    eprintln!(
        "a relay put back from a backup: {} changes lacking, {} of them never delivered before, held again \
         after {:.1} s",
        lacking.len(),
        undelivered.len(),
        took.as_secs_f64()
    );
    drill.goes_on();
}

#[test]
fn a_relay_made_anew_from_its_root_key_is_refilled_by_its_devices() {
    let parent = tempfile::tempdir().unwrap();
    let mut drill = Drill::begin(parent.path());
    let old_device = drill.relay().status().device;
    drill.work_a_day();
    drill.wait_until_all_is_held();
    let undelivered = drill.lose_the_relay();
    fs::remove_dir_all(&drill.district.office).unwrap();

    let started = Instant::now();
    drill.make_anew();
    drill.wait_until_all_is_held();
    let took = started.elapsed();
    eprintln!(
        "a relay made anew: {} changes, {} of them never delivered before, held again after {:.1} s",
        drill.answered.len(),
        undelivered.len(),
        took.as_secs_f64()
    );
    let status = drill.relay().status();
    assert_ne!(status.device, old_device, "the old key is gone with the old folder");
    // The old one's grants hold on, and nobody could open what is sealed for it.
    for device in &drill.devices {
        let told: BundleShape = device.ask(Request::BundleExport { recipient: "district".into() });
        assert_eq!(told.recipient.device, status.device);
    }
    assert!(status.survey.unwrap().questionnaire);
    drill.goes_on();
}

impl Drill {
    /// All devices dial the relay and hold what they may, a first day's work.
    fn begin(parent: &Path) -> Self {
        let district = District::found(parent, &OFFICERS);
        let relay = Daemon::start(&district.office);
        let address = relay.address();
        let devices: Vec<Daemon> = district.officers.iter().map(|dir| Daemon::start(dir)).collect();
        for device in &devices {
            let _: PeersShape = device.ask(Request::PeerAdd { address: address.clone() });
        }
        let mut drill = Self { district, address, relay: Some(relay), devices, answered: BTreeSet::new() };
        wait("the questionnaire", || {
            drill.devices.iter().all(|device| device.status().survey.is_some_and(|held| held.questionnaire))
        });
        for _ in 0..FIRST_DAY_RECORDS {
            for (device, home) in drill.devices.iter().zip(HOMES) {
                drill.answered.insert(add(device, home));
            }
            for home in OFFICE_HOMES {
                drill.answered.insert(add(drill.relay(), home));
            }
        }
        drill.wait_until_all_is_held();
        drill
    }

    fn relay(&self) -> &Daemon {
        self.relay.as_ref().unwrap()
    }

    /// Every device changes what it holds, its own records and others', and makes new ones.
    fn work_a_day(&mut self) -> BTreeSet<Answered> {
        self.work(DAY_EDITS)
    }

    fn work(&mut self, edits: usize) -> BTreeSet<Answered> {
        let mut written = BTreeSet::new();
        for (device, home) in self.devices.iter().zip(HOMES) {
            written.insert(add(device, home));
            let held: Vec<String> = records(device).into_iter().collect();
            written.extend(
                (0..edits).map(|step| edit(device, &held[step % held.len()], self.answered.len() + step)),
            );
        }
        self.answered.extend(written.iter().cloned());
        written
    }

    /// The relay ends as by a loss of power while all devices write; gives what it did not take.
    fn lose_the_relay(&mut self) -> BTreeSet<Answered> {
        let before = self.answered.len();
        self.work(1);
        self.relay().kill();
        assert!(!self.relay().ends().success());
        self.relay = None;
        let undelivered = self.work(EVENING_EDITS);
        assert!(self.answered.len() > before + undelivered.len());
        assert!(self.claims().iter().all(|claims| !claims), "nobody says that a dead relay has everything");
        undelivered
    }

    /// What an operator does who has the root key, the survey's id and the relay's address.
    fn make_anew(&mut self) {
        let dir = self.district.office.clone();
        let id: IdShape = rukun(&dir, &["id"]);
        let survey = self.district.survey.to_string();
        let _: JoinedShape = rukun(&dir, &["join", &survey]);
        // Devices call and are not answered yet, but they show the charter.
        self.relay = Some(Daemon::start_at(&dir, &self.address));
        wait("the charter", || {
            assert!(self.claims().iter().all(|claims| !claims), "it holds nothing yet");
            self.relay().status().survey.is_some_and(|survey| survey.name.is_some())
        });
        self.relay.take().unwrap().stop();
        Folder::at(&dir).write_root(&Keypair::from_seed(&district::ROOT_SEED)).unwrap();
        let name = "BPS Kabupaten Mesuji";
        let grant = ["grant", &id.device, "--role", "district", "--region", DISTRICT, "--name", name];
        let granted: GrantShape = rukun(&dir, &grant);
        assert_eq!((granted.device, granted.in_force), (id.device, vec![DISTRICT.to_owned()]));
        fs::remove_file(dir.join("root.key")).unwrap();
        self.relay = Some(Daemon::start_at(&dir, &self.address));
    }

    /// What was answered for and is not at the relay.
    fn lacking(&self) -> BTreeSet<Answered> {
        lacking(self.relay(), &self.answered)
    }

    /// Whether each device shows its link to the relay as in sync, as `rukun status` does.
    fn claims(&self) -> Vec<bool> {
        let in_sync = |status: StatusShape| {
            status.peers.iter().any(|peer| peer.linked && peer.in_sync && peer.lacks == 0)
        };
        self.devices.iter().map(|device| in_sync(device.status())).collect()
    }

    /// Until the relay holds all that was answered for, and each device what is for it. Nobody does
    /// anything; whoever says meanwhile that the relay has everything must be right.
    fn wait_until_all_is_held(&self) {
        wait("the relay to hold everything", || {
            self.check_claims();
            let equal = |(device, officer): (&Daemon, &Officer)| {
                fingerprints(device, officer.region) == fingerprints(self.relay(), officer.region)
            };
            sleep(LOOK_EVERY);
            self.devices.iter().zip(&OFFICERS).all(equal) && self.lacking().is_empty()
        });
        self.check_claims();
    }

    fn check_claims(&self) {
        for (at, _) in self.claims().into_iter().enumerate().filter(|(_, claims)| *claims) {
            // The device's first: what comes to it meanwhile comes from the relay.
            let (mine, relays) = (changes(&self.devices[at]), changes(self.relay()));
            let lacks = mine.keys().filter(|change| !relays.contains_key(change)).count();
            assert_eq!(lacks, 0, "{} shows the relay in sync, and it lacks so many", OFFICERS[at].name);
        }
    }

    /// The refilled relay writes, and all that anybody wrote counts, everywhere.
    fn goes_on(&mut self) {
        for home in OFFICE_HOMES {
            let (record, change) = add(self.relay(), home);
            self.answered.insert((record.clone(), change));
            self.answered.insert(edit(self.relay(), &record, 1));
        }
        self.work(2);
        self.wait_until_all_is_held();
        for daemon in self.devices.iter().chain(&self.relay) {
            let changes = changes(daemon);
            let aside: Vec<_> = changes.iter().filter(|(_, standing)| *standing != "good").collect();
            assert!(aside.is_empty() && !changes.is_empty(), "set aside: {aside:?}");
            let status = daemon.status();
            assert_eq!(status.waiting, 0);
            assert!(status.peers.iter().all(|peer| peer.refused == 0), "{:?}", status.peers);
        }
    }
}

/// What the command line says.
fn rukun<T: DeserializeOwned>(dir: &Path, args: &[&str]) -> T {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rukun"));
    command.arg("--dir").arg(dir).arg("--json").args(args);
    let said = command.stdin(Stdio::null()).output().unwrap();
    assert!(said.status.success(), "{args:?}: {}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
}
