//! The node: its store, its trust, its links, and the four verbs. What is staged while inputs are
//! handled leaves only after a successful commit; a failed commit is final.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rukun_authority::{AdmittedHeader, Keypair, Said, Statement, StatementVerdict, Trust, VerifiedStatement};
use rukun_change::{
    Author, ChangeId, DeviceKey, Digest, Fingerprint, Moment, RecordId, Region, StatementId, SubSls, SurveyId,
};
use rukun_document::Questionnaire;
use rukun_enrolment::Tries;
use rukun_reconcile::sketch::Prefix;
use rukun_store::{Store, StoreError};

use crate::awaited::Awaited;
use crate::input::{Event, Input, LinkId, Output};
use crate::parcels::{AnswerDue, ParcelLine};
use crate::rank::ReceiptsRead;
use crate::session::Link;

/// The most statements of one peer that may wait for what they rest on.
const WAITING_STATEMENTS_MAX: usize = 64;

/// One node.
pub struct Replica {
    pub(crate) store: Store,
    pub(crate) entropy: ChaCha20Rng,
    pub(crate) keypair: Keypair,
    pub(crate) trust: Option<Trust>,
    pub(crate) questionnaire: Option<Questionnaire>,
    /// Statements that came before what they rest on, by that and by who brought them.
    pub(crate) waiting_statements: BTreeMap<StatementId, Vec<(DeviceKey, VerifiedStatement)>>,
    pub(crate) links: BTreeMap<LinkId, Link>,
    /// Whether the present incarnation was drawn since the start, so that nobody can have more of its
    /// log than there is.
    pub(crate) incarnation_is_new: bool,
    /// To whom something was given, or taken from, since scopes were last looked at; and whether to one of them twice.
    pub(crate) moved: BTreeSet<DeviceKey>,
    pub(crate) is_moved_twice: bool,
    /// What each peer ever met could read when statements last changed.
    pub(crate) scopes: BTreeMap<DeviceKey, Vec<Region>>,
    /// Changes found under one number, and not told of yet.
    pub(crate) forks: Vec<(AdmittedHeader, AdmittedHeader)>,
    /// Of which records changes were appended since the last commit, as far as these are few.
    pub(crate) fresh: BTreeSet<RecordId>,
    /// Where a peer was found to hold just what we hold, and a receipt may be due.
    pub(crate) receipts_due: BTreeSet<SubSls>,
    /// Of where something is held and nothing may be read any more.
    pub(crate) outgrown: BTreeSet<SubSls>,
    /// The first symbols of what was held of each sub-SLS when it was last sketched, and of which set.
    pub(crate) prefixes: BTreeMap<SubSls, (Fingerprint, Prefix)>,
    /// Of these, where the district may have come to hold all that is held here.
    pub(crate) release_due: BTreeSet<SubSls>,
    /// Where receipts may prove more than they did.
    pub(crate) unproved: BTreeSet<SubSls>,
    /// Up to how many of a place's items it was tried what a receipt proves, by its place in the log.
    pub(crate) tried: BTreeMap<SubSls, BTreeMap<u64, usize>>,
    /// Receipts that were read, by their place in the log.
    pub(crate) receipts_read: ReceiptsRead,
    /// Receipts that came and were not taken, which nobody need send again for as long as trust stays as it is.
    pub(crate) receipts_declined: BTreeSet<StatementId>,
    /// Where in the log changes stand that peers have acknowledged since custody was last written down.
    pub(crate) elsewhere: BTreeSet<(SubSls, u64)>,
    /// For what each change waits, by who brought it.
    pub(crate) awaited: BTreeMap<(DeviceKey, ChangeId), Awaited>,
    /// The numbers that statements carry. Those of changes are in the store.
    pub(crate) statement_numbers: BTreeMap<Author, BTreeSet<u64>>,
    /// Whose last link ended before both had come to agree.
    pub(crate) cut_short: BTreeSet<DeviceKey>,
    /// What was refused from each peer since the start.
    pub(crate) refused: BTreeMap<DeviceKey, u64>,
    /// The parcels on this device.
    pub(crate) parcels: BTreeMap<Digest, ParcelLine>,
    /// What couriers brought since the last commit, and is to be answered.
    pub(crate) answers_due: Vec<AnswerDue>,
    /// From where codes were guessed wrongly.
    pub(crate) tries: Tries,
    staged: VecDeque<Output>,
    released: VecDeque<Output>,
}

