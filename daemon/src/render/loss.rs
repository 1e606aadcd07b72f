//! Lost devices and set-aside work.

use std::fmt::Write as _;

use super::provenance::who;
use super::records::heading;
use super::{Cell, Paint, Table, clean, counted, short_change, short_record, shown, shown_time, titled};
use crate::verbs::{HeldShape, LossShape, SetAsideShape, SettledShape};

/// How many of a change's answers are shown.
const WRITES_SHOWN_MAX: usize = 3;

/// What a revocation would keep.
pub fn losing(loss: &LossShape) -> String {
    let mut text = format!("{}\n", clean(&loss.name));
    let _ = writeln!(text, "  device {}", clean(&loss.device));
    let _ = writeln!(
        text,
        "  kept: {} in {}, {}",
        counted(loss.changes, "change", "changes"),
        counted(loss.sub_sls, "sub-SLS", "sub-SLS"),
        counted(loss.statements, "statement", "statements"),
    );
    if loss.left_out > 0 {
        let left_out = counted(loss.left_out, "change or statement", "changes and statements");
        let _ = writeln!(text, "  not kept: {left_out}, which came after more than a revocation can name");
    }
    let _ = writeln!(text, "  set aside: everything else that it made or will make");
    for other in &loss.others {
        let _ = writeln!(text, "  goes on by what {} can end: ask there too", clean(other));
    }
    for follower in &loss.followers {
        let _ = writeln!(
            text,
            "  goes on as {} by its own word: unless its owner rotated the key, type",
            clean(follower)
        );
        let _ = writeln!(text, "    rukun revoke {}", clean(follower));
    }
    text
}

/// What a revocation kept.
pub fn revoked(loss: &LossShape, paint: Paint) -> String {
    let text = losing(loss).replacen('\n', &format!(" {}\n", paint.alert("revoked")), 1);
    format!("{text}\nrukun set-aside lists what still comes of it; rukun held says which records it held.\n")
}

/// Work that does not count.
pub fn set_aside(aside: &SetAsideShape, paint: Paint) -> String {
    if aside.changes.is_empty() {
        return "Nothing is set aside.\n".into();
    }
    let mut text = String::new();
    let mut last = "";
    for line in &aside.changes {
        if line.record != last {
            let gap = if last.is_empty() { "" } else { "\n" };
            let _ = write!(text, "{gap}{}", heading(&line.name, &line.record, paint));
            last = &line.record;
        }
        let id = paint.ink(&line.ink, &format!("{} {}", short_change(&line.change), line.ink));
        let _ = writeln!(text, "{id}  {}  {}", shown_time(&line.time), who(&line.who));
        let _ = writeln!(text, "    {}", paint.alert(&clean(&line.standing)));
        for write in line.writes.iter().take(WRITES_SHOWN_MAX) {
            let value = paint.ink(&line.ink, &shown(&write.value));
            let _ = writeln!(text, "    {} = {value}", titled(&write.field, write.label.as_deref()));
        }
        let more = line.writes.len().saturating_sub(WRITES_SHOWN_MAX);
        if more > 0 {
            let _ = writeln!(
                text,
                "    {}",
                paint.faint(&format!("and {} more", counted(more as u64, "answer", "answers")))
            );
        }
    }
    let next = "rukun uphold CHANGE lets it count, rukun dismiss CHANGE keeps it out.";
    let _ = writeln!(text, "\n{}", paint.faint(next));
    text
}

/// What was settled.
pub fn settled(settled: &SettledShape) -> String {
    let word = if settled.upheld { "upheld" } else { "dismissed" };
    let count = settled.changes.len() as u64;
    let ids: Vec<String> = settled.changes.iter().take(9).map(|id| short_change(id)).collect();
    let more = if count > 9 { " …" } else { "" };
    format!("{} {word}: {}{more}\n", counted(count, "change", "changes"), ids.join(" "))
}

/// The records that a device held.
pub fn held(held: &HeldShape, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.strong(&clean(&held.name)));
    let _ = writeln!(text, "device {}", clean(&held.device));
    let _ = writeln!(text, "could read {}", held.regions.join(", "));
    let _ = match &held.last_contact {
        Some(time) => writeln!(text, "last heard here {}", shown_time(time)),
        None => writeln!(text, "never heard here"),
    };
    for reason in &held.revoked {
        let _ = writeln!(text, "{}", paint.alert(&format!("revoked: {}", clean(reason))));
    }
    let mut table = Table::with_heading(&["RECORD", "HEAD", "IT", "OWN", "SENT", "MAYBE"], paint);
    for line in &held.records {
        table.row([
            Cell::text(short_record(&line.record)),
            Cell::text(&line.name),
            Cell::text(&line.held),
            Cell::number(line.own),
            Cell::number(line.sent),
            Cell::number(line.maybe),
        ]);
    }
    let _ = write!(text, "\n{}", table.lines(""));
    let _ = writeln!(text, "\n{}", counted(held.records.len() as u64, "record", "records"));
    text
}

/// The same for a spreadsheet. A name that begins like a formula is quoted apart.
pub fn held_csv(held: &HeldShape) -> String {
    let mut text = String::from("record,name,held,own,sent,maybe\n");
    for line in &held.records {
        let name = clean(&line.name).replace('"', "\"\"");
        let guard = if name.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
        let _ = writeln!(
            text,
            "{},\"{guard}{name}\",{},{},{},{}",
            line.record, line.held, line.own, line.sent, line.maybe
        );
    }
    text
}
