//! Lies about the session: who speaks, what was said, what is held.

use rukun_authority::Keypair;
use rukun_change::{ChangeId, DeviceKey, Digest, Fingerprint, SubSls, SurveyId};
use rukun_wire::limits::CHANGE_IDS_MAX;
use rukun_wire::{Changes, Cursor, Exception, Hello, Message, Parcel, Short, Sketch, Symbol};

use super::changes::{no_change, no_incarnation};
use super::{Expect, Lie, Telling, Truth, frame_of, hello};
use crate::world::Chance;

/// The frames of a lie about the session; nothing if it is told otherwise.
pub(super) fn tell(lie: Lie, chance: &mut Chance, truth: &Truth<'_>) -> Option<Telling> {
    let home = truth.home;
    let closes = |message: Message| Telling::greeted(vec![message.encode()], Expect::LinkCloses);
    let greets = |hello: Hello| Telling::instead(vec![Message::Hello(hello).encode()], Expect::LinkCloses);
    Some(match lie {
        Lie::BeforeGreeting => {
            let early = early(chance, truth);
            Telling::instead(vec![chance.pick(&early).clone()], Expect::LinkCloses)
        }
        Lie::WrongState => match chance.below(2) {
            0 => closes(Message::Hello(hello(truth))),
            _ => closes(Message::StatementIds(Vec::new())),
        },
        Lie::WrongSurvey => {
            // Only who is called may leave it out.
            let survey = (!chance.one_in(3)).then(|| SurveyId::from_bytes(chance.bytes()));
            greets(Hello { survey, ..hello(truth) })
        }
        Lie::StrangerHello => {
            // With the chain of someone who was granted, which is no secret.
            let stranger = Keypair::from_seed(&chance.bytes());
            Telling { key: stranger.key(), ..greets(hello(truth)) }
        }
        Lie::WrongVersion => greets(Hello { versions: (2, 900), ..hello(truth) }),
        Lie::FalseCursor => {
            let epoch = if chance.one_in(2) { truth.victim.incarnation } else { no_incarnation(chance) };
            let received = Some(Cursor { epoch, seq: 1 << 63 });
            let hello = Message::Hello(Hello { received, held: u64::MAX, ..hello(truth) });
            Telling::instead(vec![hello.encode()], Expect::Harmless)
        }
        Lie::FalseAck => closes(false_ack(chance)),
        Lie::BlindAck => {
            let acks = (1..9).map(|frame| Message::Ack { frame, exceptions: Vec::new() }.encode());
            Telling::greeted(acks.collect(), Expect::Harmless)
        }
        Lie::FalseFingerprint => {
            let rows = vec![(home, false_fingerprint(chance))];
            let quiet = Message::Summary(Vec::new()).encode();
            Telling::greeted(vec![quiet, Message::Summary(rows).encode()], Expect::Harmless)
        }
        Lie::FalseDiffer => {
            let lead = if chance.one_in(3) { Vec::new() } else { summarised() };
            Telling { lead, ..closes(Message::Differ(vec![truth.far])) }
        }
        Lie::EndlessIds => Telling::greeted(endless_ids(chance, home), Expect::Harmless),
        Lie::UnwantedIds => {
            closes(Message::Ids { sub_sls: truth.far, ids: vec![no_change(chance)], last: true })
        }
        Lie::UnwantedWant => closes(Message::Want(vec![no_change(chance)])),
        Lie::UnaskedSketch => closes(unasked_sketch(chance)),
        Lie::WildSketch => Telling::greeted(wild_sketch(chance, home), Expect::Harmless),
        Lie::FrameOrder => {
            let frame = *chance.pick(&[0, 2, 9, 1 << 63, u64::MAX]);
            Telling::greeted(vec![frame_of(frame, Vec::new())], Expect::LinkCloses)
        }
        Lie::HugeLog => {
            let changes = Changes { frame: 1, upto: Some(u64::MAX), items: Vec::new() };
            Telling::greeted(vec![Message::Changes(changes).encode()], Expect::Harmless)
        }
        Lie::FalseBlob => Telling::greeted(false_blobs(chance, truth), Expect::Harmless),
        Lie::FalseParcel => Telling::greeted(false_parcels(chance, truth), Expect::Harmless),
        _ => return None,
    })
}

/// What a victim answers with a summary of where both may read.
fn summarised() -> Vec<Vec<u8>> {
    let quiet = Message::Summary(Vec::new());
    [quiet, Message::Unclear { again: false }].iter().map(Message::encode).collect()
}

/// What must not come before a greeting.
fn early(chance: &mut Chance, truth: &Truth<'_>) -> Vec<Vec<u8>> {
    let messages = [
        Message::StatementIds(Vec::new()),
        Message::Statements { items: truth.statements.to_vec(), last: true },
        Message::Summary(vec![(truth.home, Fingerprint::default())]),
        Message::Ack { frame: 1, exceptions: Vec::new() },
        Message::Want(vec![no_change(chance)]),
        Message::BlobWant { digest: Digest::of(b""), offset: 0 },
    ];
    let mut frames: Vec<Vec<u8>> = messages.iter().map(Message::encode).collect();
    frames.push(frame_of(1, truth.honest.iter().take(1).cloned().collect()));
    frames
}

