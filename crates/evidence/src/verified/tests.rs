//! What is not as its authors signed it proves nothing, and what proves something says all of it.

use rukun_authority::{Decision, Grant, Reason, Role, RootSuccession, Statement, Succession};
use rukun_change::{Incarnation, Scalar, StatementId};
use rukun_document::Place;
use serde_json::json;

use super::*;
use crate::fixture::{
    COORDINATOR, ENUMERATOR, NEIGHBOUR, Node, OFFICE, ROOT, SUPERVISOR, charter, keypair, record,
};

fn verify(bytes: &[u8]) -> Result<VerifiedEvidence, String> {
    let signed = SignedEvidence::from_bytes(bytes).map_err(|error| error.to_string())?;
    VerifiedEvidence::verify(&signed, None).map_err(|flaw| flaw.to_string())
}

/// What is found in the evidence after somebody changed it and the office vouched for that.
fn flaw(change: impl FnOnce(&mut Evidence)) -> Flaw {
    let node = Node::with_record();
    let mut evidence = node.evidence();
    change(&mut evidence);
    let signed = evidence.sign(&keypair(OFFICE), node.trust.survey());
    VerifiedEvidence::verify(&signed, None).expect_err("evidence that was changed")
}

fn grant_of(evidence: &Evidence, subject: u8) -> usize {
    let is_it = |said: &Said| matches!(said, Said::Grant(grant) if grant.subject == keypair(subject).key());
    evidence.statements.iter().position(|statement| is_it(&statement.said)).unwrap()
}

#[test]
fn a_file_says_what_the_node_reads_that_wrote_it() {
    let node = Node::with_record();
    let signed = SignedEvidence::from_bytes(&node.file()).unwrap();
    let verified = VerifiedEvidence::verify(&signed, Some(node.trust.survey())).unwrap();
    assert_eq!(*verified.reading(), node.reading());
    assert_eq!(verified.reading().value(&Place::family("r304")), Some(&Scalar::Int(4)));
    assert_eq!((*verified.exporter(), verified.time_ms()), (keypair(OFFICE).key(), 1_668_000_000_000));
    assert_eq!(verified.trust().charter().name, "Regsosek 2022");
}

#[test]
fn only_what_bears_on_the_record_is_in_it() {
    let node = Node::with_record();
    let verified = verify(&node.file()).unwrap();
    let granted = |seed: u8| verified.trust().grants_of(&keypair(seed).key()).len();
    // The enumerator's first grant was replaced; its work may rest on it all the same.
    assert_eq!([OFFICE, SUPERVISOR, ENUMERATOR].map(granted), [1, 1, 2]);
    assert_eq!([COORDINATOR, NEIGHBOUR].map(granted), [0, 0]);
    assert_eq!(verified.statements(), 5);
}

#[test]
fn a_path_leads_from_the_root_to_the_author() {
    let verified = verify(&Node::with_record().file()).unwrap();
    let path = |seed: u8, ink| -> Vec<String> {
        let path = verified.path(&keypair(seed).key(), ink);
        path.iter().map(|grant| format!("{} {}", grant.role, grant.regions[0])).collect()
    };
    let down = ["district 1811", "supervisor 1811010005", "enumerator 18110100050003"];
    assert_eq!(path(ENUMERATOR, Ink::Pencil), down);
    assert_eq!(path(SUPERVISOR, Ink::Red), down[..2]);
    assert_eq!(path(OFFICE, Ink::Green), down[..1]);
    assert!(path(NEIGHBOUR, Ink::Pencil).is_empty());
}

/// The enumerator's key after it was rotated.
const LATER_KEY: u8 = 32;

#[test]
fn the_path_to_a_key_that_follows_another_leads_through_the_one_it_follows() {
    let mut node = Node::with_record();
    let (old, new, survey) = (keypair(ENUMERATOR).key(), keypair(LATER_KEY), *node.trust.survey());
    let in_force = node.trust.grants_of(&old).into_iter().find(|grant| !grant.in_force.is_empty());
    let said = Succession::consented(in_force.unwrap().id, &new, &old, &survey);
    take(&mut node, ENUMERATOR, Said::Succession(said));
    node.write(5, LATER_KEY, 1, Ink::Pencil, &json!({"r304": 2}));
    let verified = verify(&node.file()).unwrap();
    assert_eq!(verified.reading(), &node.reading());
    assert!(verified.reading().log().iter().all(|logged| logged.standing.is_good()));
    let path = verified.path(&new.key(), Ink::Pencil);
    let keys: Vec<_> = path.iter().map(|grant| grant.subject).collect();
    assert_eq!(keys, [keypair(OFFICE).key(), keypair(SUPERVISOR).key(), old, new.key()]);
    let old_path = verified.path(&old, Ink::Pencil);
    assert_eq!((old_path.len(), old_path[2].subject), (3, old), "what the old key made stays its own");
}

