//! The load bench: full generated interviews are written on one device, then travel to an empty
//! district node over real QUIC on loopback, each node a process of its own with a real disk.
//! It prints what that took; it judges nothing but that both ends hold the same.
//!
//! `cargo run --release -p rukun-tests --bin load -- --families 20000`

// A bench reads its own JSON: a missing field stops it.
#![allow(clippy::indexing_slicing)]

use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use rukun::client::Client;
use rukun::clock;
use rukun::connection::KEEP_ALIVE_MAX;
use rukun::disk::{Folder, random};
use rukun::people::Population;
use rukun::run::{RunOptions, run};
use rukun_authority::{Charter, Keypair, Role};
use rukun_change::{DeviceKey, Digest, SubSls, SurveyId};
use rukun_replica::{NewGrant, Replica};
use rukun_tests::by_hand::QUESTIONNAIRE;
use serde_json::{Value, json};

/// Records between two commits while interviews are written.
const BATCH: usize = 250;
/// How many families one sub-SLS has.
const SUB_SLS_FAMILIES: usize = 250;
const SYNC_MAX: Duration = Duration::from_mins(10);
const POLL: Duration = Duration::from_millis(100);

#[derive(Parser)]
struct Args {
    /// How many families.
    #[arg(long, default_value_t = 20_000)]
    families: usize,
    #[command(subcommand)]
    stage: Option<Stage>,
}

/// What this program does when it starts itself as another process.
#[derive(Subcommand)]
#[command(hide = true)]
enum Stage {
    Write { dir: PathBuf },
    Daemon { dir: PathBuf, peer: Option<String> },
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.stage {
        Some(Stage::Write { dir }) => write(&dir, args.families),
        Some(Stage::Daemon { dir, peer }) => daemon(dir, peer),
        None => bench(args.families),
    }
}

fn bench(families: usize) -> anyhow::Result<()> {
    let folders = tempfile::tempdir()?;
    let (office, field) = (folders.path().join("office"), folders.path().join("field"));
    let survey = found(&office)?;
    let device = join(&field, survey)?;
    let office_node = Node::start(&office, None)?;
    grant(&office_node, device)?;
    let field_node = Node::start(&field, Some(office_node.address()?))?;
    wait("the grant", || Ok(field_node.status()?.pointer("/survey/questionnaire") == Some(&json!(true))))?;
    field_node.stop()?;

    let started = Instant::now();
    let output = itself(&["--families", &families.to_string(), "write"])
        .arg(&field)
        .stdout(Stdio::piped())
        .output()?;
    if !output.status.success() {
        bail!("writing the interviews ended with {}", output.status);
    }
    let written: Value = serde_json::from_slice(&output.stdout)?;
    let write_s = started.elapsed().as_secs_f64();

    let (sent_before, _) = traffic(&office_node.status()?);
    let started = Instant::now();
    let field_node = Node::start(&field, Some(office_node.address()?))?;
    wait("the sync", || {
        let held = office_node.changes()?;
        progress(held, families);
        Ok(held == families as u64)
    })?;
    let sync_s = started.elapsed().as_secs_f64();
    let (near, far) = (field_node.status()?, office_node.status()?);
    if near["fingerprint"] != far["fingerprint"] {
        bail!("the two nodes differ: {} and {}", near["fingerprint"], far["fingerprint"]);
    }
    let (sent, received) = traffic(&near);
    let per_family = |bytes: u64| bytes as f64 / families as f64;
    let report = json!({
        "families": families,
        "write_s": round(write_s),
        "write_per_s": (families as f64 / write_s) as u64,
        "write_peak_mb": written["peak_mb"],
        "sync_s": round(sync_s),
        "sync_per_s": (families as f64 / sync_s) as u64,
        "total_s": round(write_s + sync_s),
        "wire_bytes_per_family": per_family(sent + received) as u64,
        "sent_bytes": sent, "received_bytes": received, "office_sent_before_bytes": sent_before,
        "disk_bytes_per_family": { "field": per_family(disk(&near)) as u64, "office": per_family(disk(&far)) as u64 },
        "peak_mb": { "field": field_node.peak_mb()?, "office": office_node.peak_mb()? },
    });
    field_node.stop()?;
    office_node.stop()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    Ok(())
}

/// Writes the interviews as an enumerator's app would, one change a family, each signed and judged.
fn write(dir: &Path, families: usize) -> anyhow::Result<()> {
    let mut replica = open(dir)?;
    let mut population = Population::new(2022);
    for index in 0..families {
        let sls = index / SUB_SLS_FAMILIES + 1;
        let home: SubSls = format!("1811010{:03}{:04}00", sls / 40 + 1, sls % 40 + 1).parse()?;
        let family = population.family(home, index as u32 + 1, index as u32 + 1);
        replica.add_record(clock::now(), home, None, &family.interview)?;
        if index % BATCH == BATCH - 1 {
            replica.commit()?;
            while replica.poll().is_some() {}
            progress(index as u64, families);
        }
    }
    replica.commit()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", json!({ "peak_mb": peak_mb(std::process::id())? }))?;
    Ok(())
}

