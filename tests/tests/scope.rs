//! Promise 4: what leaves a node on a link is covered by what the peer may read at that moment,
//! whatever the peer says, and whatever it could read when it asked.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use rukun_authority::Role;
use rukun_change::{ChangeId, Fingerprint};
use rukun_replica::LinkId;
use rukun_tests::by_hand::{Node, World};
use rukun_wire::limits::FRAME_CHANGES_MAX;
use rukun_wire::{Hello, Message, Short, Sketch, Symbol};
use serde_json::json;

const STEPS: usize = 20_000;
const HOME: &str = "1811010005000300";
const OTHER: &str = "1811010005000400";
const OFFICE: Node = Node(0);

/// An office that holds a family in each of two places, and an enumerator of the first one, whose key is
/// in the hands of the test.
fn scene() -> (World, Node) {
    let mut world = World::new(1);
    let mallory = world.add(30, OFFICE, Role::Enumerator, &["18110100050003"]);
    let now = world.now();
    world.replicas[OFFICE.0].add_record(now, HOME.parse().unwrap(), None, &json!({"r108": "Siti"})).unwrap();
    world.replicas[OFFICE.0].add_record(now, OTHER.parse().unwrap(), None, &json!({"r108": "Made"})).unwrap();
    world.commit(OFFICE);
    (world, mallory)
}

/// What the office says until it waits for mallory; mallory takes all changes that come.
fn hear_out(world: &mut World, link: LinkId) -> Vec<Message> {
    let mut heard = Vec::new();
    loop {
        let news = world.hear(OFFICE, link);
        if news.is_empty() {
            return heard;
        }
        for message in &news {
            if let Message::Changes(changes) = message {
                let (frame, exceptions) = (changes.frame, Vec::new());
                world.say(OFFICE, link, &Message::Ack { frame, exceptions });
            }
        }
        heard.extend(news);
    }
}

/// A session of mallory's with the office that has come to comparing: it lists nothing of what it holds.
fn compared(world: &mut World, mallory: Node) -> LinkId {
    let link = world.session_by_hand(OFFICE, world.key(mallory));
    hear_out(world, link);
    world.say(OFFICE, link, &Message::Summary(Vec::new()));
    link
}

fn listed(heard: &[Message]) -> Vec<ChangeId> {
    let ids = heard.iter().filter_map(|message| match message {
        Message::Ids { ids, .. } => Some(ids.clone()),
        _ => None,
    });
    ids.flatten().collect()
}

fn changes(heard: &[Message]) -> usize {
    let frames = heard.iter().map(|message| match message {
        Message::Changes(changes) => changes.items.len(),
        _ => 0,
    });
    frames.sum()
}

