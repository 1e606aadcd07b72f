//! Promises 5 and 6 where a device that can't read it carries work for another: it arrives as soon as the courier is
//! linked with whom it is for, the proof goes back the same way, and nobody is made to carry what he did not take.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rukun_authority::{Keypair, Role};
use rukun_change::{DeviceKey, Digest, RecordId};
use rukun_replica::{CourierError, Event, LinkId, Parcel, ParcelState, Reached};
use rukun_tests::by_hand::{Node, QUESTIONNAIRE, World};
use rukun_wire::Message;
use rukun_wire::limits::{BLOB_BYTES_MAX, PARCELS_MAX};
use serde_json::json;

const STEPS: usize = 10_000;
const HOME: &str = "1811010005000300";
const OFFICE: Node = Node(0);

/// Ani has no link and never had one; Siti works elsewhere, may read nothing of hers, and comes to the office.
fn survey() -> (World, Node, Node) {
    let mut world = World::new(1);
    let ani = world.add(20, OFFICE, Role::Enumerator, &["18110100050003"]);
    let siti = world.add(30, OFFICE, Role::Enumerator, &["18110100050004"]);
    let joining = write(&mut world, OFFICE, ani);
    let now = world.now();
    world.replicas[ani.0].take_bundle(now, &joining).unwrap();
    world.commit(ani);
    meet(&mut world, siti, OFFICE);
    (world, ani, siti)
}

fn meet(world: &mut World, one: Node, other: Node) {
    world.link(one, other);
    world.settle(STEPS);
    world.cut_all();
}

fn write(world: &mut World, from: Node, to: Node) -> Vec<u8> {
    let recipient = world.key(to);
    let written = world.replicas[from.0].write_bundle(&recipient).unwrap();
    world.commit(from);
    written.bytes
}

fn carry(world: &mut World, courier: Node, bundle: &[u8]) -> Digest {
    let now = world.now();
    let line = world.replicas[courier.0].carry(now, bundle).unwrap();
    world.commit(courier);
    line.parcel.digest
}

fn add(world: &mut World, node: Node, name: &str) -> RecordId {
    let now = world.now();
    let patch = json!({"r108": format!("{name} {}", Digest::of(name.as_bytes()))});
    let added = world.replicas[node.0].add_record(now, HOME.parse().unwrap(), None, &patch);
    world.commit(node);
    added.unwrap().0
}

/// How much of its own work a node knows to be at the district.
fn at_district(world: &mut World, node: Node) -> u64 {
    let custody = world.replicas[node.0].status().unwrap().custody;
    custody.written.get(&Reached::District).copied().unwrap_or_default()
}

fn records(world: &mut World, node: Node) -> u64 {
    world.replicas[node.0].status().unwrap().records
}

fn states(world: &World, node: Node) -> Vec<ParcelState> {
    world.replicas[node.0].parcels().iter().map(|line| line.state.clone()).collect()
}

fn bytes_of(world: &World, message: &str) -> usize {
    world.carried.get(message).copied().unwrap_or_default()
}

#[test]
fn what_a_courier_carries_comes_to_the_district_and_its_receipt_back() {
    let (mut world, ani, siti) = survey();
    add(&mut world, ani, "Aminah");
    add(&mut world, ani, "Budi");
    let bundle = write(&mut world, ani, OFFICE);
    carry(&mut world, siti, &bundle);
    assert_eq!((records(&mut world, OFFICE), at_district(&mut world, ani)), (0, 0));
    meet(&mut world, siti, OFFICE);
    assert_eq!(records(&mut world, OFFICE), 2);
    let (sender, courier) = (world.key(ani), world.key(siti));
    assert!(world.events[OFFICE.0].contains(&Event::Brought { sender, courier }));
    assert_eq!(states(&world, siti), [ParcelState::Carried], "it has the answer, and no bundle else");
    assert_eq!(states(&world, OFFICE), []);
    meet(&mut world, siti, ani);
    assert_eq!(at_district(&mut world, ani), 2);
    assert_eq!((states(&world, siti), states(&world, ani)), (vec![], vec![]));
    assert_eq!(records(&mut world, siti), 0, "a courier reads nothing of it");
}

