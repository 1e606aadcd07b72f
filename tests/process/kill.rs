//! Promise 3 over the real program: whatever a daemon has acknowledged, to a person or to a peer, is
//! there after `kill -9` at any moment, a hundred times over, with changes in flight.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "here it ends only when it is killed")]
mod daemon;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use daemon::Daemon;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rukun::client::ClientError;
use rukun::disk::{Folder, random};
use rukun::survey::{BUILT_IN, Survey};
use rukun::verbs::{self, Edit, FingerprintsShape, LogShape, PeersShape, Request, WrittenShape};
use rukun_authority::{Keypair, Role};
use rukun_replica::{NewGrant, Replica};
use serde_json::json;

const ROUNDS: usize = 100;
/// Who asks one daemon at the same time.
const WRITERS: usize = 2;
/// How long after its first answer a daemon is killed, in milliseconds.
const KILL_MS: std::ops::Range<u64> = 5..150;
const EDITS_A_RECORD: usize = 3;
const WAIT_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);
const OFFICE_HOME: &str = "1811040003000100";
const DEVICE_HOME: &str = "1811010005000100";
const DEVICE_SCOPE: &str = "18110100050001";

/// A change that a daemon answered for: its record and its id.
type Answered = (String, String);

/// What became of what was written at one daemon in one round.
#[derive(Default)]
struct Written {
    answered: Vec<Answered>,
    /// Requests that were under way and never answered.
    cut_off: usize,
}

/// The office, an enumerator's device, and all that they ever answered for.
struct Pair {
    dirs: [PathBuf; 2],
    answered: [BTreeSet<Answered>; 2],
    /// What was answered for in the present round.
    fresh: [Vec<Answered>; 2],
    /// What the device answered for since its changes were last numbered.
    unnumbered: Vec<Answered>,
    /// The device's changes by its own running number.
    numbered: BTreeMap<u64, Answered>,
    /// How many of them the office acknowledged to it, and for how many it was seen to hold them.
    delivered: u64,
    delivered_seen: u64,
    cut_off_rounds: usize,
    undelivered_rounds: usize,
}

const OFFICE: usize = 0;
const DEVICE: usize = 1;

#[test]
fn what_a_daemon_acknowledged_outlives_it_being_killed_a_hundred_times() {
    let parent = tempfile::tempdir().unwrap();
    let mut pair = Pair::found(parent.path());
    let mut moments = ChaCha20Rng::seed_from_u64(0x1811);
    let mut office = Daemon::start(&pair.dirs[OFFICE]);
    let mut device = Daemon::start(&pair.dirs[DEVICE]);
    point(&device, &office);
    for round in 0..ROUNDS {
        wait("the link and the questionnaire", || {
            let status = device.status();
            let questionnaire = status.survey.is_some_and(|survey| survey.questionnaire);
            questionnaire && status.peers.iter().any(|peer| peer.linked)
        });
        let wait_ms = KILL_MS.start + moments.next_u64() % (KILL_MS.end - KILL_MS.start);
        let victim = round % 2;
        // Every other time the office is killed as soon as it is known to have acknowledged more.
        let after_news = round % 4 == OFFICE;
        let moment = Duration::from_millis(wait_ms);
        pair.write_until_killed([&office, &device], victim, moment, after_news);
        if victim == OFFICE {
            drop(office);
            office = Daemon::start(&pair.dirs[OFFICE]);
            pair.check_delivered(&office, &device, round);
            pair.check_answered(&office, OFFICE, round);
            point(&device, &office);
        } else {
            drop(device);
            device = Daemon::start(&pair.dirs[DEVICE]);
            pair.check_answered(&device, DEVICE, round);
        }
    }
    wait("both to hold the same", || {
        let prints = |daemon: &Daemon| -> FingerprintsShape {
            daemon.ask(Request::Fingerprints { region: Some(DEVICE_SCOPE.into()) })
        };
        prints(&office) == prints(&device)
    });
    for (node, daemon) in [(OFFICE, &office), (DEVICE, &device), (DEVICE, &office)] {
        check_held(daemon, pair.answered[node].iter(), "answered, and all is quiet");
    }
    let answered = pair.answered.iter().map(BTreeSet::len).sum::<usize>();
    eprintln!(
        "{answered} changes answered, {} delivered; requests cut off in {} rounds, deliveries in {}",
        pair.delivered, pair.cut_off_rounds, pair.undelivered_rounds
    );
    // Without these the test would promise nothing.
    assert!(answered > 500, "only {answered} changes were ever acknowledged");
    assert!(pair.delivered > 200, "only {} changes were ever acknowledged to a peer", pair.delivered);
    assert!(pair.cut_off_rounds > 20, "requests were in flight in only {} rounds", pair.cut_off_rounds);
    assert!(
        pair.undelivered_rounds > 10,
        "changes were on their way in only {} rounds",
        pair.undelivered_rounds
    );
}

