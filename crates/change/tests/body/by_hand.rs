//! Chunks put together by hand, each out of shape or over a limit in one place: refused by name.

use rukun_change::limits::{
    ACTORS_MAX, BODY_BYTES_MAX, DEPS_MAX, MESSAGE_BYTES_MAX, OPS_MAX, TEXT_BYTES_MAX,
};
use rukun_change::{Body, BodyError, MapRef, Scalar, Write};

use crate::real::{assert_automerge_agrees, prefixed, sealed, unsigned};

/// A chunk, put together by hand.
#[derive(Clone)]
struct Draft {
    deps: Vec<[u8; 32]>,
    actor: Vec<u8>,
    seq: u64,
    start_op: u64,
    time: Vec<u8>,
    message: Vec<u8>,
    others: Vec<Vec<u8>>,
    columns: Vec<(u64, Vec<u8>)>,
    extra: Vec<u8>,
}

impl Draft {
    /// One write of null.
    fn new() -> Self {
        Self {
            deps: Vec::new(),
            actor: vec![7; 16],
            seq: 1,
            start_op: 10,
            time: vec![0],
            message: Vec::new(),
            others: Vec::new(),
            columns: vec![
                (21, vec![0x7f, 2, b'r', b'1']),
                (52, vec![1]),
                (66, vec![0x7f, 1]),
                (86, vec![0x7f, 0]),
                (112, vec![0x7f, 0]),
            ],
            extra: Vec::new(),
        }
    }

    fn set(mut self, number: u64, bytes: &[u8]) -> Self {
        self.columns.retain(|(other, _)| *other != number);
        self.columns.push((number, bytes.to_vec()));
        self.columns.sort();
        self
    }

    fn without(mut self, number: u64) -> Self {
        self.columns.retain(|(other, _)| *other != number);
        self
    }

    fn chunk(&self) -> Vec<u8> {
        let mut bytes = unsigned(self.deps.len() as u64);
        bytes.extend(self.deps.concat());
        bytes.extend(prefixed(&self.actor));
        bytes.extend(unsigned(self.seq));
        bytes.extend(unsigned(self.start_op));
        bytes.extend(&self.time);
        bytes.extend(prefixed(&self.message));
        bytes.extend(unsigned(self.others.len() as u64));
        bytes.extend(self.others.iter().flat_map(|other| prefixed(other)));
        bytes.extend(unsigned(self.columns.len() as u64));
        for (number, column) in &self.columns {
            bytes.extend([unsigned(*number), unsigned(column.len() as u64)].concat());
        }
        bytes.extend(self.columns.iter().flat_map(|(_, column)| column.clone()));
        bytes.extend(&self.extra);
        sealed(&bytes)
    }

    fn decode(&self) -> Result<Body, BodyError> {
        Body::decode(&self.chunk())
    }

    #[track_caller]
    fn refused(&self, with: &str) {
        let error = self.decode().unwrap_err().to_string();
        assert!(error.contains(with), "{error}");
    }
}

#[test]
fn a_chunk_put_together_by_hand_is_what_automerge_writes() {
    let draft = Draft::new();
    let body = draft.decode().unwrap();
    assert_automerge_agrees(&draft.chunk(), &body);
    assert_eq!(body.writes, [Write { map: MapRef::Root, field: "r1".into(), value: Scalar::Null }]);
    let nothing = Draft { columns: Vec::new(), ..draft }.decode().unwrap();
    assert!(nothing.writes.is_empty() && nothing.maps.is_empty());
}

