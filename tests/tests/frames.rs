//! What an interview takes on the wire, by how many stand in a frame. A cut loses the frame that was under way, and short
//! ones cost more, less so where they refer back to what went before them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use rukun::people::Population;
use rukun_change::SignedChange;
use rukun_tests::by_hand::{Node, World};
use rukun_wire::{Changes, Effort, Framer, Message};

const OFFICE: Node = Node(0);
const FAMILIES: u32 = 256;
const SUB_SLS_FAMILIES: u32 = 60;

fn interviews() -> Vec<SignedChange> {
    let (mut world, mut population) = (World::new(1), Population::new(77));
    let mut changes = Vec::new();
    for at in 0..FAMILIES {
        let home = format!("1811010005{:04}00", 1 + at / SUB_SLS_FAMILIES).parse().unwrap();
        let number = at % SUB_SLS_FAMILIES + 1;
        let (now, interview) = (world.now(), population.family(home, number, number).interview);
        let (record, _) = world.replicas[OFFICE.0].add_record(now, home, None, &interview).unwrap();
        world.commit(OFFICE);
        let held = world.replicas[OFFICE.0].changes_of(&record).unwrap();
        changes.extend(held.iter().map(|change| change.signed().clone()));
    }
    changes
}

#[test]
fn an_interview_costs_less_the_more_stand_in_its_frame_and_before_it() {
    let interviews = interviews();
    let bytes_each = |size: usize, framed: &mut dyn FnMut(&Message) -> Vec<u8>| {
        let frames = interviews.chunks(size).zip(1..);
        let frames = frames.map(|(items, frame)| Changes { frame, upto: Some(frame), items: items.to_vec() });
        frames.map(|frame| framed(&Message::Changes(frame)).len()).sum::<usize>() / interviews.len()
    };
    let taken = [1, 8, 16, 32, 64].map(|size| {
        let (mut quick, mut thorough) = (Framer::new(), Framer::new());
        let alone = bytes_each(size, &mut Message::encode);
        let quick = bytes_each(size, &mut |message| quick.frame(message, Effort::Quick));
        let thorough = bytes_each(size, &mut |message| thorough.frame(message, Effort::Thorough));
        (size, alone, quick, thorough)
    });
    eprintln!(
        "in frames of so many interviews one takes so many bytes alone, after others, thoroughly: {taken:?}"
    );
    // What is short is searched alike.
    let is_shorter = |size: usize, quick: usize, thorough: usize| {
        if size == 1 { quick == thorough } else { quick > thorough }
    };
    let shorter = |row: &(usize, usize, usize, usize)| row.1 > row.2 && is_shorter(row.0, row.2, row.3);
    assert!(taken.iter().all(shorter), "{taken:?}");
    let falls = |bytes: Vec<usize>| bytes.is_sorted_by(|less, more| less > more);
    assert!(falls(taken.iter().map(|row| row.1).collect()), "{taken:?}");
    assert!(falls(taken.iter().map(|row| row.2).collect()), "{taken:?}");
    assert!(falls(taken.iter().map(|row| row.3).collect()), "{taken:?}");
}

#[test]
fn the_first_frame_of_a_link_has_something_to_refer_to() {
    let interviews = interviews();
    let taken = [1, 9, 16].map(|size| {
        let items = interviews[..size].to_vec();
        let message = Message::Changes(Changes { frame: 1, upto: Some(1), items });
        (size, message.encode().len(), Framer::new().frame(&message, Effort::Quick).len())
    });
    eprintln!("so many interviews take so many bytes alone, and first on a link: {taken:?}");
    assert!(taken.iter().all(|(_, alone, first)| alone - first > 200), "{taken:?}");
}
