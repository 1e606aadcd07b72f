//! An id becomes a point of Ristretto255 (RFC 9496, section 4.3.4). Each costs two square roots, and the ids
//! of what was held lately come again and again, whenever a receipt is looked for among them: the last
//! few thousand are remembered. No secret goes in, so it gives nothing away how long an answer takes.

use std::cell::RefCell;
use std::collections::BTreeMap;

use curve25519_dalek::ristretto::RistrettoPoint;
use sha2::{Digest as _, Sha512};

/// How many points a thread remembers before the older half is forgotten: some 800 kB.
const REMEMBERED_MAX: usize = 4_096;

thread_local! {
    static REMEMBERED: RefCell<Remembered> = RefCell::default();
}

#[derive(Default)]
struct Remembered {
    young: BTreeMap<[u8; 32], RistrettoPoint>,
    old: BTreeMap<[u8; 32], RistrettoPoint>,
}

/// The point of an id.
pub(crate) fn point(id: &[u8; 32]) -> RistrettoPoint {
    REMEMBERED.with_borrow_mut(|remembered| remembered.point(id))
}

impl Remembered {
    fn point(&mut self, id: &[u8; 32]) -> RistrettoPoint {
        if let Some(point) = self.young.get(id) {
            return *point;
        }
        let point = self.old.get(id).copied().unwrap_or_else(|| computed(id));
        if self.young.len() >= REMEMBERED_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(*id, point);
        point
    }
}

fn computed(id: &[u8; 32]) -> RistrettoPoint {
    let wide = Sha512::new().chain_update(b"rukun fingerprint 1").chain_update(id).finalize();
    RistrettoPoint::from_uniform_bytes(&wide.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_is_computed_and_is_bounded() {
        let mut remembered = Remembered::default();
        let id = |number: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_be_bytes());
            id
        };
        for number in 0..REMEMBERED_MAX + 10 {
            assert_eq!(remembered.point(&id(number)), computed(&id(number)));
            assert_eq!(remembered.point(&id(number / 2)), computed(&id(number / 2)));
            assert!(remembered.young.len() + remembered.old.len() <= REMEMBERED_MAX);
        }
        assert!(remembered.young.contains_key(&id(REMEMBERED_MAX + 9)));
    }
}
