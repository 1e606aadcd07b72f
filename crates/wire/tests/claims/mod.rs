//! Any message that a peer within its limits can send.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use rukun_change::{
    Author, CauseHash, Change, ChangeId, DeviceKey, Digest, Fingerprint, Header, Incarnation, Ink, RecordId,
    SignedChange, SignedHeader, StatementId, SubSls, SurveyId,
};
use rukun_wire::{
    Changes, CloseCode, CloseReason, Cursor, Exception, Hello, Message, Parcel, Short, Sketch, Stubs, Symbol,
};

/// A chunk: the magic, the checksum of the rest, the rest.
pub(crate) fn chunk(rest: &[u8]) -> Vec<u8> {
    [&[0x85, 0x6f, 0x4a, 0x83], &Digest::of(rest).as_bytes()[..4], rest].concat()
}

/// Any message of any type.
pub(crate) fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        hello().prop_map(Message::Hello),
        btree_set(any::<[u8; 32]>(), 0..50)
            .prop_map(|ids| Message::StatementIds(ids.into_iter().map(StatementId::from_bytes).collect())),
        (strings(), any::<bool>()).prop_map(|(items, last)| Message::Statements { items, last }),
        (any::<[u8; 32]>(), 0..=16_777_216_u64)
            .prop_map(|(digest, offset)| Message::BlobWant { digest: Digest::from_bytes(digest), offset }),
        blob(),
        changes().prop_map(Message::Changes),
        changes().prop_map(|changes| Message::Stubs(stubs(changes))),
        (any::<u64>(), vec((change_id(), exception()), 0..=64))
            .prop_map(|(frame, exceptions)| Message::Ack { frame, exceptions }),
        summary().prop_map(Message::Summary),
        btree_set(sub_sls(), 0..50).prop_map(|codes| Message::Differ(codes.into_iter().collect())),
        (sub_sls(), vec(change_id(), 0..50), any::<bool>()).prop_map(|(sub_sls, ids, last)| Message::Ids {
            sub_sls,
            ids,
            last
        }),
        vec(change_id(), 0..50).prop_map(Message::Want),
        sketch().prop_map(Message::Sketch),
        any::<u64>().prop_map(Message::More),
        vec(symbol(), 0..50).prop_map(Message::Symbols),
        btree_set(any::<u64>().prop_map(Short), 0..50)
            .prop_map(|shorts| Message::Lack(shorts.into_iter().collect())),
        any::<bool>().prop_map(|again| Message::Unclear { again }),
        parcels(),
        (any::<[u8; 32]>(), proptest::option::of("\\PC{0,64}"))
            .prop_map(|(digest, refused)| Message::ParcelEnd { digest: Digest::from_bytes(digest), refused }),
        (0_u64..10, "\\PC{0,128}").prop_map(|(number, text)| {
            Message::Close(CloseReason { code: CloseCode::from_number(number).unwrap(), text })
        }),
    ]
}

fn parcels() -> impl Strategy<Value = Message> {
    let parcel = any::<([u8; 32], [u8; 32], u32, bool)>();
    let rows = proptest::collection::btree_map(any::<[u8; 32]>(), parcel, 0..9);
    rows.prop_map(|rows| {
        let parcels = rows.into_iter().map(|(digest, (sender, recipient, bytes, is_answer))| Parcel {
            digest: Digest::from_bytes(digest),
            sender: DeviceKey::from_bytes(sender),
            recipient: DeviceKey::from_bytes(recipient),
            bytes: u64::from(bytes) % 16_777_217,
            is_answer,
        });
        Message::Parcels(parcels.collect())
    })
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let regions = btree_set(sub_sls().prop_map(|home| home.region()), 0..5);
    (regions, btree_set(any::<[u8; 32]>(), 0..3), any::<u64>(), vec(symbol(), 0..20)).prop_map(
        |(regions, ids, salt, symbols)| Sketch {
            regions: regions.into_iter().collect(),
            fingerprint: ids.iter().collect(),
            salt,
            symbols,
        },
    )
}

fn symbol() -> impl Strategy<Value = Symbol> {
    any::<(u64, u32, i8)>().prop_map(|(sum, check, count)| Symbol { sum, check, count })
}

