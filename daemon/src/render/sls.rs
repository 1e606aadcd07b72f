//! Sub-SLS that were split, merged or renamed, and what is to be done about it.

use std::fmt::Write as _;

use super::{Cell, Paint, Table, clean, counted};
use crate::verbs::{DrawnShape, RedrawnListShape, RedrawnShape, RetiredShape};

/// Sub-SLS that a line has room for.
const PLACES_SHOWN: usize = 5;

/// What was redrawn, and what to do next.
pub fn redrawn(redrawn: &RedrawnShape, paint: Paint) -> String {
    let mut text = format!("{} {}\n", redrawn.from.join(", "), done(&redrawn.kind));
    for drawn in &redrawn.to {
        let _ = writeln!(text, "  {}", paint.strong(called(&drawn.code, drawn.place.as_deref()).trim_end()));
    }
    let next = next_steps(redrawn);
    if !next.is_empty() {
        let _ = writeln!(text, "\nNext:\n{next}");
    }
    text.trim_end().to_owned() + "\n"
}

/// Everything that was redrawn, the latest last, and whom that left behind.
pub fn redrawn_list(list: &RedrawnListShape, paint: Paint) -> String {
    if list.redrawings.is_empty() {
        return "No sub-SLS was split, merged or renamed.\n".into();
    }
    let mut table = Table::with_heading(&["WHAT", "FROM", "TO", "BY"], paint);
    for redrawn in &list.redrawings {
        let to = redrawn.to.iter().map(|drawn| called(&drawn.code, Some(&drawn.name)));
        let to: Vec<String> = to.collect();
        let kind =
            if redrawn.counts { clean(&redrawn.kind) } else { format!("{} (void)", clean(&redrawn.kind)) };
        let alert = |kind: &str| if redrawn.counts { kind.into() } else { paint.alert(kind) };
        table.row([
            Cell::text(kind).painted(alert),
            Cell::text(redrawn.from.join(", ")),
            Cell::text(to.join(", ")),
            Cell::text(&redrawn.by),
        ]);
    }
    let mut text = table.lines("");
    let left = list.redrawings.iter().flat_map(|redrawn| &redrawn.retired).filter(|left| left.records > 0);
    let left: String = left.map(moving).collect();
    if !left.is_empty() {
        let _ = write!(text, "\nStill to be moved:\n{left}");
    }
    text
}

fn done(kind: &str) -> &'static str {
    match kind {
        "split" => "is split into",
        "merge" => "are merged into",
        _ => "is now called",
    }
}

fn called(code: &str, name: Option<&str>) -> String {
    format!("{} {}", clean(code), clean(name.unwrap_or_default())).trim_end().to_owned()
}

fn next_steps(redrawn: &RedrawnShape) -> String {
    let is_new = |drawn: &&DrawnShape| !drawn.assigned && !redrawn.from.contains(&drawn.code);
    let mut text = String::new();
    for DrawnShape { code, .. } in redrawn.to.iter().filter(is_new) {
        let code = clean(code);
        let _ =
            writeln!(text, "  no enumerator has {code}: let whoever granted the old one grant it too, with");
        let _ = writeln!(
            text,
            "    rukun grant DEVICE --role enumerator --region {code} --region ... --name NAME"
        );
        let _ = writeln!(
            text,
            "  (all its regions, since that replaces the grant before), or hand it over, with"
        );
        let _ = writeln!(text, "    rukun assign --region {code} --from WHO-HAS-IT --to WHO-WORKS-THERE");
    }
    text.extend(redrawn.retired.iter().filter(|left| left.records > 0).map(moving));
    text
}

/// That nobody is there to visit the families of these places, and what to do about it.
pub(super) fn no_enumerator(codes: &[&str]) -> String {
    let Some(first) = codes.first() else { return String::new() };
    let named = codes.iter().take(PLACES_SHOWN).map(|code| clean(code));
    let mut named = named.collect::<Vec<_>>().join(", ");
    if codes.len() > PLACES_SHOWN {
        let _ = write!(named, " and {} more", codes.len() - PLACES_SHOWN);
    }
    let code = if codes.len() == 1 { clean(first) } else { "CODE".into() };
    format!(
        "no enumerator has {named}: let whoever grants there grant it, with\n  rukun grant DEVICE --role enumerator \
         --region {code} --region ... --name NAME\n(all its regions, since that replaces the grant before), or invite \
         somebody, with\n  rukun officers import FILE\n"
    )
}

/// Who still lives in a retired place, and how to move them.
fn moving(left: &RetiredShape) -> String {
    let code = clean(&left.code);
    let mut text = format!(
        "  {} in {}: rukun record list --region {code}\n",
        counted(left.records, "family is", "families are"),
        called(&code, left.place.as_deref())
    );
    let into: Vec<String> = left.into.iter().map(|code| clean(code)).collect();
    let _ = writeln!(text, "    move each with rukun transfer RECORD --to {}", into.join(" or "));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(records: u64, assigned: bool) -> RedrawnShape {
        let code = "1811010005001500".to_owned();
        let drawn = DrawnShape { code, name: "RT 015".into(), place: Some("RT 015".into()), assigned };
        let retired = RetiredShape {
            code: "1811010005000300".into(),
            place: None,
            into: vec![drawn.code.clone()],
            records,
        };
        RedrawnShape {
            redrawing: "9c".into(),
            kind: "merge".into(),
            from: vec!["1811010005000300".into(), "1811010005000400".into()],
            to: vec![drawn],
            by: "BPS\u{1b}[2J".into(),
            device: "D".into(),
            counts: true,
            retired: vec![retired],
        }
    }

    #[test]
    fn what_was_redrawn_says_who_is_to_be_granted_it_and_whom_to_move() {
        let text = redrawn(&merged(2, false), Paint::PLAIN);
        for said in [
            "are merged into\n  1811010005001500 RT 015",
            "rukun grant DEVICE",
            "2 families are in 1811010005000300",
            "rukun transfer RECORD --to 1811010005001500",
        ] {
            assert!(text.contains(said), "{said} is not in\n{text}");
        }
        let text = redrawn(&merged(0, true), Paint::PLAIN);
        assert!(!text.contains("Next") && text.ends_with("RT 015\n"), "{text}");
    }

    #[test]
    fn the_list_tells_whose_word_does_not_count_and_whom_it_left_behind() {
        let list = RedrawnListShape {
            redrawings: vec![
                merged(1, true),
                RedrawnShape { counts: false, retired: vec![], ..merged(0, true) },
            ],
        };
        let text = redrawn_list(&list, Paint::PLAIN);
        assert!(text.contains("merge (void)") && text.contains("1 family is in 1811010005000300"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