#[test]
fn a_chunk_over_a_limit_or_with_parts_out_of_place_is_refused() {
    let good = Draft::new();
    let with = |change: fn(&mut Draft)| {
        let mut draft = good.clone();
        change(&mut draft);
        draft
    };
    with(|draft| draft.actor = vec![7; 15]).refused("an actor of 15 bytes");
    with(|draft| draft.others = vec![vec![8; 17]]).refused("an actor of 17 bytes");
    with(|draft| draft.others = vec![vec![8; 16]]).refused("none of its operations names");
    with(|draft| draft.others = vec![vec![7; 16]]).refused("out of order");
    with(|draft| draft.others = vec![vec![9; 16], vec![8; 16]]).refused("out of order");
    with(|draft| draft.others = (0..=ACTORS_MAX).map(|_| vec![8; 16]).collect()).refused("a count of 257");
    with(|draft| draft.deps = vec![[2; 32], [1; 32]]).refused("causes: out of order");
    with(|draft| draft.deps = vec![[1; 32], [1; 32]]).refused("causes: out of order");
    with(|draft| draft.deps = vec![[1; 32]; DEPS_MAX + 1]).refused("a count of 65");
    with(|draft| draft.message = vec![b'a'; MESSAGE_BYTES_MAX + 1]).refused("message: a count of 8193");
    with(|draft| draft.message = vec![0xff]).refused("message: a text that is not UTF-8");
    with(|draft| draft.extra = vec![1]).refused("1 extra bytes");
    let latest = with(|draft| draft.time = vec![0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]);
    assert_eq!(latest.decode().unwrap().time_ms, 1 << 53);
    with(|draft| draft.time = vec![0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]).refused("in its time");
    with(|draft| draft.time = [&[0x80; 9][..], &[0x7f]].concat()).refused("in its time");
    with(|draft| draft.seq = 0).refused("sequence number");
    with(|draft| draft.seq = 1 << 32).refused("sequence number");
    with(|draft| draft.start_op = 0).refused("first operation");
    with(|draft| draft.start_op = u64::from(u32::MAX)).refused("operations' counters");
    with(|draft| draft.columns.swap(0, 1)).refused("columns: out of order");
    with(|draft| draft.columns.insert(1, (21, vec![0x7f, 2, b'r', b'2']))).refused("columns: out of order");
    let long = with(|draft| draft.extra = vec![0; BODY_BYTES_MAX]).decode();
    assert!(matches!(long, Err(BodyError::TooLong { max: BODY_BYTES_MAX, .. })));
}

#[test]
fn columns_of_unequal_length_and_huge_runs_are_refused_at_once() {
    let huge = [&[0x80; 8][..], &[0xc0, 0], &[1][..]].concat();
    let huge_literal = [&[0x80; 8][..], &[0x40], &[1][..]].concat();
    for number in [1, 2, 21, 66, 86, 112] {
        Draft::new().set(number, &huge).refused("a count of 4611686018427387904 where at most 1");
        Draft::new().set(number, &huge_literal).refused("a count of 4611686018427387904 where at most 1");
        Draft::new().set(number, &[2, 1, b'a']).refused("a count of 2 where at most 1");
        Draft::new().set(number, &[]).refused("columns: runs");
    }
    let one_replaced = Draft::new().set(112, &[0x7f, 1]);
    one_replaced.clone().set(113, &huge).set(115, &[0x7f, 1]).refused("a count of 4611686018427387904");
    one_replaced.clone().set(113, &[0x7f, 0]).set(115, &huge).refused("a count of 4611686018427387904");
    one_replaced.clone().set(113, &[2, 0]).set(115, &[0x7f, 1]).refused("more rows than operations");
    one_replaced.clone().set(113, &[0x7f, 0]).refused("replaced values: nothing");
    Draft::new().set(113, &[0x7f, 0]).set(115, &[0x7f, 1]).refused("replaced values: 2 bytes left over");
    let many = unsigned(1 << 62);
    Draft::new().set(112, &[&[0x7f][..], &many].concat()).refused("a count of 4611686018427387904");
    Draft::new().set(52, &many).refused(&format!("where at most {OPS_MAX}"));
    Draft::new().set(52, &unsigned(OPS_MAX as u64 + 1)).refused(&format!("where at most {OPS_MAX}"));
    Draft::new().set(87, &[0]).refused("values: 1 bytes left over");
    for number in [21, 66, 86, 112] {
        Draft::new().without(number).refused("nothing for an operation that needs it");
    }
    Draft::new().without(52).refused("left over");
}