#[test]
fn a_bundle_taken_along_while_its_recipient_is_linked_goes_at_once() {
    let (mut world, ani, siti) = survey();
    add(&mut world, ani, "Aminah");
    let bundle = write(&mut world, ani, OFFICE);
    world.link(siti, OFFICE);
    world.settle(STEPS);
    carry(&mut world, siti, &bundle);
    world.settle(STEPS);
    assert_eq!(records(&mut world, OFFICE), 1);
}

#[test]
fn a_parcel_that_is_cut_goes_on_where_it_was_cut_also_by_another_courier() {
    let (mut world, ani, siti) = survey();
    for family in 0..900 {
        add(&mut world, ani, &format!("Keluarga {family}"));
    }
    let bundle = write(&mut world, ani, OFFICE);
    assert!(bundle.len() > 90_000, "{} bytes are no test", bundle.len());
    let dewi = world.add(40, OFFICE, Role::Enumerator, &["18110100050005"]);
    meet(&mut world, dewi, OFFICE);
    let digest = carry(&mut world, siti, &bundle);
    assert_eq!(carry(&mut world, dewi, &bundle), digest);
    world.carried.clear();
    world.link(siti, OFFICE);
    while bytes_of(&world, "blob") < 70_000 {
        world.run(1);
    }
    world.cut_all();
    assert_eq!(states(&world, OFFICE), [ParcelState::Coming { from: world.key(siti) }]);
    assert_eq!(records(&mut world, OFFICE), 0, "of half a bundle nothing is believed");
    meet(&mut world, dewi, OFFICE);
    assert_eq!(records(&mut world, OFFICE), 900);
    let again = bytes_of(&world, "blob") as f64 / bundle.len() as f64;
    assert!(again < 1.5, "{again} times the bundle went");
    // The one who comes too late brings nothing new.
    meet(&mut world, siti, OFFICE);
    assert_eq!(records(&mut world, OFFICE), 900);
}

#[test]
fn two_couriers_who_are_linked_at_once_bring_one_bundle_once() {
    let (mut world, ani, siti) = survey();
    let dewi = world.add(40, OFFICE, Role::Enumerator, &["18110100050005"]);
    meet(&mut world, dewi, OFFICE);
    add(&mut world, ani, "Aminah");
    let bundle = write(&mut world, ani, OFFICE);
    carry(&mut world, siti, &bundle);
    carry(&mut world, dewi, &bundle);
    world.link(siti, OFFICE);
    world.link(dewi, OFFICE);
    world.settle(STEPS);
    assert_eq!(records(&mut world, OFFICE), 1);
    let events = world.events[OFFICE.0].iter().filter(|event| matches!(event, Event::Brought { .. }));
    assert!(events.count() <= 2);
}

#[test]
fn what_was_brought_and_not_heard_so_does_not_go_again() {
    let (mut world, ani, siti) = survey();
    add(&mut world, ani, "Aminah");
    let bundle = write(&mut world, ani, OFFICE);
    carry(&mut world, siti, &bundle);
    world.link(siti, OFFICE);
    while records(&mut world, OFFICE) == 0 {
        world.run(1);
    }
    world.cut_all();
    assert_eq!(states(&world, siti), [ParcelState::Carried], "it has heard nothing");
    world.carried.clear();
    meet(&mut world, siti, OFFICE);
    assert!(states(&world, siti) == [ParcelState::Carried] && states(&world, OFFICE).is_empty());
    let bytes = bytes_of(&world, "blob");
    assert!(bytes < bundle.len(), "{bytes} bytes for the answer, {} for what it answers", bundle.len());
    meet(&mut world, siti, ani);
    assert_eq!(at_district(&mut world, ani), 1);
}

