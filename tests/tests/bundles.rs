//! Promises 5 and 6, where there is no link at all: what one device has to say to another goes as a file that anybody
//! may carry, once, twice, late or never, and the proof that it arrived comes back the same way.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rukun_authority::{Keypair, Role};
use rukun_bundle::{SealedBundle, seal};
use rukun_change::{Digest, Fingerprint, RecordId, SignedChange};
use rukun_replica::{BundleError, BundleTaken, Event, Reached};
use rukun_tests::by_hand::{Node, World};
use rukun_wire::Message;
use rukun_wire::limits::{BLOB_PIECE_BYTES_MAX, STATEMENTS_MAX};
use serde_json::json;

const STEPS: usize = 10_000;
const HOME: &str = "1811010005000300";
const OFFICE: Node = Node(0);

/// An office and an enumerator who has nothing but the survey's id and never was linked with anybody.
fn survey() -> (World, Node) {
    let mut world = World::new(1);
    let ani = world.add(20, OFFICE, Role::Enumerator, &["18110100050003"]);
    (world, ani)
}

fn write(world: &mut World, from: Node, to: Node) -> Vec<u8> {
    let recipient = world.key(to);
    let written = world.replicas[from.0].write_bundle(&recipient).unwrap();
    world.commit(from);
    written.bytes
}

fn take(world: &mut World, node: Node, bundle: &[u8]) -> Result<BundleTaken, BundleError> {
    let now = world.now();
    let taken = world.replicas[node.0].take_bundle(now, bundle);
    world.commit(node);
    taken
}

fn carry(world: &mut World, from: Node, to: Node) -> BundleTaken {
    let bundle = write(world, from, to);
    take(world, to, &bundle).unwrap()
}

fn add(world: &mut World, node: Node) -> RecordId {
    let now = world.now();
    let added = world.replicas[node.0].add_record(now, HOME.parse().unwrap(), None, &json!({"r108": "Siti"}));
    world.commit(node);
    added.unwrap().0
}

fn set(world: &mut World, node: Node, record: &RecordId, value: u64) {
    let now = world.now();
    world.replicas[node.0].edit(now, record, None, &json!({"r304": value})).unwrap().unwrap();
    world.commit(node);
}

fn fingerprints(world: &mut World) -> Vec<Fingerprint> {
    world.replicas.iter_mut().map(|node| node.status().unwrap().fingerprint).collect()
}

/// How much of its own work a node knows to be at the district, and how much that it holds to be nowhere else.
fn custody(world: &mut World, node: Node) -> (u64, u64) {
    let custody = world.replicas[node.0].status().unwrap().custody;
    (custody.written.get(&Reached::District).copied().unwrap_or_default(), custody.alone)
}

fn records(world: &mut World, node: Node) -> u64 {
    world.replicas[node.0].status().unwrap().records
}

#[test]
fn who_never_has_a_link_joins_works_and_is_shown_the_districts_receipt_by_files_alone() {
    let (mut world, ani) = survey();
    let joined = carry(&mut world, OFFICE, ani);
    assert!(joined.statements_new >= 2 && world.replicas[ani.0].questionnaire().is_some(), "{joined:?}");
    let record = add(&mut world, ani);
    set(&mut world, ani, &record, 3);
    assert_eq!(custody(&mut world, ani), (0, 2));
    let delivered = carry(&mut world, ani, OFFICE);
    assert_eq!((delivered.changes, delivered.changes_new, delivered.refused), (2, 2, 0));
    assert_eq!(delivered.sender, world.key(ani));
    assert_eq!(custody(&mut world, ani), (0, 2), "what was written is not yet known to have come anywhere");
    let back = carry(&mut world, OFFICE, ani);
    assert_eq!((back.changes, back.changes_new), (0, 0), "what came from it does not go back");
    assert_eq!(custody(&mut world, ani), (2, 0));
    let held = fingerprints(&mut world);
    assert_eq!(held[0], held[1]);
}

#[test]
fn a_bundle_that_is_taken_twice_or_late_changes_nothing() {
    let (mut world, ani) = survey();
    carry(&mut world, OFFICE, ani);
    let record = add(&mut world, ani);
    let early = write(&mut world, ani, OFFICE);
    set(&mut world, ani, &record, 3);
    let later = write(&mut world, ani, OFFICE);
    assert_eq!(take(&mut world, OFFICE, &later).unwrap().changes_new, 2);
    let held = fingerprints(&mut world);
    for bundle in [&later, &early, &later] {
        let again = take(&mut world, OFFICE, bundle).unwrap();
        assert_eq!((again.changes_new, again.statements_new, again.refused), (0, 0, 0));
    }
    assert_eq!(fingerprints(&mut world), held);
}

