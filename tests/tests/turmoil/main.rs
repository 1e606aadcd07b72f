//! The daemon's own sessions over QUIC in a simulated network: latency, loss, a partition, a relay that
//! crashes and comes back, devices whose address changes. Whatever the seed, all come to hold the same,
//! and nothing that was answered for is missing; and the same seed sends the same datagrams.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod adapter;
mod node;
mod pace;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter::{Air, Sent};
use node::{Node, PORT};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rukun::drive::Core;
use rukun::survey::{BUILT_IN, Survey};
use rukun::verbs::{self, LogShape, Request};
use rukun_authority::{Keypair, Role};
use rukun_replica::NewGrant;
use serde_json::Value;
use turmoil::Sim;

const RELAY: &str = "relay";
/// Where the relay is: the first host gets the first address.
const RELAY_ADDRESS: &str = "192.168.0.1";
const LATENCY_MS: (u64, u64) = (20, 400);
const LOSS_PERMILLE: u64 = 30;
/// Half of the devices are cut off for so long.
const PARTITION: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(90));
const CRASH: Duration = Duration::from_secs(125);
/// Until when there are faults, and officers at work.
const UNQUIET: Duration = Duration::from_secs(150);
/// How long it may take after that until all hold the same.
const CONVERGENCE_MAX: Duration = Duration::from_mins(2);
const TICK: Duration = Duration::from_millis(5);
/// Where devices are, several at each place.
const REGIONS: [&str; 6] = [
    "18110100050001",
    "18110100050002",
    "18110100050003",
    "18110100060001",
    "18110100060002",
    "18110100070001",
];

thread_local! {
    static CHANCE: RefCell<ChaCha20Rng> = RefCell::new(ChaCha20Rng::from_seed([0; 32]));
}

/// All of a simulation's chance, one sequence a seed.
pub(crate) fn chance() -> u64 {
    CHANCE.with_borrow_mut(Rng::next_u64)
}

pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    CHANCE.with_borrow_mut(|chance| chance.fill_bytes(&mut bytes));
    bytes
}

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    sent: Vec<Sent>,
    answered: usize,
    /// How long it took after the last fault until all held the same.
    converged_ms: u64,
}

#[test]
fn nineteen_devices_and_a_relay_come_to_hold_the_same_through_loss_partition_crash_and_new_addresses() {
    let seed = std::env::var("RUKUN_SEED").map_or(1, |seed| seed.parse().unwrap());
    let run = run(seed, 19);
    let lost = run.sent.iter().filter(|sent| sent.lost).count();
    let ports: BTreeSet<_> =
        run.sent.iter().map(|sent| sent.from).filter(|(_, port)| *port != PORT).collect();
    eprintln!(
        "seed {seed}: {} changes answered, {} datagrams of which {lost} lost, {} other addresses, held by \
         all {:.1} s after the last fault",
        run.answered,
        run.sent.len(),
        ports.len(),
        run.converged_ms as f64 / 1000.0
    );
    assert!(run.answered > 150 && lost > 50 && ports.len() >= 6, "what was to be gone through is not there");
}

#[test]
fn the_same_seed_sends_the_same_datagrams_at_the_same_times() {
    let [one, other] = [7, 7].map(|seed| run(seed, 5));
    let differs = one.sent.iter().zip(&other.sent).position(|(one, other)| one != other);
    if let Some(at) = differs {
        panic!("datagram {at} of {}: {:?} and {:?}", one.sent.len(), one.sent[at], other.sent[at]);
    }
    assert_eq!(one, other);
    assert_ne!(one.sent, run(8, 5).sent, "another seed is another run");
}

fn run(seed: u64, devices: usize) -> Run {
    CHANCE.set(ChaCha20Rng::seed_from_u64(seed));
    let air = Arc::new(Mutex::new(Air { sent: Vec::new(), loss_permille: LOSS_PERMILLE }));
    let nodes = Rc::new(found(devices, UNQUIET, &air));
    let mut sim = turmoil::Builder::new()
        .simulation_duration(UNQUIET + 2 * CONVERGENCE_MAX)
        .tick_duration(TICK)
        .min_message_latency(Duration::from_millis(LATENCY_MS.0))
        .max_message_latency(Duration::from_millis(LATENCY_MS.1))
        .udp_capacity(1 << 14)
        .rng_seed(chance())
        .build();
    for node in nodes.iter() {
        let node = Rc::clone(node);
        sim.host(node.name.clone(), move || Rc::clone(&node).run());
    }
    assert_eq!(sim.lookup(RELAY).to_string(), RELAY_ADDRESS);
    let converged = Rc::new(RefCell::new(None));
    let (judged, told) = (Rc::clone(&nodes), Rc::clone(&converged));
    sim.client("judge", async move {
        told.replace(Some(judge(&judged).await));
        Ok(())
    });
    let mut faults = faults(&nodes);
    while !sim.step().unwrap() {
        while faults.last().is_some_and(|(at, _)| *at <= sim.elapsed()) {
            let (_, fault) = faults.pop().unwrap();
            strike(&mut sim, &nodes, &air, &fault);
        }
    }
    assert_eq!(nodes[0].starts.get(), 2, "the relay crashed once and came back");
    let answered = nodes.iter().map(|node| node.answered.borrow().len()).sum();
    let converged_ms = converged.take().unwrap();
    let sent = std::mem::take(&mut air.lock().unwrap().sent);
    Run { sent, answered, converged_ms }
}