#[test]
fn a_bundle_that_was_changed_before_it_was_taken_along_is_refused_and_the_courier_told_why() {
    let (mut world, ani, siti) = survey();
    add(&mut world, ani, "Aminah");
    let mut bundle = write(&mut world, ani, OFFICE);
    let at = bundle.len() - 30;
    bundle[at] ^= 1;
    carry(&mut world, siti, &bundle);
    meet(&mut world, siti, OFFICE);
    assert_eq!(records(&mut world, OFFICE), 0);
    let refused = states(&world, siti);
    assert!(
        matches!(&refused[..], [ParcelState::Refused { why }] if why.contains("changed or cut off")),
        "{refused:?}"
    );
    let digest = world.replicas[siti.0].parcels()[0].parcel.digest;
    assert_eq!(world.replicas[siti.0].status().unwrap().carries, 0, "it is only listed");
    // It may have been cut off on the way, and goes there once more.
    assert_eq!(carry(&mut world, siti, &bundle), digest);
    assert_eq!(states(&world, siti), [ParcelState::Carried]);
    assert_eq!(world.replicas[siti.0].carried(&digest).unwrap(), bundle);
    world.replicas[siti.0].drop_parcel(&digest).unwrap();
    assert_eq!(states(&world, siti), []);
}

#[test]
fn what_is_carried_can_be_brought_by_hand_and_is_no_file_for_this_device_or_a_stranger() {
    let (mut world, ani, siti) = survey();
    add(&mut world, ani, "Aminah");
    let bundle = write(&mut world, ani, OFFICE);
    let digest = carry(&mut world, siti, &bundle);
    assert_eq!(carry(&mut world, siti, &bundle), digest, "twice is once");
    assert_eq!(world.replicas[siti.0].carried(&digest).unwrap(), bundle);
    let now = world.now();
    assert!(matches!(world.replicas[OFFICE.0].carry(now, &bundle), Err(CourierError::ForThis)));
    assert!(matches!(world.replicas[ani.0].carry(now, &bundle), Err(CourierError::FromThis)));
    assert!(matches!(world.replicas[siti.0].carry(now, b"no bundle"), Err(CourierError::Envelope(_))));
    let mut elsewhere = bundle.clone();
    elsewhere[20] ^= 1;
    assert!(matches!(world.replicas[siti.0].carry(now, &elsewhere), Err(CourierError::NotGranted { .. })));
    let nothing = Digest::of(b"nothing");
    assert!(matches!(world.replicas[siti.0].carried(&nothing), Err(CourierError::NotCarried { .. })));
}

/// Mallory, who was granted something, and a link of his with Siti.
fn mallory(world: &mut World, siti: Node) -> (DeviceKey, LinkId) {
    let node = world.add(66, OFFICE, Role::Enumerator, &["18110100050006"]);
    meet(world, siti, OFFICE);
    let key = world.key(node);
    assert_eq!(key, Keypair::from_seed(&[66; 32]).key());
    let link = world.session_by_hand(siti, key);
    world.hear(siti, link);
    (key, link)
}

#[test]
fn nobody_is_made_to_carry_what_he_did_not_take() {
    let (mut world, ani, siti) = survey();
    let (mallory, link) = mallory(&mut world, siti);
    let (sender, recipient) = (mallory, world.key(ani));
    let parcel = Parcel { digest: Digest::of(b"x"), sender, recipient, bytes: 1, is_answer: true };
    for parcel in [parcel, Parcel { is_answer: false, ..parcel }, Parcel { sender: recipient, ..parcel }] {
        world.say(siti, link, &Message::Parcels(vec![parcel]));
        assert_eq!(world.hear(siti, link), []);
    }
    assert_eq!(states(&world, siti), []);
}

#[test]
fn what_comes_for_a_device_and_is_no_bundle_for_it_leaves_nothing_behind() {
    let (mut world, ani, siti) = survey();
    let (sender, link) = mallory(&mut world, siti);
    let bytes = write(&mut world, ani, OFFICE);
    let (digest, recipient, total) = (Digest::of(&bytes), world.key(siti), bytes.len() as u64);
    let parcel = Parcel { digest, sender, recipient, bytes: total, is_answer: false };
    world.say(siti, link, &Message::Parcels(vec![parcel]));
    assert_eq!(world.hear(siti, link), [Message::BlobWant { digest, offset: 0 }]);
    world.say(siti, link, &Message::Blob { digest, offset: 0, total, bytes });
    let end = world.hear(siti, link);
    assert!(matches!(&end[..], [Message::ParcelEnd { refused: Some(_), .. }]), "{end:?}");
    assert_eq!(states(&world, siti), []);
    // A file of another length, or other bytes, ends the link.
    world.say(siti, link, &Message::Parcels(vec![parcel]));
    world.hear(siti, link);
    world.say(siti, link, &Message::Blob { digest, offset: 0, total: 3, bytes: vec![1, 2, 3] });
    assert!(matches!(world.hear(siti, link)[..], [Message::Close(_)]));
}

