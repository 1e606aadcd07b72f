//! What revocations, decisions and proofs of forks come to.

use std::collections::BTreeMap;
use std::convert::Infallible;

use proptest::prelude::*;
use rukun_change::{ChangeId, Incarnation, Ink, SignedChange, SignedHeader, StatementId, SubSls};

use crate::fixture::{Device, ROOT_SEED, admit, charter_id, founded, grant, key, keypair, record, survey};
use crate::{
    AdmittedChange, Decision, ForkProof, Kept, KeptList, Reason, Revocation, Role, Said, Standing, Statement,
    StatementRefusal, StatementVerdict, Succession, Trust, Verdict, VerifiedChange,
};

mod bounds;

const OFFICE: u8 = 2;
const KOSEKA: u8 = 3;
const PML: u8 = 4;
const PPL: u8 = 5;
const OTHER_KOSEKA: u8 = 6;
const ACCOMPLICE: u8 = 7;

/// One officer of each tier, and what each rests on.
struct Tiers {
    trust: Trust,
    office: StatementId,
    koseka: StatementId,
    other: StatementId,
    pml: StatementId,
    ppl: StatementId,
}

fn tiers() -> Tiers {
    let mut trust = founded();
    let office = admit(&mut trust, ROOT_SEED, grant(charter_id(), OFFICE, Role::District, &["1811"], 1));
    let koseka = admit(&mut trust, OFFICE, grant(office, KOSEKA, Role::Coordinator, &["1811010"], 1));
    let other = admit(&mut trust, OFFICE, grant(office, OTHER_KOSEKA, Role::Coordinator, &["1811010"], 1));
    let pml = admit(&mut trust, KOSEKA, grant(koseka, PML, Role::Supervisor, &["1811010005"], 1));
    let ppl = admit(&mut trust, PML, grant(pml, PPL, Role::Enumerator, &["18110100050003"], 1));
    Tiers { trust, office, koseka, other, pml, ppl }
}

fn home() -> SubSls {
    record().home()
}

/// Each under a number of its own: what is said matters, not when.
fn say(issuer: u8, n: u64, said: Said) -> Statement {
    Statement::sign(&keypair(issuer), Incarnation::from_bytes([issuer; 4]), n, Some(&survey()), said)
}

fn take(trust: &mut Trust, statement: &Statement) -> StatementId {
    match trust.judge_statement(statement) {
        StatementVerdict::Admit(id) => id,
        other => panic!("{other:?}"),
    }
}

/// A revocation and its list.
fn revoke(parent: StatementId, issuer: u8, subject: u8, kept: &[&AdmittedChange]) -> [Statement; 2] {
    revoke_keeping(parent, issuer, subject, kept, Vec::new())
}

fn revoke_keeping(
    parent: StatementId,
    issuer: u8,
    subject: u8,
    kept: &[&AdmittedChange],
    statements: Vec<StatementId>,
) -> [Statement; 2] {
    let mut changes: Vec<ChangeId> = kept.iter().map(|change| change.id()).collect();
    changes.sort_unstable();
    let mut numbers: BTreeMap<Incarnation, u64> = BTreeMap::new();
    for change in kept {
        let n_max = numbers.entry(change.change().author.incarnation).or_default();
        *n_max = change.change().n.max(*n_max);
    }
    let kept = numbers.into_iter().map(|(incarnation, n_max)| Kept { incarnation, n_max }).collect();
    let lists = vec![(home(), KeptList::digest(&changes))];
    let reason = "phone lost".into();
    let said =
        Said::Revocation(Revocation { parent, subject: key(subject), reason, kept, lists, statements });
    let revocation = say(issuer, 100, said);
    let list = KeptList { revocation: revocation.id(Some(&survey())), sub_sls: home(), changes };
    [revocation, say(issuer, 101, Said::KeptList(list))]
}

/// That keeps nothing.
fn revocation(parent: StatementId, subject: u8) -> Said {
    let (subject, reason) = (key(subject), "phone lost".into());
    let (kept, lists, statements) = (Vec::new(), Vec::new(), Vec::new());
    Said::Revocation(Revocation { parent, subject, reason, kept, lists, statements })
}

