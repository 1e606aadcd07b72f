//! What it comes to when another key is root.

use std::convert::Infallible;

use proptest::prelude::*;
use rukun_change::{Incarnation, Ink, StatementId};

use crate::fixture::{Device, ROOT_SEED, admit, charter_id, founded, grant, key, keypair, record, survey};
use crate::{
    AdmittedChange, Erasure, Grant, KeptList, Reason, Revocation, Role, RootSuccession, Said, Standing,
    Statement, StatementRefusal, StatementVerdict, Trust, Verdict, VerifiedChange,
};

const OFFICE: u8 = 2;
const PML: u8 = 4;
const PPL: u8 = 5;
const ACCOMPLICE: u8 = 7;
const NEW_ROOT: u8 = 21;
const LAST_ROOT: u8 = 22;

/// Each under a number of its own: what is said matters, not when.
fn say(issuer: u8, n: u64, said: Said) -> Statement {
    Statement::sign(&keypair(issuer), Incarnation::from_bytes([issuer; 4]), n, Some(&survey()), said)
}

fn id(statement: &Statement) -> StatementId {
    statement.id(Some(&survey()))
}

fn take(trust: &mut Trust, statement: &Statement) -> StatementId {
    match trust.judge_statement(statement) {
        StatementVerdict::Admit(id) => id,
        other => panic!("{other:?}"),
    }
}