#[test]
fn whoever_summarises_a_place_that_it_may_not_read_learns_nothing_of_it() {
    let (mut world, mallory) = scene();
    let link = world.session_by_hand(OFFICE, world.key(mallory));
    let heard = hear_out(&mut world, link);
    assert_eq!(changes(&heard), 1, "the family in its own place");
    world.say(OFFICE, link, &Message::Summary(Vec::new()));
    let heard = hear_out(&mut world, link);
    let [Message::Sketch(sketch)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(sketch.regions, ["18110100050003".parse().unwrap()], "what both may read");
    world.say(OFFICE, link, &Message::Lack(Vec::new()));
    let other = OTHER.parse().unwrap();
    world.say(OFFICE, link, &Message::Summary(vec![(other, Fingerprint::default())]));
    let heard = hear_out(&mut world, link);
    // It may deliver there what its people wrote, so a difference is named, and nothing else is said.
    assert_eq!(heard, [Message::Differ(vec![other])]);
    world.say(OFFICE, link, &Message::Summary(Vec::new()));
    assert_eq!(hear_out(&mut world, link), []);
}

#[test]
fn a_change_that_was_wanted_stays_here_once_the_peer_may_no_longer_read_it() {
    let (mut world, mallory) = scene();
    let link = compared(&mut world, mallory);
    let sketches = [0, 1].map(|_| {
        let heard = hear_out(&mut world, link);
        world.say(OFFICE, link, &Message::Unclear { again: true });
        let [Message::Sketch(sketch)] = &heard[..] else { panic!("{heard:?}") };
        sketch.clone()
    });
    assert_eq!(sketches[0].salt, 0);
    assert_ne!(sketches[1].salt, 0, "what was unclear goes again under a salt");
    // And then each sub-SLS by itself.
    hear_out(&mut world, link);
    world.say(OFFICE, link, &Message::Differ(vec![HOME.parse().unwrap()]));
    let ids = listed(&hear_out(&mut world, link));
    assert_eq!(ids.len(), 1);
    world.grant(OFFICE, mallory, Role::Enumerator, &["18110100050009"]);
    hear_out(&mut world, link);
    world.say(OFFICE, link, &Message::Want(ids));
    let heard = hear_out(&mut world, link);
    assert_eq!(changes(&heard), 0, "{heard:?}");
    // The session goes on in the scope that it has now.
    world.settle(STEPS);
    let status = world.replicas[OFFICE.0].status().unwrap();
    let line = status.peers.iter().find(|peer| peer.key == world.key(mallory)).unwrap();
    assert!(line.linked && line.in_sync, "{line:?}");
}

#[test]
fn a_sketch_of_what_this_device_may_not_read_is_not_answered() {
    let (mut world, mallory) = scene();
    let link = world.session_by_hand(OFFICE, world.key(mallory));
    hear_out(&mut world, link);
    let sketch = Sketch {
        regions: vec!["18".parse().unwrap()],
        fingerprint: Fingerprint::default(),
        salt: 0,
        symbols: Vec::new(),
    };
    world.say(OFFICE, link, &Message::Sketch(sketch));
    assert_eq!(hear_out(&mut world, link), [Message::Unclear { again: false }]);
}

#[test]
fn what_a_sketch_showed_to_be_lacking_stays_here_once_the_peer_may_no_longer_read_it() {
    let (mut world, mallory) = scene();
    let link = compared(&mut world, mallory);
    let heard = hear_out(&mut world, link);
    let [Message::Sketch(sketch)] = &heard[..] else { panic!("{heard:?}") };
    // Of a set of one, each symbol that holds anything holds that one.
    let short = Short(sketch.symbols[0].sum);
    world.grant(OFFICE, mallory, Role::Enumerator, &["18110100050009"]);
    hear_out(&mut world, link);
    world.say(OFFICE, link, &Message::Lack(vec![short]));
    let heard = hear_out(&mut world, link);
    assert_eq!(changes(&heard), 0, "{heard:?}");
    world.settle(STEPS);
    let status = world.replicas[OFFICE.0].status().unwrap();
    let line = status.peers.iter().find(|peer| peer.key == world.key(mallory)).unwrap();
    assert!(line.linked && line.in_sync, "{line:?}");
}

#[test]
fn a_grant_goes_before_what_it_lets_the_peer_read() {
    let (mut world, mallory) = scene();
    for _ in 0..FRAME_CHANGES_MAX {
        let (now, home) = (world.now(), OTHER.parse().unwrap());
        world.replicas[OFFICE.0].add_record(now, home, None, &json!({"r108": "Made"})).unwrap();
    }
    world.commit(OFFICE);
    let link = world.link_by_hand(OFFICE, world.key(mallory));
    world.say(OFFICE, link, &Message::Hello(world.hello_by_hand()));
    world.say(OFFICE, link, &Message::StatementIds(Vec::new()));
    world.hear(OFFICE, link);
    // The grant stands behind more changes in the office's log than a frame holds.
    world.grant(OFFICE, mallory, Role::Enumerator, &["1811010005"]);
    world.say(OFFICE, link, &Message::Statements { items: Vec::new(), last: true });
    let heard = hear_out(&mut world, link);
    assert_eq!(changes(&heard), FRAME_CHANGES_MAX + 2);
    let grant = heard.iter().position(|message| matches!(message, Message::Statements { .. })).unwrap();
    let change = heard.iter().position(|message| matches!(message, Message::Changes(_))).unwrap();
    assert!(grant < change, "{:?}", heard.iter().map(Message::name).collect::<Vec<_>>());
}

#[test]
fn whoever_sketches_a_place_that_it_may_not_read_learns_nothing_of_it() {
    let (mut world, mallory) = scene();
    let link = compared(&mut world, mallory);
    hear_out(&mut world, link);
    for region in ["18110100050004", "1811", "1811010005"] {
        for salt in [0, 7] {
            let (regions, symbols) = (vec![region.parse().unwrap()], vec![Symbol::default()]);
            let sketch = Sketch { regions, fingerprint: Fingerprint::default(), salt, symbols };
            world.say(OFFICE, link, &Message::Sketch(sketch));
            assert_eq!(hear_out(&mut world, link), [Message::Unclear { again: false }], "{region}");
        }
    }
}

#[test]
fn what_a_stranger_brought_is_forgotten_with_him() {
    let mut world = World::new(1);
    let koseka = world.add(10, OFFICE, Role::Coordinator, &["1811010"]);
    let link = |world: &mut World, from: Node, to: Node| {
        world.link(from, to);
        world.settle(STEPS);
        world.cut_all();
    };
    link(&mut world, koseka, OFFICE);
    let pml = world.add(20, koseka, Role::Supervisor, &["1811010005"]);
    link(&mut world, pml, koseka);
    let before = world.replicas[pml.0].statements_held().unwrap();
    let ppl = world.add(30, pml, Role::Enumerator, &["18110100050003"]);
    let mut grant = world.replicas[pml.0].statements_held().unwrap();
    grant.retain(|held| !before.contains(held));
    assert_eq!(grant.len(), 1);
    // The office knows neither him nor who granted him anything, and tells him so.
    let stranger = world.link_by_hand(OFFICE, world.key(ppl));
    let hello = Hello { chain: grant, ..world.hello_by_hand() };
    world.say(OFFICE, stranger, &Message::Hello(hello));
    assert!(matches!(&hear_out(&mut world, stranger)[..], [Message::Close(_)]));
    link(&mut world, koseka, OFFICE);
    let trust = world.replicas[OFFICE.0].trust().unwrap();
    assert!(trust.ever_granted(&world.key(pml)) && !trust.ever_granted(&world.key(ppl)));
}
