//! A device is lost: what it delivered stays, what comes later is set aside at every node, its superiors
//! settle that, and words about work stay where the work may be read.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rukun_authority::{Keypair, Reason, Role, Standing};
use rukun_change::{ChangeId, Incarnation, Ink, RecordId, Scalar, SignedChange};
use rukun_replica::ActionError;
use rukun_tests::by_hand::{Node, World};
use rukun_tests::world::liar::{Draft, Pen};
use rukun_wire::{Changes, Message};
use serde_json::json;

const STEPS: usize = 20_000;
const HOME: &str = "1811010005000300";
const REVOKED: Standing = Standing::SetAside(Reason::Revoked);

/// A district, a supervisor, an enumerator of hers, and one of another sub-district.
struct Scene {
    world: World,
    office: Node,
    supervisor: Node,
    ani: Node,
    budi: Node,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::new(1);
        let office = Node(0);
        let supervisor = world.add(10, office, Role::Supervisor, &["1811010005"]);
        world.link(supervisor, office);
        world.settle(STEPS);
        let ani = world.add(20, supervisor, Role::Enumerator, &["18110100050003"]);
        let budi = world.add(30, office, Role::Enumerator, &["18110400030001"]);
        let mut scene = Self { world, office, supervisor, ani, budi };
        scene.meet();
        scene
    }

    /// Everyone meets everyone above, and parts again.
    fn meet(&mut self) {
        let pairs = [(self.supervisor, self.office), (self.ani, self.supervisor), (self.budi, self.office)];
        for (below, above) in pairs {
            self.world.link(below, above);
        }
        self.world.settle(STEPS);
        self.world.cut_all();
    }

    /// A family and its one change.
    fn register(&mut self, node: Node) -> (RecordId, ChangeId) {
        self.register_at(node, HOME)
    }

    fn register_at(&mut self, node: Node, home: &str) -> (RecordId, ChangeId) {
        let (now, home) = (self.world.now(), home.parse().unwrap());
        let added = self.world.replicas[node.0].add_record(now, home, None, &json!({"r108": "Siti"}));
        self.world.commit(node);
        added.unwrap()
    }

    fn edit(&mut self, node: Node, record: &RecordId, value: u64) -> ChangeId {
        let now = self.world.now();
        let change = self.world.replicas[node.0].edit(now, record, None, &json!({"r304": value}));
        self.world.commit(node);
        change.unwrap().unwrap()
    }

    fn revoke_ani(&mut self, by: Node) {
        let ani = self.world.key(self.ani);
        self.world.replicas[by.0].revoke(None, &ani, "hilang").unwrap();
        self.world.commit(by);
    }

    fn settle(&mut self, by: Node, change: ChangeId, upheld: bool) {
        self.world.replicas[by.0].decide(None, &[change], upheld).unwrap();
        self.world.commit(by);
    }

    fn standing(&self, node: Node, record: &RecordId, change: &ChangeId) -> Standing {
        let reading = self.world.replicas[node.0].reading(record).unwrap();
        reading.log().iter().find(|logged| logged.change == *change).unwrap().standing
    }

    fn statements(&self, node: Node) -> usize {
        self.world.replicas[node.0].statements_held().unwrap().len()
    }
}

#[test]
fn what_was_delivered_stays_and_what_came_later_is_set_aside_and_settled_at_every_node() {
    let mut scene = Scene::new();
    let (ani, supervisor, office) = (scene.ani, scene.supervisor, scene.office);
    let (record, delivered) = scene.register(ani);
    scene.meet();
    scene.revoke_ani(supervisor);
    let [late, later] = [1, 2].map(|value| scene.edit(ani, &record, value));
    scene.meet();
    scene.meet();
    for node in [supervisor, office] {
        assert_eq!(scene.standing(node, &record, &delivered), Standing::Good);
        assert_eq!([late, later].map(|change| scene.standing(node, &record, &change)), [REVOKED; 2]);
        let listed = scene.world.replicas[node.0].set_aside(None).unwrap();
        assert_eq!(listed.len(), 2);
    }
    scene.settle(office, late, true);
    scene.settle(supervisor, later, true);
    scene.settle(office, later, false);
    scene.meet();
    for node in [supervisor, office] {
        assert_eq!(scene.standing(node, &record, &late), Standing::Upheld);
        assert_eq!(scene.standing(node, &record, &later), Standing::SetAside(Reason::Dismissed));
    }
}

