//! What a device's own people see of conflicts, and which of them they settle.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rukun_authority::{Charter, Keypair, Role, Statement};
use rukun_change::{Digest, Incarnation, Moment, RecordId};
use rukun_document::{ConflictKind, Place};
use rukun_store::{InMemoryBackend, NewStore, Store, Unlock};
use serde_json::{Value, json};

use super::*;
use crate::survey::NewGrant;

const NOW: Moment = Moment { wall_ms: 1_665_800_000_000, steady_ms: 0 };
const HOME: &str = "1811010005000300";
const QUESTIONNAIRE: &[u8] = b"variable,block,level,label_id,label_en,kind,min,max,required_when
r108,I,family,Nama kepala keluarga,Name of family head,text,,,optional
r304,III,family,Jenis dinding terluas,Wall material,integer,1,7,optional
r402,IV,member,Nama,Name,text,,,optional
r403,IV,member,NIK,National identity number,digits16,,,optional
";

fn bare(seed: u8) -> Replica {
    let new = NewStore { device_seed: [seed; 32], incarnation: Incarnation::from_bytes([seed; 4]) };
    let mut entropy = ChaCha20Rng::from_seed([seed; 32]);
    let store = Store::create(InMemoryBackend::new(), Unlock::KeyFile(&[7; 32]), &new, &mut entropy);
    Replica::open(store.unwrap(), [seed; 32]).unwrap()
}

fn new_grant(to: &Replica, role: Role, region: &str) -> NewGrant {
    NewGrant { subject: to.device(), role, regions: vec![region.parse().unwrap()], name: role.to_string() }
}

/// The district office, which founded a survey.
fn office() -> Replica {
    let mut office = bare(1);
    let charter = Charter {
        name: "Regsosek 2022".into(),
        code: "REGSOSEK22".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: Digest::of(QUESTIONNAIRE),
        dictionary: None,
    };
    let grant = new_grant(&office, Role::District, "1811");
    office.found(&Keypair::from_seed(&[9; 32]), charter, QUESTIONNAIRE, grant).unwrap();
    office
}

/// A device that the office granted a role, and that knows all that the office does.
fn officer(seed: u8, office: &mut Replica, role: Role) -> Replica {
    let mut officer = bare(seed);
    officer.join(office.survey().unwrap()).unwrap();
    office.grant(None, new_grant(&officer, role, "1811010005")).unwrap();
    meet(&mut officer, office);
    officer
}

/// One takes over all that another holds.
fn meet(one: &mut Replica, other: &Replica) {
    for statement in other.statements_held().unwrap() {
        one.take_claim(Statement::from_bytes(&statement).unwrap(), None).unwrap();
    }
    one.statements_changed().unwrap();
    let (digest, total) = (Digest::of(QUESTIONNAIRE), QUESTIONNAIRE.len() as u64);
    if one.questionnaire.is_none() {
        one.store.put_blob(&digest, 0, total, QUESTIONNAIRE).unwrap();
        one.load_questionnaire().unwrap();
    }
    for record in other.record_ids().unwrap() {
        for change in other.changes_of(&record).unwrap() {
            let survey = other.survey().unwrap();
            let change = VerifiedChange::verify(change.signed().clone(), &survey).unwrap();
            assert!(matches!(one.admit(change, None), Ok(Admission::Done(_))));
        }
    }
}

fn add(replica: &mut Replica, patch: &Value) -> RecordId {
    replica.add_record(NOW, HOME.parse().unwrap(), None, patch).unwrap().0
}

fn kinds(replica: &mut Replica, record: &RecordId) -> Vec<ConflictKind> {
    replica.show_conflicts(record).unwrap().iter().map(|conflict| conflict.kind).collect()
}

