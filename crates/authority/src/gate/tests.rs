//! What the gate promises: it refuses, waits or admits, whatever the order of arrival.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use proptest::prelude::*;
use rukun_change::limits::SEEN_MAX;
use rukun_change::{Body, BodyError, ChangeId, Incarnation, RecordId, SignedChange, StatementId, SurveyId};

use super::*;
use crate::fixture::{
    Device, ROOT_SEED, admit as admit_grant, charter_id, founded, grant, key, keypair, record, say, survey,
};
use crate::{Reason, RecallError, Refusal, Role, Said, Standing, Statement, StatementVerdict, sign};

const OFFICE: u8 = 2;
const PPL: u8 = 5;
const PML: u8 = 4;
const STRANGER: u8 = 9;

/// The office, and under it an enumerator and a supervisor where the record lives.
fn trust() -> Trust {
    let mut trust = founded();
    let office = office(&mut trust);
    admit_grant(&mut trust, OFFICE, grant(office, PML, Role::Supervisor, &["1811010005"], 1));
    admit_grant(&mut trust, OFFICE, grant(office, PPL, Role::Enumerator, &["18110100050003"], 1));
    trust
}

fn office(trust: &mut Trust) -> StatementId {
    admit_grant(trust, ROOT_SEED, grant(charter_id(), OFFICE, Role::District, &["1811"], 1))
}

fn verify(signed: &SignedChange) -> Result<VerifiedChange, Refusal> {
    VerifiedChange::verify(signed.clone(), &survey())
}

/// What the gate says where these are held.
fn judge(trust: &Trust, signed: &SignedChange, held: &[(Ink, CauseHash)]) -> Verdict {
    let held = |ink, cause: &CauseHash| Ok::<_, Infallible>(held.contains(&(ink, *cause)));
    let Ok(verdict) = trust.judge(verify(signed).unwrap(), held);
    verdict
}

#[track_caller]
fn admit(trust: &Trust, signed: &SignedChange) -> AdmittedChange {
    let Ok(Verdict::Admit(change)) = trust.judge(verify(signed).unwrap(), |_, _| Ok::<_, Infallible>(true))
    else {
        panic!("not admitted")
    };
    *change
}

fn cause(signed: &SignedChange) -> CauseHash {
    Body::decode(&signed.change.body).unwrap().hash
}

#[test]
fn a_good_change_is_admitted_and_comes_back_from_the_log() {
    let signed = Device::new(PPL).write(Ink::Pencil, "r301", 1);
    let admitted = admit(&trust(), &signed);
    assert_eq!(admitted.signed(), &signed);
    assert_eq!(AdmittedChange::recall(&signed.to_bytes(), &survey()).as_ref(), Ok(&admitted));
    assert_eq!(admitted.id(), verify(&signed).unwrap().id());
    let cut = AdmittedChange::recall(&signed.to_bytes()[1..], &survey());
    assert!(matches!(cut, Err(RecallError::Change(_))));
}

#[test]
fn the_signature_covers_every_field_and_the_survey() {
    let mut device = Device::new(PML);
    let good = device.write(Ink::Red, "r301", 1);
    assert!(verify(&good).is_ok());
    let other_body = device.write(Ink::Red, "r301", 2).change.body;
    let change = |act: &dyn Fn(&mut Change)| {
        let mut changed = good.clone();
        act(&mut changed.change);
        changed
    };
    let mut changed = vec![
        change(&|change| change.author.device = key(PPL)),
        change(&|change| change.author.incarnation = Incarnation::from_bytes([4; 4])),
        change(&|change| change.n += 1),
        change(&|change| change.record = RecordId::new(record().home(), [6; 8])),
        change(&|change| change.record = RecordId::new("1811010005000301".parse().unwrap(), [5; 8])),
        change(&|change| change.ink = Ink::Black),
        change(&|change| change.seen.push(CauseHash::from_bytes([1; 32]))),
        change(&|change| change.body.clone_from(&other_body)),
    ];
    for at in 0..64 {
        let mut flipped = good.clone();
        flipped.signature[at] ^= 1;
        changed.push(flipped);
    }
    for changed in changed {
        assert_eq!(verify(&changed), Err(Refusal::Signature));
    }
    let elsewhere = SurveyId::from_bytes([9; 32]);
    assert_eq!(VerifiedChange::verify(good, &elsewhere), Err(Refusal::Signature));
}

