//! What the world knows and no node does: every change that anybody ever made, every grant, and what
//! each node has made known to hold. It is told by what nodes announce, and never by their stores.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use rukun_change::{
    Author, ChangeId, DeviceKey, Fingerprint, Ink, RecordId, SignedChange, StatementId, SubSls, SurveyId,
};

use super::model::compare::Facts;
use super::model::{Fact, Granted, Grants, Receipt, RootWord};

/// All that is true in a world.
pub(super) struct Truth {
    pub(super) survey: SurveyId,
    pub(super) facts: Facts,
    pub(super) grants: Grants,
    /// Grants and charter, as they travel, in the order in which they were made.
    pub(super) statements: Vec<Vec<u8>>,
    pub(super) statement_ids: BTreeSet<StatementId>,
    known: HashSet<Vec<u8>>,
    /// What each node has said that it holds durably.
    pub(super) held: Vec<BTreeSet<ChangeId>>,
    /// Which devices ever said that they hold a change, lost ones too.
    pub(super) holders: BTreeMap<ChangeId, BTreeSet<DeviceKey>>,
    /// The receipts that honest devices gave, by place and issuer, in order.
    pub(super) receipts: BTreeMap<(SubSls, DeviceKey), Vec<Receipt>>,
    /// The first of its issuer's receipts there that covers a change.
    pub(super) covered_from: BTreeMap<(ChangeId, DeviceKey), usize>,
    /// Those that took a device's rights away.
    pub(super) revocations: BTreeSet<StatementId>,
    /// Honest changes as they travel.
    pub(super) signed: Vec<SignedChange>,
    /// A signature is a change's own: by it a frame's changes are known without their hashes.
    by_signature: HashMap<[u8; 64], ChangeId>,
    /// Which honest change has a number. A device may use one twice only if its store was put back
    /// behind its back.
    numbers: BTreeMap<(Author, u64), ChangeId>,
    /// And which has a place among its author's in a record and ink.
    sequences: BTreeMap<(Author, (RecordId, Ink, u64)), ChangeId>,
    covered: HashMap<(DeviceKey, SubSls), bool>,
    pub(super) points: Points,
    records: BTreeMap<RecordId, usize>,
}

impl Truth {
    pub(super) fn new(survey: SurveyId, root: DeviceKey) -> Self {
        Self {
            survey,
            facts: Facts::new(),
            grants: Grants::new(survey, root),
            statements: Vec::new(),
            statement_ids: [StatementId::from_bytes(*survey.as_bytes())].into(),
            known: HashSet::new(),
            held: Vec::new(),
            holders: BTreeMap::new(),
            receipts: BTreeMap::new(),
            covered_from: BTreeMap::new(),
            revocations: BTreeSet::new(),
            signed: Vec::new(),
            by_signature: HashMap::new(),
            numbers: BTreeMap::new(),
            sequences: BTreeMap::new(),
            covered: HashMap::new(),
            points: Points::default(),
            records: BTreeMap::new(),
        }
    }

    /// Somebody made a change that any node may hold.
    ///
    /// # Errors
    /// If an honest device used a number twice, or made what no node may hold.
    pub(super) fn made(&mut self, id: ChangeId, signed: &SignedChange, honest: bool) -> Result<(), String> {
        let fact = Fact::of(signed, id).map_err(|error| format!("change {id:.12} is none: {error:?}"))?;
        let (number, record) = ((fact.author, fact.n), fact.record);
        let place = (fact.author, (record, fact.ink, fact.seq));
        self.by_signature.insert(signed.signature, id);
        if self.facts.insert(id, Arc::new(fact)).is_none() {
            *self.records.entry(record).or_default() += 1;
            if honest {
                self.signed.push(signed.clone());
            }
        }
        if honest && self.numbers.insert(number, id).is_some_and(|other| other != id) {
            return Err(format!("{} used the number {} for two changes", number.0.device.short(), number.1));
        }
        if honest && self.sequences.insert(place, id).is_some_and(|other| other != id) {
            let (author, (record, ink, seq)) = place;
            return Err(format!("{} made change {seq} of {record} in {ink} twice", author.device.short()));
        }
        Ok(())
    }

