//! Where nothing is set aside, nothing forked and no map made twice, what Automerge shows must be
//! what is read.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{Automerge, Change, ChangeHash, ObjId, ROOT, ReadDoc, Value};
use proptest::prelude::*;
use rukun_change::{CauseHash, ChangeId, Ink, Scalar};
use serde_json::json;

use super::scalar;
use crate::fixture::{Device, all_meet};
use crate::{Place, Reading};

type Shown = BTreeMap<Place, BTreeSet<(CauseHash, Scalar)>>;

/// Everything that Automerge shows in a document of one ink.
fn by_automerge(device: &Device, ink: Ink) -> Shown {
    let mut doc = Automerge::new();
    let of_ink = device.held.values().filter(|change| change.change().ink == ink);
    let changes: Vec<Change> =
        of_ink.map(|change| Change::from_bytes(change.change().body.clone()).unwrap()).collect();
    doc.apply_changes(changes).unwrap();
    let mut shown = Shown::new();
    let keys: Vec<String> = doc.keys(ROOT).collect();
    for key in keys {
        let values = doc.get_all(ROOT, key.as_str()).unwrap();
        match (key.parse(), &values[..]) {
            (Ok(member), [(Value::Object(_), map)]) => {
                for field in doc.keys(map).collect::<Vec<_>>() {
                    shown.insert(Place::of(member, field.clone()), all(&doc, map, &field));
                }
            }
            (Ok(_), _) => panic!("a map was made twice"),
            (Err(_), _) => drop(shown.insert(Place::family(key.clone()), all(&doc, &ROOT, &key))),
        }
    }
    shown
}

fn all(doc: &Automerge, map: &ObjId, field: &str) -> BTreeSet<(CauseHash, Scalar)> {
    let values = doc.get_all(map, field).unwrap();
    let one = |(value, op): (Value<'_>, ObjId)| {
        let ChangeHash(hash) = doc.hash_for_opid(&op).unwrap();
        (CauseHash::from_bytes(hash), from_automerge(&value))
    };
    values.into_iter().map(one).collect()
}

fn from_automerge(value: &Value<'_>) -> Scalar {
    let Value::Scalar(value) = value else { panic!("a scalar") };
    let found = match value.as_ref() {
        automerge::ScalarValue::Null => Scalar::Null,
        automerge::ScalarValue::Int(number) => Scalar::Int(*number),
        automerge::ScalarValue::Str(text) => Scalar::Text(text.to_string()),
        other => panic!("{other:?}"),
    };
    assert_eq!(*value.as_ref(), scalar(&found));
    found
}

fn by_reading(device: &Device, reading: &Reading, ink: Ink) -> Shown {
    let hash = |change: &ChangeId| device.held[change].body().hash;
    let answers = reading.answers().iter().map(|(place, answer)| {
        let standing = answer.in_ink(ink).iter();
        (place.clone(), standing.map(|one| (hash(&one.change), one.value.clone())).collect())
    });
    answers.filter(|(_, values): &(Place, BTreeSet<_>)| !values.is_empty()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn where_all_is_well_automerge_shows_what_is_read(
        steps in prop::collection::vec((0..5_usize, 0..6_usize, 0..4_i64, 0..5_usize, any::<bool>()), 1..40),
    ) {
        let mut devices = [
            Device::new(1, Ink::Pencil),
            Device::new(2, Ink::Pencil),
            Device::new(3, Ink::Pencil),
            Device::new(4, Ink::Red),
            Device::new(5, Ink::Red),
        ];
        let [one, _, _, red, _] = &mut devices;
        one.edit(&json!({"r304": 1, "members": {"+1": {"r407": 1}, "+2": {"r407": 2}}}));
        let members: Vec<String> = one.reading().members().iter().map(ToString::to_string).collect();
        red.meet(one);
        red.edit(&json!({"members": {&members[0]: {"r407": 3}, &members[1]: {"r407": 4}}}));
        let [one, two, three, red, reds] = &mut devices;
        all_meet([one, two, three, red, reds]);
        for (at, field, value, from, writes) in steps {
            let from = devices[from].clone();
            let device = &mut devices[at];
            device.meet(&from);
            let value = if value == 0 { json!(null) } else { json!(value) };
            let patch = match field {
                0 => json!({"r304": value}),
                1 => json!({"r305": value, "r304": 7}),
                2 => json!({"members": {&members[0]: {"r407": value}}}),
                3 => json!({"members": {&members[1]: {"r407": value}}, "r112": 3}),
                4 if device.ink == Ink::Pencil => json!({"members": {"+": {"r407": value}}}),
                _ => json!({"r108": "Sari"}),
            };
            if writes && !value.is_null() {
                device.write("r304", value.as_i64().unwrap());
            } else if let Some(draft) = device.try_edit(&patch).unwrap() {
                device.sign(draft);
            }
        }
        let [one, two, three, red, reds] = &mut devices;
        all_meet([one, two, three, red, reds]);
        let reading = devices[0].reading();
        prop_assert!(reading.log().iter().all(|logged| logged.standing.is_good()));
        for ink in [Ink::Pencil, Ink::Red] {
            prop_assert_eq!(by_reading(&devices[0], &reading, ink), by_automerge(&devices[0], ink));
        }
    }
}