/// The relay, which founded a survey and granted each device its region, and the devices, whose officers work until
/// then.
fn found(devices: usize, works_until: Duration, air: &Arc<Mutex<Air>>) -> Vec<Rc<Node>> {
    let (relay, mut office) = Node::new(RELAY, "1811", Vec::new(), Duration::ZERO, Arc::clone(air));
    let survey = Survey {
        name: "Turmoil".into(),
        code: "turmoil".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: BUILT_IN.1.to_vec(),
        office: "BPS Kabupaten Mesuji".into(),
        region: "1811".parse().unwrap(),
    };
    verbs::found(&mut office, &Keypair::from_seed(&bytes()), &survey).unwrap();
    let mut nodes = vec![relay];
    for at in 0..devices {
        let region = REGIONS[at % REGIONS.len()];
        let dials = vec![format!("{RELAY_ADDRESS}:{PORT}")];
        let (node, mut device) =
            Node::new(&format!("device-{at}"), region, dials, works_until, Arc::clone(air));
        let grant = NewGrant {
            subject: device.device(),
            role: Role::Enumerator,
            regions: vec![region.parse().unwrap()],
            name: node.name.clone(),
        };
        office.grant(None, grant).unwrap();
        device.join(office.survey().unwrap()).unwrap();
        device.commit().unwrap();
        nodes.push(node);
    }
    office.commit().unwrap();
    nodes
}

/// What goes wrong.
enum Fault {
    /// These devices can't reach the relay, nor it them.
    Partition(Vec<usize>),
    Repair(Vec<usize>),
    Crash,
    Bounce,
    NewAddress(usize),
    /// No more loss.
    Clear,
}

/// When what goes wrong, the last first.
fn faults(nodes: &[Rc<Node>]) -> Vec<(Duration, Fault)> {
    let devices = 1..nodes.len();
    let half: Vec<usize> = devices.clone().filter(|at| at % 2 == 0).collect();
    let soon = |after: Duration, ms: u64| after + Duration::from_millis(chance() % ms);
    let crash = soon(CRASH, 5_000);
    let mut faults = vec![
        (PARTITION.0, Fault::Partition(half.clone())),
        (PARTITION.1, Fault::Repair(half)),
        (crash, Fault::Crash),
        (soon(crash + Duration::from_secs(3), 12_000), Fault::Bounce),
        (UNQUIET, Fault::Clear),
    ];
    for at in devices.step_by(3).chain([1]) {
        faults.push((soon(Duration::from_secs(10), 135_000), Fault::NewAddress(at)));
    }
    faults.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    faults
}

fn strike(sim: &mut Sim<'_>, nodes: &Rc<Vec<Rc<Node>>>, air: &Mutex<Air>, fault: &Fault) {
    match fault {
        Fault::Partition(cut) => cut.iter().for_each(|at| sim.partition(nodes[*at].name.as_str(), RELAY)),
        Fault::Repair(cut) => cut.iter().for_each(|at| sim.repair(nodes[*at].name.as_str(), RELAY)),
        Fault::Crash => {
            nodes[0].unplug();
            sim.crash(RELAY);
        }
        Fault::Bounce => sim.bounce(RELAY),
        Fault::NewAddress(at) => nodes[*at].moves.set(true),
        Fault::Clear => air.lock().unwrap().loss_permille = 0,
    }
}

/// Waits until all hold the same, and sees that nothing is missing; gives how long that took.
async fn judge(nodes: &[Rc<Node>]) -> u64 {
    tokio::time::sleep(UNQUIET + Duration::from_secs(1)).await;
    while !hold_the_same(nodes).await {
        let elapsed = turmoil::sim_elapsed().unwrap();
        assert!(elapsed < UNQUIET + CONVERGENCE_MAX, "not all hold the same after {CONVERGENCE_MAX:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let converged = turmoil::sim_elapsed().unwrap().saturating_sub(UNQUIET);
    for author in nodes {
        let answered = author.answered.borrow().clone();
        for node in nodes.iter().filter(|node| author.region.starts_with(node.region)) {
            let core = node.core.borrow().clone().unwrap();
            for (record, change) in &answered {
                let log = core.ask(Request::Log { record: record.clone() }).await.unwrap();
                let log: LogShape = serde_json::from_value(log).unwrap();
                let line = log.changes.iter().find(|line| line.change == *change);
                let standing = line.map(|line| line.standing.as_str());
                assert_eq!(standing, Some("good"), "{change} of {} at {}", author.name, node.name);
            }
        }
    }
    converged.as_millis() as u64
}

async fn hold_the_same(nodes: &[Rc<Node>]) -> bool {
    let Some(relay) = nodes[0].core.borrow().clone() else { return false };
    for node in &nodes[1..] {
        let Some(core) = node.core.borrow().clone() else { return false };
        if fingerprints(&core, node.region).await != fingerprints(&relay, node.region).await {
            return false;
        }
    }
    true
}

async fn fingerprints(core: &Core, region: &str) -> Value {
    core.ask(Request::Fingerprints { region: Some(region.into()) }).await.unwrap()
}