#[test]
fn every_single_bit_that_changes_makes_it_fail() {
    let file = Node::with_record().file();
    let mut flipped = file.clone();
    for at in 0..file.len() {
        for bit in 0..8 {
            flipped[at] ^= 1 << bit;
            assert!(verify(&flipped).is_err(), "bit {bit} of byte {at}");
            flipped[at] ^= 1 << bit;
        }
    }
    assert!(verify(&flipped).is_ok());
}

#[test]
fn a_file_that_is_cut_or_goes_on_is_refused() {
    let file = Node::with_record().file();
    for end in 0..file.len() {
        assert!(SignedEvidence::from_bytes(&file[..end]).is_err(), "cut at {end}");
    }
    let more = [&file[..], &[0]].concat();
    let refused = SignedEvidence::from_bytes(&more).map_err(|error| error.to_string());
    assert_eq!(refused, Err("no evidence: 1 bytes left over".into()));
}

#[test]
fn whoever_leaves_something_out_or_adds_it_must_sign_anew() {
    let node = Node::with_record();
    let whole = SignedEvidence::from_bytes(&node.file()).unwrap();
    let mut other = Node::with_record();
    other.write(5, ENUMERATOR, 3, Ink::Pencil, &json!({"r304": 5}));
    let added = other.evidence().changes;
    let changes: [fn(&mut Evidence, &[SignedChange]); 3] = [
        |evidence, _| drop(evidence.changes.pop()),
        |evidence, added| evidence.changes = added.to_vec(),
        |evidence, _| drop(evidence.statements.pop()),
    ];
    for change in changes {
        let mut signed = whole.clone();
        change(&mut signed.evidence, &added);
        let exporter = keypair(OFFICE).key();
        assert_eq!(VerifiedEvidence::verify(&signed, None).unwrap_err(), Flaw::NotVouched { exporter });
    }
}

#[test]
fn the_survey_that_is_asked_for_is_the_one_that_counts() {
    let node = Node::with_record();
    let signed = SignedEvidence::from_bytes(&node.file()).unwrap();
    let expected = SurveyId::from_bytes([9; 32]);
    let flaw = VerifiedEvidence::verify(&signed, Some(&expected)).unwrap_err();
    assert_eq!(flaw, Flaw::OtherSurvey { found: *node.trust.survey(), expected });
}

#[test]
fn the_charter_of_another_survey_founds_nothing_here() {
    let other = charter("Regsosek 2023");
    let survey = *Trust::found(&other).unwrap().survey();
    let mut evidence = Node::with_record().evidence();
    evidence.statements[0] = other;
    let signed = evidence.sign(&keypair(OFFICE), &survey);
    let flaw = VerifiedEvidence::verify(&signed, None).unwrap_err();
    assert_eq!(flaw, Flaw::Statement { at: 2, refusal: StatementRefusal::Signature });
    // Under the old survey's id nobody vouched for this file.
    let kept = flaw_without_vouching(|evidence| evidence.statements[0] = charter("Regsosek 2023"));
    assert!(matches!(kept, Flaw::NotVouched { .. }));
}

fn flaw_without_vouching(change: impl FnOnce(&mut Evidence)) -> Flaw {
    let mut signed = SignedEvidence::from_bytes(&Node::with_record().file()).unwrap();
    change(&mut signed.evidence);
    VerifiedEvidence::verify(&signed, None).unwrap_err()
}

#[test]
fn a_statement_that_is_missing_is_missed() {
    let supervisors = flaw(|evidence| drop(evidence.statements.remove(grant_of(evidence, SUPERVISOR))));
    assert!(matches!(supervisors, Flaw::Unfounded { at: 3, .. }), "{supervisors}");
    let enumerators = flaw(|evidence| {
        evidence.statements.remove(grant_of(evidence, ENUMERATOR));
        evidence.statements.remove(grant_of(evidence, ENUMERATOR));
    });
    assert!(matches!(enumerators, Flaw::Missing { missing: Missing::Grant { .. }, .. }), "{enumerators}");
    assert_eq!(flaw(|evidence| evidence.statements.clear()), Flaw::Empty);
}

