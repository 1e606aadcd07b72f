//! A family moves to another place: whoever works there finds what was known of it, what arrives late in
//! the old record is shown, and the district's word leads from the new record to the old one.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rukun_authority::Role;
use rukun_change::{Ink, RecordId, Scalar, SubSls};
use rukun_document::{ConflictKind, Place};
use rukun_replica::ActionError;
use rukun_tests::by_hand::{Node, World};
use serde_json::json;

const STEPS: usize = 20_000;
const HERE: &str = "1811010005000300";
const THERE: &str = "1811010005000400";

/// A district, and an enumerator at each place.
struct Scene {
    world: World,
    office: Node,
    ani: Node,
    budi: Node,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::new(1);
        let office = Node(0);
        let ani = world.add(20, office, Role::Enumerator, &["18110100050003"]);
        let budi = world.add(30, office, Role::Enumerator, &["18110100050004"]);
        let mut scene = Self { world, office, ani, budi };
        scene.meet();
        scene
    }

    fn meet(&mut self) {
        for below in [self.ani, self.budi] {
            self.world.link(below, self.office);
        }
        self.world.settle(STEPS);
        self.world.cut_all();
    }

    fn register(&mut self) -> RecordId {
        let (now, home) = (self.world.now(), HERE.parse().unwrap());
        let family = json!({"r108": "Siti", "r106": "RT 003", "r304": 3, "members": {"+1": {"r402": "Siti", "r407": 41}}});
        let (record, _) = self.world.replicas[self.ani.0].add_record(now, home, None, &family).unwrap();
        self.world.commit(self.ani);
        record
    }

    fn transfer(&mut self, by: Node, record: &RecordId, to: &str) -> Result<RecordId, ActionError> {
        let (now, home): (_, SubSls) = (self.world.now(), to.parse().unwrap());
        let moved = self.world.replicas[by.0].transfer(now, record, home);
        self.world.commit(by);
        moved.map(|moved| moved.to)
    }

    fn value(&self, node: Node, record: &RecordId, field: &str) -> Option<Scalar> {
        let reading = self.world.replicas[node.0].reading(record).unwrap();
        reading.value(&Place::family(field)).cloned()
    }
}

#[test]
fn a_family_that_moves_is_found_where_it_lives_and_its_history_leads_back() {
    let mut scene = Scene::new();
    let (office, ani, budi) = (scene.office, scene.ani, scene.budi);
    let old = scene.register();
    scene.meet();
    let new = scene.transfer(office, &old, THERE).unwrap();
    scene.meet();
    let reading = scene.world.replicas[budi.0].reading(&new).unwrap();
    assert_eq!((reading.inks(), reading.members().len()), (vec![Ink::Printed], 1));
    assert_eq!(scene.value(budi, &new, "r304"), Some(Scalar::Int(3)));
    assert_eq!(scene.value(budi, &new, "r106"), None, "where it lived is left behind");
    // Whoever works there writes over what came along, as over a prelist.
    let now = scene.world.now();
    scene.world.replicas[budi.0].edit(now, &new, None, &json!({"r304": 5})).unwrap();
    scene.world.commit(budi);
    scene.meet();
    assert_eq!(scene.value(office, &new, "r304"), Some(Scalar::Int(5)));
    for node in [office, budi] {
        let (_, from) = scene.world.replicas[node.0].came_from(&new).unwrap();
        assert_eq!(from, old);
    }
    assert!(scene.world.replicas[ani.0].came_from(&new).is_none(), "she reads nothing there");
    for node in [office, ani] {
        let gone = scene.world.replicas[node.0].reading(&old).unwrap().gone().map(String::from);
        assert_eq!(gone, Some(format!("pindah ke {new}")));
    }
    assert!(scene.world.replicas[budi.0].reading(&old).is_err(), "nothing of the old place came along");
}

#[test]
fn what_is_written_late_in_the_record_that_ended_is_shown_as_that() {
    let mut scene = Scene::new();
    let old = scene.register();
    scene.meet();
    let now = scene.world.now();
    scene.world.replicas[scene.ani.0].edit(now, &old, None, &json!({"r305": 6})).unwrap();
    scene.world.commit(scene.ani);
    scene.transfer(scene.office, &old, THERE).unwrap();
    scene.meet();
    let office = &mut scene.world.replicas[scene.office.0];
    let found = office.conflicts(None, Some(ConflictKind::Presence)).unwrap();
    assert!(found.iter().any(|(record, _)| *record == old), "{found:?}");
}

#[test]
fn the_district_alone_moves_a_family_and_only_once() {
    let mut scene = Scene::new();
    let old = scene.register();
    scene.meet();
    let refused = scene.transfer(scene.ani, &old, THERE);
    assert!(matches!(refused, Err(ActionError::NotTheDistrict { .. })), "{refused:?}");
    let stays = scene.transfer(scene.office, &old, HERE);
    assert!(matches!(stays, Err(ActionError::LivesThere { .. })), "{stays:?}");
    let far = scene.transfer(scene.office, &old, "9401010001000100");
    assert!(matches!(far, Err(ActionError::NotTheDistrict { .. })), "{far:?}");
    scene.transfer(scene.office, &old, THERE).unwrap();
    let again = scene.transfer(scene.office, &old, THERE);
    assert!(matches!(again, Err(ActionError::Gone { .. })), "{again:?}");
}
