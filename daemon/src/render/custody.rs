//! How far work has come, and what is missing of whose.

use super::{Cell, Paint, Table, counted, short_device, shown_time};
use crate::verbs::{CustodyShape, NumbersShape, TeamShape};

/// How many runs of missing numbers are shown of one officer.
const MISSING_SHOWN_MAX: usize = 4;

/// Lines of status: a word and what it says.
pub(super) fn lines(custody: &CustodyShape, paint: Paint) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if custody.written > 0 {
        let tiers = [
            (custody.district, "at the district"),
            (custody.coordinator, "at the coordinator"),
            (custody.supervisor, "at the supervisor"),
            (custody.unproved, "without a receipt"),
        ];
        let told: Vec<String> = tiers
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, place)| format!("{count} {place}"))
            .collect();
        let told = format!("{}: {}", counted(custody.written, "change", "changes"), told.join(", "));
        let all_there = custody.district == custody.written;
        lines.push(("written", if all_there { paint.good(&told) } else { told }));
    }
    if custody.alone > 0 {
        let alone = counted(custody.alone, "change is", "changes are");
        let since = custody.alone_since.as_deref().map(shown_time).unwrap_or_default();
        let told = format!("{alone} on this device alone, the first since {since}");
        lines.push(("custody", paint.alert(&told)));
    }
    lines
}

/// The officers whose whole work should be here.
pub(super) fn officers(officers: &[TeamShape], paint: Paint) -> String {
    if officers.is_empty() {
        return String::new();
    }
    let mut table = Table::with_heading(
        &["OFFICER", "ROLE", "DEVICE", "CHANGES", "LAST NUMBER", "LAST CONTACT", "MISSING NUMBERS"],
        paint,
    );
    for officer in officers {
        table.row([
            Cell::text(if officer.name.is_empty() { "unknown" } else { &officer.name }),
            Cell::text(officer.role.as_deref().unwrap_or("no role")),
            Cell::text(short_device(&officer.device)).painted(|device| paint.faint(device)),
            Cell::number(officer.changes),
            Cell::text(last_numbers(&officer.numbers)).right(),
            Cell::text(officer.last_contact.as_deref().map_or_else(|| "never".into(), shown_time)),
            Cell::text(missing(&officer.numbers)).painted(|runs| paint.alert(runs)),
        ]);
    }
    format!("\n{}", table.lines(""))
}

/// `16 + 4`: each incarnation counts from 1.
fn last_numbers(numbers: &[NumbersShape]) -> String {
    let last: Vec<String> = numbers.iter().map(|one| one.last.to_string()).collect();
    if last.is_empty() { "0".into() } else { last.join(" + ") }
}

/// `3, 7-9 of 1a2b3c4d`: the incarnation is named where there is more than one.
fn missing(numbers: &[NumbersShape]) -> String {
    let run = |(first, last): &(u64, u64)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    let of_one = |one: &NumbersShape| {
        let mut runs: Vec<String> = one.missing.iter().take(MISSING_SHOWN_MAX).map(run).collect();
        if one.missing.len() > MISSING_SHOWN_MAX {
            runs.push("...".into());
        }
        let runs = runs.join(", ");
        if numbers.len() > 1 { format!("{runs} of {}", one.incarnation) } else { runs }
    };
    let with_holes = numbers.iter().filter(|one| !one.missing.is_empty());
    with_holes.map(of_one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(incarnation: &str, missing: &[(u64, u64)]) -> NumbersShape {
        NumbersShape { incarnation: incarnation.into(), last: 99, missing: missing.to_vec() }
    }

    #[test]
    fn missing_numbers_are_shown_as_runs_and_of_which_store_they_are() {
        assert_eq!(missing(&[numbers("0a", &[])]), "");
        assert_eq!(missing(&[numbers("0a", &[(3, 3), (7, 9)])]), "3, 7-9");
        let two = [numbers("0a", &[(3, 3)]), numbers("0b", &[(1, 2)])];
        assert_eq!(missing(&two), "3 of 0a; 1-2 of 0b");
        let many: Vec<(u64, u64)> = (1..9).map(|n| (n * 2, n * 2)).collect();
        assert_eq!(missing(&[numbers("0a", &many)]), "2, 4, 6, 8, ...");
    }

    #[test]
    fn last_numbers_of_every_store_are_shown() {
        assert_eq!(last_numbers(&[]), "0");
        assert_eq!(last_numbers(&[numbers("0a", &[]), numbers("0b", &[])]), "99 + 99");
    }

    #[test]
    fn what_is_on_this_device_alone_is_said_with_the_time_since_when() {
        let custody = CustodyShape {
            written: 3,
            district: 1,
            supervisor: 1,
            unproved: 1,
            alone: 1,
            alone_since: Some("2022-10-20T08:12:00.5Z".into()),
            ..CustodyShape::default()
        };
        let lines: Vec<String> = lines(&custody, Paint::PLAIN).into_iter().map(|(_, says)| says).collect();
        assert_eq!(
            lines,
            [
                "3 changes: 1 at the district, 1 at the supervisor, 1 without a receipt",
                "1 change is on this device alone, the first since 2022-10-20 08:12:00Z"
            ]
        );
    }
}
