//! A damaged file becomes a new store: everything that still opens under its key is taken out of the
//! pages one by one and goes through the gate again, in the order of the old log. What can't be placed
//! because something before it was lost waits, as if it had just come. What was erased stays erased, though
//! old pages may still have all of it. Nothing is written to the file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use rand_chacha::ChaCha20Rng;
use redb::StorageBackend;
use rukun_authority::{
    Keypair, Said, Statement, StatementVerdict, Trust, Verdict, VerifiedChange, VerifiedHeader,
};
use rukun_change::{
    Author, CauseHash, ChangeId, DeviceKey, Digest, Incarnation, RecordId, SignedChange, SignedHeader,
    SurveyId,
};
use zeroize::Zeroizing;

use crate::blob::BLOB_BYTES_MAX;
use crate::fault::OpenError;
use crate::finds::Finds;
use crate::keys::Unlock;
use crate::open::NewStore;
use crate::store::Store;

/// Commits while the new store is filled.
const COMMIT_EVERY: usize = 500;

/// What was taken out of a damaged file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Changes that are in the new store's log, those of erased records as stubs.
    pub changes: u64,
    /// Of these, changes by this device.
    pub own: u64,
    /// Changes that wait for what they rest on, to come back from a peer.
    pub waiting: u64,
    /// Statements that are in the new store's log.
    pub statements: u64,
    /// Statements and stubs that opened and rest on lost statements.
    pub unplaced: u64,
    /// Places of the old log whose row did not open any more, as far as can be told.
    pub lost: u64,
    /// Files, such as the questionnaire, that are whole.
    pub files: u64,
    /// Every value that was found under each setting's name, outdated ones among them. None is in the
    /// new store.
    pub settings: BTreeMap<String, BTreeSet<Vec<u8>>>,
}

impl Store {
    /// Makes a new store of the same device out of what a damaged one still holds. It is durable when
    /// this returns. The damaged one is only read, and stays locked until its backend is closed.
    ///
    /// # Errors
    /// [`OpenError::Gone`] if the device's key or the survey is lost, [`OpenError::InUse`] if another
    /// process has the damaged store open, or if the new store can't be made.
    pub fn salvage(
        damaged: &impl StorageBackend,
        unlock: Unlock<'_>,
        new: impl StorageBackend,
        incarnation: Incarnation,
        entropy: &mut ChaCha20Rng,
    ) -> Result<(Self, Salvaged), OpenError> {
        if matches!(damaged.try_lock_range(Bound::Unbounded, Bound::Unbounded), Ok(false)) {
            return Err(OpenError::InUse);
        }
        let finds = Finds::search(damaged, unlock)?;
        let device_seed = present_seed(&finds);
        let new_store = NewStore { device_seed: *device_seed, incarnation };
        let mut filling = Filling {
            store: Self::create(new, unlock, &new_store, entropy)?,
            own: Keypair::from_seed(&device_seed).key(),
            trust: None,
            erased: BTreeSet::new(),
            salvaged: Salvaged { settings: finds.settings.clone(), ..Salvaged::default() },
        };
        filling.fill(&finds)?;
        filling.store.commit()?;
        Ok((filling.store, filling.salvaged))
    }
}

/// A new store on its way.
struct Filling {
    store: Store,
    own: DeviceKey,
    trust: Option<Trust>,
    /// The records of which an erasure or a stub was found: with a stub alone, the statement is lost.
    erased: BTreeSet<RecordId>,
    salvaged: Salvaged,
}

impl Filling {
    fn fill(&mut self, finds: &Finds) -> Result<(), OpenError> {
        self.place_statements(finds)?;
        self.place_files(finds)?;
        if let Some(survey) = self.survey(finds)? {
            self.store.set_survey(&survey)?;
            self.place_changes(finds, &survey)?;
            for (from, bytes) in &finds.waiting {
                if let Some(change) = verified(bytes, &survey) {
                    self.place(change, *from)?;
                }
            }
        }
        // Old pages may have all that was erased, and the damaged file is kept.
        if !self.erased.is_empty() {
            self.store.set_renewal_due()?;
        }
        self.salvaged.lost = finds.lost();
        Ok(())
    }

    /// What a charter founds, if one was found; else what the header said, if something proves it.
    fn survey(&self, finds: &Finds) -> Result<Option<SurveyId>, OpenError> {
        if let Some(trust) = &self.trust {
            return Ok(Some(*trust.survey()));
        }
        let changes = || finds.changes.values().flatten().map(Vec::as_slice);
        let proved = |survey: &&SurveyId| changes().any(|bytes| verified(bytes, survey).is_some());
        match finds.surveys.iter().find(proved) {
            Some(survey) => Ok(Some(*survey)),
            None if finds.changes.is_empty() && finds.surveys.len() < 2 => Ok(finds.surveys.first().copied()),
            None => Err(OpenError::Gone { what: "survey" }),
        }
    }

