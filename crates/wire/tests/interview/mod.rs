//! Interviews as enumerators make them: real Automerge changes of about the questionnaire's
//! size, with generated people, told by a seed.

use automerge::hydrate::{Map, MapValue, Value};
use automerge::transaction::Transactable as _;
use automerge::{ActorId, AutoCommit, ScalarValue};
use rukun_change::{Author, Change, DeviceKey, Incarnation, Ink, MemberId, RecordId, SignedChange, SubSls};
use rukun_wire::Changes;

use crate::dice::Dice;

const NAMES: [&str; 12] =
    ["SITI", "BUDI", "WAYAN", "AGUS", "NUR", "SRI", "EKO", "DEWI", "JOKO", "RINA", "HENDRA", "LESTARI"];

/// A frame of first interviews by one enumerator, in the four neighbourhoods that are theirs.
pub(crate) fn frame(count: usize, seed: u64) -> Changes {
    let mut dice = Dice(seed);
    let author = Author {
        device: DeviceKey::from_bytes(dice.bytes()),
        incarnation: Incarnation::from_bytes(dice.bytes()),
    };
    let items = (0..count).map(|index| interview(author, 412 + index as u64, &mut dice)).collect();
    Changes { frame: 7, upto: Some(900), items }
}

fn interview(author: Author, n: u64, dice: &mut Dice) -> SignedChange {
    let home: SubSls = format!("181101000500{:02}00", within(dice, 3, 6)).parse().unwrap();
    let record = RecordId::new(home, dice.bytes());
    let mut doc = AutoCommit::new().with_actor(ActorId::from(author.actor().as_bytes().as_slice()));
    doc.init_root_from_hydrate(&family(dice)).unwrap();
    let hash = doc.commit_with(
        automerge::transaction::CommitOptions::default()
            .with_time(1_666_000_000_000 + n as i64 * 1_800_000 + within(dice, 0, 900_000)),
    );
    let body = doc.get_change_by_hash(&hash.unwrap()).unwrap().raw_bytes().to_vec();
    let change = Change { author, n, record, ink: Ink::Pencil, seen: Vec::new(), body };
    SignedChange { change, signature: dice.bytes() }
}

fn family(dice: &mut Dice) -> Map {
    let mut fields = vec![
        ("r106".to_owned(), text(format!("RT {:02} RW {:02}", within(dice, 1, 9), within(dice, 1, 4)))),
        ("r108".to_owned(), text(person(dice))),
        ("r114".to_owned(), text(nik(dice))),
        ("r302".to_owned(), int(within(dice, 20, 200))),
    ];
    let members = within(dice, 2, 6);
    fields.push(("r112".to_owned(), int(members)));
    fields.extend(
        ["r301a", "r301b", "r303", "r304", "r305", "r306a", "r307a", "r308", "r309a", "r310"]
            .map(|name| (name.to_owned(), int(within(dice, 1, 4)))),
    );
    for (block, letters) in [("r501", 'a'..='e'), ("r502", 'a'..='n'), ("r504", 'a'..='e')] {
        fields.extend(letters.map(|letter| (format!("{block}{letter}"), int(within(dice, 1, 2)))));
    }
    for number in 1..=members {
        fields.push((MemberId::from_bytes(dice.bytes()).to_string(), Value::Map(member(number, dice))));
    }
    map_of(fields)
}

fn member(number: i64, dice: &mut Dice) -> Map {
    let mut fields = vec![
        ("r401".to_owned(), int(number)),
        ("r402".to_owned(), text(person(dice))),
        ("r403".to_owned(), text(nik(dice))),
        ("r406tgl".to_owned(), int(within(dice, 1, 28))),
        ("r406bln".to_owned(), int(within(dice, 1, 12))),
        ("r406thn".to_owned(), int(within(dice, 1940, 2021))),
        ("r407".to_owned(), int(within(dice, 1, 80))),
    ];
    // Children answer fewer questions.
    let last = if within(dice, 0, 2) == 0 { 412 } else { 427 };
    fields.extend((408..=last).map(|number| (format!("r{number}"), int(within(dice, 1, 6)))));
    fields.extend(
        ('a'..='j').map(|letter| (format!("r428{letter}"), int(if within(dice, 0, 9) == 0 { 2 } else { 4 }))),
    );
    map_of(fields)
}

fn within(dice: &mut Dice, low: i64, high: i64) -> i64 {
    low + (dice.next() % (high - low + 1) as u64) as i64
}

fn person(dice: &mut Dice) -> String {
    let mut name = || NAMES[within(dice, 0, NAMES.len() as i64 - 1) as usize];
    format!("{} {}", name(), name())
}

fn nik(dice: &mut Dice) -> String {
    format!("181101{:06}{:04}", within(dice, 10_150, 711_299), within(dice, 1, 30))
}

fn map_of(fields: Vec<(String, Value)>) -> Map {
    let mut map = Map::default();
    map.extend(fields.into_iter().map(|(name, value)| (name, MapValue { value, conflict: false })));
    map
}

fn int(value: i64) -> Value {
    Value::Scalar(ScalarValue::Int(value))
}

fn text(value: String) -> Value {
    Value::Scalar(ScalarValue::Str(value.into()))
}
