//! Chunks that Automerge wrote, whole, cut, flipped and forged: we say of them what Automerge's own
//! decoder says, or refuse them.

use std::borrow::Cow;

use automerge::legacy::{Key, ObjectId, OpType};
use automerge::marks::{ExpandMark, Mark};
use automerge::transaction::{CommitOptions, Transactable as _};
use automerge::{AutoCommit, ObjId, ObjType, ROOT, ReadDoc as _, ScalarValue, hydrate};
use proptest::prelude::*;
use proptest::sample::select;
use rukun_change::{
    ActorId, Body, BodyError, CauseHash, Layout, MakeMap, MapRef, MemberId, OpId, Scalar, Write,
};
use sha2::{Digest as _, Sha256};

const FIELDS: [&str; 5] = ["gone", "r101", "r108", "r112", "a_field_name_of_32_bytes_exactly"];

/// What Automerge says that a change is, in our words.
fn oracle(change: &automerge::Change) -> Body {
    let decoded = change.decode();
    let actor = |actor: &automerge::ActorId| ActorId::from_bytes(actor.to_bytes().try_into().unwrap());
    let own = actor(&decoded.actor_id);
    let (mut maps, mut writes) = (Vec::new(), Vec::new());
    for (counter, op) in (decoded.start_op.get()..).zip(decoded.operations) {
        let Key::Map(key) = op.key else { panic!("a sequence") };
        let map = match &op.obj {
            ObjectId::Root => MapRef::Root,
            ObjectId::Id(id) => MapRef::Made(OpId { counter: id.counter(), actor: actor(id.actor()) }),
        };
        let value = match op.action {
            OpType::Make(ObjType::Map) => {
                let op = OpId { counter, actor: own };
                maps.push(MakeMap { op, member: key.parse().unwrap() });
                continue;
            }
            OpType::Put(ScalarValue::Null) => Scalar::Null,
            OpType::Put(ScalarValue::Int(value)) => Scalar::Int(value),
            OpType::Put(ScalarValue::Str(value)) => Scalar::Text(value.to_string()),
            other => panic!("{other:?}"),
        };
        writes.push(Write { map, field: key.to_string(), value });
    }
    Body {
        hash: CauseHash::from_bytes(decoded.hash.unwrap().0),
        deps: decoded.deps.iter().map(|dep| CauseHash::from_bytes(dep.0)).collect(),
        actor: own,
        seq: decoded.seq,
        start_op: decoded.start_op.get(),
        time_ms: decoded.time,
        message: decoded.message.unwrap_or_default(),
        maps,
        writes,
    }
}

fn member(number: u8) -> String {
    MemberId::from_bytes([number; 8]).to_string()
}

