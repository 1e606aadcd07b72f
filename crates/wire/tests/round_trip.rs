//! What is sent arrives: every message through every cut of the stream, and no batch that keeps
//! the sender's limits makes a frame that the receiver refuses.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod claims;
mod dice;
mod interview;

use dice::Dice;
use proptest::prelude::*;
use rukun_change::limits::{BODY_BYTES_MAX, CHANGE_BYTES_MAX, SEEN_MAX, STATEMENT_BYTES_MAX};
use rukun_change::{
    CauseHash, Cell, ChangeId, Fingerprint, Ink, Layout, Section, SectionMap, StatementId, SubSls,
};
use rukun_wire::limits::{
    BATCH_BYTES_MAX, BLOB_BYTES_MAX, BLOB_PIECE_BYTES_MAX, CHANGE_IDS_MAX, FRAME_BYTES_MAX,
    FRAME_CHANGES_MAX, SKETCH_REGIONS_MAX, STATEMENT_IDS_MAX, SUMMARY_SUB_SLS_MAX, SYMBOLS_MAX,
};
use rukun_wire::{Changes, Deframer, Message, Short, Sketch, Symbol, WireError};

fn through_a_link(message: &Message) -> Result<Message, WireError> {
    let mut deframer = Deframer::new();
    deframer.push(&message.encode());
    Message::of(&deframer.next_frame()?.expect("the whole frame was pushed"))
}

