//! Promise 7: whatever a peer sends, its own link ends with a reason that both sides name, and
//! nothing else stops: an honest peer of the same node goes on and converges.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use rukun_authority::{Grant, Keypair, Role, Said, Statement};
use rukun_change::{ChangeId, DeviceKey, Digest, Fingerprint, Incarnation, SignedChange, SubSls, SurveyId};
use rukun_replica::{Event, LinkId};
use rukun_tests::by_hand::{Node, World};
use rukun_wire::limits::{FRAME_BYTES_MAX, FRAME_CHANGES_MAX};
use rukun_wire::{Changes, Cursor, Exception, Hello, Message, Sketch, Symbol};
use serde_json::json;

const STEPS: usize = 20_000;
const HOME: &str = "1811010005000300";
const FAR_HOME: &str = "1811040003000100";
/// The most changes of one peer that may wait.
const WAITING_MAX: usize = 1_024;

/// A supervisor with an honest enumerator linked to it, and another who will not be honest.
struct Scene {
    world: World,
    office: Node,
    supervisor: Node,
    ani: Node,
    mallory: Node,
    interviews: i64,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::new(1);
        let office = Node(0);
        let supervisor = world.add(10, office, Role::Supervisor, &["1811010005"]);
        world.link(supervisor, office);
        world.settle(STEPS);
        let ani = world.add(20, supervisor, Role::Enumerator, &["18110100050003"]);
        let mallory = world.add(30, supervisor, Role::Enumerator, &["18110100050003"]);
        world.link(ani, supervisor);
        world.settle(STEPS);
        Self { world, office, supervisor, ani, mallory, interviews: 0 }
    }

    fn mallory_links(&mut self) -> LinkId {
        let (near, _) = self.world.link(self.mallory, self.supervisor);
        self.world.settle(STEPS);
        assert!(self.world.is_linked(self.mallory, near));
        self.world.events.iter_mut().for_each(Vec::clear);
        near
    }

    /// The honest link was never touched: it is up, and what is written there arrives.
    #[track_caller]
    fn honest_work_goes_on(&mut self) {
        let (ani, supervisor) = (self.ani, self.supervisor);
        let down = self.downs(ani, self.world.key(supervisor));
        assert!(down.is_empty(), "the honest link was closed: {down:?}");
        let before = self.held(supervisor);
        self.interviews += 1;
        self.write(ani, HOME);
        self.world.settle(STEPS);
        assert_eq!(self.held(supervisor), before + 1);
        assert_eq!(
            self.world.replicas[ani.0].fingerprints(None).unwrap(),
            self.world.replicas[supervisor.0].fingerprints(Some(&"18110100050003".parse().unwrap())).unwrap()
        );
    }

    /// Both ends say why the link between mallory and the supervisor ended.
    #[track_caller]
    fn both_name(&mut self, near: LinkId, reason: &str) {
        self.world.settle(STEPS);
        assert!(!self.world.is_linked(self.mallory, near), "the link stands, and {reason:?} should end it");
        for (node, other) in [(self.supervisor, self.mallory), (self.mallory, self.supervisor)] {
            let downs = self.downs(node, self.world.key(other));
            assert!(matches!(&downs[..], [one] if one.contains(reason)), "{downs:?} lacks {reason:?}");
        }
    }

    fn downs(&self, node: Node, peer: DeviceKey) -> Vec<String> {
        let down = |event: &Event| match event {
            Event::PeerDown { peer: whose, reason } if *whose == peer => Some(reason.clone()),
            _ => None,
        };
        self.world.events[node.0].iter().filter_map(down).collect()
    }

    fn refusals(&self, node: Node, peer: DeviceKey) -> Vec<String> {
        let refused = |event: &Event| match event {
            Event::Refused { peer: whose, reason } if *whose == peer => Some(reason.clone()),
            _ => None,
        };
        self.world.events[node.0].iter().filter_map(refused).collect()
    }

    fn held(&mut self, node: Node) -> u64 {
        self.world.replicas[node.0].status().unwrap().changes
    }

    fn waiting(&mut self, node: Node) -> u64 {
        self.world.replicas[node.0].status().unwrap().waiting
    }

    fn write(&mut self, node: Node, home: &str) {
        let now = self.world.now();
        let patch = json!({"r108": "Siti", "r302": 20 + self.interviews});
        self.world.replicas[node.0].add_record(now, home.parse().unwrap(), None, &patch).unwrap();
        self.world.commit(node);
    }

    /// Mallory's key, in the hands of the test.
    fn session_as_mallory(&mut self) -> LinkId {
        let key = self.world.key(self.mallory);
        let link = self.world.session_by_hand(self.supervisor, key);
        self.world.hear(self.supervisor, link);
        self.world.events.iter_mut().for_each(Vec::clear);
        link
    }

    /// The supervisor's answer to a frame of changes.
    fn ack(&mut self, link: LinkId) -> Option<Vec<(ChangeId, Exception)>> {
        let heard = self.world.hear(self.supervisor, link);
        heard.into_iter().find_map(|message| match message {
            Message::Ack { exceptions, .. } => Some(exceptions),
            _ => None,
        })
    }
}

