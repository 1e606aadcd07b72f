//! Lies in changes: what the gate refuses, lets wait, or lets in to be set aside.

use rukun_change::{
    Author, Body, CauseHash, ChangeId, DeviceKey, Incarnation, Ink, MemberId, OpId, RecordId, Scalar,
    SignedChange, SurveyId,
};
use rukun_wire::{Message, Stubs};

use super::chunk::leb;
use super::{Chunk, Draft, Expect, Lie, Pen, Spot, Telling, Truth, frame_of};
use crate::world::Chance;
use crate::world::model::Fact;

/// The frames of a lie that is told by changes; nothing if it is told otherwise.
pub(super) fn tell(lie: Lie, chance: &mut Chance, truth: &Truth<'_>, pen: &Pen) -> Option<Telling> {
    let draft = draft(chance, truth);
    let admitted = |items: Vec<SignedChange>| {
        Telling::greeted(vec![frame_of(1, items.clone())], Expect::Admitted).admits(items)
    };
    let refused = |items: Vec<SignedChange>| {
        let expect = Expect::Refused(items.len());
        Telling::greeted(vec![frame_of(1, items)], expect)
    };
    let waits = |one: SignedChange| Telling::greeted(vec![frame_of(1, vec![one])], Expect::Waits(1));
    Some(match lie {
        Lie::ForgedSignature => forged_signature(chance, pen, &draft),
        Lie::ChangedField => refused(changed_fields(chance, pen, &draft)),
        Lie::OthersNumber => refused(vec![others_number(chance, truth, pen)]),
        Lie::OthersActor => refused(vec![pen.sign(&draft, chance.pick(truth.honest).change.body.clone())]),
        Lie::TwoRecords => admitted(two_records(chance, pen, &draft)),
        Lie::TwoNumbers => {
            let next = Draft { n: draft.n + 1, ..draft.clone() };
            admitted(vec![pen.write(&draft), pen.write(&next)])
        }
        Lie::Fork => {
            let other = Draft { record: other_record(chance, &draft), ..draft.clone() };
            let other = Draft { writes: vec![answer(chance, "r305")], ..other };
            admitted(vec![pen.write(&draft), pen.write(&other)])
        }
        Lie::ForkInRecord => {
            let other = Draft { n: draft.n + 1, writes: vec![answer(chance, "r305")], ..draft.clone() };
            admitted(vec![pen.write(&draft), pen.write(&other)])
        }
        Lie::OthersInk => {
            let ink = *chance.pick(&[Ink::Printed, Ink::Red, Ink::Green, Ink::Black]);
            admitted(vec![pen.write(&Draft { ink, ..draft })])
        }
        Lie::Gap => {
            admitted(vec![pen.write(&Draft { seq: chance.between(2, u64::from(u32::MAX)), ..draft })])
        }
        Lie::Dangling => admitted(vec![dangling(chance, truth, pen, draft)]),
        Lie::NoCause => {
            waits(pen.write(&Draft { deps: vec![CauseHash::from_bytes(chance.bytes())], ..draft }))
        }
        Lie::NoHead => {
            let seen = vec![CauseHash::from_bytes(chance.bytes())];
            waits(pen.write(&Draft { ink: Ink::Black, seen, ..draft }))
        }
        Lie::SeenInPencil => {
            let seen = vec![CauseHash::from_bytes(chance.bytes())];
            let one = pen.write(&Draft { ink: Ink::Pencil, seen, ..draft });
            Telling::greeted(vec![frame_of(1, vec![one])], Expect::LinkCloses)
        }
        Lie::StubUnasked => {
            let items = vec![pen.write(&draft).signed_header().expect("a pen writes chunks")];
            let frame = Message::Stubs(Stubs { frame: 1, upto: None, items }).encode();
            Telling::greeted(vec![frame], Expect::Refused(1))
        }
        Lie::HugeNumber => admitted(vec![pen.write(&Draft { n: u64::MAX, ..draft })]),
        Lie::NumberZero => refused(vec![pen.write(&Draft { n: 0, ..draft })]),
        Lie::OutOfScope => {
            let one = pen.write(&Draft { record: RecordId::new(truth.far, chance.bytes()), ..draft });
            if truth.victim_in_far {
                return Some(waits(one));
            }
            Telling::greeted(vec![frame_of(1, vec![one])], Expect::LinkCloses)
        }
        Lie::OtherSurveysChange => {
            let elsewhere = Pen { survey: SurveyId::from_bytes(chance.bytes()), ..pen.clone() };
            refused(vec![elsewhere.write(&draft)])
        }
        Lie::Compressed => {
            let mut one = pen.write(&draft);
            one.change.body = Chunk { kind: 2, ..Chunk::of(&one.change.body) }.to_bytes();
            refused(vec![one])
        }
        Lie::Malformed => malformed(chance, truth, pen, &draft),
        Lie::HugeCountInChange => refused(huge_counts(pen, &draft)),
        Lie::Replay => replay(truth),
        _ => return None,
    })
}

