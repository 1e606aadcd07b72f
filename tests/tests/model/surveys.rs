//! Random surveys: honest work at every tier, a device whose copy works on beside it, and an
//! enumerator who signs anything. Every record on every node is read as the model says, whatever
//! part of the survey the node holds.

use std::sync::Arc;

use rukun_authority::{Keypair, Role};
use rukun_change::{DeviceKey, Incarnation, Ink, RecordId, SubSls};
use rukun_replica::{Choice, Replica};
use rukun_tests::by_hand::{Node, World};
use rukun_tests::world::Chance;
use rukun_tests::world::liar::Pen;
use rukun_tests::world::model::compare::{
    Facts, compare, compare_line, compare_set, compare_trust, holdings,
};
use rukun_tests::world::model::{Fact, read};
use rukun_wire::{Changes, Message};
use serde_json::json;

use crate::forged::any_draft;

const SEEDS: u64 = 24;
const ACTS: usize = 90;
const STEPS: usize = 100_000;
const PLACES: [&str; 4] = ["1811010005000300", "1811010005000400", "1811010005000900", "1811010006000100"];
const FIELDS: [(&str, usize); 3] = [("r304", 7), ("r305", 8), ("r302", 90)];
const COPY_SEED: u8 = 212;
const LIAR_SEED: u8 = 230;

struct Survey {
    world: World,
    everyone: Vec<Node>,
    liar: Pen,
    facts: Facts,
    /// Records read, and changes found set aside among them.
    read: usize,
    aside: usize,
}

impl Survey {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed as u8 + 1);
        let office = Node(0);
        let relay = world.add(201, office, Role::Coordinator, &["1811010"]);
        world.link(relay, office);
        world.settle(STEPS);
        let supervisor = world.add(202, relay, Role::Supervisor, &["1811010005"]);
        world.link(supervisor, relay);
        world.settle(STEPS);
        let enumerator = |world: &mut World, seed, regions: &[&str]| {
            world.add(seed, supervisor, Role::Enumerator, regions)
        };
        let ani = enumerator(&mut world, 210, &["18110100050003"]);
        let budi = enumerator(&mut world, 211, &["18110100050004", "18110100050009"]);
        let citra = enumerator(&mut world, COPY_SEED, &["1811010005"]);
        let liar = enumerator(&mut world, LIAR_SEED, &["1811010005"]);
        let survey = world.replicas[0].survey().unwrap();
        let copy = world.add_bare(COPY_SEED);
        world.replicas[copy.0].join(survey).unwrap();
        world.commit(copy);
        let keypair = Keypair::from_seed(&[LIAR_SEED; 32]);
        assert_eq!(world.key(liar), keypair.key());
        let liar = Pen { keypair, incarnation: Incarnation::from_bytes([LIAR_SEED; 4]), survey };
        let everyone = vec![office, relay, supervisor, ani, budi, citra, copy];
        Self { world, everyone, liar, facts: Facts::new(), read: 0, aside: 0 }
    }

    fn edit(&mut self, node: Node, chance: &mut Chance) {
        let now = self.world.now();
        let replica = &mut self.world.replicas[node.0];
        let records = replica.record_ids().unwrap();
        let (field, max) = *chance.pick(&FIELDS);
        let answer = json!({ field: 1 + chance.below(max) });
        // What a role may not do there is refused; a random survey tries it all the same.
        if records.is_empty() || chance.one_in(6) {
            let home = chance.pick(&PLACES).parse().unwrap();
            let _ = replica.add_record(now, home, None, &json!({"r108": "Keluarga", field: 1}));
        } else {
            let record = *chance.pick(&records);
            let _ = match chance.below(8) {
                0 => {
                    let member = json!({"members": {"+1": {"r402": "Putri", "r404": 1}}});
                    replica.edit(now, &record, None, &member).map(drop)
                }
                1 => resolve(replica, now, &record),
                2 => replica.mark_gone(now, &record, None, "pindah", None).map(drop),
                3 => {
                    let members = replica.reading(&record).unwrap().all_members().to_vec();
                    let member = chance.place(members.len()).map(|at| members[at]);
                    replica.mark_gone(now, &record, member, "wafat", None).map(drop)
                }
                _ => replica.edit(now, &record, None, &answer).map(drop),
            };
        }
        self.world.commit(node);
    }

    /// The liar dials someone and delivers what no honest device would make.
    fn lie(&mut self, node: Node, chance: &mut Chance) {
        let replica = &self.world.replicas[node.0];
        if holdings(replica, &mut self.facts).unwrap().is_none() {
            return;
        }
        let mut records = replica.record_ids().unwrap();
        records.retain(|record| record.home().to_string().starts_with("1811010005"));
        let Some(at) = chance.place(records.len()) else { return };
        let mut facts: Vec<Arc<Fact>> = self.facts.values().cloned().collect();
        let mut items = Vec::new();
        for _ in 0..chance.between(1, 4) {
            let draft = any_draft(chance, &self.liar, Ink::Pencil, records[at], &facts);
            items.push(self.liar.write(&draft));
            facts.push(Arc::new(Fact::in_survey(&items[items.len() - 1], &self.liar.survey).unwrap()));
        }
        let link = self.world.session_by_hand(node, self.liar.keypair.key());
        self.world.say(node, link, &Message::Changes(Changes { frame: 1, upto: None, items }));
        self.world.hear(node, link);
    }

    fn compare_all(&mut self, seed: u64) {
        let mut devices: Vec<DeviceKey> = self.everyone.iter().map(|node| self.world.key(*node)).collect();
        devices.push(self.liar.keypair.key());
        let homes: Vec<SubSls> = PLACES.iter().map(|home| home.parse().unwrap()).collect();
        for node in self.everyone.clone() {
            let replica = &mut self.world.replicas[node.0];
            let lines = replica.records(None, None, usize::MAX).unwrap();
            let Some((held, grants)) = holdings(replica, &mut self.facts).unwrap() else { continue };
            let fail = |why: String| panic!("seed {seed}, {node:?}: {why}");
            compare_trust(&grants, replica.trust().unwrap(), &devices, &homes).unwrap_or_else(fail);
            compare_set(&replica.device(), &held, &grants).unwrap_or_else(fail);
            assert!(lines.iter().map(|line| &line.id).eq(held.records()), "seed {seed}, {node:?}");
            for line in &lines {
                let expected = read(&line.id, &held, &grants);
                let reading = replica.reading(&line.id).unwrap();
                let conflicts = reading.conflicts(replica.questionnaire());
                let differs = |why: String| panic!("seed {seed}, {node:?}, record {}: {why}", line.id);
                compare(&expected, &reading, &conflicts).unwrap_or_else(differs);
                compare_line(&expected, line).unwrap_or_else(differs);
                self.read += 1;
                self.aside += expected.log.iter().filter(|one| !one.standing.is_good()).count();
            }
        }
    }

    fn heal(&mut self) {
        self.world.cut_all();
        for node in self.everyone.clone() {
            // Two with one key take each other's place, so one after the other.
            if node != Node(0) {
                self.world.link(node, Node(0));
                self.world.settle(STEPS);
            }
        }
    }
}

