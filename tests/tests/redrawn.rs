//! A village office splits a sub-SLS: everyone lists the same, nobody begins a record where there is none
//! any more, families are moved one by one, and what others wrote there is taken as ever.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rukun_authority::{Drawn, RedrawingKind, Role};
use rukun_change::{Ink, RecordId, SubSls};
use rukun_replica::{ActionError, Redrawn};
use rukun_tests::by_hand::{Node, World};
use serde_json::json;

const STEPS: usize = 20_000;
const OLD: &str = "1811010005000300";
const NORTH: &str = "1811010005000301";
const SOUTH: &str = "1811010005000302";
const FAR: &str = "9401010001000100";

fn home(code: &str) -> SubSls {
    code.parse().unwrap()
}

fn drawn(code: &str, name: &str) -> Drawn {
    Drawn { sub_sls: home(code), name: name.into() }
}

/// A district, a supervisor of the village, an enumerator of the place that is split and one of a part.
struct Scene {
    world: World,
    office: Node,
    sri: Node,
    ani: Node,
    budi: Node,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::new(1);
        let office = Node(0);
        let sri = world.add(20, office, Role::Supervisor, &["1811010005"]);
        let ani = world.add(30, office, Role::Enumerator, &[OLD]);
        let budi = world.add(40, office, Role::Enumerator, &[NORTH]);
        let mut scene = Self { world, office, sri, ani, budi };
        scene.meet();
        scene
    }

    fn meet(&mut self) {
        for _ in 0..2 {
            for below in [self.sri, self.ani, self.budi] {
                self.world.link(below, self.office);
            }
            self.world.settle(STEPS);
            self.world.cut_all();
        }
    }

    fn register(&mut self, node: Node, place: &str) -> Result<RecordId, ActionError> {
        let now = self.world.now();
        let added = self.world.replicas[node.0].add_record(now, home(place), None, &json!({"r108": "Siti"}));
        self.world.commit(node);
        added.map(|(record, _)| record)
    }

    fn redraw(&mut self, node: Node, from: &[&str], to: Vec<Drawn>) -> Result<Redrawn, ActionError> {
        let from = from.iter().map(|code| home(code)).collect();
        let redrawn = self.world.replicas[node.0].redraw(from, to);
        self.world.commit(node);
        redrawn
    }

    fn split(&mut self) -> Redrawn {
        self.redraw(self.office, &[OLD], vec![drawn(SOUTH, "RT 003 Selatan"), drawn(NORTH, "RT 003 Utara")])
            .unwrap()
    }

    fn transfer(&mut self, record: &RecordId, to: &str) -> Result<RecordId, ActionError> {
        let now = self.world.now();
        let moved = self.world.replicas[self.office.0].transfer(now, record, home(to));
        self.world.commit(self.office);
        moved.map(|moved| moved.to)
    }

    /// How many records each retired place still has, as a node that reads them lists it.
    fn left(&mut self, node: Node) -> Vec<(SubSls, u64)> {
        let listed = self.world.replicas[node.0].redrawings().unwrap();
        listed.into_iter().flat_map(|redrawn| redrawn.retired).collect()
    }
}

#[track_caller]
fn assert_retired<T: std::fmt::Debug>(refused: Result<T, ActionError>, into: &[&str]) {
    let error = refused.unwrap_err();
    let places: Vec<SubSls> = into.iter().map(|code| home(code)).collect();
    assert!(
        matches!(&error, ActionError::Retired { home: at, into } if *at == home(OLD) && *into == places),
        "{error:?}"
    );
    let told = error.to_string();
    assert!(into.iter().all(|code| told.contains(code)), "{told}");
}

#[test]
fn where_a_place_was_split_no_record_begins_and_the_refusal_names_the_places_it_went_to() {
    let mut scene = Scene::new();
    let (office, sri, ani) = (scene.office, scene.sri, scene.ani);
    let elsewhere = scene.register(scene.budi, NORTH).unwrap();
    let old = scene.register(ani, OLD).unwrap();
    scene.meet();
    let split = scene.split();
    assert_eq!((split.kind, split.counts), (RedrawingKind::Split, true));
    assert_eq!(split.retired, [(home(OLD), 1)]);
    // She has not heard of it: what she begins there is taken by everyone as ever.
    let late = scene.register(ani, OLD).unwrap();
    scene.meet();
    for node in [office, sri, ani] {
        assert!(scene.world.replicas[node.0].reading(&late).is_ok(), "late work is lost at {node:?}");
        assert_retired(scene.register(node, OLD), &[NORTH, SOUTH]);
    }
    let now = scene.world.now();
    let prelist = scene.world.replicas[office.0].add_record(
        now,
        home(OLD),
        Some(Ink::Printed),
        &json!({"r108": "Joko"}),
    );
    assert_retired(prelist, &[NORTH, SOUTH]);
    assert_retired(scene.transfer(&elsewhere, OLD), &[NORTH, SOUTH]);
    assert!(
        scene.world.replicas[office.0].reading(&elsewhere).unwrap().gone().is_none(),
        "nothing was half done"
    );
    let written = scene.world.replicas[ani.0].edit(now, &old, None, &json!({"r304": 5})).unwrap();
    assert!(written.is_some(), "what is there is written on");
    scene.world.commit(ani);
    scene.register(sri, SOUTH).unwrap();
}

