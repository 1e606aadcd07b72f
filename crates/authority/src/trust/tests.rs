//! What trust promises: grants only narrow, and no order of statements changes an answer.

use proptest::prelude::*;
use proptest::sample::select;
use rukun_change::{Incarnation, RecordId};

use super::*;
use crate::fixture::{ROOT_SEED, admit, charter, charter_id, founded, grant, key, keypair, say, survey};
use crate::{Closing, StatementRefusal, Transfer};

const OFFICE: u8 = 2;
const KOSEKA: u8 = 3;
const PML: u8 = 4;
const PPL: u8 = 5;
const OTHER_KOSEKA: u8 = 6;
const HOME: &str = "1811010005000300";

fn region(code: &str) -> Region {
    code.parse().unwrap()
}

fn regions(codes: &[&str]) -> Vec<Region> {
    codes.iter().map(|code| region(code)).collect()
}

fn home(code: &str) -> SubSls {
    code.parse().unwrap()
}

/// A district office and one officer of each tier below it.
struct Tiers {
    trust: Trust,
    office: StatementId,
    koseka: StatementId,
    pml: StatementId,
    ppl: StatementId,
}

fn tiers() -> Tiers {
    let mut trust = founded();
    let office = admit(&mut trust, ROOT_SEED, grant(charter_id(), OFFICE, Role::District, &["1811"], 1));
    let koseka = admit(&mut trust, OFFICE, grant(office, KOSEKA, Role::Coordinator, &["1811010"], 1));
    let pml = admit(&mut trust, KOSEKA, grant(koseka, PML, Role::Supervisor, &["1811010005"], 1));
    let ppl = admit(&mut trust, PML, grant(pml, PPL, Role::Enumerator, &["18110100050003"], 1));
    Tiers { trust, office, koseka, pml, ppl }
}

fn judge(trust: &mut Trust, issuer: u8, grant: Grant) -> StatementVerdict {
    trust.judge_statement(&say(issuer, Said::Grant(grant)))
}

#[track_caller]
fn assert_refused(verdict: &StatementVerdict, expected: &StatementRefusal) {
    assert_eq!(verdict, &StatementVerdict::Refuse(expected.clone()));
}

#[test]
fn a_grant_may_only_narrow() {
    let Tiers { mut trust, koseka, .. } = tiers();
    for wider in ["1811", "18", "1811020", "1812010005"] {
        let verdict = judge(&mut trust, KOSEKA, grant(koseka, 9, Role::Supervisor, &[wider], 1));
        assert_refused(&verdict, &StatementRefusal::Wider { region: region(wider) });
    }
    let verdict =
        judge(&mut trust, KOSEKA, grant(koseka, 9, Role::Supervisor, &["1811010005", "1811020"], 1));
    assert_refused(&verdict, &StatementRefusal::Wider { region: region("1811020") });
    for narrow in ["1811010", "1811010005", HOME] {
        admit(&mut trust, KOSEKA, grant(koseka, 9, Role::Supervisor, &[narrow], 1));
    }
}

#[test]
fn each_role_grants_the_tiers_below_it_and_no_other() {
    let Tiers { mut trust, office, koseka, pml, ppl } = tiers();
    let issuers = [
        (ROOT_SEED, charter_id(), "root", vec![Role::District]),
        (OFFICE, office, "district", vec![Role::Coordinator, Role::Supervisor, Role::Enumerator]),
        (KOSEKA, koseka, "coordinator", vec![Role::Supervisor, Role::Enumerator]),
        (PML, pml, "supervisor", vec![Role::Enumerator]),
        (PPL, ppl, "enumerator", vec![]),
    ];
    for (issuer, parent, name, may) in issuers {
        for role in Role::ALL {
            match judge(&mut trust, issuer, grant(parent, 9, role, &[HOME], 1)) {
                StatementVerdict::Admit(_) => assert!(may.contains(&role), "{name} granted {role}"),
                other => {
                    assert!(!may.contains(&role), "{name} could not grant {role}");
                    assert_refused(&other, &StatementRefusal::Role { issuer: name.into(), role });
                }
            }
        }
    }
}