fn decide(parent: StatementId, issuer: u8, n: u64, upheld: bool, change: &AdmittedChange) -> Statement {
    decide_over(parent, issuer, n, upheld, change, Vec::new())
}

fn decide_over(
    parent: StatementId,
    issuer: u8,
    n: u64,
    upheld: bool,
    change: &AdmittedChange,
    supersedes: Vec<StatementId>,
) -> Statement {
    let changes = vec![change.id()];
    say(issuer, n, Said::Decision(Decision { parent, sub_sls: home(), upheld, changes, supersedes }))
}

fn write(trust: &Trust, device: &mut Device, value: i64) -> AdmittedChange {
    admitted(trust, device.write(Ink::Pencil, "r301", value))
}

fn admitted(trust: &Trust, signed: SignedChange) -> AdmittedChange {
    let verified = VerifiedChange::verify(signed, &survey()).unwrap();
    match trust.judge(verified, |_, _| Ok::<_, Infallible>(true)).unwrap() {
        Verdict::Admit(change) => *change,
        Verdict::Wait(_, missing) => panic!("{missing}"),
    }
}

const REVOKED: Standing = Standing::SetAside(Reason::Revoked);
const DISMISSED: Standing = Standing::SetAside(Reason::Dismissed);
const FORK: Standing = Standing::SetAside(Reason::Fork);

#[test]
fn a_revocation_keeps_what_was_delivered_and_sets_the_rest_aside_back_dated_or_not() {
    let Tiers { mut trust, koseka, .. } = tiers();
    let mut phone = Device::new(PPL);
    let [delivered, late] = [1, 2].map(|value| write(&trust, &mut phone, value));
    phone.n = 0;
    let back_dated = write(&trust, &mut phone, 3);
    let statements = revoke(koseka, KOSEKA, PPL, &[&delivered]);
    take(&mut trust, &statements[0]);
    assert_eq!(trust.standing(&delivered, &[]), REVOKED, "nobody knows what is kept before the list came");
    take(&mut trust, &statements[1]);
    assert_eq!(trust.standing(&delivered, &[]), Standing::Good);
    assert_eq!(trust.standing(&late, &[]), REVOKED);
    assert_eq!(trust.standing(&back_dated, &[]), REVOKED);
    assert_eq!(trust.standing(&delivered, &[back_dated.to_header()]), Standing::Good, "kept beats fork");
    assert!(trust.reads(&key(PPL)).is_empty() && trust.ever_granted(&key(PPL)));
    assert!(!trust.reads(&key(PML)).is_empty());
}

#[test]
fn a_thief_sets_nothing_aside_that_was_kept_in_whatever_ink_he_uses_its_number_again() {
    let Tiers { mut trust, koseka, .. } = tiers();
    let mut phone = Device::new(PPL);
    let delivered = write(&trust, &mut phone, 1);
    let inks = [Ink::Pencil, Ink::Red, Ink::Black];
    let forged = inks.map(|ink| {
        phone.n = 0;
        admitted(&trust, phone.write(ink, "r301", 3))
    });
    let of_thief = forged.each_ref().map(AdmittedChange::to_header);
    assert_eq!(trust.standing(&delivered, &of_thief), FORK, "nobody has said that the device is lost");
    for statement in revoke(koseka, KOSEKA, PPL, &[&delivered]) {
        take(&mut trust, &statement);
    }
    assert_eq!(trust.standing(&delivered, &of_thief), Standing::Good);
    for (change, ink) in forged.iter().zip(inks) {
        assert!(!trust.standing(change, &[delivered.to_header()]).is_good(), "{ink}");
    }
    // Unless somebody upholds what the thief wrote: that counts then.
    take(&mut trust, &decide(koseka, KOSEKA, 200, true, &forged[0]));
    assert_eq!(trust.standing(&delivered, &of_thief), FORK);
}