#[test]
fn who_decided_may_take_it_back() {
    let mut scene = Scene::new();
    let (record, change) = scene.register(scene.ani);
    scene.meet();
    for upheld in [false, true, false] {
        scene.settle(scene.supervisor, change, upheld);
        scene.meet();
        let expected = if upheld { Standing::Upheld } else { Standing::SetAside(Reason::Dismissed) };
        for node in [scene.supervisor, scene.office] {
            assert_eq!(scene.standing(node, &record, &change), expected);
        }
    }
}

#[test]
fn what_came_last_of_the_lower_numbers_is_kept_as_well() {
    let mut scene = Scene::new();
    let (keypair, survey) = (Keypair::from_seed(&[20; 32]), scene.world.replicas[0].survey().unwrap());
    let pen = Pen { keypair, incarnation: Incarnation::from_bytes([7; 4]), survey };
    let made = [3_u64, 1, 2].map(|n| {
        let record = RecordId::new(HOME.parse().unwrap(), n.to_be_bytes());
        (record, pen.write(&Draft::new(n, record, Ink::Pencil, "r304", Scalar::Int(4))))
    });
    let key = scene.world.key(scene.ani);
    let link = scene.world.session_by_hand(scene.supervisor, key);
    for (frame, (_, change)) in (1..).zip(&made) {
        let changes = Changes { frame, upto: Some(1_000 * frame), items: vec![change.clone()] };
        scene.world.say(scene.supervisor, link, &Message::Changes(changes));
    }
    scene.revoke_ani(scene.supervisor);
    for (record, _) in &made {
        let reading = scene.world.replicas[scene.supervisor.0].reading(record).unwrap();
        assert_eq!(reading.log()[0].standing, Standing::Good, "{record}");
    }
}

#[test]
fn a_revoked_device_reads_nothing_more_and_may_still_deliver() {
    let mut scene = Scene::new();
    let (ani, supervisor) = (scene.ani, scene.supervisor);
    let (record, _) = scene.register(ani);
    scene.meet();
    scene.revoke_ani(supervisor);
    let now = scene.world.now();
    scene.world.replicas[supervisor.0].edit(now, &record, None, &json!({"r304": 7})).unwrap();
    scene.world.commit(supervisor);
    let late = scene.edit(ani, &record, 1);
    let known = scene.world.replicas[ani.0].change_ids().unwrap();
    scene.meet();
    assert_eq!(scene.world.replicas[ani.0].change_ids().unwrap(), known, "it was sent something");
    assert!(scene.world.replicas[supervisor.0].change_ids().unwrap().contains(&late));
    let now = scene.world.now();
    let refused = scene.world.replicas[ani.0].edit(now, &record, None, &json!({"r304": 3}));
    assert!(matches!(refused, Err(ActionError::NotGranted { .. })), "{refused:?}");
}

#[test]
fn words_about_work_stay_where_that_work_may_be_read() {
    let mut scene = Scene::new();
    let (ani, budi, office) = (scene.ani, scene.budi, scene.office);
    let (_, change) = scene.register(ani);
    scene.meet();
    scene.meet();
    let before = [budi, office].map(|node| scene.statements(node));
    scene.revoke_ani(office);
    scene.settle(office, change, false);
    scene.meet();
    assert_eq!(scene.statements(office), before[1] + 3, "a revocation, its list, a decision");
    assert_eq!(scene.statements(budi), before[0] + 1, "the revocation alone");
    assert_eq!(scene.statements(scene.supervisor), scene.statements(office));
}

#[test]
fn a_word_about_work_that_was_lost_on_the_way_is_found_by_comparing() {
    let mut scene = Scene::new();
    let (ani, supervisor, office) = (scene.ani, scene.supervisor, scene.office);
    let (record, change) = scene.register(ani);
    scene.meet();
    scene.meet();
    scene.world.link(supervisor, office);
    scene.world.settle(STEPS);
    scene.settle(office, change, false);
    // It has left the office, by whose log the supervisor has it now.
    scene.world.forget_in_flight();
    scene.world.cut_all();
    scene.meet();
    assert_eq!(scene.standing(supervisor, &record, &change), Standing::SetAside(Reason::Dismissed));
}