#[test]
fn nobody_rests_a_grant_on_somebody_elses() {
    let Tiers { mut trust, office, koseka, .. } = tiers();
    for (issuer, parent) in [(KOSEKA, office), (OFFICE, koseka), (PPL, koseka), (ROOT_SEED, office)] {
        let verdict = judge(&mut trust, issuer, grant(parent, 9, Role::Enumerator, &[HOME], 1));
        assert_refused(&verdict, &StatementRefusal::NotIssuers);
    }
    let verdict = judge(&mut trust, OFFICE, grant(charter_id(), 9, Role::District, &["1811"], 1));
    assert_refused(&verdict, &StatementRefusal::NotIssuers);
}

#[test]
fn a_grant_waits_for_what_it_rests_on() {
    let Tiers { trust: whole, office, .. } = tiers();
    let mut trust = founded();
    let koseka = grant(office, KOSEKA, Role::Coordinator, &["1811010"], 1);
    assert_eq!(judge(&mut trust, OFFICE, koseka.clone()), StatementVerdict::Wait(office));
    assert!(!trust.ever_granted(&key(KOSEKA)));
    admit(&mut trust, ROOT_SEED, grant(charter_id(), OFFICE, Role::District, &["1811"], 1));
    admit(&mut trust, OFFICE, koseka);
    assert_eq!(trust.reads(&key(KOSEKA)), whole.reads(&key(KOSEKA)));
}

#[test]
fn what_replaces_a_grant_narrows_all_below_it_and_still_admits_their_work() {
    let Tiers { mut trust, office, .. } = tiers();
    let ppl = key(PPL);
    assert_eq!(trust.reads(&ppl), regions(&["18110100050003"]));
    admit(&mut trust, OFFICE, grant(office, KOSEKA, Role::Coordinator, &[HOME, "1811010006"], 2));
    assert_eq!(trust.reads(&ppl), regions(&[HOME]));
    assert_eq!(trust.reads(&key(PML)), regions(&[HOME]));
    assert!(trust.may_read(&ppl, &home(HOME)) && !trust.may_read(&ppl, &home("1811010005000301")));

    admit(&mut trust, OFFICE, grant(office, KOSEKA, Role::Coordinator, &["1811020"], 3));
    for device in [PML, PPL] {
        assert_eq!(trust.reads(&key(device)), []);
        assert_eq!(trust.roles_at(&key(device), &home(HOME)), []);
        assert!(trust.ever_covered(&key(device), &home(HOME)));
    }
    assert!(
        trust.ever_wrote(&ppl, &home(HOME), Ink::Pencil) && !trust.ever_wrote(&ppl, &home(HOME), Ink::Red)
    );
    assert_eq!(trust.reads(&key(KOSEKA)), regions(&["1811020"]));
    assert!(trust.grants_of(&key(KOSEKA)).iter().filter(|view| !view.in_force.is_empty()).count() == 1);

    admit(&mut trust, OFFICE, grant(office, KOSEKA, Role::Coordinator, &["1811010"], 4));
    assert_eq!(trust.reads(&ppl), regions(&["18110100050003"]), "widened again, it carries again");
}

#[test]
fn who_may_no_longer_grant_a_role_carries_it_no_longer() {
    let Tiers { mut trust, office, .. } = tiers();
    admit(&mut trust, OFFICE, grant(office, KOSEKA, Role::Supervisor, &["1811010"], 2));
    assert_eq!(trust.reads(&key(KOSEKA)), regions(&["1811010"]));
    assert_eq!(trust.reads(&key(PML)), []);
    assert_eq!(trust.roles_at(&key(KOSEKA), &home(HOME)), [Role::Supervisor]);
}

#[test]
fn a_lower_serial_replaces_nothing_however_late_it_comes() {
    let Tiers { mut trust, office, .. } = tiers();
    admit(&mut trust, OFFICE, grant(office, KOSEKA, Role::Coordinator, &["1811020"], 5));
    admit(&mut trust, OFFICE, grant(office, KOSEKA, Role::Coordinator, &["1811030"], 4));
    assert_eq!(trust.reads(&key(KOSEKA)), regions(&["1811020"]));
    assert!(trust.ever_covered(&key(KOSEKA), &home("1811030001000100")));
}