#[test]
fn only_who_stands_on_the_path_of_a_grant_takes_it_away() {
    let Tiers { mut trust, other, pml, office, .. } = tiers();
    let change = write(&trust, &mut Device::new(PPL), 1);
    for statement in revoke(other, OTHER_KOSEKA, PPL, &[]) {
        take(&mut trust, &statement);
    }
    assert_eq!(trust.standing(&change, &[]), Standing::Good);
    // Whom nobody above granted may be granted something by anybody, and loses that alone.
    admit(&mut trust, PML, grant(pml, OFFICE, Role::Enumerator, &["18110100050003"], 1));
    for statement in revoke(pml, PML, OFFICE, &[]) {
        take(&mut trust, &statement);
    }
    assert_eq!(trust.reads(&key(OFFICE)), ["1811".parse().unwrap()]);
    let said = Said::Revocation(Revocation {
        parent: office,
        subject: key(PPL),
        reason: String::new(),
        kept: Vec::new(),
        lists: Vec::new(),
        statements: Vec::new(),
    });
    let verdict = trust.judge_statement(&say(KOSEKA, 9, said));
    assert_eq!(verdict, StatementVerdict::Refuse(StatementRefusal::NotIssuers));
}

#[test]
fn an_enumerator_judges_nobody_and_a_list_is_the_one_that_was_named() {
    let Tiers { mut trust, ppl, koseka, .. } = tiers();
    let change = write(&trust, &mut Device::new(PPL), 1);
    let verdict = trust.judge_statement(&decide(ppl, PPL, 9, false, &change));
    assert_eq!(verdict, StatementVerdict::Refuse(StatementRefusal::AboveNobody));
    let [revocation, list] = revoke(koseka, KOSEKA, PPL, &[&change]);
    let id = revocation.id(Some(&survey()));
    assert_eq!(trust.judge_statement(&list), StatementVerdict::Wait(id));
    take(&mut trust, &revocation);
    let longer = KeptList { revocation: id, sub_sls: home(), changes: Vec::new() };
    let verdict = trust.judge_statement(&say(KOSEKA, 9, Said::KeptList(longer.clone())));
    assert_eq!(verdict, StatementVerdict::Refuse(StatementRefusal::NotTheList));
    let verdict = trust.judge_statement(&say(OFFICE, 9, Said::KeptList(longer)));
    assert_eq!(verdict, StatementVerdict::Refuse(StatementRefusal::NotTheList));
    take(&mut trust, &list);
}

#[test]
fn a_stolen_supervisors_phone_grants_nothing_that_counts_and_takes_nothing_away() {
    let Tiers { mut trust, koseka, pml, ppl, .. } = tiers();
    let before = write(&trust, &mut Device::new(PPL), 1);
    for statement in revoke_keeping(koseka, KOSEKA, PML, &[], vec![ppl]) {
        take(&mut trust, &statement);
    }
    assert_eq!(trust.reads(&key(PPL)), ["18110100050003".parse().unwrap()], "her enumerator goes on");
    assert_eq!(trust.standing(&before, &[]), Standing::Good);
    admit(&mut trust, PML, grant(pml, ACCOMPLICE, Role::Enumerator, &["18110100050003"], 1));
    admit(&mut trust, PML, grant(pml, PPL, Role::Enumerator, &["18110100050004"], 2));
    assert!(trust.reads(&key(ACCOMPLICE)).is_empty());
    assert_eq!(trust.standing(&write(&trust, &mut Device::new(ACCOMPLICE), 1), &[]), REVOKED);
    assert_eq!(trust.reads(&key(PPL)), ["18110100050003".parse().unwrap()], "the thief replaces no grant");
    for statement in revoke(pml, PML, PPL, &[]) {
        take(&mut trust, &statement);
    }
    take(&mut trust, &decide(pml, PML, 103, false, &before));
    assert_eq!(trust.standing(&before, &[]), Standing::Good, "the thief neither revokes nor dismisses");
}