impl Pair {
    fn found(parent: &Path) -> Self {
        let dirs = ["office", "device"].map(|name| parent.join(name));
        let [mut office, mut device] = [&dirs[OFFICE], &dirs[DEVICE]]
            .map(|dir| Replica::open(Folder::at(dir).create_store().unwrap(), *random().unwrap()).unwrap());
        let survey = Survey {
            name: "Kill".into(),
            code: "kill".into(),
            period: ("2022-10-15".into(), "2022-11-14".into()),
            questionnaire: BUILT_IN.1.to_vec(),
            office: "BPS Kabupaten Mesuji".into(),
            region: "1811".parse().unwrap(),
        };
        verbs::found(&mut office, &Keypair::from_seed(&[1; 32]), &survey).unwrap();
        let (subject, role) = (device.device(), Role::Enumerator);
        let regions = vec![DEVICE_SCOPE.parse().unwrap()];
        office.grant(None, NewGrant { subject, role, regions, name: "Budi".into() }).unwrap();
        device.join(office.survey().unwrap()).unwrap();
        office.commit().unwrap();
        device.commit().unwrap();
        Self {
            dirs,
            answered: [BTreeSet::new(), BTreeSet::new()],
            fresh: [Vec::new(), Vec::new()],
            unnumbered: Vec::new(),
            numbered: BTreeMap::new(),
            delivered: 0,
            delivered_seen: 0,
            cut_off_rounds: 0,
            undelivered_rounds: 0,
        }
    }

    /// Both are written at without a pause until one of them is killed: at this moment after its first
    /// answer, or with the next news of an acknowledgement after that.
    fn write_until_killed(
        &mut self,
        daemons: [&Daemon; 2],
        victim: usize,
        moment: Duration,
        after_news: bool,
    ) {
        let (over, first) = (AtomicBool::new(false), AtomicBool::new(false));
        let written = scope(|threads| {
            let end = EndWhenDropped(&over);
            let writers: Vec<_> = [OFFICE, DEVICE]
                .into_iter()
                .flat_map(|node| (0..WRITERS).map(move |_| node))
                .map(|node| {
                    let (over, first) = (&over, &first);
                    threads.spawn(move || {
                        let first = (node == victim).then_some(first);
                        (node, write(daemons[node], node, over, first))
                    })
                })
                .collect();
            wait("a first answer", || first.load(Ordering::SeqCst));
            let began = Instant::now();
            let mut undelivered = 0;
            while began.elapsed() < moment {
                // What the office acknowledged to the device is known to the device alone.
                if victim == OFFICE {
                    undelivered = self.note_delivered(daemons[DEVICE]);
                }
                sleep(LOOK_EVERY.min(moment.saturating_sub(began.elapsed())));
            }
            let before = self.delivered;
            while after_news && self.delivered == before {
                assert!(began.elapsed() < WAIT_MAX, "the office acknowledges nothing more");
                undelivered = self.note_delivered(daemons[DEVICE]);
            }
            daemons[victim].kill();
            if victim == OFFICE {
                undelivered = undelivered.max(self.note_delivered(daemons[DEVICE]));
            }
            self.undelivered_rounds += usize::from(undelivered > 0);
            drop(end);
            writers.into_iter().map(|writer| writer.join().unwrap()).collect::<Vec<_>>()
        });
        self.cut_off_rounds += usize::from(written.iter().any(|(_, written)| written.cut_off > 0));
        self.fresh = [Vec::new(), Vec::new()];
        for (node, written) in written {
            assert!(node == victim || written.cut_off == 0, "a daemon that was not killed broke off");
            self.answered[node].extend(written.answered.iter().cloned());
            if node == DEVICE {
                self.unnumbered.extend(written.answered.iter().cloned());
            }
            self.fresh[node].extend(written.answered);
        }
    }

    /// How many of its changes the device counts as acknowledged by the office; gives how many not.
    fn note_delivered(&mut self, device: &Daemon) -> u64 {
        let status = device.status();
        let lacks = status.peers.iter().map(|peer| peer.lacks).sum::<u64>();
        assert!(status.peers.iter().all(|peer| peer.refused == 0) && status.waiting == 0, "{status:?}");
        self.delivered = self.delivered.max(status.changes - lacks);
        lacks
    }

