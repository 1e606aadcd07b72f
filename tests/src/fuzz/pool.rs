//! What peers have to say in a fuzzed session: what honest people signed, and what liars did, good, wrong and forged.

use std::sync::LazyLock;

use rukun_authority::{Erasure, Grant, Keypair, Role, Said, Transfer, sign};
use rukun_change::{CauseHash, Change, ChangeId, Ink, RecordId, SignedChange, SignedHeader, StatementId};

use super::chunk;
use super::people::{self, ANI, Device, LIARS, MALLORY, OFFICE, SUPERVISOR};

/// Where it is about.
pub(super) const PLACES: [&str; 5] =
    ["1811010005000300", "1811010005000301", "1811010005000400", "1811040003000100", "1805010005000300"];

/// Who speaks.
pub(super) fn peers() -> Vec<Device> {
    LIARS.into_iter().chain([ANI, OFFICE, SUPERVISOR]).collect()
}

/// What peers have to say.
pub(super) struct Pool {
    pub(super) statements: Vec<Vec<u8>>,
    pub(super) statement_ids: Vec<StatementId>,
    pub(super) changes: Vec<SignedChange>,
    pub(super) stubs: Vec<SignedHeader>,
    pub(super) change_ids: Vec<ChangeId>,
}

pub(super) fn pool() -> &'static Pool {
    static POOL: LazyLock<Pool> = LazyLock::new(|| {
        let survey = people::survey();
        let mut said = vec![survey.charter.clone()];
        said.extend(survey.grants.iter().cloned());
        said.extend(liars_grants());
        said.extend(words_about_records());
        let mut statements: Vec<Vec<u8>> = said.iter().map(rukun_authority::Statement::to_bytes).collect();
        statements.push(b"no statement".to_vec());
        let mut statement_ids: Vec<StatementId> =
            said.iter().map(|statement| survey.trust.statement_id(statement)).collect();
        statement_ids.sort_unstable();
        let mut changes: Vec<SignedChange> =
            people::honest_work().iter().map(|(change, _)| change.signed().clone()).collect();
        changes.extend(liars_changes());
        let id = |signed: &SignedChange| ChangeId::of(&signed.change.to_be_signed(&survey.id).unwrap());
        let mut change_ids: Vec<ChangeId> = changes.iter().map(id).collect();
        change_ids.push(ChangeId::from_bytes([1; 32]));
        let stubs = changes.iter().filter_map(|signed| signed.signed_header().ok()).collect();
        Pool { statements, statement_ids, changes, stubs, change_ids }
    });
    &POOL
}

/// Grants by liars: narrower, wider, and on what does not exist.
fn liars_grants() -> Vec<rukun_authority::Statement> {
    let survey = people::survey();
    let theirs = |at: usize| survey.trust.statement_id(&survey.grants[at]);
    let stranger = Keypair::from_seed(&[77; 32]).key();
    let grant = |issuer: Device, parent, role, region: &str, serial| {
        let regions = vec![region.parse().unwrap()];
        let said = Grant { parent, subject: stranger, role, regions, serial, name: "x".into() };
        issuer.say(serial, Said::Grant(said))
    };
    let again = Grant {
        parent: theirs(0),
        subject: MALLORY.key(),
        role: Role::Enumerator,
        regions: vec!["1811".parse().unwrap()],
        serial: 9,
        name: "wide".into(),
    };
    vec![
        grant(LIARS[2], theirs(4), Role::Enumerator, "18110100050003", 1),
        grant(LIARS[2], theirs(4), Role::Enumerator, "1811", 2),
        grant(LIARS[4], theirs(6), Role::Supervisor, "1811", 3),
        grant(MALLORY, StatementId::from_bytes([3; 32]), Role::Enumerator, "1811", 4),
        LIARS[4].say(5, Said::Grant(again)),
        OFFICE.say(6, Said::Charter(people::charter())),
    ]
}

/// The office forgets what liars wrote in one record, and moves another.
fn words_about_records() -> Vec<rukun_authority::Statement> {
    let survey = people::survey();
    let parent = survey.trust.statement_id(&survey.grants[0]);
    let theirs = |place: usize| RecordId::new(PLACES[place].parse().unwrap(), [9; 8]);
    let (record, reason) = (theirs(0), "asked for".into());
    vec![
        OFFICE.say(7, Said::Erasure(Erasure { parent, record, reason })),
        OFFICE.say(8, Said::Transfer(Transfer { parent, from: people::record(5), to: theirs(1) })),
        MALLORY.say(8, Said::Erasure(Erasure { parent, record: people::record(5), reason: "x".into() })),
    ]
}

/// Changes by liars: good ones, a fork, one that waits, one by a stranger, one out of scope, one forged.
fn liars_changes() -> Vec<SignedChange> {
    let record = |place: usize| RecordId::new(PLACES[place].parse().unwrap(), [9; 8]);
    let write = |device: Device, n, record, seq: u8, deps: &[CauseHash], value: u8| {
        // One number in one field of the family, as Automerge spells it.
        let mut contents = chunk::leb(deps.len() as u64);
        contents.extend(deps.iter().flat_map(CauseHash::as_bytes));
        contents.push(16);
        contents.extend(device.author().actor().as_bytes());
        contents.extend([seq, seq, 0, 0, 0]);
        contents.extend([6, 0x15, 6, 0x34, 1, 0x42, 2, 0x56, 2, 0x57, 1, 0x70, 2]);
        contents.extend([0x7f, 4, b'r', b'3', b'0', b'4', 1, 0x7f, 1, 0x7f, 0x14, value, 0x7f, 0]);
        let body = chunk::chunk(&contents);
        let change = Change { author: device.author(), n, record, ink: Ink::Pencil, seen: Vec::new(), body };
        sign(device.keypair(), change, &people::survey().id).unwrap()
    };
    let mut forged = write(MALLORY, 9, record(0), 1, &[], 7);
    forged.signature[3] ^= 1;
    vec![
        write(MALLORY, 1, record(0), 1, &[], 1),
        write(MALLORY, 2, record(1), 1, &[], 2),
        write(MALLORY, 2, record(0), 1, &[], 3),
        write(MALLORY, 3, record(0), 2, &[CauseHash::from_bytes([8; 32])], 4),
        write(MALLORY, 4, record(2), 1, &[], 5),
        write(LIARS[5], 1, record(2), 1, &[], 5),
        write(LIARS[6], 1, record(0), 1, &[], 6),
        write(LIARS[4], 1, record(3), 1, &[], 6),
        forged,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_liars_write_reaches_the_gate() {
        for change in liars_changes() {
            rukun_change::Body::decode(&change.change.body).unwrap();
        }
    }
}
