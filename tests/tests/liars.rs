//! Promise 7 and more: whatever a peer with a grant and bad intent says, or a stranger, the node that
//! hears it reacts as it must, takes nothing but what was well signed by someone entitled there,
//! reads that as the model says, and goes on with everybody else.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use rukun_authority::{Keypair, Role};
use rukun_change::{ChangeId, DeviceKey, Digest, Incarnation, SignedChange};
use rukun_replica::{Event, LinkId};
use rukun_tests::by_hand::{Node, QUESTIONNAIRE, World};
use rukun_tests::world::Chance;
use rukun_tests::world::liar::{Expect, Liar, Lie, Telling, Truth};
use rukun_tests::world::model::compare::{Facts, compare, compare_line, compare_set, holdings};
use rukun_tests::world::model::{Fact, Loss, read};
use rukun_wire::{Exception, Hello, Message};
use serde_json::json;

const STEPS: usize = 20_000;
const HOME: &str = "1811010005000300";
const FAR: &str = "1811040003000100";
/// How often each lie is told, each time otherwise.
const TIMES: u64 = 4;
const LIAR_SEED: u8 = 30;

struct Scene {
    world: World,
    office: Node,
    supervisor: Node,
    ani: Node,
    /// The honest link between the two, each end's name for it.
    honest: (LinkId, LinkId),
    liar: Liar,
    facts: Facts,
    interviews: u64,
    redrawn: u64,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::new(1);
        let office = Node(0);
        let supervisor = world.add(10, office, Role::Supervisor, &["1811010005"]);
        world.link(supervisor, office);
        world.settle(STEPS);
        let ani = world.add(20, supervisor, Role::Enumerator, &["18110100050003"]);
        world.add(LIAR_SEED, supervisor, Role::Enumerator, &["18110100050003"]);
        let honest = world.link(ani, supervisor);
        world.settle(STEPS);
        let liar = Liar::new(Keypair::from_seed(&[LIAR_SEED; 32]));
        let mut scene = Self {
            world,
            office,
            supervisor,
            ani,
            honest,
            liar,
            facts: Facts::new(),
            interviews: 0,
            redrawn: 0,
        };
        (0..3).for_each(|_| scene.honest_work());
        scene
    }

    /// A family with a member, and then an answer more.
    fn honest_work(&mut self) {
        self.interviews += 1;
        let (now, replica) = (self.world.now(), &mut self.world.replicas[self.ani.0]);
        let family = json!({"r108": "Siti", "r302": self.interviews, "members": {"+1": {"r402": "Putri"}}});
        let (record, _) = replica.add_record(now, HOME.parse().unwrap(), None, &family).unwrap();
        replica.edit(now, &record, None, &json!({"r304": 3})).unwrap();
        self.world.commit(self.ani);
        self.world.settle(STEPS);
    }

    fn held(&self, node: Node) -> Vec<SignedChange> {
        let replica = &self.world.replicas[node.0];
        let records = replica.record_ids().unwrap();
        let changes = records.iter().flat_map(|record| replica.changes_of(record).unwrap());
        changes.map(|change| change.signed().clone()).collect()
    }

    /// The statements held, but for the proofs of forks that a node makes itself when it is told two.
    fn said_by_others(&self, node: Node) -> Vec<Vec<u8>> {
        let survey = self.world.replicas[0].survey().unwrap();
        let mut held = self.world.replicas[node.0].statements_held().unwrap();
        held.retain(|bytes| !matches!(Loss::of(bytes, &survey), Some((Loss::Fork { .. }, _))));
        held
    }

    fn ids(&self, changes: &[SignedChange]) -> BTreeSet<ChangeId> {
        let survey = self.world.replicas[0].survey().unwrap();
        changes.iter().map(|change| Fact::in_survey(change, &survey).unwrap().id).collect()
    }

    /// Tells a lie to a node, and gives it back with all that the node said from then on.
    fn tell(&mut self, victim: Node, lie: Lie, chance: &mut Chance, in_far: bool) -> (Telling, Vec<Message>) {
        let replica = &self.world.replicas[victim.0];
        let honest: Vec<SignedChange> = self.held(victim);
        let statements = replica.statements_held().unwrap();
        let truth = Truth {
            survey: replica.survey().unwrap(),
            victim: replica.author(),
            honest: &honest,
            statements: &statements,
            home: HOME.parse().unwrap(),
            far: FAR.parse().unwrap(),
            corrected: None,
            victim_in_far: in_far,
        };
        let telling = self.liar.tell(lie, chance, &truth);
        let link = self.world.link_by_hand(victim, telling.key);
        if telling.greet {
            for frame in self.liar.greeting(&truth) {
                self.world.say_bytes(victim, link, &frame);
            }
            let heard = self.world.hear(victim, link);
            assert!(!closed(&heard), "{lie:?}: the greeting was not taken: {heard:?}");
        }
        self.world.events.iter_mut().for_each(Vec::clear);
        for frame in &telling.frames {
            self.world.say_bytes(victim, link, frame);
        }
        let heard = self.world.hear(victim, link);
        (telling, heard)
    }

    /// What is heard of the reaction is what was expected.
    fn check(&self, victim: Node, lie: Lie, telling: &Telling, heard: &[Message]) {
        let events = &self.world.events[victim.0];
        let ended = events
            .iter()
            .filter(|event| matches!(event, Event::PeerDown { peer, .. } if *peer == telling.key));
        assert_eq!(ended.count() > 0, closed(heard), "{lie:?}: {heard:?}");
        let refusals = events.iter().filter(|event| matches!(event, Event::Refused { .. })).count();
        let exceptions: Vec<&Exception> = heard.iter().flat_map(exceptions_in).collect();
        let refused = exceptions.iter().filter(|one| matches!(one, Exception::Refused(_))).count();
        let acknowledged = heard.iter().any(|message| matches!(message, Message::Ack { .. }));
        let found = match telling.expect {
            Expect::Harmless => return,
            Expect::LinkCloses => {
                assert!(closed(heard), "{lie:?} must end the link: {heard:?}");
                return;
            }
            _ if closed(heard) => panic!("{lie:?} must not end the link: {heard:?}"),
            Expect::StatementsRefused(_) => Expect::StatementsRefused(refusals),
            _ if !acknowledged => panic!("{lie:?} must be acknowledged: {heard:?}"),
            Expect::Refused(_) => Expect::Refused(if exceptions.len() == refused { refused } else { 0 }),
            Expect::Waits(_) => Expect::Waits(if refused == 0 { exceptions.len() } else { 0 }),
            Expect::Admitted if exceptions.is_empty() => Expect::Admitted,
            Expect::Admitted => Expect::Refused(refused),
        };
        assert_eq!(found, telling.expect, "{lie:?}: {heard:?}");
    }

    /// The node reads all that it holds as the model says.
    fn compare(&mut self, node: Node, lie: Lie) {
        let replica = &mut self.world.replicas[node.0];
        let lines = replica.records(None, None, usize::MAX).unwrap();
        let (held, grants) = holdings(replica, &mut self.facts).unwrap().unwrap();
        compare_set(&replica.device(), &held, &grants).unwrap();
        for line in &lines {
            let expected = read(&line.id, &held, &grants);
            let reading = replica.reading(&line.id).unwrap();
            let conflicts = reading.conflicts(replica.questionnaire());
            compare(&expected, &reading, &conflicts).unwrap_or_else(|why| panic!("{lie:?}: {why}"));
            compare_line(&expected, line).unwrap_or_else(|why| panic!("{lie:?}: {why}"));
        }
    }

    /// The honest link was never touched. One lie may make a node believe that it was restored, once: it
    /// draws a new incarnation, and whoever was greeted under the old one must be greeted again.
    fn honest_link_stays(&mut self, lie: Lie, incarnation: Incarnation) {
        let (ani, supervisor) = (self.ani, self.supervisor);
        let is_up =
            self.world.is_linked(ani, self.honest.0) && self.world.is_linked(supervisor, self.honest.1);
        let is_drawn = self.world.replicas[supervisor.0].author().incarnation != incarnation;
        assert!(!is_drawn || lie == Lie::FalseCursor, "{lie:?} changed the incarnation");
        assert_eq!(
            is_up, !is_drawn,
            "{lie:?} ended an honest link, or left one greeted under an old incarnation"
        );
        if is_drawn {
            self.redrawn += 1;
            self.honest = self.world.link(ani, supervisor);
            self.world.settle(STEPS);
        }
    }

    /// What is written on the honest side arrives.
    fn honest_work_goes_on(&mut self, lie: Lie) {
        self.honest_work();
        let (theirs, ours) = (self.held(self.ani), self.held(self.supervisor));
        assert_eq!(self.ids(&theirs), self.ids(&ours), "{lie:?} came between honest peers");
    }
}