#[test]
fn of_two_grants_under_one_serial_every_node_takes_the_same() {
    let Tiers { trust, office, .. } = tiers();
    let one = grant(office, 9, Role::Coordinator, &["1811020"], 1);
    let other = grant(office, 9, Role::Coordinator, &["1811030"], 1);
    let mut read = Vec::new();
    for order in [[&one, &other], [&other, &one]] {
        let mut trust = trust.clone();
        for grant in order {
            admit(&mut trust, OFFICE, grant.clone());
        }
        read.push(trust.reads(&key(9)));
    }
    assert_eq!(read[0], read[1]);
    assert_eq!(read[0].len(), 1);
}

#[test]
fn two_paths_to_one_device_add_up_and_are_replaced_apart() {
    let Tiers { mut trust, office, koseka, .. } = tiers();
    let other = admit(&mut trust, OFFICE, grant(office, OTHER_KOSEKA, Role::Coordinator, &["1811020"], 1));
    admit(&mut trust, OTHER_KOSEKA, grant(other, PPL, Role::Enumerator, &["1811020001"], 1));
    assert_eq!(trust.reads(&key(PPL)), regions(&["18110100050003", "1811020001"]));
    admit(&mut trust, KOSEKA, grant(koseka, PPL, Role::Supervisor, &["1811010005"], 9));
    assert_eq!(trust.reads(&key(PPL)), regions(&["1811010005", "1811020001"]));
    assert_eq!(trust.roles_at(&key(PPL), &home(HOME)), [Role::Supervisor, Role::Enumerator]);
    admit(&mut trust, OFFICE, grant(office, OTHER_KOSEKA, Role::Coordinator, &["1811030"], 2));
    assert_eq!(trust.reads(&key(PPL)), regions(&["1811010005"]));
}

#[test]
fn a_forged_statement_and_one_of_another_survey_are_refused() {
    let mut trust = founded();
    let said = Said::Grant(grant(charter_id(), OFFICE, Role::District, &["1811"], 1));
    let good = say(ROOT_SEED, said.clone());
    let mut bytes = good.to_bytes();
    *bytes.last_mut().unwrap() ^= 1;
    let forged = Statement::from_bytes(&bytes).unwrap();
    let mut stranger = say(9, said.clone());
    stranger.issuer = good.issuer;
    let elsewhere = SurveyId::from_bytes([9; 32]);
    let incarnation = Incarnation::from_bytes([1; 4]);
    let other = Statement::sign(&keypair(ROOT_SEED), incarnation, 1, Some(&elsewhere), said.clone());
    let none = Statement::sign(&keypair(ROOT_SEED), incarnation, 1, None, said);
    let mut renumbered = good.clone();
    renumbered.n = 2;
    for statement in [forged, stranger, other, none, renumbered] {
        assert_refused(&trust.judge_statement(&statement), &StatementRefusal::Signature);
    }
    assert!(matches!(trust.judge_statement(&good), StatementVerdict::Admit(_)));
}

#[test]
fn only_its_own_charter_belongs_to_a_survey() {
    let mut trust = founded();
    let own = trust.judge_statement(&charter("Regsosek 2022"));
    assert_eq!(own, StatementVerdict::Admit(charter_id()));
    let other = trust.judge_statement(&charter("Regsosek 2023"));
    assert_refused(&other, &StatementRefusal::OtherSurvey);

    let mut bytes = charter("Regsosek 2022").to_bytes();
    *bytes.last_mut().unwrap() ^= 1;
    let forged = Statement::from_bytes(&bytes).unwrap();
    assert_eq!(Trust::found(&forged).unwrap_err(), TrustError::Signature);
    let said = charter("Regsosek 2022").said;
    let in_survey = say(ROOT_SEED, said);
    assert_eq!(Trust::found(&in_survey).unwrap_err(), TrustError::Signature);
    let office = say(ROOT_SEED, Said::Grant(grant(charter_id(), OFFICE, Role::District, &["1811"], 1)));
    assert_eq!(Trust::found(&office).unwrap_err(), TrustError::NoCharter);
}

