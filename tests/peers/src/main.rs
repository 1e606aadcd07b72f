//! The side-by-side bench: the same generated families and edits go from one side to another by each contestant, and what
//! that took becomes tables and a drawing. It judges nothing; the limits of what can be compared are told in
//! `docs/benchmarks.md`, around what this program writes there.
//!
//! `cargo run --release --manifest-path tests/peers/Cargo.toml -- --records 200,2000`

mod child;
mod contestant;
mod counting;
mod document;
mod drawing;
mod families;
mod ours;
mod post;
mod report;
mod runs;
mod samod;
mod scene;
mod subduction;
mod targets;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::{Parser, Subcommand};

use crate::contestant::{Act, Contestant};
use crate::families::EDITS;
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
    #[command(subcommand)]
    stage: Option<Stage>,
}

/// What this program does when it starts itself as another process.
#[derive(Subcommand)]
#[command(hide = true)]
enum Stage {
    Act { contestant: Contestant, act: Act, records: usize, scene: PathBuf },
    Serve { contestant: Contestant, way: Way, dir: PathBuf },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.stage {
        Some(Stage::Act { contestant, act, records, scene }) => {
            contestant.act(act, &Scene::at(&scene), records).await
        }
        Some(Stage::Serve { contestant, way, dir }) => contestant.serve(&dir, way).await,
        None => bench(&args),
    }
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