#[test]
fn a_revocation_that_rested_on_a_thiefs_grant_is_said_again() {
    let Tiers { mut trust, office, koseka, pml, .. } = tiers();
    let thiefs = admit(&mut trust, KOSEKA, grant(koseka, PML, Role::Supervisor, &["1811010005"], 2));
    for statement in revoke(thiefs, PML, PPL, &[]) {
        take(&mut trust, &statement);
    }
    assert!(trust.has_revoked_on(&thiefs, &key(PML), &key(PPL)) && trust.reads(&key(PPL)).is_empty());
    for statement in revoke_keeping(office, OFFICE, KOSEKA, &[], vec![pml]) {
        take(&mut trust, &statement);
    }
    assert_eq!(trust.grants_above(&key(PML), &key(PPL)), [pml], "she is back to the grant that was kept");
    assert!(!trust.reads(&key(PPL)).is_empty() && !trust.has_revoked_on(&pml, &key(PML), &key(PPL)));
    take(&mut trust, &say(PML, 104, revocation(pml, PPL)));
    assert!(trust.reads(&key(PPL)).is_empty() && trust.has_revoked_on(&pml, &key(PML), &key(PPL)));
    assert_eq!(trust.granted_past(&key(PML), &key(PPL)), []);
}

#[test]
fn of_two_revocations_the_higher_counts_and_of_equals_what_both_keep() {
    let Tiers { mut trust, office, koseka, pml, .. } = tiers();
    let mut phone = Device::new(PPL);
    let [one, two] = [1, 2].map(|value| write(&trust, &mut phone, value));
    for statement in revoke(pml, PML, PPL, &[]) {
        take(&mut trust, &statement);
    }
    assert_eq!(trust.standing(&one, &[]), REVOKED);
    for statement in revoke(koseka, KOSEKA, PPL, &[&one, &two]) {
        take(&mut trust, &statement);
    }
    assert_eq!([&one, &two].map(|change| trust.standing(change, &[])), [Standing::Good; 2]);
    let mut equals = trust.clone();
    let second_office = admit(&mut equals, ROOT_SEED, grant(charter_id(), 9, Role::District, &["1811"], 1));
    admit(&mut equals, 9, grant(second_office, KOSEKA, Role::Coordinator, &["1811010"], 1));
    for statement in revoke(office, OFFICE, PPL, &[&one]) {
        take(&mut equals, &statement);
    }
    assert_eq!([&one, &two].map(|change| equals.standing(change, &[])), [Standing::Good, REVOKED]);
}

#[test]
fn two_superiors_who_revoke_each_other_are_both_out_of_what_the_other_gave() {
    let Tiers { mut trust, koseka, other, .. } = tiers();
    admit(&mut trust, KOSEKA, grant(koseka, OTHER_KOSEKA, Role::Supervisor, &["1811010005"], 1));
    admit(&mut trust, OTHER_KOSEKA, grant(other, KOSEKA, Role::Supervisor, &["1811010005"], 1));
    for statement in revoke(koseka, KOSEKA, OTHER_KOSEKA, &[]) {
        take(&mut trust, &statement);
    }
    for statement in revoke(other, OTHER_KOSEKA, KOSEKA, &[]) {
        take(&mut trust, &statement);
    }
    let roles = |device| trust.roles_at(&key(device), &home());
    assert_eq!(roles(KOSEKA), [Role::Coordinator], "what the office gave stays");
    assert_eq!(roles(OTHER_KOSEKA), [Role::Coordinator]);
}

#[test]
fn what_is_decided_above_counts_and_between_equals_work_stays_out() {
    let Tiers { mut trust, office, koseka, other, pml, .. } = tiers();
    let change = write(&trust, &mut Device::new(PPL), 1);
    let dismissed = take(&mut trust, &decide(pml, PML, 1, false, &change));
    assert_eq!(trust.standing(&change, &[]), DISMISSED);
    take(&mut trust, &decide(other, OTHER_KOSEKA, 1, true, &change));
    assert_eq!(trust.standing(&change, &[]), DISMISSED, "who stands beside the path says nothing");
    let upheld = take(&mut trust, &decide(koseka, KOSEKA, 1, true, &change));
    assert_eq!(trust.standing(&change, &[]), Standing::Upheld);
    take(&mut trust, &decide(koseka, KOSEKA, 2, false, &change));
    assert_eq!(trust.standing(&change, &[]), DISMISSED);
    let both = trust.decisions_on(&change.id());
    assert!(both.contains(&dismissed) && both.contains(&upheld));
    take(&mut trust, &decide_over(koseka, KOSEKA, 3, true, &change, both));
    assert_eq!(trust.standing(&change, &[]), Standing::Upheld, "what took the others back stands alone");
    take(&mut trust, &decide(office, OFFICE, 1, false, &change));
    assert_eq!(trust.standing(&change, &[]), DISMISSED);
}

