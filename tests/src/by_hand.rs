//! A small world: nodes, and links that carry whole frames in order until they are cut. Time moves
//! only when told; entropy comes from a seed.

use std::collections::{BTreeMap, VecDeque};

use rukun_authority::{Charter, Keypair, Role, Verifier};
use rukun_change::{DeviceKey, Digest, Fingerprint, Incarnation, Moment, Region, SignedChange};
use rukun_replica::{
    Body, Deframer, Event, Frame, InMemoryBackend, Input, LinkId, NewGrant, NewStore, Output, Replica, Store,
    Unlock,
};
use rukun_wire::{Hello, Message};

/// The questionnaire that the program ships.
pub const QUESTIONNAIRE: &[u8] = include_bytes!("../../daemon/data/regsosek-k.csv");

/// A node of the world, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node(pub usize);

struct Wire {
    to: Node,
    link: LinkId,
    bytes: VecDeque<Vec<u8>>,
    deframer: Deframer,
}

/// Nodes and the links between them.
pub struct World {
    /// The nodes.
    pub replicas: Vec<Replica>,
    /// What each node told, in order.
    pub events: Vec<Vec<Event>>,
    /// The survey's root key.
    pub root: Keypair,
    /// How many bytes nodes sent each other, by message.
    pub carried: BTreeMap<&'static str, usize>,
    wires: BTreeMap<(Node, LinkId), Wire>,
    /// What nodes said on links whose other end is the test itself.
    heard: BTreeMap<(Node, LinkId), Vec<Message>>,
    /// What is needed to understand what a node says on a link.
    ears: BTreeMap<(Node, LinkId), Deframer>,
    links: u64,
    now: Moment,
}

impl World {
    /// A world with one node, the district office of region 1811, that founded a survey.
    pub fn new(seed: u8) -> Self {
        let root = Keypair::from_seed(&[seed; 32]);
        let mut world = Self {
            replicas: Vec::new(),
            events: Vec::new(),
            root: root.clone(),
            carried: BTreeMap::new(),
            wires: BTreeMap::new(),
            heard: BTreeMap::new(),
            ears: BTreeMap::new(),
            links: 0,
            now: Moment { wall_ms: 1_665_800_000_000, steady_ms: 0 },
        };
        let office = world.add_bare(seed.wrapping_add(1));
        let charter = Charter {
            name: "Regsosek 2022".into(),
            code: "REGSOSEK22".into(),
            period: ("2022-10-15".into(), "2022-11-14".into()),
            questionnaire: Digest::of(QUESTIONNAIRE),
            dictionary: None,
        };
        let grant = new_grant(world.key(office), Role::District, &["1811"]);
        world.replicas[0].found(&root, charter, QUESTIONNAIRE, grant).expect("the office founds the survey");
        world.commit(office);
        world
    }

    /// A node that belongs to no survey yet.
    pub fn add_bare(&mut self, seed: u8) -> Node {
        let entropy = [seed; 32];
        let new = NewStore { device_seed: [seed; 32], incarnation: Incarnation::from_bytes([seed; 4]) };
        let store =
            Store::create(InMemoryBackend::new(), Unlock::KeyFile(&[7; 32]), &new, &mut entropy_of(entropy));
        let replica =
            Replica::open(store.expect("a store in memory"), entropy).expect("an empty store opens");
        self.replicas.push(replica);
        self.events.push(Vec::new());
        Node(self.replicas.len() - 1)
    }

    /// A node that has joined the survey and that `granter` has granted a role.
    pub fn add(&mut self, seed: u8, granter: Node, role: Role, regions: &[&str]) -> Node {
        let node = self.add_bare(seed);
        let survey = self.replicas[0].survey().expect("the office founded the survey");
        self.replicas[node.0].join(survey).expect("a bare node joins");
        self.commit(node);
        self.grant(granter, node, role, regions);
        node
    }

    /// One node grants another a role.
    pub fn grant(&mut self, granter: Node, to: Node, role: Role, regions: &[&str]) {
        let grant = new_grant(self.key(to), role, regions);
        self.replicas[granter.0].grant(None, grant).expect("the granter may grant this");
        self.commit(granter);
    }

    /// A node's key.
    pub fn key(&self, node: Node) -> DeviceKey {
        self.replicas[node.0].device()
    }

    /// The time of this world.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Moves time on.
    pub fn pass_ms(&mut self, ms: u64) {
        self.now.steady_ms += ms;
        self.now.wall_ms += ms as i64;
    }

