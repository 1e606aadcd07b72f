//! The demonstration: five real daemons on this machine, an office's day in some twenty seconds.
//! Families are imported, interviewed with and without a link, corrected and disputed, until every
//! node reads the same; what was written is kept outside the stores and looked for in all of them.
//! A second story is that of a lost phone.

mod act;
mod agreement;
mod cast;
mod interrupt;
mod lost_phone;
mod officer;
mod scene;
mod script;
mod verdict;

use std::io::Write;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::render::Paint;
use crate::verbs::VerbError;
use cast::Stage;
use scene::Scene;

/// A node that has not caught up by then has not converged.
const WAIT_MAX: Duration = Duration::from_secs(40);

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// Interviews, corrections, conflicts, one answer.
    Day,
    /// A phone is lost and goes on writing; its region goes to another.
    LostPhone,
}

impl Story {
    /// What the bar counts.
    fn steps(self) -> u64 {
        match self {
            Self::Day => 10,
            Self::LostPhone => 12,
        }
    }
}

/// Plays a story, in `keep` if the folders are to be left. Gives whether all that should be equal
/// is, and nothing is lost.
///
/// # Errors
/// If a daemon can't be started or asked, or refuses what it should do.
pub fn run(story: Story, keep: Option<&Path>, json: bool) -> Result<bool, VerbError> {
    let started = Instant::now();
    let temporary = tempfile::tempdir()
        .map_err(|error| VerbError::new(error, "is there room for a temporary folder?"))?;
    let home = keep.unwrap_or(temporary.path());
    if keep.is_some_and(|keep| keep.read_dir().is_ok_and(|mut entries| entries.next().is_some())) {
        let message = format!("{} is not empty", home.display());
        return Err(VerbError::new(message, "name a new folder: --keep DIR"));
    }
    interrupt::watch().map_err(|error| VerbError::new(format!("no signals can be heard: {error}"), ""))?;
    let narrator = Narrator::new(story.steps(), json);
    let mut scene = Scene::open(home, Stage::mesuji()?, &narrator)?;
    let played = match story {
        Story::Day => act::play(&mut scene, &narrator),
        Story::LostPhone => lost_phone::play(&mut scene, &narrator),
    };
    let verdict = played.map_err(|error| scene.explain(error))?;
    narrator.finish();
    verdict::tell(&scene, &verdict, keep, &narrator);
    if json {
        narrator.answer(&verdict.to_json(started.elapsed()));
    }
    Ok(verdict.is_good())
}

/// Tells the story on standard output, or beside it where that is for a script, under a bar if somebody is looking.
struct Narrator {
    bar: ProgressBar,
    paint: Paint,
    is_aside: bool,
}

impl Narrator {
    fn new(steps: u64, is_aside: bool) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}");
        let bar = ProgressBar::new(steps).with_style(style.expect("the template is well formed"));
        bar.enable_steady_tick(Duration::from_millis(200));
        let paint = if is_aside { Paint::PLAIN } else { Paint::of_stdout() };
        Self { bar, paint, is_aside }
    }

    /// The next step begins.
    fn step(&self, what: &str) {
        if self.bar.message().is_empty() {
            self.bar.set_position(0);
        } else {
            self.bar.inc(1);
        }
        self.bar.set_message(what.to_owned());
        self.line(&format!("\n{}", self.paint.strong(what)));
    }

    fn line(&self, text: &str) {
        // Whoever reads us may have stopped.
        self.bar.suspend(|| {
            drop(if self.is_aside {
                writeln!(std::io::stderr(), "{text}")
            } else {
                writeln!(std::io::stdout(), "{text}")
            });
        });
    }

    /// What a script reads.
    fn answer(&self, answer: &Value) {
        self.bar.suspend(|| drop(writeln!(std::io::stdout(), "{answer}")));
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// How a daemon ended that should have gone on.
fn ended(status: ExitStatus) -> String {
    status.code().map_or_else(|| "was killed".into(), |code| format!("ended with exit code {code}"))
}
