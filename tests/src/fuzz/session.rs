//! Sessions: granted peers that say anything in any order to a living node. Each link is answered or
//! closed, nobody is sent what they may not read, and an honest peer is served afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use rukun_authority::{Erasure, Grant, Keypair, Role, Said, Transfer, Verifier, sign};
use rukun_change::{
    CauseHash, Change, ChangeId, DeviceKey, Digest, Fingerprint, Incarnation, Ink, Moment, RecordId,
    SignedChange, SignedHeader, StatementId, SubSls, SurveyId,
};
use rukun_reconcile::sketch::{Encoder, SketchKey};
use rukun_replica::{Body, Deframer, Event, Frame, Input as Happening, LinkId, Output, Replica};
use rukun_wire::{
    Changes, CloseCode, CloseReason, Cursor, Exception, Hello, Message, Parcel, Short, Sketch, Stubs, Symbol,
};

use super::input::Input;
use super::people::{self, ANI, Device, LIARS, MALLORY, OFFICE, QUESTIONNAIRE, SUPERVISOR};
use super::{chunk, image};

const STEPS_MAX: usize = 48;
/// The most that one input may make a node send.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
const PLACES: [&str; 5] =
    ["1811010005000300", "1811010005000301", "1811010005000400", "1811040003000100", "1805010005000300"];

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

pub(super) fn peers() -> Vec<Device> {
    LIARS.into_iter().chain([ANI, OFFICE, SUPERVISOR]).collect()
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

/// What peers have to say.
struct Pool {
    statements: Vec<Vec<u8>>,
    statement_ids: Vec<StatementId>,
    changes: Vec<SignedChange>,
    stubs: Vec<SignedHeader>,
    change_ids: Vec<ChangeId>,
}

fn pool() -> &'static Pool {
    static POOL: LazyLock<Pool> = LazyLock::new(|| {
        let survey = people::survey();
        let mut said = vec![survey.charter.clone()];
        said.extend(survey.grants.iter().cloned());
        said.extend(liars_grants());
        said.extend(words_about_records());
        let mut statements: Vec<Vec<u8>> = said.iter().map(rukun_authority::Statement::to_bytes).collect();
        statements.push(b"no statement".to_vec());
        let mut statement_ids: Vec<StatementId> =
            said.iter().map(|statement| survey.trust.statement_id(statement)).collect();
        statement_ids.sort_unstable();
        let mut changes: Vec<SignedChange> =
            people::honest_work().iter().map(|(change, _)| change.signed().clone()).collect();
        changes.extend(liars_changes());
        let id = |signed: &SignedChange| ChangeId::of(&signed.change.to_be_signed(&survey.id).unwrap());
        let mut change_ids: Vec<ChangeId> = changes.iter().map(id).collect();
        change_ids.push(ChangeId::from_bytes([1; 32]));
        let stubs = changes.iter().filter_map(|signed| signed.signed_header().ok()).collect();
        Pool { statements, statement_ids, changes, stubs, change_ids }
    });
    &POOL
}

/// Grants by liars: narrower, wider, and on what does not exist.
fn liars_grants() -> Vec<rukun_authority::Statement> {
    let survey = people::survey();
    let theirs = |at: usize| survey.trust.statement_id(&survey.grants[at]);
    let stranger = Keypair::from_seed(&[77; 32]).key();
    let grant = |issuer: Device, parent, role, region: &str, serial| {
        let regions = vec![region.parse().unwrap()];
        let said = Grant { parent, subject: stranger, role, regions, serial, name: "x".into() };
        issuer.say(serial, Said::Grant(said))
    };
    let again = Grant {
        parent: theirs(0),
        subject: MALLORY.key(),
        role: Role::Enumerator,
        regions: vec!["1811".parse().unwrap()],
        serial: 9,
        name: "wide".into(),
    };
    vec![
        grant(LIARS[2], theirs(4), Role::Enumerator, "18110100050003", 1),
        grant(LIARS[2], theirs(4), Role::Enumerator, "1811", 2),
        grant(LIARS[4], theirs(6), Role::Supervisor, "1811", 3),
        grant(MALLORY, StatementId::from_bytes([3; 32]), Role::Enumerator, "1811", 4),
        LIARS[4].say(5, Said::Grant(again)),
        OFFICE.say(6, Said::Charter(people::charter())),
    ]
}

/// The office forgets what liars wrote in one record, and moves another.
fn words_about_records() -> Vec<rukun_authority::Statement> {
    let survey = people::survey();
    let parent = survey.trust.statement_id(&survey.grants[0]);
    let theirs = |place: usize| RecordId::new(PLACES[place].parse().unwrap(), [9; 8]);
    let (record, reason) = (theirs(0), "asked for".into());
    vec![
        OFFICE.say(7, Said::Erasure(Erasure { parent, record, reason })),
        OFFICE.say(8, Said::Transfer(Transfer { parent, from: people::record(5), to: theirs(1) })),
        MALLORY.say(8, Said::Erasure(Erasure { parent, record: people::record(5), reason: "x".into() })),
    ]
}

/// Changes by liars: good ones, a fork, one that waits, one by a stranger, one out of scope, one forged.
fn liars_changes() -> Vec<SignedChange> {
    let record = |place: usize| RecordId::new(PLACES[place].parse().unwrap(), [9; 8]);
    let write = |device: Device, n, record, seq: u8, deps: &[CauseHash], value: u8| {
        // One number in one field of the family, as Automerge spells it.
        let mut contents = chunk::leb(deps.len() as u64);
        contents.extend(deps.iter().flat_map(CauseHash::as_bytes));
        contents.push(16);
        contents.extend(device.author().actor().as_bytes());
        contents.extend([seq, seq, 0, 0, 0]);
        contents.extend([6, 0x15, 6, 0x34, 1, 0x42, 2, 0x56, 2, 0x57, 1, 0x70, 2]);
        contents.extend([0x7f, 4, b'r', b'3', b'0', b'4', 1, 0x7f, 1, 0x7f, 0x14, value, 0x7f, 0]);
        let body = chunk::chunk(&contents);
        let change = Change { author: device.author(), n, record, ink: Ink::Pencil, seen: Vec::new(), body };
        sign(device.keypair(), change, &people::survey().id).unwrap()
    };
    let mut forged = write(MALLORY, 9, record(0), 1, &[], 7);
    forged.signature[3] ^= 1;
    vec![
        write(MALLORY, 1, record(0), 1, &[], 1),
        write(MALLORY, 2, record(1), 1, &[], 2),
        write(MALLORY, 2, record(0), 1, &[], 3),
        write(MALLORY, 3, record(0), 2, &[CauseHash::from_bytes([8; 32])], 4),
        write(MALLORY, 4, record(2), 1, &[], 5),
        write(LIARS[5], 1, record(2), 1, &[], 5),
        write(LIARS[6], 1, record(0), 1, &[], 6),
        write(LIARS[4], 1, record(3), 1, &[], 6),
        forged,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_liars_write_reaches_the_gate() {
        for change in liars_changes() {
            rukun_change::Body::decode(&change.change.body).unwrap();
        }
    }

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