#[test]
fn a_change_under_anothers_actor_is_refused() {
    let mut device = Device::new(PPL);
    let mut change = device.draft(Ink::Pencil, "r301", 1);
    change.author.incarnation = Incarnation::from_bytes([8; 4]);
    assert_eq!(verify(&device.sign(change)), Err(Refusal::Actor));
    let mut change = Device::new(PML).draft(Ink::Pencil, "r301", 1);
    change.author = device.author();
    assert_eq!(verify(&device.sign(change)), Err(Refusal::Actor));
}

#[test]
fn heads_seen_are_named_in_high_inks_only_and_within_their_limits() {
    let mut device = Device::new(PML);
    let mut value = 0;
    let mut draft = |ink, seen: Vec<CauseHash>| {
        value += 1;
        let change = Change { seen, ..device.draft(ink, "r301", value) };
        verify(&device.sign(change)).map(|_| ())
    };
    let head = |byte| CauseHash::from_bytes([byte; 32]);
    assert_eq!(draft(Ink::Printed, vec![head(1)]), Err(Refusal::Seen));
    assert_eq!(draft(Ink::Pencil, vec![head(1)]), Err(Refusal::Seen));
    assert_eq!(draft(Ink::Red, vec![head(1), head(2)]), Ok(()));
    assert_eq!(draft(Ink::Red, vec![head(2), head(1)]), Err(Refusal::SeenOutOfOrder));
    assert_eq!(draft(Ink::Red, vec![head(1), head(1)]), Err(Refusal::SeenOutOfOrder));
    let many: Vec<CauseHash> = (0..=SEEN_MAX).map(|at| head(at as u8)).collect();
    assert_eq!(draft(Ink::Red, many.clone()), Err(Refusal::TooManySeen { heads: SEEN_MAX + 1 }));
    assert_eq!(draft(Ink::Red, many[1..].to_vec()), Ok(()));
}

#[test]
fn numbers_start_at_one() {
    let mut device = Device::new(PPL);
    let change = Change { n: 0, ..device.draft(Ink::Pencil, "r301", 1) };
    assert_eq!(verify(&device.sign(change)), Err(Refusal::Number));
}

#[test]
fn a_body_outside_the_document_shape_is_refused() {
    let mut device = Device::new(PPL);
    let signed = device.write(Ink::Pencil, "R301", 1);
    assert!(matches!(verify(&signed), Err(Refusal::Body(BodyError::Shape { .. }))));
    let change = Change { body: vec![1, 2, 3], ..device.draft(Ink::Pencil, "r301", 1) };
    assert_eq!(sign(&device.keypair, change.clone(), &survey()), Err(BodyError::NotAChange));
    let unsigned = SignedChange { change, signature: [0; 64] };
    assert_eq!(verify(&unsigned), Err(Refusal::Body(BodyError::NotAChange)));
}

#[test]
#[should_panic(expected = "a device signs its own changes only")]
fn no_device_signs_for_another() {
    let change = Device::new(PPL).draft(Ink::Pencil, "r301", 1);
    let _ = sign(&keypair(PML), change, &survey());
}

#[test]
fn an_author_never_granted_there_waits_for_its_grant() {
    let mut trust = trust();
    let signed = Device::new(STRANGER).write(Ink::Pencil, "r301", 1);
    let missing = Missing::Grant { author: signed.change.author, home: record().home() };
    let verdict = judge(&trust, &signed, &[]);
    assert_eq!(verdict, Verdict::Wait(Box::new(verify(&signed).unwrap()), missing));
    assert_eq!(missing.device(), Some(key(STRANGER)));
    let office = office(&mut trust);
    admit_grant(&mut trust, OFFICE, grant(office, STRANGER, Role::Enumerator, &["1811020"], 1));
    assert_eq!(judge(&trust, &signed, &[]), verdict, "a grant for another place is none here");
    admit_grant(&mut trust, OFFICE, grant(office, STRANGER, Role::Enumerator, &["1811010"], 2));
    assert!(matches!(judge(&trust, &signed, &[]), Verdict::Admit(_)));
    admit_grant(&mut trust, OFFICE, grant(office, STRANGER, Role::Enumerator, &["1811020"], 3));
    assert!(matches!(judge(&trust, &signed, &[]), Verdict::Admit(_)), "admission is final");
}