/// Of a frame that nobody sent, or of one that may have been sent but for what was not in it.
fn false_ack(chance: &mut Chance) -> Message {
    match chance.below(3) {
        0 => Message::Ack { frame: 0, exceptions: Vec::new() },
        1 => Message::Ack { frame: 1 << 63, exceptions: Vec::new() },
        _ => Message::Ack { frame: 1, exceptions: vec![(no_change(chance), Exception::Waiting)] },
    }
}

/// Of changes that nobody made.
fn false_fingerprint(chance: &mut Chance) -> Fingerprint {
    let ids: Vec<[u8; 32]> = (0..=chance.below(9)).map(|_| chance.bytes()).collect();
    let mut bytes = ids.iter().collect::<Fingerprint>().to_bytes();
    if chance.one_in(2) {
        bytes[..8].copy_from_slice(&(1_u64 << 63).to_be_bytes());
    }
    Fingerprint::from_bytes(&bytes).expect("the sum of points is a point")
}

fn unasked_sketch(chance: &mut Chance) -> Message {
    match chance.below(4) {
        0 => Message::Lack(vec![Short(chance.u64())]),
        1 => Message::Unclear { again: chance.one_in(2) },
        2 => Message::More(*chance.pick(&[0, 9, 1 << 63])),
        _ => Message::Symbols(wild_symbols(chance)),
    }
}

/// What is held at home, as noise, and more of it than is asked for.
fn wild_sketch(chance: &mut Chance, home: SubSls) -> Vec<Vec<u8>> {
    let region = if chance.one_in(4) { "1811".parse().expect("a region") } else { home.region() };
    let sketch = Sketch {
        regions: vec![region],
        fingerprint: false_fingerprint(chance),
        salt: chance.below(2) as u64 * chance.u64(),
        symbols: wild_symbols(chance),
    };
    let mut messages = vec![Message::Sketch(sketch)];
    messages.extend((0..chance.below(3)).map(|_| Message::Symbols(wild_symbols(chance))));
    messages.iter().map(Message::encode).collect()
}

/// Of no set; or empty, as if of two that differ in nothing but their fingerprints.
fn wild_symbols(chance: &mut Chance) -> Vec<Symbol> {
    let symbol = |chance: &mut Chance| match chance.below(3) {
        0 => Symbol::default(),
        _ => Symbol { sum: chance.u64(), check: chance.u64() as u32, count: chance.u64() as i8 },
    };
    (0..*chance.pick(&[0, 1, 8, 500])).map(|_| symbol(chance)).collect()
}

fn endless_ids(chance: &mut Chance, home: SubSls) -> Vec<Vec<u8>> {
    let mut frames = vec![Message::Summary(vec![(home, false_fingerprint(chance))]).encode()];
    for _ in 0..6 {
        let ids: Vec<ChangeId> = (0..CHANGE_IDS_MAX / 8).map(|_| no_change(chance)).collect();
        frames.push(Message::Ids { sub_sls: home, ids, last: false }.encode());
    }
    frames
}

/// The questionnaire, as the charter names it, in other words and of another length.
fn false_blobs(chance: &mut Chance, truth: &Truth<'_>) -> Vec<Vec<u8>> {
    let named = truth.statements.iter().find_map(|bytes| questionnaire(bytes));
    let digest = named.unwrap_or_else(|| Digest::from_bytes(chance.bytes()));
    let total = chance.between(2, 200_000);
    let bytes = vec![b'?'; chance.between(1, total.min(32_000) - 1) as usize];
    let piece = |offset: u64| Message::Blob { digest, offset, total, bytes: bytes.clone() };
    let mut frames = vec![piece(0).encode()];
    if total >= 2 * bytes.len() as u64 {
        frames.push(piece(bytes.len() as u64).encode());
    }
    frames.push(Message::BlobWant { digest, offset: chance.between(0, 1 << 20) }.encode());
    frames
}

fn false_parcels(chance: &mut Chance, truth: &Truth<'_>) -> Vec<Vec<u8>> {
    let bytes = vec![b'?'; chance.between(1, 30_000) as usize];
    let (total, sender) = (bytes.len() as u64, DeviceKey::from_bytes(chance.bytes()));
    let is_answer = chance.one_in(2);
    let digest = if chance.one_in(3) { Digest::from_bytes(chance.bytes()) } else { Digest::of(&bytes) };
    let recipient = truth.victim.device;
    let near = Parcel { digest, sender, recipient, bytes: total, is_answer };
    let far =
        Parcel { digest: Digest::from_bytes(chance.bytes()), sender: recipient, recipient: sender, ..near };
    let mut parcels = vec![near, far];
    parcels.sort_unstable_by_key(|parcel| parcel.digest);
    let mut frames = vec![Message::Parcels(parcels).encode()];
    frames.push(Message::Blob { digest, offset: 0, total, bytes }.encode());
    frames.push(Message::ParcelEnd { digest: far.digest, refused: None }.encode());
    frames
}

fn questionnaire(statement: &[u8]) -> Option<Digest> {
    match rukun_authority::Statement::from_bytes(statement).ok()?.said {
        rukun_authority::Said::Charter(charter) => Some(charter.questionnaire),
        _ => None,
    }
}
