//! Importing a prelist, with a bar while it works.

use std::path::Path;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use super::SOME_REFUSED;
use super::output::{Output, say_aside};
use crate::disk::Folder;
use crate::node::Node;
use crate::prelist::{self, Progress};
use crate::render;
use crate::verbs::{BadRow, VerbError};

pub(super) fn import(file: &Path, folder: &Folder, output: Output) -> Result<ExitCode, VerbError> {
    let mut node = Node::open(folder)?;
    let bytes = std::fs::metadata(file).map_or(0, |file| file.len());
    let style = ProgressStyle::with_template("importing {wide_bar} {bytes}/{total_bytes}, {eta} left");
    let bar = ProgressBar::new(bytes).with_style(style.expect("the template is well formed"));
    let mut told = Told { bar, silent: output.is_json() };
    let report = prelist::import(file, &mut node, &mut told);
    told.bar.finish_and_clear();
    let report = report?;
    output.show(&report, render::import_report)?;
    Ok(if report.bad == 0 { ExitCode::SUCCESS } else { ExitCode::from(SOME_REFUSED) })
}

struct Told {
    bar: ProgressBar,
    silent: bool,
}

impl Progress for Told {
    fn done(&mut self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    fn bad(&mut self, row: &BadRow) {
        if !self.silent {
            self.bar.suspend(|| say_aside(&render::bad_row(row)));
        }
    }
}
