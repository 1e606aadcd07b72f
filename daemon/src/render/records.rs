//! Families: one, many, and what was written or imported of them.

use std::fmt::Write as _;

use super::sls::no_enumerator;
use super::{
    Cell, Paint, Table, clean, counted, short_change, short_field, short_member, short_record, shown,
};
use crate::prelist::Report;
use crate::verbs::{BlameLine, RecordShape, RecordsShape, WrittenShape};

/// One family as the office reads it: its own answers, then each member's.
pub fn record(record: &RecordShape, paint: Paint) -> String {
    let mut text = heading(&record.name, &record.record, paint);
    let inks: Vec<String> = record.inks.iter().map(|ink| paint.ink(ink, ink)).collect();
    let changes = counted(record.changes as u64, "change", "changes");
    let _ = writeln!(text, "{changes} in {}", inks.join(", "));
    if let Some(reason) = &record.gone {
        let _ = writeln!(text, "{}: {}", paint.alert("gone"), clean(reason));
    }
    text.push('\n');
    text.push_str(&answers(record.fields.iter().filter(|line| !line.field.contains('/')), paint));
    for member in &record.members {
        let gone = member.gone.as_ref().map(|reason| format!("  {}: {}", paint.alert("gone"), clean(reason)));
        let name = paint.strong(&clean(&member.name));
        let _ = writeln!(
            text,
            "\n{name}  {}{}",
            paint.faint(&short_member(&member.member)),
            gone.unwrap_or_default()
        );
        if member.gone.is_none() {
            let of_member = |line: &&BlameLine| line.field.starts_with(&format!("{}/", member.member));
            text.push_str(&answers(record.fields.iter().filter(of_member), paint));
        }
    }
    if !record.conflicts.is_empty() {
        let kinds: Vec<String> =
            record.conflicts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let id = short_record(&record.record);
        let _ = writeln!(
            text,
            "\n{}: {}  (rukun conflicts show {id})",
            paint.alert("open conflicts"),
            kinds.join(", ")
        );
    }
    text
}

fn answers<'a>(lines: impl Iterator<Item = &'a BlameLine>, paint: Paint) -> String {
    let mut table = Table::new();
    for line in lines.filter(|line| !line.answer.value.is_null()) {
        let ink = line.answer.ink.as_str();
        let name = line.field.rsplit('/').next().unwrap_or_default();
        let mark = if line.contested { paint.alert("contested") } else { String::new() };
        table.row([
            Cell::text(name).painted(|name| paint.faint(name)),
            Cell::text(line.label.as_deref().unwrap_or_default()),
            Cell::text(shown(&line.answer.value)).painted(|value| paint.ink(ink, value)),
            Cell::text(ink).painted(|word| paint.ink(ink, word)),
            Cell::text(if line.contested { "contested" } else { "" }).painted(|_| mark),
        ]);
    }
    table.lines("  ")
}

/// Families in a list.
pub fn record_list(records: &RecordsShape, paint: Paint) -> String {
    if records.records.is_empty() {
        return "no families here\n".into();
    }
    let are_named = records.records.iter().any(|line| line.place.is_some());
    let mut heading = vec!["RECORD", "HEAD OF FAMILY", "MEMBERS", "INKS", "CONFLICTS"];
    heading.extend(are_named.then_some("SUB-SLS"));
    let mut table = Table::with_heading(&heading, paint);
    for line in &records.records {
        let inks = line.inks.join(" ");
        let painted: Vec<String> = line.inks.iter().map(|ink| paint.ink(ink, ink)).collect();
        let mut name = line.name.clone();
        for (mark, set) in [(" (gone)", line.gone), (" (leaving)", line.leaving)] {
            name.push_str(if set { mark } else { "" });
        }
        let conflicts = if line.conflicts == 0 { Cell::text("") } else { Cell::number(line.conflicts) };
        let cells = [
            Cell::text(short_record(&line.record)),
            Cell::text(name),
            Cell::number(line.members as u64),
            Cell::text(inks).painted(|_| painted.join(" ")),
            conflicts.right().painted(|count| paint.alert(count)),
        ];
        table.row(
            cells.into_iter().chain(are_named.then(|| Cell::text(line.place.as_deref().unwrap_or_default()))),
        );
    }
    let mut text = table.lines("");
    if let Some(next) = &records.next {
        let _ = writeln!(text, "\nthere may be more: the same with --after {}", short_record(next));
    }
    text
}

/// What a verb wrote.
pub fn written(written: &WrittenShape) -> String {
    match &written.change {
        Some(change) => format!("record {}  change {}\n", written.record, short_change(change)),
        None => format!("record {}: nothing to write, every answer is there already\n", written.record),
    }
}

/// What became of a prelist.
pub fn import_report(report: &Report, paint: Paint) -> String {
    let rows = counted(report.rows, "row", "rows");
    let mut text = format!("{rows}: {} added", report.added);
    if report.there > 0 {
        let _ = write!(text, ", {} already there", report.there);
    }
    if report.bad > 0 {
        let _ = write!(text, ", {}", paint.alert(&format!("{} bad", report.bad)));
        text.push_str(
            "\nmend the bad rows and import the file again: what is there already is not made twice",
        );
    }
    text.push('\n');
    let unassigned: Vec<&str> = report.unassigned.iter().map(String::as_str).collect();
    text.push_str(&no_enumerator(&unassigned));
    text
}

/// A bad row of a prelist, as it is told while the file is read.
pub fn bad_row(row: &crate::verbs::BadRow) -> String {
    let (line, message) = (row.line, clean(&row.message));
    if row.column.is_empty() {
        format!("line {line}: {message}")
    } else if row.message.starts_with(&row.column) {
        // A message that names its variable needs no column beside it.
        format!("line {line}, {message}")
    } else {
        format!("line {line}, {}: {message}", short_field(&row.column))
    }
}

/// A family's name and id.
pub(super) fn heading(name: &str, record: &str, paint: Paint) -> String {
    let name = if name.is_empty() { "(no name)".into() } else { clean(name) };
    format!("{}  {}\n", paint.strong(&name), clean(record))
}
