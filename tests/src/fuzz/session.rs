//! Sessions: granted peers that say anything in any order to a living node. Each link is answered or
//! closed, nobody is sent what they may not read, and an honest peer is served afterwards.

use std::collections::{BTreeMap, BTreeSet};

use rukun_authority::Verifier;
use rukun_change::{
    ChangeId, DeviceKey, Digest, Fingerprint, Incarnation, Moment, StatementId, SubSls, SurveyId,
};
use rukun_reconcile::sketch::{Encoder, SketchKey};
use rukun_replica::{Body, Deframer, Event, Frame, Input as Happening, LinkId, Output, Replica};
use rukun_wire::{
    Changes, CloseCode, CloseReason, Cursor, Exception, Hello, Message, Parcel, Short, Sketch, Stubs, Symbol,
};

use super::image;
use super::input::Input;
use super::people::{self, ANI, QUESTIONNAIRE, SUPERVISOR};
use super::pool::{PLACES, peers, pool};

const STEPS_MAX: usize = 48;
/// The most that one input may make a node send.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(super) struct Session {
    pub(super) replica: Replica,
    pub(super) now: Moment,
    /// The links that stand, and who is there.
    links: BTreeMap<LinkId, DeviceKey>,
    /// What is needed to understand what the node says on a link.
    ears: BTreeMap<LinkId, Deframer>,
    verifier: Verifier,
    opened: u64,
}

/// Steps one after another, until the bytes end.
pub(super) fn run(data: &[u8]) {
    played(data).serves_the_honest();
}

fn played(data: &[u8]) -> Session {
    let mut input = Input::new(data);
    let mut session = Session::begun();
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        session.step(&mut input);
    }
    session
}

impl Session {
    /// A node that has some honest work, and nobody is linked with.
    pub(super) fn begun() -> Self {
        let now = Moment { wall_ms: 1_666_000_000_000, steady_ms: 0 };
        let (links, verifier) = (BTreeMap::new(), Verifier::default());
        Self { replica: image::supervisor(), now, links, ears: BTreeMap::new(), verifier, opened: 0 }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let link = self.links.keys().nth(input.below(self.links.len().max(1))).copied();
        match (input.below(28), link) {
            (0, _) | (_, None) => {
                let peer = input.pick(&peers()).key();
                self.open(peer, input.below(2) == 1);
            }
            (1, Some(link)) => {
                self.links.remove(&link);
                self.handle(Happening::LinkClosed { link, reason: "cut".into() });
            }
            (2, _) => {
                self.now.steady_ms += u64::from(input.byte()) * 1_000;
                self.now.wall_ms = i64::from_be_bytes(input.number());
                self.handle(Happening::Tick);
            }
            (3, Some(link)) => self.say_frame(link, input.piece()),
            (4, Some(link)) => {
                let mut deframer = Deframer::new();
                deframer.push(input.piece());
                while let Some(frame) = deframer.next_frame().transpose() {
                    let ends = frame.is_err();
                    let frame = match frame {
                        Ok(body) => Frame::check(&body, Some(&people::survey().id), &self.verifier),
                        Err(fault) => Frame::broken(fault),
                    };
                    self.handle(Happening::Received { link, frame });
                    if ends {
                        break;
                    }
                }
            }
            (kind, Some(link)) => {
                let spelled = self.message(kind, input).encode();
                self.say_frame(link, &spelled[4..]);
            }
        }
    }

    fn open(&mut self, peer: DeviceKey, dialed: bool) -> LinkId {
        let link = LinkId(self.opened);
        self.opened += 1;
        self.links.insert(link, peer);
        self.handle(Happening::LinkOpened { link, peer, dialed });
        link
    }

    fn say_frame(&mut self, link: LinkId, body: &[u8]) {
        let frame = match Body::alone(body) {
            Ok(body) => Frame::check(&body, Some(&people::survey().id), &self.verifier),
            Err(fault) => Frame::broken(fault),
        };
        self.handle(Happening::Received { link, frame });
    }

    fn handle(&mut self, happening: Happening) {
        let could_read = self.reads();
        self.replica.handle(self.now, happening).expect("no peer makes the node fail");
        self.replica.commit().expect("no peer makes the store fail");
        let can_read = self.reads();
        let mut answered = 0;
        while let Some(output) = self.replica.poll() {
            match output {
                Output::Send { link, bytes } => {
                    answered += bytes.len();
                    let peer = self.links.get(&link).expect("nothing is sent on a link that is closed");
                    let ear = self.ears.entry(link).or_default();
                    ear.push(&bytes);
                    let body = ear.next_frame().ok().flatten().expect("nodes send whole frames");
                    let message = Message::of(&body).expect("nodes say what is right");
                    let reads = |home: &SubSls| {
                        [&could_read, &can_read]
                            .iter()
                            .any(|reads| reads[peer].iter().any(|region| region.covers_sub_sls(home)))
                    };
                    check_told(&message, reads);
                }
                Output::Close { link, reason } => {
                    assert!(!reason.is_empty());
                    self.links.remove(&link);
                }
                Output::Event(Event::PeerDown { reason, .. } | Event::Refused { reason, .. }) => {
                    assert!(!reason.is_empty());
                }
                Output::Event(_) => {}
            }
        }
        assert!(answered <= ANSWER_BYTES_MAX, "one input is answered with {answered} bytes");
    }