fn closed(heard: &[Message]) -> bool {
    heard.iter().any(|message| matches!(message, Message::Close(_)))
}

fn exceptions_in(message: &Message) -> impl Iterator<Item = &Exception> {
    let exceptions = match message {
        Message::Ack { exceptions, .. } => exceptions.as_slice(),
        _ => &[],
    };
    exceptions.iter().map(|(_, exception)| exception)
}

#[test]
fn every_lie_is_met_as_it_must_be_and_nothing_else_enters() {
    let mut scene = Scene::new();
    let supervisor = scene.supervisor;
    for (lie, time) in Lie::ALL.iter().flat_map(|lie| (0..TIMES).map(move |time| (*lie, time))) {
        let mut chance = Chance::new(time * 1_000 + lie as u64);
        let before = scene.ids(&scene.held(supervisor));
        let trusted = scene.said_by_others(supervisor);
        let incarnation = scene.world.replicas[supervisor.0].author().incarnation;
        let (telling, heard) = scene.tell(supervisor, lie, &mut chance, false);
        scene.check(supervisor, lie, &telling, &heard);
        let mut expected = before;
        expected.extend(scene.ids(&telling.admitted));
        assert_eq!(scene.ids(&scene.held(supervisor)), expected, "{lie:?}: something else is held");
        let now_trusted = scene.said_by_others(supervisor);
        assert_eq!(now_trusted, trusted, "{lie:?}: another statement is held");
        scene.world.settle(STEPS);
        scene.honest_link_stays(lie, incarnation);
        if time == 0 {
            scene.honest_work_goes_on(lie);
            scene.compare(supervisor, lie);
        }
    }
    assert_eq!(scene.redrawn, 1, "a node believes once that it was restored");
    scene.world.cut_all();
    for far in [scene.office, scene.ani] {
        scene.world.link(supervisor, far);
        scene.world.settle(STEPS);
        scene.compare(far, Lie::Replay);
        assert_eq!(scene.ids(&scene.held(far)), scene.ids(&scene.held(supervisor)));
    }
}

