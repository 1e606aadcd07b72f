//! Promise 3 over the real program on a bad disk: one whose writes and syncs fail now and then, with
//! `kill -9` in between, and one that is full. The daemon says what is wrong and stops, nothing that it
//! has acknowledged is missing after a restart, and with room made it goes on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod daemon;
#[expect(dead_code, reason = "here changes are looked up one by one")]
mod district;
mod mounted;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use daemon::Daemon;
use district::{Answered, District, Officer, fingerprints, lacking, point, try_add, try_edit, wait};
use mounted::Mounted;
use rukun::client::ClientError;
use rukun::run::EXIT_DISK_FAULT;
use rukun_authority::Role;

const OFFICERS: [Officer; 1] = [Officer { name: "Budi", role: Role::Enumerator, region: DEVICE_SCOPE }];
const OFFICE_HOME: &str = "1811040003000100";
const DEVICE_HOME: &str = "1811010005000100";
const DEVICE_SCOPE: &str = "18110100050001";
const EDITS_A_RECORD: usize = 5;

/// How often the program is started on a disk that fails, and how long it runs if no fault ends it.
const ROUNDS: usize = 24;
const QUIET_EVERY: usize = 4;
const ROUND_MAX: Duration = Duration::from_millis(900);
const WRITE_MAX: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// What fails, and how often.
const FAULTS: [&str; 2] = [
    "enable_random name=posix/io/sync/*,probability=0.003",
    "enable_random name=posix/io/rw/pwrite,probability=0.0008",
];

/// How large the disk is that fills, and then is not full.
const FULL_BYTES: u64 = 1 << 20;
const ROOMY_BYTES: u64 = 256 << 20;
/// What the operating system says then.
const NO_ROOM: &[&str] = &["No space left on device", "File too large"];
/// The same where nothing may be mounted: no file may grow beyond so many blocks of 512 bytes.
const LIMITED: [&str; 4] = ["sh", "-c", "trap '' XFSZ; ulimit -f 2048; exec \"$@\"", "sh"];

/// An office on a bad disk, and a device on a good one that delivers to it.
struct Pair {
    office: PathBuf,
    address: String,
    device: Daemon,
    /// What the office answered for, and what of it since it was last looked at.
    answered: BTreeSet<Answered>,
    fresh: BTreeSet<Answered>,
    /// How many of its changes the device knows to be acknowledged by the office.
    delivered: u64,
}