    fn reads(&self) -> BTreeMap<DeviceKey, Vec<rukun_change::Region>> {
        let trust = self.replica.trust().expect("the survey is founded");
        self.links.values().map(|peer| (*peer, trust.reads(peer))).collect()
    }

    /// Any message, by its number among the choices.
    pub(super) fn message(&self, kind: usize, input: &mut Input<'_>) -> Message {
        let pool = pool();
        match kind {
            5 | 6 => Message::Hello(self.hello(input)),
            7 => Message::StatementIds(some(input, &pool.statement_ids)),
            8 => Message::Statements { items: some(input, &pool.statements), last: input.below(4) != 3 },
            9 => Message::BlobWant { digest: digest(input), offset: small_or_large(input) },
            10 => {
                let (digest, offset, total) = (digest(input), small_or_large(input), small_or_large(input));
                Message::Blob { digest, offset, total, bytes: input.piece().to_vec() }
            }
            11..=13 => {
                let upto = Some(small_or_large(input)).filter(|_| input.below(4) != 3);
                let frame = small_or_large(input);
                if kind == 13 {
                    Message::Stubs(Stubs { frame, upto, items: some(input, &pool.stubs) })
                } else {
                    Message::Changes(Changes { frame, upto, items: some(input, &pool.changes) })
                }
            }
            14 => {
                let exception = |id| match input.below(2) {
                    0 => (id, Exception::Waiting),
                    _ => (id, Exception::Refused("no".into())),
                };
                let exceptions = pool.change_ids.iter().take(3).copied().map(exception).collect();
                let exceptions = if input.below(2) == 0 { Vec::new() } else { exceptions };
                Message::Ack { frame: small_or_large(input), exceptions }
            }
            15 => {
                let places = places(input);
                let sum =
                    |(at, place)| (place, pool.change_ids.iter().skip(at).map(ChangeId::as_bytes).collect());
                Message::Summary(places.into_iter().enumerate().map(sum).collect())
            }
            16 => Message::Differ(places(input)),
            17 => Message::Ids {
                sub_sls: input.pick(&PLACES).parse().unwrap(),
                ids: some(input, &pool.change_ids),
                last: input.below(2) == 0,
            },
            18 => Message::Want(some(input, &pool.change_ids)),
            20 => Message::Sketch(sketch(input)),
            21 => Message::More(small_or_large(input)),
            22 => Message::Symbols(symbols(input)),
            23 => Message::Lack(shorts(input)),
            24 => Message::Unclear { again: input.below(2) == 0 },
            25 => Message::Parcels(vec![parcel(input)]),
            26 => {
                let bytes = input.piece().to_vec();
                let (digest, total) = (Digest::of(&bytes), bytes.len() as u64);
                Message::Blob { digest, offset: 0, total, bytes }
            }
            27 => {
                let refused = (input.below(2) == 0).then(|| "no".into());
                Message::ParcelEnd { digest: digest(input), refused }
            }
            _ => {
                let code = CloseCode::from_number(input.below(8) as u64).unwrap_or(CloseCode::Done);
                Message::Close(CloseReason { code, text: "enough".into() })
            }
        }
    }

    fn hello(&self, input: &mut Input<'_>) -> Hello {
        let pool = pool();
        let own = self.replica.author().incarnation;
        let epoch = if input.below(4) == 3 { Incarnation::from_bytes(input.number()) } else { own };
        let received = match input.below(4) {
            0 => Some(Cursor { epoch, seq: small_or_large(input) }),
            _ => None,
        };
        // Only who is called may leave out what is the same.
        let (survey, whole) = match input.below(16) {
            15 => (Some(SurveyId::from_bytes([9; 32])), true),
            14 => (None, false),
            13 => (Some(people::survey().id), false),
            _ => (Some(people::survey().id), true),
        };
        Hello {
            versions: if input.below(16) == 15 { (2, 9) } else { (1, 1) },
            survey,
            epoch: Incarnation::from_bytes([input.byte(); 4]),
            received,
            held: small_or_large(input),
            statements: whole
                .then(|| some(input, &pool.statement_ids).iter().map(StatementId::as_bytes).collect()),
            chain: some(input, &pool.statements).into_iter().take(16).collect(),
        }
    }

    /// Whatever was said before, an honest enumerator is greeted and may begin.
    pub(super) fn serves_the_honest(&mut self) {
        self.now.steady_ms += 1;
        let status = self.replica.status().expect("the node can tell how it is");
        assert!(status.waiting <= 1_024 * peers().len() as u64);
        let link = self.open(ANI.key(), false);
        let hello = Hello {
            versions: (1, 1),
            survey: Some(people::survey().id),
            epoch: ANI.incarnation(),
            received: None,
            held: 0,
            statements: Some(Fingerprint::default()),
            chain: Vec::new(),
        };
        for message in [
            Message::Hello(hello),
            Message::StatementIds(Vec::new()),
            Message::Statements { items: Vec::new(), last: true },
        ] {
            if self.links.contains_key(&link) {
                self.say_frame(link, &message.encode()[4..]);
            }
        }
        // Of two links between the same devices the one that the node itself dialed may stay.
        assert!(self.links.values().any(|peer| *peer == ANI.key()), "an honest peer is turned away");
        assert!(self.replica.reading(&people::record(5)).is_ok(), "the honest work is there");
    }
}

