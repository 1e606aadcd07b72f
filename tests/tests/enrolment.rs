//! Enrolment over real stores: what a code is for is granted once, whatever write the relay or the device
//! stops at, and what the answer brings is checked before it is believed.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::net::{IpAddr, Ipv4Addr};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rukun_authority::{Charter, Keypair, Role, Statement};
use rukun_change::{Digest, Incarnation, Moment};
use rukun_replica::{
    Code, EnrolAnswer, EnrolError, EnrolRefusal, Enrolled, Fate, InvitationError, Invited, NewGrant,
    NewInvitation, NewStore, Officer, Replica, ReplicaError, Session, Store, Unlock, ask, believe,
};
use rukun_tests::by_hand::{Node, QUESTIONNAIRE, World, new_grant};
use rukun_tests::world::disk::{Disk, Trouble};

const NOW: Moment = Moment { wall_ms: 1_665_800_000_000, steady_ms: 0 };
const EXPIRES_MS: i64 = NOW.wall_ms + 1_000;
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const OFFICE: u8 = 2;
/// More writes than one commit takes.
const WRITES_MAX: u64 = 1_000;

fn made(seed: u8) -> (Disk, Replica) {
    let disk = Disk::default();
    let new = NewStore { device_seed: [seed; 32], incarnation: Incarnation::from_bytes([seed; 4]) };
    let entropy = &mut ChaCha20Rng::from_seed([seed; 32]);
    let store = Store::create(disk.clone(), Unlock::KeyFile(&[7; 32]), &new, entropy).unwrap();
    (disk, Replica::open(store, [seed; 32]).unwrap())
}

fn opened(disk: Disk) -> Replica {
    let store = Store::open(disk, Unlock::KeyFile(&[7; 32]), ChaCha20Rng::from_seed([8; 32])).unwrap();
    Replica::open(store, [9; 32]).unwrap()
}

fn office() -> (Disk, Replica) {
    let (disk, mut office) = made(OFFICE);
    let charter = Charter {
        name: "Regsosek".into(),
        code: "regsosek".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: Digest::of(QUESTIONNAIRE),
        dictionary: None,
    };
    let root = Keypair::from_seed(&[1; 32]);
    let district = new_grant(office.device(), Role::District, &["1811"]);
    office.found(&root, charter, QUESTIONNAIRE, district).unwrap();
    office.commit().unwrap();
    (disk, office)
}

fn code() -> Code {
    Code::from_random(&[5; 20])
}

fn siti() -> NewInvitation {
    let officer = Officer {
        name: "Siti Aminah".into(),
        phone: "0812".into(),
        role: Role::Enumerator,
        regions: vec!["18110100050004".parse().unwrap(), "18110100050003".parse().unwrap()],
    };
    let (id, proof_key) = (code().invitation(), code().proof_key());
    NewInvitation { id, proof_key, officer, expires_ms: EXPIRES_MS }
}

/// The session of a device with the office.
fn session(device: u8, exported: u8) -> Session {
    let key = |seed| Keypair::from_seed(&[seed; 32]).key();
    Session { exported: [exported; 32], device: key(device), relay: key(OFFICE) }
}

/// What the device hears, once the relay has committed it.
fn asks(office: &mut Replica, session: &Session) -> Result<Result<Enrolled, EnrolError>, InvitationError> {
    let answer = office.enrol(NOW, HERE, session, &ask(&code(), session, None))?;
    office.commit()?;
    while office.poll().is_some() {}
    // It travels, so it has a spelling.
    Ok(believe(&code(), session, EnrolAnswer::decode(&answer.encode()).unwrap()))
}

fn used(office: &Replica) -> Option<rukun_change::DeviceKey> {
    match office.invitations().unwrap()[0].1.fate {
        Fate::Used { device, .. } => Some(device),
        Fate::Open => None,
        Fate::Withdrawn { .. } => panic!("nobody withdrew it"),
    }
}

