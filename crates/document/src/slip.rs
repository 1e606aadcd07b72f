//! A name mistyped becomes the name that was probably meant.

/// How many letters a slip may change.
const SLIP_LETTERS_MAX: usize = 2;

/// The first of the names that are nearest to what was typed, if any is near.
pub(crate) fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let near = names.filter_map(|name| Some((slips(typed, name)?, name)));
    near.min_by_key(|(slips, _)| *slips).map(|(_, name)| name.into())
}

/// A remedy for a slip in a name, to be put at the end of a message.
pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// How many letters must be changed, put in or left out to get from one name to the other
/// (Levenshtein's distance), if they are few.
fn slips(typed: &str, name: &str) -> Option<usize> {
    if typed.len().abs_diff(name.len()) > SLIP_LETTERS_MAX {
        return None;
    }
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (at, letter) in typed.bytes().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        let (first, rest) = row.split_first_mut()?;
        *first = left;
        for (cell, other) in rest.iter_mut().zip(name.bytes()) {
            let above = *cell;
            left = (diagonal + usize::from(letter != other)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
    }
    row.last().copied().filter(|slips| *slips <= SLIP_LETTERS_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_slip_is_a_few_letters_changed_put_in_or_left_out() {
        for (typed, expected) in [
            ("r304", Some(0)),
            ("r34", Some(1)),
            ("r3044", Some(1)),
            ("R3o4", Some(2)),
            ("r4", Some(2)),
            ("x", None),
        ] {
            assert_eq!(slips(typed, "r304"), expected, "{typed}");
        }
        assert_eq!(nearest("r409a", ["r301a", "r309a", "r409"].into_iter()).as_deref(), Some("r309a"));
    }

    proptest! {
        #[test]
        fn a_slip_of_one_letter_is_always_near(at in 0_usize..4, letter in "[a-z]") {
            let mut name = String::from("r304");
            name.replace_range(at..=at, &letter);
            prop_assert!(slips(&name, "r304").is_some_and(|slips| slips <= 1));
        }
    }
}
