//! What a courier's device carries, for people.

use std::path::Path;

use super::provenance::who;
use super::{Cell, Paint, Table, beginning, clean, quoted, shown_bytes, shown_time};
use crate::verbs::{ParcelShape, ParcelsShape};

/// Digits of a bundle's id that are shown: enough to name it.
const BUNDLE_DIGITS: usize = 8;

/// Everything on the list.
pub fn parcels(list: &ParcelsShape, paint: Paint) -> String {
    if list.bundles.is_empty() {
        return "Nothing is carried for others. To take a bundle along:\n  rukun courier take FILE\n".into();
    }
    let mut table = Table::with_heading(&["BUNDLE", "FROM", "FOR", "SIZE", "SINCE", "STATE"], paint);
    for parcel in &list.bundles {
        let alert = |text: &str| if parcel.why.is_some() { paint.alert(text) } else { text.into() };
        table.row([
            Cell::text(short(parcel)),
            Cell::text(&parcel.from.author),
            Cell::text(&parcel.recipient.author),
            Cell::text(shown_bytes(parcel.bytes)).right(),
            Cell::text(shown_time(&parcel.since)),
            Cell::text(state(parcel)).painted(alert),
        ]);
    }
    table.lines("")
}

/// One that was taken along, and what comes of it.
pub fn parcel_taken(parcel: &ParcelShape, _: Paint) -> String {
    let (from, to) = (who(&parcel.from), who(&parcel.recipient));
    if parcel.state == "brought" {
        return format!("{} from {from} was brought to {to} before; no answer has come\n", short(parcel));
    }
    format!(
        "carrying {} from {from} for {to}, {}\n\
         it goes there as soon as both devices are linked, and the answer comes back by this one\n\
         to see what became of it:\n  rukun courier list\n",
        short(parcel),
        shown_bytes(parcel.bytes),
    )
}

/// One that was written into a file.
pub fn parcel_given(file: &Path, parcel: &ParcelShape) -> String {
    let file = quoted(file);
    format!(
        "wrote {file}, for {}\nonly that device can open it:\n  rukun bundle import {file}\n",
        who(&parcel.recipient)
    )
}

/// One that is carried no longer.
pub fn parcel_dropped(parcel: &ParcelShape, _: Paint) -> String {
    format!("{} for {} is carried no longer\n", short(parcel), who(&parcel.recipient))
}

fn short(parcel: &ParcelShape) -> String {
    beginning(&parcel.bundle, BUNDLE_DIGITS)
}

fn state(parcel: &ParcelShape) -> String {
    let by = parcel.by.as_ref().map(|by| by.author.as_str()).unwrap_or_default();
    let what = if parcel.is_answer { "the answer, " } else { "" };
    let text = match parcel.state.as_str() {
        "coming" => format!("coming from {by}"),
        "carried" => format!("{what}carried"),
        "brought" => "brought; no answer has come".into(),
        "refused" => format!("refused: {}", parcel.why.as_deref().unwrap_or_default()),
        "waiting" => format!("{what}waiting for {by}"),
        other => other.into(),
    };
    clean(&text)
}
