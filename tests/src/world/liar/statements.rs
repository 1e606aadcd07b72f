//! Lies in statements: who may do what.

use rukun_authority::{Charter, Closing, Decision, Erasure, Grant, Keypair, Receipt, Role, Said, Statement};
use rukun_change::{ChangeId, DeviceKey, Digest, EncodedFingerprint, Fingerprint, Incarnation, StatementId};
use rukun_wire::Message;

use super::{Expect, Lie, Pen, Telling, Truth};
use crate::world::Chance;
use crate::world::model::{Granted, Role as ModelRole};

/// How many grants of others one lie rests its own on.
const WIDENED_MAX: usize = 6;
/// More than may wait for what they rest on.
const FLOOD: u64 = 80;

/// The frames of a lie that is told by statements; nothing if it is told otherwise.
pub(super) fn tell(lie: Lie, chance: &mut Chance, truth: &Truth<'_>, pen: &Pen) -> Option<Telling> {
    let say =
        |said: Said| Statement::sign(&pen.keypair, pen.incarnation, 1, Some(&truth.survey), said).to_bytes();
    let sent = |items: Vec<Vec<u8>>, expect| {
        Telling::greeted(vec![Message::Statements { items, last: true }.encode()], expect)
    };
    Some(match lie {
        Lie::WidenedGrant => {
            let items: Vec<Vec<u8>> = widened(chance, truth, pen).into_iter().map(say).collect();
            let count = items.len();
            sent(items, Expect::StatementsRefused(count))
        }
        Lie::ForgedGrant => sent(vec![forged(chance, truth, pen)], Expect::StatementsRefused(1)),
        Lie::OtherCharter => sent(vec![charter(pen)], Expect::StatementsRefused(1)),
        Lie::FutureStatement => {
            let parent = StatementId::from_bytes(*truth.survey.as_bytes());
            let said = Said::Closing(Closing { parent, regions: vec!["18".parse().expect("a region code")] });
            sent(vec![say(said)], Expect::StatementsRefused(1))
        }
        Lie::FalseDecision => {
            let any = chance.pick(truth.honest);
            let change = &truth.corrected.filter(|_| chance.one_in(2)).unwrap_or(any).change;
            let signed = change.to_be_signed(&truth.survey).expect("an honest body");
            let (sub_sls, changes) = (change.record.home(), vec![ChangeId::of(&signed)]);
            let (upheld, own) = (chance.one_in(2), pen.keypair.key());
            let own: Vec<Granted> = granted(truth).into_iter().filter(|one| one.subject == own).collect();
            let refused = own.iter().filter(|one| one.role == ModelRole::Enumerator).count();
            let decide = |one: &Granted| {
                let (parent, changes, supersedes) = (one.id, changes.clone(), Vec::new());
                say(Said::Decision(Decision { parent, sub_sls, upheld, changes, supersedes }))
            };
            // Whoever grants the author some small role there stands above nothing that was made before.
            let small = own.iter().filter(|one| one.role == ModelRole::Supervisor && chance.one_in(2));
            let grants = small.map(|one| {
                say(grant(one.id, change.author.device, Role::Enumerator, sub_sls.region().as_str(), 1))
            });
            let items = grants.chain(own.iter().map(decide)).collect();
            sent(items, Expect::StatementsRefused(refused))
        }
        Lie::FalseErasure => {
            let record = chance.pick(truth.honest).change.record;
            let own = granted(truth).into_iter().filter(|one| one.subject == pen.keypair.key());
            let items: Vec<Vec<u8>> = own
                .map(|one| say(Said::Erasure(Erasure { parent: one.id, record, reason: "diminta".into() })))
                .collect();
            let count = items.len();
            sent(items, Expect::StatementsRefused(count))
        }
        Lie::StatementFlood => {
            let items = (0..FLOOD).map(|serial| {
                let parent = StatementId::from_bytes(chance.bytes());
                say(grant(parent, pen.keypair.key(), Role::District, "18", serial))
            });
            sent(items.collect(), Expect::Harmless)
        }
        Lie::FalseReceipt => {
            let own = pen.keypair.key();
            let gives = |one: &Granted| one.subject == own && one.role != ModelRole::Enumerator;
            let (mut rest, mut others): (Vec<_>, Vec<_>) = granted(truth).into_iter().partition(gives);
            others.retain(|_| chance.one_in(4));
            let refused = others.len();
            rest.append(&mut others);
            let items = rest.iter().map(|one| say(receipt(chance, one.id, truth))).collect();
            sent(items, Expect::StatementsRefused(refused))
        }
        Lie::MalformedStatement => {
            let mut bytes = chance.pick(truth.statements).clone();
            bytes.truncate(chance.below(bytes.len()));
            sent(vec![bytes], Expect::LinkCloses)
        }
        _ => return None,
    })
}

