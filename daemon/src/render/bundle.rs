//! What is said of a bundle that was written, and of one that was taken in.

use std::fmt::Write as _;
use std::path::Path;

use super::provenance::who;
use super::{Paint, counted, quoted, short_device, shown_bytes};
use crate::verbs::{BundleTakenShape, Who};

/// A file that was written, and what to do with it.
pub fn bundle_written(
    file: &Path,
    bytes: usize,
    recipient: &Who,
    changes: usize,
    statements: usize,
) -> String {
    let file = quoted(file);
    format!(
        "wrote {file}: {}, {}, {}, for {}\n\
         only that device can open it:\n  rukun bundle import {file}\n\
         it counts as delivered once a receipt comes back\n",
        counted(changes as u64, "change", "changes"),
        counted(statements as u64, "statement", "statements"),
        shown_bytes(bytes as u64),
        who(recipient),
    )
}

/// What a bundle brought.
pub fn bundle_taken(taken: &BundleTakenShape, paint: Paint) -> String {
    let BundleTakenShape { from, changes, changes_new, statements_new, receipted, waiting, refused } = taken;
    let mut text = format!(
        "from {}: {} of {} new, {} new\n",
        who(from),
        changes_new,
        counted(*changes as u64, "change", "changes"),
        counted(*statements_new, "statement", "statements"),
    );
    if *receipted > 0 {
        let receipted = counted(*receipted, "change of this device has", "changes of this device have");
        let _ = writeln!(text, "{receipted} a receipt now and had none: rukun status says how far they came");
    }
    if *waiting > 0 {
        let _ = writeln!(
            text,
            "{} here for what they rest on",
            counted(*waiting as u64, "of its changes waits", "of its changes wait")
        );
    }
    if *refused > 0 {
        text.push_str(&paint.alert(&format!(
            "{} refused; a daemon that takes it in says why in its log",
            counted(*refused, "was", "were")
        )));
        text.push('\n');
    }
    if *changes == 0 {
        return text;
    }
    let device = short_device(&from.device);
    let _ = writeln!(
        text,
        "to show that it has come, write one back:\n  rukun bundle export --for {device} FILE"
    );
    text
}