#[test]
fn nobody_settles_or_revokes_what_did_not_come_down_through_them() {
    let mut scene = Scene::new();
    let (ani, budi) = (scene.world.key(scene.ani), scene.world.key(scene.budi));
    let (_, change) = scene.register(scene.ani);
    scene.meet();
    let supervisor = &mut scene.world.replicas[scene.supervisor.0];
    assert!(matches!(supervisor.revoke(None, &budi, "x"), Err(ActionError::NotAbove { .. })));
    supervisor.revoke(None, &ani, "x").unwrap();
    assert!(matches!(supervisor.revoke(None, &ani, "x"), Err(ActionError::RevokedBefore { .. })));
    let own = &mut scene.world.replicas[scene.ani.0];
    assert!(matches!(own.decide(None, &[change], true), Err(ActionError::NotAboveWork { .. })));
    let report = scene.world.replicas[scene.supervisor.0].held_by(&ani).unwrap();
    assert_eq!(report.lines.iter().map(|line| line.own).collect::<Vec<_>>(), [1]);
}

#[test]
fn who_granted_a_device_by_two_paths_takes_both_away_at_once() {
    let mut scene = Scene::new();
    let (office, supervisor) = (scene.office, scene.supervisor);
    let (other, ani) = ("1811040003", scene.world.key(scene.ani));
    let coordinator = scene.world.add(40, office, Role::Coordinator, &[other]);
    scene.world.link(coordinator, office);
    scene.world.settle(STEPS);
    scene.world.grant(coordinator, supervisor, Role::Supervisor, &[other]);
    scene.world.settle(STEPS);
    scene.meet();
    scene.world.grant(supervisor, scene.ani, Role::Enumerator, &["18110400030001"]);
    let reads = |scene: &Scene, node: Node| scene.world.replicas[node.0].trust().unwrap().reads(&ani);
    assert_eq!(reads(&scene, supervisor).len(), 2);
    // She does not speak for what the office says itself.
    scene.world.link(supervisor, office);
    scene.world.settle(STEPS);
    scene.world.grant(office, scene.ani, Role::Enumerator, &["18110100050009"]);
    scene.meet();
    let revoked = scene.world.replicas[supervisor.0].revoke(None, &ani, "hilang").unwrap();
    scene.world.commit(supervisor);
    assert_eq!((revoked.revocations.len(), revoked.others.as_slice()), (2, &[scene.world.key(office)][..]));
    scene.meet();
    for node in [supervisor, office] {
        assert_eq!(reads(&scene, node), ["18110100050009".parse().unwrap()]);
    }
    // The coordinator speaks for her own path alone.
    scene.world.link(coordinator, office);
    scene.world.settle(STEPS);
    let supervised = scene.world.key(supervisor);
    let losing = scene.world.replicas[coordinator.0].losing(None, &supervised).unwrap();
    assert_eq!(losing.others, [scene.world.key(office)]);
}

/// A number that was used twice, in two sub-districts.
struct Forked {
    scene: Scene,
    /// Under the supervisor.
    honest: (RecordId, ChangeId),
    /// At the other enumerator's.
    branch: (RecordId, ChangeId),
    clone: Node,
    /// How many statements were held before.
    statements: usize,
}

/// Each branch is held by one who does not hold the other.
fn forked() -> Forked {
    let mut scene = Scene::new();
    let (ani, supervisor, office, budi) = (scene.ani, scene.supervisor, scene.office, scene.budi);
    // She works in both sub-districts, on a phone that was cloned.
    scene.world.grant(office, ani, Role::Enumerator, &["18110400030001"]);
    scene.meet();
    let clone = scene.world.add_bare(20);
    let survey = scene.world.replicas[0].survey().unwrap();
    scene.world.replicas[clone.0].join(survey).unwrap();
    scene.world.commit(clone);
    scene.world.link(clone, office);
    scene.world.settle(STEPS);
    scene.world.cut_all();
    let statements = scene.statements(budi);
    let honest = scene.register(ani);
    let branch = scene.register_at(clone, "1811040003000100");
    for (below, above) in [(clone, budi), (ani, supervisor)] {
        scene.world.link(below, above);
        scene.world.settle(STEPS);
        scene.world.cut_all();
    }
    Forked { scene, honest, branch, clone, statements }
}

#[test]
fn a_fork_is_proved_to_everyone_who_holds_one_branch_alone() {
    let Forked { mut scene, honest: (record, honest), branch: (other, branch), statements, .. } = forked();
    let (supervisor, budi) = (scene.supervisor, scene.budi);
    assert_eq!(scene.standing(supervisor, &record, &honest), Standing::Good, "nobody holds both yet");
    assert_eq!(scene.standing(budi, &other, &branch), Standing::Good);
    scene.meet();
    scene.meet();
    for (node, record, change) in [(supervisor, &record, &honest), (budi, &other, &branch)] {
        assert_eq!(scene.standing(node, record, change), Standing::SetAside(Reason::Fork));
    }
    assert_eq!(scene.statements(budi), statements + 1, "one proof travels to all");
    scene.settle(supervisor, honest, true);
    assert_eq!(scene.standing(supervisor, &record, &honest), Standing::Upheld);
}