fn daemon(dir: PathBuf, peer: Option<String>) -> anyhow::Result<()> {
    let loopback = "127.0.0.1:0".parse()?;
    let peers = peer.into_iter().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(RunOptions {
        folder: Folder::at(dir),
        listen: loopback,
        http: loopback,
        peers,
        keep_alive: KEEP_ALIVE_MAX,
        lan: false,
        budget_bytes: None,
    }))
}

fn found(dir: &Path) -> anyhow::Result<SurveyId> {
    let root = Keypair::from_seed(&*random()?);
    let mut replica = make(dir)?;
    let charter = Charter {
        name: "Load".into(),
        code: "LOAD".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: Digest::of(QUESTIONNAIRE),
        dictionary: None,
    };
    let subject = replica.device();
    let office =
        NewGrant { subject, role: Role::District, regions: vec!["1811".parse()?], name: "BPS".into() };
    let survey = replica.found(&root, charter, QUESTIONNAIRE, office)?;
    replica.commit()?;
    Ok(survey)
}

fn join(dir: &Path, survey: SurveyId) -> anyhow::Result<DeviceKey> {
    let mut replica = make(dir)?;
    replica.join(survey)?;
    replica.commit()?;
    Ok(replica.device())
}

fn grant(office: &Node, device: DeviceKey) -> anyhow::Result<()> {
    let grant =
        json!({"device": device.to_string(), "role": "enumerator", "regions": ["1811010"], "name": "Load"});
    office.client()?.call("grant", &grant)?;
    Ok(())
}

fn make(dir: &Path) -> anyhow::Result<Replica> {
    Ok(Replica::open(Folder::at(dir).create_store()?, *random()?)?)
}

fn open(dir: &Path) -> anyhow::Result<Replica> {
    Ok(Replica::open(Folder::at(dir).open_store()?, *random()?)?)
}

/// A node in a process of its own, which ends with this value.
struct Node {
    child: Child,
    dir: PathBuf,
}

impl Node {
    fn start(dir: &Path, peer: Option<String>) -> anyhow::Result<Self> {
        let mut command = itself(&["daemon"]);
        command.arg(dir).args(peer).env("RUST_LOG", "warn").stdout(Stdio::null());
        let node = Self { child: command.spawn()?, dir: dir.into() };
        wait("a daemon", || Ok(Client::find(&Folder::at(&node.dir)).is_ok_and(|found| found.is_some())))?;
        Ok(node)
    }

    fn client(&self) -> anyhow::Result<Client> {
        Client::find(&Folder::at(&self.dir))?.context("the daemon has ended")
    }

    fn address(&self) -> anyhow::Result<String> {
        Ok(Folder::at(&self.dir).note()?.context("the daemon has ended")?.quic.to_string())
    }

    fn status(&self) -> anyhow::Result<Value> {
        Ok(self.client()?.call("status", &json!({}))?)
    }

    /// How many changes it durably holds, asked without making it read any record.
    fn changes(&self) -> anyhow::Result<u64> {
        let answer = self.client()?.call("fingerprints", &json!({}))?;
        let fingerprints = answer["fingerprints"].as_object().context("fingerprints by sub-SLS")?;
        let count = |text: &Value| text.as_str()?.split(':').next()?.parse::<u64>().ok();
        Ok(fingerprints.values().filter_map(count).sum())
    }

    fn peak_mb(&self) -> anyhow::Result<u64> {
        peak_mb(self.child.id())
    }

    fn stop(mut self) -> anyhow::Result<()> {
        // `kill` is everywhere, and asks politely by default.
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn itself(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap_or_else(|_| "load".into()));
    command.args(args);
    command
}

fn wait(what: &str, mut done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let started = Instant::now();
    while started.elapsed() < SYNC_MAX {
        if done()? {
            return Ok(());
        }
        std::thread::sleep(POLL);
    }
    bail!("{what} did not come in {SYNC_MAX:?}")
}

fn peak_mb(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = peak.and_then(|peak| peak.split_whitespace().next()).context("no VmHWM for this process")?;
    Ok(kb.parse::<u64>()? / 1024)
}

fn traffic(status: &Value) -> (u64, u64) {
    let bytes =
        |name: &str| status.pointer(&format!("/traffic/{name}")).and_then(Value::as_u64).unwrap_or_default();
    (bytes("bytes_sent"), bytes("bytes_received"))
}

fn disk(status: &Value) -> u64 {
    status["disk_bytes"].as_u64().unwrap_or_default()
}

fn round(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

fn progress(done: u64, of: usize) {
    if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr(), "\r{done} of {of} ");
    }
}
