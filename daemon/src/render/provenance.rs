//! Where answers come from: the history of a record, and the origin of each answer.

use std::fmt::Write as _;

use super::records::heading;
use super::{Cell, Paint, Table, clean, counted, short_change, short_device, shown, shown_time, titled};
use crate::verbs::{BlameLine, BlameShape, LogLine, LogShape, MemberShape, Who};

/// How many of a change's answers are shown: an interview has hundreds.
const WRITES_SHOWN_MAX: usize = 6;

/// Every change of a record, causes first.
pub fn log(log: &LogShape, paint: Paint) -> String {
    let mut text = heading(&log.name, &log.record, paint);
    let all = if log.changes.len() > 1 { "all of it is " } else { "" };
    let _ = writeln!(text, "{}", paint.faint(&format!("{all}{}", clean(&log.reached))));
    if let Some(came) = &log.came {
        let _ = writeln!(text, "goes on from {}, moved by {}", clean(&came.from), clean(&came.by));
    }
    for change in &log.changes {
        text.push('\n');
        text.push_str(&change_line(change, paint));
    }
    if let Some(before) = log.came.as_ref().and_then(|came| came.log.as_ref()) {
        let _ = write!(text, "\nbefore it moved\n\n{}", self::log(before, paint));
    }
    text
}

/// One change: when, who, and what it wrote.
pub(super) fn change_line(change: &LogLine, paint: Paint) -> String {
    let id = paint.ink(&change.ink, &format!("{} {}", short_change(&change.change), change.ink));
    let reached = paint.faint(&clean(&change.reached));
    let mut text = format!("{id}  {}  {}  {reached}\n", shown_time(&change.time), who(&change.who));
    if change.standing != "good" {
        let _ = writeln!(text, "    {}", paint.alert(&clean(&change.standing)));
    }
    if !change.resolves.is_empty() {
        let among: Vec<String> = change.resolves.iter().map(|id| short_change(id)).collect();
        let _ = writeln!(text, "    settles a conflict among {}", among.join(", "));
    }
    for write in change.writes.iter().take(WRITES_SHOWN_MAX) {
        let value = paint.ink(&change.ink, &shown(&write.value));
        let _ = writeln!(text, "    {} = {value}", titled(&write.field, write.label.as_deref()));
    }
    let more = change.writes.len().saturating_sub(WRITES_SHOWN_MAX);
    if more > 0 {
        let members = match change.made.len() {
            0 => String::new(),
            made => format!(" and {}", counted(made as u64, "new member", "new members")),
        };
        let _ = writeln!(
            text,
            "    {}",
            paint.faint(&format!(
                "and {} more{members}; --json has them all",
                counted(more as u64, "answer", "answers")
            ))
        );
    }
    text
}

/// Whose device, in which role.
pub(super) fn who(who: &Who) -> String {
    let name = if who.author.is_empty() { "unknown".into() } else { clean(&who.author) };
    let role = who.role.as_deref().unwrap_or("no known role");
    format!("{name} ({role}, {})", short_device(&who.device))
}

/// Where each answer comes from, the family's first, then member by member.
pub fn blame(blame: &BlameShape, paint: Paint) -> String {
    heading(&blame.name, &blame.record, paint) + &origins(&blame.fields, &blame.members, paint)
}

/// The answers of a record with their origin.
pub(super) fn origins(fields: &[BlameLine], members: &[MemberShape], paint: Paint) -> String {
    let family = fields.iter().filter(|line| !line.field.contains('/'));
    let mut text = lines(family, paint);
    for member in members {
        let of_member = |line: &&BlameLine| line.field.starts_with(&format!("{}/", member.member));
        let _ = writeln!(text, "\n{}", paint.strong(&clean(&member.name)));
        text.push_str(&lines(fields.iter().filter(of_member), paint));
    }
    text
}

fn lines<'a>(lines: impl Iterator<Item = &'a BlameLine>, paint: Paint) -> String {
    let mut table = Table::new();
    for line in lines {
        let answer = &line.answer;
        let label = titled(&line.field, line.label.as_deref());
        table.row([
            Cell::text(short_change(&answer.change)).painted(|id| paint.faint(id)),
            Cell::text(&answer.ink).painted(|ink| paint.ink(ink, ink)),
            Cell::text(if answer.who.author.is_empty() { "unknown" } else { &answer.who.author }),
            Cell::text(shown_time(&answer.time)).painted(|time| paint.faint(time)),
            Cell::text(label),
            Cell::text(shown(&answer.value)).painted(|value| paint.ink(&answer.ink, value)),
            Cell::text(if line.contested { "contested" } else { "" }).painted(|word| paint.alert(word)),
        ]);
    }
    table.lines("")
}