#[test]
fn a_lie_about_a_place_that_the_victim_covers_and_the_liar_does_not_waits() {
    let mut scene = Scene::new();
    scene.world.settle(STEPS);
    let office = scene.office;
    let before = scene.ids(&scene.held(office));
    let (telling, heard) = scene.tell(office, Lie::OutOfScope, &mut Chance::new(1), true);
    assert_eq!(telling.expect, Expect::Waits(1));
    scene.check(office, Lie::OutOfScope, &telling, &heard);
    assert_eq!(scene.ids(&scene.held(office)), before);
}

#[test]
fn a_stranger_hears_nothing_but_the_reason() {
    let mut scene = Scene::new();
    let (_, heard) = scene.tell(scene.supervisor, Lie::StrangerHello, &mut Chance::new(1), false);
    assert!(matches!(&heard[..], [Message::Close(_)]), "{heard:?}");
}

#[test]
fn a_false_questionnaire_does_not_keep_the_true_one_away() {
    for seed in 0..20 {
        let mut scene = Scene::new();
        let dewi = scene.world.add(40, scene.supervisor, Role::Enumerator, &["18110100050003"]);
        let honest = scene.held(scene.supervisor);
        let replica = &scene.world.replicas[scene.supervisor.0];
        let statements = replica.statements_held().unwrap();
        let truth = Truth {
            survey: replica.survey().unwrap(),
            victim: scene.world.replicas[dewi.0].author(),
            honest: &honest,
            statements: &statements,
            home: HOME.parse().unwrap(),
            far: FAR.parse().unwrap(),
            corrected: None,
            victim_in_far: false,
        };
        let telling = scene.liar.tell(Lie::FalseBlob, &mut Chance::new(seed), &truth);
        let link = scene.world.link_by_hand(dewi, telling.key);
        for frame in scene.liar.greeting(&truth).iter().chain(&telling.frames) {
            scene.world.say_bytes(dewi, link, frame);
        }
        scene.world.hear(dewi, link);
        // The liar stays, and so does what it said. Then an honest peer comes.
        for _ in 0..2 {
            scene.world.cut_all();
            scene.world.link(dewi, scene.supervisor);
            scene.world.settle(STEPS);
        }
        let came = scene.world.replicas[dewi.0].questionnaire().is_some();
        assert!(came, "seed {seed}: {} bytes were kept away", QUESTIONNAIRE.len());
        assert_eq!(
            Digest::of(QUESTIONNAIRE),
            scene.world.replicas[0].trust().unwrap().charter().questionnaire
        );
    }
}