fn grant(parent: StatementId, subject: DeviceKey, role: Role, region: &str, serial: u64) -> Said {
    let regions = vec![region.parse().expect("a region code")];
    Said::Grant(Grant { parent, subject, role, regions, serial, name: "Pejabat".into() })
}

/// Grants to itself that rest on the charter, on its own grants, on those of others: no role grants its own,
/// and what a supervisor may grant lies within its own regions.
fn widened(chance: &mut Chance, truth: &Truth<'_>, pen: &Pen) -> Vec<Said> {
    let (own, charter) = (pen.keypair.key(), StatementId::from_bytes(*truth.survey.as_bytes()));
    let mut said = vec![grant(charter, own, Role::District, "18", 9)];
    for _ in 0..WIDENED_MAX {
        let bytes: &Vec<u8> = chance.pick(truth.statements);
        let Some(granted) = Granted::of(bytes, &truth.survey) else { continue };
        let role = *chance.pick(&Role::ALL);
        said.push(grant(granted.id, own, role, "1811", chance.between(1, u64::MAX)));
    }
    said
}

/// For ids that there are not, so many that any prefix of a log may have as many, or for no set at all.
fn receipt(chance: &mut Chance, parent: StatementId, truth: &Truth<'_>) -> Said {
    let sum = if chance.one_in(4) { [0xff; 32] } else { chance.bytes() };
    let mut bytes = [sum].iter().collect::<Fingerprint>().to_bytes();
    let (count, point) = bytes.split_at_mut(8);
    count.copy_from_slice(&chance.between(1, 60).to_be_bytes());
    if sum == [0xff; 32] {
        point.copy_from_slice(&sum);
    }
    let fingerprint = EncodedFingerprint::from_bytes(bytes);
    Said::Receipt(Receipt { parent, sub_sls: truth.home, fingerprint })
}

fn granted(truth: &Truth<'_>) -> Vec<Granted> {
    truth.statements.iter().filter_map(|bytes| Granted::of(bytes, &truth.survey)).collect()
}

/// A grant in the name of one who might give it.
fn forged(chance: &mut Chance, truth: &Truth<'_>, pen: &Pen) -> Vec<u8> {
    let at = chance.below(truth.statements.len());
    let (before, from) = truth.statements.split_at(at);
    let mut granted = from.iter().chain(before).filter_map(|bytes| Granted::of(bytes, &truth.survey));
    let parent = granted.find(|granted| !granted.regions.is_empty()).expect("the victim holds its own grant");
    let said = grant(parent.id, pen.keypair.key(), Role::Enumerator, parent.regions[0].as_str(), 9);
    let mut statement = Statement::sign(&pen.keypair, pen.incarnation, 1, Some(&truth.survey), said);
    statement.issuer.device = parent.subject;
    statement.to_bytes()
}

fn charter(pen: &Pen) -> Vec<u8> {
    let root = Keypair::from_seed(pen.keypair.seed());
    let charter = Charter {
        name: "Regsosek 2022".into(),
        code: "REGSOSEK22".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: Digest::of(b"another"),
        dictionary: None,
    };
    Statement::sign(&root, Incarnation::from_bytes([0; 4]), 1, None, Said::Charter(charter)).to_bytes()
}