fn resolve(
    replica: &mut Replica,
    now: rukun_change::Moment,
    record: &RecordId,
) -> Result<(), rukun_replica::ActionError> {
    let shown = replica.show_conflicts(record)?;
    let place = shown
        .iter()
        .find_map(|conflict| Some((conflict.place.clone()?, conflict.candidates.first()?.change)));
    match place {
        Some((place, pick)) => replica.resolve(now, record, &place, &Choice::Pick(pick), None).map(drop),
        None => Ok(()),
    }
}

fn run(seed: u64) -> (usize, usize) {
    let mut chance = Chance::new(seed);
    let mut survey = Survey::new(seed);
    for act in 0..ACTS {
        survey.world.pass_ms(1_000);
        let node = *chance.pick(&survey.everyone);
        match chance.below(10) {
            0 => survey.world.cut_all(),
            1 | 2 => {
                let far = *chance.pick(&survey.everyone);
                if survey.world.key(node) != survey.world.key(far) {
                    survey.world.link(node, far);
                }
            }
            3 => survey.world.run(chance.below(60)),
            4 => survey.lie(node, &mut chance),
            _ => survey.edit(node, &mut chance),
        }
        if act % 30 == 29 {
            survey.compare_all(seed);
        }
    }
    survey.heal();
    survey.heal();
    survey.compare_all(seed);
    (survey.read, survey.aside)
}

#[test]
fn every_node_of_a_survey_that_is_lied_to_reads_what_the_model_says() {
    let (mut records, mut aside) = (0, 0);
    for seed in 0..SEEDS {
        let (read, set_aside) = run(seed);
        records += read;
        aside += set_aside;
    }
    assert!(records > 1_000 && aside > 500, "{records} records, {aside} set aside: too little to tell");
}
