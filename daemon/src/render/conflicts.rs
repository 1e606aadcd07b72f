//! What does not agree: as a list, and candidate beside candidate with the way to settle it.

use std::fmt::Write as _;

use super::records::heading;
use super::{
    Cell, Paint, Table, clean, counted, short_change, short_device, short_field, short_member, short_record,
    shortened, shown, shown_time, titled, wrapped,
};
use crate::verbs::{CandidateShape, ConflictShape, ConflictsShape};

/// More candidates than these stand under each other.
const SIDE_BY_SIDE_MAX: usize = 4;
/// How much of a cause stands in a list,
const CAUSE_LETTERS: usize = 60;
/// and in a line.
const LINE_LETTERS: usize = 96;

/// Open conflicts in a list.
pub fn conflict_list(conflicts: &ConflictsShape, paint: Paint) -> String {
    if conflicts.conflicts.is_empty() {
        return format!("{}\n", paint.good("no open conflicts"));
    }
    let mut table = Table::with_heading(&["RECORD", "HEAD OF FAMILY", "KIND", "FIELD", "VALUES"], paint);
    for conflict in &conflicts.conflicts {
        let values: Vec<String> =
            conflict.candidates.iter().map(|candidate| shown(&candidate.value)).collect();
        let painted: Vec<String> =
            conflict.candidates.iter().map(|one| paint.ink(&one.ink, &shown(&one.value))).collect();
        let values = match conflict.kind.as_str() {
            // A whole record's answers, or no answers at all: the sentence says more.
            "rule" | "set-aside" | "duplicate" => Cell::text(shortened(&conflict.cause, CAUSE_LETTERS)),
            _ => Cell::text(values.join(" | ")).painted(|_| painted.join(" | ")),
        };
        let member = conflict.member_name.as_deref().filter(|name| !name.is_empty());
        let field = match (&conflict.field, member) {
            (Some(field), _) => short_field(field),
            (None, Some(name)) => clean(name),
            (None, None) => String::new(),
        };
        table.row([
            Cell::text(short_record(&conflict.record)),
            Cell::text(&conflict.name),
            Cell::text(&conflict.kind).painted(|kind| paint.alert(kind)),
            Cell::text(field),
            values,
        ]);
    }
    let count = counted(conflicts.conflicts.len() as u64, "open conflict", "open conflicts");
    let mut text = table.lines("");
    let first = conflicts.conflicts.first().map(|first| short_record(&first.record)).unwrap_or_default();
    let _ = writeln!(text, "\n{count}; side by side: rukun conflicts show {first}");
    text
}

/// The conflicts of one record, candidates side by side.
pub fn conflict_details(conflicts: &ConflictsShape, paint: Paint) -> String {
    let Some(first) = conflicts.conflicts.first() else {
        return format!("{}\n", paint.good("no open conflicts in this record"));
    };
    let mut text = heading(&first.name, &first.record, paint);
    for conflict in &conflicts.conflicts {
        text.push('\n');
        text.push_str(&details(conflict, paint));
    }
    text
}

fn details(conflict: &ConflictShape, paint: Paint) -> String {
    let member = conflict.member_name.as_deref().filter(|name| !name.is_empty());
    let about = match (&conflict.field, member) {
        (Some(field), Some(name)) => {
            format!("{} of {}", titled(field, conflict.label.as_deref()), clean(name))
        }
        (Some(field), None) => titled(field, conflict.label.as_deref()),
        (None, Some(name)) => clean(name),
        (None, None) => "the family".into(),
    };
    let mut text = format!("{}  {}\n", paint.alert(&conflict.kind), paint.strong(&about));
    for line in conflict.cause.lines().flat_map(|line| wrapped(line, LINE_LETTERS)) {
        let _ = writeln!(text, "  {line}");
    }
    if conflict.kind != "set-aside" {
        text.push_str(&match conflict.candidates.len() {
            0 => String::new(),
            1..=SIDE_BY_SIDE_MAX => side_by_side(&conflict.candidates, paint),
            _ => under_each_other(&conflict.candidates, paint),
        });
    }
    for other in &conflict.other {
        let _ = writeln!(text, "  the other: rukun record show {}", short_record(other));
    }
    text.push_str(&remedy(conflict, paint));
    text
}

