//! What was measured becomes text: a table for each number of records, and the part of `docs/benchmarks.md` between its
//! markers. What is said around them is written by hand and stays as it is.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::contestant::Contestant;
use crate::drawing;
use crate::runs::{Figures, Measured, Task};
use crate::targets;

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";
const HEADING: &str = "| task | by | bytes | sent + received | a record | pieces | seconds | round trips | CPU s | peak MB |\n\
                       | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
const KIB_A_MB: f64 = 1_000_000.0 / 1_024.0;

/// What was set, then a table for each number of records.
pub fn tables(measured: &[Measured]) -> String {
    let mut counts: Vec<usize> = measured.iter().map(|one| one.records).collect();
    counts.sort_unstable();
    counts.dedup();
    let mut text = targets::table(measured);
    for records in counts {
        let _ = write!(text, "### {} records\n\n{HEADING}", spaced(records as u64));
        for task in Task::ALL {
            let rows = measured.iter().filter(|one| one.records == records && one.task == task);
            rows.for_each(|one| text.push_str(&row(one)));
        }
        text.push('\n');
    }
    text
}

fn row(one: &Measured) -> String {
    let (task, name) = (one.task.name(), one.contestant.name());
    match &one.outcome {
        Ok(figures) => format!("| {task} | {name} | {} |\n", cells(figures, one.records).join(" | ")),
        Err(reason) => format!("| {task} | {name} | {} | | | | | | | |\n", reason.replace('\n', " ")),
    }
}

fn cells(figures: &Figures, records: usize) -> [String; 8] {
    let total = figures.bytes.0 + figures.bytes.1;
    let (phone, other) = (figures.phone, figures.other);
    let megabytes = |kib: u64| kib as f64 / KIB_A_MB;
    [
        spaced(total),
        format!("{} + {}", spaced(figures.bytes.0), spaced(figures.bytes.1)),
        format!("{:.1}", total as f64 / records as f64),
        format!("{} + {}", spaced(figures.pieces.0), spaced(figures.pieces.1)),
        format!("{:.2}", figures.seconds.0.max(figures.seconds.1)),
        figures.round_trips.map_or_else(String::new, |trips| format!("{:.1}, {:.1}", trips.0, trips.1)),
        format!("{:.2} + {:.2}", phone.cpu_seconds, other.cpu_seconds),
        format!("{:.0} + {:.0}", megabytes(phone.memory_kib_max), megabytes(other.memory_kib_max)),
    ]
}

/// A number whose thousands stand apart.
pub fn spaced(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

/// Writes the tables and the drawing into the project's documentation.
///
/// # Errors
/// If there is no such documentation, or it has no place for them.
pub fn write(measured: &[Measured]) -> anyhow::Result<()> {
    let docs = docs()?;
    let page = docs.join("benchmarks.md");
    let text = fs::read_to_string(&page).with_context(|| format!("{} can't be read", page.display()))?;
    fs::write(&page, between_markers(&text, &tables(measured))?)?;
    let series = |contestant: Contestant, task: Task| -> Vec<(usize, u64)> {
        let of = measured.iter().filter(|one| one.contestant == contestant && one.task == task);
        let mut points: Vec<(usize, u64)> = of
            .filter_map(|one| {
                let figures = one.outcome.as_ref().ok()?;
                Some((one.records, figures.bytes.0 + figures.bytes.1))
            })
            .collect();
        points.sort_unstable();
        points
    };
    fs::write(docs.join("benchmarks.svg"), drawing::svg(series))?;
    Ok(())
}

fn docs() -> anyhow::Result<PathBuf> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    ensure!(docs.is_dir(), "{} is not there", docs.display());
    Ok(docs)
}

fn between_markers(text: &str, tables: &str) -> anyhow::Result<String> {
    let (before, rest) =
        text.split_once(BEGIN).context("the page has no marker for where the tables begin")?;
    let (_, after) = rest.split_once(END).context("the page has no marker for where the tables end")?;
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", tables.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_the_tables_stays() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let written = between_markers(&page, "new\n").unwrap();
        assert_eq!(written, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(between_markers(&written, "new\n").unwrap(), written);
        assert!(between_markers("no markers", "new").is_err());
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(spaced), ["0", "999", "1\u{a0}000", "1\u{a0}234\u{a0}567"]);
    }
}