#[test]
fn a_chain_holds_what_a_stranger_needs_in_the_order_it_needs_it() {
    let Tiers { trust, office, koseka, pml, ppl } = tiers();
    assert_eq!(trust.chain(&key(PPL)), [office, koseka, pml, ppl]);
    assert_eq!(trust.chain(&key(OFFICE)), [office]);
    assert_eq!(trust.chain(&key(ROOT_SEED)), []);
    assert_eq!(trust.grant_path(&pml), [office, koseka, pml]);
    assert_eq!(trust.grant_path(&StatementId::from_bytes([0; 32])), []);
}

#[test]
fn nobody_pushes_anothers_grants_out_of_its_chain_or_gives_it_another_name() {
    let Tiers { mut trust, office, koseka, pml, .. } = tiers();
    for serial in 0..40 {
        let named = |grant: Grant| Grant { name: "Pak Maling".into(), ..grant };
        admit(&mut trust, PML, named(grant(pml, OFFICE, Role::Enumerator, &[HOME], u64::MAX - serial)));
        admit(&mut trust, PML, named(grant(pml, KOSEKA, Role::Enumerator, &[HOME], u64::MAX - serial)));
    }
    assert_eq!(trust.chain(&key(OFFICE))[..1], [office]);
    assert_eq!(trust.chain(&key(KOSEKA))[..2], [office, koseka]);
    assert_eq!(trust.name_of(&key(OFFICE)), Some("device 2"));
    assert_eq!(trust.name_of(&key(KOSEKA)), Some("device 3"));
    assert_eq!(trust.next_serial_on(&office, &key(KOSEKA)), 2, "others' serials are not its issuer's");
    assert_eq!(trust.next_serial_on(&charter_id(), &key(OFFICE)), 2);
    assert_eq!(trust.next_serial_on(&office, &key(9)), 1);
}

#[test]
fn a_grant_rests_on_one_in_force_that_covers_it() {
    let Tiers { mut trust, office, koseka, pml, .. } = tiers();
    let rests =
        |trust: &Trust, device, role, at: &str| trust.grant_to_rest_on(&key(device), role, &regions(&[at]));
    assert_eq!(rests(&trust, ROOT_SEED, Role::District, "18"), Some(charter_id()));
    assert_eq!(rests(&trust, ROOT_SEED, Role::Enumerator, "18"), None);
    assert_eq!(rests(&trust, OFFICE, Role::Enumerator, HOME), Some(office));
    assert_eq!(rests(&trust, KOSEKA, Role::Supervisor, "1811010"), Some(koseka));
    assert_eq!(rests(&trust, KOSEKA, Role::Supervisor, "1811"), None);
    assert_eq!(rests(&trust, KOSEKA, Role::Coordinator, HOME), None);
    assert_eq!(rests(&trust, PML, Role::Enumerator, HOME), Some(pml));
    assert_eq!(rests(&trust, PPL, Role::Enumerator, HOME), None);
    admit(&mut trust, OFFICE, grant(office, KOSEKA, Role::Coordinator, &["1811020"], 2));
    assert_eq!(rests(&trust, KOSEKA, Role::Supervisor, HOME), None);
    assert_eq!(rests(&trust, PML, Role::Enumerator, HOME), None);
}

#[test]
fn a_kind_without_rules_is_refused_as_not_known_yet() {
    let Tiers { mut trust, office, .. } = tiers();
    let said = Said::Closing(Closing { parent: office, regions: regions(&["1811"]) });
    let before = trust.grants();
    assert_refused(&trust.judge_statement(&say(OFFICE, said)), &StatementRefusal::NotYet);
    assert_eq!(trust.grants(), before);
}

