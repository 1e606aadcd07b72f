//! Plants each bug of the table in the product, one at a time, and lets the world look for it: an
//! attack that finds no planted bug proves nothing by finding no other.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "this program's report goes to its standard output")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use rukun_tests::planted::{Bug, Scratch, bugs};

/// Plants bugs in the product, one at a time, and says in how many worlds each is found.
///
/// Example: cargo run --release -p rukun-tests --bin planted -- --from 1 conflict-lost
#[derive(Debug, Parser)]
#[command(name = "planted")]
struct Args {
    /// How many worlds may be looked through for a bug.
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// The first one's seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// In how many of the first worlds a bug is counted.
    #[arg(long, default_value_t = 20)]
    sample: u64,
    /// How long the worlds of one bug may take.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Builds every bug and runs nothing.
    #[arg(long)]
    build: bool,
    /// Prints the table as Markdown.
    #[arg(long)]
    markdown: bool,
    /// Of all bugs only so many, others every day.
    #[arg(long, conflicts_with = "names")]
    today: Option<usize>,
    /// Which bugs; all, if none is named.
    names: Vec<String>,
}

/// What the worlds saw of a bug.
struct Found {
    /// In which world first, and what was wrong there; nothing if it got past all of them.
    first: Option<(u64, String)>,
    /// How many of the sample's worlds saw it.
    worlds: u64,
    /// Whether time ran out, or a world never ended.
    late: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let table = bugs();
    if let Some(name) = args.names.iter().find(|name| table.iter().all(|bug| bug.name != **name)) {
        eprintln!("planted: {name} is no planted bug; tests/planted/bugs.toml has their names");
        return ExitCode::from(2);
    }
    let bugs = chosen(&table, &args);
    let bar = ProgressBar::new(bugs.len() as u64)
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {eta} {msg}").expect("a template"));
    bar.set_message("nothing");
    let scratch = Scratch::of_workspace();
    if let Some((seed, said)) = looked_for(&scratch, None, &args).first {
        println!("nothing is planted and yet, seed {seed}: {said}");
        return ExitCode::from(2);
    }
    let head = ["bug", "promise", &format!("in, of {}", args.sample), "first at seed", "how"];
    bar.suspend(|| print_row(&args, &head.map(str::to_owned)));
    if args.markdown {
        println!("| --- | --- | --- | --- | --- |");
    }
    let mut missed = Vec::new();
    for bug in bugs {
        bar.set_message(bug.name.clone());
        let found = looked_for(&scratch, Some(&bug.name), &args);
        // A share of every day has little time: what it is not enough for is told, and is no verdict.
        let is_undecided = found.late && args.today.is_some();
        if found.first.is_none() && !is_undecided {
            missed.push(bug.name.as_str());
        }
        bar.suspend(|| print_row(&args, &row(bug, &found)));
        bar.inc(1);
    }
    bar.finish_and_clear();
    match (args.build, missed.is_empty()) {
        (true, _) | (_, true) => ExitCode::SUCCESS,
        (false, false) => {
            println!("\nnot found in {} worlds: {}", args.seeds, missed.join(", "));
            ExitCode::FAILURE
        }
    }
}

/// Those that are named, or all, or today's.
fn chosen<'a>(table: &'a [Bug], args: &Args) -> Vec<&'a Bug> {
    let named = |bug: &&Bug| args.names.is_empty() || args.names.contains(&bug.name);
    let Some(count) = args.today else { return table.iter().filter(named).collect() };
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is past 1970");
    let day = usize::try_from(since.as_secs() / 86_400).expect("days are few");
    table.iter().cycle().skip(day * count % table.len()).take(count.min(table.len())).collect()
}

/// Builds the product with a bug in it and runs worlds: the sample, and if that saw nothing the others
/// until one does.
fn looked_for(scratch: &Scratch, bug: Option<&str>, args: &Args) -> Found {
    let program = scratch.build(bug);
    let mut found = Found { first: None, worlds: 0, late: false };
    if args.build {
        return found;
    }
    let deadline = Instant::now() + Duration::from_secs(args.minutes * 60);
    let sample = args.sample.min(args.seeds);
    let seen = worlds(&program, args.from, sample, false, deadline);
    found.worlds = seen.broken.len() as u64;
    found.late = seen.late;
    found.first = seen.broken.into_iter().next();
    if found.first.is_none() && !found.late && args.seeds > sample && bug.is_some() {
        let seen = worlds(&program, args.from + sample, args.seeds - sample, true, deadline);
        found.late = seen.late;
        found.first = seen.broken.into_iter().next();
    }
    found
}

/// What some worlds saw.
#[derive(Default)]
struct Seen {
    /// The seeds whose worlds broke a promise, and how.
    broken: Vec<(u64, String)>,
    late: bool,
}

fn worlds(program: &Path, from: u64, seeds: u64, stop: bool, deadline: Instant) -> Seen {
    let mut command = Command::new(program);
    command.args(["--from", &from.to_string(), "--seeds", &seeds.to_string()]);
    command.args(stop.then_some("--stop")).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the world starts");
    let lines = lines_of(&mut child);
    let mut seen = Seen::default();
    let mut expected = None;
    // Once it has said what it saw, it looks for shorter schedules: nobody here wants them.
    while expected.is_none_or(|expected| seen.broken.len() < expected) {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = match lines.recv_timeout(left) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                seen.late = true;
                break;
            }
        };
        if let Some(count) = line.trim().strip_suffix("violations") {
            expected = count.trim().parse().ok();
        }
        seen.broken.extend(broken(&line));
    }
    // It may have ended by itself.
    drop(child.kill());
    let ended = child.wait().expect("the world ends");
    let died = expected.is_none() && !seen.late;
    assert!(!died, "the worlds from {from} ended with {ended} and did not say what they saw");
    seen
}

/// `seed 7: after step 12: what is wrong`
fn broken(line: &str) -> Option<(u64, String)> {
    let (seed, said) = line.strip_prefix("seed ")?.split_once(": ")?;
    let said = said
        .strip_prefix("after step ")
        .and_then(|said| said.split_once(": "))
        .map_or(said, |(_, said)| said);
    Some((seed.parse().ok()?, said.to_owned()))
}

/// The lines of a program as they come.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let output = BufReader::new(child.stdout.take().expect("its output is a pipe"));
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn row(bug: &Bug, found: &Found) -> [String; 5] {
    let (at, how) = match &found.first {
        Some((seed, how)) => (seed.to_string(), how.clone()),
        None if found.late => ("-".into(), "not found in time".into()),
        None => ("-".into(), "not found".into()),
    };
    let name = bug.name.clone();
    [name, bug.promise.to_string(), found.worlds.to_string(), at, how.replace('\n', " ")]
}

fn print_row(args: &Args, row: &[String; 5]) {
    let [name, promise, worlds, at, how] = row;
    if args.markdown {
        println!("| `{name}` | {promise} | {worlds} | {at} | {how} |");
    } else {
        println!("{name:<30} {promise:>7} {worlds:>10} {at:>14}  {how}");
    }
}