#[test]
fn nobody_takes_away_what_is_here_by_telling_of_it_no_more() {
    let (mut world, ani, siti) = survey();
    add(&mut world, ani, "Aminah");
    let bundle = write(&mut world, ani, OFFICE);
    let (sender, link) = mallory(&mut world, siti);
    let carried = carry(&mut world, siti, &bundle);
    let recipient = world.key(siti);
    for (digest, bytes) in [
        (carried, bundle.len() as u64),
        (Digest::of(QUESTIONNAIRE), QUESTIONNAIRE.len() as u64),
        (Digest::of(QUESTIONNAIRE), 7),
    ] {
        let parcel = Parcel { digest, sender, recipient, bytes, is_answer: false };
        world.say(siti, link, &Message::Parcels(vec![parcel]));
        assert_eq!(world.hear(siti, link), [], "it is not asked for");
        world.say(siti, link, &Message::Parcels(Vec::new()));
    }
    assert_eq!(world.replicas[siti.0].carried(&carried).unwrap(), bundle);
    world.say(siti, link, &Message::BlobWant { digest: Digest::of(QUESTIONNAIRE), offset: 0 });
    assert!(matches!(world.hear(siti, link)[..], [Message::Blob { .. }, ..]), "the questionnaire is there");
}

#[test]
fn an_offer_that_is_taken_back_takes_what_has_come_of_it_with_it() {
    let (mut world, _, siti) = survey();
    let (sender, link) = mallory(&mut world, siti);
    let (digest, recipient) = (Digest::of(&vec![7; 100_000]), world.key(siti));
    let parcel = Parcel { digest, sender, recipient, bytes: 100_000, is_answer: false };
    world.say(siti, link, &Message::Parcels(vec![parcel]));
    world.say(siti, link, &Message::Blob { digest, offset: 0, total: 100_000, bytes: vec![7; 32_768] });
    assert_eq!(states(&world, siti), [ParcelState::Coming { from: sender }]);
    world.say(siti, link, &Message::Parcels(Vec::new()));
    assert_eq!(states(&world, siti), []);
    let rest = vec![7; 32_768];
    world.say(siti, link, &Message::Blob { digest, offset: 32_768, total: 100_000, bytes: rest });
    assert_eq!(states(&world, siti), [], "what still comes of it is passed over");
}

#[test]
fn what_a_liar_began_keeps_no_bundle_from_coming() {
    for told in [100_000, 70_000] {
        let (mut world, ani, siti) = survey();
        let (sender, link) = mallory(&mut world, siti);
        let (bundle, recipient) = (vec![7; 70_000], world.key(siti));
        let digest = Digest::of(&bundle);
        let parcel = Parcel { digest, sender, recipient, bytes: told, is_answer: false };
        world.say(siti, link, &Message::Parcels(vec![parcel]));
        world.say(siti, link, &Message::Blob { digest, offset: 0, total: told, bytes: vec![1; 32_768] });
        world.cut_all();
        world.close_by_hand(siti, link);
        let key = world.key(ani);
        for asked in if told == 70_000 { vec![32_768, 0] } else { vec![0] } {
            let honest = world.session_by_hand(siti, key);
            world.hear(siti, honest);
            world.say(siti, honest, &Message::Parcels(vec![Parcel { bytes: 70_000, ..parcel }]));
            assert_eq!(world.hear(siti, honest), [Message::BlobWant { digest, offset: asked }]);
            for (offset, part) in (0..).step_by(32_768).zip(bundle.chunks(32_768)) {
                let (total, bytes) = (70_000, part.to_vec());
                if offset >= asked {
                    world.say(siti, honest, &Message::Blob { digest, offset, total, bytes });
                }
            }
            let heard = world.hear(siti, honest);
            let ended = heard.iter().any(|message| matches!(message, Message::ParcelEnd { .. }));
            assert_eq!(ended, asked == 0, "{heard:?}");
            world.close_by_hand(siti, honest);
        }
        assert_eq!(states(&world, siti), []);
    }
}

