//! The side-by-side bench: the same generated families and edits go from one side to another by each contestant, and what
//! that took becomes tables and a drawing. It judges nothing; the limits of what can be compared are told in
//! `docs/benchmarks.md`, around what this program writes there.
//!
//! `cargo run --release --manifest-path tests/peers/Cargo.toml -- --records 200,2000`
//!
//! With `--link gprs,hill` it measures a day's work of an enumerator instead, on the laboratory's links.

mod child;
mod contestant;
mod counting;
mod document;
mod drawing;
mod families;
mod links;
mod ours;
mod post;
mod report;
mod runs;
mod samod;
mod scene;
mod subduction;
mod targets;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::{Parser, Subcommand};
use rukun_tests::lab::namespace;

use crate::contestant::{Act, Contestant};
use crate::families::EDITS;
use crate::links::Days;
use crate::scene::{Scene, Way};

/// Beyond this many records only this project takes part.
const OTHERS_RECORDS_MAX: usize = 20_000;

/// Several ways to bring families from one device to another, side by side.
#[derive(Parser)]
struct Args {
    /// With how many records, one run each.
    #[arg(long, value_delimiter = ',', default_value = "200,2000")]
    records: Vec<usize>,
    /// Who takes part.
    #[arg(long, value_delimiter = ',', default_value = "ours,samod,subduction,post-all,post-changed")]
    contestants: Vec<Contestant>,
    /// How often a task is run, but for the first sync, to tell the one in the middle.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// After this a task has not finished.
    #[arg(long, default_value_t = 300)]
    cap_seconds: u64,
    /// Writes the tables into docs/benchmarks.md, and docs/benchmarks.svg.
    #[arg(long)]
    write: bool,
    /// No table, but a day's work on these links of the laboratory, by this project and by samod: gprs, edge, vsat,
    /// hill, hall, wall.
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["records", "contestants", "write"])]
    link: Vec<String>,
    /// How many days on each link.
    #[arg(long, default_value_t = 10, requires = "link", value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// How many of them at a time.
    #[arg(long, default_value_t = 5, requires = "link", value_parser = clap::value_parser!(u64).range(1..))]
    at_once: u64,
    /// The processes have not been linked since they began.
    #[arg(long, requires = "link")]
    unmet: bool,
    #[command(subcommand)]
    stage: Option<Stage>,
}

/// What this program does when it starts itself as another process.
#[derive(Subcommand)]
#[command(hide = true)]
enum Stage {
    Act {
        contestant: Contestant,
        act: Act,
        records: usize,
        scene: PathBuf,
    },
    Serve {
        contestant: Contestant,
        way: Way,
        dir: PathBuf,
        #[arg(default_value_t = Ipv4Addr::LOCALHOST.into())]
        at: IpAddr,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.stage {
        Some(Stage::Act { contestant, act, records, scene }) => {
            contestant.act(act, &Scene::at(&scene), records).await
        }
        Some(Stage::Serve { contestant, way, dir, at }) => contestant.serve(&dir, way, at).await,
        None if !args.link.is_empty() => on_links(&args),
        None => bench(&args),
    }
}

fn on_links(args: &Args) -> anyhow::Result<()> {
    let profiles = links::named(&args.link)?;
    if let Some(why) = namespace::enter()? {
        println!("SKIPPED: namespaces or TUN devices are not permitted here: {why}");
        return Ok(());
    }
    let days = Days {
        runs: args.runs,
        at_once: args.at_once,
        meets_before: !args.unmet,
        cap: Duration::from_secs(args.cap_seconds),
    };
    days.print(&profiles)
}

fn bench(args: &Args) -> anyhow::Result<()> {
    ensure!(args.records.iter().all(|records| *records >= 2 * EDITS), "fewer than {} records", 2 * EDITS);
    let cap = Duration::from_secs(args.cap_seconds);
    let mut measured = Vec::new();
    for records in &args.records {
        for contestant in &args.contestants {
            if *contestant != Contestant::Ours && *records > OTHERS_RECORDS_MAX {
                continue;
            }
            measured.extend(runs::measure(*contestant, *records, args.repeats, cap)?);
            // What is measured takes an hour, and may be cut off.
            if args.write {
                report::write(&measured)?;
            }
        }
    }
    println!("{}", report::tables(&measured));
    Ok(())
}