    /// Links two nodes; the first dials.
    pub fn link(&mut self, dialer: Node, listener: Node) -> (LinkId, LinkId) {
        let (near, far) = (LinkId(self.links), LinkId(self.links + 1));
        self.links += 2;
        let wire = |to, link| Wire { to, link, bytes: VecDeque::new(), deframer: Deframer::new() };
        self.wires.insert((dialer, near), wire(listener, far));
        self.wires.insert((listener, far), wire(dialer, near));
        for (node, link, peer, dialed) in [(dialer, near, listener, true), (listener, far, dialer, false)] {
            let input = Input::LinkOpened { link, peer: self.key(peer), dialed };
            self.handle(node, input);
        }
        (near, far)
    }

    /// Cuts every link; what is in flight is lost.
    pub fn cut_all(&mut self) {
        let ends: Vec<(Node, LinkId)> = self.wires.keys().copied().collect();
        self.wires.clear();
        for (node, link) in ends {
            self.handle(node, Input::LinkClosed { link, reason: "cut".into() });
        }
    }

    /// Carries frames until nothing moves any more, at most `steps`. Gives how many it took.
    ///
    /// # Panics
    /// If the world has not come to rest after so many steps.
    pub fn settle(&mut self, steps: usize) -> usize {
        for step in 0..steps {
            if !self.step() {
                return step;
            }
        }
        panic!("the world did not come to rest in {steps} steps");
    }

