//! Measures the real program on shaped links, many runs at a time, each in namespaces of its own.
//!
//! `cargo build --release && cargo run --release -p rukun-tests --bin lab -- --profile gprs --runs 20`

// Test code all through: where it is wrong, it should stop and say where; and it prints.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

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
use rukun_tests::lab::outage::{self, Back};
use rukun_tests::lab::pair::{self, Setting};
use rukun_tests::lab::profile::{PROFILES, Profile};
use rukun_tests::lab::rebound::{self, Rebound};
use rukun_tests::lab::rest::{self, Rested};
use serde::Serialize;

/// How many runs show what is usual, where others are held against it.
const BASE_RUNS: u64 = 40;

/// What a session without news takes in all.
const NO_NEWS_BYTES: u64 = 4_500;

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
    let laboratory = Laboratory { args: &args, runtime: &runtime };
    let scene = measured::prepare(&program, parent.path(), args.task, args.families)?;
    for profile in profiles {
        let setting =
            Setting { program: &program, scene: &scene, families: args.families, profile: &profile };
        match args.task {
            Task::Cut => laboratory.cut(&setting)?,
            Task::Rebind => laboratory.rebind(&setting)?,
            Task::Outage => laboratory.outage(&setting)?,
            Task::Rest => laboratory.rest(&setting)?,
            task => laboratory.cross(&setting, task)?,
        }
    }
    Ok(())
}

fn hall(program: &Path, parent: &Path) -> anyhow::Result<()> {
    let Seen { met_seconds, delivered_seconds, changes } = hall::meet(program, parent)?;
    println!(
        "met within {met_seconds:.1} s, {changes} changes at the PML with receipts {delivered_seconds:.1} s later"
    );
    Ok(())
}

struct Laboratory<'a> {
    args: &'a Args,
    runtime: &'a tokio::runtime::Runtime,
}