impl Replica {
    /// The node that lives in this store.
    ///
    /// # Errors
    /// If the store can't be read or holds statements that no charter founds.
    pub fn open(store: Store, entropy: [u8; 32]) -> Result<Self, ReplicaError> {
        let keypair = Keypair::from_seed(store.device_seed());
        let mut replica = Self {
            store,
            entropy: ChaCha20Rng::from_seed(entropy),
            keypair,
            trust: None,
            questionnaire: None,
            waiting_statements: BTreeMap::new(),
            awaited: BTreeMap::new(),
            links: BTreeMap::new(),
            incarnation_is_new: false,
            scopes: BTreeMap::new(),
            forks: Vec::new(),
            fresh: BTreeSet::new(),
            receipts_due: BTreeSet::new(),
            outgrown: BTreeSet::new(),
            prefixes: BTreeMap::new(),
            release_due: BTreeSet::new(),
            unproved: BTreeSet::new(),
            tried: BTreeMap::new(),
            receipts_read: ReceiptsRead::default(),
            receipts_declined: BTreeSet::new(),
            moved: BTreeSet::new(),
            is_moved_twice: false,
            elsewhere: BTreeSet::new(),
            statement_numbers: BTreeMap::new(),
            cut_short: BTreeSet::new(),
            refused: BTreeMap::new(),
            parcels: BTreeMap::new(),
            answers_due: Vec::new(),
            tries: Tries::default(),
            staged: VecDeque::new(),
            released: VecDeque::new(),
        };
        replica.recall_trust()?;
        replica.scopes = replica.peer_scopes()?;
        replica.load_questionnaire()?;
        replica.find_outgrown()?;
        replica.recall_parcels()?;
        replica.recall_awaited()?;
        // What a repair saved stands there without what it proved.
        replica.unproved = replica.store.unproved()?;
        Ok(replica)
    }

    /// This device.
    pub fn device(&self) -> DeviceKey {
        self.keypair.key()
    }

    /// This device in its present incarnation.
    pub fn author(&self) -> Author {
        Author { device: self.device(), incarnation: self.store.incarnation() }
    }

    /// The survey this node takes part in.
    pub fn survey(&self) -> Option<SurveyId> {
        self.store.survey()
    }

    /// The trust statements held, once the charter has come.
    pub fn trust(&self) -> Option<&Trust> {
        self.trust.as_ref()
    }

    /// The questionnaire, once it has come.
    pub fn questionnaire(&self) -> Option<&Questionnaire> {
        self.questionnaire.as_ref()
    }

    /// Decides what an input means. Effects are staged until [`Self::commit`].
    ///
    /// # Errors
    /// If the store fails: the process must stop.
    pub fn handle(&mut self, now: Moment, input: Input) -> Result<(), ReplicaError> {
        match input {
            Input::LinkOpened { link, peer, dialed } => self.link_opened(now, link, peer, dialed),
            Input::Received { link, frame } => self.received(now, link, frame),
            Input::LinkClosed { link, reason } => self.link_closed(now, link, reason),
            Input::Tick => {
                self.close_the_silent(now);
                Ok(())
            }
        }
    }

    /// Makes everything durable that was handled, and only then releases its effects.
    ///
    /// # Errors
    /// If the store fails: the process must stop, and nothing is released.
    pub fn commit(&mut self) -> Result<(), ReplicaError> {
        self.prove_forks()?;
        self.prove_receipts()?;
        self.send_what_is_due()?;
        while self.give_receipts()? {
            self.prove_receipts()?;
            self.send_what_is_due()?;
            if cfg!(planted = "receipt-before-commit") {
                self.released.append(&mut self.staged);
            }
        }
        if self.write_answers()? {
            self.send_what_is_due()?;
        }
        if self.release_what_may_go()? {
            self.send_what_is_due()?;
        }
        // Who else holds what is a hint, too: never worth a sync of the disk by itself.
        if self.store.is_dirty() {
            self.note_elsewhere()?;
        }
        if cfg!(planted = "announced-before-commit") {
            self.released.append(&mut self.staged);
        }
        let deferred = cfg!(planted = "commit-deferred") && !self.links.is_empty();
        if self.store.is_dirty() && !deferred {
            match self.store.commit() {
                Err(_) if cfg!(planted = "failed-commit-ignored") => {}
                committed => committed?,
            }
        }
        self.released.append(&mut self.staged);
        Ok(())
    }