#[test]
fn what_was_acknowledged_on_a_failing_disk_is_there_after_every_fault_and_kill() {
    if !is_there("fiu-run") {
        eprintln!(
            "SKIPPED: fiu-run is not there, so no disk can be made to fail: apt-get install fiu-utils libfiu0"
        );
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let mut pair = Pair::found(parent.path(), &parent.path().join("office"));
    let fifo = parent.path().join("fiu");
    let failing = ["fiu-run", "-x", "-f", fifo.to_str().unwrap(), "-c", FAULTS[0], "-c", FAULTS[1]];
    let (mut faults, mut at_start, mut kills) = (0, 0, 0);
    for round in 0..ROUNDS {
        match Daemon::try_start(&pair.office, &pair.address, &failing) {
            Err(status) => {
                at_start += 1;
                assert!(status.code().is_some_and(|code| code != 0), "{status}");
                let words = daemon::last_words(&pair.office);
                assert!(words.lines().last().is_some_and(|last| last.contains("os error")), "{words}");
            }
            Ok(office) => {
                pair.write(&office, Some(ROUND_MAX));
                let status = office.ends();
                if status.code().is_some() {
                    faults += 1;
                    check_says_why(status, &pair.office, &["os error"]);
                } else {
                    kills += 1;
                }
            }
        }
        let office = Daemon::start_at(&pair.office, &pair.address);
        pair.check(&office);
        // While both are written at they hardly ever come to agree, and only agreement says of what was cut
        // off before its acknowledgement that it has arrived.
        if round % QUIET_EVERY == 0 {
            pair.deliver(&office);
        }
        office.kill();
        office.ends();
    }
    eprintln!(
        "a failing disk: {} changes answered, {} delivered; {faults} faults while it ran, {at_start} while it \
         started, {kills} kills without one",
        pair.answered.len(),
        pair.delivered
    );
    assert!(faults >= ROUNDS / 6, "only {faults} faults hit");
    assert!(pair.answered.len() > 200 && pair.delivered > 50, "hardly anything was written");
}

#[test]
fn a_full_disk_is_named_and_with_room_made_the_daemon_goes_on_with_all_it_acknowledged() {
    let parent = tempfile::tempdir().unwrap();
    let mounted = Mounted::try_new(&parent.path().join("disk"), FULL_BYTES);
    let (office, full): (PathBuf, &[&str]) = if let Some(mounted) = &mounted {
        (mounted.path().join("office"), &[])
    } else {
        eprintln!("no file system can be mounted here: the length of files is limited instead");
        (parent.path().join("office"), &LIMITED)
    };
    let mut pair = Pair::found(parent.path(), &office);
    let running = Daemon::try_start(&pair.office, &pair.address, full).unwrap();
    let refusal = pair.write(&running, None);
    check_says_why(running.ends(), &pair.office, NO_ROOM);
    let told = refusal.expect("the last write is answered, with a refusal");
    assert!(NO_ROOM.iter().any(|words| told.contains(words)) && told.contains("see to the disk"), "{told}");
    eprintln!("a full disk: {} changes answered, then {told}", pair.answered.len());
    drop(running);
    // Still full: it may start or not, and stop again with the next write; it still loses nothing.
    match Daemon::try_start(&pair.office, &pair.address, full) {
        Ok(running) => drop(pair.write(&running, Some(ROUND_MAX))),
        Err(status) => check_says_why(status, &pair.office, NO_ROOM),
    }
    if let Some(mounted) = &mounted {
        mounted.resize(ROOMY_BYTES);
    }
    let running = Daemon::start_at(&pair.office, &pair.address);
    pair.check(&running);
    let before = pair.answered.len();
    pair.write(&running, Some(ROUND_MAX));
    assert!(pair.answered.len() > before, "with room it goes on");
    let running = Daemon::start_at(&pair.office, &pair.address);
    pair.deliver(&running);
    pair.fresh = pair.answered.clone();
    pair.check(&running);
}

impl Pair {
    fn found(parent: &Path, office: &Path) -> Self {
        let district = District::found(parent, &OFFICERS);
        if district.office != office {
            let moved = Command::new("cp").arg("-a").arg(&district.office).arg(office).status().unwrap();
            assert!(moved.success());
            fs::remove_dir_all(&district.office).unwrap();
        }
        let (running, device) = (Daemon::start(office), Daemon::start(&district.officers[0]));
        let address = running.address();
        point(&device, &running);
        wait("the questionnaire", || device.status().survey.is_some_and(|survey| survey.questionnaire));
        running.stop();
        Self {
            office: office.into(),
            address,
            device,
            answered: BTreeSet::new(),
            fresh: BTreeSet::new(),
            delivered: 0,
        }
    }

    /// Both are written at until the office stops by itself, or is killed at this moment; gives what the
    /// office said when it refused a write.
    fn write(&mut self, office: &Daemon, kill_after: Option<Duration>) -> Option<String> {
        point(&self.device, office);
        let over = AtomicBool::new(false);
        let (answered, refusal) = scope(|threads| {
            let end = EndWhenDropped(&over);
            let (here, there) = (
                threads.spawn(|| write_at(office, OFFICE_HOME, &over)),
                threads.spawn(|| write_at(&self.device, DEVICE_HOME, &over)),
            );
            let began = Instant::now();
            while !here.is_finished() && kill_after.is_none_or(|moment| began.elapsed() < moment) {
                assert!(began.elapsed() < WRITE_MAX, "the disk does not get full");
                sleep(LOOK_EVERY);
            }
            if kill_after.is_some() && !here.is_finished() {
                office.kill();
            }
            drop(end);
            let (_, refused) = there.join().unwrap();
            assert_eq!(refused, None, "the device's disk is good");
            here.join().unwrap()
        });
        self.note_delivered();
        self.fresh = answered.iter().cloned().collect();
        self.answered.extend(answered);
        refusal
    }

    /// Nobody writes until the office holds all of the device's work.
    fn deliver(&mut self, office: &Daemon) {
        point(&self.device, office);
        wait("all of the device's work to be delivered", || {
            self.note_delivered();
            self.delivered == self.device.status().changes
        });
    }

    fn note_delivered(&mut self) {
        let status = self.device.status();
        let lacks = status.peers.iter().map(|peer| peer.lacks).sum::<u64>();
        self.delivered = self.delivered.max(status.changes - lacks);
    }

    /// What was answered for since the last look is there, and as much as was delivered.
    fn check(&self, office: &Daemon) {
        let lost = lacking(office, &self.fresh);
        assert!(lost.is_empty(), "answered for, and lost: {lost:?}");
        let count = |print: &String| print.split(':').next().unwrap().parse::<u64>().unwrap();
        let held = fingerprints(office, DEVICE_SCOPE).fingerprints.values().map(count).sum::<u64>();
        let waiting = office.status().waiting;
        assert!(
            held >= self.delivered,
            "{held} held and {waiting} waiting of {} acknowledged to the device",
            self.delivered
        );
    }
}

/// Makes records and changes them until told to stop, or something goes wrong: then it gives what the
/// daemon said, if it said anything.
fn write_at(daemon: &Daemon, home: &str, over: &AtomicBool) -> (Vec<Answered>, Option<String>) {
    let mut answered: Vec<Answered> = Vec::new();
    while !over.load(Ordering::SeqCst) {
        let step = answered.len();
        let written = match answered.last().filter(|_| !step.is_multiple_of(EDITS_A_RECORD)) {
            Some((record, _)) => try_edit(daemon, record, step),
            None => try_add(daemon, home),
        };
        match written {
            Ok(change) => answered.push(change),
            Err(ClientError::Refused { message, remedy, status }) => {
                let remedy = remedy.unwrap_or_default();
                return (answered, Some(format!("{status}: {message}; {remedy}")));
            }
            Err(ClientError::Http(_)) => return (answered, None),
            Err(error) => panic!("{error}"),
        }
    }
    (answered, None)
}

/// Lets the writers end, also when the test fails while they write.
struct EndWhenDropped<'a>(&'a AtomicBool);

impl Drop for EndWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The program stopped by its own decision, and its last line says one of these.
fn check_says_why(status: ExitStatus, dir: &Path, why: &[&str]) {
    let words = daemon::last_words(dir);
    let last = words.lines().last().unwrap_or_default();
    assert_eq!(status.code(), Some(i32::from(EXIT_DISK_FAULT)), "{last}");
    assert!(why.iter().any(|why| last.contains(why)), "{last}");
}

fn is_there(program: &str) -> bool {
    let tried = Command::new(program).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status();
    tried.is_ok()
}