impl Laboratory<'_> {
    /// What crosses the link, and what that takes.
    fn cross(&self, setting: &Setting<'_>, task: Task) -> anyhow::Result<()> {
        let runs = self.crossings(setting, task, self.args.runs)?;
        print(self.args, setting.profile, &runs);
        let unfinished = runs.iter().filter(|run| run.seconds.is_none()).count();
        ensure!(unfinished == 0, "{unfinished} runs did not finish within {} s", pair::RUN_MAX.as_secs());
        Ok(())
    }

    fn crossings(&self, setting: &Setting<'_>, task: Task, runs: u64) -> anyhow::Result<Vec<Measured>> {
        self.runs(setting.profile, runs, |seed| measured::run(setting, task, seed))
    }

    /// First syncs that are cut, beside some that are not, and beside sessions without news: what is more than these
    /// two together came again.
    fn cut(&self, setting: &Setting<'_>) -> anyhow::Result<()> {
        let Setting { program, families, profile, .. } = *setting;
        let arrived = |run: &Measured| run.bytes.1 - run.lost_bytes.1;
        let mean = |runs: &[Measured]| runs.iter().map(arrived).sum::<u64>() / runs.len() as u64;
        let whole = mean(&self.crossings(setting, Task::First, BASE_RUNS)?);
        let parent = tempfile::tempdir()?;
        let full = measured::prepare(program, parent.path(), Task::Nothing, families)?;
        let full = Setting { scene: &full, ..*setting };
        let nothing = mean(&self.crossings(&full, Task::Nothing, BASE_RUNS)?);
        let runs = self.runs(profile, self.args.runs, |seed| outage::cut(setting, seed, whole))?;
        let unfinished = runs.iter().filter(|run| run.seconds.is_none()).count();
        let again = mean(&runs).saturating_sub(whole + nothing);
        println!(
            "{} first sync of {families} families, cut once: {} runs, {unfinished} did not finish; arrived at the phone \
             {} bytes on average, {whole} uncut, {nothing} without news: at most {again} came again, {:.1} %",
            profile.name,
            runs.len(),
            mean(&runs),
            again as f64 * 100.0 / whole as f64
        );
        ensure!(unfinished == 0, "{unfinished} runs did not finish within {} s", pair::RUN_MAX.as_secs());
        Ok(())
    }

    /// First syncs in which the phone's address changes, beside some in which it does not.
    fn rebind(&self, setting: &Setting<'_>) -> anyhow::Result<()> {
        let Setting { families, profile, .. } = *setting;
        let steady = self.crossings(setting, Task::First, BASE_RUNS)?;
        let whole = steady.iter().map(|run| run.bytes.1).sum::<u64>() / steady.len() as u64;
        let runs = self.runs(profile, self.args.runs, |seed| rebound::rebound(setting, seed, whole))?;
        let median = |runs: &mut dyn Iterator<Item = &Measured>| {
            let mut seconds: Vec<f64> = runs.filter_map(|run| run.seconds).collect();
            seconds.sort_by(f64::total_cmp);
            seconds.get(seconds.len() / 2).copied().unwrap_or(f64::INFINITY)
        };
        let unfinished = runs.iter().filter(|run| run.measured.seconds.is_none()).count();
        let kept = runs.iter().filter(|run| run.sessions == 1).count();
        let bytes = runs.iter().map(|run| run.measured.bytes.1).sum::<u64>() / runs.len() as u64;
        println!(
            "{} first sync of {families} families, the phone's address changed once: {} runs, {unfinished} did not \
             finish; in {kept} the connection went on; median {:.1} s, {:.1} where it stayed; {bytes} bytes to the \
             phone, {whole} where it stayed",
            profile.name,
            runs.len(),
            median(&mut runs.iter().map(|Rebound { measured, .. }| measured)),
            median(&mut steady.iter()),
        );
        ensure!(unfinished == 0, "{unfinished} runs did not finish within {} s", pair::RUN_MAX.as_secs());
        Ok(())
    }

    fn outage(&self, setting: &Setting<'_>) -> anyhow::Result<()> {
        let runs = self.runs(setting.profile, self.args.runs, |seed| outage::back(setting, seed))?;
        let sorted = |figure: fn(&Back) -> f64| {
            let mut seconds: Vec<f64> = runs.iter().map(figure).collect();
            seconds.sort_by(f64::total_cmp);
            let at = |percent: usize| seconds[(runs.len() * percent).div_ceil(100) - 1];
            let within = seconds.iter().filter(|seconds| **seconds <= 5.0).count();
            format!("median {:.1} s, 95 % within {:.1} s, {within} within 5 s", at(50), at(95))
        };
        println!("{} back after outages of up to ten minutes, {} runs", setting.profile.name, runs.len());
        println!("  first packet: {}", sorted(|run| run.heard_seconds));
        println!("  held by the office: {}", sorted(|run| run.held_seconds));
        println!("  delivered with receipt: {}", sorted(|run| run.delivered_seconds));
        Ok(())
    }

    fn rest(&self, setting: &Setting<'_>) -> anyhow::Result<()> {
        let runs = self.runs(setting.profile, self.args.runs, |seed| rest::watch(setting, seed))?;
        for run in runs {
            let Rested { wakes_a_minute, resident_kib, cpu_ms_a_minute, packets_a_minute: (up, down) } = run;
            println!(
                "{} at rest with {} families: {wakes_a_minute:.1} wake-ups a minute, {resident_kib} KiB resident, \
                 {cpu_ms_a_minute:.1} ms of CPU and {up:.1} + {down:.1} packets a minute",
                setting.profile.name, self.args.families
            );
        }
        Ok(())
    }

    /// Runs of the seeds that were asked for, several at a time.
    fn runs<T: Send + Serialize>(
        &self,
        profile: &Profile,
        count: u64,
        run: impl Fn(u64) -> anyhow::Result<T> + Sync,
    ) -> anyhow::Result<Vec<T>> {
        let bar =
            if std::io::stderr().is_terminal() { ProgressBar::new(count) } else { ProgressBar::hidden() };
        bar.set_style(ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} runs {elapsed}").unwrap());
        bar.set_message(profile.name);
        let (next, runs) = (AtomicU64::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|threads| {
            for _ in 0..self.args.at_once.min(count) {
                threads.spawn(|| {
                    let _within = self.runtime.enter();
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= count {
                            return;
                        }
                        let run = run(self.args.from + at);
                        runs.lock().unwrap().push((at, run));
                        bar.inc(1);
                    }
                });
            }
        });
        bar.finish_and_clear();
        let mut runs = runs.into_inner().unwrap();
        runs.sort_by_key(|(at, _)| *at);
        let runs = runs.into_iter().map(|(_, run)| run).collect::<anyhow::Result<Vec<T>>>()?;
        ensure!(!runs.is_empty(), "no runs were asked for");
        if self.args.json {
            for run in &runs {
                println!("{}", serde_json::to_string(run)?);
            }
        }
        Ok(runs)
    }
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
    let carrying = runs.iter().filter_map(|run| Some(run.seconds? - run.heard_seconds?));
    let mut carrying: Vec<f64> = carrying.collect();
    carrying.sort_by(f64::total_cmp);
    if let Some(median) = carrying.get(carrying.len() / 2) {
        let (up, down) = (mean(|run| run.said_bytes.0), mean(|run| run.said_bytes.1));
        println!(
            "  from its first packet on: median {median:.1} s; a round trip and what was said at the link's rate take {:.1} s",
            profile.least_seconds(up + NO_NEWS_BYTES, down + NO_NEWS_BYTES)
        );
    }
    if let Some(windows) = profile.windows {
        let within = seconds.iter().filter(|seconds| **seconds * 1e6 <= windows.up_us as f64).count();
        println!("  within one window: {within} of {}", runs.len());
    }
}