/// An officer who has heard of nobody yet, and two others who are in the hands of the test.
fn newcomer() -> (World, Node, [DeviceKey; 2]) {
    let mut world = World::new(1);
    let office = Node(0);
    let others = [20, 30].map(|seed| world.add(seed, office, Role::Enumerator, &["18110100050003"]));
    let dewi = world.add(40, office, Role::Enumerator, &["18110100050003"]);
    let keys = others.map(|other| world.key(other));
    (world, dewi, keys)
}

/// A link on which a newcomer learns what there is of trust, and asks for the questionnaire from there.
#[track_caller]
fn asked_at_once(world: &mut World, node: Node, key: DeviceKey, from: u64) -> LinkId {
    let chain = world.replicas[0].statements_held().unwrap();
    let link = world.link_by_hand(node, key);
    world.say(node, link, &Message::Hello(Hello { chain, ..world.hello_by_hand() }));
    world.say(node, link, &Message::StatementIds(Vec::new()));
    world.say(node, link, &Message::Statements { items: Vec::new(), last: true });
    assert_eq!(asked_for(world, node, link), [from]);
    link
}

/// From where on a node has asked for the questionnaire since it was last heard.
fn asked_for(world: &mut World, node: Node, link: LinkId) -> Vec<u64> {
    let heard = world.hear(node, link).into_iter().filter_map(|message| match message {
        Message::BlobWant { digest, offset } if digest == Digest::of(QUESTIONNAIRE) => Some(offset),
        _ => None,
    });
    heard.collect()
}

/// A part of a file that is said to be the questionnaire.
fn piece(file: &[u8], range: std::ops::Range<usize>) -> Message {
    let (digest, offset, total) = (Digest::of(QUESTIONNAIRE), range.start as u64, file.len() as u64);
    Message::Blob { digest, offset, total, bytes: file[range].to_vec() }
}

#[test]
fn when_the_link_ends_that_brings_the_questionnaire_who_is_still_linked_is_asked_for_the_rest() {
    let (mut world, dewi, [first, second]) = newcomer();
    let end = QUESTIONNAIRE.len();
    let first = asked_at_once(&mut world, dewi, first, 0);
    let second = asked_at_once(&mut world, dewi, second, 0);
    world.say(dewi, first, &piece(QUESTIONNAIRE, 0..4096));
    world.close_by_hand(dewi, first);
    assert_eq!(asked_for(&mut world, dewi, second), [4096]);
    // It was asked before, too, and gives that first.
    world.say(dewi, second, &piece(QUESTIONNAIRE, 0..2048));
    world.say(dewi, second, &piece(QUESTIONNAIRE, 2048..end));
    assert!(world.replicas[dewi.0].questionnaire().is_some());
}