#[test]
fn the_district_alone_moves_records_and_its_word_leads_from_the_new_one_to_the_old() {
    let Tiers { mut trust, office, pml, .. } = tiers();
    let here = |salt| RecordId::new(home(HOME), [salt; 8]);
    let far = RecordId::new(home("9401010001000100"), [1; 8]);
    let moves = |parent, from, to| Said::Transfer(Transfer { parent, from, to });
    assert_refused(
        &trust.judge_statement(&say(PML, moves(pml, here(1), here(2)))),
        &StatementRefusal::NotTheDistrict,
    );
    assert_refused(
        &trust.judge_statement(&say(OFFICE, moves(office, here(1), here(1)))),
        &StatementRefusal::NotMoved,
    );
    let wide = StatementRefusal::Wider { region: far.home().region() };
    assert_refused(&trust.judge_statement(&say(OFFICE, moves(office, here(1), far))), &wide);
    assert_eq!(trust.came_from(&here(2)), None);
    let statement = say(OFFICE, moves(office, here(1), here(2)));
    assert!(matches!(trust.judge_statement(&statement), StatementVerdict::Admit(_)));
    assert_eq!(trust.came_from(&here(2)), Some((trust.statement_id(&statement), here(1))));
    assert!(trust.holds(&trust.statement_id(&statement)) && trust.came_from(&here(1)).is_none());
}

#[test]
fn what_nobody_else_could_read_is_refused_where_it_is_made() {
    let mut trust = founded();
    let office = || grant(charter_id(), OFFICE, Role::District, &["1811"], 1);
    let long = Grant { name: "x".repeat(257), ..office() };
    let escape = Grant { name: "\u{1b}[31mPak Maling".into(), ..office() };
    let unsorted = Grant { regions: regions(&["1812", "1811"]), ..office() };
    let nested = Grant { regions: regions(&["18", "1811"]), ..office() };
    for grant in [long, escape, unsorted, nested] {
        let verdict = judge(&mut trust, ROOT_SEED, grant);
        assert!(matches!(verdict, StatementVerdict::Refuse(StatementRefusal::Spelling(_))), "{verdict:?}");
    }
    let unnumbered = Statement::sign(
        &keypair(ROOT_SEED),
        Incarnation::from_bytes([1; 4]),
        0,
        Some(&survey()),
        Said::Grant(office()),
    );
    let verdict = trust.judge_statement(&unnumbered);
    assert!(matches!(verdict, StatementVerdict::Refuse(StatementRefusal::Spelling(_))), "{verdict:?}");
    assert!(matches!(Trust::found(&charter(&"x".repeat(300))), Err(TrustError::Spelling(_))));
}

/// A grant by somebody: on the charter, on an earlier one of these, or on one that nobody holds.
#[derive(Clone, Debug)]
struct Step {
    issuer: u8,
    parent: Option<usize>,
    subject: u8,
    role: Role,
    regions: Vec<Region>,
    serial: u64,
}

const DEVICES: [u8; 6] = [ROOT_SEED, OFFICE, KOSEKA, PML, PPL, OTHER_KOSEKA];
const CODES: [&str; 8] = [
    "1811",
    "1811010",
    "1811020",
    "1811010005",
    "18110100050003",
    "1811010005000300",
    "1811010005000400",
    "1811020001",
];

/// Mostly grants by those whom an earlier one names, so that paths grow.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        any::<proptest::sample::Index>(),
        0..20_u8,
        (select(DEVICES.to_vec()), select(DEVICES.to_vec())),
        select(Role::ALL.to_vec()),
        proptest::collection::vec(select(CODES.to_vec()), 1..4),
        1..4_u64,
    );
    proptest::collection::vec(step, 1..24).prop_map(|steps| {
        let mut made: Vec<Step> = Vec::new();
        for (index, kind, (issuer, subject), role, codes, serial) in steps {
            let parent = (kind > 3 && !made.is_empty()).then(|| index.index(made.len()));
            let issuer = match parent {
                _ if kind == 19 => issuer,
                Some(parent) => made[parent].subject,
                None => ROOT_SEED,
            };
            let role = if parent.is_none() { Role::District } else { role };
            made.push(Step { issuer, parent, subject, role, regions: union(regions(&codes)), serial });
        }
        made
    })
}

