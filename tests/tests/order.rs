//! Promise 8: the same set of changes and statements gives the same answer on every node, in any
//! order of arrival. Random surveys from a seed: edits, corrections, resolutions, grants and cuts at
//! any moment; then the links heal, and nodes of equal scope must agree in everything.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rukun_authority::Role;
use rukun_change::{Fingerprint, RecordId};
use rukun_document::Reading;
use rukun_replica::Choice;
use rukun_tests::by_hand::{Node, World};
use serde_json::{Value, json};

const SEEDS: u64 = 30;
const STEPS: usize = 100_000;
const PLACES: [&str; 3] = ["1811010005000300", "1811010005000400", "1811010005000900"];
const FIELDS: [(&str, u64); 4] = [("r304", 7), ("r305", 8), ("r302", 90), ("r503a", 2)];

struct Chance(ChaCha8Rng);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() % limit as u64) as usize
    }
}

fn act(world: &mut World, node: Node, chance: &mut Chance) {
    let now = world.now();
    let replica = &mut world.replicas[node.0];
    let records: Vec<RecordId> =
        replica.records(None, None, 100).unwrap().into_iter().map(|line| line.id).collect();
    let (field, max) = FIELDS[chance.below(FIELDS.len())];
    let patch = json!({ field: 1 + chance.below(max as usize) });
    // What a role may not do there is refused; a random survey tries it all the same.
    match (chance.below(10), records.as_slice()) {
        (0 | 1, _) | (_, []) => {
            let home = PLACES[chance.below(PLACES.len())].parse().unwrap();
            let _ = replica.add_record(now, home, None, &json!({"r108": "Keluarga", field: 1}));
        }
        (2, records) => {
            let record = records[chance.below(records.len())];
            let _ =
                replica.edit(now, &record, None, &json!({"members": {"+1": {"r402": "Putri", "r404": 1}}}));
        }
        (3, records) => {
            let record = records[chance.below(records.len())];
            let shown = replica.show_conflicts(&record).unwrap();
            let place = shown
                .iter()
                .find_map(|conflict| Some((conflict.place.clone()?, conflict.candidates.first()?)));
            if let Some((place, candidate)) = place {
                let _ = replica.resolve(now, &record, &place, &Choice::Pick(candidate.change), None);
            }
        }
        (4, records) => {
            let record = records[chance.below(records.len())];
            let _ = replica.mark_gone(now, &record, None, "pindah", None);
        }
        (_, records) => {
            let record = records[chance.below(records.len())];
            let _ = replica.edit(now, &record, None, &patch);
        }
    }
    world.commit(node);
}

/// A record's id, its answers, its log with standing, its conflicts.
type Read = (RecordId, Value, String, String);

/// All that a person could read of a node: answers, log with standing, conflicts, fingerprints.
fn all_of(world: &mut World, node: Node) -> (Vec<Read>, Vec<Fingerprint>) {
    let replica = &mut world.replicas[node.0];
    let lines = replica.records(None, None, usize::MAX).unwrap();
    let records = lines
        .iter()
        .map(|line| {
            let reading: Reading = replica.reading(&line.id).unwrap();
            let conflicts = replica.show_conflicts(&line.id).unwrap();
            (line.id, reading.to_json(), format!("{:?}", reading.log()), format!("{conflicts:?}"))
        })
        .collect();
    (records, replica.fingerprints(None).unwrap().into_values().collect())
}

fn run(seed: u64) -> usize {
    let mut chance = Chance(ChaCha8Rng::seed_from_u64(seed));
    let mut world = World::new(seed as u8);
    let office = Node(0);
    let relay = world.add(201, office, Role::Coordinator, &["1811010"]);
    world.link(relay, office);
    world.settle(STEPS);
    let supervisor = world.add(202, relay, Role::Supervisor, &["1811010005"]);
    world.link(supervisor, relay);
    world.settle(STEPS);
    let field: Vec<Node> =
        (0..3).map(|index| world.add(210 + index, supervisor, Role::Enumerator, &["1811010005"])).collect();
    let everyone: Vec<Node> = [office, relay, supervisor].into_iter().chain(field.iter().copied()).collect();
    world.cut_all();
    for _ in 0..60 {
        world.pass_ms(1_000);
        match chance.below(8) {
            0 => world.cut_all(),
            1 | 2 => {
                let (near, far) = (chance.below(everyone.len()), chance.below(everyone.len()));
                if near != far {
                    world.link(everyone[near], everyone[far]);
                }
            }
            3 => world.run(chance.below(40)),
            _ => act(&mut world, everyone[chance.below(everyone.len())], &mut chance),
        }
    }
    world.cut_all();
    for far in &everyone {
        if *far != supervisor {
            world.link(supervisor, *far);
        }
    }
    world.settle(STEPS);
    let expected = all_of(&mut world, office);
    for node in everyone {
        let found = all_of(&mut world, node);
        assert_eq!(
            found.0.len(),
            expected.0.len(),
            "seed {seed}: {node:?} holds other records than the office"
        );
        for (theirs, ours) in found.0.iter().zip(&expected.0) {
            assert_eq!(theirs.1, ours.1, "seed {seed}: {node:?} reads other answers in {}", ours.0);
            assert_eq!(theirs.2, ours.2, "seed {seed}: {node:?} has another log of {}", ours.0);
            assert_eq!(theirs.3, ours.3, "seed {seed}: {node:?} sees other conflicts in {}", ours.0);
        }
        assert_eq!(found.1, expected.1, "seed {seed}: {node:?} holds something else than the office");
    }
    expected.0.len()
}

#[test]
fn any_order_of_arrival_gives_the_same_records_conflicts_and_fingerprints() {
    let records: usize = (0..SEEDS).map(run).sum();
    assert!(records > SEEDS as usize, "the surveys were too empty to tell anything: {records} records");
}
