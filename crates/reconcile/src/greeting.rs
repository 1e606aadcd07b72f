//! What two greetings settle: the version both speak, and from where the log is sent.

use rukun_change::Incarnation;
use rukun_wire::Hello;

/// The lowest and the highest version of the protocol that this program speaks.
pub const PROTOCOL_VERSIONS: (u16, u16) = (1, 1);

/// The highest version that both speak.
pub fn agree_on_version(theirs: (u16, u16)) -> Option<u16> {
    let (lowest, highest) = PROTOCOL_VERSIONS;
    let agreed = highest.min(theirs.1);
    (agreed >= lowest.max(theirs.0)).then_some(agreed)
}

/// Up to where this peer says, in a way that can be true, that it has our log: where its cursor stands
/// if that belongs to this log, and otherwise the beginning.
pub fn known_upto(theirs: &Hello, epoch: Incarnation, head: u64) -> u64 {
    let cursor = theirs.received.filter(|cursor| cursor.epoch == epoch && cursor.seq <= head);
    cursor.map_or(0, |cursor| cursor.seq)
}

/// The place in our log after which this peer is sent what we hold: where its cursor stands, the
/// beginning if it holds nothing, and otherwise the end, since a peer that holds changes by other
/// routes is cheaper to repair by its fingerprints than by sending everything again.
pub fn starts_after(theirs: &Hello, epoch: Incarnation, head: u64) -> u64 {
    match theirs.received {
        _ if cfg!(planted = "log-from-start") => 0,
        Some(cursor) if cursor.epoch == epoch && cursor.seq <= head => cursor.seq,
        _ if theirs.held == 0 => 0,
        _ => head,
    }
}

#[cfg(test)]
mod tests {
    use rukun_change::{Fingerprint, SurveyId};
    use rukun_wire::Cursor;

    use super::*;

    fn hello(received: Option<(u8, u64)>, held: u64) -> Hello {
        let received =
            received.map(|(epoch, seq)| Cursor { epoch: Incarnation::from_bytes([epoch; 4]), seq });
        let (survey, epoch) = (SurveyId::from_bytes([0; 32]), Incarnation::from_bytes([9; 4]));
        Hello {
            versions: (1, 1),
            survey: Some(survey),
            epoch,
            received,
            held,
            statements: Some(Fingerprint::default()),
            chain: Vec::new(),
        }
    }

    #[test]
    fn a_cursor_counts_only_for_the_log_it_was_taken_from() {
        let ours = Incarnation::from_bytes([1; 4]);
        assert_eq!(starts_after(&hello(Some((1, 7)), 3), ours, 10), 7);
        assert_eq!(starts_after(&hello(Some((2, 7)), 3), ours, 10), 10);
        assert_eq!(starts_after(&hello(Some((1, 11)), 3), ours, 10), 10);
        assert_eq!(starts_after(&hello(None, 0), ours, 10), 0);
        assert_eq!(starts_after(&hello(None, 3), ours, 10), 10);
    }

    #[test]
    fn nothing_is_known_to_be_held_by_who_has_no_cursor_of_this_log() {
        let ours = Incarnation::from_bytes([1; 4]);
        assert_eq!(known_upto(&hello(Some((1, 7)), 3), ours, 10), 7);
        assert_eq!(known_upto(&hello(Some((2, 7)), 3), ours, 10), 0);
        assert_eq!(known_upto(&hello(Some((1, 11)), 3), ours, 10), 0);
        assert_eq!(known_upto(&hello(None, 3), ours, 10), 0);
    }

    #[test]
    fn versions_agree_on_the_highest_that_both_speak() {
        assert_eq!(agree_on_version((1, 9)), Some(1));
        assert_eq!(agree_on_version((2, 9)), None);
        assert_eq!(agree_on_version((0, 0)), None);
    }
}