#[test]
fn an_upheld_branch_of_a_fork_counts_and_the_other_stays_out() {
    let Tiers { mut trust, koseka, .. } = tiers();
    let mut phone = Device::new(PPL);
    let one = write(&trust, &mut phone, 1);
    phone.n = 0;
    let two = write(&trust, &mut phone, 2);
    take(&mut trust, &decide(koseka, KOSEKA, 1, true, &one));
    assert_eq!(trust.standing(&one, &[two.to_header()]), Standing::Upheld);
    assert_eq!(trust.standing(&two, &[one.to_header()]), FORK);
    let upheld = trust.decisions_on(&one.id());
    take(&mut trust, &decide_over(koseka, KOSEKA, 2, false, &one, upheld));
    assert_eq!(
        trust.standing(&two, &[one.to_header()]),
        Standing::Good,
        "a dismissed branch is in nobody's way"
    );
}

#[test]
fn a_proof_tells_of_a_fork_to_who_holds_one_branch_and_a_false_one_proves_nothing() {
    let Tiers { mut trust, pml, .. } = tiers();
    let mut phone = Device::new(PPL);
    let one = write(&trust, &mut phone, 1);
    phone.n = 0;
    let two = write(&trust, &mut phone, 2);
    let three = write(&trust, &mut phone, 3);
    let header = |change: &AdmittedChange| change.signed().signed_header().unwrap();
    let prove = |first: SignedHeader, second: SignedHeader| {
        let proof = ForkProof { parent: pml, first: first.to_bytes(), second: second.to_bytes() };
        say(PML, 1, Said::ForkProof(proof))
    };
    let mut forged = header(&two);
    forged.header.seen = Vec::new();
    forged.signature[0] ^= 1;
    for (first, second) in
        [(header(&one), header(&one)), (header(&one), header(&three)), (header(&one), forged)]
    {
        let verdict = trust.judge_statement(&prove(first, second));
        assert_eq!(verdict, StatementVerdict::Refuse(StatementRefusal::NoProof));
    }
    assert_eq!(trust.standing(&one, &[]), Standing::Good);
    take(&mut trust, &prove(header(&two), header(&one)));
    assert_eq!(trust.standing(&one, &[]), FORK);
    assert_eq!(trust.standing(&three, &[]), Standing::Good);
    assert!(trust.is_proved(&one.change().author, one.change().n));
}

const NEW_KEY: u8 = 8;

