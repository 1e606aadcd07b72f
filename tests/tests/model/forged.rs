//! Sets of changes that no honest device would make, all with good signatures: numbers used twice,
//! causes left out, other inks, other members' maps, one edit signed for two records.

use std::collections::BTreeMap;
use std::sync::Arc;

use rukun_authority::{
    AdmittedChange, Grant, Keypair, Role, Said, Standing, Statement, StatementVerdict, Trust, Verdict,
    VerifiedChange,
};
use rukun_change::{
    CauseHash, Incarnation, Ink, MemberId, OpId, RecordId, Scalar, SignedChange, StatementId,
};
use rukun_document::Reading;
use rukun_tests::world::Chance;
use rukun_tests::world::liar::{Draft, Pen, Spot};
use rukun_tests::world::model::compare::compare;
use rukun_tests::world::model::{Fact, Granted, Grants, Held, Judged, Kind, Why, read};

use crate::granted::founded;

const SETS: u64 = 1_000;
const FIELDS: [&str; 4] = ["r304", "r304", "r305", "gone"];

/// A survey of a district, a supervisor and two enumerators, one of whom has two incarnations.
struct Survey {
    trust: Trust,
    grants: Grants,
    pens: Vec<(Pen, Ink)>,
}

fn survey() -> Survey {
    let key = |seed: u8| Keypair::from_seed(&[seed; 32]);
    let mut trust = founded(&key(1));
    let mut grants = Grants::new(*trust.survey(), *trust.root());
    let mut parent = StatementId::from_bytes(*trust.survey().as_bytes());
    let mut grant = |issuer: u8, parent, subject: u8, role, region: &str| {
        let regions = vec![region.parse().unwrap()];
        let said = Said::Grant(Grant {
            parent,
            subject: key(subject).key(),
            role,
            regions,
            serial: 1,
            name: "x".into(),
        });
        let statement =
            Statement::sign(&key(issuer), Incarnation::from_bytes([0; 4]), 1, Some(trust.survey()), said);
        grants.hold(Granted::of(&statement.to_bytes(), trust.survey()).unwrap());
        match trust.judge_statement(&statement) {
            StatementVerdict::Admit(id) => id,
            other => panic!("{other:?}"),
        }
    };
    parent = grant(1, parent, 2, Role::District, "1811");
    let supervisor = grant(2, parent, 3, Role::Supervisor, "1811010005");
    grant(supervisor_seed(), supervisor, 4, Role::Enumerator, "18110100050003");
    grant(supervisor_seed(), supervisor, 5, Role::Enumerator, "1811010005");
    let survey = *trust.survey();
    let pen = |seed: u8, incarnation: u8| Pen {
        keypair: key(seed),
        incarnation: Incarnation::from_bytes([incarnation; 4]),
        survey,
    };
    let pens = vec![
        (pen(2, 0), Ink::Black),
        (pen(3, 0), Ink::Red),
        (pen(4, 0), Ink::Pencil),
        (pen(4, 1), Ink::Pencil),
        (pen(5, 0), Ink::Pencil),
        (pen(9, 0), Ink::Pencil),
    ];
    Survey { trust, grants, pens }
}

const fn supervisor_seed() -> u8 {
    3
}

fn some_of(chance: &mut Chance, of: impl Iterator<Item = CauseHash>, one_in: u64) -> Vec<CauseHash> {
    let mut some: Vec<CauseHash> = of.filter(|_| chance.one_in(one_in)).collect();
    some.sort_unstable();
    some.dedup();
    some
}

/// What a write says: values repeat often, so that some agree by accident.
fn value(chance: &mut Chance, field: &str) -> Scalar {
    match (field, chance.below(4)) {
        (_, 0) => Scalar::Null,
        ("gone", _) => Scalar::Text("pindah".into()),
        _ => Scalar::Int(chance.below(3) as i64),
    }
}

