//! Changes by devices that lie: parts are mutated and then signed, so that they reach the gate. What
//! it lets in is read together with honest work, in any order alike, and takes nothing away from it.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::panic::catch_unwind;

use automerge::legacy::{Key, ObjectId, Op, OpId, OpType};
use automerge::{ChangeHash, ExpandedChange, ObjType, ScalarValue};
use rukun_authority::{AdmittedChange, AdmittedHeader, Standing, sign};
use rukun_change::{Author, CauseHash, Change, Ink, MemberId, RecordId, Scalar, SignedChange};
use rukun_document::{Place, Reading, write};

use super::chunk::{chunk, leb};
use super::input::Input;
use super::people::{self, ANI, Held, LIARS};

const CHANGES_MAX: usize = 12;
const FIELDS: [&str; 8] = ["r304", "r305", "r108", "r402", "r407", "gone", "r114", "not_asked"];
const TEXTS: [&str; 6] = ["", "Siti", "1811010101100001", "\u{1b}[2J\n", "gone away", "\u{10ffff}"];

/// Changes one after another, until the bytes end.
pub(super) fn run(data: &[u8]) {
    let honest = people::honest_work().len();
    let held = admitted(data);
    if held.len() > honest {
        assert!(held[..honest].iter().all(|(_, standing)| standing.is_good()), "nobody forks another's work");
        for salt in [5, 6] {
            inspect(people::record(salt), &held, honest);
        }
        ani_goes_on(&held);
    }
}

/// The honest work and what the gate lets in beside it, and how all of it stands.
pub(super) fn admitted(data: &[u8]) -> Held {
    let mut input = Input::new(data);
    let mut held = people::honest_work().clone();
    for _ in 0..CHANGES_MAX {
        if input.is_empty() {
            break;
        }
        let Some(claim) = claim(&mut input, &held) else { continue };
        let spelled = claim.to_bytes();
        if let Ok(read) = SignedChange::from_bytes(&spelled) {
            assert_eq!(read, claim);
        }
        let Some(change) = people::judged(claim, &held) else { continue };
        let again =
            AdmittedChange::recall(&spelled, &people::survey().id).expect("what was admitted comes back");
        assert_eq!(again, change);
        if held.iter().all(|(known, _)| known.id() != change.id()) {
            held.push((change, Standing::Good));
        }
    }
    stand(&mut held);
    held
}

fn stand(held: &mut Held) {
    let mut numbers: BTreeMap<(Author, u64), Vec<AdmittedHeader>> = BTreeMap::new();
    for (change, _) in held.iter() {
        numbers.entry((change.change().author, change.change().n)).or_default().push(change.to_header());
    }
    for (change, standing) in held {
        let same = &numbers[&(change.change().author, change.change().n)];
        *standing = people::survey().trust.standing(change, same);
    }
}

/// Looks at all that can be looked at.
fn inspect(record: RecordId, held: &Held, honest: usize) {
    let reading = Reading::read(record, held);
    let backwards: Held = held.iter().rev().cloned().collect();
    assert_eq!(reading, Reading::read(record, &backwards), "the order of arrival shows");
    let of_record: BTreeSet<_> = held
        .iter()
        .filter(|(change, _)| change.change().record == record)
        .map(|(change, _)| change.id())
        .collect();
    assert_eq!(of_record, reading.log().iter().map(|logged| logged.change).collect(), "a change is lost");
    for (change, _) in held[..honest].iter().filter(|(change, _)| change.change().record == record) {
        let logged = reading.log().iter().find(|logged| logged.change == change.id()).unwrap();
        assert!(logged.standing.is_good(), "a liar sets honest work aside");
        for (place, value) in &logged.writes {
            let stands = reading.answer(place).is_some_and(|answer| {
                let one = |one: &rukun_document::Candidate| {
                    (one.change == change.id() && one.value == *value)
                        || reading.knew(&one.change, &change.id())
                };
                answer.in_ink(logged.ink).iter().any(one)
            });
            assert!(stands, "the answer in {place} is gone without another one that knew it");
        }
    }
    drop(reading.to_json().to_string());
    for conflict in reading.conflicts(Some(people::questionnaire())) {
        assert!(!conflict.cause.is_empty());
    }
    assert_eq!(reading.blame().len(), reading.answers().len());
    for ink in Ink::ALL {
        let heads = reading.heads(ink);
        assert!(heads.is_sorted());
        let seen = reading.seen_for(ink);
        assert!(seen.is_sorted_by(|before, after| before < after));
    }
}

