//! What a device's own people see of conflicts.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rukun_authority::{Charter, Keypair, Role};
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