fn changes(frame: u64, items: Vec<SignedChange>) -> Message {
    Message::Changes(Changes { frame, upto: Some(frame * 1000), items })
}

fn frame_of(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat()
}

#[test]
fn a_peer_of_another_survey_is_told_so() {
    let mut scene = Scene::new();
    let stranger = scene.world.add_bare(99);
    scene.world.replicas[stranger.0].join(SurveyId::from_bytes([9; 32])).unwrap();
    scene.world.commit(stranger);
    scene.mallory = stranger;
    let (near, _) = scene.world.link(stranger, scene.supervisor);
    scene.both_name(near, "the peer is in another survey");
    scene.honest_work_goes_on();
}

#[test]
fn a_peer_without_a_grant_is_told_so_and_hears_no_statement() {
    let mut scene = Scene::new();
    let stranger = Keypair::from_seed(&[99; 32]).key();
    let link = scene.world.link_by_hand(scene.supervisor, stranger);
    let hello = scene.world.hello_by_hand();
    scene.world.say(scene.supervisor, link, &Message::Hello(hello));
    let heard = scene.world.hear(scene.supervisor, link);
    let told =
        |message: &Message| matches!(message, Message::Close(why) if why.text.contains("no grant is known"));
    assert!(told(heard.last().unwrap()), "{heard:?}");
    let spoke = heard.iter().any(|message| {
        !matches!(message, Message::Close(_))
            && !matches!(message, Message::Hello(hello) if hello.chain.is_empty())
    });
    assert!(!spoke, "{heard:?}");
    let downs = scene.downs(scene.supervisor, stranger);
    assert!(matches!(&downs[..], [one] if one.contains("no grant is known")), "{downs:?}");
    scene.honest_work_goes_on();
}

#[test]
fn bytes_that_are_no_message_end_their_link_alone() {
    let too_long = u32::try_from(FRAME_BYTES_MAX + 1).unwrap().to_be_bytes().to_vec();
    let cases: [(Vec<u8>, &str); 6] = [
        (b"GET / HTTP/1.1\r\nHost: kantor\r\n\r\n".to_vec(), "announced a frame of 1195725856 bytes"),
        (too_long, "announced a frame of"),
        (frame_of(&[]), "empty frame"),
        (frame_of(&[200, 1, 2]), "message of type 200, which there is not"),
        (frame_of(&[&Message::Want(Vec::new()).encode()[4..], b"more"].concat()), "malformed want"),
        (frame_of(&[&changes(1, Vec::new()).encode()[4..5], &[7; 40][..]].concat()), "malformed changes"),
    ];
    let mut scene = Scene::new();
    for (bytes, reason) in cases {
        let near = scene.mallory_links();
        scene.world.inject(scene.mallory, near, bytes);
        scene.both_name(near, reason);
        scene.honest_work_goes_on();
    }
}