/// Whatever liars wrote, an honest enumerator writes on, and what she writes counts.
fn ani_goes_on(held: &Held) {
    let record = people::record(5);
    let reading = Reading::read(record, held);
    let (place, value) = (Place::family("r305"), Scalar::Int(8));
    let writer = people::writer(ANI, Ink::Pencil);
    let writes = [(place.clone(), value.clone())];
    let draft = write(&reading, held, people::questionnaire(), &writer, &writes, "");
    let draft = draft.expect("an honest device can write").expect("a write makes a change");
    let claim = people::signed(ANI, 3, Ink::Pencil, draft);
    let change = people::judged(claim, held).expect("an honest change is admitted");
    let mut held = held.clone();
    let id = change.id();
    held.push((change, Standing::Good));
    let reading = Reading::read(record, &held);
    let logged = reading.log().iter().find(|logged| logged.change == id).expect("it is kept");
    assert!(logged.standing.is_good(), "an honest change is {}", logged.standing);
    let answer = reading.answer(&place).expect("it was written");
    let hers = answer.in_ink(Ink::Pencil).iter().find(|one| one.change == id);
    assert_eq!(hers.map(|one| &one.value), Some(&value));
}

/// One change, signed by a liar.
fn claim(input: &mut Input<'_>, held: &Held) -> Option<SignedChange> {
    let device = input.pick(&LIARS);
    let (author, ink, n) = (device.author(), input.pick(&Ink::ALL), u64::from(input.byte()));
    let record = people::record(5 + u8::from(input.below(8) == 7));
    let deps = causes(input, held, |change| change.change().ink == ink && change.change().record == record);
    let seen = causes(input, held, |change| change.change().ink < ink && change.change().record == record);
    let seen = if ink.names_seen() || input.below(16) == 15 { seen } else { Vec::new() };
    let body = match input.below(8) {
        0 => by_contents(&deps, author, input.piece()),
        _ => by_operations(input, &deps, author, held)?,
    };
    sign(device.keypair(), Change { author, n, record, ink, seen, body }, &people::survey().id).ok()
}

/// Up to three causes that are held, or one that is not.
fn causes(input: &mut Input<'_>, held: &Held, fits: impl Fn(&AdmittedChange) -> bool) -> Vec<CauseHash> {
    let fitting: Vec<CauseHash> =
        held.iter().filter(|(change, _)| fits(change)).map(|(change, _)| change.body().hash).collect();
    let count = input.below(8);
    let mut causes: BTreeSet<CauseHash> = match count {
        7 => [CauseHash::from_bytes([input.byte(); 32])].into(),
        // All that are not followed yet, or nearly: what an honest device names.
        4..=6 => fitting.iter().rev().take(count - 3).copied().collect(),
        _ => BTreeSet::new(),
    };
    for _ in 0..count.min(3) {
        if !fitting.is_empty() {
            causes.insert(input.pick(&fitting));
        }
    }
    causes.into_iter().collect()
}

/// A chunk of raw contents from the sequence number on.
fn by_contents(deps: &[CauseHash], author: Author, rest: &[u8]) -> Vec<u8> {
    let mut contents = leb(deps.len() as u64);
    contents.extend(deps.iter().flat_map(CauseHash::as_bytes));
    contents.push(16);
    contents.extend(author.actor().as_bytes());
    contents.extend(rest);
    chunk(&contents)
}

