//! Random grants, most of them good for nothing, in any order.

use rukun_authority::{Charter, Grant, Keypair, Role, Said, Statement, StatementVerdict, Trust};
use rukun_change::{DeviceKey, Digest, Incarnation, Region, StatementId, SubSls};
use rukun_tests::world::Chance;
use rukun_tests::world::model::compare::compare_trust;
use rukun_tests::world::model::{Granted, Grants};

const SETS: u64 = 400;
const PLACES: [&str; 9] = [
    "18",
    "1811",
    "1811010",
    "1811010005",
    "18110100050003",
    "1811010005000300",
    "1811010006",
    "1811020",
    "1812",
];
const HOMES: [&str; 4] = ["1811010005000300", "1811010005000400", "1811010006000100", "1812010001000100"];

pub(crate) fn founded(root: &Keypair) -> Trust {
    let charter = Charter {
        name: "Regsosek 2022".into(),
        code: "REGSOSEK22".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: Digest::of(b""),
        dictionary: None,
    };
    let said = Said::Charter(charter);
    Trust::found(&Statement::sign(root, Incarnation::from_bytes([0; 4]), 1, None, said)).unwrap()
}

/// A statement by someone about someone, resting on any grant that was ever signed.
fn any_grant(chance: &mut Chance, keys: &[Keypair], trust: &Trust, signed: &[StatementId]) -> Statement {
    let charter = StatementId::from_bytes(*trust.survey().as_bytes());
    let parents: Vec<StatementId> = signed.iter().copied().chain([charter]).collect();
    let mut parent = *chance.pick(&parents);
    let mut issuer = chance.below(keys.len());
    // Mostly the parent is the issuer's own, or nothing would ever hold.
    if let Some(view) = trust.grants().iter().find(|view| view.id == parent).filter(|_| !chance.one_in(4)) {
        issuer = keys.iter().position(|keypair| keypair.key() == view.subject).unwrap();
    } else if !chance.one_in(6) {
        (parent, issuer) = (charter, 0);
    }
    let from_root = parent == charter && !chance.one_in(8);
    let role = if from_root { Role::District } else { *chance.pick(&Role::ALL) };
    let count = if chance.one_in(8) { 0 } else { chance.between(1, 2) };
    let mut regions: Vec<Region> = (0..count).map(|_| chance.pick(&PLACES).parse().unwrap()).collect();
    regions.sort_unstable();
    regions.dedup_by(|inner, outer| outer.covers(inner));
    let subject = keys[chance.below(keys.len())].key();
    let serial = chance.between(0, 3);
    let said = Said::Grant(Grant { parent, subject, role, regions, serial, name: "device".into() });
    let incarnation = Incarnation::from_bytes(chance.bytes());
    Statement::sign(&keys[issuer], incarnation, 1, Some(trust.survey()), said)
}

#[test]
fn any_set_of_grants_in_any_order_lets_everyone_do_what_the_model_says() {
    let keys: Vec<Keypair> = (1..7).map(|seed| Keypair::from_seed(&[seed; 32])).collect();
    let devices: Vec<DeviceKey> = keys.iter().map(Keypair::key).collect();
    let homes: Vec<SubSls> = HOMES.iter().map(|home| home.parse().unwrap()).collect();
    let (mut admitted, mut others) = (0, 0);
    for seed in 0..SETS {
        let mut chance = Chance::new(seed);
        let founded = founded(&keys[0]);
        let mut grants = Grants::new(*founded.survey(), *founded.root());
        let mut trust = founded.clone();
        let (mut statements, mut ids) = (Vec::new(), Vec::new());
        for _ in 0..chance.between(1, 24) {
            let statement = any_grant(&mut chance, &keys, &trust, &ids);
            ids.push(statement.id(Some(trust.survey())));
            let verdict = trust.judge_statement(&statement);
            match verdict {
                StatementVerdict::Admit(_) => admitted += 1,
                StatementVerdict::Wait(_) | StatementVerdict::Refuse(_) => others += 1,
            }
            let granted = Granted::of(&statement.to_bytes(), trust.survey()).unwrap();
            assert_eq!(Some(&granted.id), ids.last());
            grants.hold(granted);
            statements.push(statement);
        }
        // In another order, judged until nothing more can be placed.
        let mut shuffled = founded;
        for at in (1..statements.len()).rev() {
            statements.swap(at, chance.below(at + 1));
        }
        for _ in 0..statements.len() {
            for statement in &statements {
                shuffled.judge_statement(statement);
            }
        }
        let good: Vec<StatementId> = grants.good().map(|granted| granted.id).collect();
        let held: Vec<StatementId> = shuffled.grants().iter().map(|view| view.id).collect();
        assert_eq!(good, held, "seed {seed}: other grants hold");
        compare_trust(&grants, &shuffled, &devices, &homes)
            .unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
    assert!(admitted > 1_000 && others > 1_000, "{admitted} admitted, {others} not: too one-sided");
}
