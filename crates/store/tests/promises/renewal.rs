//! A store made anew under another data key: it holds what it held, and its keys open nothing of what was
//! erased in any file before.

use std::collections::BTreeMap;

use rukun_change::InvitationId;
use rukun_store::{OpenError, Store, StoreError, Unlock};

use crate::backend::CrashBackend;
use crate::changes::{DEVICE_SEED, KEY_FILE, SURVEY, create, entropy, open, record, statement_id};
use crate::model::{Act, Model, script};
use crate::seized::{Row, SealingKey, all_rows, filled, key_of, keys, of_record, rows_of};

const NEW_KEY: SealingKey = *b"32 bytes of another key file....";

/// In the invitations of these tests a person's name comes first, before a comma.
fn person(invitation: &[u8]) -> Option<Vec<u8>> {
    let end = invitation.iter().position(|byte| *byte == b',')?;
    Some(invitation[..end].to_ascii_lowercase())
}

fn renewed(store: &Store) -> CrashBackend {
    let disk = CrashBackend::default();
    let (old, new) = (Unlock::KeyFile(&KEY_FILE), Unlock::KeyFile(&NEW_KEY));
    store.renew_to(disk.clone(), old, new, person, &mut entropy(3)).unwrap();
    disk
}

fn open_new(disk: CrashBackend) -> Result<Store, OpenError> {
    Store::open(disk, Unlock::KeyFile(&NEW_KEY), entropy(4))
}

fn sealed(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|row| row.lies_open().is_none())
}

#[test]
fn a_store_made_anew_opens_with_the_new_key_alone_and_holds_all_that_was_not_erased() {
    let disk = CrashBackend::default();
    let (mut store, mut model) = (create(disk.clone()).unwrap(), Model::default());
    for round in 0..4 {
        let last = [Act::Piece(1), Act::Setting(2, Some(round as u8)), Act::Incarnation(1), Act::NextN];
        script(round).iter().chain(&last).for_each(|act| model.act(&mut store, act).unwrap());
    }
    store.commit().unwrap();
    model.agrees(&store);
    assert!(store.renewal_due().unwrap() && !store.duplicates().unwrap().is_empty());
    store.set_setting("staged", Some(b"and not durable")).unwrap();
    let fresh = renewed(&store);
    assert!(store.renewal_due().unwrap(), "this file is what it was");
    drop(store);
    for refused in [open(fresh.clone()), open_new(disk)] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, OpenError::WrongKeyFile), "{refused:?}");
    }
    let mut store = open_new(fresh.clone()).unwrap();
    assert_eq!((store.device_seed(), store.survey()), (&DEVICE_SEED, Some(SURVEY)));
    assert_eq!(store.setting("staged").unwrap(), None);
    assert_eq!(store.duplicates().unwrap(), [], "no number is known before the views are put again");
    assert_eq!(store.stale_records(None, 9).unwrap(), store.records(None, None, 9).unwrap());
    model.renew();
    (8..40).for_each(|at| model.act(&mut store, &Act::Derive(at, vec![at as u8 % 3])).unwrap());
    model.agrees(&store);
    assert!(!store.duplicates().unwrap().is_empty());
    // It goes on as any other, and is made anew as any other.
    for act in [Act::NextN, Act::Change(45, None), Act::Erase(3), Act::Change(39, Some(1))] {
        model.act(&mut store, &act).unwrap();
    }
    store.commit().unwrap();
    let (old, third) = (Unlock::KeyFile(&NEW_KEY), CrashBackend::default());
    store.renew_to(third.clone(), old, old, person, &mut entropy(5)).unwrap();
    drop(store);
    model.agrees(&open_new(fresh).unwrap());
    assert!(!open_new(third).unwrap().renewal_due().unwrap());
}

#[test]
fn only_what_opens_a_store_makes_it_anew_and_only_where_nothing_is() {
    let (disk, fresh) = (CrashBackend::default(), CrashBackend::default());
    let store = create(disk.clone()).unwrap();
    let new = Unlock::KeyFile(&NEW_KEY);
    for wrong in [new, Unlock::Passphrase("kopi tubruk")] {
        let refused = store.renew_to(fresh.clone(), wrong, new, person, &mut entropy(3));
        assert!(matches!(refused, Err(OpenError::WrongKeyFile | OpenError::NeedsKeyFile)), "{refused:?}");
        assert!(fresh.image().is_empty(), "nothing is written under a wrong key");
    }
    let refused = store.renew_to(disk, Unlock::KeyFile(&KEY_FILE), new, person, &mut entropy(3));
    assert!(matches!(refused, Err(OpenError::NotEmpty)), "{refused:?}");
}

#[test]
fn an_invitation_is_found_by_its_person_in_a_store_made_anew_if_it_tells_the_person() {
    let mut store = create(CrashBackend::default()).unwrap();
    let id = |number: u8| InvitationId::from_bytes([number; 16]);
    let said = [("siti", "Siti, once"), ("siti", "Siti, again"), ("budi", "Budi, PPL"), ("wayan", "nobody")];
    for (number, (person, says)) in (1..).zip(said) {
        store.put_invitation(&id(number), person.as_bytes(), says.as_bytes()).unwrap();
    }
    store.commit().unwrap();
    let fresh = open_new(renewed(&store)).unwrap();
    assert_eq!(fresh.invitations().unwrap(), store.invitations().unwrap());
    assert_eq!(fresh.invitation_of(b"siti").unwrap(), Some(id(2)));
    assert_eq!(fresh.invitation_of(b"budi").unwrap(), Some(id(3)));
    assert_eq!(store.invitation_of(b"wayan").unwrap(), Some(id(4)));
    assert_eq!(fresh.invitation_of(b"wayan").unwrap(), None);
}

