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
pub fn erased(erased: &ErasedShape, new_key: Option<&str>, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.strong(&clean(&erased.record)));
    let _ = writeln!(text, "{}: {}", paint.alert("erased"), clean(&erased.reason));
    let left = counted(erased.changes, "change is left without its", "changes are left without their");
    let _ = writeln!(text, "{left} answers, wherever this word arrives");
    if let Some(new_key) = new_key {
        let _ = writeln!(text, "{}", paint.alert(new_key));
    }
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