#[test]
fn a_message_out_of_place_ends_its_link_alone() {
    let home = HOME.parse().unwrap();
    let mut scene = Scene::new();
    let cases = [
        (Message::Hello(scene.world.hello_by_hand()), "message hello came after trust was settled"),
        (Message::StatementIds(Vec::new()), "came after trust was settled"),
        (Message::Ack { frame: 7, exceptions: Vec::new() }, "frame 7 was acknowledged"),
        (Message::Differ(vec![home]), "a difference was named where no summary waits"),
        (Message::Want(vec![ChangeId::from_bytes([1; 32])]), "a change was wanted that was not listed"),
        (Message::Ids { sub_sls: home, ids: Vec::new(), last: true }, "no difference was named"),
        (Message::Lack(Vec::new()), "a sketch was answered where none waits"),
        (Message::Unclear { again: true }, "a sketch was answered where none waits"),
        (Message::More(16), "a sketch was answered where none waits"),
        (Message::Symbols(Vec::new()), "symbols of a sketch came that were not asked for"),
        (changes(9, Vec::new()), "frame 9 came where frame"),
    ];
    for (message, reason) in cases {
        let near = scene.mallory_links();
        scene.world.inject(scene.mallory, near, message.encode());
        scene.both_name(near, reason);
        scene.honest_work_goes_on();
    }
}

#[test]
fn a_sketch_that_tells_of_no_difference_is_not_believed_against_its_fingerprint() {
    let mut scene = Scene::new();
    scene.write(scene.ani, HOME);
    scene.world.settle(STEPS);
    let mallory = scene.world.key(scene.mallory);
    let link = scene.world.session_by_hand(scene.supervisor, mallory);
    let mut heard = Vec::new();
    while !heard.iter().any(|message| matches!(message, Message::Sketch(_))) {
        heard = scene.world.hear(scene.supervisor, link);
        let frames = heard.iter().filter_map(|message| match message {
            Message::Changes(changes) => Some(changes.frame),
            _ => None,
        });
        for frame in frames {
            let ack = Message::Ack { frame, exceptions: Vec::new() };
            scene.world.say(scene.supervisor, link, &ack);
        }
        scene.world.say(scene.supervisor, link, &Message::Summary(Vec::new()));
    }
    let Some(Message::Sketch(sketch)) = heard.pop() else { panic!("{heard:?}") };
    // Back go its own symbols, as if two changes had one short form and took each other out of them all.
    let fingerprint = [[1; 32], [2; 32]].iter().collect();
    scene.world.say(scene.supervisor, link, &Message::Sketch(Sketch { fingerprint, ..sketch }));
    let heard = scene.world.hear(scene.supervisor, link);
    assert_eq!(heard, [Message::Unclear { again: true }]);
    // More than there can be, of which one symbol tells nothing.
    let mut bytes = Fingerprint::default().to_bytes();
    bytes[..8].fill(0xff);
    let endless = Sketch {
        regions: vec![HOME.parse::<SubSls>().unwrap().region()],
        fingerprint: Fingerprint::from_bytes(&bytes).unwrap(),
        salt: 0,
        symbols: vec![Symbol { sum: 1, check: 2, count: 3 }],
    };
    scene.world.say(scene.supervisor, link, &Message::Sketch(endless));
    let heard = scene.world.hear(scene.supervisor, link);
    assert_eq!(heard, [Message::Unclear { again: false }]);
}