#[test]
fn after_a_false_questionnaire_another_is_asked_before_the_liar() {
    let (mut world, dewi, [liar, honest]) = newcomer();
    let (file, end) = (vec![b'x'; QUESTIONNAIRE.len()], QUESTIONNAIRE.len());
    let honest = asked_at_once(&mut world, dewi, honest, 0);
    world.say(dewi, honest, &piece(QUESTIONNAIRE, 0..4096));
    let liar = asked_at_once(&mut world, dewi, liar, 4096);
    world.say(dewi, liar, &piece(&file, 4096..end));
    assert!(asked_for(&mut world, dewi, liar).is_empty(), "not the liar at once");
    assert_eq!(asked_for(&mut world, dewi, honest), [0]);
    world.say(dewi, liar, &piece(&file, 0..end));
    // What it was asked for before is no longer due.
    world.say(dewi, honest, &piece(QUESTIONNAIRE, 4096..end));
    assert!(world.replicas[dewi.0].questionnaire().is_none());
    world.say(dewi, honest, &piece(QUESTIONNAIRE, 0..end));
    assert!(world.replicas[dewi.0].questionnaire().is_some());
}

#[test]
fn who_brings_nothing_but_false_questionnaires_is_asked_three_times_on_a_link() {
    let (mut world, dewi, [liar, honest]) = newcomer();
    let (file, end) = (vec![b'x'; QUESTIONNAIRE.len()], QUESTIONNAIRE.len());
    let liar = asked_at_once(&mut world, dewi, liar, 0);
    let asked: Vec<u64> = (0..6)
        .flat_map(|_| {
            world.say(dewi, liar, &piece(&file, 0..end));
            asked_for(&mut world, dewi, liar)
        })
        .collect();
    assert_eq!(asked, [0, 0], "beside the first time");
    let honest = asked_at_once(&mut world, dewi, honest, 0);
    world.say(dewi, honest, &piece(QUESTIONNAIRE, 0..4096));
    world.say(dewi, liar, &piece(&file[1..], 0..9));
    world.say(dewi, honest, &piece(QUESTIONNAIRE, 4096..end));
    assert!(world.replicas[dewi.0].questionnaire().is_some());
}

#[test]
fn whose_pieces_another_has_made_useless_is_asked_again_when_the_last_has_come() {
    let (mut world, dewi, [liar, honest]) = newcomer();
    let (file, end) = (vec![b'x'; 7_777], QUESTIONNAIRE.len());
    let honest = asked_at_once(&mut world, dewi, honest, 0);
    let liar = asked_at_once(&mut world, dewi, liar, 0);
    world.say(dewi, honest, &piece(QUESTIONNAIRE, 0..4096));
    world.say(dewi, liar, &piece(&file, 0..100));
    world.say(dewi, honest, &piece(QUESTIONNAIRE, 4096..8192));
    assert!(asked_for(&mut world, dewi, honest).is_empty());
    world.say(dewi, honest, &piece(QUESTIONNAIRE, 8192..end));
    assert_eq!(asked_for(&mut world, dewi, honest), [100]);
    world.say(dewi, honest, &piece(QUESTIONNAIRE, 100..end));
    assert_eq!(asked_for(&mut world, dewi, honest), [0], "one of the two lengths is false");
    world.say(dewi, honest, &piece(QUESTIONNAIRE, 0..end));
    assert!(world.replicas[dewi.0].questionnaire().is_some());
}

#[test]
fn who_asks_for_the_questionnaire_before_it_is_there_gets_it_when_it_is() {
    let (mut world, dewi, [giver, asker]) = newcomer();
    let giver = asked_at_once(&mut world, dewi, giver, 0);
    let asker = asked_at_once(&mut world, dewi, asker, 0);
    world.say(dewi, asker, &Message::BlobWant { digest: Digest::of(QUESTIONNAIRE), offset: 0 });
    assert_eq!(world.hear(dewi, asker), []);
    world.say(dewi, giver, &piece(QUESTIONNAIRE, 0..QUESTIONNAIRE.len()));
    let given = world.hear(dewi, asker).into_iter().map(|message| match message {
        Message::Blob { bytes, .. } => bytes,
        other => panic!("{other:?}"),
    });
    assert_eq!(given.collect::<Vec<_>>().concat(), QUESTIONNAIRE);
}