#[test]
fn what_a_receipt_proves_to_be_held_is_not_written_again() {
    let (mut world, ani) = survey();
    carry(&mut world, OFFICE, ani);
    let record = add(&mut world, ani);
    carry(&mut world, ani, OFFICE);
    carry(&mut world, OFFICE, ani);
    set(&mut world, ani, &record, 3);
    let next = carry(&mut world, ani, OFFICE);
    assert_eq!((next.changes, next.changes_new), (1, 1));
}

#[test]
fn what_a_bundle_has_brought_goes_over_no_link_again_and_the_other_way_round() {
    let (mut world, ani) = survey();
    carry(&mut world, OFFICE, ani);
    let record = add(&mut world, ani);
    carry(&mut world, ani, OFFICE);
    world.carried.clear();
    world.link(ani, OFFICE);
    world.settle(STEPS);
    let changes = world.carried.get("changes").copied().unwrap_or_default();
    assert!(changes < 100, "{changes} bytes of changes went again: {:?}", world.carried);
    assert!(world.events[ani.0].iter().any(|event| matches!(event, Event::InSync { .. })));
    set(&mut world, ani, &record, 3);
    world.settle(STEPS);
    world.cut_all();
    let after = carry(&mut world, ani, OFFICE);
    assert_eq!((after.changes, after.changes_new), (0, 0));
}

#[test]
fn who_was_set_back_since_it_wrote_a_bundle_gets_back_what_the_bundle_brings() {
    let (mut world, ani) = survey();
    carry(&mut world, OFFICE, ani);
    add(&mut world, ani);
    let bundle = write(&mut world, ani, OFFICE);
    let set_back = set_back(&mut world, 20);
    assert_eq!(records(&mut world, set_back), 0);
    assert_eq!(take(&mut world, OFFICE, &bundle).unwrap().changes_new, 1);
    world.settle(STEPS);
    assert_eq!(records(&mut world, set_back), 1, "on the link that was open when the bundle came");
}

/// The device of this seed from a backup of before it heard of anything, linked with the office.
fn set_back(world: &mut World, seed: u8) -> Node {
    let set_back = world.add_bare(seed);
    let survey = world.replicas[0].survey().unwrap();
    world.replicas[set_back.0].join(survey).unwrap();
    world.commit(set_back);
    // At the first greeting it may learn that it is a copy.
    for _ in 0..2 {
        world.link(set_back, OFFICE);
        world.settle(STEPS);
    }
    set_back
}

#[test]
fn who_was_set_back_since_it_wrote_a_bundle_gets_back_what_it_said_there_of_work() {
    let mut world = World::new(1);
    let supervisor = world.add(10, OFFICE, Role::Supervisor, &["1811010005"]);
    carry(&mut world, OFFICE, supervisor);
    let ani = world.add(20, supervisor, Role::Enumerator, &["18110100050003"]);
    carry(&mut world, supervisor, ani);
    let record = add(&mut world, ani);
    for (from, to) in [(ani, supervisor), (supervisor, OFFICE), (OFFICE, supervisor)] {
        carry(&mut world, from, to);
    }
    let change = world.replicas[0].reading(&record).unwrap().log()[0].change;
    world.replicas[supervisor.0].decide(None, &[change], false).unwrap();
    world.commit(supervisor);
    let bundle = write(&mut world, supervisor, OFFICE);
    let set_back = set_back(&mut world, 10);
    let held = |world: &mut World| (fingerprints(world)[0], fingerprints(world)[set_back.0]);
    let (office, copy) = held(&mut world);
    assert_eq!(office, copy);
    let taken = take(&mut world, OFFICE, &bundle).unwrap();
    assert_eq!((taken.changes, taken.statements_new), (0, 1));
    world.settle(STEPS);
    let (now, copy) = held(&mut world);
    assert_ne!(now, office);
    assert_eq!(now, copy, "on the link that was open when the bundle came");
}