#[test]
fn nobody_fills_the_list_by_beginning_one_parcel_after_another() {
    let (mut world, _, siti) = survey();
    let (sender, link) = mallory(&mut world, siti);
    world.close_by_hand(siti, link);
    let recipient = world.key(siti);
    let mut told = Vec::new();
    for at in 0..5_u8 {
        let digest = Digest::of(&[at]);
        told.push(Parcel { digest, sender, recipient, bytes: 9, is_answer: false });
        told.sort_by_key(|parcel| parcel.digest);
        let link = world.session_by_hand(siti, sender);
        world.hear(siti, link);
        world.say(siti, link, &Message::Parcels(told.clone()));
        let heard = world.hear(siti, link);
        assert!(matches!(&heard[..], [Message::BlobWant { offset: 0, .. }]), "{at}: {heard:?}");
        world.close_by_hand(siti, link);
        assert_eq!(states(&world, siti), [ParcelState::Coming { from: sender }]);
    }
}

#[test]
fn a_bundle_that_is_no_longer_carried_is_told_of_no_more() {
    let (mut world, ani, siti) = survey();
    let bundle = write(&mut world, ani, OFFICE);
    let digest = carry(&mut world, siti, &bundle);
    let office = world.key(OFFICE);
    let link = world.session_by_hand(siti, office);
    let told = |heard: Vec<Message>| {
        let lists = heard.into_iter().filter_map(|message| match message {
            Message::Parcels(parcels) => Some(parcels.len()),
            _ => None,
        });
        lists.collect::<Vec<_>>()
    };
    world.hear(siti, link);
    world.say(siti, link, &Message::Summary(Vec::new()));
    assert_eq!(told(world.hear(siti, link)), [1]);
    world.replicas[siti.0].drop_parcel(&digest).unwrap();
    world.commit(siti);
    assert_eq!(told(world.hear(siti, link)), [0]);
}

/// A bundle as a parcel that is told of.
fn parcel_of(world: &World, bundle: &[u8], from: Node, to: Node) -> Parcel {
    let (sender, recipient) = (world.key(from), world.key(to));
    let (digest, bytes) = (Digest::of(bundle), bundle.len() as u64);
    Parcel { digest, sender, recipient, bytes, is_answer: false }
}

/// Tells a node of a parcel and gives it as it asks, which it must. Gives what it says then.
fn bring(world: &mut World, node: Node, link: LinkId, parcel: Parcel, bundle: &[u8]) -> Vec<Message> {
    let Parcel { digest, bytes: total, .. } = parcel;
    world.say(node, link, &Message::Parcels(vec![parcel]));
    let heard = world.hear(node, link);
    assert!(heard.contains(&Message::BlobWant { digest, offset: 0 }), "it is not asked for: {heard:?}");
    world.say(node, link, &Message::Blob { digest, offset: 0, total, bytes: bundle.to_vec() });
    world.hear(node, link)
}

#[test]
fn a_list_full_of_what_was_brought_takes_the_answer_to_it() {
    let (mut world, ani, siti) = survey();
    let office = world.key(OFFICE);
    let link = world.session_by_hand(siti, office);
    world.hear(siti, link);
    for _ in 0..PARCELS_MAX {
        let bundle = write(&mut world, ani, OFFICE);
        let digest = carry(&mut world, siti, &bundle);
        world.say(siti, link, &Message::ParcelEnd { digest, refused: None });
    }
    assert_eq!(states(&world, siti), vec![ParcelState::Brought; PARCELS_MAX]);
    let answer = Parcel { is_answer: true, ..parcel_of(&world, b"answer", OFFICE, ani) };
    let end = bring(&mut world, siti, link, answer, b"answer");
    assert!(end.contains(&Message::ParcelEnd { digest: answer.digest, refused: None }), "{end:?}");
    let held = states(&world, siti);
    let brought = held.iter().filter(|state| **state == ParcelState::Brought).count();
    assert_eq!((held.len(), brought), (PARCELS_MAX, PARCELS_MAX - 1), "it has the place of what it answers");
    assert!(held.contains(&ParcelState::Carried));
}