fn refusal(trust: &mut Trust, statement: &Statement) -> StatementRefusal {
    match trust.judge_statement(statement) {
        StatementVerdict::Refuse(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn succeed(old: u8, n: u64, parent: StatementId, new: u8, kept: Vec<StatementId>) -> Statement {
    let said = RootSuccession::consented(parent, &keypair(new), kept, &key(old), &survey());
    say(old, n, Said::RootSuccession(said))
}

fn district(parent: StatementId, subject: u8, serial: u64) -> Grant {
    grant(parent, subject, Role::District, &["1811"], serial)
}

fn revoke(parent: StatementId, issuer: u8, n: u64, subject: u8) -> Statement {
    let revocation = Revocation {
        parent,
        subject: key(subject),
        reason: "lost".into(),
        kept: Vec::new(),
        lists: vec![(record().home(), KeptList::digest(&[]))],
        statements: Vec::new(),
    };
    say(issuer, n, Said::Revocation(revocation))
}

fn write(trust: &Trust, device: u8, ink: Ink) -> AdmittedChange {
    let signed = Device::new(device).write(ink, "r301", 1);
    let verified = VerifiedChange::verify(signed, &survey()).unwrap();
    match trust.judge(verified, |_, _| Ok::<_, Infallible>(true)).unwrap() {
        Verdict::Admit(change) => *change,
        Verdict::Wait(_, missing) => panic!("{missing}"),
    }
}

/// An office that the first root granted, its enumerator, and the succession that keeps both.
fn succeeded() -> (Trust, StatementId, StatementId) {
    let mut trust = founded();
    let office = admit(&mut trust, ROOT_SEED, district(charter_id(), OFFICE, 1));
    let pml = admit(&mut trust, OFFICE, grant(office, PML, Role::Supervisor, &["1811010005"], 1));
    admit(&mut trust, PML, grant(pml, PPL, Role::Enumerator, &["18110100050003"], 1));
    let seat = take(&mut trust, &succeed(ROOT_SEED, 2, charter_id(), NEW_ROOT, vec![office]));
    (trust, office, seat)
}

#[test]
fn what_the_old_root_granted_stands_and_its_later_word_counts_for_nothing() {
    let (mut trust, office, seat) = succeeded();
    assert_eq!((trust.roots(), *trust.root()), (vec![key(NEW_ROOT)], key(ROOT_SEED)));
    assert_eq!(trust.reads(&key(PPL)), ["18110100050003".parse().unwrap()]);
    assert_eq!(trust.standing(&write(&trust, PPL, Ink::Pencil), &[]), Standing::Good);
    let late = say(ROOT_SEED, 3, Said::Grant(district(charter_id(), ACCOMPLICE, 1)));
    take(&mut trust, &late);
    take(&mut trust, &revoke(charter_id(), ROOT_SEED, 4, OFFICE));
    take(&mut trust, &say(ROOT_SEED, 5, Said::Grant(district(charter_id(), OFFICE, 9))));
    assert!(trust.reads(&key(ACCOMPLICE)).is_empty(), "a thief of the old root grants nothing");
    let stolen = write(&trust, ACCOMPLICE, Ink::Black);
    assert_eq!(trust.standing(&stolen, &[]), Standing::SetAside(Reason::Revoked));
    assert_eq!(trust.reads(&key(OFFICE)), ["1811".parse().unwrap()], "nor takes it anything away");
    assert_eq!(trust.grants_of(&key(OFFICE))[0].id, office);
    assert_eq!(trust.grant_to_rest_on(&key(ROOT_SEED), Role::District, &[]), None);
    assert_eq!(trust.grant_to_rest_on(&key(NEW_ROOT), Role::District, &[]), Some(seat));
    assert_eq!(trust.grants_above(&key(ROOT_SEED), &key(PPL)), []);
    assert_eq!(trust.district_grant(&key(ROOT_SEED), &record().home()), None);
    assert_eq!(trust.district_grant(&key(NEW_ROOT), &record().home()), Some(seat));
}

#[test]
fn the_new_root_replaces_and_revokes_what_the_old_one_granted() {
    let (mut trust, office, seat) = succeeded();
    assert_eq!(trust.next_serial_on(&seat, &key(OFFICE)), 2);
    let wider = grant(seat, OFFICE, Role::District, &["1811", "1812"], 2);
    let anew = admit(&mut trust, NEW_ROOT, wider);
    let views = trust.grants_of(&key(OFFICE));
    let of = |id| views.iter().find(|view| view.id == id).unwrap();
    assert!(of(office).in_force.is_empty() && of(anew).in_force.len() == 2);
    assert_eq!([office, anew].map(|id| of(id).issuer), [key(ROOT_SEED), key(NEW_ROOT)]);
    assert_eq!(trust.reads(&key(PPL)), ["18110100050003".parse().unwrap()]);
    assert_eq!(trust.chain(&key(OFFICE)), [seat, anew, office]);
    assert_eq!(trust.grant_path(&anew), [seat, anew]);
    assert_eq!(trust.grants_above(&key(NEW_ROOT), &key(PPL)), [seat]);
    take(&mut trust, &revoke(seat, NEW_ROOT, 3, PPL));
    assert!(trust.reads(&key(PPL)).is_empty());
    take(&mut trust, &revoke(seat, NEW_ROOT, 4, OFFICE));
    assert!(trust.reads(&key(OFFICE)).is_empty());
    assert!(trust.revocations_of(&key(OFFICE))[0].counts);
}

#[test]
fn a_root_follows_only_with_the_word_of_both_keys() {
    let (mut trust, office, seat) = succeeded();
    let good = RootSuccession::consented(seat, &keypair(LAST_ROOT), Vec::new(), &key(NEW_ROOT), &survey());
    let unwilling = RootSuccession { successor: key(ACCOMPLICE), ..good.clone() };
    let unwilling = say(NEW_ROOT, 3, Said::RootSuccession(unwilling));
    assert_eq!(refusal(&mut trust, &unwilling), StatementRefusal::NoConsent);
    let of_a_device = crate::Succession::consented(seat, &keypair(LAST_ROOT), &key(NEW_ROOT), &survey());
    let other_kind = RootSuccession { consent: of_a_device.consent, ..good.clone() };
    let other_kind = say(NEW_ROOT, 3, Said::RootSuccession(other_kind));
    assert_eq!(refusal(&mut trust, &other_kind), StatementRefusal::NoConsent);
    let itself = succeed(NEW_ROOT, 3, seat, NEW_ROOT, Vec::new());
    assert_eq!(refusal(&mut trust, &itself), StatementRefusal::NoConsent);
    let by_another = succeed(ACCOMPLICE, 3, seat, LAST_ROOT, Vec::new());
    assert_eq!(refusal(&mut trust, &by_another), StatementRefusal::NotIssuers);
    let by_the_office = succeed(OFFICE, 3, office, LAST_ROOT, Vec::new());
    assert_eq!(refusal(&mut trust, &by_the_office), StatementRefusal::NotTheRoot);
    let forged = say(NEW_ROOT, 3, Said::RootSuccession(good));
    let forged = Statement { signature: [7; 64], ..forged };
    assert_eq!(refusal(&mut trust, &forged), StatementRefusal::Signature);
    assert_eq!(trust.roots(), [key(NEW_ROOT)]);
}

#[test]
fn a_word_of_a_later_root_waits_for_what_made_it_root() {
    let (mut trust, _, seat) = succeeded();
    let second = succeed(NEW_ROOT, 3, seat, LAST_ROOT, Vec::new());
    let word = say(LAST_ROOT, 4, Said::Grant(district(id(&second), ACCOMPLICE, 1)));
    assert_eq!(trust.judge_statement(&word), StatementVerdict::Wait(id(&second)));
    let mut early = founded();
    assert_eq!(early.judge_statement(&second), StatementVerdict::Wait(seat));
    take(&mut trust, &second);
    let grant = take(&mut trust, &word);
    assert_eq!(trust.roots(), [key(LAST_ROOT)]);
    assert_eq!(trust.chain(&key(ACCOMPLICE)), [seat, id(&second), grant]);
    assert_eq!(trust.reads(&key(PPL)), ["18110100050003".parse().unwrap()], "the first root's grants stand");
    assert!(trust.holds(&seat) && trust.holds(&id(&second)));
}

#[test]
fn two_that_follow_one_root_are_both_root_and_neither_takes_what_the_other_kept() {
    let (mut trust, office, seat) = succeeded();
    let other = take(&mut trust, &succeed(ROOT_SEED, 9, charter_id(), LAST_ROOT, Vec::new()));
    let mut both = [key(NEW_ROOT), key(LAST_ROOT)];
    both.sort_unstable();
    assert_eq!(trust.roots(), both);
    assert_eq!(trust.grants_of(&key(OFFICE))[0].in_force.len(), 1, "{office} is kept by one");
    admit(&mut trust, LAST_ROOT, district(other, ACCOMPLICE, 1));
    assert!(!trust.reads(&key(ACCOMPLICE)).is_empty());
    take(&mut trust, &revoke(seat, NEW_ROOT, 3, ACCOMPLICE));
    assert!(trust.reads(&key(ACCOMPLICE)).is_empty(), "each takes back what the other grants");
}

#[test]
fn an_erasure_is_for_ever_whoever_is_root_since() {
    let (mut trust, _, _) = succeeded();
    let said = Erasure { parent: charter_id(), record: record(), reason: "asked for".into() };
    let erasure = take(&mut trust, &say(ROOT_SEED, 6, Said::Erasure(said)));
    assert_eq!(trust.erased_by(&record()), Some(erasure));
}

/// A history with everything in it: two roots after the first, a thief of the first, and words of each.
fn history() -> Vec<Statement> {
    let office = say(ROOT_SEED, 1, Said::Grant(district(charter_id(), OFFICE, 1)));
    let pml = say(OFFICE, 1, Said::Grant(grant(id(&office), PML, Role::Supervisor, &["1811010005"], 1)));
    let ppl = grant(id(&pml), PPL, Role::Enumerator, &["18110100050003"], 1);
    let first = succeed(ROOT_SEED, 2, charter_id(), NEW_ROOT, vec![id(&office)]);
    let again = succeed(ROOT_SEED, 3, charter_id(), ACCOMPLICE, Vec::new());
    let second = succeed(NEW_ROOT, 1, id(&first), LAST_ROOT, Vec::new());
    let wider = grant(id(&second), OFFICE, Role::District, &["1811", "1812"], 2);
    vec![
        say(ROOT_SEED, 4, Said::Grant(district(charter_id(), ACCOMPLICE, 1))),
        say(ROOT_SEED, 5, Said::Grant(grant(charter_id(), OFFICE, Role::District, &["1805"], 9))),
        revoke(charter_id(), ROOT_SEED, 6, OFFICE),
        say(PML, 1, Said::Grant(ppl)),
        say(NEW_ROOT, 2, Said::Grant(district(id(&first), PML, 1))),
        say(LAST_ROOT, 1, Said::Grant(wider)),
        revoke(id(&second), LAST_ROOT, 2, PML),
        again,
        office,
        pml,
        first,
        second,
    ]
}

proptest! {
    /// Promise 8 for the root: no order of statements changes who is root and what counts.
    #[test]
    fn no_order_of_statements_changes_who_is_root(
        order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle(),
        left_out in 0..12_usize,
        asked in 0..12_usize,
    ) {
        let statements = history();
        let answers = |order: &[usize]| {
            let mut trust = founded();
            let mut waiting: Vec<usize> = order.iter().copied().filter(|at| *at != left_out).collect();
            while !waiting.is_empty() {
                let before = waiting.len();
                waiting.retain(|at| {
                    if *at == asked {
                        // What was asked before the rest came must not be remembered.
                        drop((trust.reads(&key(OFFICE)), trust.grants()));
                    }
                    matches!(trust.judge_statement(&statements[*at]), StatementVerdict::Wait(_))
                });
                if waiting.len() == before {
                    break;
                }
            }
            let devices = [ROOT_SEED, NEW_ROOT, LAST_ROOT, OFFICE, PML, PPL, ACCOMPLICE];
            let of = |device: u8| {
                let device = key(device);
                (trust.reads(&device), trust.chain(&device), trust.root_seat(&device))
            };
            let held: Vec<StatementId> =
                statements.iter().map(id).filter(|id| trust.holds(id)).collect();
            (trust.roots(), trust.grants(), devices.map(of), held)
        };
        let sorted: Vec<usize> = (0..12).collect();
        prop_assert_eq!(answers(&order), answers(&sorted));
    }
}