/// A chunk that Automerge makes of operations that no honest device would make.
fn by_operations(input: &mut Input<'_>, deps: &[CauseHash], author: Author, held: &Held) -> Option<Vec<u8>> {
    let top = |change: &AdmittedChange| {
        let body = change.body();
        body.start_op + (body.maps.len() + body.writes.len()) as u64
    };
    let followed = held.iter().filter(|(change, _)| deps.contains(&change.body().hash));
    let next = followed.map(|(change, _)| top(change)).max().unwrap_or(1);
    let own = held.iter().filter(|(change, _)| change.body().actor == author.actor()).count() as u64;
    let seq = match input.byte() {
        0..200 => own + 1,
        255 => u64::from(u32::MAX),
        other => u64::from(other) - 199,
    };
    let start_op = match input.byte() {
        0..200 => next,
        255 => u64::from(u32::MAX) - u64::from(input.byte() % 8),
        other => u64::from(other) - 199,
    };
    let operations = (0..input.below(8)).map(|_| operation(input, held, start_op)).collect();
    let expanded = ExpandedChange {
        operations,
        actor_id: actor(author),
        hash: None,
        seq,
        start_op: NonZeroU64::new(start_op)?,
        time: i64::from(i32::from_be_bytes(input.number())) << input.below(32),
        message: None,
        deps: deps.iter().map(|dep| ChangeHash(*dep.as_bytes())).collect(),
        extra_bytes: Vec::new(),
        author: None,
    };
    catch_unwind(|| automerge::Change::from(expanded).raw_bytes().to_vec()).ok()
}

fn operation(input: &mut Input<'_>, held: &Held, start_op: u64) -> Op {
    let maps = || held.iter().flat_map(|(change, _)| &change.body().maps);
    let obj = match input.below(4) {
        0 | 1 => ObjectId::Root,
        2 if start_op > 1 => {
            let index = input.below(maps().count().max(1));
            let map = maps().nth(index).expect("honest work makes members");
            ObjectId::Id(OpId::new(map.op.counter, &automerge::ActorId::from(&map.op.actor.as_bytes()[..])))
        }
        _ => op_id(input, held, start_op).map_or(ObjectId::Root, ObjectId::Id),
    };
    let mut pred: Vec<OpId> = (0..input.below(4)).filter_map(|_| op_id(input, held, start_op)).collect();
    pred.sort_unstable_by(|a, b| (a.counter(), a.actor()).cmp(&(b.counter(), b.actor())));
    pred.dedup();
    let kind = input.below(10);
    let key = if kind == 0 {
        MemberId::from_bytes([input.byte(); 8]).to_string()
    } else {
        input.pick(&FIELDS).into()
    };
    let action = match kind {
        0 => OpType::Make(ObjType::Map),
        1 => OpType::Put(ScalarValue::Null),
        2 => OpType::Put(ScalarValue::Str(input.pick(&TEXTS).into())),
        3 => OpType::Put(ScalarValue::Int(i64::from_be_bytes(input.number()))),
        _ => OpType::Put(ScalarValue::Int(i64::from(input.byte() % 16))),
    };
    Op { action, obj, key: Key::Map(key.into()), pred: pred.into(), insert: false }
}

/// An operation: mostly one that there is and that comes before.
fn op_id(input: &mut Input<'_>, held: &Held, start_op: u64) -> Option<OpId> {
    let body = held[input.below(held.len())].0.body();
    let operations = (body.maps.len() + body.writes.len()).max(1);
    let actor = automerge::ActorId::from(&body.actor.as_bytes()[..]);
    let counter = body.start_op + input.below(operations) as u64;
    match input.below(32) {
        31 => Some(OpId::new(u64::from(input.byte()), &actor)),
        _ if counter < start_op => Some(OpId::new(counter, &actor)),
        _ => None,
    }
}

fn actor(author: Author) -> automerge::ActorId {
    automerge::ActorId::from(&author.actor().as_bytes()[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fuzzing_starts_from_gets_past_the_gate() {
        let mut more = BTreeMap::new();
        for (name, seed) in super::super::seeds::change() {
            more.insert(name, admitted(&seed).len() - people::honest_work().len());
        }
        let expected = [
            ("pencil", 1),
            ("beside", 1),
            ("fork", 2),
            ("red", 3),
            ("wrong-ink", 1),
            ("chain", 5),
            ("stranger", 0),
            ("member", 1),
            ("replaces", 1),
            ("raw", 1),
        ];
        for (name, count) in expected {
            assert_eq!(more[name], count, "{name}: {more:?}");
        }
        assert!(more.values().sum::<usize>() > 40, "{more:?}");
    }
}