#[test]
fn an_answer_takes_no_place_of_what_is_still_to_be_brought() {
    let (mut world, ani, siti) = survey();
    let office = world.key(OFFICE);
    let link = world.session_by_hand(siti, office);
    world.hear(siti, link);
    let bundles: Vec<_> = (0..6).map(|_| write(&mut world, ani, OFFICE)).collect();
    let digests: Vec<_> = bundles.iter().map(|bundle| carry(&mut world, siti, bundle)).collect();
    let last = digests.iter().max().unwrap();
    world.say(siti, link, &Message::ParcelEnd { digest: *last, refused: None });
    let answer = Parcel { is_answer: true, ..parcel_of(&world, b"answer", OFFICE, ani) };
    bring(&mut world, siti, link, answer, b"answer");
    for digest in digests.iter().filter(|digest| *digest != last) {
        assert!(world.replicas[siti.0].carried(digest).is_ok(), "{digest} was never brought");
    }
}

#[test]
fn a_list_full_of_answers_takes_the_next_parcel_and_gives_up_the_oldest_of_them() {
    let (mut world, ani, siti) = survey();
    let budi = world.add(50, OFFICE, Role::Enumerator, &["18110100050003"]);
    let dewi = world.add(40, OFFICE, Role::Enumerator, &["18110100050005"]);
    let (joining, now) = (write(&mut world, OFFICE, budi), world.now());
    world.replicas[budi.0].take_bundle(now, &joining).unwrap();
    world.commit(budi);
    for (author, courier) in [(ani, siti), (budi, dewi)] {
        add(&mut world, author, "Aminah");
        let bundle = write(&mut world, author, OFFICE);
        let (parcel, key) = (parcel_of(&world, &bundle, author, OFFICE), world.key(courier));
        let link = world.session_by_hand(OFFICE, key);
        world.hear(OFFICE, link);
        let end = bring(&mut world, OFFICE, link, parcel, &bundle);
        assert!(end.contains(&Message::ParcelEnd { digest: parcel.digest, refused: None }), "{end:?}");
        while states(&world, OFFICE).len() < PARCELS_MAX {
            let other = write(&mut world, ani, siti);
            carry(&mut world, OFFICE, &other);
        }
    }
    assert_eq!(records(&mut world, OFFICE), 2);
    let held = states(&world, OFFICE);
    let waiting: Vec<_> = held.iter().filter(|state| matches!(state, ParcelState::Waiting { .. })).collect();
    let courier = world.key(dewi);
    assert!(
        matches!(&waiting[..], [ParcelState::Waiting { courier: of, .. }] if *of == courier),
        "{waiting:?}"
    );
    assert_eq!(held.len(), PARCELS_MAX);
}

#[test]
fn a_parcel_that_finds_no_room_is_asked_for_as_soon_as_there_is_some() {
    let (mut world, ani, siti) = survey();
    let head = write(&mut world, ani, siti)[..15 + 3 * 32].to_vec();
    let longest = |filling: u8| {
        let mut bundle = head.clone();
        while bundle.len() < BLOB_BYTES_MAX as usize {
            let part = (BLOB_BYTES_MAX as usize - bundle.len() - 4).min(1_000_000);
            bundle.extend((part as u32).to_be_bytes());
            bundle.resize(bundle.len() + part, filling);
        }
        bundle
    };
    let full = [0, 1, 2, 3].map(|filling| carry(&mut world, OFFICE, &longest(filling)));
    let bundle = write(&mut world, ani, OFFICE);
    let (parcel, key) = (parcel_of(&world, &bundle, ani, OFFICE), world.key(siti));
    let link = world.session_by_hand(OFFICE, key);
    world.hear(OFFICE, link);
    world.say(OFFICE, link, &Message::Parcels(vec![parcel]));
    assert_eq!(world.hear(OFFICE, link), []);
    world.replicas[OFFICE.0].drop_parcel(&full[0]).unwrap();
    world.commit(OFFICE);
    assert_eq!(world.hear(OFFICE, link), [Message::BlobWant { digest: parcel.digest, offset: 0 }]);
}