#[test]
fn a_change_waits_for_what_it_follows_in_its_own_ink() {
    let trust = trust();
    let mut device = Device::new(PPL);
    let first = cause(&device.write(Ink::Pencil, "r301", 1));
    let second = device.write(Ink::Pencil, "r301", 2);
    for held in [&[][..], &[(Ink::Printed, first)], &[(Ink::Red, first)]] {
        let waits = Verdict::Wait(Box::new(verify(&second).unwrap()), Missing::Cause(first));
        assert_eq!(judge(&trust, &second, held), waits);
    }
    assert!(matches!(judge(&trust, &second, &[(Ink::Pencil, first)]), Verdict::Admit(_)));
}

#[test]
fn a_change_waits_for_what_it_saw_in_the_lower_inks() {
    let trust = trust();
    let (mut ppl, mut pml) = (Device::new(PPL), Device::new(PML));
    let saw = cause(&ppl.write(Ink::Pencil, "r301", 1));
    pml.meet(&mut ppl);
    let correction = pml.write(Ink::Red, "r301", 2);
    assert_eq!(correction.change.seen, [saw]);
    for held in [&[][..], &[(Ink::Red, saw)], &[(Ink::Green, saw)]] {
        let waits = Verdict::Wait(Box::new(verify(&correction).unwrap()), Missing::Cause(saw));
        assert_eq!(judge(&trust, &correction, held), waits);
    }
    for lower in [Ink::Printed, Ink::Pencil] {
        assert!(matches!(judge(&trust, &correction, &[(lower, saw)]), Verdict::Admit(_)));
    }
}

#[test]
fn a_fault_of_the_disk_is_no_verdict() {
    let mut device = Device::new(PPL);
    device.write(Ink::Pencil, "r301", 1);
    let second = device.write(Ink::Pencil, "r301", 2);
    assert_eq!(trust().judge(verify(&second).unwrap(), |_, _| Err("disk")), Err("disk"));
}

#[test]
fn an_ink_that_is_not_of_the_authors_role_is_set_aside_not_refused() {
    let trust = trust();
    for (seed, good) in [(PPL, Ink::Pencil), (PML, Ink::Red)] {
        for ink in Ink::ALL {
            let change = admit(&trust, &Device::new(seed).write(ink, "r301", 1));
            let expected = if ink == good { Standing::Good } else { Standing::SetAside(Reason::Ink) };
            assert_eq!(trust.standing(&change, &[]), expected, "{ink} by device {seed}");
        }
    }
    let mut office = Device::new(OFFICE);
    for ink in [Ink::Black, Ink::Printed] {
        assert_eq!(trust.standing(&admit(&trust, &office.write(ink, "r301", 1)), &[]), Standing::Good);
    }
}

#[test]
fn a_number_used_twice_sets_both_aside() {
    let trust = trust();
    let mut device = Device::new(PPL);
    let first = admit(&trust, &device.write(Ink::Pencil, "r301", 1));
    device.n = 0;
    let second = admit(&trust, &device.write(Ink::Pencil, "r302", 1));
    assert_eq!(first.change().n, second.change().n);
    assert_eq!(trust.standing(&first, &[]), Standing::Good);
    for (change, other) in [(&first, &second), (&second, &first)] {
        assert_eq!(trust.standing(change, &[other.to_header()]), Standing::SetAside(Reason::Fork));
    }
    let red = admit(&trust, &device.write(Ink::Red, "r301", 1));
    assert_eq!(
        trust.standing(&red, &[first.to_header()]),
        Standing::SetAside(Reason::Ink),
        "the first reason stays"
    );
}

#[test]
fn work_done_under_a_grant_stands_whatever_replaces_the_grant() {
    let mut trust = trust();
    let change = admit(&trust, &Device::new(PPL).write(Ink::Pencil, "r301", 1));
    let office = office(&mut trust);
    admit_grant(&mut trust, OFFICE, grant(office, PPL, Role::Supervisor, &["1811020"], 2));
    assert_eq!(trust.standing(&change, &[]), Standing::Good);
    let red = admit(&trust, &Device::new(PPL).write(Ink::Red, "r301", 1));
    assert_eq!(trust.standing(&red, &[]), Standing::SetAside(Reason::Ink));
    admit_grant(&mut trust, OFFICE, grant(office, PPL, Role::Supervisor, &["1811010"], 3));
    assert_eq!(trust.standing(&red, &[]), Standing::Good);
}

/// What may arrive, in any order.
#[derive(Clone, Debug)]
enum Item {
    Grant(Statement),
    Change(SignedChange),
}

/// A node with a waiting room, as a replica is one.
#[derive(Default)]
struct Node {
    admitted: BTreeMap<ChangeId, AdmittedChange>,
    held: BTreeSet<(Ink, CauseHash)>,
}