fn values() -> impl Strategy<Value = ScalarValue> {
    prop_oneof![
        Just(ScalarValue::Null),
        any::<i64>().prop_map(ScalarValue::Int),
        (-70..70i64).prop_map(ScalarValue::Int),
        ".{0,40}".prop_map(|text| ScalarValue::Str(text.into())),
        select(vec!["1", "2", "SITI"]).prop_map(|text| ScalarValue::Str(text.into())),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Put { device: usize, member: Option<u8>, field: &'static str, value: ScalarValue },
    Make { device: usize, member: u8 },
    Commit { device: usize, message: String, time: i64 },
    Empty { device: usize },
    Merge { from: usize, to: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let device = || 0..4usize;
    let put = (device(), proptest::option::of(0..3u8), select(FIELDS.to_vec()), values())
        .prop_map(|(device, member, field, value)| Step::Put { device, member, field, value });
    let commit = (device(), ".{0,20}", any::<i32>()).prop_map(|(device, message, time)| Step::Commit {
        device,
        message,
        time: time.into(),
    });
    let step = prop_oneof![
        12 => put,
        2 => (device(), 0..3u8).prop_map(|(device, member)| Step::Make { device, member }),
        4 => commit,
        1 => device().prop_map(|device| Step::Empty { device }),
        3 => (device(), device()).prop_map(|(from, to)| Step::Merge { from, to }),
    ];
    proptest::collection::vec(step, 1..80)
}

/// Automerge answers a put of the value that wins a conflict with a delete of the others. Two puts,
/// the first of another value, say the same.
fn put(doc: &mut AutoCommit, map: &ObjId, field: &str, value: &ScalarValue) {
    let held = doc.get_all(map, field).unwrap();
    let wins =
        held.last().is_some_and(|(winner, _)| *winner == automerge::Value::Scalar(Cow::Borrowed(value)));
    if wins && held.len() > 1 {
        let other = if value.is_null() { ScalarValue::Int(0) } else { ScalarValue::Null };
        doc.put(map, field, other).unwrap();
    }
    doc.put(map, field, value.clone()).unwrap();
}

fn take(docs: &mut [AutoCommit], step: Step) {
    match step {
        Step::Put { device, member: None, field, value } => put(&mut docs[device], &ROOT, field, &value),
        Step::Put { device, member: Some(number), field, value } => {
            let maps = docs[device].get_all(ROOT, member(number)).unwrap();
            let maps: Vec<ObjId> = maps.into_iter().map(|(_, map)| map).collect();
            for map in maps {
                put(&mut docs[device], &map, field, &value);
            }
        }
        Step::Make { device, member: number } => {
            docs[device].put_object(ROOT, member(number), ObjType::Map).unwrap();
        }
        Step::Commit { device, message, time } => {
            docs[device].commit_with(CommitOptions::default().with_message(message).with_time(time));
        }
        Step::Empty { device } => {
            docs[device].commit();
            docs[device].empty_change(CommitOptions::default());
        }
        Step::Merge { from, to } if from != to => {
            docs[from].commit();
            let mut other = docs[from].clone();
            docs[to].merge(&mut other).unwrap();
        }
        Step::Merge { .. } => {}
    }
}

fn device(number: u8) -> AutoCommit {
    // Neither the order of numbers nor the reverse is the order of actors.
    AutoCommit::new().with_actor([number.wrapping_mul(97).wrapping_add(7); 16].into())
}

fn hydrated(value: hydrate::Value) -> hydrate::MapValue {
    hydrate::MapValue { value, conflict: false }
}

/// A whole interview: a first change of `fields` answers and five members with as many.
fn interview(device: &mut AutoCommit, fields: usize) -> automerge::Change {
    let answers = || {
        let mut map = hydrate::Map::default();
        for n in 0..fields {
            let value = match n % 3 {
                0 => ScalarValue::Int(n as i64),
                1 => ScalarValue::Str(format!("JALAN {n}").into()),
                _ => ScalarValue::Null,
            };
            map.insert(format!("r{n}"), hydrated(hydrate::Value::Scalar(value)));
        }
        map
    };
    let mut root = answers();
    for number in 0..5 {
        root.insert(member(number), hydrated(hydrate::Value::Map(answers())));
    }
    device.init_root_from_hydrate(&root).unwrap();
    device.commit();
    device.get_last_local_change().unwrap()
}

pub(crate) fn sealed(contents: &[u8]) -> Vec<u8> {
    let mut hashed = vec![1];
    hashed.extend(unsigned(contents.len() as u64));
    hashed.extend(contents);
    let mut chunk = vec![0x85, 0x6f, 0x4a, 0x83];
    chunk.extend(&Sha256::digest(&hashed)[..4]);
    chunk.extend(hashed);
    chunk
}

fn contents(chunk: &[u8]) -> &[u8] {
    let length_bytes = chunk[9..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    &chunk[9 + length_bytes..]
}

pub(crate) fn unsigned(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

pub(crate) fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [&unsigned(bytes.len() as u64), bytes].concat()
}

/// That Automerge accepts what we accept, says the same of it, and would write it just so.
pub(crate) fn assert_automerge_agrees(chunk: &[u8], body: &Body) {
    let change = automerge::Change::from_bytes(chunk.to_vec()).unwrap();
    assert_eq!(oracle(&change), *body);
    assert_eq!(automerge::Change::from(change.decode()).raw_bytes(), chunk);
}

proptest! {
    #[test]
    fn whatever_automerge_writes_is_read_as_automerge_reads_it(
        steps in steps(),
        hydrated: bool,
        fields in 0..40usize,
    ) {
        let mut first = device(0);
        if hydrated {
            interview(&mut first, fields);
        }
        let mut docs: Vec<AutoCommit> = (0..4).map(|number| {
            let mut doc = device(number);
            doc.merge(&mut first).unwrap();
            doc
        }).collect();
        docs[0] = first;
        for step in steps {
            take(&mut docs, step);
        }
        let (all, others) = docs.split_first_mut().unwrap();
        for other in others {
            all.merge(other).unwrap();
        }
        for change in all.get_changes(&[]) {
            let body = Body::decode(change.raw_bytes());
            prop_assert_eq!(body, Ok(oracle(&change)), "{:?}", change.raw_bytes());
            assert_automerge_agrees(change.raw_bytes(), &oracle(&change));
            let layout = Layout::of(&change.raw_bytes()[8..]);
            let (makes, ops) = (oracle(&change).maps, change.start_op().get()..);
            if makes.iter().map(|map| map.op.counter).eq(ops.take(makes.len())) {
                let layout = layout.expect("what makes its maps first is laid out");
                prop_assert_eq!(layout.chunk(), Some(change.raw_bytes()[8..].to_vec()));
                prop_assert_eq!(written(&layout), oracle(&change).writes.len());
            } else {
                prop_assert_eq!(layout, None);
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _ = Layout::of(&bytes);
        let _ = Body::decode(&bytes);
        let _ = Body::decode(&sealed(&bytes));
    }
}

/// How many cells it has, which in each of its sections ascend.
fn written(layout: &Layout<'_>) -> usize {
    let sections = || layout.sections.iter();
    assert!(sections().all(|section| section.cells.is_sorted_by(|a, b| a.field < b.field)));
    assert!(sections().all(|section| !section.cells.is_empty()));
    sections().map(|section| section.cells.len()).sum()
}

/// Changes with everything in them that a change of a record can have.
fn samples() -> Vec<Vec<u8>> {
    let mut one = device(1);
    let first = interview(&mut one, 6).raw_bytes().to_vec();
    let mut two = device(2);
    two.merge(&mut one).unwrap();
    for (doc, value) in [(&mut one, 5), (&mut two, 6)] {
        for field in FIELDS {
            doc.put(ROOT, field, value).unwrap();
            let (_, map) = doc.get(ROOT, member(2)).unwrap().unwrap();
            doc.put(map, field, ScalarValue::Null).unwrap();
        }
        doc.commit();
    }
    let mut three = device(3);
    three.merge(&mut one).unwrap();
    three.merge(&mut two).unwrap();
    let map = three.put_object(ROOT, member(9), ObjType::Map).unwrap();
    for field in FIELDS {
        three.put(ROOT, field, i64::MIN).unwrap();
        three.put(&map, field, "SITI").unwrap();
    }
    three.commit_with(CommitOptions::default().with_message("resolve").with_time(-1));
    let last = three.get_last_local_change().unwrap().raw_bytes().to_vec();
    vec![first, two.get_last_local_change().unwrap().raw_bytes().to_vec(), last]
}

#[test]
fn a_cut_or_flipped_chunk_is_refused() {
    for chunk in samples() {
        assert!(Body::decode(&chunk).is_ok());
        for end in 0..chunk.len() {
            assert!(Body::decode(&chunk[..end]).is_err());
        }
        assert!(Body::decode(&[&chunk[..], &[0]].concat()).is_err());
        for bit in 0..chunk.len() * 8 {
            let mut flipped = chunk.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Body::decode(&flipped).is_err(), "bit {bit}");
            let laid = Layout::of(&flipped[8..]);
            assert!(laid.is_none_or(|layout| layout.chunk().as_deref() == Some(&flipped[8..])), "bit {bit}");
        }
    }
}

#[test]
fn a_forged_chunk_is_refused_or_one_that_automerge_would_write() {
    let mut accepted = 0;
    let mut judge = |contents: &[u8]| {
        let chunk = sealed(contents);
        if let Ok(body) = Body::decode(&chunk) {
            assert_automerge_agrees(&chunk, &body);
            accepted += 1;
        }
    };
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for chunk in samples() {
        let contents = contents(&chunk);
        for end in 0..contents.len() {
            judge(&contents[..end]);
        }
        for bit in 0..contents.len() * 8 {
            let mut flipped = contents.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            judge(&flipped);
        }
        for _ in 0..20_000 {
            let mut forged = contents.to_vec();
            for _ in 0..=random(3) {
                let at = random(forged.len());
                match random(5) {
                    0 => forged[at] = random(256) as u8,
                    1 => forged[at] = forged[at].wrapping_add(1),
                    2 => forged[at] = [0, 1, 0x7e, 0x7f, 0x80, 0xff][random(6)],
                    3 => forged.insert(at, random(256) as u8),
                    _ => drop(forged.remove(at)),
                }
            }
            judge(&forged);
        }
    }
    assert!(accepted > 1_000, "only {accepted} forged chunks were good: the test tests nothing");
}

#[test]
fn a_real_change_outside_the_document_shape_is_refused_with_its_name() {
    let refused = |with: &str, edit: fn(&mut AutoCommit)| {
        let mut doc = device(1);
        doc.put(ROOT, "r1", 1).unwrap();
        doc.put_object(ROOT, member(1), ObjType::Map).unwrap();
        doc.put(ROOT, "sum", ScalarValue::counter(1)).unwrap();
        let text = doc.put_object(ROOT, "text", ObjType::Text).unwrap();
        doc.splice_text(&text, 0, 0, "abc").unwrap();
        doc.commit();
        edit(&mut doc);
        doc.commit();
        let change = doc.get_last_local_change().unwrap();
        let error = Body::decode(change.raw_bytes()).unwrap_err().to_string();
        assert!(error.contains(with), "{error}");
    };
    refused("deletes", |doc| doc.delete(ROOT, "r1").unwrap());
    refused("makes a list", |doc| drop(doc.put_object(ROOT, "r2", ObjType::List).unwrap()));
    refused("makes a text object", |doc| drop(doc.put_object(ROOT, "r2", ObjType::Text).unwrap()));
    refused("makes a map under a key", |doc| drop(doc.put_object(ROOT, "r2", ObjType::Map).unwrap()));
    refused("makes a map within a map", |doc| {
        let (_, map) = doc.get(ROOT, member(1)).unwrap().unwrap();
        doc.put_object(map, member(2), ObjType::Map).unwrap();
    });
    refused("increments a counter", |doc| doc.increment(ROOT, "sum", 1).unwrap());
    refused("column 17", |doc| {
        let (_, text) = doc.get(ROOT, "text").unwrap().unwrap();
        doc.splice_text(text, 1, 0, "x").unwrap();
    });
    refused("column", |doc| {
        let (_, text) = doc.get(ROOT, "text").unwrap().unwrap();
        doc.mark(&text, Mark::new("bold".into(), true, 0, 2), ExpandMark::Both).unwrap();
    });
    refused("writes a counter", |doc| doc.put(ROOT, "r1", ScalarValue::counter(1)).unwrap());
    refused("writes a floating-point number", |doc| doc.put(ROOT, "r1", 1.5).unwrap());
    refused("writes a truth value", |doc| doc.put(ROOT, "r1", true).unwrap());
    refused("writes an unsigned integer", |doc| doc.put(ROOT, "r1", 1_u64).unwrap());
    refused("writes bytes", |doc| doc.put(ROOT, "r1", vec![1_u8]).unwrap());
    refused("writes a time", |doc| doc.put(ROOT, "r1", ScalarValue::Timestamp(1)).unwrap());
}

#[test]
fn a_compressed_chunk_is_refused_with_its_name() {
    let mut change = interview(&mut device(1), 40);
    assert_eq!(Body::decode(&change.bytes()), Err(BodyError::Compressed));
    assert!(Body::decode(change.raw_bytes()).is_ok());
    assert_eq!(Body::decode(&device(1).save()), Err(BodyError::NotAChange));
}