fn check_told(message: &Message, reads: impl Fn(&SubSls) -> bool) {
    let scoped = match message {
        Message::Changes(changes) => changes.items.iter().all(|item| reads(&item.change.record.home())),
        Message::Stubs(stubs) => stubs.items.iter().all(|item| reads(&item.header.record.home())),
        Message::Summary(rows) => rows.iter().all(|(place, _)| reads(place)),
        Message::Ids { sub_sls, .. } => reads(sub_sls),
        Message::Sketch(sketch) => sketch.regions.iter().all(|region| {
            let (first, last) = region.bounds();
            reads(&first) && reads(&last)
        }),
        _ => true,
    };
    assert!(scoped, "a peer is told what it may not read: {message:?}");
}

/// A bundle that somebody carries for the node, or says so.
fn parcel(input: &mut Input<'_>) -> Parcel {
    let bundle = input.piece();
    let mut devices: Vec<DeviceKey> = peers().iter().map(|device| device.key()).collect();
    devices.push(SUPERVISOR.key());
    let (sender, recipient) = (input.pick(&devices), input.pick(&devices));
    let is_answer = input.below(2) == 0;
    Parcel { digest: Digest::of(bundle), sender, recipient, bytes: bundle.len() as u64, is_answer }
}

/// What a peer may claim to hold in one place or all over: some of what is there, under the key that both have.
fn sketch(input: &mut Input<'_>) -> Sketch {
    let pool = pool();
    let ids = some(input, &pool.change_ids);
    let place: SubSls = input.pick(&PLACES).parse().unwrap();
    let region = if input.below(2) == 0 { place.region() } else { "1811".parse().unwrap() };
    let salt = small_or_large(input);
    let key = SketchKey::new(&people::survey().id, salt);
    let mut encoder = Encoder::new(&key, ids.iter().map(|id| key.short(id.as_bytes())), 0);
    let symbols = match input.below(3) {
        0 => symbols(input),
        _ => (0..input.below(40)).map(|_| encoder.symbol()).collect(),
    };
    Sketch { regions: vec![region], fingerprint: ids.iter().map(ChangeId::as_bytes).collect(), salt, symbols }
}

fn symbols(input: &mut Input<'_>) -> Vec<Symbol> {
    let symbol = |input: &mut Input<'_>| Symbol {
        sum: u64::from_be_bytes(input.number()),
        check: u32::from_be_bytes(input.number()),
        count: i8::from_be_bytes(input.number()),
    };
    (0..input.below(20)).map(|_| symbol(input)).collect()
}

/// Ascending: some of what is there, and what nobody has.
fn shorts(input: &mut Input<'_>) -> Vec<Short> {
    let key = SketchKey::new(&people::survey().id, 0);
    let mut shorts: BTreeSet<Short> =
        some(input, &pool().change_ids).iter().map(|id| key.short(id.as_bytes())).collect();
    if input.below(2) == 0 {
        shorts.insert(Short(u64::from_be_bytes(input.number())));
    }
    shorts.into_iter().collect()
}

/// Some of these: all, none, or as the bits say.
fn some<T: Clone>(input: &mut Input<'_>, all: &[T]) -> Vec<T> {
    match input.below(4) {
        0 => Vec::new(),
        1 => all.to_vec(),
        _ => {
            let bits = u32::from_be_bytes(input.number());
            all.iter()
                .enumerate()
                .filter(|(at, _)| bits >> (at % 32) & 1 == 1)
                .map(|(_, one)| one.clone())
                .collect()
        }
    }
}

fn places(input: &mut Input<'_>) -> Vec<SubSls> {
    let all: Vec<SubSls> = PLACES.iter().map(|place| place.parse().unwrap()).collect();
    let mut places = some(input, &all);
    places.sort_unstable();
    places
}

fn digest(input: &mut Input<'_>) -> Digest {
    if input.below(4) == 3 { Digest::from_bytes(input.number()) } else { Digest::of(QUESTIONNAIRE) }
}

fn small_or_large(input: &mut Input<'_>) -> u64 {
    match input.byte() {
        255 => u64::from_be_bytes(input.number()),
        small => small.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fuzzing_starts_from_gets_past_the_greeting() {
        let seeds: BTreeMap<String, Vec<u8>> = super::super::seeds::session().into_iter().collect();
        let held = |name: &str| {
            let status = played(&seeds[name]).replica.status().unwrap();
            (status.changes, status.waiting, status.peers.iter().any(|peer| peer.linked))
        };
        let before = people::honest_work().len() as u64;
        assert_eq!(held("greeted"), (before, 0, true));
        let (changes, waiting, _) = held("changes");
        assert!(changes > before && waiting > 0, "{changes} held, {waiting} wait");
    }
}