#[test]
fn families_are_moved_out_of_a_split_place_and_every_node_lists_the_same() {
    let mut scene = Scene::new();
    let (office, sri, ani, budi) = (scene.office, scene.sri, scene.ani, scene.budi);
    let records = [scene.register(ani, OLD).unwrap(), scene.register(ani, OLD).unwrap()];
    scene.meet();
    let renamed = scene.redraw(office, &[OLD], vec![drawn(OLD, "RT 003")]).unwrap();
    assert_eq!((renamed.kind, renamed.retired), (RedrawingKind::Rename, vec![]));
    scene.split();
    scene.meet();
    for (record, place, left) in [(records[0], NORTH, 1), (records[1], SOUTH, 0)] {
        let new = scene.transfer(&record, place).unwrap();
        scene.meet();
        for node in [office, sri, ani] {
            assert_eq!(scene.left(node), [(home(OLD), left)], "at {node:?}");
        }
        assert!(scene.world.replicas[sri.0].reading(&new).is_ok());
        assert_eq!(scene.world.replicas[budi.0].reading(&new).is_ok(), place == NORTH);
    }
    let ours = scene.world.replicas[office.0].trust().unwrap().redrawings();
    assert_eq!(ours.len(), 2);
    for node in [sri, ani, budi] {
        let trust = scene.world.replicas[node.0].trust().unwrap();
        assert_eq!(trust.redrawings(), ours, "at {node:?}");
        let names = [OLD, NORTH, SOUTH].map(|code| trust.place_name(&home(code)));
        assert_eq!(names, [Some("RT 003"), Some("RT 003 Utara"), Some("RT 003 Selatan")]);
    }
}

#[test]
fn what_was_split_is_merged_again_and_taken_into_use() {
    let mut scene = Scene::new();
    let office = scene.office;
    scene.split();
    let into_itself = scene.redraw(office, &[OLD], vec![drawn(OLD, ""), drawn(SOUTH, "")]);
    assert_retired(into_itself, &[NORTH, SOUTH]);
    let merged = scene.redraw(office, &[SOUTH, NORTH], vec![drawn(OLD, "")]).unwrap();
    assert_eq!((merged.kind, merged.from), (RedrawingKind::Merge, vec![home(NORTH), home(SOUTH)]));
    scene.meet();
    scene.register(scene.ani, OLD).unwrap();
    let refused = scene.register(scene.budi, NORTH);
    assert!(
        matches!(&refused, Err(ActionError::Retired { into, .. }) if *into == [home(OLD)]),
        "{refused:?}"
    );
}

#[test]
fn the_district_alone_redraws_its_own_and_says_what_can_be_read() {
    let mut scene = Scene::new();
    let (office, sri) = (scene.office, scene.sri);
    let refused = scene.redraw(sri, &[OLD], vec![drawn(NORTH, ""), drawn(SOUTH, "")]);
    assert!(matches!(refused, Err(ActionError::NotTheDistrict { .. })), "{refused:?}");
    let far = scene.redraw(office, &[OLD], vec![drawn(OLD, ""), drawn(FAR, "")]);
    assert!(matches!(far, Err(ActionError::NotTheDistrict { home: at }) if at == home(FAR)), "{far:?}");
    let none: [(&[&str], Vec<Drawn>); 5] = [
        (&[OLD, NORTH], vec![drawn(OLD, ""), drawn(SOUTH, "")]),
        (&[OLD], vec![drawn(OLD, "")]),
        (&[OLD], vec![drawn(NORTH, ""), drawn(NORTH, "")]),
        (&[OLD], vec![drawn(OLD, "RT\n003")]),
        (&[OLD], vec![drawn(OLD, &"x".repeat(257))]),
    ];
    for (from, to) in none {
        let refused = scene.redraw(office, from, to);
        assert!(matches!(refused, Err(ActionError::Redrawing(_))), "{refused:?}");
    }
    assert!(scene.world.replicas[office.0].redrawings().unwrap().is_empty());
}

#[test]
fn what_a_lost_district_split_after_it_was_lost_retires_nothing() {
    let mut scene = Scene::new();
    scene.meet();
    let (root, lost) = (scene.world.root.clone(), scene.world.key(scene.office));
    scene.world.replicas[scene.sri.0].revoke(Some(&root), &lost, "hilang").unwrap();
    scene.world.commit(scene.sri);
    scene.split();
    scene.meet();
    assert_eq!(scene.world.replicas[scene.ani.0].redrawings().unwrap().len(), 1);
    let listed = scene.world.replicas[scene.ani.0].redrawings().unwrap();
    assert!(!listed[0].counts && listed[0].retired.is_empty(), "{listed:?}");
}
