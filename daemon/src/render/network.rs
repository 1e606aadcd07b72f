//! What is known of the network.

use super::{Cell, Paint, Table, clean, shown_bytes};
use crate::verbs::NetworkShape;

/// What was told, what was carried, and what follows.
pub fn network(known: &NetworkShape, paint: Paint) -> String {
    let mut table = Table::new();
    let mut row = |what: &str, said: Cell| {
        table.row([Cell::text(what).painted(|text| paint.faint(text)), said]);
    };
    let up = if known.up { "up" } else { "down" };
    let metered = if known.metered { ", metered" } else { "" };
    row("network", Cell::text(format!("{up}{metered}")));
    row("battery", Cell::text(if known.battery_low { "low" } else { "not known to be low" }));
    let budget = match known.budget_bytes {
        Some(budget) => format!(", of {} on a metered network", shown_bytes(budget)),
        None => String::new(),
    };
    let carried = format!("{} on {} (UTC){budget}", shown_bytes(known.bytes_today), clean(&known.day));
    row("carried", Cell::text(carried));
    row(
        "links",
        match known.links.as_str() {
            "kept" => Cell::text("are kept"),
            "at-need" => {
                Cell::text("are made when there is something to deliver, or every 15 minutes, and end")
                    .painted(|text| paint.alert(text))
            }
            "off" => Cell::text("nobody is dialed").painted(|text| paint.alert(text)),
            other => Cell::text(other),
        },
    );
    table.lines("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_and_what_follows_stand_beside_what_was_carried() {
        let known = NetworkShape {
            up: true,
            metered: true,
            battery_low: false,
            links: "at-need".into(),
            bytes_today: 20 << 20,
            day: "2022-10-15".into(),
            budget_bytes: Some(20 << 20),
        };
        let text = network(&known, Paint::PLAIN);
        assert!(text.contains("up, metered") && text.contains("2022-10-15"), "{text}");
        assert!(text.contains("are made when there is something to deliver"), "{text}");
    }
}
