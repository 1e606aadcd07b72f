//! The same identity number in several records: each of them is told of the others, and a number that
//! stands wherever there was no card takes neither time nor room that grows with the square.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rukun_change::RecordId;
use rukun_document::{Conflict, ConflictKind};
use rukun_tests::by_hand::{Node, World};
use serde_json::json;

const HOME: &str = "1811010005000300";
const REAL: &str = "1811014107850001";
const NO_CARD: &str = "0000000000000000";

struct Scene {
    world: World,
}

impl Scene {
    fn new() -> Self {
        Self { world: World::new(1) }
    }

    /// A family with one member, who has this NIK.
    fn register(&mut self, nik: &str) -> RecordId {
        let (now, home) = (self.world.now(), HOME.parse().unwrap());
        let patch = json!({"r108": "Siti", "members": {"+1": {"r402": "Ketut", "r403": nik}}});
        let (record, _) = self.world.replicas[0].add_record(now, home, None, &patch).unwrap();
        self.world.commit(Node(0));
        record
    }

    fn duplicates(&mut self) -> Vec<(RecordId, Conflict)> {
        let found = self.world.replicas[0].conflicts(None, Some(ConflictKind::Duplicate)).unwrap();
        found
            .into_iter()
            .flat_map(|(record, found)| found.into_iter().map(move |one| (record, one)))
            .collect()
    }
}

#[test]
fn every_record_with_a_number_is_told_of_the_others_that_have_it() {
    let mut scene = Scene::new();
    let (one, two) = (scene.register(REAL), scene.register(REAL));
    scene.register("1811014107850002");
    let found = scene.duplicates();
    assert_eq!(found.len(), 2);
    for (record, conflict) in found {
        let other = if record == one { two } else { one };
        assert_eq!((conflict.other, conflict.candidates.len()), (vec![other], 1));
        assert_eq!(conflict.cause, "the same NIK stands in 1 other record(s)");
    }
}

#[test]
fn of_a_number_that_stands_everywhere_each_record_names_some_and_all_are_listed() {
    let mut scene = Scene::new();
    let mut having: Vec<_> = (0..17).map(|_| scene.register(NO_CARD)).collect();
    let found = scene.duplicates();
    assert_eq!(found.len(), 17);
    assert!(found.iter().all(|(record, one)| one.other.len() == 16 && !one.other.contains(record)));
    assert!(found.iter().all(|(_, one)| one.cause == "the same NIK stands in 16 other record(s)"));

    having.extend((0..43).map(|_| scene.register(NO_CARD)));
    having.sort_unstable();
    let found = scene.duplicates();
    assert_eq!(found.iter().map(|(record, _)| *record).collect::<Vec<_>>(), having, "none is left out");
    for (record, conflict) in found {
        assert!(conflict.other.len() == 16 && !conflict.other.contains(&record));
        assert!(conflict.cause.starts_with("the same NIK stands in more than 16 other records"));
    }
}