#[test]
fn a_peer_that_claims_more_of_the_log_than_there_is_makes_the_node_begin_anew_once_and_no_more() {
    let mut scene = Scene::new();
    let (supervisor, mallory, ani) = (scene.supervisor, scene.mallory, scene.ani);
    let mut incarnations = vec![scene.world.replicas[supervisor.0].author().incarnation];
    for (claimant, reason) in [
        (mallory, "restored from a backup"),
        (mallory, "claims place 1099511627776 of a log"),
        (ani, "claims place 1099511627776 of a log"),
    ] {
        let epoch = *incarnations.last().unwrap();
        let device = scene.world.key(claimant);
        let link = scene.world.link_by_hand(supervisor, device);
        let received = Some(Cursor { epoch, seq: 1 << 40 });
        let hello = Hello { received, ..scene.world.hello_by_hand() };
        scene.world.say(supervisor, link, &Message::Hello(hello));
        let heard = scene.world.hear(supervisor, link);
        assert!(matches!(&heard[..], [Message::Close(why)] if why.text.contains(reason)), "{heard:?}");
        incarnations.push(scene.world.replicas[supervisor.0].author().incarnation);
    }
    assert_ne!(incarnations[0], incarnations[1]);
    assert_eq!(incarnations[1..], [incarnations[1]; 3]);
    // Who knows the node from before, and says so, is as welcome as ever.
    scene.world.cut_all();
    scene.world.link(ani, supervisor);
    scene.world.settle(STEPS);
    scene.world.events.iter_mut().for_each(Vec::clear);
    scene.honest_work_goes_on();
}

#[test]
fn who_lists_its_statements_gets_the_others_once_on_a_link() {
    let mut scene = Scene::new();
    let mallory = scene.world.key(scene.mallory);
    let link = scene.world.link_by_hand(scene.supervisor, mallory);
    let hello = scene.world.hello_by_hand();
    scene.world.say(scene.supervisor, link, &Message::Hello(hello));
    scene.world.hear(scene.supervisor, link);
    scene.world.say(scene.supervisor, link, &Message::StatementIds(Vec::new()));
    let heard = scene.world.hear(scene.supervisor, link);
    assert!(
        matches!(&heard[..], [Message::Statements { items, last: true }] if items.len() > 2),
        "{heard:?}"
    );
    scene.world.say(scene.supervisor, link, &Message::StatementIds(Vec::new()));
    let heard = scene.world.hear(scene.supervisor, link);
    assert!(matches!(&heard[..], [Message::Close(why)] if why.text.contains("twice")), "{heard:?}");
    scene.honest_work_goes_on();
}

#[test]
fn nothing_is_taken_or_told_before_a_greeting() {
    let mut scene = Scene::new();
    scene.write(scene.ani, HOME);
    scene.world.settle(STEPS);
    let (before, mallory) = (scene.held(scene.supervisor), scene.world.key(scene.mallory));
    let signed = scene.world.signed_by(scene.ani, mallory);
    assert_eq!(signed.len(), 1);
    let early = [
        changes(1, signed),
        Message::Summary(Vec::new()),
        Message::BlobWant { digest: Digest::of(b"questionnaire"), offset: 0 },
        Message::StatementIds(Vec::new()),
        Message::Ack { frame: 1, exceptions: Vec::new() },
    ];
    for message in early {
        scene.world.events.iter_mut().for_each(Vec::clear);
        let link = scene.world.link_by_hand(scene.supervisor, mallory);
        scene.world.say(scene.supervisor, link, &message);
        let heard = scene.world.hear(scene.supervisor, link);
        assert!(
            matches!(&heard[..], [Message::Close(why)] if why.text.contains("before the greeting")),
            "{heard:?}"
        );
        let downs = scene.downs(scene.supervisor, mallory);
        assert!(matches!(&downs[..], [one] if one.contains("before the greeting")), "{downs:?}");
        // Whatever follows on a link that has ended is not looked at.
        let hello = scene.world.hello_by_hand();
        scene.world.say(scene.supervisor, link, &Message::Hello(hello));
        assert_eq!(scene.world.hear(scene.supervisor, link), []);
    }
    assert_eq!(scene.held(scene.supervisor), before);
    scene.honest_work_goes_on();
}