#[test]
fn a_key_that_another_follows_keeps_its_work_and_reads_no_more() {
    let Tiers { mut trust, koseka, pml, ppl, .. } = tiers();
    let work = write(&trust, &mut Device::new(PPL), 1);
    let follow = |parent, new: u8, old: u8| {
        Said::Succession(Succession::consented(parent, &keypair(new), &key(old), &survey()))
    };
    let unwilling = match follow(ppl, NEW_KEY, PPL) {
        Said::Succession(said) => Said::Succession(Succession { successor: key(ACCOMPLICE), ..said }),
        other => other,
    };
    let verdict = trust.judge_statement(&say(PPL, 1, unwilling));
    assert_eq!(verdict, StatementVerdict::Refuse(StatementRefusal::NoConsent));
    let verdict = trust.judge_statement(&say(NEW_KEY, 1, follow(ppl, ACCOMPLICE, NEW_KEY)));
    assert_eq!(verdict, StatementVerdict::Refuse(StatementRefusal::NotIssuers));
    let verdict = trust.judge_statement(&say(PML, 1, follow(pml, NEW_KEY, PML)));
    assert_eq!(verdict, StatementVerdict::Refuse(StatementRefusal::StandsAbove { role: Role::Supervisor }));
    let succession = take(&mut trust, &say(PPL, 1, follow(ppl, NEW_KEY, PPL)));
    assert!(trust.reads(&key(PPL)).is_empty());
    assert_eq!(trust.reads(&key(NEW_KEY)), ["18110100050003".parse().unwrap()]);
    assert_eq!(trust.followers(&key(PPL)), [key(NEW_KEY)].into());
    assert_eq!(trust.chain(&key(NEW_KEY)).last(), Some(&succession));
    let goes_on = write(&trust, &mut Device::new(NEW_KEY), 1);
    assert_eq!([&work, &goes_on].map(|change| trust.standing(change, &[])), [Standing::Good; 2]);
    // The old phone was stolen before it said so: its word is not kept, and nobody follows it.
    for statement in revoke(koseka, KOSEKA, PPL, &[&work]) {
        take(&mut trust, &statement);
    }
    assert!(trust.reads(&key(NEW_KEY)).is_empty() && trust.followers(&key(PPL)).is_empty());
    assert_eq!([&work, &goes_on].map(|change| trust.standing(change, &[])), [Standing::Good, REVOKED]);
}

proptest! {
    /// Promise 8 for revocations and decisions: no order of statements changes what counts.
    #[test]
    fn no_order_of_statements_changes_what_counts(
        order in Just((0..10_usize).collect::<Vec<_>>()).prop_shuffle(),
        left_out in 0..10_usize,
    ) {
        let Tiers { trust, office, koseka, pml, ppl, .. } = tiers();
        let mut phone = Device::new(PPL);
        let changes: Vec<AdmittedChange> = (0..4).map(|value| write(&trust, &mut phone, value)).collect();
        let accomplice = grant(pml, ACCOMPLICE, Role::Enumerator, &["18110100050003"], 1);
        let mut statements: Vec<Statement> = Vec::new();
        statements.extend(revoke(pml, PML, PPL, &[&changes[0]]));
        statements.extend(revoke(koseka, KOSEKA, PPL, &[&changes[0], &changes[1]]));
        statements.extend(revoke_keeping(office, OFFICE, PML, &[], vec![ppl]));
        statements.push(decide(koseka, KOSEKA, 7, true, &changes[2]));
        statements.push(decide(pml, PML, 8, false, &changes[0]));
        statements.push(decide(office, OFFICE, 9, false, &changes[3]));
        statements.push(say(PML, 10, Said::Grant(accomplice)));
        let standings = |order: &[usize]| {
            let mut trust = trust.clone();
            let mut waiting: Vec<&Statement> =
                order.iter().filter(|at| **at != left_out).map(|at| &statements[*at]).collect();
            while !waiting.is_empty() {
                let before = waiting.len();
                waiting.retain(|one| matches!(trust.judge_statement(one), StatementVerdict::Wait(_)));
                if waiting.len() == before {
                    break;
                }
            }
            let standing: Vec<Standing> = changes.iter().map(|one| trust.standing(one, &[])).collect();
            (standing, trust.grants())
        };
        let sorted: Vec<usize> = (0..10).collect();
        prop_assert_eq!(standings(&order), standings(&sorted));
    }
}

