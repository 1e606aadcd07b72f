//! One side as a process of its own: this program, started again, becomes lines on its input and output and figures
//! from the operating system. [`Parent`] and [`tell`] are what such a process has of the one that started it.
//! What a side does is its contestant's business.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread::spawn;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use rukun_tests::lab::namespace::Namespace;
use tokio::io::{AsyncBufReadExt, BufReader as AsyncReader, Lines, Stdin, stdin};

/// How many clock ticks the kernel counts a second (`getconf CLK_TCK`), the same on every Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// What one side says, and when it was heard.
#[derive(Clone, Debug)]
pub struct Said {
    /// Which side.
    pub side: usize,
    /// What.
    pub word: Word,
    /// When.
    pub at: Instant,
}

/// What a side says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Its store is open, and it listens there.
    Ready(SocketAddr),
    /// It knows that the other side holds all that it holds itself.
    Done,
    /// What it holds in the end, as a text that is the same for who holds the same.
    Held(String),
    /// It has written the work of its day.
    Worked,
    /// Its process has ended.
    Ended,
}

/// What a side is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Dial this address.
    Go(SocketAddr),
    /// End the connection, and go on without one.
    Rest,
    /// Do the work of the day of this seed, beside so many records that there are already.
    Work(u64, usize),
    /// Say what it holds, and end.
    Stop,
}

/// What a process used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// Processor time.
    pub cpu_seconds: f64,
    /// The most memory that was ever resident.
    pub memory_kib_max: u64,
}

/// A side's process, which ends with this value.
pub struct Child {
    process: Process,
    input: ChildStdin,
}

impl Child {
    /// Starts this program again with these arguments, in this namespace if one is given. What it says goes to `said`,
    /// under this number.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn start(
        args: &[&str],
        within: Option<&Namespace>,
        side: usize,
        said: Sender<Said>,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let log = fs::File::options().create(true).append(true).open(log)?;
        let mut process =
            itself(args, within)?.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let input = process.stdin.take().context("its input is a pipe")?;
        let output = process.stdout.take().context("its output is a pipe")?;
        spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(word) = parse(&line) {
                    // Who listened may be gone before the process is.
                    let _ = said.send(Said { side, word, at: Instant::now() });
                }
            }
            let _ = said.send(Said { side, word: Word::Ended, at: Instant::now() });
        });
        Ok(Self { process, input })
    }

    /// Tells it what to do.
    ///
    /// # Errors
    /// If it has ended.
    pub fn order(&mut self, order: Order) -> anyhow::Result<()> {
        let line = match order {
            Order::Go(address) => format!("go {address}"),
            Order::Rest => "rest".into(),
            Order::Work(seed, records) => format!("work {seed} {records}"),
            Order::Stop => "stop".into(),
        };
        writeln!(self.input, "{line}").context("it has ended")
    }

    /// What it used so far.
    ///
    /// # Errors
    /// If it is gone.
    pub fn used(&self) -> anyhow::Result<Used> {
        let pid = self.process.id();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name in parentheses may hold anything; the fields after it are numbered from the third on.
        let (_, fields) = stat.rsplit_once(')').context("/proc has no such process")?;
        let field = |number: usize| {
            fields.split_whitespace().nth(number - 3).and_then(|field| field.parse::<f64>().ok())
        };
        let ticks =
            field(14).zip(field(15)).map(|(user, system)| user + system).context("no times in /proc")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok());
        Ok(Used { cpu_seconds: ticks / TICKS_A_SECOND, memory_kib_max: peak.context("no peak in /proc")? })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // One that has ended already can't be killed, and need not be.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs this program with these arguments until it ends.
///
/// # Errors
/// If it ends badly, with the end of what it said, or takes longer than `until`.
pub fn run(args: &[&str], log: &Path, until: Instant) -> anyhow::Result<()> {
    let said = fs::File::options().create(true).append(true).open(log)?;
    let mut process = itself(args, None)?.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn()?;
    let status = loop {
        if let Some(status) = process.try_wait()? {
            break status;
        }
        if Instant::now() > until {
            process.kill()?;
            process.wait()?;
            bail!("{} took too long", args.join(" "));
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    ensure!(status.success(), "{} ended with {status}: {}", args.join(" "), last_words(log));
    Ok(())
}

/// How a log ends.
pub fn last_words(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines.get(lines.len().saturating_sub(12)..).unwrap_or_default().join("\n")
}

fn itself(args: &[&str], within: Option<&Namespace>) -> anyhow::Result<Command> {
    let program = std::env::current_exe()?;
    let mut command = match within {
        Some(namespace) => namespace.command(program.to_str().context("the program's path is no text")?),
        None => Command::new(program),
    };
    command.args(args);
    if std::env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "warn");
    }
    Ok(command)
}

fn parse(line: &str) -> Option<Word> {
    match line.split_once(' ').unwrap_or((line, "")) {
        ("ready", address) => address.parse().ok().map(Word::Ready),
        ("done", _) => Some(Word::Done),
        ("held", digest) => Some(Word::Held(digest.into())),
        ("worked", _) => Some(Word::Worked),
        _ => None,
    }
}

/// The process that started this one.
pub struct Parent {
    lines: Lines<AsyncReader<Stdin>>,
}

impl Parent {
    /// Whoever holds the other ends of standard input and output.
    pub fn new() -> Self {
        Self { lines: AsyncReader::new(stdin()).lines() }
    }

    /// What this side is to do next. Where nobody is left to say so, that is to stop.
    pub async fn order(&mut self) -> Order {
        let line = self.lines.next_line().await.ok().flatten().unwrap_or_default();
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("go", address) => address.parse().map_or(Order::Stop, Order::Go),
            ("rest", _) => Order::Rest,
            ("work", day) => work(day).unwrap_or(Order::Stop),
            _ => Order::Stop,
        }
    }

    /// Waits until this side is to stop; who listens is told nothing else.
    pub async fn stop(&mut self) {
        while self.order().await != Order::Stop {}
    }
}

fn work(day: &str) -> Option<Order> {
    let (seed, records) = day.split_once(' ')?;
    Some(Order::Work(seed.parse().ok()?, records.parse().ok()?))
}

/// Says this to the process that started this one.
pub fn tell(word: &Word) {
    let line = match word {
        Word::Ready(address) => format!("ready {address}"),
        Word::Done => "done".into(),
        Word::Held(digest) => format!("held {digest}"),
        Word::Worked => "worked".into(),
        Word::Ended => return,
    };
    let mut out = std::io::stdout().lock();
    // Without anyone who listens there is nothing left to do, and the next wait says so.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
