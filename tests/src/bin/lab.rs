//! Measures the real program on shaped links, many runs at a time, each in namespaces of its own.
//!
//! `cargo build --release && cargo run --release -p rukun-tests --bin lab -- --profile gprs --runs 20`

// Test code all through: where it is wrong, it should stop and say where; and it prints.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, ensure};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use rukun_tests::lab::hall::{self, Seen};
use rukun_tests::lab::measured::{self, Measured, Task};
use rukun_tests::lab::namespace;
use rukun_tests::lab::profile::{PROFILES, Profile};

#[derive(Parser)]
struct Args {
    /// The link: gprs, edge, vsat, hill, hall or wall. Each of them, if none is named.
    #[arg(long)]
    profile: Vec<String>,
    /// What is to cross it.
    #[arg(long, value_enum, default_value = "day")]
    task: Task,
    /// How many runs on each link.
    #[arg(long, default_value_t = 10)]
    runs: u64,
    /// How many of them at a time.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    at_once: u64,
    /// The seed of the first run; the others follow.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many families the office has in the phone's region.
    #[arg(long, default_value_t = 250)]
    families: usize,
    /// No links of the field: officers in a village hall who find each other.
    #[arg(long, conflicts_with_all = ["profile", "task", "runs"])]
    hall: bool,
    /// The program that is measured.
    #[arg(long, default_value = "target/release/rukun")]
    program: PathBuf,
    /// One line of JSON a run, too.
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let program = args.program.canonicalize();
    let program = program.with_context(|| format!("{}: build it first", args.program.display()))?;
    let named = args.profile.iter().map(|name| {
        let known = || PROFILES.map(|profile| profile.name).join(", ");
        Profile::named(name).with_context(|| format!("no link is called {name}; there are {}", known()))
    });
    let mut profiles = named.collect::<anyhow::Result<Vec<Profile>>>()?;
    if profiles.is_empty() {
        profiles.extend(PROFILES);
    }
    if let Some(why) = namespace::enter()? {
        println!("SKIPPED: namespaces or TUN devices are not permitted here: {why}");
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _within = runtime.enter();
    let parent = tempfile::tempdir()?;
    if args.hall {
        return hall(&program, parent.path());
    }
    let scene = measured::prepare(&program, parent.path(), args.task, args.families)?;
    let mut unfinished = 0;
    for profile in profiles {
        let runs = measure(&args, &runtime, &program, &scene, &profile)?;
        if args.json {
            for run in &runs {
                println!("{}", serde_json::to_string(run)?);
            }
        }
        print(&args, &profile, &runs);
        unfinished += runs.iter().filter(|run| run.seconds.is_none()).count();
    }
    ensure!(unfinished == 0, "{unfinished} runs did not finish within {} s", measured::RUN_MAX.as_secs());
    Ok(())
}

fn hall(program: &Path, parent: &Path) -> anyhow::Result<()> {
    let Seen { met_seconds, delivered_seconds, changes } = hall::meet(program, parent)?;
    println!(
        "met within {met_seconds:.1} s, {changes} changes at the PML with receipts {delivered_seconds:.1} s later"
    );
    Ok(())
}

fn measure(
    args: &Args,
    runtime: &tokio::runtime::Runtime,
    program: &Path,
    scene: &rukun_tests::lab::scene::Scene,
    profile: &Profile,
) -> anyhow::Result<Vec<Measured>> {
    let bar =
        if std::io::stderr().is_terminal() { ProgressBar::new(args.runs) } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} runs {elapsed}").unwrap());
    bar.set_message(profile.name);
    let (next, runs) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..args.at_once.min(args.runs) {
            threads.spawn(|| {
                let _within = runtime.enter();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= args.runs {
                        return;
                    }
                    let run =
                        measured::run(program, scene, args.task, args.families, profile, args.from + at);
                    runs.lock().unwrap().push(run);
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut runs = runs.into_inner().unwrap().into_iter().collect::<anyhow::Result<Vec<Measured>>>()?;
    runs.sort_by_key(|run| run.seed);
    ensure!(!runs.is_empty(), "no runs were asked for");
    Ok(runs)
}

fn print(args: &Args, profile: &Profile, runs: &[Measured]) {
    let mut seconds: Vec<f64> = runs.iter().filter_map(|run| run.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    let at = |percent: usize| seconds.get((runs.len() * percent).div_ceil(100).saturating_sub(1));
    let shown = |percent| at(percent).map_or("did not finish".into(), |seconds| format!("{seconds:.1} s"));
    let mean = |figure: fn(&Measured) -> u64| runs.iter().map(figure).sum::<u64>() / runs.len() as u64;
    println!(
        "{} {:?}, {} families, {} runs: median {}, 95 % within {}, {} did not finish",
        profile.name,
        args.task,
        args.families,
        runs.len(),
        shown(50),
        shown(95),
        runs.len() - seconds.len()
    );
    println!(
        "  bytes up {} down {} (said {} and {}; lost {} and {}), packets up {} down {}, cpu {} ms, memory {} KiB",
        mean(|run| run.bytes.0),
        mean(|run| run.bytes.1),
        mean(|run| run.said_bytes.0),
        mean(|run| run.said_bytes.1),
        mean(|run| run.lost_bytes.0),
        mean(|run| run.lost_bytes.1),
        mean(|run| run.packets.0),
        mean(|run| run.packets.1),
        mean(|run| run.cpu_ms),
        mean(|run| run.memory_kib_max)
    );
    if let Some(windows) = profile.windows {
        let within = seconds.iter().filter(|seconds| **seconds * 1e6 <= windows.up_us as f64).count();
        println!("  within one window: {within} of {}", runs.len());
    }
}