#[test]
fn who_was_set_back_since_it_wrote_a_bundle_gets_back_whom_it_granted_something_there() {
    let mut world = World::new(1);
    let supervisor = world.add(10, OFFICE, Role::Supervisor, &["1811010005"]);
    carry(&mut world, OFFICE, supervisor);
    let ani = world.add(20, supervisor, Role::Enumerator, &["18110100050003"]);
    let (bundle, key) = (write(&mut world, supervisor, OFFICE), world.key(ani));
    let set_back = set_back(&mut world, 10);
    let granted = |world: &World, node: Node| world.replicas[node.0].trust().unwrap().ever_granted(&key);
    take(&mut world, OFFICE, &bundle).unwrap();
    assert!(granted(&world, OFFICE) && !granted(&world, set_back));
    world.settle(STEPS);
    assert!(granted(&world, set_back), "on the link that was open when the bundle came");
}

#[test]
fn an_older_bundle_moves_no_place_back() {
    let (mut world, ani) = survey();
    carry(&mut world, OFFICE, ani);
    let record = add(&mut world, ani);
    let old = write(&mut world, ani, OFFICE);
    for value in 1..8 {
        set(&mut world, ani, &record, value);
    }
    world.link(ani, OFFICE);
    world.settle(STEPS);
    world.cut_all();
    take(&mut world, OFFICE, &old).unwrap();
    world.carried.clear();
    world.link(ani, OFFICE);
    world.settle(STEPS);
    let changes = world.carried.get("changes").copied().unwrap_or_default();
    assert_eq!(changes, 0, "{:?}", world.carried);
}

#[test]
fn a_bundle_is_for_one_device_from_one_device_and_whole() {
    let (mut world, ani) = survey();
    let budi = world.add(30, OFFICE, Role::Enumerator, &["18110100050003"]);
    carry(&mut world, OFFICE, ani);
    add(&mut world, ani);
    let bundle = write(&mut world, ani, OFFICE);
    let held = fingerprints(&mut world);
    assert!(matches!(take(&mut world, budi, &bundle), Err(BundleError::Open(_))));
    for at in [0, 20, 50, 90, 112, 200, bundle.len() - 1] {
        let mut changed = bundle.clone();
        changed[at] ^= 1;
        assert!(take(&mut world, OFFICE, &changed).is_err(), "byte {at}");
    }
    assert!(take(&mut world, OFFICE, &bundle[..bundle.len() - 20]).is_err());
    assert_eq!(fingerprints(&mut world), held);
    let stranger = world.add_bare(40);
    let key = world.key(stranger);
    assert!(matches!(world.replicas[0].write_bundle(&key), Err(BundleError::NotGranted { .. })));
    let own = world.key(OFFICE);
    assert!(matches!(world.replicas[0].write_bundle(&own), Err(BundleError::Myself)));
}

#[test]
fn a_bundle_brings_a_node_only_what_it_may_read() {
    let (mut world, ani) = survey();
    let dewi = world.add(50, OFFICE, Role::Enumerator, &["18110100050004"]);
    carry(&mut world, OFFICE, ani);
    add(&mut world, ani);
    carry(&mut world, ani, OFFICE);
    let hers = carry(&mut world, OFFICE, dewi);
    assert_eq!((hers.changes, records(&mut world, dewi)), (0, 0));
}

#[test]
fn what_a_bundle_brings_of_where_its_recipient_may_read_no_more_is_counted_as_refused() {
    let (mut world, ani) = survey();
    let dewi = world.add(50, OFFICE, Role::Supervisor, &["1811010005"]);
    for node in [ani, dewi] {
        carry(&mut world, OFFICE, node);
    }
    world.grant(OFFICE, dewi, Role::Supervisor, &["1811040003"]);
    carry(&mut world, OFFICE, dewi);
    for _ in 0..3 {
        add(&mut world, ani);
    }
    let hers = carry(&mut world, ani, dewi);
    assert_eq!((hers.changes, hers.changes_new, hers.refused), (3, 0, 3));
    assert_eq!(records(&mut world, dewi), 0);
}

#[test]
fn of_an_erased_record_a_bundle_brings_what_is_left_and_its_old_bundle_brings_nothing_back() {
    let (mut world, ani) = survey();
    carry(&mut world, OFFICE, ani);
    let record = add(&mut world, ani);
    let before = write(&mut world, ani, OFFICE);
    take(&mut world, OFFICE, &before).unwrap();
    world.replicas[0].erase(None, &record, "asked for").unwrap();
    world.commit(OFFICE);
    let again = take(&mut world, OFFICE, &before).unwrap();
    assert_eq!(again.changes_new, 0);
    carry(&mut world, OFFICE, ani);
    let held = fingerprints(&mut world);
    assert_eq!(held[0], held[1]);
    assert_eq!(records(&mut world, ani), 0);
}

