//! What the fixture of a format holds, and how its image is packed: the program that writes
//! `golden/v1.pieces` and the test that reads it agree on both here.

use rukun_change::{Digest, Ink};
use rukun_store::{IdentityKind, PeerState};

use crate::backend::CrashBackend;
use crate::changes::{INCARNATION, NAME, NIK, change, create, device, record, statement_id};

pub(crate) const PIECE_BYTES: usize = 64;
pub(crate) const VIEW: &[u8] = b"{\"r402\": \"SITI\"}";
pub(crate) const FILE: &[u8] = b"[[variable]]\nname = \"r402\"\n";

/// The image of a store that holds something in every table.
pub(crate) fn written() -> Vec<u8> {
    let disk = CrashBackend::default();
    let mut store = create(disk.clone()).unwrap();
    for (number, n, salt) in [(1, 1, 0), (2, 1, 0), (1, 2, 1)] {
        let change = change(number, n, record(0, salt), Ink::Pencil, NAME);
        store.append_change(&change, Some(&device(2))).unwrap();
    }
    store.append_statement(&statement_id(7), b"a statement", None, None).unwrap();
    store.next_n().unwrap();
    store.set_peer(&device(2), &state()).unwrap();
    store.put_waiting(&device(2), &change(3, 1, record(0, 2), Ink::Pencil, "x").id(), b"waits").unwrap();
    store.put_blob(&Digest::of(FILE), 0, FILE.len() as u64, FILE).unwrap();
    store.put_blob(&Digest::of(b"more"), 0, 4, b"mo").unwrap();
    store.set_setting("relay", Some(b"relay.example")).unwrap();
    for salt in [0, 1] {
        store.put_derived(&record(0, salt), VIEW, &[(IdentityKind::Nik, NIK)]).unwrap();
    }
    store.mark_record_stale(&record(0, 1)).unwrap();
    store.commit().unwrap();
    drop(store);
    disk.image()
}

pub(crate) fn state() -> PeerState {
    let received = Some((INCARNATION, 12));
    PeerState { received, acknowledged: 3, last_contact_ms: -1, knows_us: true, in_sync: false }
}

/// Length of the image (8), then of each piece of 64 that is not all zeros: its number (4), length without
/// the zeros at its end (1), bytes.
pub(crate) fn pack(image: &[u8]) -> Vec<u8> {
    let mut packed = (image.len() as u64).to_be_bytes().to_vec();
    for (number, piece) in image.chunks(PIECE_BYTES).enumerate() {
        if let Some(last) = piece.iter().rposition(|byte| *byte != 0) {
            packed.extend((number as u32).to_be_bytes());
            packed.push(last as u8 + 1);
            packed.extend(&piece[..=last]);
        }
    }
    packed
}
