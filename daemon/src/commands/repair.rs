//! Repairing a damaged store, and saying what came of it.

use std::fmt::Write as _;

use serde::Serialize;

use super::output::Output;
use crate::disk::Folder;
use crate::render::counted;
use crate::repair::{self, Repaired};
use crate::verbs::VerbError;

#[derive(Serialize)]
struct RepairShape {
    /// Whether there was nothing to repair.
    sound: bool,
    #[serde(flatten)]
    repaired: Option<Repaired>,
}

pub(super) fn repair(folder: &Folder, output: Output) -> Result<(), VerbError> {
    let repaired = repair::repair(folder)?;
    let shape = RepairShape { sound: repaired.is_none(), repaired };
    output.show(&shape, |shape, _| text(shape.repaired.as_ref()))?;
    Ok(())
}

fn text(repaired: Option<&Repaired>) -> String {
    let Some(repaired) = repaired else { return "the store is sound: nothing was done\n".into() };
    let Repaired { changes: saved, own, waiting, statements, unplaced, lost, kept } = repaired;
    let changes = |count| counted(count, "change", "changes");
    let statements_of = |count| counted(count, "statement", "statements");
    let mut text =
        format!("saved {}, {own} of them made here, and {}\n", changes(*saved), statements_of(*statements));
    if waiting + unplaced > 0 {
        let (waiting, unplaced) = (changes(*waiting), statements_of(*unplaced));
        let _ = writeln!(
            text,
            "{waiting} and {unplaced} rest on lost ones: changes wait here, statements come from peers"
        );
    }
    let _ = writeln!(text, "{} of the log gave nothing", counted(*lost, "place", "places"));
    let _ = writeln!(text, "the damaged file is kept as {}", kept.display());
    text + "see to the disk, then start rukun daemon: what was lost comes back from its peers\n"
}
