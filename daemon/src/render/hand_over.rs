//! Regions that changed hands, and families that moved.

use std::fmt::Write as _;

use super::sls::no_enumerator;
use super::{Cell, Paint, Table, clean, counted, short_record};
use crate::verbs::{AssignedShape, HolderShape, MovedShape, ReleasedListShape};

/// What was handed over.
pub fn assigned(assigned: &AssignedShape, paint: Paint) -> String {
    let holds = |holder: &HolderShape| match holder.regions.as_slice() {
        [] => "nothing".into(),
        regions => regions.join(", "),
    };
    let (from, to) = (clean(&assigned.from.name), clean(&assigned.to.name));
    let mut text = format!("{} handed over ({})\n", assigned.regions.join(", "), assigned.roles.join(", "));
    let _ = writeln!(text, "  from  {}, who keeps {}", paint.strong(&from), holds(&assigned.from));
    let _ = writeln!(text, "  to    {}, who now has {}", paint.strong(&to), holds(&assigned.to));
    for other in &assigned.others {
        let line = format!("{from} goes on there by the grant of {}: ask there too", clean(other));
        let _ = writeln!(text, "  {}", paint.alert(&line));
    }
    let late = if assigned.from.revoked { "is set aside" } else { "is still taken, under that name" };
    let _ =
        writeln!(text, "\nWhat {from} delivered there comes to {to} by itself; what arrives later {late}.");
    text
}

/// A family that moved.
pub fn moved(moved: &MovedShape, paint: Paint) -> String {
    let to = short_record(&moved.to);
    let mut text = format!("{}\n", paint.strong(&clean(&moved.to)));
    let _ = writeln!(text, "goes on from {}, which is marked gone", clean(&moved.from));
    let _ = writeln!(text, "\n{}", paint.faint(&format!("rukun log {to} tells both histories.")));
    text.push_str(&no_enumerator(&moved.unassigned.iter().map(String::as_str).collect::<Vec<_>>()));
    text
}

/// Every record that left this device.
pub fn released(list: &ReleasedListShape, paint: Paint) -> String {
    let mut text = String::new();
    if list.records.is_empty() {
        text.push_str("Nothing has left this device.\n");
    } else {
        let mut table = Table::with_heading(&["RECORD", "CHANGES", "MADE HERE"], paint);
        for line in &list.records {
            let own = if line.own == 0 { Cell::text("") } else { Cell::number(line.own) };
            table.row([Cell::text(short_record(&line.record)), Cell::number(line.changes), own.right()]);
        }
        text.push_str(&table.lines(""));
        text.push_str("the district has signed that it holds all of these\n");
    }
    if list.leaving > 0 {
        let leaving = counted(list.leaving, "family is", "families are");
        let _ = writeln!(
            text,
            "{}  (rukun record list marks them)",
            paint.alert(&format!("{leaving} still here until the district has all of it"))
        );
    }
    text
}