#[test]
fn whose_region_has_grown_gets_all_of_it_in_the_next_bundle() {
    let (mut world, ani) = survey();
    let supervisor = world.add(10, OFFICE, Role::Supervisor, &["1811010005"]);
    let now = world.now();
    let other = "1811010005000400".parse().unwrap();
    world.replicas[OFFICE.0].add_record(now, other, None, &json!({"r108": "Made"})).unwrap();
    world.commit(OFFICE);
    world.link(supervisor, OFFICE);
    world.settle(STEPS);
    world.link(ani, supervisor);
    world.settle(STEPS);
    world.cut_all();
    assert_eq!((records(&mut world, supervisor), records(&mut world, ani)), (1, 0));
    // The office gives her that place, which her supervisor hears from her.
    world.grant(OFFICE, ani, Role::Enumerator, &["18110100050003", "18110100050004"]);
    carry(&mut world, OFFICE, ani);
    carry(&mut world, ani, supervisor);
    let recipient = world.key(ani);
    let peers = world.replicas[supervisor.0].status().unwrap().peers;
    assert!(peers.iter().any(|peer| peer.key == recipient && !peer.in_sync), "{peers:?}");
    assert_eq!(world.replicas[supervisor.0].write_bundle(&recipient).unwrap().changes, 1);
}

/// The frames of a bundle for the office.
fn frames(world: &World, bundle: &[u8]) -> Vec<Vec<u8>> {
    let survey = world.replicas[0].survey().unwrap();
    let opened = SealedBundle::from_bytes(bundle).unwrap().open(&Keypair::from_seed(&[2; 32]), &survey);
    opened.unwrap().frames().to_vec()
}

/// The device of this seed says something to the office, whatever it is.
fn sealed_by(seed: u8, world: &World, frames: &[Vec<u8>]) -> Vec<u8> {
    let (survey, office) = (world.replicas[0].survey().unwrap(), world.key(OFFICE));
    let mut entropy = ChaCha20Rng::from_seed([9; 32]);
    seal(&Keypair::from_seed(&[seed; 32]), &survey, &office, frames, &mut entropy)
        .unwrap()
        .to_bytes()
        .unwrap()
}

fn body(message: &Message) -> Vec<u8> {
    message.encode().split_off(4)
}

/// The office takes nothing of a bundle, and says this of it.
#[track_caller]
fn nothing_is_believed(world: &mut World, bundle: &[u8], said: &str) {
    let held = (fingerprints(world), world.replicas[0].statements_held().unwrap());
    let refused = take(world, OFFICE, bundle).unwrap_err().to_string();
    assert!(refused.contains(said), "{refused:?} lacks {said:?}");
    assert_eq!((fingerprints(world), world.replicas[0].statements_held().unwrap()), held);
}

#[test]
fn of_a_bundle_that_unpacks_to_more_than_anybody_writes_nothing_is_believed() {
    let (mut world, ani) = survey();
    carry(&mut world, OFFICE, ani);
    add(&mut world, ani);
    let honest = write(&mut world, ani, OFFICE);
    let honest = frames(&world, &honest);
    let pieces = Message::Statements { items: vec![vec![0; 1_000_000]; 8], last: false };
    let zeros = vec![body(&pieces); 10];
    let bomb = sealed_by(20, &world, &[&honest[..], &zeros].concat());
    assert!(bomb.len() < 100_000, "{} bytes are no test", bomb.len());
    nothing_is_believed(&mut world, &bomb, "unpack to more than");
    let same = Message::Statements { items: vec![Vec::new(); STATEMENTS_MAX], last: false };
    let many = sealed_by(20, &world, &[&honest[..], &[body(&same)]].concat());
    nothing_is_believed(&mut world, &many, "changes and statements in");
    let cut = sealed_by(20, &world, &[&honest[..], &[vec![200, 1]]].concat());
    nothing_is_believed(&mut world, &cut, "message of type 200");
    let whole = sealed_by(20, &world, &honest);
    assert_eq!(take(&mut world, OFFICE, &whole).unwrap().changes_new, 1);
}

