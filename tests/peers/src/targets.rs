//! What this project set itself, beside what was measured: a table of limits, each with its figure and whether it was
//! kept. The limits stand here and nowhere else; nothing is left out because it was missed.

use std::fmt::Write as _;

use crate::contestant::Contestant;
use crate::report::spaced;
use crate::runs::{Figures, Measured, Task};

const HEADING: &str = "| set | measured | |\n| --- | ---: | --- |\n";
const MB: f64 = 1_024.0 / 1_000_000.0;

/// A limit on one figure of one task.
struct Limit {
    task: Task,
    records: usize,
    most: f64,
    unit: &'static str,
    of: fn(&Figures, usize) -> f64,
}

const LIMITS: [Limit; 11] = [
    Limit { task: Task::Nothing, records: 200, most: 4_500.0, unit: "bytes", of: bytes },
    Limit { task: Task::Nothing, records: 2_000, most: 4_500.0, unit: "bytes", of: bytes },
    Limit { task: Task::Nothing, records: 20_000, most: 4_500.0, unit: "bytes", of: bytes },
    Limit { task: Task::Nothing, records: 100_000, most: 4_500.0, unit: "bytes", of: bytes },
    Limit { task: Task::Edits, records: 2_000, most: 12_000.0, unit: "bytes", of: bytes },
    Limit { task: Task::Meeting, records: 20_000, most: 8_000.0, unit: "bytes", of: bytes },
    Limit { task: Task::Meeting, records: 20_000, most: 3.0, unit: "round trips", of: round_trips },
    Limit { task: Task::First, records: 2_000, most: 330.0, unit: "bytes a record", of: bytes_a_record },
    Limit { task: Task::First, records: 2_000, most: 1.0, unit: "seconds", of: seconds },
    Limit { task: Task::First, records: 20_000, most: 6.0, unit: "seconds", of: seconds },
    Limit { task: Task::First, records: 20_000, most: 150.0, unit: "MB at the receiver", of: receiver_mb },
];

/// All limits whose task was run.
pub fn table(measured: &[Measured]) -> String {
    let mut rows = String::new();
    for limit in &LIMITS {
        let run = measured.iter().find(|one| {
            (one.contestant, one.task, one.records) == (Contestant::Ours, limit.task, limit.records)
        });
        if let Some(run) = run {
            rows.push_str(&row(limit, run));
        }
    }
    if rows.is_empty() { rows } else { format!("### What was set\n\n{HEADING}{rows}\n") }
}

fn row(limit: &Limit, run: &Measured) -> String {
    let (task, records) = (limit.task.name(), spaced(limit.records as u64));
    let mut row = format!("| {task}, {records} records: at most {} {} | ", shown(limit.most), limit.unit);
    let _ = match &run.outcome {
        Ok(figures) => {
            let value = (limit.of)(figures, limit.records);
            let verdict = if value <= limit.most { "kept" } else { "**missed**" };
            writeln!(row, "{} | {verdict} |", shown(value))
        }
        Err(reason) => writeln!(row, "{reason} | **missed** |"),
    };
    row
}

fn bytes(figures: &Figures, _: usize) -> f64 {
    (figures.bytes.0 + figures.bytes.1) as f64
}

fn bytes_a_record(figures: &Figures, records: usize) -> f64 {
    bytes(figures, records) / records as f64
}

/// Until both sides know, to a tenth: the rest is work.
fn round_trips(figures: &Figures, _: usize) -> f64 {
    let (phone, other) = figures.round_trips.unwrap_or_default();
    (phone.max(other) * 10.0).round() / 10.0
}

fn seconds(figures: &Figures, _: usize) -> f64 {
    figures.seconds.0.max(figures.seconds.1)
}

fn receiver_mb(figures: &Figures, _: usize) -> f64 {
    figures.other.memory_kib_max as f64 * MB
}

fn shown(value: f64) -> String {
    if value >= 100.0 { spaced(value.round() as u64) } else { format!("{value:.1}") }
}
