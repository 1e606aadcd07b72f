//! The data folder over real files.

use super::*;

fn folder() -> (tempfile::TempDir, Folder) {
    let parent = tempfile::tempdir().unwrap();
    let folder = Folder::at(parent.path().join("data"));
    (parent, folder)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_store_is_made_once_and_opened_again_by_its_owner_alone() {
    let (_parent, folder) = folder();
    assert!(matches!(folder.open_store(), Err(DiskError::NoStore { .. })));
    let seed = *folder.create_store().unwrap().device_seed();
    assert_eq!(mode(folder.path()), 0o700);
    assert_eq!((mode(&folder.store_path()), mode(&folder.key_path())), (0o600, 0o600));
    assert_eq!(folder.open_store().unwrap().device_seed(), &seed);
    assert!(matches!(folder.create_store(), Err(DiskError::Exists { .. })));
}

#[test]
fn a_making_that_was_cut_off_stands_in_nobodys_way() {
    let (_parent, folder) = folder();
    drop(folder.create_store().unwrap());
    let whole = fs::read(folder.store_path()).unwrap();
    fs::remove_file(folder.store_path()).unwrap();
    // What power loss leaves of it: nothing, zeros, a part, or all but the name.
    for left in [&whole[..0], &[0; 8192], &whole[..4096], &whole[..whole.len() / 2], &whole] {
        fs::write(folder.fresh_path(), left).unwrap();
        assert!(matches!(folder.open_store(), Err(DiskError::NoStore { .. })));
        let seed = *folder.create_store().unwrap().device_seed();
        assert!(!folder.fresh_path().exists());
        assert_eq!(folder.open_store().unwrap().device_seed(), &seed);
        assert_eq!(mode(&folder.store_path()), 0o600);
        fs::remove_file(folder.store_path()).unwrap();
    }
}

#[test]
fn of_two_that_make_a_store_in_one_folder_one_does() {
    let (_parent, folder) = folder();
    drop(folder.create_store().unwrap());
    fs::rename(folder.store_path(), folder.fresh_path()).unwrap();
    let other = File::open(folder.fresh_path()).unwrap();
    other.lock().unwrap();
    assert!(matches!(folder.create_store(), Err(DiskError::InUse { .. })));
    drop(other);
    assert!(folder.create_store().is_ok());
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_remedy() {
    let (_parent, folder) = folder();
    drop(folder.create_store().unwrap());
    fs::set_permissions(folder.key_path(), Permissions::from_mode(0o640)).unwrap();
    let error = folder.open_store().unwrap_err();
    assert!(matches!(error, DiskError::Exposed { mode: 0o640, .. }));
    assert_eq!(error.remedy(), Some(format!("chmod 600 {}", folder.key_path().display())));
}

#[test]
fn a_store_in_use_names_the_process_that_runs() {
    let (_parent, folder) = folder();
    let _open = folder.create_store().unwrap();
    let address = "127.0.0.1:1".parse().unwrap();
    let note = DaemonNote { pid: 4711, http: address, quic: address, token: "secret".into() };
    folder.write_note(&note).unwrap();
    assert!(matches!(folder.open_store(), Err(DiskError::InUse { pid: Some(4711), .. })));
}

#[test]
fn a_note_is_replaced_hides_its_token_and_goes_only_with_its_own_process() {
    let (_parent, folder) = folder();
    drop(folder.create_store().unwrap());
    assert_eq!(folder.note().unwrap(), None);
    let address = "127.0.0.1:1".parse().unwrap();
    let note = |pid| DaemonNote { pid, http: address, quic: address, token: "secret".into() };
    folder.write_note(&note(1)).unwrap();
    folder.write_note(&note(2)).unwrap();
    assert_eq!((folder.note().unwrap(), mode(&folder.note_path())), (Some(note(2)), 0o600));
    assert!(!format!("{:?}", note(2)).contains("secret"));
    folder.remove_note(1).unwrap();
    assert!(folder.note().unwrap().is_some());
    folder.remove_note(2).unwrap();
    assert_eq!(folder.note().unwrap(), None);
}

#[test]
fn a_root_key_comes_back_and_is_never_overwritten() {
    let (_parent, folder) = folder();
    drop(folder.create_store().unwrap());
    assert!(matches!(folder.root(), Err(DiskError::Missing { .. })));
    folder.write_root(&Keypair::from_seed(&[7; 32])).unwrap();
    assert_eq!(folder.root().unwrap().key(), Keypair::from_seed(&[7; 32]).key());
    assert!(folder.write_root(&Keypair::from_seed(&[8; 32])).is_err());
    assert_eq!(mode(&folder.root_path()), 0o600);
}