fn statements(steps: &[Step]) -> Vec<Statement> {
    let mut made: Vec<Statement> = Vec::new();
    for step in steps {
        let parent = step.parent.map_or(charter_id(), |parent| made[parent].id(Some(&survey())));
        let Step { subject, role, serial, ref regions, .. } = *step;
        let grant = Grant {
            parent,
            subject: key(subject),
            role,
            regions: regions.clone(),
            serial,
            name: format!("{serial}"),
        };
        made.push(say(step.issuer, Said::Grant(grant)));
    }
    made
}

/// Takes statements in this order, keeping back what waits.
fn take_all(statements: &[Statement]) -> Trust {
    let mut trust = founded();
    let mut waiting: Vec<&Statement> = Vec::new();
    for statement in statements {
        waiting.push(statement);
        loop {
            let before = waiting.len();
            waiting.retain(|statement| matches!(trust.judge_statement(statement), StatementVerdict::Wait(_)));
            if waiting.len() == before {
                break;
            }
        }
        // Asked in between, answers must not stick.
        let _ = trust.reads(&key(PPL));
    }
    trust
}

/// All that can be asked of a trust.
fn answers(trust: &Trust) -> impl PartialEq + std::fmt::Debug + use<> {
    let homes = ["1811010005000300", "1811010005000400", "1811020001000100", "1811030001000100"].map(home);
    let of = |seed: &u8| {
        let device = key(*seed);
        let at = |home: &SubSls| {
            let inks = Ink::ALL.map(|ink| trust.ever_wrote(&device, home, ink));
            let covered = trust.ever_covered(&device, home);
            (covered, trust.may_read(&device, home), trust.roles_at(&device, home), inks)
        };
        let rests = Role::ALL.map(|role| trust.grant_to_rest_on(&device, role, &regions(&["1811010005"])));
        let name = trust.name_of(&device).map(String::from);
        (trust.reads(&device), trust.chain(&device), homes.each_ref().map(at), rests, name)
    };
    (trust.grants(), DEVICES.iter().map(of).collect::<Vec<_>>())
}

/// Where a grant is in force, by the words of the design alone: not replaced by a higher serial for
/// the same subject by the same path, and no wider than what its issuer's own, so narrowed, still is.
fn in_force_by_the_book(trust: &Trust, held: &Held, id: &StatementId) -> Vec<Region> {
    let same = |other: &Held| other.path == held.path && other.grant.subject == held.grant.subject;
    let rank = |(id, held): (&StatementId, &Held)| (held.grant.serial, *id);
    let best = trust.grants.iter().filter(|(_, other)| same(other)).map(rank).max();
    if best != Some((held.grant.serial, *id)) {
        return Vec::new();
    }
    let (issuer, above) = held.path.split_last().unwrap();
    if above.is_empty() {
        return held.grant.regions.clone();
    }
    let mut places = Vec::new();
    for (id, wide) in
        trust.grants.iter().filter(|(_, wide)| wide.grant.subject == *issuer && wide.path == above)
    {
        if wide.grant.role.may_grant(held.grant.role) {
            let wide = in_force_by_the_book(trust, wide, id);
            let both = held.grant.regions.iter();
            places.extend(both.flat_map(|region| wide.iter().filter_map(|wide| wide.intersection(region))));
        }
    }
    union(places)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn any_order_of_arrival_gives_the_same_trust(
        (steps, order) in steps().prop_flat_map(|steps| {
            let order = Just((0..steps.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(steps), order)
        }),
    ) {
        let made = statements(&steps);
        let shuffled: Vec<Statement> = order.iter().map(|index| made[*index].clone()).collect();
        let (straight, shuffled) = (take_all(&made), take_all(&shuffled));
        prop_assert_eq!(answers(&straight), answers(&shuffled));
        for (id, held) in straight.grants.iter() {
            prop_assert_eq!(straight.in_force(id, held), in_force_by_the_book(&straight, held, id));
        }
    }
}