    /// Statements come in the order of the log, so that each finds what it rests on.
    fn place_statements(&mut self, finds: &Finds) -> Result<(), OpenError> {
        let claims = finds.statements.values().flatten();
        let claims: Vec<Statement> = claims.filter_map(|bytes| Statement::from_bytes(bytes).ok()).collect();
        self.trust = claims.iter().find_map(|claim| Trust::found(claim).ok());
        let Some(trust) = &mut self.trust else {
            self.salvaged.unplaced = claims.len() as u64;
            return Ok(());
        };
        for claim in &claims {
            match trust.judge_statement(claim) {
                StatementVerdict::Admit(id) => {
                    let (bytes, about) = (claim.to_bytes(), claim.said.about());
                    let new = match &claim.said {
                        Said::Receipt(receipt) => {
                            let issuer = &claim.issuer.device;
                            Some(self.store.append_receipt(&receipt.sub_sls, issuer, &id, &bytes, None)?)
                        }
                        _ => self.store.append_statement(&id, &bytes, about, None)?,
                    };
                    self.salvaged.statements += u64::from(new.is_some());
                    if let Said::Erasure(erasure) = &claim.said {
                        self.erased.insert(erasure.record);
                    }
                }
                StatementVerdict::Wait(_) | StatementVerdict::Refuse(_) => self.salvaged.unplaced += 1,
            }
        }
        Ok(())
    }

    fn place_changes(&mut self, finds: &Finds, survey: &SurveyId) -> Result<(), OpenError> {
        let found = finds.stubs.values().flatten();
        let stubs: Vec<_> = found.filter_map(|bytes| verified_header(bytes, survey)).collect();
        let found = finds.changes.values().flatten();
        let mut changes: Vec<_> = found.filter_map(|bytes| verified(bytes, survey)).collect();
        let mut dropped = self.superseded(&changes, &stubs);
        dropped.extend(stubs.iter().map(VerifiedHeader::id));
        changes.retain(|change| !dropped.contains(&change.id()));
        self.erased.extend(stubs.iter().map(|stub| stub.header().record));
        for stub in stubs {
            self.place_stub(stub)?;
        }
        for (at, change) in changes.into_iter().enumerate() {
            self.place(change, self.own)?;
            if at % COMMIT_EVERY == COMMIT_EVERY - 1 {
                self.store.commit()?;
            }
        }
        Ok(())
    }

    /// Through the gate, or to what waits from this peer.
    fn place(&mut self, change: VerifiedChange, from: DeviceKey) -> Result<(), OpenError> {
        let (record, own) = (change.change().record, change.change().author.device == self.own);
        if self.erased.contains(&record) {
            return self.place_stub(change.into_stub());
        }
        if self.store.has_change(&change.id())? {
            return Ok(());
        }
        let change = match &self.trust {
            Some(trust) => {
                match trust.judge(change, |ink, cause| self.store.has_cause(&record, ink, cause))? {
                    Verdict::Admit(change) => {
                        self.store.append_change(&change, None)?;
                        self.salvaged.changes += 1;
                        self.salvaged.own += u64::from(own);
                        return Ok(());
                    }
                    Verdict::Wait(change, _) => change,
                }
            }
            None => Box::new(change),
        };
        self.store.put_waiting(&from, &change.id(), &change.signed().to_bytes())?;
        self.salvaged.waiting += 1;
        Ok(())
    }

    /// What is left of an erased record's change. It does not wait: whoever brings the lost statement brings
    /// it, too.
    fn place_stub(&mut self, stub: VerifiedHeader) -> Result<(), OpenError> {
        if self.store.has_change(&stub.id())? {
            return Ok(());
        }
        let own = stub.header().author.device == self.own;
        let placed = self.trust.as_ref().and_then(|trust| {
            let by = trust.erased_by(&stub.header().record)?;
            Some((trust.judge_header(stub)?, by))
        });
        let Some((stub, by)) = placed else {
            self.salvaged.unplaced += 1;
            return Ok(());
        };
        self.store.append_stub(&stub, &by, None)?;
        self.salvaged.changes += 1;
        self.salvaged.own += u64::from(own);
        Ok(())
    }

