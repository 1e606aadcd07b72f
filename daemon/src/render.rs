//! Answers for people's eyes: the shapes of the verbs become text, with inks in their colours where
//! the terminal has colours. Whatever others wrote is stripped of control characters first, so that
//! no name can command a terminal. Nothing is asked or decided here.

mod bundle;
mod conflicts;
mod courier;
mod custody;
mod erasure;
mod evidence;
mod hand_over;
mod loss;
mod network;
mod officers;
mod paint;
mod provenance;
mod qr;
mod records;
mod sls;
mod status;
mod table;

pub use bundle::{bundle_taken, bundle_written};
pub use conflicts::{conflict_details, conflict_list};
pub use courier::{parcel_dropped, parcel_given, parcel_taken, parcels};
pub use erasure::{erased, erased_list, erasing};
pub use evidence::evidence;
pub use hand_over::{assigned, moved, released};
pub use loss::{held, held_csv, losing, revoked, set_aside, settled};
pub use network::network;
pub use officers::{enrolled, id, invited, officers, withdrawn};
pub use paint::Paint;
pub use provenance::{blame, log};
pub use records::{bad_row, import_report, record, record_list, written};
pub use sls::{redrawn, redrawn_list};
pub use status::{founded, granted, grants, joined, peers, status};
pub use table::{Cell, Table};

use std::path::Path;

use serde_json::Value;

/// Digits of a change's id that are shown: enough to pick it.
const CHANGE_DIGITS: usize = 8;
/// Digits of a record's random part that are shown.
const SALT_DIGITS: usize = 8;

/// A record's id as people type it: its home and the beginning of the rest.
pub fn short_record(record: &str) -> String {
    match record.split_once('-') {
        Some((home, salt)) => format!("{home}-{}", beginning(salt, SALT_DIGITS)),
        None => clean(record),
    }
}

/// A change's id as people type it.
pub fn short_change(change: &str) -> String {
    beginning(change, CHANGE_DIGITS)
}

/// A device's id where the whole is too wide: its first group.
pub fn short_device(device: &str) -> String {
    clean(device.split('-').next().unwrap_or_default())
}

/// A place as people type it: a member by the beginning of its id.
pub fn short_field(field: &str) -> String {
    match field.split_once('/') {
        Some((member, field)) => format!("{}/{}", short_member(member), clean(field)),
        None => clean(field),
    }
}

/// A member's id as people type it.
pub fn short_member(member: &str) -> String {
    beginning(member, "m:".len() + 4)
}

/// A value as an officer reads it.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => "(none)".into(),
        Value::String(text) => clean(text),
        other => other.to_string(),
    }
}

/// A time to the second, by the clock of whoever made it.
pub fn shown_time(rfc3339: &str) -> String {
    match (rfc3339.get(..10), rfc3339.get(11..19)) {
        (Some(day), Some(time)) if rfc3339.ends_with('Z') => format!("{day} {time}Z"),
        _ => clean(rfc3339),
    }
}

/// A field's name with its label: `r304 (Jenis dinding terluas)`.
pub fn titled(field: &str, label: Option<&str>) -> String {
    match label {
        Some(label) => format!("{} ({})", short_field(field), clean(label)),
        None => short_field(field),
    }
}

/// Text without what a terminal would obey.
pub fn clean(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// A path as a shell takes it: as it is, or within quotes.
pub fn quoted(path: &Path) -> String {
    let text = clean(&path.display().to_string());
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+=:@%".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// The beginning of a long sentence.
pub fn shortened(text: &str, letters_max: usize) -> String {
    let text = clean(text);
    match text.char_indices().nth(letters_max) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default().trim_end()),
    }
}

/// Words in lines of at most so many letters, unless one word is longer.
pub fn wrapped(text: &str, letters_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in clean(text).split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < letters_max => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

/// A count of bytes, in three digits or so.
pub fn shown_bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut amount = bytes as f64;
    let mut unit = "B";
    for larger in UNITS {
        if amount < 999.5 {
            break;
        }
        amount /= 1000.0;
        unit = larger;
    }
    if unit == "B" || amount >= 99.95 { format!("{amount:.0} {unit}") } else { format!("{amount:.1} {unit}") }
}

/// A count with its noun: `1 family`, `2 families`.
pub fn counted(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

fn beginning(text: &str, letters: usize) -> String {
    clean(text).chars().take(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_wrote_commands_the_terminal() {
        assert_eq!(clean("Siti\u{1b}[2J\nAminah"), "Siti\u{fffd}[2J\u{fffd}Aminah");
        assert_eq!(shown(&"\u{7}".into()), "\u{fffd}");
        assert_eq!(shown_time("\u{1b}[31m"), "\u{fffd}[31m");
    }

    #[test]
    fn ids_are_shown_as_far_as_they_must_be_typed() {
        assert_eq!(short_record("1811010005000300-3f2a91c0d2e4aaaa"), "1811010005000300-3f2a91c0");
        assert_eq!(short_field("m:3f2a91c0d2e4aaaa/r402"), "m:3f2a/r402");
        assert_eq!(titled("r304", Some("Jenis dinding terluas")), "r304 (Jenis dinding terluas)");
        assert_eq!(shown_time("2022-10-20T08:12:31.123Z"), "2022-10-20 08:12:31Z");
    }

    #[test]
    fn long_sentences_are_shortened_or_wrapped_between_words() {
        assert_eq!(shortened("Siti Aminah", 5), "Siti…");
        assert_eq!(shortened("Siti", 5), "Siti");
        assert_eq!(wrapped("no answer to r101 at all", 13), ["no answer to", "r101 at all"]);
    }

    #[test]
    fn bytes_are_told_in_the_unit_that_fits() {
        let shown: Vec<String> = [0, 999, 1_000, 99_999, 1_250_000, 70_000_000].map(shown_bytes).into();
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "100 kB", "1.2 MB", "70.0 MB"]);
    }
}
