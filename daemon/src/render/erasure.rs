//! Records that are to be forgotten, or were.

use std::fmt::Write as _;

use super::{Cell, Paint, Table, clean, counted, short_record};
use crate::verbs::{ErasedListShape, ErasedShape, RecordShape};

/// What an erasure would take away.
pub fn erasing(record: &RecordShape) -> String {
    let mut text = format!("{}\n", clean(&record.name));
    let _ = writeln!(text, "  record {}", clean(&record.record));
    let members = record.members.len() as u64;
    let _ = writeln!(text, "  gone for ever: every answer, and {}", counted(members, "member", "members"));
    let _ = writeln!(text, "  left: who wrote when, in which ink");
    text
}

/// What an erasure left.
pub fn erased(erased: &ErasedShape, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.strong(&clean(&erased.record)));
    let _ = writeln!(text, "{}: {}", paint.alert("erased"), clean(&erased.reason));
    let left = counted(erased.changes, "change is", "changes are");
    let _ = writeln!(text, "{left} left without their answers, wherever this word arrives");
    text
}

/// Every record that was erased.
pub fn erased_list(list: &ErasedListShape, paint: Paint) -> String {
    if list.records.is_empty() {
        return "Nothing was erased.\n".into();
    }
    let mut table = Table::with_heading(&["RECORD", "BY", "CHANGES", "WHY"], paint);
    for line in &list.records {
        table.row([
            Cell::text(short_record(&line.record)),
            Cell::text(&line.by),
            Cell::number(line.changes),
            Cell::text(&line.reason),
        ]);
    }
    table.lines("")
}