    /// Of two changes that this device made under one number, one was never committed: its page outlived a
    /// loss of power. To bring it back would be to fork. A stub stands: its change was committed long before
    /// its record was erased.
    fn superseded(&self, changes: &[VerifiedChange], stubs: &[VerifiedHeader]) -> BTreeSet<ChangeId> {
        let own = stubs.iter().map(VerifiedHeader::header).filter(|stub| stub.author.device == self.own);
        let stubs_at: BTreeSet<_> = own.map(|stub| (stub.author, stub.n)).collect();
        let mut numbers: BTreeMap<(Author, u64), Vec<&VerifiedChange>> = BTreeMap::new();
        for change in changes.iter().filter(|change| change.change().author.device == self.own) {
            numbers.entry((change.change().author, change.change().n)).or_default().push(change);
        }
        let contested = numbers.iter().filter(|(at, rivals)| rivals.len() > 1 || stubs_at.contains(at));
        let authors: BTreeSet<Author> = contested.map(|((author, _), _)| *author).collect();
        let mut superseded = BTreeSet::new();
        for author in authors {
            let mut evidence = Evidence::of_others(&author, changes, stubs);
            // The last first: what a change names that does not stand itself says nothing.
            for (number, rivals) in numbers.range((author, 0)..=(author, u64::MAX)).rev() {
                let change = rivals.iter().max_by_key(|change| evidence.weight(change));
                let stands = change.filter(|_| !stubs_at.contains(number));
                if let Some(change) = stands {
                    evidence.own.extend(named(change));
                }
                let id = stands.map(|change| change.id());
                superseded.extend(rivals.iter().map(|rival| rival.id()).filter(|rival| Some(*rival) != id));
            }
        }
        superseded
    }

    fn place_files(&mut self, finds: &Finds) -> Result<(), OpenError> {
        for (digest, pieces) in &finds.pieces {
            let mut whole = Vec::new();
            for (offset, piece) in pieces {
                if *offset == whole.len() as u64 {
                    whole.extend(piece);
                }
            }
            let digest = Digest::from_bytes(*digest);
            if whole.len() as u64 <= BLOB_BYTES_MAX && Digest::of(&whole) == digest {
                self.store.put_blob(&digest, 0, whole.len() as u64, &whole)?;
                self.salvaged.files += 1;
            }
        }
        Ok(())
    }
}

/// A change as those that follow it name it.
type Name = (RecordId, CauseHash);

/// What tells of an author's changes that they were committed.
struct Evidence {
    /// Named by another author, who had it only once it was durable; so had this device under its next
    /// incarnation. And by a stub, which was committed.
    others: BTreeSet<Name>,
    /// Named by this author's later ones.
    own: BTreeSet<Name>,
}

impl Evidence {
    fn of_others(author: &Author, changes: &[VerifiedChange], stubs: &[VerifiedHeader]) -> Self {
        let changes = changes.iter().filter(|change| change.change().author != *author).flat_map(named);
        let stubs = stubs.iter().map(VerifiedHeader::header);
        let stubs = stubs.flat_map(|stub| stub.seen.iter().map(|seen| (stub.record, *seen)));
        Self { others: changes.chain(stubs).collect(), own: BTreeSet::new() }
    }

    /// Of two changes under one number, the heavier stands. A clock may have been set back, so the time
    /// comes last.
    fn weight(&self, change: &VerifiedChange) -> (bool, bool, i64, ChangeId) {
        let (name, time_ms) = ((change.change().record, change.body().hash), change.body().time_ms);
        (self.others.contains(&name), self.own.contains(&name), time_ms, change.id())
    }
}

/// What a change follows and what its author saw.
fn named(change: &VerifiedChange) -> impl Iterator<Item = Name> {
    let record = change.change().record;
    change.body().deps.iter().chain(&change.change().seen).map(move |cause| (record, *cause))
}

/// The seed of the key that no other has followed. Old pages may still have those of before.
fn present_seed(finds: &Finds) -> Zeroizing<[u8; 32]> {
    let claims = finds.statements.values().flatten().filter_map(|bytes| Statement::from_bytes(bytes).ok());
    let followed: BTreeSet<DeviceKey> = claims
        .filter(|claim| matches!(claim.said, Said::Succession(_)))
        .map(|claim| claim.issuer.device)
        .collect();
    let present = |seed: &&Zeroizing<[u8; 32]>| !followed.contains(&Keypair::from_seed(seed).key());
    let seeds = &finds.device_seeds;
    seeds.iter().find(present).or(seeds.first()).expect("a search without a seed fails").clone()
}

fn verified(bytes: &[u8], survey: &SurveyId) -> Option<VerifiedChange> {
    VerifiedChange::verify(SignedChange::from_bytes(bytes).ok()?, survey).ok()
}

fn verified_header(bytes: &[u8], survey: &SurveyId) -> Option<VerifiedHeader> {
    VerifiedHeader::verify(SignedHeader::from_bytes(bytes).ok()?, survey).ok()
}