    /// Carries at most `steps` chunks.
    pub fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            if !self.step() {
                break;
            }
        }
    }

    /// Puts bytes on a link as if its near end had sent them.
    pub fn inject(&mut self, from: Node, link: LinkId, bytes: Vec<u8>) {
        if let Some(wire) = self.wires.get_mut(&(from, link)) {
            wire.bytes.push_back(bytes);
        }
    }

    /// Loses every frame in flight, links left standing.
    pub fn forget_in_flight(&mut self) {
        self.wires.values_mut().for_each(|wire| wire.bytes.clear());
    }

    /// Links a node with the test itself, which dials it with this key.
    pub fn link_by_hand(&mut self, node: Node, key: DeviceKey) -> LinkId {
        let link = LinkId(self.links);
        self.links += 1;
        self.heard.insert((node, link), Vec::new());
        self.handle(node, Input::LinkOpened { link, peer: key, dialed: false });
        link
    }

    /// The same, and greets as one who holds no statements and no changes: the session begins.
    pub fn session_by_hand(&mut self, node: Node, key: DeviceKey) -> LinkId {
        let link = self.link_by_hand(node, key);
        self.say(node, link, &Message::Hello(self.hello_by_hand()));
        self.say(node, link, &Message::StatementIds(Vec::new()));
        self.say(node, link, &Message::Statements { items: Vec::new(), last: true });
        link
    }

    /// The test itself hangs up.
    pub fn close_by_hand(&mut self, node: Node, link: LinkId) {
        self.heard.remove(&(node, link));
        self.ears.remove(&(node, link));
        self.handle(node, Input::LinkClosed { link, reason: "cut".into() });
    }

    /// A greeting in this world's survey.
    pub fn hello_by_hand(&self) -> Hello {
        Hello {
            versions: (1, 1),
            survey: self.replicas[0].survey(),
            epoch: Incarnation::from_bytes([0x66; 4]),
            received: None,
            held: 0,
            statements: Some(Fingerprint::default()),
            chain: Vec::new(),
        }
    }

    /// Says something to a node on a link whose other end is the test itself.
    pub fn say(&mut self, node: Node, link: LinkId, message: &Message) {
        self.say_bytes(node, link, &message.encode());
    }

    /// Says bytes, whatever they are.
    pub fn say_bytes(&mut self, node: Node, link: LinkId, bytes: &[u8]) {
        let survey = self.replicas[node.0].survey();
        let mut deframer = Deframer::new();
        deframer.push(bytes);
        for frame in frames(&mut deframer, |body| Frame::check(body, survey.as_ref(), &Verifier::default())) {
            self.handle(node, Input::Received { link, frame });
        }
    }

    /// Says something that the node handles, and does not commit yet.
    pub fn say_uncommitted(&mut self, node: Node, link: LinkId, message: &Message) {
        let survey = self.replicas[node.0].survey();
        let mut deframer = Deframer::new();
        deframer.push(&message.encode());
        for frame in frames(&mut deframer, |body| Frame::check(body, survey.as_ref(), &Verifier::default())) {
            let handled = self.replicas[node.0].handle(self.now, Input::Received { link, frame });
            handled.expect("a store in memory does not fail");
        }
    }

    /// What the node has said on such a link since it was last asked.
    pub fn hear(&mut self, node: Node, link: LinkId) -> Vec<Message> {
        self.heard.get_mut(&(node, link)).map(std::mem::take).unwrap_or_default()
    }

    /// What a node would send to this peer: taken off the wire, acknowledged frame by frame.
    pub fn signed_by(&mut self, node: Node, peer: DeviceKey) -> Vec<SignedChange> {
        let link = self.session_by_hand(node, peer);
        let mut signed = Vec::new();
        loop {
            let mut came = false;
            for message in self.hear(node, link) {
                if let Message::Changes(changes) = message {
                    came = true;
                    signed.extend(changes.items);
                    let (frame, exceptions) = (changes.frame, Vec::new());
                    self.say(node, link, &Message::Ack { frame, exceptions });
                }
            }
            if !came {
                return signed;
            }
        }
    }

    /// Whether the link still stands at this end.
    pub fn is_linked(&self, node: Node, link: LinkId) -> bool {
        self.wires.contains_key(&(node, link))
    }

    /// Commits a node and performs what it releases.
    pub fn commit(&mut self, node: Node) {
        self.replicas[node.0].commit().expect("a store in memory commits");
        while let Some(output) = self.replicas[node.0].poll() {
            match output {
                Output::Send { link, bytes } => {
                    let ear = self.ears.entry((node, link)).or_default();
                    ear.push(&bytes);
                    let body = ear.next_frame().ok().flatten().expect("nodes send whole frames");
                    let message = Message::of(&body).expect("nodes say what is right");
                    if let Some(heard) = self.heard.get_mut(&(node, link)) {
                        heard.push(message);
                    } else {
                        *self.carried.entry(message.name()).or_default() += bytes.len();
                        self.inject(node, link, bytes);
                    }
                }
                Output::Close { link, reason } => self.close(node, link, &reason),
                Output::Event(event) => self.events[node.0].push(event),
            }
        }
    }

    fn step(&mut self) -> bool {
        let due = self.wires.iter_mut().find_map(|(end, wire)| Some((*end, wire.bytes.pop_front()?)));
        let Some((from, bytes)) = due else { return false };
        self.arrive(from, &bytes);
        true
    }

    /// What this end has sent comes to the other.
    fn arrive(&mut self, from: (Node, LinkId), bytes: &[u8]) {
        let Some(wire) = self.wires.get_mut(&from) else { return };
        wire.deframer.push(bytes);
        let (to, link) = (wire.to, wire.link);
        let survey = self.replicas[to.0].survey();
        for frame in
            frames(&mut wire.deframer, |body| Frame::check(body, survey.as_ref(), &Verifier::default()))
        {
            self.handle(to, Input::Received { link, frame });
        }
    }

    /// One end closes: what it sent before still arrives, then the other end learns of it.
    fn close(&mut self, node: Node, link: LinkId, reason: &str) {
        let end = (node, link);
        while let Some(bytes) = self.wires.get_mut(&end).and_then(|wire| wire.bytes.pop_front()) {
            self.arrive(end, &bytes);
        }
        if let Some(wire) = self.wires.remove(&(node, link)) {
            self.wires.remove(&(wire.to, wire.link));
            self.handle(wire.to, Input::LinkClosed { link: wire.link, reason: reason.into() });
        }
    }

    fn handle(&mut self, node: Node, input: Input) {
        self.replicas[node.0].handle(self.now, input).expect("a store in memory does not fail");
        self.commit(node);
    }
}

/// A grant of a role in some regions.
pub fn new_grant(subject: DeviceKey, role: Role, regions: &[&str]) -> NewGrant {
    let regions: Vec<Region> = regions.iter().map(|region| region.parse().expect("a region code")).collect();
    NewGrant { subject, role, regions, name: format!("{role} {}", subject.short()) }
}

/// The frames that are whole; the last one is broken if what follows is none.
fn frames(deframer: &mut Deframer, check: impl Fn(&Body) -> Frame) -> Vec<Frame> {
    let mut frames = Vec::new();
    loop {
        match deframer.next_frame() {
            Ok(Some(body)) => frames.push(check(&body)),
            Ok(None) => return frames,
            Err(fault) => {
                frames.push(Frame::broken(fault));
                return frames;
            }
        }
    }
}

fn entropy_of(seed: [u8; 32]) -> rand_chacha::ChaCha20Rng {
    rand_chacha::rand_core::SeedableRng::from_seed(seed)
}