#[test]
fn what_is_forged_in_a_bundle_is_refused_and_counted_and_the_rest_of_it_taken() {
    let (mut world, ani) = survey();
    carry(&mut world, OFFICE, ani);
    let records = [add(&mut world, ani), add(&mut world, ani)];
    let honest = write(&mut world, ani, OFFICE);
    let forged = frames(&world, &honest).into_iter().map(|frame| match Message::decode(&frame).unwrap() {
        Message::Changes(mut changes) if !changes.items.is_empty() => {
            let mut bytes = changes.items[0].to_bytes();
            // The signature is the last of a change.
            *bytes.last_mut().unwrap() ^= 1;
            changes.items[0] = SignedChange::from_bytes(&bytes).unwrap();
            body(&Message::Changes(changes))
        }
        _ => frame,
    });
    let forged: Vec<Vec<u8>> = forged.collect();
    let sealed = sealed_by(20, &world, &forged);
    let taken = take(&mut world, OFFICE, &sealed).unwrap();
    assert_eq!((taken.changes, taken.changes_new, taken.refused), (2, 1, 1));
    let held = |world: &World| {
        records.iter().filter(|id| !world.replicas[0].changes_of(id).unwrap().is_empty()).count()
    };
    assert_eq!(held(&world), 1);
    let taken = take(&mut world, OFFICE, &honest).unwrap();
    assert_eq!((taken.changes_new, taken.refused), (1, 0));
    assert_eq!(held(&world), 2);
}

#[test]
fn a_bundle_of_forged_signatures_is_put_down_before_all_of_them_are_checked() {
    let (mut world, ani) = survey();
    carry(&mut world, OFFICE, ani);
    add(&mut world, ani);
    let honest = write(&mut world, ani, OFFICE);
    let mut parts = frames(&world, &honest);
    let forged = parts.iter().find_map(|frame| match Message::decode(frame).unwrap() {
        Message::Statements { items, .. } => items.into_iter().next_back(),
        _ => None,
    });
    let honest = forged.unwrap();
    let forged = (0..65_u8).map(|at| {
        let signature = [Digest::of(&[at]), Digest::of(&[at, 0])];
        let said = &honest[..honest.len() - 64];
        [said, signature[0].as_bytes().as_slice(), signature[1].as_bytes().as_slice()].concat()
    });
    let many = Message::Statements { items: forged.collect(), last: true };
    parts.splice(1..1, vec![body(&many); 3]);
    let sealed = sealed_by(20, &world, &parts);
    match take(&mut world, OFFICE, &sealed) {
        Err(BundleError::Refused { why, .. }) => assert!(why.contains("more than 64"), "{why}"),
        other => panic!("{other:?}"),
    }
    let key = world.key(ani);
    let peers = world.replicas[OFFICE.0].peers().unwrap();
    let refused = peers.iter().find(|peer| peer.key == key).unwrap().refused;
    assert_eq!(refused, 65, "of the first message alone");
}

#[test]
fn what_a_stranger_seals_is_not_even_unpacked() {
    let (mut world, ani) = survey();
    carry(&mut world, OFFICE, ani);
    let honest = write(&mut world, ani, OFFICE);
    let mut honest = frames(&world, &honest);
    honest.push(vec![200, 1]);
    for frames in [honest, vec![vec![200, 1]]] {
        let sealed = sealed_by(99, &world, &frames);
        nothing_is_believed(&mut world, &sealed, "no grant is known for device");
    }
}

#[test]
fn nobody_makes_a_node_answer_a_bundle() {
    let (mut world, ani) = survey();
    carry(&mut world, OFFICE, ani);
    add(&mut world, ani);
    let honest = write(&mut world, ani, OFFICE);
    let honest = frames(&world, &honest);
    let digest = world.replicas[0].trust().unwrap().charter().questionnaire;
    let (bytes, total) = (vec![0; BLOB_PIECE_BYTES_MAX], 1 << 20);
    for (message, is_asked) in [
        (Message::BlobWant { digest, offset: 0 }, true),
        (Message::Summary(Vec::new()), true),
        (Message::Blob { digest: Digest::of(b"x"), offset: 0, total, bytes }, false),
    ] {
        let asking = sealed_by(20, &world, &[&honest[..], &vec![body(&message); 3]].concat());
        match take(&mut world, OFFICE, &asking) {
            Err(BundleError::Refused { why, .. }) => {
                assert!(is_asked && why.contains("in a bundle"), "{why}");
            }
            other => assert!(!is_asked && other.is_ok(), "{other:?}"),
        }
    }
    assert_eq!(records(&mut world, OFFICE), 1, "what came before that is kept");
}
