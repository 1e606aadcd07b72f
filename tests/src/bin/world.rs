//! Worlds from seeds, on all cores: each attacks every promise, and is run whole. A broken promise is
//! printed with its seed and the shortest schedule found that still breaks it.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "this program's report goes to its standard output")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use rukun_tests::world::{Plan, Report, Tally, run, shrink};

/// Worlds make and drop small things without end, on every core.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Runs seeded worlds and says what they saw.
///
/// Example: cargo run --release -p rukun-tests --bin world -- --seeds 200 --from 1
#[derive(Debug, Parser)]
#[command(name = "world")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
struct Args {
    /// How many worlds.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first one's seed. Left out, it is the number of today since 1970, times a million.
    #[arg(long)]
    from: Option<u64>,
    /// One world alone.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Prints all that happens in that world.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Looks for the shortest schedule that fails first, and means that one.
    #[arg(long, requires = "seed")]
    shrink: bool,
    /// Stops at the first broken promise, without looking for a shorter schedule.
    #[arg(long)]
    stop: bool,
    /// Stops after so many minutes, with what was seen so far.
    #[arg(long)]
    minutes: Option<u64>,
    /// Runs every world twice and compares the traces.
    #[arg(long)]
    twice: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // A node that panics is a broken promise, reported as such; the rest of it is noise.
    std::panic::set_hook(Box::new(|_| {}));
    match args.seed {
        Some(seed) => one(seed, args.trace, args.shrink),
        None => many(&args),
    }
}

fn one(seed: u64, trace: bool, shortest: bool) -> ExitCode {
    let mut plan = Plan::of(seed);
    if shortest && let Some(violation) = run(&plan, false).violation {
        plan = shrink(&plan, &violation).0;
    }
    let report = run(&plan, trace);
    println!("{}", report.tally);
    println!("seed {seed}: trace {:016x}", report.trace);
    match report.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            println!("seed {seed}: {violation}");
            if !trace {
                print_shrunk(&plan, &violation);
            }
            ExitCode::FAILURE
        }
    }
}

fn many(args: &Args) -> ExitCode {
    let from = args.from.unwrap_or_else(today);
    println!("worlds {from} to {}", from + args.seeds - 1);
    let (began, next, stopped) = (Instant::now(), AtomicU64::new(0), AtomicBool::new(false));
    let late = || args.minutes.is_some_and(|minutes| began.elapsed().as_secs() >= minutes * 60);
    let total = Mutex::new(Tally::default());
    let broken = Mutex::new(BTreeMap::new());
    let bar = ProgressBar::new(args.seeds)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {eta}").expect("a template"));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(|| {
                loop {
                    let seed = from + next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + args.seeds || stopped.load(Ordering::Relaxed) || late() {
                        return;
                    }
                    let report = checked(seed, args.twice);
                    *total.lock().unwrap() += &report.tally;
                    if let Some(violation) = report.violation {
                        bar.println(format!("seed {seed}: {violation}"));
                        broken.lock().unwrap().insert(seed, violation);
                        stopped.fetch_or(args.stop, Ordering::Relaxed);
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let (total, broken) = (total.into_inner().unwrap(), broken.into_inner().unwrap());
    print!("{total}");
    println!("{:>12}  violations", broken.len());
    println!("{:>12}  s", began.elapsed().as_secs());
    for (seed, violation) in &broken {
        println!("seed {seed}: {violation}");
    }
    if let (Some((seed, violation)), false) = (broken.first_key_value(), args.stop) {
        print_shrunk(&Plan::of(*seed), violation);
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a world, twice if that is wanted: the second must leave the trace of the first.
fn checked(seed: u64, twice: bool) -> Report {
    let plan = Plan::of(seed);
    let mut report = run(&plan, false);
    if twice && report.violation.is_none() {
        let again = run(&plan, false);
        if again.trace != report.trace {
            let text = format!("two runs left the traces {:016x} and {:016x}", report.trace, again.trace);
            report.violation = Some(rukun_tests::world::Violation { step: plan.steps.len(), text });
        }
    }
    report
}

fn print_shrunk(plan: &Plan, violation: &rukun_tests::world::Violation) {
    let (shorter, violation) = shrink(plan, violation);
    println!("\nseed {}, {} of {} steps are enough:", plan.seed, shorter.steps.len(), plan.steps.len());
    for step in &shorter.steps {
        println!("  {step}");
    }
    println!("{violation}");
    println!(
        "\nsee all of it: cargo run --release -p rukun-tests --bin world -- --seed {} --trace",
        plan.seed
    );
}

/// A first seed that is another every day.
fn today() -> u64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_1970.map_or(0, |time| time.as_secs() / 86_400 * 1_000_000)
}
