//! Merge patches: any JSON is refused with all that is wrong with it, or becomes a change that the
//! gate lets in and that says what the patch said.

use rukun_authority::Standing;
use rukun_change::{Ink, MemberId};
use rukun_document::{Reading, edit};
use serde_json::Value;

use super::people::{self, ANI, SUPERVISOR};

/// The first byte says who writes.
pub(super) fn run(data: &[u8]) {
    let Some((who, json)) = data.split_first() else { return };
    let Ok(patch) = serde_json::from_slice::<Value>(json) else { return };
    let (device, ink) = if who.is_multiple_of(2) { (ANI, Ink::Pencil) } else { (SUPERVISOR, Ink::Red) };
    let mut held = people::honest_work().clone();
    let reading = Reading::read(people::record(5), &held);
    let writer = people::writer(device, ink);
    let mut members = 100;
    let mut new_member = || {
        members += 1;
        MemberId::from_bytes([members; 8])
    };
    let draft = match edit(&reading, &held, people::questionnaire(), &writer, &patch, &mut new_member) {
        Ok(Some(draft)) => draft,
        Ok(None) => return,
        Err(error) => {
            assert!(matches!(
                error,
                rukun_document::EditError::Answers(_) | rukun_document::EditError::Body(_)
            ));
            return assert!(!error.to_string().is_empty());
        }
    };
    let made = draft.members.len();
    let claim = people::signed(device, 9, ink, draft);
    let change = people::judged(claim, &held).expect("what the keyboard makes, the gate lets in");
    let id = change.id();
    held.push((change, Standing::Good));
    let reading = Reading::read(people::record(5), &held);
    let logged = reading.log().iter().find(|logged| logged.change == id).expect("it is kept");
    assert!(logged.standing.is_good() && logged.writes.len() + made > 0);
    for (place, value) in &logged.writes {
        let answer = reading.answer(place).expect("it was written");
        let own = answer.in_ink(ink);
        assert!(matches!(own, [only] if only.value == *value), "{place} says something else");
    }
    if made == 0 {
        let again = edit(&reading, &held, people::questionnaire(), &writer, &patch, &mut new_member);
        assert_eq!(again, Ok(None), "the patch is there already");
    }
}