#[test]
fn a_number_that_was_corrected_is_shared_no_more_at_once() {
    let mut office = office();
    let with_nik = |nik: &str| json!({"members": {"+1": {"r403": nik}}});
    let one = add(&mut office, &with_nik("1811014107850001"));
    let two = add(&mut office, &with_nik("1811014107850001"));
    assert_eq!(kinds(&mut office, &one), [ConflictKind::Duplicate], "nobody looked at any list before");

    let members = [&one, &two].map(|record| office.reading(record).unwrap().members()[0]);
    let patch = json!({"members": {members[1].to_string(): {"r403": "1811014107850002"}}});
    office.edit(NOW, &two, None, &patch).unwrap().unwrap();
    let value = Choice::Value(Scalar::Text("1811014107850003".into()));
    let settled = office.resolve(NOW, &one, &Place::of(members[0], "r403"), &value, None);
    assert!(matches!(settled, Err(ActionError::NoConflict { .. })), "{settled:?}");
    assert_eq!(kinds(&mut office, &one), []);
}

/// A family whose wall the enumerator corrected after the supervisor had, neither having seen the other.
fn corrected_blindly() -> (RecordId, Replica, Replica) {
    let mut office = office();
    let mut pml = officer(2, &mut office, Role::Supervisor);
    let mut ppl = officer(3, &mut office, Role::Enumerator);
    meet(&mut pml, &office);
    let record = add(&mut ppl, &json!({"r304": 3}));
    meet(&mut pml, &ppl);
    pml.edit(NOW, &record, None, &json!({"r304": 4})).unwrap().unwrap();
    ppl.edit(NOW, &record, None, &json!({"r304": 5})).unwrap().unwrap();
    meet(&mut pml, &ppl);
    meet(&mut ppl, &pml);
    assert_eq!(kinds(&mut ppl, &record), [ConflictKind::Stale]);
    assert_eq!(kinds(&mut pml, &record), [ConflictKind::Stale]);
    (record, ppl, pml)
}

#[test]
fn nobody_is_told_that_a_conflict_is_settled_by_an_ink_below_it() {
    let (record, mut ppl, mut pml) = corrected_blindly();
    let place = Place::family("r304");
    for value in [5, 6] {
        let settled = ppl.resolve(NOW, &record, &place, &Choice::Value(Scalar::Int(value)), None);
        let Err(refused @ ActionError::SettlesNothing { .. }) = settled else { panic!("{settled:?}") };
        assert_eq!(
            refused.to_string(),
            format!(
                "that answer in pencil settles nothing in r304 of record {record}; settle it in red, \
                 or leave it to the supervisor"
            )
        );
    }
    let log = ppl.reading(&record).unwrap().log().len();
    assert_eq!((log, kinds(&mut ppl, &record)), (3, vec![ConflictKind::Stale]), "nothing was written");
    pml.resolve(NOW, &record, &place, &Choice::Value(Scalar::Int(6)), None).unwrap();
    assert_eq!(kinds(&mut pml, &record), []);
}

#[test]
fn a_lower_ink_settles_what_it_can_by_agreeing_with_the_correction() {
    let (record, mut ppl, _) = corrected_blindly();
    let shown = ppl.show_conflicts(&record).unwrap();
    let red = shown[0].candidates.iter().find(|candidate| candidate.ink == Ink::Red).unwrap().change;
    ppl.resolve(NOW, &record, &Place::family("r304"), &Choice::Pick(red), None).unwrap();
    assert_eq!(kinds(&mut ppl, &record), []);
}

#[test]
fn who_marked_nothing_may_stand_by_a_mark_in_a_higher_ink_and_not_take_it_away() {
    let (record, mut ppl, mut pml) = corrected_blindly();
    pml.resolve(NOW, &record, &Place::family("r304"), &Choice::Value(Scalar::Int(4)), None).unwrap();
    pml.mark_gone(NOW, &record, None, "pindah", None).unwrap();
    ppl.edit(NOW, &record, None, &json!({"r108": "Siti"})).unwrap().unwrap();
    meet(&mut ppl, &pml);
    assert_eq!(kinds(&mut ppl, &record), [ConflictKind::Presence]);
    let gone = Place::gone(None);
    let taken_away = ppl.resolve(NOW, &record, &gone, &Choice::Value(Scalar::Null), None);
    assert!(
        matches!(taken_away, Err(ActionError::SettlesNothing { needed: Ink::Red, .. })),
        "{taken_away:?}"
    );
    ppl.resolve(NOW, &record, &gone, &Choice::Value(Scalar::Text("pindah".into())), None).unwrap();
    assert_eq!(kinds(&mut ppl, &record), []);
}