#[test]
fn a_device_is_granted_what_its_officer_was_invited_to() {
    let (_, mut office) = office();
    assert_eq!(office.invite(NOW, siti()).unwrap(), Invited::Made);
    assert_eq!(office.invite(NOW, siti()).unwrap(), Invited::There(code().invitation()));
    let (disk, mut device) = made(20);
    let enrolled = asks(&mut office, &session(20, 1)).unwrap().unwrap();
    let view = device.take_enrolment(&office.device(), &enrolled).unwrap();
    device.commit().unwrap();
    drop(device);
    let device = opened(Disk::holding(disk.after_kill()));
    assert_eq!(device.survey(), office.survey());
    let grants = device.trust().unwrap().grants_of(&device.device());
    assert_eq!(grants, [view]);
    assert_eq!((grants[0].name.as_str(), grants[0].role), ("Siti Aminah", Role::Enumerator));
    let regions: Vec<String> = grants[0].in_force.iter().map(ToString::to_string).collect();
    assert_eq!(regions, ["18110100050003", "18110100050004"]);
    assert_eq!(used(&office), Some(device.device()));
    // What was granted stays, so the person is not invited twice; and it can't be taken back so.
    assert!(matches!(office.invite(NOW, siti()).unwrap(), Invited::There(_)));
    assert!(matches!(office.withdraw(NOW, &code().invitation()), Err(InvitationError::Used { .. })));
}

#[test]
fn at_whatever_write_the_relay_stops_the_code_enrols_one_device_and_tells_it_the_same() {
    let (disk, mut office) = office();
    office.invite(NOW, siti()).unwrap();
    office.commit().unwrap();
    drop(office);
    let image = disk.after_kill();
    let (mut before, mut after) = (0, 0);
    for writes in 0.. {
        assert!(writes < WRITES_MAX, "one commit takes fewer writes");
        let disk = Disk::holding(image.clone());
        let mut office = opened(disk.clone());
        disk.trouble(Trouble::StopsAfter(writes));
        let first = asks(&mut office, &session(20, 1));
        let went_through = disk.hit().is_none();
        drop(office);
        assert_eq!(first.is_ok(), went_through, "nothing is answered that did not become durable");
        let mut office = opened(Disk::holding(disk.after_kill()));
        match used(&office) {
            Some(device) => {
                after += 1;
                assert_eq!(device, session(20, 1).device);
                // Another device comes first this time.
                let other = asks(&mut office, &session(21, 2)).unwrap();
                let refusal = EnrolRefusal::Used { at_ms: NOW.wall_ms };
                assert_eq!(other, Err(EnrolError::Refused(refusal)));
            }
            None => before += 1,
        }
        let again = asks(&mut office, &session(20, 3)).unwrap().unwrap();
        let grants = office.trust().unwrap().grants_of(&session(20, 1).device);
        assert_eq!(grants.len(), 1, "it is granted once");
        if let Ok(first) = first {
            assert_eq!(first.unwrap(), again);
        }
        assert_eq!(asks(&mut office, &session(20, 4)).unwrap().unwrap(), again);
        assert!(asks(&mut office, &session(21, 5)).unwrap().is_err());
        if went_through {
            break;
        }
    }
    assert!(before > 0 && after > 1, "stopped {before} times before it counted and {after} times after");
}

#[test]
fn at_whatever_write_the_device_stops_it_is_enrolled_when_it_asks_again() {
    let (_, mut office) = office();
    office.invite(NOW, siti()).unwrap();
    let (disk, mut device) = made(20);
    device.commit().unwrap();
    drop(device);
    let image = disk.after_kill();
    for writes in 0.. {
        assert!(writes < WRITES_MAX, "one commit takes fewer writes");
        let disk = Disk::holding(image.clone());
        let mut device = opened(disk.clone());
        let enrolled = asks(&mut office, &session(20, 1)).unwrap().unwrap();
        disk.trouble(Trouble::StopsAfter(writes));
        let took = device.take_enrolment(&office.device(), &enrolled);
        let took = took.and_then(|_| Ok(device.commit()?));
        let stopped = disk.hit().is_some();
        drop(device);
        assert_eq!(took.is_err(), stopped);
        let mut device = opened(Disk::holding(disk.after_kill()));
        let again = asks(&mut office, &session(20, 2)).unwrap().unwrap();
        device.take_enrolment(&office.device(), &again).unwrap();
        device.commit().unwrap();
        assert_eq!(device.trust().unwrap().grants_of(&device.device()).len(), 1);
        if !stopped {
            break;
        }
    }
}

#[test]
fn nothing_is_granted_by_a_wrong_code_or_to_the_sixth_try() {
    let (_, mut office) = office();
    office.invite(NOW, siti()).unwrap();
    let here = session(20, 1);
    for guess in 0..5 {
        let wrong = Code::from_random(&[10 + guess; 20]);
        let answer = office.enrol(NOW, HERE, &here, &ask(&wrong, &here, None)).unwrap();
        let refusal = EnrolError::Refused(EnrolRefusal::Unknown);
        assert_eq!(believe(&wrong, &here, answer), Err(refusal));
    }
    assert_eq!(office.guessers(NOW)[0].tries, 5);
    let until_ms = NOW.wall_ms + 3_600_000;
    let refusal = EnrolError::Refused(EnrolRefusal::Guessed { until_ms });
    assert_eq!(asks(&mut office, &here).unwrap(), Err(refusal));
    assert_eq!(used(&office), None);
    assert_eq!(office.trust().unwrap().grants().len(), 1, "the office's own");
}

