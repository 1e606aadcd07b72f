//! What a hand-over promises: the next grant on the same path, nothing more than was asked for, and no
//! work stranded.

use rukun_change::{Ink, StatementId};

use super::*;
use crate::fixture::{ROOT_SEED, admit, charter_id, founded, grant, key, say};
use crate::said::{Revocation, Said};
use crate::verdict::{StatementRefusal, StatementVerdict};

const OFFICE: u8 = 2;
const PML: u8 = 3;
const ANI: u8 = 4;
const BUDI: u8 = 5;
const SLS: &str = "18110100050003";
const OTHER: &str = "18110100050004";
const HOME: &str = "1811010005000300";

fn region(code: &str) -> Region {
    code.parse().unwrap()
}

fn regions(codes: &[&str]) -> Vec<Region> {
    codes.iter().map(|code| region(code)).collect()
}

/// An office, a supervisor, and two enumerators of hers: the first in two SLS, the second in another.
fn team() -> (Trust, StatementId, StatementId) {
    let mut trust = founded();
    let office = admit(&mut trust, ROOT_SEED, grant(charter_id(), OFFICE, Role::District, &["1811"], 1));
    let pml = admit(&mut trust, OFFICE, grant(office, PML, Role::Supervisor, &["1811010"], 1));
    admit(&mut trust, PML, grant(pml, ANI, Role::Enumerator, &[SLS, OTHER], 4));
    admit(&mut trust, PML, grant(pml, BUDI, Role::Enumerator, &["18110100060001"], 1));
    (trust, office, pml)
}

fn hand_over(trust: &Trust, issuer: u8, code: &str) -> Result<HandOver, HandOverError> {
    trust.hand_over(&key(issuer), &region(code), &key(ANI), &key(BUDI))
}

/// Hands over, and says it.
fn carry_out(trust: &mut Trust, issuer: u8, code: &str) -> HandOver {
    let over = hand_over(trust, issuer, code).unwrap();
    for grant in &over.grants {
        admit(trust, issuer, grant.clone());
    }
    over
}

/// Revokes a device and keeps all that it granted so far.
fn revoke(trust: &mut Trust, issuer: u8, parent: StatementId, subject: u8) {
    let granted = trust.grants().into_iter().filter(|grant| grant.issuer == key(subject));
    let statements = granted.map(|grant| grant.id).collect();
    let said = Revocation {
        parent,
        subject: key(subject),
        reason: "lost".into(),
        kept: Vec::new(),
        lists: Vec::new(),
        statements,
    };
    let verdict = trust.judge_statement(&say(issuer, Said::Revocation(said)));
    assert!(matches!(verdict, StatementVerdict::Admit(_)), "{verdict:?}");
}

#[test]
fn one_replacing_grant_gives_the_region_beside_the_others_and_one_leaves_what_remains() {
    let (mut trust, _, pml) = team();
    let over = carry_out(&mut trust, PML, SLS);
    let [given, left] = over.grants.as_slice() else { panic!("{over:?}") };
    assert_eq!(*given, grant(pml, BUDI, Role::Enumerator, &[SLS, "18110100060001"], 2));
    assert_eq!(*left, grant(pml, ANI, Role::Enumerator, &[OTHER], 5));
    assert_eq!((over.regions, over.others), (regions(&[SLS]), Vec::new()));
    assert_eq!(trust.reads(&key(BUDI)), regions(&[SLS, "18110100060001"]));
    assert_eq!(trust.reads(&key(ANI)), regions(&[OTHER]));
}

#[test]
fn a_larger_region_hands_over_all_that_lies_in_it_and_leaves_a_grant_of_none() {
    let (mut trust, _, pml) = team();
    let over = carry_out(&mut trust, PML, "1811010005");
    assert_eq!(over.regions, regions(&[SLS, OTHER]));
    assert_eq!(over.grants[1], grant(pml, ANI, Role::Enumerator, &[], 5));
    assert_eq!(trust.reads(&key(ANI)), []);
    // Her work is admitted as before, she is no stranger, and has a name.
    let home = HOME.parse().unwrap();
    assert!(trust.ever_covered(&key(ANI), &home) && trust.ever_wrote(&key(ANI), &home, Ink::Pencil));
    assert_eq!(trust.name_of(&key(ANI)), Some("device 4"));
    let again = hand_over(&trust, PML, "1811010005");
    assert_eq!(again, Err(HandOverError::NotHeld { name: "device 4".into(), region: region("1811010005") }));
}

#[test]
fn a_grant_of_no_region_takes_back_what_its_path_gave_and_nothing_else() {
    let (mut trust, office, pml) = team();
    admit(&mut trust, OFFICE, grant(office, ANI, Role::Enumerator, &["1811020"], 1));
    admit(&mut trust, PML, grant(pml, ANI, Role::Enumerator, &[], 5));
    assert_eq!(trust.reads(&key(ANI)), regions(&["1811020"]));
    admit(&mut trust, PML, grant(pml, ANI, Role::Enumerator, &[SLS], 6));
    assert_eq!(trust.reads(&key(ANI)), regions(&[SLS, "1811020"]));
}

#[test]
fn nothing_rests_on_a_grant_of_no_region() {
    let (mut trust, office, _) = team();
    let empty = admit(&mut trust, OFFICE, grant(office, PML, Role::Supervisor, &[], 2));
    assert_eq!(trust.reads(&key(ANI)), []);
    let verdict =
        trust.judge_statement(&say(PML, Said::Grant(grant(empty, 9, Role::Enumerator, &[HOME], 1))));
    assert_eq!(verdict, StatementVerdict::Refuse(StatementRefusal::Wider { region: region(HOME) }));
    let refused = hand_over(&trust, PML, SLS).unwrap_err();
    assert!(matches!(refused, HandOverError::NotOwn { .. }), "{refused}");
}

