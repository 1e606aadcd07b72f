//! The store against its model, through commits, crashes and reopenings in any order.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::backend::CrashBackend;
use crate::changes::{create, open, pool};
use crate::model::{Act, Model};

fn act() -> impl Strategy<Value = Act> {
    let from = proptest::option::of(1..4u8);
    prop_oneof![
        8 => (0..pool().len(), from).prop_map(|(at, from)| Act::Change(at, from)),
        2 => (0..9u8).prop_map(Act::Statement),
        2 => (0..9u8, 1..4u8).prop_map(|(name, issuer)| Act::Receipt(name, issuer)),
        1 => (0..2u8, 0..40u64).prop_map(|(sub_sls, upto)| Act::Elsewhere(sub_sls, upto)),
        2 => Just(Act::NextN),
        1 => (0..3u8, proptest::option::of(any::<u8>())).prop_map(|(name, value)| Act::Setting(name, value)),
        1 => (1..4u8, any::<u64>()).prop_map(|(number, place)| Act::Peer(number, place)),
        1 => (1..4u8, 0..pool().len()).prop_map(|(from, at)| Act::Wait(from, at)),
        1 => (1..4u8, 0..pool().len()).prop_map(|(from, at)| Act::Waited(from, at)),
        4 => (0..pool().len(), vec(0..3u8, 0..3)).prop_map(|(at, numbers)| Act::Derive(at, numbers)),
        1 => Just(Act::Stale),
        1 => (0..pool().len()).prop_map(Act::Erase),
        2 => (0..2u8).prop_map(Act::Piece),
        1 => (0..3u8).prop_map(Act::Incarnation),
        3 => Just(Act::Commit),
        1 => Just(Act::Drop),
        1 => any::<u64>().prop_map(Act::PowerLoss),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_store_holds_what_was_committed_and_shows_what_is_staged(acts in vec(act(), 1..60)) {
        let mut disk = CrashBackend::default();
        let mut store = create(disk.clone()).unwrap();
        let (mut model, mut committed) = (Model::default(), Model::default());
        for act in acts {
            model.act(&mut store, &act).unwrap();
            match act {
                Act::Commit => {
                    store.commit().unwrap();
                    prop_assert!(!store.is_dirty());
                    committed = model.clone();
                }
                Act::Drop | Act::PowerLoss(_) => {
                    let power_lost = match act {
                        Act::PowerLoss(seed) => Some(disk.after_power_loss(seed)),
                        _ => None,
                    };
                    drop(store);
                    disk = CrashBackend::with_image(power_lost.unwrap_or_else(|| disk.image()));
                    store = open(disk.clone()).unwrap();
                    model = committed.clone();
                    model.agrees(&store);
                }
                _ => {}
            }
        }
        model.agrees(&store);
    }
}
