//! Bytes against the number of records, as SVG: one panel a task, both axes logarithmic, one line a contestant. What
//! did not finish has no point. There is no script and no font of its own.

use std::fmt::Write as _;

use clap::ValueEnum;

use crate::contestant::Contestant;
use crate::runs::Task;

const PANEL: (f64, f64) = (300.0, 220.0);
const LEFT: f64 = 64.0;
const TOP: f64 = 34.0;
const GAP: (f64, f64) = (84.0, 66.0);
const COLUMNS: usize = 3;
const DRAWN: [Task; 5] = [Task::First, Task::Nothing, Task::Edits, Task::Both, Task::Meeting];
/// Powers of ten at the ends of the axes.
const RECORDS: (f64, f64) = (2.0, 5.3);
const BYTES: (f64, f64) = (3.0, 9.0);

/// All panels.
pub fn svg(series: impl Fn(Contestant, Task) -> Vec<(usize, u64)>) -> String {
    let rows = (DRAWN.len() + 1).div_ceil(COLUMNS);
    let width = LEFT + COLUMNS as f64 * (PANEL.0 + GAP.0);
    let height = TOP + rows as f64 * (PANEL.1 + GAP.1);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <title>Bytes against number of records</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (at, task) in DRAWN.into_iter().enumerate() {
        let _ = writeln!(text, "<g transform=\"translate({:.0} {:.0})\">", origin(at).0, origin(at).1);
        text.push_str(&axes(task.name()));
        for contestant in Contestant::value_variants() {
            text.push_str(&line(&series(*contestant, task), colour(*contestant)));
        }
        text.push_str("</g>\n");
    }
    text.push_str(&legend(origin(DRAWN.len())));
    text.push_str("</svg>\n");
    text
}

/// Where the panel of this number begins.
fn origin(at: usize) -> (f64, f64) {
    let (column, row) = ((at % COLUMNS) as f64, (at / COLUMNS) as f64);
    (LEFT + column * (PANEL.0 + GAP.0), TOP + row * (PANEL.1 + GAP.1))
}

fn x(records: f64) -> f64 {
    (records.log10() - RECORDS.0) / (RECORDS.1 - RECORDS.0) * PANEL.0
}

fn y(bytes: f64) -> f64 {
    PANEL.1 - (bytes.log10() - BYTES.0) / (BYTES.1 - BYTES.0) * PANEL.1
}

fn axes(title: &str) -> String {
    let (right, bottom) = PANEL;
    let mut text = format!("<text x=\"0\" y=\"-12\" font-weight=\"bold\">{title}</text>\n");
    for (bytes, label) in [
        (1e3, "1 kB"),
        (1e4, "10 kB"),
        (1e5, "100 kB"),
        (1e6, "1 MB"),
        (1e7, "10 MB"),
        (1e8, "100 MB"),
        (1e9, "1 GB"),
    ] {
        let at = y(bytes);
        let _ = writeln!(text, "<path d=\"M0 {at:.1}H{right:.0}\" stroke=\"#ddd\"/>");
        let _ = writeln!(text, "<text x=\"-6\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>", at + 4.0);
    }
    for (records, label) in [(200.0, "200"), (2_000.0, "2 000"), (20_000.0, "20 000"), (100_000.0, "100 000")]
    {
        let at = x(records);
        let _ = writeln!(text, "<path d=\"M{at:.1} 0V{bottom:.0}\" stroke=\"#ddd\"/>");
        let below = bottom + 16.0;
        let _ = writeln!(text, "<text x=\"{at:.1}\" y=\"{below:.0}\" text-anchor=\"middle\">{label}</text>");
    }
    text
}

fn line(points: &[(usize, u64)], colour: &str) -> String {
    let points: Vec<(f64, f64)> =
        points.iter().map(|(records, bytes)| (x(*records as f64), y(*bytes as f64))).collect();
    let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let mut text = format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
        path.join(" ")
    );
    for (x, y) in points {
        let _ = writeln!(text, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
    }
    text
}

fn legend((left, top): (f64, f64)) -> String {
    let mut text = String::new();
    for (at, contestant) in Contestant::value_variants().iter().enumerate() {
        let (down, colour) = (top + 20.0 * at as f64, colour(*contestant));
        let _ =
            writeln!(text, "<path d=\"M{left:.0} {down:.0}h24\" stroke=\"{colour}\" stroke-width=\"2\"/>");
        let (x, y) = (left + 32.0, down + 4.0);
        let _ = writeln!(text, "<text x=\"{x:.0}\" y=\"{y:.0}\">{}</text>", contestant.name());
    }
    let down = top + 20.0 * Contestant::value_variants().len() as f64 + 12.0;
    let _ = writeln!(
        text,
        "<text x=\"{left:.0}\" y=\"{down:.0}\">bytes both ways, against the number of records</text>"
    );
    text
}

/// Told apart also by those who see no red or no green.
fn colour(contestant: Contestant) -> &'static str {
    match contestant {
        Contestant::Ours => "#000000",
        Contestant::Samod => "#d55e00",
        Contestant::Subduction => "#0072b2",
        Contestant::PostAll => "#999999",
        Contestant::PostChanged => "#009e73",
    }
}