/// Bytes that do not compress.
fn noise(dice: &mut Dice, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| dice.next() as u8).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_arrives_as_it_was_sent(message in claims::message()) {
        prop_assert_eq!(through_a_link(&message), Ok(message));
    }

    #[test]
    fn frames_come_out_whole_however_the_stream_is_cut(
        messages in proptest::collection::vec(claims::message(), 1..6),
        sizes in proptest::collection::vec(1_usize..700, 1..40),
    ) {
        let stream: Vec<u8> = messages.iter().flat_map(Message::encode).collect();
        let mut deframer = Deframer::new();
        let (mut rest, mut arrived) = (&stream[..], Vec::new());
        for size in sizes.iter().cycle() {
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            deframer.push(piece);
            while let Some(body) = deframer.next_frame().unwrap() {
                arrived.push(Message::of(&body).unwrap());
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(arrived, messages);
    }

    #[test]
    fn a_message_has_one_spelling(message in claims::message()) {
        // The compressed three aside: there, zstd has many spellings of one content.
        if !matches!(message, Message::Changes(_) | Message::Stubs(_) | Message::Statements { .. }) {
            let frame = message.encode();
            prop_assert_eq!(Message::decode(&frame[4..]).unwrap().encode(), frame);
        }
    }
}

#[test]
fn a_body_arrives_with_its_own_checksum_whatever_its_sender_held() {
    let mut sent = interview::frame(1, 1);
    let honest = sent.clone();
    sent.items[0].change.body[..8].fill(0xee);
    assert_eq!(through_a_link(&Message::Changes(sent)), Ok(Message::Changes(honest)));
}

#[test]
fn changes_that_are_laid_out_arrive_beside_others() {
    let mut sent = interview::frame(9, 3);
    for index in [0, 4, 8] {
        sent.items[index].change.body = claims::chunk(b"no chunk that Automerge would write");
    }
    assert_eq!(through_a_link(&Message::Changes(sent.clone())), Ok(Message::Changes(sent)));
}

#[test]
fn what_has_no_room_among_those_that_are_laid_out_arrives_all_the_same() {
    let fields = |first: usize| (first..first + 400).map(|name| format!("f{name:04}")).collect::<Vec<_>>();
    let names: Vec<_> = [0, 200, 100].map(fields).into();
    let mut sent = interview::frame(names.len(), 3);
    for (item, names) in sent.items.iter_mut().zip(&names) {
        let cells = names.iter().map(|field| Cell { field, kind: 4, value: &[1] }).collect();
        let layout = Layout {
            deps: vec![],
            actor: item.change.author.actor(),
            others: vec![],
            seq: 1,
            start_op: 1,
            time_ms: i64::MIN,
            message: "",
            makes: vec![],
            sections: vec![Section { map: SectionMap::Root, cells }],
            replaced: None,
        };
        item.change.body = claims::chunk(&layout.chunk().unwrap());
    }
    assert_eq!(through_a_link(&Message::Changes(sent.clone())), Ok(Message::Changes(sent)));
}

#[test]
fn the_longest_statement_fits_a_frame() {
    let longest = noise(&mut Dice(1), STATEMENT_BYTES_MAX);
    let message = Message::Statements { items: vec![longest], last: true };
    assert_eq!(through_a_link(&message), Ok(message));
}

#[test]
fn the_fullest_batch_of_changes_fits_a_frame_and_one_change_always_does() {
    let mut dice = Dice(2);
    let mut longest = || {
        let mut item = interview::frame(1, dice.next()).items.remove(0);
        item.change.ink = Ink::Black;
        item.change.body = claims::chunk(&noise(&mut dice, BODY_BYTES_MAX - 8));
        item.change.seen = (0..SEEN_MAX).map(|_| CauseHash::from_bytes(dice.bytes())).collect();
        item.change.seen.sort();
        item
    };
    let bytes = longest().to_bytes().len();
    assert!(bytes <= CHANGE_BYTES_MAX && CHANGE_BYTES_MAX <= BATCH_BYTES_MAX);
    let mut items: Vec<_> = (0..BATCH_BYTES_MAX / bytes).map(|_| longest()).collect();
    let left = BATCH_BYTES_MAX - items.iter().map(|item| item.to_bytes().len()).sum::<usize>();
    let mut rest = interview::frame(1, 4).items.remove(0);
    rest.change.body = claims::chunk(&noise(&mut dice, left.saturating_sub(600)));
    items.push(rest);
    assert!(items.iter().map(|item| item.to_bytes().len()).sum::<usize>() <= BATCH_BYTES_MAX);
    let message = Message::Changes(Changes { frame: 1, upto: None, items });
    assert!(message.encode().len() > BATCH_BYTES_MAX - 1_024);
    assert_eq!(through_a_link(&message), Ok(message));
}

#[test]
fn the_longest_of_every_other_message_fits_a_frame() {
    let mut dice = Dice(5);
    let mut statements: Vec<_> =
        (0..STATEMENT_IDS_MAX).map(|_| StatementId::from_bytes(dice.bytes())).collect();
    statements.sort();
    let ids: Vec<_> = (0..CHANGE_IDS_MAX).map(|_| ChangeId::from_bytes(dice.bytes())).collect();
    let codes: Vec<SubSls> =
        (0..SUMMARY_SUB_SLS_MAX).map(|code| format!("18110100{code:08}").parse().unwrap()).collect();
    let one: Fingerprint = [[1; 32]].iter().collect();
    let digest = rukun_change::Digest::of(b"questionnaire");
    for message in [
        Message::StatementIds(statements),
        Message::Want(ids.clone()),
        Message::Ids { sub_sls: codes[0], ids, last: false },
        Message::Summary(codes.iter().map(|code| (*code, one)).collect()),
        Message::Sketch(Sketch {
            regions: codes.iter().take(SKETCH_REGIONS_MAX).map(SubSls::region).collect(),
            fingerprint: one,
            salt: u64::MAX,
            symbols: vec![Symbol { sum: u64::MAX, check: u32::MAX, count: -1 }; SYMBOLS_MAX],
        }),
        Message::Symbols(vec![Symbol::default(); SYMBOLS_MAX]),
        Message::Lack((0..SYMBOLS_MAX as u64).map(Short).collect()),
        Message::Differ(codes),
        Message::Blob {
            digest,
            offset: BLOB_BYTES_MAX - BLOB_PIECE_BYTES_MAX as u64,
            total: BLOB_BYTES_MAX,
            bytes: noise(&mut dice, BLOB_PIECE_BYTES_MAX),
        },
    ] {
        assert!(message.encode().len() <= 4 + FRAME_BYTES_MAX, "{}", message.name());
        assert_eq!(through_a_link(&message), Ok(message));
    }
}

#[test]
fn a_frame_of_interviews_takes_less_than_a_sixth_of_its_changes() {
    let changes = interview::frame(60, 5);
    let raw: usize = changes.items.iter().map(|item| item.to_bytes().len()).sum();
    let sent = Message::Changes(changes).encode().len();
    assert!(sent * 6 < raw, "{sent} of {raw}");
}

#[test]
fn a_frame_of_more_changes_than_allowed_is_refused() {
    let message = Message::Changes(interview::frame(FRAME_CHANGES_MAX, 6));
    assert!(through_a_link(&message).is_ok());
    let message = Message::Changes(interview::frame(FRAME_CHANGES_MAX + 1, 6));
    assert!(matches!(through_a_link(&message), Err(WireError::Malformed { message: "changes", .. })));
}
