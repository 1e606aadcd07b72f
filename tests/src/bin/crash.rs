//! Takes power from a store at every write, resize and sync of many lives, and says what came of it.
//!
//! `cargo run --release -p rukun-tests --bin crash -- --points 1000000`

// Test code all through: where it is wrong, it should stop and say where; and it prints.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use rukun_tests::crash::{self, Loss, Tally};

/// Stores, tried at every point, make and drop small things without end, on every core.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Parser)]
struct Args {
    /// At least so many points; the last history is tried to its end.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    points: u64,
    /// The seed of the first history; the others follow.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many histories are tried at once; as many as there are cores if not given.
    #[arg(long)]
    jobs: Option<usize>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    let (next, tally) = (AtomicU64::new(args.from), Mutex::new(Tally::default()));
    let bar = bar(args.points);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.unwrap_or(cores).max(1) {
            scope.spawn(|| {
                while tally.lock().unwrap().points() < args.points {
                    let tried = crash::run(next.fetch_add(1, Ordering::Relaxed));
                    bar.inc(tried.points());
                    tried
                        .violations
                        .iter()
                        .for_each(|violation| bar.suspend(|| println!("LOST {violation}")));
                    tally.lock().unwrap().add(tried);
                }
            });
        }
    });
    bar.finish_and_clear();
    let tally = tally.into_inner().unwrap();
    let (last, seconds) = (next.into_inner() - 1, start.elapsed().as_secs_f64());
    println!("seeds {} to {last}: {} histories, {} boundaries", args.from, tally.histories, tally.boundaries);
    for (loss, points) in Loss::ALL.iter().zip(tally.points) {
        println!("{points:>12} points {loss:?}");
    }
    let rate = tally.points() as f64 / seconds;
    println!("{:>12} points in all, {seconds:.1} s, {rate:.0} a second", tally.points());
    println!("{:>12} opens", tally.opens);
    println!("{:>12} asked in every way", tally.close);
    println!("{:>12} commits under way found whole", tally.whole);
    println!("{:>12} lost", tally.violations.len());
    if let Some(first) = tally.violations.first() {
        println!("again: cargo run --release -p rukun-tests --bin crash -- --points 1 --from {}", first.seed);
    }
    if tally.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn bar(points: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} points, {per_sec}, {eta} left");
    ProgressBar::new(points).with_style(style.expect("the template is right"))
}