#[test]
fn a_forged_signature_is_skipped_counted_and_reported_and_what_is_good_beside_it_is_taken() {
    let mut scene = Scene::new();
    // One link brings the questionnaire; what is written after it is not delivered yet.
    scene.mallory_links();
    scene.world.cut_all();
    (0..3).for_each(|_| scene.write(scene.mallory, HOME));
    let (supervisor, mallory) = (scene.world.key(scene.supervisor), scene.world.key(scene.mallory));
    scene.world.link(scene.ani, scene.supervisor);
    scene.world.settle(STEPS);
    let mut signed = scene.world.signed_by(scene.mallory, supervisor);
    assert_eq!(signed.len(), 3);
    signed[1].signature[5] ^= 1;
    let before = scene.held(scene.supervisor);
    let link = scene.session_as_mallory();
    scene.world.say(scene.supervisor, link, &changes(1, signed));
    let exceptions = scene.ack(link).expect("the link stays, so the frame is acknowledged");
    let refused = |one: &Exception| matches!(one, Exception::Refused(why) if why.contains("signature"));
    assert!(matches!(&exceptions[..], [(_, one)] if refused(one)), "{exceptions:?}");
    assert_eq!(scene.held(scene.supervisor), before + 2);
    let refusals = scene.refusals(scene.supervisor, mallory);
    assert!(matches!(&refusals[..], [one] if one.contains("signature")), "{refusals:?}");
    let status = scene.world.replicas[scene.supervisor.0].status().unwrap();
    let line = status.peers.iter().find(|peer| peer.key == mallory).unwrap();
    assert_eq!((line.refused, line.linked), (1, true));
    scene.honest_work_goes_on();
}

#[test]
fn a_change_from_where_the_receiver_was_never_granted_anything_ends_the_link() {
    let mut scene = Scene::new();
    let far = scene.world.add(40, scene.office, Role::Enumerator, &["18110400030001"]);
    scene.world.link(far, scene.office);
    scene.world.settle(STEPS);
    scene.write(scene.ani, HOME);
    scene.write(far, FAR_HOME);
    let (office, mallory) = (scene.world.key(scene.office), scene.world.key(scene.mallory));
    let signed = scene.world.signed_by(far, office);
    assert_eq!(signed.len(), 1);
    scene.world.settle(STEPS);
    let before = scene.held(scene.supervisor);
    let link = scene.session_as_mallory();
    scene.world.say(scene.supervisor, link, &changes(1, signed));
    let heard = scene.world.hear(scene.supervisor, link);
    let why = "was never granted anything";
    assert!(matches!(&heard[..], [Message::Close(reason)] if reason.text.contains(why)), "{heard:?}");
    let downs = scene.downs(scene.supervisor, mallory);
    assert!(matches!(&downs[..], [one] if one.contains(why)), "{downs:?}");
    assert_eq!((scene.held(scene.supervisor), scene.waiting(scene.supervisor)), (before, 0));
    scene.honest_work_goes_on();
}