    /// The device writes in its own scope alone and nobody else does, so the changes it holds are its
    /// own, and their running numbers are the order of its log.
    fn check_delivered(&mut self, office: &Daemon, device: &Daemon, round: usize) {
        let prints: FingerprintsShape =
            office.ask(Request::Fingerprints { region: Some(DEVICE_SCOPE.into()) });
        let count = |print: &String| print.split(':').next().unwrap().parse::<u64>().unwrap();
        let held: u64 = prints.fingerprints.values().map(count).sum();
        assert!(held >= self.delivered, "round {round}: {held} held of {} acknowledged", self.delivered);
        let logs = logs(device, records_of(&std::mem::take(&mut self.unnumbered)));
        self.numbered.extend(logs.into_iter().map(|(change, (record, n))| (n, (record, change))));
        let delivered = self.numbered.range(self.delivered_seen + 1..=self.delivered);
        let delivered: Vec<&Answered> = delivered.map(|(_, change)| change).collect();
        check_held(office, delivered.into_iter(), &format!("round {round}: acknowledged to the device"));
        self.delivered_seen = self.delivered;
    }

    fn check_answered(&self, daemon: &Daemon, node: usize, round: usize) {
        check_held(daemon, self.fresh[node].iter(), &format!("round {round}: answered by node {node}"));
    }
}

fn check_held<'a>(daemon: &Daemon, changes: impl Iterator<Item = &'a Answered> + Clone, what: &str) {
    let held = logs(daemon, records_of(changes.clone()));
    let lost: Vec<&Answered> = changes.filter(|(_, change)| !held.contains_key(change)).collect();
    assert!(lost.is_empty(), "{what}, and lost: {lost:?}");
}

/// Lets the writers end, also when the test fails while they write.
struct EndWhenDropped<'a>(&'a AtomicBool);

impl Drop for EndWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Makes records and edits them until told to stop or the daemon is gone.
fn write(daemon: &Daemon, node: usize, over: &AtomicBool, first: Option<&AtomicBool>) -> Written {
    let home = [OFFICE_HOME, DEVICE_HOME][node];
    let mut written = Written::default();
    let mut record = None;
    let mut step = 0_usize;
    while !over.load(Ordering::SeqCst) {
        let request = match &record {
            None => Request::RecordAdd {
                region: home.into(),
                ink: None,
                patch: Some(json!({"r108": "Siti Aminah", "r304": 1})),
                set: Vec::new(),
            },
            Some(record) => {
                let patch = Some(json!({"r302": 20 + step % 900, "r304": 2 + step % 5}));
                Request::RecordSet(Edit { record: String::clone(record), ink: None, patch, set: Vec::new() })
            }
        };
        let shape: WrittenShape = match daemon.try_ask(request) {
            Ok(shape) => shape,
            Err(ClientError::Http(_)) => {
                written.cut_off += 1;
                break;
            }
            Err(error) => panic!("node {node} refused an edit: {error}"),
        };
        let change = shape.change.expect("every edit changes something");
        written.answered.push((shape.record.clone(), change));
        if let Some(first) = first {
            first.store(true, Ordering::SeqCst);
        }
        step += 1;
        record = Some(shape.record).filter(|_| !step.is_multiple_of(EDITS_A_RECORD));
    }
    written
}

fn records_of<'a>(changes: impl IntoIterator<Item = &'a Answered>) -> BTreeSet<String> {
    changes.into_iter().map(|(record, _)| record.clone()).collect()
}

/// Every change of these records that a daemon tells of, with its record and its author's running
/// number.
fn logs(daemon: &Daemon, records: BTreeSet<String>) -> BTreeMap<String, (String, u64)> {
    let mut changes = BTreeMap::new();
    for record in records {
        let log: Result<LogShape, _> = daemon.try_ask(Request::Log { record: record.clone() });
        match log {
            Ok(log) => {
                changes.extend(log.changes.into_iter().map(|line| (line.change, (record.clone(), line.n))));
            }
            Err(ClientError::Refused { status: 404, .. }) => {}
            Err(error) => panic!("log {record}: {error}"),
        }
    }
    changes
}

/// The device dials the office where it listens now, at once and nowhere else.
fn point(device: &Daemon, office: &Daemon) {
    let old: PeersShape = device.ask(Request::PeerList);
    for address in old.peers {
        let _: PeersShape = device.ask(Request::PeerRemove { address });
    }
    let _: PeersShape = device.ask(Request::PeerAdd { address: office.address() });
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < WAIT_MAX, "waited {WAIT_MAX:?} for {what}");
        sleep(LOOK_EVERY);
    }
}
