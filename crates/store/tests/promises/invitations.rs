//! Invitations: kept, replaced, found by person, and told by no file.

use rukun_change::InvitationId;

use crate::backend::CrashBackend;
use crate::changes::{create, open};

const PERSON: &[u8] = b"siti aminah 081234567890";
const SAYS: &[u8] = b"Siti Aminah, PPL, 081234567890";

fn id(number: u8) -> InvitationId {
    InvitationId::from_bytes([number; 16])
}

#[test]
fn an_invitation_is_kept_replaced_and_found_by_its_person() {
    let disk = CrashBackend::default();
    let mut store = create(disk.clone()).unwrap();
    store.put_invitation(&id(1), PERSON, SAYS).unwrap();
    store.put_invitation(&id(2), b"budi", b"Budi").unwrap();
    store.put_invitation(&id(1), PERSON, b"used").unwrap();
    store.commit().unwrap();
    // What is staged and not committed is not there any more.
    store.put_invitation(&id(2), b"budi", b"lost").unwrap();
    drop(store);
    let mut store = open(disk).unwrap();
    assert_eq!(store.invitations().unwrap(), [(id(1), b"used".to_vec()), (id(2), b"Budi".to_vec())]);
    assert_eq!(store.invitation(&id(1)).unwrap().as_deref(), Some(&b"used"[..]));
    assert_eq!(store.invitation(&id(3)).unwrap(), None);
    store.put_invitation(&id(3), PERSON, b"once more").unwrap();
    assert_eq!(store.invitation_of(PERSON).unwrap(), Some(id(3)));
    assert_eq!(store.invitation_of(b"wayan").unwrap(), None);
    assert_eq!(store.invitations().unwrap().len(), 3);
}

#[test]
fn the_file_names_nobody_who_was_invited() {
    let disk = CrashBackend::default();
    let mut store = create(disk.clone()).unwrap();
    store.put_invitation(&id(1), PERSON, SAYS).unwrap();
    store.commit().unwrap();
    drop(store);
    let image = disk.image();
    let holds = |planted: &[u8]| image.windows(planted.len()).any(|window| window == planted);
    assert!(holds(&[1; 16]) && holds(b"invitation"), "looking finds what is there");
    for planted in [&PERSON[..8], &SAYS[..8], b"Aminah", b"aminah", b"081234567890"] {
        assert!(!holds(planted), "{planted:?}");
    }
}
