//! A family is to be forgotten: the district's word takes its answers away wherever they are held, what
//! comes back by whatever way becomes the stub again, and nodes go on agreeing.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use rukun_authority::Role;
use rukun_change::{ChangeId, RecordId};
use rukun_replica::ActionError;
use rukun_tests::by_hand::{Node, World};
use serde_json::json;

const STEPS: usize = 20_000;
const HOME: &str = "1811010005000300";

/// A district, a supervisor, and an enumerator of hers.
struct Scene {
    world: World,
    office: Node,
    supervisor: Node,
    ani: Node,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::new(1);
        let office = Node(0);
        let supervisor = world.add(10, office, Role::Supervisor, &["1811010005"]);
        world.link(supervisor, office);
        world.settle(STEPS);
        let ani = world.add(20, supervisor, Role::Enumerator, &["18110100050003"]);
        let mut scene = Self { world, office, supervisor, ani };
        scene.meet();
        scene
    }

    fn meet(&mut self) {
        for (below, above) in [(self.supervisor, self.office), (self.ani, self.supervisor)] {
            self.world.link(below, above);
        }
        self.world.settle(STEPS);
        self.world.cut_all();
    }

    fn register(&mut self, node: Node) -> (RecordId, ChangeId) {
        let (now, home) = (self.world.now(), HOME.parse().unwrap());
        let added = self.world.replicas[node.0].add_record(now, home, None, &json!({"r108": "Siti"}));
        self.world.commit(node);
        added.unwrap()
    }

    fn edit(&mut self, node: Node, record: &RecordId, value: u64) -> Result<Option<ChangeId>, ActionError> {
        let now = self.world.now();
        let edited = self.world.replicas[node.0].edit(now, record, None, &json!({"r304": value}));
        self.world.commit(node);
        edited
    }

    fn erase(&mut self, node: Node, record: &RecordId) -> Result<(), ActionError> {
        let erased = self.world.replicas[node.0].erase(None, record, "the family asked for it");
        self.world.commit(node);
        erased.map(drop)
    }

    fn left(&self, node: Node, record: &RecordId) -> BTreeSet<ChangeId> {
        let headers = self.world.replicas[node.0].headers_of(record).unwrap();
        headers.iter().map(rukun_authority::AdmittedHeader::id).collect()
    }

    fn is_forgotten(&self, node: Node, record: &RecordId) -> bool {
        let replica = &self.world.replicas[node.0];
        let listed = replica.record_ids().unwrap().contains(record);
        let whole = !replica.changes_of(record).unwrap().is_empty();
        matches!(replica.reading(record), Err(ActionError::Erased(_))) && !listed && !whole
    }
}

#[test]
fn an_erased_record_is_forgotten_wherever_it_is_held_and_its_history_stays() {
    let mut scene = Scene::new();
    let nodes = [scene.office, scene.supervisor, scene.ani];
    let (record, made) = scene.register(scene.ani);
    let (other, _) = scene.register(scene.ani);
    scene.meet();
    let corrected = scene.edit(scene.supervisor, &record, 3).unwrap().unwrap();
    scene.meet();
    scene.erase(scene.office, &record).unwrap();
    assert!(!scene.is_forgotten(scene.ani, &record), "the word has not come");
    scene.meet();
    let first = scene.world.replicas[0].fingerprints(None).unwrap();
    for node in nodes {
        assert!(scene.is_forgotten(node, &record));
        assert_eq!(scene.left(node, &record), [made, corrected].into());
        assert!(scene.world.replicas[node.0].reading(&other).is_ok());
        assert_eq!(scene.world.replicas[node.0].fingerprints(None).unwrap(), first);
        let erased = scene.world.replicas[node.0].erased(None).unwrap();
        assert_eq!((erased.len(), erased[0].record, erased[0].changes), (1, record, 2));
        assert_eq!(erased[0].reason, "the family asked for it");
        let refused = scene.edit(node, &record, 5);
        assert!(matches!(refused, Err(ActionError::Erased(_))), "{refused:?}");
    }
    let again = scene.erase(scene.office, &record);
    assert!(matches!(again, Err(ActionError::Erased(_))), "{again:?}");
}

#[test]
fn work_that_comes_after_the_erasure_becomes_a_stub_and_is_acknowledged() {
    let mut scene = Scene::new();
    let (record, made) = scene.register(scene.ani);
    scene.meet();
    scene.erase(scene.office, &record).unwrap();
    // She is out of reach, and goes on with the family.
    let late = scene.edit(scene.ani, &record, 3).unwrap().unwrap();
    let later = scene.edit(scene.ani, &record, 4).unwrap().unwrap();
    scene.meet();
    scene.meet();
    for node in [scene.office, scene.supervisor, scene.ani] {
        assert!(scene.is_forgotten(node, &record));
        assert_eq!(scene.left(node, &record), [made, late, later].into());
    }
    let peers = scene.world.replicas[scene.ani.0].peers().unwrap();
    assert!(peers.iter().all(|peer| peer.lacks == 0), "{peers:?}");
}

#[test]
fn who_comes_later_gets_the_stubs_alone() {
    let mut scene = Scene::new();
    let (record, made) = scene.register(scene.ani);
    scene.meet();
    scene.erase(scene.office, &record).unwrap();
    scene.meet();
    let heir = scene.world.add(30, scene.supervisor, Role::Enumerator, &["18110100050003"]);
    scene.world.link(heir, scene.supervisor);
    scene.world.settle(STEPS);
    assert!(scene.is_forgotten(heir, &record));
    assert_eq!(scene.left(heir, &record), [made].into());
    let same = scene.world.replicas[scene.supervisor.0].fingerprints(None).unwrap();
    assert_eq!(scene.world.replicas[heir.0].fingerprints(None).unwrap(), same);
}

#[test]
fn the_district_alone_erases_and_says_why() {
    let mut scene = Scene::new();
    let (record, _) = scene.register(scene.ani);
    scene.meet();
    for node in [scene.supervisor, scene.ani] {
        let refused = scene.erase(node, &record);
        assert!(matches!(refused, Err(ActionError::NotTheDistrict { .. })), "{refused:?}");
    }
    let silent = scene.world.replicas[scene.office.0].erase(None, &record, "  ");
    assert!(matches!(silent, Err(ActionError::NoReason)), "{silent:?}");
    let said = |scene: &Scene| scene.world.replicas[scene.office.0].statements_held().unwrap().len();
    let before = said(&scene);
    for reason in ["a letter,\nand more of it".into(), "x".repeat(257)] {
        let told = scene.world.replicas[scene.office.0].erase(None, &record, &reason);
        assert!(matches!(told, Err(ActionError::LongReason { .. })), "{told:?}");
        let (ani, office) = (scene.world.key(scene.ani), scene.office.0);
        let revoked = scene.world.replicas[office].revoke(None, &ani, &reason);
        assert!(matches!(revoked, Err(ActionError::LongReason { .. })), "{revoked:?}");
    }
    assert_eq!(said(&scene), before);
    let unknown = RecordId::new(HOME.parse().unwrap(), [9; 8]);
    let nothing = scene.erase(scene.office, &unknown);
    assert!(matches!(nothing, Err(ActionError::NoRecord { .. })), "{nothing:?}");
    assert!(scene.world.replicas[scene.office.0].reading(&record).is_ok());
}
