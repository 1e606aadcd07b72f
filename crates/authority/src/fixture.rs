//! A survey for tests: its root, officers by their seed, and devices that write with Automerge.

use std::collections::BTreeMap;

use automerge::transaction::{CommitOptions, Transactable as _};
use automerge::{AutoCommit, ROOT};
use rukun_change::{
    Author, CauseHash, Change, DeviceKey, Digest, Incarnation, Ink, RecordId, SignedChange, StatementId,
    SurveyId,
};

use crate::{Charter, Grant, Keypair, Role, Said, Statement, StatementVerdict, Trust, sign};

pub(crate) const ROOT_SEED: u8 = 1;

pub(crate) fn keypair(seed: u8) -> Keypair {
    Keypair::from_seed(&[seed; 32])
}

pub(crate) fn key(seed: u8) -> DeviceKey {
    keypair(seed).key()
}

pub(crate) fn charter(name: &str) -> Statement {
    let said = Said::Charter(Charter {
        name: name.into(),
        code: "regsosek".into(),
        period: ("2022-10-15".into(), "2022-11-14".into()),
        questionnaire: Digest::of(b"questionnaire"),
        dictionary: None,
    });
    Statement::sign(&keypair(ROOT_SEED), Incarnation::from_bytes([0; 4]), 1, None, said)
}

/// The trust that only the charter founds.
pub(crate) fn founded() -> Trust {
    Trust::found(&charter("Regsosek 2022")).unwrap()
}

pub(crate) fn survey() -> SurveyId {
    *founded().survey()
}

/// What grants of the root rest on.
pub(crate) fn charter_id() -> StatementId {
    StatementId::from_bytes(*survey().as_bytes())
}

pub(crate) fn grant(parent: StatementId, subject: u8, role: Role, regions: &[&str], serial: u64) -> Grant {
    let regions = regions.iter().map(|region| region.parse().unwrap()).collect();
    Grant { parent, subject: key(subject), role, regions, serial, name: format!("device {subject}") }
}

pub(crate) fn say(issuer: u8, said: Said) -> Statement {
    Statement::sign(&keypair(issuer), Incarnation::from_bytes([issuer; 4]), 1, Some(&survey()), said)
}

/// Makes a grant that must be admitted.
pub(crate) fn admit(trust: &mut Trust, issuer: u8, grant: Grant) -> StatementId {
    match trust.judge_statement(&say(issuer, Said::Grant(grant))) {
        StatementVerdict::Admit(id) => id,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn record() -> RecordId {
    RecordId::new("1811010005000300".parse().unwrap(), [5; 8])
}

/// A device that writes one record.
pub(crate) struct Device {
    pub(crate) keypair: Keypair,
    pub(crate) n: u64,
    docs: BTreeMap<Ink, AutoCommit>,
}

impl Device {
    pub(crate) fn new(seed: u8) -> Self {
        Self { keypair: keypair(seed), n: 0, docs: BTreeMap::new() }
    }

    pub(crate) fn author(&self) -> Author {
        Author { device: self.keypair.key(), incarnation: Incarnation::from_bytes([3; 4]) }
    }

    /// One field set in one save, not yet signed.
    pub(crate) fn draft(&mut self, ink: Ink, field: &str, value: i64) -> Change {
        let author = self.author();
        let seen = if ink.names_seen() { self.heads_below(ink) } else { Vec::new() };
        let doc = self.doc(ink);
        doc.put(ROOT, field, value).unwrap();
        let hash = doc.commit_with(CommitOptions::default().with_time(0)).unwrap();
        let body = doc.get_change_by_hash(&hash).unwrap().raw_bytes().to_vec();
        self.n += 1;
        Change { author, n: self.n, record: record(), ink, seen, body }
    }

    pub(crate) fn sign(&self, change: Change) -> SignedChange {
        sign(&self.keypair, change, &survey()).unwrap()
    }

    pub(crate) fn write(&mut self, ink: Ink, field: &str, value: i64) -> SignedChange {
        let change = self.draft(ink, field, value);
        self.sign(change)
    }

    /// Takes over what another device holds.
    pub(crate) fn meet(&mut self, other: &mut Self) {
        for (ink, theirs) in &mut other.docs {
            self.doc(*ink).merge(theirs).unwrap();
        }
    }

    fn doc(&mut self, ink: Ink) -> &mut AutoCommit {
        let actor = automerge::ActorId::from(self.author().actor().as_bytes().as_slice());
        self.docs.entry(ink).or_insert_with(|| AutoCommit::new().with_actor(actor))
    }

    fn heads_below(&mut self, ink: Ink) -> Vec<CauseHash> {
        let below = self.docs.range_mut(..ink);
        let mut heads: Vec<CauseHash> =
            below.flat_map(|(_, doc)| doc.get_heads()).map(|head| CauseHash::from_bytes(head.0)).collect();
        heads.sort_unstable();
        heads
    }
}
