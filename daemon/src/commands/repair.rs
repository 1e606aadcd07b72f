//! Repairing a damaged store, and saying what came of it.

use std::fmt::Write as _;

use serde::Serialize;

use super::output::Output;
use crate::disk::Folder;
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
    let Repaired { changes, own, waiting, statements, unplaced, lost, kept } = repaired;
    let mut text = format!("saved {changes} changes, {own} of them made here, and {statements} statements\n");
    if waiting + unplaced > 0 {
        let _ = writeln!(
            text,
            "{waiting} changes and {unplaced} statements rest on lost ones: changes wait here, statements come from peers"
        );
    }
    let _ = writeln!(text, "{lost} places of the log gave nothing");
    let _ = writeln!(text, "the damaged file is kept as {}", kept.display());
    text + "see to the disk, then start rukun daemon: what was lost comes back from its peers\n"
}