fn answer(chance: &mut Chance, field: &str) -> (Spot, String, Scalar) {
    (Spot::Family, field.into(), Scalar::Int(chance.between(1, 7) as i64))
}

/// What no keyboard lets through, half of the time.
fn odd_answer(chance: &mut Chance) -> (&'static str, Scalar) {
    let text = |text: &str| Scalar::Text(text.into());
    match chance.below(10) {
        0 => ("r304", Scalar::Int(i64::MAX)),
        1 => ("r112", text("enam")),
        2 => ("r402", text("Anggota")),
        3 => ("r999", Scalar::Int(1)),
        4 => ("r403", text("1811010101200001")),
        _ => ("r304", Scalar::Int(chance.between(1, 7) as i64)),
    }
}

/// A first change of its author: in a record that there is, or in one that nobody knows.
fn draft(chance: &mut Chance, truth: &Truth<'_>) -> Draft {
    let there = truth.honest.iter().map(|one| one.change.record).filter(|one| one.home() == truth.home);
    let there: Vec<RecordId> = there.collect();
    let new = RecordId::new(truth.home, chance.bytes());
    let record = chance.place(there.len()).filter(|_| !chance.one_in(3)).map_or(new, |at| there[at]);
    let (field, value) = odd_answer(chance);
    let n = chance.between(1, 1 << 40);
    Draft { time_ms: chance.between(0, 1 << 41) as i64, ..Draft::new(n, record, Ink::Pencil, field, value) }
}

fn other_record(chance: &mut Chance, draft: &Draft) -> RecordId {
    RecordId::new(draft.record.home(), chance.bytes())
}

fn forged_signature(chance: &mut Chance, pen: &Pen, draft: &Draft) -> Telling {
    let good = pen.write(draft);
    let mut forged =
        pen.write(&Draft { n: draft.n + 1, record: other_record(chance, draft), ..draft.clone() });
    forged.signature[chance.below(64)] ^= 1 << chance.below(8);
    Telling::greeted(vec![frame_of(1, vec![forged, good.clone()])], Expect::Refused(1)).admits(vec![good])
}

/// Each field that a signature must cover, changed in a good change that is not told itself.
fn changed_fields(chance: &mut Chance, pen: &Pen, draft: &Draft) -> Vec<SignedChange> {
    let good = pen.write(draft);
    let record = other_record(chance, draft);
    let changes = [
        rukun_change::Change { record, ..good.change.clone() },
        rukun_change::Change { n: draft.n + 1, ..good.change.clone() },
        rukun_change::Change { ink: Ink::Printed, ..good.change.clone() },
    ];
    changes.map(|change| SignedChange { change, signature: good.signature }).into()
}

fn others_number(chance: &mut Chance, truth: &Truth<'_>, pen: &Pen) -> SignedChange {
    let honest = &chance.pick(truth.honest).change;
    let mut change = honest.clone();
    change.record = other_record(chance, &Draft::new(1, honest.record, Ink::Pencil, "r304", Scalar::Null));
    let own = rukun_change::Change { author: pen.author(), ..change.clone() };
    let signature = rukun_authority::sign(&pen.keypair, own, &pen.survey).expect("an honest body").signature;
    SignedChange { change, signature }
}

fn two_records(chance: &mut Chance, pen: &Pen, draft: &Draft) -> Vec<SignedChange> {
    let one = pen.write(draft);
    let other = Draft { n: draft.n + 1, record: other_record(chance, draft), ..draft.clone() };
    let other = pen.sign(&other, one.change.body.clone());
    vec![one, other]
}

/// A member of somebody else's, in a map that the change did not know of, or that nobody made.
fn dangling(chance: &mut Chance, truth: &Truth<'_>, pen: &Pen, draft: Draft) -> SignedChange {
    let maps = truth.honest.iter().filter(|one| one.change.record == draft.record);
    let maps = maps.filter_map(|one| Body::decode(&one.change.body).ok()).flat_map(|body| body.maps);
    let maps: Vec<OpId> = maps.map(|map| map.op).filter(|op| op.counter < 1_000).collect();
    let actor = Author { device: DeviceKey::from_bytes(chance.bytes()), ..pen.author() }.actor();
    let op = chance.place(maps.len()).map_or(OpId { counter: 1, actor }, |at| maps[at]);
    let writes = vec![(Spot::Map(op), "r402".into(), Scalar::Text("Bukan siapa-siapa".into()))];
    pen.write(&Draft { start_op: op.counter + 1, writes, ..draft })
}