#[test]
fn with_an_old_copy_of_the_file_the_new_keys_open_nothing_that_was_erased() {
    let copy = filled();
    let gone = record(0, 0);
    let mut store = open(CrashBackend::with_image(copy.clone())).unwrap();
    assert!(store.erase(&gone, &statement_id(8)).unwrap());
    store.commit().unwrap();
    let fresh = renewed(&store).image();
    let refused = open_new(CrashBackend::with_image(copy.clone())).unwrap_err();
    assert!(matches!(refused, OpenError::WrongKeyFile), "{refused:?}");
    let rows = all_rows(&copy);
    // The lock's, the data key, all keys under it, and the records' own.
    let (then, now) = (keys(&rows, &KEY_FILE), keys(&rows_of(&fresh), &NEW_KEY));
    let own_key = of_record(&gone.to_bytes());
    assert!(then.contains_key(&own_key) && !now.contains_key(&own_key));
    let (mut erased, mut others) = (0, 0);
    for row in sealed(&rows) {
        let own = key_of(row, &rows);
        assert!(row.opens_under(&then[&own]).is_some(), "looking finds what opens: {}", row.name());
        assert!(row.opens_under(&NEW_KEY).is_none());
        let opening = now.iter().filter(|(_, key)| row.opens_under(key).is_some());
        let opening: Vec<&String> = opening.map(|(name, _)| name).collect();
        // A record that is kept has the key that it had, which opens what is of that record.
        if own.starts_with("record ") && own != own_key {
            assert_eq!(opening, [&own], "{}", row.name());
            others += 1;
        } else {
            assert_eq!(opening, Vec::<&String>::new(), "{}", row.name());
            erased += usize::from(own == own_key);
        }
    }
    assert!(erased > 3 && others > 1, "{erased} values were erased, {others} of other records were not");
    for (name, key) in &now {
        let same = then.iter().find(|(_, old)| *old == key).map(|(name, _)| name);
        assert_eq!(same.is_some(), name.starts_with("record "), "{name} is the same as {same:?}");
    }
}

#[test]
fn every_value_of_a_store_made_anew_opens_under_its_own_new_key_and_none_is_an_old_one() {
    let image = filled();
    let fresh = renewed(&open(CrashBackend::with_image(image.clone())).unwrap()).image();
    let (old_rows, rows) = (all_rows(&image), rows_of(&fresh));
    let (then, now) = (keys(&old_rows, &KEY_FILE), keys(&rows, &NEW_KEY));
    let holds = |bytes: &[u8]| fresh.windows(bytes.len()).any(|window| window == bytes);
    for row in sealed(&rows) {
        let own = key_of(row, &rows);
        let opening = |keys: &BTreeMap<String, SealingKey>| -> Vec<String> {
            keys.iter()
                .filter(|(_, key)| row.opens_under(key).is_some())
                .map(|(name, _)| name.clone())
                .collect()
        };
        assert_eq!(opening(&now), std::slice::from_ref(&own), "{}", row.name());
        let as_it_was = own.starts_with("record ");
        assert_eq!(opening(&then).is_empty(), !as_it_was, "{}", row.name());
    }
    for old in sealed(&old_rows) {
        let same = rows.iter().find(|row| (row.table.name, &row.key) == (old.table.name, &old.key));
        let same = same.unwrap_or_else(|| panic!("{} is lost", old.name()));
        let as_it_was = key_of(old, &old_rows).starts_with("record ");
        assert_eq!(same.value == old.value, as_it_was, "{}", old.name());
        assert_eq!(holds(&old.value), as_it_was, "{}", old.name());
    }
    for (name, key) in then.iter().chain(&now) {
        assert!(!holds(key), "the key {name} lies in the file");
    }
}

#[test]
fn a_damaged_row_is_not_carried_over() {
    let image = filled();
    let rows = all_rows(&image);
    for row in sealed(&rows) {
        // What is under its record's key goes over as it is, and with a damaged header no store opens.
        let is_header = ["header", "header_copy"].contains(&row.table.name);
        if is_header || key_of(row, &rows).starts_with("record ") {
            continue;
        }
        let disk = CrashBackend::with_image(image.clone());
        let db = redb::Database::builder().create_with_backend(disk.clone()).unwrap();
        let txn = db.begin_write().unwrap();
        let mut value = row.value.clone();
        *value.last_mut().unwrap() ^= 1;
        (row.table.put)(&txn, row.table.name, &row.key, &value);
        txn.commit().unwrap();
        drop(db);
        let (store, key) = (open(disk).unwrap(), Unlock::KeyFile(&KEY_FILE));
        let made = store.renew_to(CrashBackend::default(), key, key, person, &mut entropy(3));
        let Err(OpenError::Store(StoreError::Damaged { table, .. })) = made else {
            panic!("{}: {made:?}", row.name())
        };
        assert_eq!(table, row.table.name);
    }
}