#[test]
fn a_decision_bears_on_the_record_in_its_sub_sls_alone() {
    for (sub_sls, statements) in [("1811010005000300", 6), ("1811010005000400", 5)] {
        let mut node = Node::with_record();
        let parent = node.trust.grants_of(&keypair(SUPERVISOR).key())[0].id;
        let changes = vec![node.held[1].0.id()];
        let (sub_sls, supersedes) = (sub_sls.parse().unwrap(), Vec::new());
        let said = Decision { parent, sub_sls, upheld: true, changes, supersedes };
        take(&mut node, SUPERVISOR, Said::Decision(said));
        assert_eq!(verify(&node.file()).unwrap().statements(), statements, "{sub_sls}");
    }
}

#[test]
fn a_statement_too_many_or_out_of_order_is_refused() {
    let held = Node::found().statements;
    let coordinators = held
        .iter()
        .find(|held| matches!(&held.said, Said::Grant(grant) if grant.subject == keypair(COORDINATOR).key()));
    let idle = flaw(|evidence| evidence.statements.push(coordinators.unwrap().clone()));
    assert_eq!(idle, Flaw::Idle);
    assert_eq!(flaw(|evidence| evidence.statements.swap(3, 4)), Flaw::Idle);
    assert_eq!(flaw(|evidence| evidence.statements.push(evidence.statements[1].clone())), Flaw::Idle);
    let before = flaw(|evidence| evidence.statements.swap(2, 3));
    assert!(matches!(before, Flaw::Unfounded { at: 3, .. }), "{before}");
}

#[test]
fn changes_keep_their_own_signatures_causes_and_order() {
    let swapped = flaw(|evidence| {
        let (one, other) = (evidence.changes[1].signature, evidence.changes[2].signature);
        (evidence.changes[1].signature, evidence.changes[2].signature) = (other, one);
    });
    assert_eq!(swapped, Flaw::Change { at: 2, refusal: Refusal::Signature });
    let first_pencil = |evidence: &Evidence| {
        let is_it = |signed: &SignedChange| signed.change.ink == Ink::Pencil;
        evidence.changes.iter().position(is_it).unwrap()
    };
    let left_out = flaw(|evidence| drop(evidence.changes.remove(first_pencil(evidence))));
    assert!(matches!(left_out, Flaw::Missing { missing: Missing::Cause(_), .. }), "{left_out}");
    let twice = flaw(|evidence| evidence.changes.push(evidence.changes[0].clone()));
    assert!(matches!(twice, Flaw::Twice { .. }), "{twice}");
    // Nothing keeps the printed answer and the first pencil one apart but the order of ids.
    let elsewhere = flaw(|evidence| {
        let at = evidence.changes.iter().position(|signed| signed.change.ink == Ink::Printed).unwrap();
        let printed = evidence.changes.remove(at);
        evidence.changes.insert(usize::from(at == 0), printed);
    });
    assert_eq!(elsewhere, Flaw::ChangesOutOfOrder);
}

#[test]
fn a_change_of_another_record_proves_nothing_of_this_one() {
    let mut node = Node::found();
    node.write(6, ENUMERATOR, 7, Ink::Pencil, &json!({"r304": 1}));
    let stray = node.held[0].0.signed().clone();
    let elsewhere = flaw(|evidence| evidence.changes.push(stray));
    assert_eq!(elsewhere, Flaw::Elsewhere { at: 5, record: record(6) });
}

#[test]
fn who_was_never_granted_the_place_vouches_for_nothing() {
    let node = Node::with_record();
    let mut evidence = node.evidence();
    evidence.exporter = keypair(NEIGHBOUR).key();
    let stranger = evidence.clone().sign(&keypair(NEIGHBOUR), node.trust.survey());
    let flaw = VerifiedEvidence::verify(&stranger, None).unwrap_err();
    assert!(matches!(flaw, Flaw::Stranger { .. }), "{flaw}");
}

