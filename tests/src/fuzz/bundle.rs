//! Bundles: any bytes, which have one spelling and open for nobody unless they were sealed, and whatever a granted liar seals to a living
//! node, which takes of it what is true and goes on to serve others.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rukun_bundle::{SealedBundle, seal};
use rukun_replica::BundleError;

use super::input::Input;
use super::people::{self, ANI, OFFICE, SUPERVISOR};
use super::pool::peers;
use super::session::Session;

const BUNDLES_MAX: usize = 6;
const FRAMES_MAX: usize = 12;

pub(super) fn run(data: &[u8]) {
    match data.split_first() {
        Some((0, bytes)) => spelt(bytes),
        Some((_, steps)) => brought(steps),
        None => {}
    }
}

fn spelt(bytes: &[u8]) {
    let Ok(bundle) = SealedBundle::from_bytes(bytes) else { return };
    assert_eq!(bundle.to_bytes().as_deref(), Ok(bytes), "a bundle has two spellings");
    if let Ok(opened) = bundle.open(OFFICE.keypair(), &people::survey().id) {
        assert_eq!(bundle, sealed_by_ani(), "what nobody sealed is opened");
        assert_eq!(opened.frames(), frames_of_ani());
    }
}

/// The one bundle that was ever sealed to the office.
pub(super) fn sealed_by_ani() -> SealedBundle {
    let (survey, mut entropy) = (&people::survey().id, ChaCha20Rng::from_seed([1; 32]));
    let sealed = seal(ANI.keypair(), survey, &OFFICE.key(), &frames_of_ani(), &mut entropy);
    sealed.expect("the office can be sealed to")
}

fn frames_of_ani() -> [Vec<u8>; 2] {
    [b"one".to_vec(), Vec::new()]
}

fn brought(steps: &[u8]) {
    let (mut input, mut session) = (Input::new(steps), Session::begun());
    for _ in 0..BUNDLES_MAX {
        if input.is_empty() {
            break;
        }
        let sender = input.pick(&peers());
        let mut frames = Vec::new();
        for _ in 0..input.below(FRAMES_MAX) {
            frames.push(if input.below(8) == 0 {
                input.piece().to_vec()
            } else {
                let kind = 5 + input.below(20);
                session.message(kind, &mut input).encode().split_off(4)
            });
        }
        let mut entropy = ChaCha20Rng::from_seed([input.byte(); 32]);
        let survey = &people::survey().id;
        let sealed = seal(sender.keypair(), survey, &SUPERVISOR.key(), &frames, &mut entropy);
        let sealed = sealed.expect("a node can be sealed to");
        match sealed.to_bytes() {
            Ok(bytes) => take(&mut session, &bytes),
            Err(error) => panic!("a few frames are no bundle: {error}"),
        }
    }
    session.serves_the_honest();
}

fn take(session: &mut Session, bytes: &[u8]) {
    let taken = session.replica.take_bundle(session.now, bytes);
    if let Err(BundleError::Replica(error)) = &taken {
        panic!("a bundle makes the node fail: {error}");
    }
    session.replica.commit().expect("no bundle makes the store fail");
    while session.replica.poll().is_some() {}
    let again = session.replica.take_bundle(session.now, bytes);
    session.replica.commit().expect("no bundle makes the store fail");
    if let (Ok(_), Ok(again)) = (taken, again) {
        assert_eq!(again.changes_new, 0, "what was taken twice is new twice");
    }
    while session.replica.poll().is_some() {}
}
