//! Who is root by now is known to whoever begins anew: where the office's machine and its relay are lost, what is left
//! is the root key and what the officers' devices hold.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use rukun_authority::{Keypair, Role};
use rukun_tests::by_hand::{Node, World, new_grant};
use serde_json::json;

const OFFICE: Node = Node(0);
const STEPS: usize = 10_000;

#[test]
fn a_relay_that_begins_anew_after_a_root_succession_is_granted_by_the_new_root_and_refilled() {
    let mut world = World::new(1);
    let supervisor = world.add(10, OFFICE, Role::Supervisor, &["1811010005"]);
    let (old, next) = (world.root.clone(), Keypair::from_seed(&[77; 32]));
    world.replicas[OFFICE.0].succeed_root(&old, &next).unwrap();
    world.commit(OFFICE);
    world.link(supervisor, OFFICE);
    world.settle(STEPS);
    let (now, home) = (world.now(), "1811010005000300".parse().unwrap());
    world.replicas[supervisor.0].add_record(now, home, None, &json!({"r108": "Siti"})).unwrap();
    world.commit(supervisor);
    world.cut_all();

    let survey = world.replicas[OFFICE.0].survey().unwrap();
    let anew = world.add_bare(50);
    world.replicas[anew.0].join(survey).unwrap();
    world.commit(anew);
    let meet = |world: &mut World| {
        world.link(supervisor, anew);
        world.settle(STEPS);
        world.cut_all();
    };
    // It is told who takes part before it is granted anything: without that nobody could grant it.
    meet(&mut world);
    let trust = world.replicas[anew.0].trust().unwrap();
    assert_eq!(trust.roots(), [next.key()]);
    let district = new_grant(world.key(anew), Role::District, &["1811"]);
    assert!(world.replicas[anew.0].grant(Some(&old), district.clone()).is_err());
    world.replicas[anew.0].grant(Some(&next), district).unwrap();
    world.commit(anew);
    meet(&mut world);
    let held = |node: Node| world.replicas[node.0].change_ids().unwrap();
    assert_eq!((held(anew), held(anew).len()), (held(supervisor), 1));
}