#[test]
fn work_that_was_set_aside_is_in_it_and_is_shown_as_that() {
    let mut node = Node::with_record();
    // The same number twice, and an ink that is not hers.
    node.write(5, ENUMERATOR, 2, Ink::Green, &json!({"r304": 7}));
    let all: Vec<AdmittedChange> = node.held.iter().map(|(change, _)| change.clone()).collect();
    for (change, standing) in &mut node.held {
        let number = |one: &AdmittedChange| (one.change().author, one.change().n);
        let same = all.iter().filter(|one| number(one) == number(change));
        *standing = node.trust.standing(change, &same.map(AdmittedChange::to_header).collect::<Vec<_>>());
    }
    let verified = verify(&node.file()).unwrap();
    let standing = |ink| {
        let logged = verified.reading().log().iter().rfind(|logged| logged.ink == ink);
        logged.map(|logged| logged.standing.to_string()).unwrap()
    };
    assert_eq!(standing(Ink::Green), "set aside: no role of its author writes this ink here");
    assert_eq!(standing(Ink::Pencil), "set aside: its device used one number twice");
    assert_eq!(verified.reading().value(&Place::family("r304")), Some(&Scalar::Int(4)));
}

#[test]
fn the_first_step_of_the_order_is_the_charter() {
    let evidence = Node::with_record().evidence();
    let trust = Node::found().trust;
    let ids: Vec<StatementId> = evidence.statements.iter().map(|one| trust.statement_id(one)).collect();
    assert_eq!(ids[0].as_bytes(), trust.survey().as_bytes());
    assert!(ids[3] < ids[4], "what stands on one step stands by id");
}

/// Another root, which keeps these grants of the first to the office, or none.
fn succeed(node: &mut Node, keeps_office: bool) -> StatementId {
    let survey = *node.trust.survey();
    let office = node.trust.grants_of(&keypair(OFFICE).key())[0].id;
    let kept = if keeps_office { vec![office] } else { Vec::new() };
    let parent = StatementId::from_bytes(*survey.as_bytes());
    let said = RootSuccession::consented(parent, &keypair(LATER_ROOT), kept, &keypair(ROOT).key(), &survey);
    take(node, ROOT, Said::RootSuccession(said))
}

fn take(node: &mut Node, issuer: u8, said: Said) -> StatementId {
    let incarnation = Incarnation::from_bytes([issuer; 4]);
    let statement = Statement::sign(&keypair(issuer), incarnation, 99, Some(node.trust.survey()), said);
    let StatementVerdict::Admit(id) = node.trust.judge_statement(&statement) else { panic!("{statement:?}") };
    node.statements.push(statement);
    for (change, standing) in &mut node.held {
        *standing = node.trust.standing(change, &[]);
    }
    id
}

const LATER_ROOT: u8 = 31;

#[test]
fn a_record_is_proven_across_another_root_and_what_that_did_not_keep_is_set_aside() {
    let mut node = Node::with_record();
    let mut unkept = Node::with_record();
    succeed(&mut unkept, false);
    let verified = verify(&unkept.file()).unwrap();
    assert_eq!(*verified.reading(), unkept.reading());
    let aside = |logged: &rukun_document::Logged| logged.standing == Standing::SetAside(Reason::Revoked);
    assert!(verified.reading().log().iter().all(aside), "nobody may leave out that another is root");

    let seat = succeed(&mut node, true);
    let verified = verify(&node.file()).unwrap();
    assert_eq!((verified.statements(), verified.reading()), (6, &node.reading()));
    assert!(verified.reading().log().iter().all(|logged| logged.standing.is_good()));
    assert_eq!(verified.trust().roots(), [keypair(LATER_ROOT).key()]);
    assert_eq!(verified.path(&keypair(ENUMERATOR).key(), Ink::Pencil).len(), 3);
    let regions = vec!["1811".parse().unwrap()];
    let (subject, role) = (keypair(OFFICE).key(), Role::District);
    let grant = Grant { parent: seat, subject, role, regions, serial: 2, name: "office".into() };
    take(&mut node, LATER_ROOT, Said::Grant(grant));
    let verified = verify(&node.file()).unwrap();
    assert_eq!(verified.statements(), 7);
    let path = verified.path(&subject, Ink::Printed);
    assert_eq!((path[0].serial, path[0].issuer), (2, keypair(LATER_ROOT).key()));
    let mut evidence = node.evidence();
    evidence.statements.retain(|statement| !matches!(statement.said, Said::RootSuccession(_)));
    let signed = evidence.sign(&keypair(OFFICE), node.trust.survey());
    let flaw = VerifiedEvidence::verify(&signed, None).unwrap_err();
    assert!(matches!(flaw, Flaw::Unfounded { lacking, .. } if lacking == seat), "{flaw}");
}