#[test]
fn a_change_by_an_author_whose_grant_is_unknown_waits_bounded_and_is_admitted_with_its_grant() {
    let mut scene = Scene::new();
    let (supervisor, office) = (scene.supervisor, scene.office);
    // The office's link to the supervisor is down while it takes on somebody new.
    scene.world.cut_all();
    scene.world.link(scene.ani, supervisor);
    scene.world.settle(STEPS);
    let new = scene.world.add(50, office, Role::Enumerator, &["18110100050003"]);
    scene.world.link(new, office);
    scene.world.settle(STEPS);
    let count = WAITING_MAX + 10;
    (0..count).for_each(|_| scene.write(new, HOME));
    let key = scene.world.key(supervisor);
    let signed = scene.world.signed_by(new, key);
    assert_eq!(signed.len(), count);
    let before = scene.held(supervisor);
    let link = scene.session_as_mallory();
    let (mut waits, mut refused) = (0, 0);
    for (frame, items) in (1..).zip(signed.chunks(FRAME_CHANGES_MAX)) {
        scene.world.say(supervisor, link, &changes(frame, items.to_vec()));
        let exceptions = scene.ack(link).unwrap();
        // None is acknowledged as held.
        assert_eq!(exceptions.len(), items.len());
        for (_, exception) in exceptions {
            match exception {
                Exception::Waiting => waits += 1,
                Exception::Refused(why) => refused += usize::from(why.contains("wait already")),
            }
        }
    }
    assert_eq!((waits, refused), (WAITING_MAX, 10));
    assert_eq!((scene.held(supervisor), scene.waiting(supervisor)), (before, WAITING_MAX as u64));
    let named = scene.world.replicas[supervisor.0].fingerprints(None).unwrap();
    assert_eq!(named.values().map(Fingerprint::count).sum::<u64>(), before);
    // The honest link goes on, and does not hand on what waits.
    scene.honest_work_goes_on();
    assert_eq!(scene.held(scene.ani), before + 1);
    scene.world.link(supervisor, office);
    scene.world.settle(STEPS);
    assert_eq!(scene.waiting(supervisor), 0);
    // What there was no room for came from the office by the ordinary way.
    assert_eq!(scene.held(supervisor), before + 1 + count as u64);
    scene.honest_work_goes_on();
}

#[test]
fn a_statement_that_widens_a_grant_is_refused_and_grants_nothing() {
    let mut scene = Scene::new();
    let (supervisor, mallory) = (scene.supervisor, scene.world.key(scene.mallory));
    let trust = scene.world.replicas[supervisor.0].trust().unwrap();
    let survey = *trust.survey();
    let own = |device: &DeviceKey| trust.grants_of(device)[0].id;
    let issuer = Keypair::from_seed(&[10; 32]);
    assert_eq!(issuer.key(), scene.world.key(supervisor));
    let (by_supervisor, by_mallory) = (own(&issuer.key()), own(&mallory));
    let grant = |parent, role, region: &str| {
        let regions = vec![region.parse().unwrap()];
        Said::Grant(Grant { parent, subject: mallory, role, regions, serial: 9, name: "Mallory".into() })
    };
    let say = |keypair: &Keypair, said| {
        Statement::sign(keypair, Incarnation::from_bytes([7; 4]), 1, Some(&survey), said).to_bytes()
    };
    let mallorys = Keypair::from_seed(&[30; 32]);
    let mut forged = say(&issuer, grant(by_supervisor, Role::Enumerator, "1811010005"));
    *forged.last_mut().unwrap() ^= 1;
    let cases = [
        (
            say(&issuer, grant(by_supervisor, Role::Enumerator, "1811040")),
            "which its issuer's grant does not",
        ),
        (say(&issuer, grant(by_supervisor, Role::Coordinator, "1811010005")), "may not grant the role"),
        (say(&mallorys, grant(by_mallory, Role::Enumerator, "18110100050003")), "may not grant the role"),
        (say(&mallorys, grant(by_supervisor, Role::Enumerator, "1811010005")), "not its issuer's"),
        (forged, "signature does not hold"),
    ];
    let reads = trust.reads(&mallory);
    for (statement, reason) in cases {
        let link = scene.session_as_mallory();
        let items = vec![statement];
        scene.world.say(supervisor, link, &Message::Statements { items, last: true });
        let refusals = scene.refusals(supervisor, mallory);
        assert!(matches!(&refusals[..], [one] if one.contains(reason)), "{refusals:?} lacks {reason:?}");
        let trust = scene.world.replicas[supervisor.0].trust().unwrap();
        assert_eq!(trust.reads(&mallory), reads, "{reason}");
        scene.honest_work_goes_on();
    }
}