impl Node {
    fn take(&mut self, trust: &Trust, signed: &SignedChange) -> bool {
        let held = |ink, cause: &CauseHash| Ok::<_, Infallible>(self.held.contains(&(ink, *cause)));
        let Ok(Verdict::Admit(change)) = trust.judge(verify(signed).unwrap(), held) else { return false };
        self.held.insert((change.change().ink, change.body().hash));
        self.admitted.insert(change.id(), *change);
        true
    }
}

fn take_all(items: &[Item]) -> (Vec<ChangeId>, Vec<Standing>) {
    let (mut trust, mut node) = (founded(), Node::default());
    let mut waiting: Vec<&Item> = Vec::new();
    for item in items {
        waiting.push(item);
        loop {
            let before = waiting.len();
            waiting.retain(|item| match item {
                Item::Grant(statement) => {
                    matches!(trust.judge_statement(statement), StatementVerdict::Wait(_))
                }
                Item::Change(signed) => !node.take(&trust, signed),
            });
            if waiting.len() == before {
                break;
            }
        }
    }
    let standings = node.admitted.values().map(|change| trust.standing(change, &[]));
    (node.admitted.keys().copied().collect(), standings.collect())
}

/// What the definition says is admitted: by granted authors, with all causes admitted.
fn by_the_book(items: &[Item]) -> Vec<ChangeId> {
    let grants: Vec<Item> = items.iter().filter(|item| matches!(item, Item::Grant(_))).cloned().collect();
    let mut granted = founded();
    for _ in 0..grants.len() {
        for item in &grants {
            if let Item::Grant(statement) = item {
                granted.judge_statement(statement);
            }
        }
    }
    let mut admitted: BTreeMap<ChangeId, (Ink, CauseHash)> = BTreeMap::new();
    for _ in 0..items.len() {
        for item in items {
            let Item::Change(signed) = item else { continue };
            let verified = verify(signed).unwrap();
            let Change { author, record, ink, seen, .. } = verified.change();
            let has = |below: bool, cause: &CauseHash| {
                admitted.values().any(|(at, held)| held == cause && if below { at < ink } else { at == ink })
            };
            let causes = verified.body().deps.iter().all(|dep| has(false, dep));
            if causes
                && seen.iter().all(|head| has(true, head))
                && granted.ever_covered(&author.device, &record.home())
            {
                admitted.insert(verified.id(), (*ink, verified.body().hash));
            }
        }
    }
    admitted.into_keys().collect()
}

/// Devices that write in turn, each after meeting some others; some of it gets lost.
fn items() -> impl Strategy<Value = Vec<Item>> {
    let step = (0..4_usize, 0..16_u8, 0..8_u8);
    proptest::collection::vec(step, 1..14).prop_map(|steps| {
        let mut trust = founded();
        let root = say(ROOT_SEED, Said::Grant(grant(charter_id(), OFFICE, Role::District, &["1811"], 1)));
        let StatementVerdict::Admit(office) = trust.judge_statement(&root) else { panic!("office refused") };
        let granted = |subject, role| say(OFFICE, Said::Grant(grant(office, subject, role, &["1811010"], 1)));
        let grants = [root, granted(PPL, Role::Enumerator), granted(PML, Role::Supervisor)];
        let mut items: Vec<Item> = grants.into_iter().map(Item::Grant).collect();
        let writers = [(PPL, Ink::Pencil), (PML, Ink::Red), (STRANGER, Ink::Pencil), (OFFICE, Ink::Black)];
        let mut devices = writers.map(|(seed, _)| Device::new(seed));
        for (turn, (at, meets, kind)) in steps.into_iter().enumerate() {
            for other in (0..4).filter(|other| *other != at && meets >> other & 1 == 1) {
                let mut met = std::mem::replace(&mut devices[other], Device::new(0));
                devices[at].meet(&mut met);
                devices[other] = met;
            }
            let (_, ink) = writers[at];
            let signed = devices[at].write(ink, "r301", turn as i64);
            if kind > 0 {
                items.push(Item::Change(signed));
            }
        }
        items
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_order_of_arrival_admits_the_same_changes(
        (items, shuffled) in items().prop_flat_map(|items| (Just(items.clone()), Just(items).prop_shuffle())),
    ) {
        let straight = take_all(&items);
        prop_assert_eq!(&straight.0, &by_the_book(&items));
        prop_assert_eq!(straight, take_all(&shuffled));
    }
}