    /// What a device had not committed never was: its numbers come again.
    pub(super) fn forget_numbers(&mut self, device: &DeviceKey, node: usize) {
        let held = &self.held[node];
        self.numbers.retain(|(author, _), id| author.device != *device || held.contains(id));
        self.sequences.retain(|(author, _), id| author.device != *device || held.contains(id));
    }

    /// Statements are held by somebody.
    pub(super) fn said(&mut self, statements: Vec<Vec<u8>>) {
        for bytes in statements {
            if self.known.insert(bytes.clone()) {
                if let Some(granted) = Granted::of(&bytes, &self.survey) {
                    self.statement_ids.insert(granted.id);
                    self.grants.hold(granted);
                }
                if let Some(word) = RootWord::of(&bytes, &self.survey) {
                    // As with revocations, what is believed by who has not heard of it is left to the end.
                    self.grants.follow(word.keeping_all());
                }
                self.statements.push(bytes);
                self.covered.clear();
            }
        }
    }

    /// The id of a statement that is the charter or a grant.
    pub(super) fn id_of_statement(&self, bytes: &[u8]) -> Option<StatementId> {
        let charter = self.statements.first().filter(|first| *first == bytes);
        let id = charter.map(|_| StatementId::from_bytes(*self.survey.as_bytes()));
        id.or_else(|| Granted::of(bytes, &self.survey).map(|granted| granted.id))
    }

    pub(super) fn id_of(&self, signed: &SignedChange) -> Option<ChangeId> {
        self.by_signature.get(&signed.signature).copied()
    }

    /// Whether a device was ever granted anything at this place.
    pub(super) fn ever_covered(&mut self, device: &DeviceKey, home: &SubSls) -> bool {
        let grants = &self.grants;
        *self.covered.entry((*device, *home)).or_insert_with(|| grants.ever_covered(device, home))
    }

    pub(super) fn home(&self, id: &ChangeId) -> Option<SubSls> {
        self.facts.get(id).map(|fact| fact.record.home())
    }

    /// The records of which a node holds anything.
    pub(super) fn records_of(&self, node: usize) -> Vec<RecordId> {
        let records: BTreeSet<RecordId> =
            self.held[node].iter().filter_map(|id| self.facts.get(id)).map(|fact| fact.record).collect();
        records.into_iter().collect()
    }

    /// How many changes there are of a record, wherever they are.
    pub(super) fn changes_of(&self, record: &RecordId) -> usize {
        self.records.get(record).copied().unwrap_or_default()
    }

    /// The sum of a set of changes, by sub-SLS.
    pub(super) fn fingerprints(&mut self, ids: &BTreeSet<ChangeId>) -> BTreeMap<SubSls, Fingerprint> {
        let mut sums: BTreeMap<SubSls, Fingerprint> = BTreeMap::new();
        for id in ids {
            if let Some(home) = self.home(id) {
                *sums.entry(home).or_default() += self.points.of(id.as_bytes());
            }
        }
        sums
    }
}

/// The fingerprints of single ids. Many nodes hold the same, and each is asked for often.
#[derive(Default)]
pub(super) struct Points(HashMap<[u8; 32], Fingerprint>);

impl Points {
    fn of(&mut self, id: &[u8; 32]) -> Fingerprint {
        *self.0.entry(*id).or_insert_with(|| [*id].iter().collect())
    }

    /// The fingerprint of a set.
    pub(super) fn sum<'a>(&mut self, ids: impl Iterator<Item = &'a [u8; 32]>) -> Fingerprint {
        ids.fold(Fingerprint::default(), |mut sum, id| {
            sum += self.of(id);
            sum
        })
    }
}