fn side_by_side(candidates: &[CandidateShape], paint: Paint) -> String {
    let mut table = Table::new();
    let mut row = |word: &str, cell: &dyn Fn(&CandidateShape) -> Cell| {
        let word = Cell::text(word).painted(|word| paint.faint(word));
        table.row([word].into_iter().chain(candidates.iter().map(cell)));
    };
    let inked = |one: &CandidateShape, text: &str| Cell::text(text).painted(|text| paint.ink(&one.ink, text));
    row("value", &|one| inked(one, &shown(&one.value)));
    row("ink", &|one| inked(one, &one.ink));
    row("author", &|one| Cell::text(if one.who.author.is_empty() { "unknown" } else { &one.who.author }));
    row("role", &|one| Cell::text(one.who.role.as_deref().unwrap_or("no known role")));
    row("device", &|one| Cell::text(short_device(&one.who.device)));
    row("when", &|one| Cell::text(shown_time(&one.time)));
    row("change", &|one| Cell::text(short_change(&one.change)));
    table.lines("    ")
}

fn under_each_other(candidates: &[CandidateShape], paint: Paint) -> String {
    let mut table =
        Table::with_heading(&["CHANGE", "INK", "VALUE", "AUTHOR", "ROLE", "DEVICE", "WHEN"], paint);
    for one in candidates {
        table.row([
            Cell::text(short_change(&one.change)),
            Cell::text(&one.ink).painted(|ink| paint.ink(ink, ink)),
            Cell::text(shown(&one.value)).painted(|value| paint.ink(&one.ink, value)),
            Cell::text(&one.who.author),
            Cell::text(one.who.role.as_deref().unwrap_or("no known role")),
            Cell::text(short_device(&one.who.device)),
            Cell::text(shown_time(&one.time)),
        ]);
    }
    table.lines("    ")
}

/// How it can be settled.
fn remedy(conflict: &ConflictShape, paint: Paint) -> String {
    let record = short_record(&conflict.record);
    let say = |what: &str, command: String| format!("  {what}: {}\n", paint.strong(&command));
    match (conflict.kind.as_str(), &conflict.field, conflict.candidates.first()) {
        ("presence", Some(field), Some(_)) => {
            // Any value of one's own would be one more reason why it is gone.
            let pick = |is_gone: bool| {
                let one = conflict.candidates.iter().find(|one| one.value.is_null() != is_gone)?;
                let change = short_change(&one.change);
                let what = if is_gone { "it is gone" } else { "it is still there" };
                Some(say(what, format!("rukun resolve {record} {} --pick {change}", short_field(field))))
            };
            [true, false].into_iter().filter_map(pick).collect()
        }
        ("field" | "stale", Some(field), Some(first)) => {
            let (field, change) = (short_field(field), short_change(&first.change));
            let others = conflict.candidates.iter().skip(1).map(|other| short_change(&other.change));
            let others: Vec<String> = others.chain(["--value VALUE".into()]).collect();
            let command = format!("rukun resolve {record} {field} --pick {change}");
            format!("  settle it: {}  (or {})\n", paint.strong(&command), others.join(" or "))
        }
        ("duplicate", _, _) => say("mark the wrong one", format!("rukun record gone {record} --reason TEXT")),
        ("rule", field, _) => {
            let field = field.as_deref().map_or_else(|| "FIELD".into(), short_field);
            let field = match &conflict.member {
                Some(member) if !field.contains('/') => format!("{}/{field}", short_member(member)),
                _ => field,
            };
            say("correct an answer", format!("rukun record set {record} {field}=VALUE"))
        }
        ("set-aside", _, Some(first)) => {
            let change = short_change(&first.change);
            say("settle it from above", format!("rukun uphold {change}  (or rukun dismiss {change})"))
        }
        _ => say("its history", format!("rukun log {record}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_about_a_member_names_the_member_in_its_remedy() {
        let conflict = ConflictShape {
            record: "1811010005000300-3f2a91c0d2e4aaaa".into(),
            name: String::new(),
            kind: "rule".into(),
            field: None,
            label: None,
            member: Some("m:3f2a91c0d2e4aaaa".into()),
            member_name: None,
            cause: "no answer to r407".into(),
            candidates: vec![],
            other: vec![],
        };
        let says = |field: Option<&str>| {
            let field = field.map(String::from);
            remedy(&ConflictShape { field, ..conflict.clone() }, Paint::PLAIN)
        };
        assert!(says(None).contains("3f2a91c0 m:3f2a/FIELD=VALUE"), "{}", says(None));
        assert!(says(Some("r407")).contains(" m:3f2a/r407=VALUE"));
        assert!(says(Some("m:3f2a91c0d2e4aaaa/r407")).contains(" m:3f2a/r407=VALUE"));
    }
}