#[test]
fn a_part_of_a_larger_region_is_not_handed_over() {
    let (mut trust, _, pml) = team();
    admit(&mut trust, PML, grant(pml, ANI, Role::Enumerator, &["1811010005"], 5));
    let refused = hand_over(&trust, PML, SLS).unwrap_err();
    let (region, wide) = (region(SLS), region("1811010005"));
    assert_eq!(refused, HandOverError::Part { name: "device 4".into(), region, wide });
    assert!(refused.to_string().contains("first grant device 4 in parts"), "{refused}");
    // As the message says.
    admit(&mut trust, PML, grant(pml, ANI, Role::Enumerator, &[SLS, OTHER], 6));
    carry_out(&mut trust, PML, SLS);
    assert_eq!(trust.reads(&key(ANI)), regions(&[OTHER]));
}

#[test]
fn a_region_that_the_taker_has_already_is_only_taken_from_the_giver() {
    let (mut trust, _, pml) = team();
    admit(&mut trust, PML, grant(pml, BUDI, Role::Enumerator, &["1811010005"], 2));
    let over = carry_out(&mut trust, PML, SLS);
    assert_eq!(over.grants, [grant(pml, ANI, Role::Enumerator, &[OTHER], 5)]);
}

#[test]
fn nobody_is_given_another_role_by_a_hand_over() {
    let (mut trust, office, _) = team();
    admit(&mut trust, OFFICE, grant(office, BUDI, Role::Supervisor, &["1811020"], 1));
    admit(&mut trust, OFFICE, grant(office, ANI, Role::Enumerator, &[SLS], 1));
    let refused = hand_over(&trust, OFFICE, SLS).unwrap_err();
    let (role, wanted) = (Role::Supervisor, Role::Enumerator);
    assert_eq!(refused, HandOverError::OtherRole { name: "device 5".into(), role, wanted });
    // Who has nothing left takes any role.
    admit(&mut trust, OFFICE, grant(office, BUDI, Role::Supervisor, &[], 2));
    carry_out(&mut trust, OFFICE, SLS);
    assert_eq!(trust.roles_at(&key(BUDI), &HOME.parse().unwrap()), [Role::Enumerator]);
}

#[test]
fn what_somebody_else_granted_is_handed_over_there_and_told() {
    let (mut trust, office, _) = team();
    let refused = hand_over(&trust, OFFICE, SLS).unwrap_err();
    let issuer = "device 3".into();
    assert_eq!(refused, HandOverError::Elsewhere { name: "device 4".into(), region: region(SLS), issuer });
    admit(&mut trust, OFFICE, grant(office, ANI, Role::Enumerator, &[SLS], 1));
    let over = carry_out(&mut trust, OFFICE, SLS);
    assert_eq!(over.others, [key(PML)]);
    assert!(trust.reads(&key(ANI)).contains(&region(SLS)), "by the grant of the supervisor");
}

#[test]
fn a_supervisor_who_interviewed_herself_hands_that_over_and_stays_supervisor() {
    let (mut trust, _, pml) = team();
    admit(&mut trust, PML, grant(pml, PML, Role::Enumerator, &["18110100050009"], 1));
    let over = trust.hand_over(&key(PML), &region("18110100050009"), &key(PML), &key(BUDI)).unwrap();
    assert_eq!(over.others, [], "what she holds as supervisor is another matter");
    for grant in over.grants {
        admit(&mut trust, PML, grant);
    }
    assert_eq!(trust.roles_at(&key(PML), &"1811010005000900".parse().unwrap()), [Role::Supervisor]);
}

#[test]
fn the_regions_of_a_revoked_device_go_to_another() {
    let (mut trust, office, _) = team();
    revoke(&mut trust, OFFICE, office, ANI);
    assert_eq!(trust.reads(&key(ANI)), []);
    carry_out(&mut trust, PML, SLS);
    assert!(trust.reads(&key(BUDI)).contains(&region(SLS)));
    assert_eq!(trust.reads(&key(ANI)), []);
}

#[test]
fn what_the_issuer_may_no_longer_grant_is_not_handed_over() {
    let (mut trust, office, pml) = team();
    admit(&mut trust, OFFICE, grant(office, PML, Role::Supervisor, &["1811010006"], 2));
    let refused = hand_over(&trust, PML, SLS).unwrap_err();
    assert!(matches!(refused, HandOverError::NotOwn { .. }), "{refused}");
    // Nor what the taker was granted before, and reads no more.
    admit(&mut trust, PML, grant(pml, BUDI, Role::Enumerator, &["1811010005"], 2));
    let refused = hand_over(&trust, PML, "1811010005").unwrap_err();
    assert!(refused.to_string().contains("what device 5 holds as enumerator (1811010005)"), "{refused}");
    let unknown = trust.hand_over(&key(PML), &region(SLS), &key(ANI), &key(9));
    assert_eq!(unknown, Err(HandOverError::Unknown { device: key(9) }));
}

#[test]
fn a_revoked_issuer_does_not_even_take_away_what_the_taker_has_too() {
    let (mut trust, office, pml) = team();
    admit(&mut trust, PML, grant(pml, BUDI, Role::Enumerator, &["1811010005"], 2));
    revoke(&mut trust, OFFICE, office, PML);
    let refused = hand_over(&trust, PML, "1811010005").unwrap_err();
    let (name, regions) = ("device 4".into(), "nothing".into());
    assert_eq!(refused, HandOverError::NotOwn { name, role: Role::Enumerator, regions });
}
