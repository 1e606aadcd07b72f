//! Officers who were invited, and devices that were enrolled.

use std::fmt::Write as _;

use super::qr::blocks;
use super::{Cell, Paint, Table, clean, counted, short_device, shown_time};
use crate::officers::Report;
use crate::qr::Qr;
use crate::verbs::{EnrolledShape, IdShape, InvitedRow, OfficerShape, OfficersShape};

/// Digits of an invitation's id that are shown: as many as on its card.
const ID_DIGITS: usize = 8;
/// How many who were invited are named; who had a device before comes first.
const INVITED_SHOWN: usize = 20;
/// Regions that a table has room for.
const REGIONS_SHOWN: usize = 2;

/// A device's id, and on demand as a QR code.
pub fn id(id: &IdShape, qr: bool, paint: Paint) -> String {
    let qr = if qr { Qr::of(&id.device).ok() } else { None };
    format!("{}{}\n", qr.map(|qr| blocks(&qr, paint)).unwrap_or_default(), id.device)
}

/// Everyone who was invited, and from where codes were guessed.
pub fn officers(shape: &OfficersShape, paint: Paint) -> String {
    if shape.officers.is_empty() {
        return "nobody was invited; rukun officers import officers.csv\n".into();
    }
    let mut table =
        Table::with_heading(&["ID", "NAME", "ROLE", "REGIONS", "PHONE", "INVITATION", "DEVICE"], paint);
    for officer in &shape.officers {
        table.row([
            Cell::text(short_id(&officer.invitation)).painted(|id| paint.faint(id)),
            Cell::text(&officer.name),
            Cell::text(&officer.role),
            Cell::text(regions(&officer.regions)),
            Cell::text(&officer.phone),
            state(officer, paint),
            Cell::text(officer.device.as_deref().map(short_device).unwrap_or_default()),
        ]);
    }
    let mut text = table.lines("");
    let count = |state: &str| shape.officers.iter().filter(|officer| officer.state == state).count();
    let counts = ["used", "open", "expired", "withdrawn"].map(|state| (count(state), state));
    let counts =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, state)| format!("{count} {state}"));
    let all = counted(shape.officers.len() as u64, "invitation", "invitations");
    let _ = writeln!(text, "\n{all}: {}", counts.collect::<Vec<_>>().join(", "));
    for tries in &shape.wrong_tries {
        let wrong = counted(tries.tries as u64, "wrong code", "wrong codes");
        let refused =
            tries.refused_until.as_deref().map(|until| format!("; refused until {}", shown_time(until)));
        let line = format!("{wrong} from {} in the last hour{}", tries.address, refused.unwrap_or_default());
        let _ = writeln!(text, "{}", paint.alert(&line));
    }
    text
}

fn state(officer: &OfficerShape, paint: Paint) -> Cell {
    let settled = officer.settled.as_deref().map(shown_time).unwrap_or_default();
    match officer.state.as_str() {
        "used" => Cell::text(format!("used {settled}")).painted(|text| paint.good(text)),
        "open" => Cell::text(format!("open until {}", shown_time(&officer.expires))),
        "expired" => {
            Cell::text(format!("expired {}", shown_time(&officer.expires))).painted(|text| paint.alert(text))
        }
        other => Cell::text(format!("{other} {settled}")).painted(|text| paint.faint(text)),
    }
}

/// An invitation that was taken back.
pub fn withdrawn(officer: &OfficerShape, paint: Paint) -> String {
    format!(
        "the code of {} ({}, {}) no longer works\nfor another card, import the file of officers again\n",
        paint.strong(&clean(&officer.name)),
        officer.role,
        regions(&officer.regions)
    )
}

/// What became of a file of officers, and what to do next.
pub fn invited(report: &Report, paint: Paint) -> String {
    let invited = report.invited.len() as u64;
    let mut text = format!(
        "{} of {} invited\n",
        paint.strong(&invited.to_string()),
        counted(report.rows as u64, "officer", "officers")
    );
    let mut named: Vec<&InvitedRow> = report.invited.iter().collect();
    named.sort_by_key(|row| row.revoked.is_none());
    for row in named.iter().take(INVITED_SHOWN) {
        let before = row.revoked.as_deref().map(|device| {
            format!("  {}", paint.alert(&format!("device {} was revoked before", short_device(device))))
        });
        let _ = writeln!(text, "  {}{}", clean(&row.name), before.unwrap_or_default());
    }
    if named.len() > INVITED_SHOWN {
        let _ = writeln!(text, "  and {} more", named.len() - INVITED_SHOWN);
    }
    if !report.there.is_empty() {
        let there = counted(report.there.len() as u64, "is", "are");
        let _ =
            writeln!(text, "{there} invited already (same name, role, regions and number): no second code");
    }
    let mut bad: Vec<u64> = report.bad.iter().map(|row| row.line).collect();
    bad.dedup();
    if !bad.is_empty() {
        let rows = counted(bad.len() as u64, "row is bad", "rows are bad");
        let _ = writeln!(text, "{}", paint.alert(&format!("{rows}: mend and import the file again")));
    }
    if let Some(page) = &report.page {
        let page = page.display().to_string();
        let _ = writeln!(
            text,
            "\n{}\n  open it in a browser, print it, then delete it: the codes stand there and nowhere \
             else\n\nnext\n  rukun daemon                 must run for the codes to be used\n  \
             rukun officers               who has used theirs",
            paint.strong(&clean(&page))
        );
    }
    text
}

/// A device that was enrolled, and what to do next.
pub fn enrolled(enrolled: &EnrolledShape, paint: Paint) -> String {
    let EnrolledShape { survey: _, name, device, grant, peers } = enrolled;
    format!(
        "{}, {} of {}\nin {}\nthis device is {device}\n\nnext\n  rukun daemon                 brings the \
         questionnaire and the families from {}\n",
        paint.strong(&clean(&grant.name)),
        grant.role,
        grant.regions.join(", "),
        clean(name),
        clean(&peers.join(", ")),
    )
}

fn regions(regions: &[String]) -> String {
    let shown = regions.iter().take(REGIONS_SHOWN).cloned().collect::<Vec<_>>().join(" ");
    match regions.len().saturating_sub(REGIONS_SHOWN) {
        0 => shown,
        more => format!("{shown} +{more}"),
    }
}

fn short_id(id: &str) -> String {
    clean(id).chars().take(ID_DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(line: u64, revoked: Option<&str>) -> InvitedRow {
        let revoked = revoked.map(String::from);
        InvitedRow { line, invitation: "0a".into(), name: format!("Siti {line}"), revoked }
    }

    #[test]
    fn who_was_invited_is_named_and_whose_device_was_revoked_is_said() {
        let mut report = Report { rows: 24, invited: vec![], there: vec![], bad: vec![], page: None };
        report.invited = (2..=25).map(|line| row(line, None)).collect();
        report.invited.push(row(26, Some("LRWCZRB-AAAA")));
        let text = invited(&report, Paint::PLAIN);
        assert!(text.contains("  Siti 26  device LRWCZRB was revoked before\n  Siti 2\n"), "{text}");
        assert!(text.contains("  Siti 20\n  and 5 more\n") && !text.contains("Siti 21"), "{text}");
    }
}
