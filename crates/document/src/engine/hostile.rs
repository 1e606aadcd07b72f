//! Changes that pass the gate and that no honest Automerge makes. Each is admitted and kept; none
//! may stop others from reading or writing.

use std::num::NonZeroU64;

use automerge::legacy::{Key, ObjectId, Op, OpId, OpType};
use automerge::{ActorId, Change, ChangeHash, ExpandedChange, ScalarValue};
use rukun_change::{CauseHash, ChangeId, Ink, Scalar};
use serde_json::json;

use crate::fixture::Device;
use crate::{Draft, Place};

struct Bad {
    device: Device,
    expanded: ExpandedChange,
}

impl Bad {
    /// A first change of one write, to be spoilt.
    fn new(deps: &[CauseHash]) -> Self {
        let device = Device::new(66, Ink::Pencil);
        let expanded = ExpandedChange {
            operations: vec![set(ObjectId::Root, "r304", 7)],
            actor_id: ActorId::from(device.author().actor().as_bytes()),
            hash: None,
            seq: 1,
            start_op: NonZeroU64::MIN,
            time: 0,
            message: None,
            deps: deps.iter().map(|dep| ChangeHash(*dep.as_bytes())).collect(),
            extra_bytes: Vec::new(),
            author: None,
        };
        Self { device, expanded }
    }

    fn start_op(mut self, start_op: u64) -> Self {
        self.expanded.start_op = NonZeroU64::new(start_op).unwrap();
        self
    }

    fn pred(mut self, counter: u64, actor: &Device) -> Self {
        let actor = ActorId::from(actor.author().actor().as_bytes());
        self.expanded.operations[0].pred = vec![OpId::new(counter, &actor)].into();
        self
    }

    fn sign(mut self) -> (Device, ChangeId) {
        let body = Change::from(self.expanded).raw_bytes().to_vec();
        let change = self.device.sign(Draft { body, seen: Vec::new(), members: Vec::new() });
        (self.device, change)
    }
}

fn set(obj: ObjectId, field: &str, value: i64) -> Op {
    let action = OpType::Put(ScalarValue::Int(value));
    Op { action, obj, key: Key::Map(field.into()), pred: Vec::new().into(), insert: false }
}

/// What every device must still be able to do with the bad change among its own.
fn others_go_on(name: &str, honest: &mut Device, bad: (Device, ChangeId)) {
    let (bad, change) = bad;
    honest.meet(&bad);
    assert!(honest.reading().log().iter().any(|logged| logged.change == change), "{name}: it is kept");
    for value in [5, 6] {
        honest.edit(&json!({"r305": value, "r112": value}));
        assert_eq!(honest.value("r305"), Some(Scalar::Int(value)), "{name}");
        let reading = honest.reading();
        let logged = reading.log().iter().find(|logged| logged.author == honest.author()).unwrap();
        assert!(logged.standing.is_good(), "{name}");
    }
    let mut newcomer = Device::new(70, Ink::Pencil);
    newcomer.meet(honest);
    newcomer.edit(&json!({"r305": 4}));
    assert_eq!(newcomer.value("r305"), Some(Scalar::Int(4)), "{name}");
    assert_eq!(newcomer.reading().answer(&Place::family("r305")).unwrap().candidates.len(), 1, "{name}");
}

#[test]
fn a_field_that_was_written_more_often_than_anybody_can_name_is_no_place_where_nobody_can_write() {
    let mut honest = Device::new(1, Ink::Pencil);
    let (mut deps, mut bad) = (Vec::new(), Device::new(66, Ink::Pencil));
    let (writes, changes) = (8_192_u64, 5);
    for made in 0..changes {
        let mut often = Bad::new(&deps).start_op(1 + made * writes);
        often.expanded.operations = (0..writes).map(|_| set(ObjectId::Root, "r304", 7)).collect();
        often.expanded.seq = 1 + made;
        often.device = bad;
        let (device, change) = often.sign();
        deps = vec![device.held[&change].body().hash];
        bad = device;
    }
    honest.meet(&bad);
    assert_eq!(honest.value("r304"), Some(Scalar::Int(7)), "it is read");
    for value in [5, 6] {
        honest.edit(&json!({"r304": value}));
    }
    // In the same ink the two contradict each other; above it one can be chosen.
    let mut supervisor = Device::new(2, Ink::Red);
    supervisor.meet(&honest);
    assert_eq!(supervisor.conflicts().len(), 1);
    supervisor.edit(&json!({"r304": 6}));
    assert_eq!((supervisor.conflicts(), supervisor.value("r304")), (vec![], Some(Scalar::Int(6))));
}

#[test]
fn a_bad_change_stops_nobody_from_writing() {
    let mut honest = Device::new(1, Ink::Pencil);
    honest.edit(&json!({"r304": 3, "members": {"+": {"r402": "Sari"}}}));
    let heads = honest.reading().heads(Ink::Pencil);
    let map = {
        let map = honest.held.values().next().unwrap().body().maps[0].op;
        ObjectId::Id(OpId::new(map.counter, &ActorId::from(map.actor.as_bytes())))
    };
    let mut into_map = Bad::new(&[]).start_op(9);
    into_map.expanded.operations = vec![set(map, "r402", 1)];
    let mut absent = Bad::new(&[CauseHash::from_bytes([9; 32])]);
    absent.expanded.seq = 3;
    let mut twice = Bad::new(&heads).start_op(4);
    twice.expanded.operations = vec![set(ObjectId::Root, "r304", 1), set(ObjectId::Root, "r304", 2)];
    let bad = [
        ("it replaces what it did not know", Bad::new(&[]).start_op(9).pred(1, &honest)),
        ("it replaces what nobody wrote", Bad::new(&heads).start_op(4).pred(3, &Device::new(50, Ink::Red))),
        ("it replaces another field", Bad::new(&heads).start_op(4).pred(3, &honest)),
        ("it replaces its own", Bad::new(&[]).start_op(3).pred(2, &Device::new(66, Ink::Red))),
        ("it uses up the numbers", Bad::new(&heads).start_op(u64::from(u32::MAX) - 8)),
        ("it counts from before what it knew", Bad::new(&heads)),
        ("it writes into a map that it did not know", into_map),
        ("its cause is absent", absent),
        ("it writes one field twice", twice),
    ];
    for (name, bad) in bad {
        others_go_on(name, &mut honest.clone(), bad.sign());
    }
}