/// Columns with bytes changed; now and then that is another good change.
fn malformed(chance: &mut Chance, truth: &Truth<'_>, pen: &Pen, draft: &Draft) -> Telling {
    let member = Spot::Member(MemberId::from_bytes(chance.bytes()));
    let writes = vec![answer(chance, "r304"), (member, "r402".into(), Scalar::Text("Putri".into()))];
    let good = pen.write(&Draft { writes, ..draft.clone() });
    let (mut items, mut admitted) = (Vec::new(), Vec::new());
    for index in 0..8 {
        let mut chunk = Chunk::of(&good.change.body);
        for _ in 0..chance.between(1, 3) {
            let at = chance.below(chunk.rest.len());
            match chance.below(3) {
                0 => chunk.rest[at] ^= 1 << chance.below(8),
                1 => chunk.rest.truncate(at),
                _ => chunk.rest.insert(at, chance.u64() as u8),
            }
            if chunk.rest.is_empty() {
                break;
            }
        }
        let draft = Draft { n: draft.n + index, ..draft.clone() };
        let one = pen.sign(&draft, chunk.to_bytes());
        if Fact::in_survey(&one, &truth.survey).is_ok() {
            admitted.push(one.clone());
        }
        items.push(one);
    }
    let expect = Expect::Refused(items.len() - admitted.len());
    Telling::greeted(vec![frame_of(1, items)], expect).admits(admitted)
}

/// 2^63 wherever a chunk has a number.
fn huge_counts(pen: &Pen, draft: &Draft) -> Vec<SignedChange> {
    let huge = leb(1 << 63);
    let actor = [&leb(16)[..], pen.author().actor().as_bytes()].concat();
    let head = |seq: &[u8], start_op: &[u8]| [&leb(0)[..], &actor, seq, start_op].concat();
    let one = leb(1);
    let contents = [
        huge.clone(),
        [&leb(0)[..], &huge].concat(),
        [head(&huge, &one), vec![0; 8]].concat(),
        [head(&one, &huge), vec![0; 8]].concat(),
        // The time; the length of the message; how many other actors; how many columns.
        [&head(&one, &one)[..], &huge].concat(),
        [&head(&one, &one)[..], &leb(0), &huge].concat(),
        [&head(&one, &one)[..], &leb(0), &leb(0), &huge].concat(),
        [&head(&one, &one)[..], &leb(0), &leb(0), &leb(0), &huge].concat(),
        // One column, of keys, and its length; then as many rows of nothing.
        [&head(&one, &one)[..], &leb(0), &leb(0), &leb(0), &leb(1), &leb(21), &huge].concat(),
        [&head(&one, &one)[..], &leb(0), &leb(0), &leb(0), &leb(1), &leb(52), &leb(10), &huge].concat(),
    ];
    let sealed = (0..).zip(&contents).map(|(index, contents)| {
        let draft = Draft { n: draft.n + index, ..draft.clone() };
        pen.sign(&draft, Chunk::sealed(1, contents))
    });
    let mut items: Vec<SignedChange> = sealed.collect();
    // A chunk that lies about its own length has no hash, so nothing can sign it.
    let mut last = pen.write(&Draft { n: draft.n + 100, ..draft.clone() });
    last.change.body = Chunk::claiming(1, 1 << 63, &[0; 40]);
    items.push(last);
    items
}

/// What the victim has, last first and the last twice.
fn replay(truth: &Truth<'_>) -> Telling {
    let items: Vec<SignedChange> = truth.honest.iter().rev().take(60).cloned().collect();
    let twice = items.iter().take(1).cloned().chain(items.iter().cloned()).collect();
    Telling::greeted(vec![frame_of(1, twice)], Expect::Admitted)
}

/// The id of a change that nobody made.
pub(super) fn no_change(chance: &mut Chance) -> ChangeId {
    ChangeId::from_bytes(chance.bytes())
}

/// An incarnation that nobody has.
pub(super) fn no_incarnation(chance: &mut Chance) -> Incarnation {
    Incarnation::from_bytes(chance.bytes())
}
