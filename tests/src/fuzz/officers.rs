//! Files of officers: any file is refused, or each of its rows is invited, was there already, or is named
//! bad; and a card can be made for whoever is invited.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use rukun::cards::{Card, Sheet, page};
use rukun::node::Node;
use rukun::officers;
use rukun::verbs::{CheckedShape, InvitedShape, NewOfficer, OfficersShape, Request};
use rukun_enrolment::Code;

use super::image;

const EXPIRES_MS: i64 = i64::MAX / 2;

/// A file to be imported, which the office does twice.
pub(super) fn run(data: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), data).unwrap();
    let (rows, bad) = match officers::read(file.path()) {
        Ok(read) => read,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!(bad.iter().all(|bad| bad.line > 1 && !bad.message.is_empty()));
    let mut node = Node::Here(Box::new(image::office()));
    let check = |node: &mut Node| -> CheckedShape {
        node.ask(Request::OfficersCheck { rows: rows.clone() }).expect("a check refuses rows, never itself")
    };
    let checked = check(&mut node);
    let named: BTreeSet<u64> = checked.bad.iter().map(|bad| bad.line).collect();
    assert_eq!(checked.new.len() + named.len(), rows.len(), "a row is lost, or said twice");
    assert!(checked.there.is_empty());
    let new = rows.iter().filter(|row| checked.new.contains(&row.line)).enumerate();
    let new: Vec<_> = new.map(|(at, row)| (row.clone(), code(at))).collect();
    let officers = new.iter().map(|(row, code)| NewOfficer {
        row: row.clone(),
        invitation: code.invitation().to_string(),
        proof_key: HEXLOWER.encode(code.proof_key().as_bytes()),
    });
    let request = Request::OfficersInvite { officers: officers.collect(), expires_ms: EXPIRES_MS };
    let invited: InvitedShape = node.ask(request).unwrap();
    assert_eq!((invited.made.len(), invited.bad.len()), (new.len(), 0), "what was checked goes in");
    let listed: OfficersShape = node.ask(Request::Officers).unwrap();
    assert!(
        listed.officers.len() == new.len() && listed.officers.iter().all(|officer| officer.state == "open")
    );
    let again = check(&mut node);
    assert_eq!((again.there.len(), again.new.len(), again.bad), (new.len(), 0, checked.bad));
    let cards = new.into_iter().map(|(row, code)| {
        let role = row.role.trim().parse().expect("it was checked");
        Card { name: row.name, role, regions: row.regions, code }
    });
    let cards: Vec<Card> = cards.collect();
    let sheet = Sheet { survey: &checked.survey, relay: "kantor.example.id:7811", expires_ms: EXPIRES_MS };
    let page = page(sheet, &cards).unwrap();
    assert_eq!(page.matches("<article>").count(), cards.len(), "a card breaks the page");
    assert!(!page.contains("<script"));
}

fn code(at: usize) -> Code {
    Code::from_random(&std::array::from_fn(|index| (at >> (8 * (index % 8))) as u8))
}