pub(crate) fn any_draft(
    chance: &mut Chance,
    pen: &Pen,
    usual: Ink,
    record: RecordId,
    facts: &[Arc<Fact>],
) -> Draft {
    let ink = if chance.one_in(16) { *chance.pick(&Ink::ALL) } else { usual };
    let here = || facts.iter().filter(move |fact| fact.record == record);
    let in_ink = || here().filter(move |fact| fact.ink == ink);
    let actor = pen.author().actor();
    let own = in_ink().filter(|fact| fact.actor == actor).map(|fact| fact.seq).max();
    let own_n = facts.iter().filter(|fact| fact.author == pen.author()).map(|fact| fact.n).max();
    let honest = !chance.one_in(9);
    let follows = in_ink().filter(|fact| honest && fact.actor == actor).map(|fact| fact.hash);
    let mut deps = some_of(chance, in_ink().map(|fact| fact.hash), 3);
    deps.extend(follows);
    deps.sort_unstable();
    deps.dedup();
    let lower = here().filter(|fact| fact.ink < ink && ink.names_seen()).map(|fact| fact.hash);
    let seen = some_of(chance, lower, 2);
    let maps: Vec<OpId> = in_ink().flat_map(|fact| &fact.maps).map(|map| map.op).collect();
    let mut start_op = 1 + chance.below(3) as u64;
    let mut spots =
        vec![Spot::Family, Spot::Family, Spot::Member(MemberId::from_bytes([chance.below(3) as u8; 8]))];
    if !maps.is_empty() {
        let op = *chance.pick(&maps);
        start_op = start_op.max(op.counter + 1);
        spots.extend([Spot::Map(op), Spot::Map(op)]);
    } else if chance.one_in(10) {
        spots.push(Spot::Map(OpId { counter: 1, actor }));
        start_op = start_op.max(2);
    }
    let writes = (0..=chance.below(3)).map(|_| {
        let (spot, field) = (*chance.pick(&spots), *chance.pick(&FIELDS));
        (spot, field.to_string(), value(chance, field))
    });
    let writes = writes.collect();
    Draft {
        n: if honest { own_n.unwrap_or(0) + 1 } else { chance.between(1, 5) },
        record,
        ink,
        deps,
        seen,
        seq: if honest { own.unwrap_or(0) + 1 } else { chance.between(1, 4) },
        start_op,
        time_ms: chance.below(10) as i64,
        writes,
    }
}

/// The body of some change, signed once more: for another record, under another number, or by
/// the same key in another ink.
fn again(
    chance: &mut Chance,
    pen: &Pen,
    records: &[RecordId],
    signed: &[SignedChange],
) -> Option<SignedChange> {
    let own: Vec<&SignedChange> = signed.iter().filter(|one| one.change.author == pen.author()).collect();
    let one = own.get(chance.place(own.len())?)?;
    let mut change = one.change.clone();
    match chance.below(3) {
        0 => change.record = *chance.pick(records),
        1 => change.n = chance.between(1, 9),
        _ => change.seen.clear(),
    }
    Some(rukun_authority::sign(&pen.keypair, change, &pen.survey).unwrap())
}

/// What became of one set.
#[derive(Default)]
struct Tally {
    admitted: usize,
    waited: usize,
    aside: BTreeMap<Why, usize>,
    conflicts: BTreeMap<Kind, usize>,
}