fn changes() -> impl Strategy<Value = Changes> {
    let authors = vec(author(), 1..5);
    let items = authors.prop_flat_map(|authors| vec(signed_change(authors), 0..=20));
    (any::<u64>(), any::<Option<u64>>(), items).prop_map(|(frame, upto, items)| Changes {
        frame,
        upto,
        items,
    })
}

/// What is left of the changes.
fn stubs(changes: Changes) -> Stubs {
    let items = changes.items.into_iter().map(|SignedChange { change, signature }| {
        let Change { author, n, record, ink, seen, body } = change;
        let cause = CauseHash::from_bytes(*Digest::of(&body).as_bytes());
        SignedHeader { header: Header { author, n, record, ink, cause, seen }, signature }
    });
    Stubs { frame: changes.frame, upto: changes.upto, items: items.collect() }
}

fn signed_change(authors: Vec<Author>) -> impl Strategy<Value = SignedChange> {
    let numbered = (proptest::sample::select(authors), any::<u64>());
    let placed = (sub_sls(), any::<[u8; 8]>(), proptest::sample::select(&Ink::ALL[..]));
    let seen = btree_set(any::<[u8; 32]>(), 0..4);
    (numbered, placed, seen, vec(any::<u8>(), 0..300), vec(any::<u8>(), 64)).prop_map(
        |((author, n), (home, salt, ink), seen, rest, signature)| {
            let seen = seen.into_iter().filter(|_| ink.names_seen()).map(CauseHash::from_bytes).collect();
            let record = RecordId::new(home, salt);
            let change = Change { author, n, record, ink, seen, body: chunk(&rest) };
            SignedChange { change, signature: signature.try_into().unwrap() }
        },
    )
}

fn hello() -> impl Strategy<Value = Hello> {
    let cursor = (any::<[u8; 4]>(), any::<u64>())
        .prop_map(|(epoch, seq)| Cursor { epoch: Incarnation::from_bytes(epoch), seq });
    let versions = (any::<u16>(), any::<u16>()).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let ids = (any::<Option<[u8; 32]>>(), any::<[u8; 4]>());
    let statements = proptest::option::of(fingerprint());
    (versions, ids, proptest::option::of(cursor), any::<u64>(), statements, strings()).prop_map(
        |(versions, (survey, epoch), received, held, statements, chain)| {
            let (survey, epoch) = (survey.map(SurveyId::from_bytes), Incarnation::from_bytes(epoch));
            Hello { versions, survey, epoch, received, held, statements, chain }
        },
    )
}

fn blob() -> impl Strategy<Value = Message> {
    (any::<[u8; 32]>(), 0..=16_777_216_u64, vec(any::<u8>(), 0..3_000), any::<u64>()).prop_map(
        |(digest, offset, bytes, more)| {
            let end = (offset + bytes.len() as u64).min(16_777_216);
            let offset = end - bytes.len() as u64;
            let total = end + more % (16_777_217 - end);
            Message::Blob { digest: Digest::from_bytes(digest), offset, total, bytes }
        },
    )
}

fn exception() -> impl Strategy<Value = Exception> {
    prop_oneof![Just(Exception::Waiting), "\\PC{0,64}".prop_map(Exception::Refused)]
}

fn summary() -> impl Strategy<Value = Vec<(SubSls, Fingerprint)>> {
    proptest::collection::btree_map(sub_sls(), fingerprint(), 0..8)
        .prop_map(|rows| rows.into_iter().collect())
}

fn fingerprint() -> impl Strategy<Value = Fingerprint> {
    vec(any::<[u8; 32]>(), 0..4).prop_map(|ids| ids.iter().collect())
}

fn strings() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 0..200), 0..=16)
}

fn author() -> impl Strategy<Value = Author> {
    (any::<[u8; 32]>(), any::<[u8; 4]>()).prop_map(|(device, incarnation)| Author {
        device: DeviceKey::from_bytes(device),
        incarnation: Incarnation::from_bytes(incarnation),
    })
}

fn change_id() -> impl Strategy<Value = ChangeId> {
    any::<[u8; 32]>().prop_map(ChangeId::from_bytes)
}

fn sub_sls() -> impl Strategy<Value = SubSls> {
    (0..10_000_000_000_000_000_u64).prop_map(|code| format!("{code:016}").parse().unwrap())
}