#[test]
fn a_revocation_makes_no_branch_of_a_fork_good_where_the_other_is_not_read() {
    let Forked { mut scene, honest: (record, honest), .. } = forked();
    scene.meet();
    scene.meet();
    scene.revoke_ani(scene.office);
    scene.meet();
    for node in [scene.office, scene.supervisor] {
        assert_eq!(scene.standing(node, &record, &honest), REVOKED);
    }
}

#[test]
fn a_fork_that_was_listed_is_told_whatever_happens_before_the_next_commit() {
    let Forked { mut scene, clone, .. } = forked();
    let (office, ani) = (scene.office, scene.ani);
    let key = scene.world.key(office);
    let branches = [ani, clone].map(|node| scene.world.signed_by(node, key));
    let link = scene.world.session_by_hand(office, scene.world.key(ani));
    let before = scene.statements(office);
    for (frame, items) in (1..).zip(branches) {
        assert_eq!((items.len(), scene.statements(office)), (1, before));
        let changes = Message::Changes(Changes { frame, upto: Some(1_000 * frame), items });
        scene.world.say_uncommitted(office, link, &changes);
        // Whatever looks at lists makes durable what it found.
        scene.world.replicas[office.0].status().unwrap();
    }
    assert_eq!(scene.statements(office), before + 1, "the proof is durable with the branch");
}

#[test]
fn whoever_revokes_is_told_of_the_keys_that_follow_by_the_devices_own_word() {
    let mut scene = Scene::new();
    let (ani, supervisor) = (scene.ani, scene.supervisor);
    let (old, now) = (scene.world.key(ani), scene.world.now());
    scene.world.replicas[ani.0].rotate(now, [21; 32]).unwrap();
    scene.world.commit(ani);
    let followers = |scene: &Scene| scene.world.replicas[supervisor.0].losing(None, &old).unwrap().followers;
    assert_eq!(followers(&scene), []);
    scene.meet();
    let new = Keypair::from_seed(&[21; 32]).key();
    assert_eq!(followers(&scene), [new]);
    scene.world.replicas[supervisor.0].revoke(None, &new, "dicuri").unwrap();
    assert_eq!(followers(&scene), []);
}

#[test]
fn who_makes_more_than_a_revocation_can_name_is_revoked_and_loses_only_what_came_last() {
    let mut scene = Scene::new();
    let (record, change) = scene.register(scene.ani);
    scene.meet();
    // A thief signs under an incarnation each, which costs nothing.
    let (keypair, survey) = (Keypair::from_seed(&[20; 32]), scene.world.replicas[0].survey().unwrap());
    let made = (0_u32..1_030).map(|at| {
        let incarnation = Incarnation::from_bytes((0xf000_0000 + at).to_be_bytes());
        let pen = Pen { keypair: keypair.clone(), incarnation, survey };
        let id = u64::from(at).to_be_bytes();
        let record = RecordId::new(HOME.parse().unwrap(), id);
        pen.write(&Draft::new(1, record, Ink::Pencil, "r108", Scalar::Text("x".into())))
    });
    let made: Vec<SignedChange> = made.collect();
    let (office, key) = (scene.office, scene.world.key(scene.ani));
    let link = scene.world.session_by_hand(office, key);
    for (frame, items) in (1..).zip(made.chunks(64)) {
        let changes = Changes { frame, upto: Some(1_000 * frame), items: items.to_vec() };
        scene.world.say(office, link, &Message::Changes(changes));
    }
    let loss = scene.world.replicas[office.0].revoke(None, &key, "dicuri").unwrap();
    scene.world.commit(office);
    // The honest incarnation is one of 1 024.
    assert_eq!((loss.changes, loss.left_out), (1 + 1_023, 1_030 - 1_023));
    assert_eq!(scene.world.replicas[office.0].trust().unwrap().reads(&key), []);
    let reading = scene.world.replicas[office.0].reading(&record).unwrap();
    let standing = reading.log().iter().find(|logged| logged.change == change).unwrap().standing;
    assert_eq!(standing, Standing::Good);
}