#[test]
fn an_office_that_may_grant_less_than_it_could_refuses_and_the_code_is_not_used_up() {
    let (_, mut office) = office();
    office.invite(NOW, siti()).unwrap();
    let root = Keypair::from_seed(&[1; 32]);
    let narrowed = new_grant(office.device(), Role::District, &["1811020"]);
    office.grant(Some(&root), narrowed).unwrap();
    let here = session(20, 1);
    assert_eq!(asks(&mut office, &here).unwrap(), Err(EnrolError::Refused(EnrolRefusal::NotGranted)));
    assert_eq!(used(&office), None);
    office.grant(Some(&root), new_grant(office.device(), Role::District, &["1811"])).unwrap();
    assert!(asks(&mut office, &here).unwrap().is_ok());
}

#[test]
fn a_code_whose_use_a_backup_does_not_know_of_enrols_nobody_else_once_the_grant_is_back() {
    let (_, mut office) = office();
    let other = Code::from_random(&[6; 20]);
    let phone = "0813".into();
    let namesake = Officer { phone, ..siti().officer };
    let ids = (other.invitation(), other.proof_key());
    office.invite(NOW, siti()).unwrap();
    let expires_ms = EXPIRES_MS;
    office.invite(NOW, NewInvitation { id: ids.0, proof_key: ids.1, officer: namesake, expires_ms }).unwrap();
    // What a relay that was put back from a backup has: the grant, and no mark that the code led to it.
    let (first, second) = (session(20, 1), session(21, 1));
    let again = NewGrant {
        name: "Siti Aminah".into(),
        ..new_grant(first.device, Role::Enumerator, &["18110100050004", "18110100050003"])
    };
    let granted = office.grant(None, again).unwrap();
    let by_another = asks(&mut office, &second).unwrap();
    assert!(matches!(by_another, Err(EnrolError::Refused(EnrolRefusal::Used { .. }))), "{by_another:?}");
    let fate = |code: &Code| {
        let held = office.invitations().unwrap();
        held.into_iter().find(|(id, _)| *id == code.invitation()).unwrap().1.fate
    };
    let led_to = Fate::Used { device: first.device, grant: granted.id, at_ms: NOW.wall_ms };
    assert_eq!((fate(&code()), fate(&other)), (led_to, Fate::Open));
    // The device itself is told of its grant, and a namesake's card is her own.
    assert!(asks(&mut office, &first).unwrap().is_ok());
    let answer = office.enrol(NOW, HERE, &second, &ask(&other, &second, None)).unwrap();
    assert!(believe(&other, &second, answer).is_ok());
}

#[test]
fn a_code_takes_nothing_from_a_device_that_has_another_role_or_other_places() {
    let refused = Err(EnrolError::Refused(EnrolRefusal::HasOther));
    let both = &["18110100050003", "18110100050004"][..];
    let had = [
        (Role::Supervisor, &["1811010005"][..], false),
        (Role::Enumerator, &["18110100050003", "18110100050009"], false),
        (Role::Enumerator, &["18110100050003"], true),
        (Role::Enumerator, both, true),
    ];
    for (role, places, may) in had {
        let (_, mut office) = office();
        let here = session(20, 1);
        office.grant(None, new_grant(here.device, role, places)).unwrap();
        let before = office.trust().unwrap().reads(&here.device);
        office.invite(NOW, siti()).unwrap();
        let answer = asks(&mut office, &here).unwrap();
        if may {
            assert!(answer.is_ok(), "{role} {places:?}: {answer:?}");
        } else {
            assert_eq!(answer, refused, "{role} {places:?}");
            assert_eq!((used(&office), office.trust().unwrap().reads(&here.device)), (None, before));
        }
    }
}