    /// One effect, or nothing for now.
    pub fn poll(&mut self) -> Option<Output> {
        self.released.pop_front()
    }

    /// When [`Input::Tick`] is wanted, by the steady clock.
    pub fn deadline(&self) -> Option<u64> {
        self.links.values().filter_map(Link::deadline_ms).min()
    }

    pub(crate) fn stage(&mut self, output: Output) {
        self.staged.push_back(output);
    }

    /// How much is staged.
    pub(crate) fn staged_count(&self) -> usize {
        self.staged.len()
    }

    /// Takes back what was staged after so much, where this holds.
    pub(crate) fn unstage(&mut self, after: usize, goes: impl Fn(&Output) -> bool) -> Vec<Output> {
        let since = self.staged.split_off(after.min(self.staged.len()));
        let (back, stays): (Vec<Output>, Vec<Output>) = since.into_iter().partition(goes);
        self.staged.extend(stays);
        back
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.stage(Output::Event(event));
    }

    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill_bytes(&mut bytes);
        bytes
    }

    /// Checks who signed a statement and takes it in, unless it is held: every greeting brings known ones.
    pub(crate) fn take_claim(
        &mut self,
        statement: Statement,
        from: Option<&DeviceKey>,
    ) -> Result<bool, ReplicaError> {
        let Some(survey) = self.survey() else { return Ok(false) };
        if self.trust.as_ref().is_some_and(|trust| trust.holds(&trust.statement_id(&statement))) {
            return Ok(false);
        }
        match VerifiedStatement::verify(statement, &survey) {
            Ok(verified) => self.take_statement(&verified, from),
            Err(refusal) => {
                if let Some(peer) = from {
                    self.count_refused(*peer, format!("statement refused: {refusal}"));
                }
                Ok(false)
            }
        }
    }

    /// Takes a statement in if it can be placed, keeps it back if what it rests on is missing.
    /// Gives whether anything new is held.
    pub(crate) fn take_statement(
        &mut self,
        verified: &VerifiedStatement,
        from: Option<&DeviceKey>,
    ) -> Result<bool, ReplicaError> {
        let statement = verified.statement();
        if let Said::Receipt(receipt) = &statement.said {
            return self.take_receipt(verified, receipt, from);
        }
        let Some(survey) = self.survey() else { return Ok(false) };
        if self.trust.is_none() {
            let founded = Trust::found(statement).ok().filter(|trust| *trust.survey() == survey);
            let Some(trust) = founded else { return Ok(false) };
            self.trust = Some(trust);
        }
        let Some(trust) = &mut self.trust else { return Ok(false) };
        match trust.judge_verified(verified) {
            StatementVerdict::Admit(id) => {
                let about = statement.said.about();
                if self.store.append_statement(&id, &statement.to_bytes(), about, from)?.is_none() {
                    return Ok(false);
                }
                self.statement_numbers.entry(statement.issuer).or_default().insert(statement.n);
                self.unproved.extend(about);
                if let Some(subject) = statement.said.subject() {
                    self.is_moved_twice |= !self.moved.insert(*subject);
                }
                if let Said::Erasure(erasure) = &statement.said {
                    self.erase_held(&erasure.record, &id)?;
                }
                self.mark_what_it_judges(statement)?;
                self.tell(Event::Trusted { statement: id });
                self.place_what_waits_for(id)?;
                Ok(true)
            }
            StatementVerdict::Wait(parent) => {
                self.hold_back(parent, verified, from);
                Ok(false)
            }
            StatementVerdict::Refuse(refusal) => {
                if let Some(peer) = from {
                    self.count_refused(*peer, format!("statement refused: {refusal}"));
                }
                Ok(false)
            }
        }
    }

    /// What is read may change by a statement about work: where it stands, and where a change stands that
    /// shares its number with one that was decided on or kept.
    fn mark_what_it_judges(&mut self, statement: &Statement) -> Result<(), ReplicaError> {
        let Some(home) = statement.said.about().filter(|_| !cfg!(planted = "decided-views-stale")) else {
            return Ok(());
        };
        self.store.mark_stale(Some(&home.region()))?;
        let judged = match &statement.said {
            Said::Decision(decision) => &decision.changes,
            Said::KeptList(list) => &list.changes,
            _ => return Ok(()),
        };
        for id in judged {
            let Some(change) = self.store.header(id)? else { continue };
            self.mark_same_number(&change)?;
        }
        Ok(())
    }

    /// What follows from new statements: more may be read, written and admitted than before.
    pub(crate) fn statements_changed(&mut self) -> Result<(), ReplicaError> {
        if self.store.change_count()? > 0 && !cfg!(planted = "views-stale") {
            self.store.mark_stale(None)?;
        }
        self.receipts_declined.clear();
        self.rescope_peers()?;
        self.judge_waiting()?;
        self.find_outgrown()
    }

    pub(crate) fn count_refused(&mut self, peer: DeviceKey, reason: String) {
        *self.refused.entry(peer).or_default() += 1;
        self.tell(Event::Refused { peer, reason });
    }

    pub(crate) fn load_questionnaire(&mut self) -> Result<(), ReplicaError> {
        let Some(trust) = &self.trust else { return Ok(()) };
        if let (None, Some(bytes)) = (&self.questionnaire, self.store.blob(&trust.charter().questionnaire)?) {
            let parsed = Questionnaire::parse(&bytes);
            self.questionnaire =
                Some(parsed.map_err(|error| ReplicaError::Questionnaire(error.to_string()))?);
        }
        Ok(())
    }

    pub(crate) fn hold_back(
        &mut self,
        parent: StatementId,
        statement: &VerifiedStatement,
        from: Option<&DeviceKey>,
    ) {
        let Some(from) = from else { return };
        let waiting = self.waiting_statements.values().flatten();
        if waiting.filter(|(peer, _)| peer == from).count() < WAITING_STATEMENTS_MAX {
            let waiting = self.waiting_statements.entry(parent).or_default();
            if !waiting.iter().any(|(_, known)| known == statement) {
                waiting.push((*from, statement.clone()));
            }
        }
    }

    /// Nothing stays in memory of who was never granted anything: keys are free.
    pub(crate) fn forget_stranger(&mut self, peer: &DeviceKey) {
        self.waiting_statements.retain(|_, waiting| {
            waiting.retain(|(from, _)| from != peer);
            !waiting.is_empty()
        });
        self.refused.remove(peer);
    }

    fn place_what_waits_for(&mut self, parent: StatementId) -> Result<(), ReplicaError> {
        for (from, statement) in self.waiting_statements.remove(&parent).unwrap_or_default() {
            self.take_statement(&statement, Some(&from))?;
        }
        Ok(())
    }

    /// Takes in the statements of the store, and no others.
    pub(crate) fn recall_trust(&mut self) -> Result<(), ReplicaError> {
        self.trust = None;
        for (id, bytes) in self.store.statements()? {
            self.recall_statement(id, &bytes)?;
        }
        Ok(())
    }

    fn recall_statement(&mut self, id: StatementId, bytes: &[u8]) -> Result<(), ReplicaError> {
        let damaged = || ReplicaError::Statement { id };
        let statement = Statement::from_bytes(bytes).map_err(|_| damaged())?;
        if self.trust.is_none() {
            self.trust = Some(Trust::recall(&statement).map_err(|_| damaged())?);
        }
        let verdict = self.trust.as_mut().map(|trust| trust.recall_statement(&statement));
        match verdict {
            Some(StatementVerdict::Admit(held)) if held == id => {
                self.statement_numbers.entry(statement.issuer).or_default().insert(statement.n);
                Ok(())
            }
            _ => Err(damaged()),
        }
    }
}

/// Why a node can't go on: its own disk's fault, never a peer's.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A statement in the log that does not follow from those before it.
    #[error("statement {id:.12} in the store is damaged; `rukun repair` saves what can be saved")]
    Statement {
        /// The statement.
        id: StatementId,
    },
    /// A receipt in the log that is none.
    #[error(
        "the receipt at place {seq} of the log in the store is damaged; `rukun repair` saves what can be saved"
    )]
    Receipt {
        /// The place.
        seq: u64,
    },
    /// The list of parcels is none.
    #[error("the list of carried bundles in the store is damaged; restore the store from a backup")]
    Parcels,
    /// The survey's questionnaire, whose hash fits the charter, does not parse.
    #[error("the survey's questionnaire can't be read: {0}; the survey needs a new charter")]
    Questionnaire(String),
}