#[test]
fn who_grants_a_superior_a_small_role_decides_nothing_about_the_superiors_work() {
    let Tiers { mut trust, pml, .. } = tiers();
    let mut koseka_writes = Device::new(KOSEKA);
    let green = admitted(&trust, koseka_writes.write(Ink::Green, "r301", 2));
    admit(&mut trust, PML, grant(pml, KOSEKA, Role::Enumerator, &["18110100050003"], 1));
    take(&mut trust, &decide(pml, PML, 7, false, &green));
    assert_eq!(trust.standing(&green, &[]), Standing::Good);
    assert_eq!(trust.grant_to_decide_on(&key(PML), &green, false), None);
    // What the coordinator writes as her enumerator is hers to settle.
    let pencil = write(&trust, &mut koseka_writes, 3);
    assert_eq!(trust.grant_to_decide_on(&key(PML), &pencil, false), Some(pml));
    take(&mut trust, &decide(pml, PML, 8, false, &pencil));
    assert_eq!(trust.standing(&pencil, &[]), Standing::SetAside(Reason::Dismissed));
    assert_eq!(trust.grant_to_decide_on(&key(KOSEKA), &green, false), None, "nobody decides about own work");
}

#[test]
fn nobody_lifts_an_ink_that_its_author_never_had_over_the_own() {
    let Tiers { mut trust, office, pml, .. } = tiers();
    let black = admitted(&trust, Device::new(PPL).write(Ink::Black, "r301", 2));
    assert_eq!(trust.standing(&black, &[]), Standing::SetAside(Reason::Ink));
    take(&mut trust, &decide(pml, PML, 7, true, &black));
    assert_eq!(trust.standing(&black, &[]), Standing::SetAside(Reason::Ink));
    assert_eq!(trust.grant_to_decide_on(&key(PML), &black, true), None);
    assert_eq!(trust.grant_to_decide_on(&key(PML), &black, false), Some(pml));
    take(&mut trust, &decide(office, OFFICE, 8, true, &black));
    assert_eq!(trust.standing(&black, &[]), Standing::Upheld);
}

#[test]
fn a_decision_is_refused_where_its_grant_does_not_cover_the_place() {
    let Tiers { mut trust, pml, .. } = tiers();
    let sub_sls: SubSls = "1811040003000100".parse().unwrap();
    let changes = vec![ChangeId::from_bytes([9; 32])];
    let said = Decision { parent: pml, sub_sls, upheld: true, changes, supersedes: Vec::new() };
    let refused = StatementRefusal::Wider { region: sub_sls.region() };
    assert_eq!(trust.judge_statement(&say(PML, 7, Said::Decision(said))), StatementVerdict::Refuse(refused));
}

#[test]
fn what_was_taken_from_a_key_does_not_come_back_by_its_follower_nor_does_the_key() {
    let Tiers { mut trust, pml, ppl, .. } = tiers();
    let (near, far) = ("18110100050003", "18110100050004");
    let both = admit(&mut trust, PML, grant(pml, PPL, Role::Enumerator, &[near, far], 2));
    let follow =
        |parent| Said::Succession(Succession::consented(parent, &keypair(NEW_KEY), &key(PPL), &survey()));
    let reads =
        |trust: &Trust, seed| trust.reads(&key(seed)).iter().map(ToString::to_string).collect::<Vec<_>>();
    // Handed over while the device, which has not heard of it, goes on under another key.
    admit(&mut trust, PML, grant(pml, PPL, Role::Enumerator, &[near], 3));
    take(&mut trust, &say(PPL, 1, follow(both)));
    assert_eq!((reads(&trust, PPL), reads(&trust, NEW_KEY)), (vec![], vec![near.to_owned()]));
    assert!(
        trust.ever_covered(&key(NEW_KEY), &"1811010005000400".parse().unwrap()),
        "it delivers what it had"
    );
    // The first grant, which knew less, gives no more either.
    take(&mut trust, &say(PPL, 2, follow(ppl)));
    assert_eq!(reads(&trust, NEW_KEY), [near]);
    // Taken back altogether, after the word and for the old key alone.
    admit(&mut trust, PML, grant(pml, PPL, Role::Enumerator, &[], 4));
    assert_eq!((reads(&trust, PPL), reads(&trust, NEW_KEY)), (vec![], vec![]));
    // Given again to the old key: whoever has that gave it up.
    admit(&mut trust, PML, grant(pml, PPL, Role::Enumerator, &[near, far], 5));
    assert_eq!((reads(&trust, PPL), reads(&trust, NEW_KEY)), (vec![], vec![near.to_owned(), far.to_owned()]));
}