#[test]
fn who_goes_on_under_another_key_is_not_invited_again() {
    let mut world = World::new(1);
    let (office, phone) = (Node(0), world.add_bare(20));
    let new = || NewInvitation { expires_ms: i64::MAX, ..siti() };
    let now = world.now();
    world.replicas[office.0].invite(now, new()).unwrap();
    let here = Session { exported: [1; 32], device: world.key(phone), relay: world.key(office) };
    let answer = world.replicas[office.0].enrol(now, HERE, &here, &ask(&code(), &here, None)).unwrap();
    world.commit(office);
    let enrolled = believe(&code(), &here, answer).unwrap();
    world.replicas[phone.0].take_enrolment(&here.relay, &enrolled).unwrap();
    world.replicas[phone.0].rotate(now, [22; 32]).unwrap();
    world.commit(phone);
    world.link(phone, office);
    world.settle(10_000);
    assert!(
        world.replicas[office.0].trust().unwrap().reads(&here.device).is_empty(),
        "its key is another one"
    );
    assert!(matches!(world.replicas[office.0].invite(now, new()).unwrap(), Invited::There(_)));
}

#[test]
fn a_revoked_device_uses_no_code_up_and_is_granted_nothing() {
    let (_, mut office) = office();
    let lost = session(20, 1);
    office.grant(None, new_grant(lost.device, Role::Enumerator, &["18110100050003"])).unwrap();
    office.revoke(None, &lost.device, "hilang").unwrap();
    office.invite(NOW, siti()).unwrap();
    assert_eq!(asks(&mut office, &lost).unwrap(), Err(EnrolError::Refused(EnrolRefusal::NotGranted)));
    assert_eq!(used(&office), None);
    assert!(asks(&mut office, &session(21, 1)).unwrap().is_ok());
}

#[test]
fn a_device_of_another_survey_does_not_use_its_code_up() {
    let (_, mut office) = office();
    office.invite(NOW, siti()).unwrap();
    let here = session(20, 1);
    let elsewhere = ask(&code(), &here, Some(rukun_change::SurveyId::from_bytes([9; 32])));
    let answer = office.enrol(NOW, HERE, &here, &elsewhere).unwrap();
    let refusal = EnrolError::Refused(EnrolRefusal::OtherSurvey);
    assert_eq!(believe(&code(), &here, answer), Err(refusal));
    assert_eq!(used(&office), None);
    let member = ask(&code(), &here, office.survey());
    assert!(believe(&code(), &here, office.enrol(NOW, HERE, &here, &member).unwrap()).is_ok());
}

#[test]
fn a_device_believes_no_grant_path_that_does_not_hold() {
    let (_, mut office) = office();
    office.invite(NOW, siti()).unwrap();
    let good = asks(&mut office, &session(20, 1)).unwrap().unwrap();
    assert_eq!(good.statements.len(), 3, "charter, district, device");
    let forged = {
        let mut bytes = good.statements[2].clone();
        *bytes.last_mut().unwrap() ^= 1;
        assert!(Statement::from_bytes(&bytes).is_ok(), "only its signature is wrong");
        bytes
    };
    let with = |statements: &[&Vec<u8>]| Enrolled {
        statements: statements.iter().map(|bytes| (*bytes).clone()).collect(),
        ..good.clone()
    };
    let [charter, district, grant] = [0, 1, 2].map(|at| &good.statements[at]);
    let other_survey = Enrolled { survey: rukun_change::SurveyId::from_bytes([9; 32]), ..good.clone() };
    let lies = [
        with(&[]),
        with(&[charter, district]),
        with(&[charter, grant, district]),
        with(&[district, grant]),
        with(&[charter, district, &forged]),
        with(&[charter, district, &b"nonsense".to_vec()]),
        other_survey,
    ];
    for lie in lies {
        let (_, mut device) = made(20);
        let refused = device.take_enrolment(&office.device(), &lie);
        assert!(matches!(refused, Err(InvitationError::Path(_))), "{refused:?}");
        assert_eq!(device.survey(), None, "nothing of it is taken");
    }
    let (_, mut stranger) = made(21);
    let refused = stranger.take_enrolment(&office.device(), &good);
    assert!(matches!(refused, Err(InvitationError::Path(_))), "the grant is another device's");
}

#[test]
fn an_invitation_outlives_a_restart_and_a_failed_commit_leaves_none() {
    let (disk, mut office) = office();
    office.invite(NOW, siti()).unwrap();
    disk.trouble(Trouble::SyncFails);
    assert!(matches!(office.commit(), Err(ReplicaError::Store(_))));
    drop(office);
    let mut office = opened(Disk::holding(disk.after_kill()));
    // What was written and not synced may be there after a kill; it is there whole or not at all.
    let invited = office.invite(NOW, siti()).unwrap();
    assert_eq!(office.invitations().unwrap().len(), 1, "{invited:?}");
    office.commit().unwrap();
    assert!(asks(&mut office, &session(20, 1)).unwrap().is_ok());
}