fn run(seed: u64, survey: &Survey, tally: &mut Tally) {
    let mut chance = Chance::new(seed);
    let records: Vec<RecordId> = ["1811010005000300", "1811010005000300", "1811010005000400"]
        .iter()
        .zip(1..)
        .map(|(home, salt)| RecordId::new(home.parse().unwrap(), [salt; 8]))
        .collect();
    let mut signed: Vec<SignedChange> = Vec::new();
    let mut facts: Vec<Arc<Fact>> = Vec::new();
    for _ in 0..chance.between(2, 24) {
        let (pen, ink) = chance.pick(&survey.pens).clone();
        let record = if chance.one_in(4) { *chance.pick(&records) } else { records[0] };
        let repeated = chance.one_in(16).then(|| again(&mut chance, &pen, &records, &signed)).flatten();
        let one = repeated.unwrap_or_else(|| pen.write(&any_draft(&mut chance, &pen, ink, record, &facts)));
        facts.push(Arc::new(Fact::in_survey(&one, &survey.pens[0].0.survey).unwrap()));
        signed.push(one);
    }
    // Some never come, and the others in any order.
    signed.retain(|_| !chance.one_in(12));
    for at in (1..signed.len()).rev() {
        signed.swap(at, chance.below(at + 1));
    }
    let mut held = Held::default();
    let mut admitted: Vec<AdmittedChange> = Vec::new();
    let verify = |one: SignedChange| VerifiedChange::verify(one, survey.trust.survey()).unwrap();
    let mut waits: Vec<VerifiedChange> = signed.into_iter().map(verify).collect();
    loop {
        let before = waits.len();
        waits.retain(|one| !judge(one, survey, &mut held, &mut admitted, seed));
        if waits.len() == before {
            break;
        }
    }
    tally.admitted += admitted.len();
    tally.waited += waits.len();
    for record in &records {
        let standing = |change: &AdmittedChange| {
            let number = (change.change().author, change.change().n);
            let same = admitted.iter().filter(|one| (one.change().author, one.change().n) == number);
            survey.trust.standing(change, &same.map(AdmittedChange::to_header).collect::<Vec<_>>())
        };
        let given: Vec<(AdmittedChange, Standing)> =
            admitted.iter().map(|change| (change.clone(), standing(change))).collect();
        let reading = Reading::read(*record, &given);
        let expected = read(record, &held, &survey.grants);
        if let Err(why) = compare(&expected, &reading, &reading.conflicts(None)) {
            panic!("seed {seed}, record {record}: {why}");
        }
        for conflict in &expected.conflicts {
            *tally.conflicts.entry(conflict.kind).or_default() += 1;
        }
        for logged in &expected.log {
            if let rukun_tests::world::model::Standing::SetAside(why) = logged.standing {
                *tally.aside.entry(why).or_default() += 1;
            }
        }
    }
}

/// Judges one change by both; whether it is in the set now.
fn judge(
    one: &VerifiedChange,
    survey: &Survey,
    held: &mut Held,
    admitted: &mut Vec<AdmittedChange>,
    seed: u64,
) -> bool {
    let fact = Fact::of(one.signed(), one.id()).unwrap();
    let expected = held.judge(&fact, &survey.grants);
    let in_store = |ink: Ink, cause: &CauseHash| {
        let mut here = admitted.iter().filter(|held| held.change().record == one.change().record);
        Ok::<bool, ()>(here.any(|held| held.change().ink == ink && held.body().hash == *cause))
    };
    match survey.trust.judge(one.clone(), in_store).unwrap() {
        Verdict::Admit(change) => {
            assert_eq!(expected, Judged::Admit, "seed {seed}: the gate let {:?} in", fact.id);
            if held.insert(Arc::new(fact)) {
                admitted.push(*change);
            }
            true
        }
        Verdict::Wait(_, missing) => {
            let waits = if missing.device().is_some() { Judged::WaitForGrant } else { Judged::WaitForCause };
            assert_eq!(expected, waits, "seed {seed}: the gate lets {:?} wait", fact.id);
            false
        }
    }
}

#[test]
fn whatever_was_signed_is_admitted_and_read_as_the_model_says() {
    let survey = survey();
    let mut tally = Tally::default();
    for seed in 0..SETS {
        run(seed, &survey, &mut tally);
    }
    let rare = SETS as usize / 20;
    assert!(tally.admitted > 10 * rare && tally.waited > rare, "{} {}", tally.admitted, tally.waited);
    for why in [Why::Ink, Why::Fork, Why::Sequence, Why::Dangling] {
        assert!(tally.aside.get(&why).is_some_and(|count| *count > rare), "{why:?}: {:?}", tally.aside);
    }
    for kind in [Kind::Field, Kind::Stale, Kind::Presence, Kind::SetAside] {
        assert!(
            tally.conflicts.get(&kind).is_some_and(|count| *count > rare),
            "{kind:?}: {:?}",
            tally.conflicts
        );
    }
}