#[test]
fn an_operation_refers_only_to_what_is_before_it() {
    let into = |actor: u8, counter: u8| Draft::new().set(1, &[0x7f, actor]).set(2, &[0x7f, counter]);
    assert_eq!(into(0, 9).decode().unwrap().writes.len(), 1);
    into(0, 10).refused("counter 10, which is not before it");
    into(0, 0).refused("counter 0, which is not before it");
    into(1, 9).refused("names actor 1");
    into(0, 9).without(2).refused("maps: nothing");
    let replaces = |actor: u8, counter: u8| {
        Draft::new().set(112, &[0x7f, 1]).set(113, &[0x7f, actor]).set(115, &[0x7f, counter])
    };
    assert!(replaces(0, 9).decode().is_ok());
    replaces(0, 10).refused("counter 10, which is not before it");
    replaces(0, 0).refused("counter 0, which is not before it");
    replaces(0, 0x7f).refused("replaced values: a number");
    replaces(1, 9).refused("names actor 1");
    let twice = Draft::new().set(112, &[0x7f, 2]).set(113, &[2, 0]);
    assert!(twice.clone().set(115, &[2, 4]).decode().is_ok());
    twice.clone().set(115, &[0x7e, 4, 0]).refused("out of order");
    twice.set(115, &[0x7e, 4, 0x7f]).refused("out of order");
    // The second operation writes into the first, which makes no map.
    let two = Draft::new().set(21, &[2, 2, b'r', b'1']).set(52, &[2]).set(66, &[2, 1]).set(86, &[2, 0]);
    let two = two.set(112, &[2, 0]);
    assert_eq!(two.decode().unwrap().writes.len(), 2);
    two.set(1, &[0, 1, 0x7f, 0])
        .set(2, &[0, 1, 0x7f, 10])
        .refused("operation 1 writes into what is no member");
}

#[test]
fn names_values_and_kinds_outside_the_document_shape_are_refused() {
    let key = |key: &[u8]| Draft::new().set(21, &[&[0x7f][..], &prefixed(key)].concat());
    for name in ["", "R1", "1r", "_r", "r-1", "m:0101010101010101", "a_field_name_of_33_bytes_exactly_"] {
        key(name.as_bytes()).refused("no variable's name");
    }
    key(&[0xff]).refused("keys: a text that is not UTF-8");
    let makes = |name: &str| key(name.as_bytes()).set(66, &[0x7f, 0]);
    assert_eq!(makes("m:abababababababab").decode().unwrap().maps.len(), 1);
    makes("m:ABABABABABABABAB").refused("a key that is no member");
    makes("r1").refused("a key that is no member");
    makes("m:abababababababab").set(1, &[0x7f, 0]).set(2, &[0x7f, 9]).refused("a map within a map");
    makes("m:abababababababab").set(86, &[0x7f, 0x14]).set(87, &[1]).refused("gives it a value");
    for (action, found) in [(2, "a list"), (3, "deletes"), (4, "a text"), (5, "increments"), (6, "a table")] {
        Draft::new().set(66, &[0x7f, action]).refused(found);
    }
    Draft::new().set(66, &[0x7f, 7]).refused("marks");
    Draft::new().set(66, &[0x7f, 8]).refused("no known kind");
    Draft::new().set(52, &[0, 1]).refused("insert");
    for number in [17, 19, 60, 88, 116, 148, 165, 1 << 40] {
        Draft::new().set(number, &[0x7f, 1]).refused(&format!("column {number}"));
    }
    let value = |head: u64, raw: &[u8]| {
        let draft = Draft::new().set(86, &[&[0x7f][..], &unsigned(head)].concat());
        if raw.is_empty() { draft } else { draft.set(87, raw) }
    };
    assert_eq!(value(0x14, &[0x7f]).decode().unwrap().writes[0].value, Scalar::Int(-1));
    value(0x24, &[0xff, 0x7f]).refused("shortest spelling");
    value(0x24, &[1, 1]).refused("1 bytes left over");
    value(0x04, &[]).refused("cut off");
    value(0x10, &[0]).refused("null that has bytes");
    value(0x26, &[0xc3, 0x28]).refused("not UTF-8");
    value(0x36, b"ab").refused("cut off");
    value(u64::MAX, &[]).refused("at most 4096");
    let longest = vec![b'a'; TEXT_BYTES_MAX];
    assert!(value((4096 << 4) | 6, &longest).decode().is_ok());
    value((4097 << 4) | 6, &[longest, vec![b'a']].concat()).refused("at most 4096");
}
