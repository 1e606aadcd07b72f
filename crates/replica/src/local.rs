//! What this device's own people do to records: an edit becomes a change, is signed and goes
//! through the same gate as a stranger's. The keyboard refuses what others would set aside.

use rukun_authority::{HandOverError, Role, StatementError, VerifiedChange, sign};
use rukun_change::{Change, ChangeId, DeviceKey, Ink, MemberId, Moment, RecordId, Scalar, SubSls, SurveyId};
use rukun_document::{Candidate, Conflict, Draft, EditError, Place, Reading, Writer, edit, write};
use rukun_evidence::ExportError;
use serde_json::Value;

use crate::erased::Erased;
use crate::replica::{Replica, ReplicaError};
use crate::take::Admission;

/// What a resolution settles on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The value of this candidate.
    Pick(ChangeId),
    /// Another value.
    Value(Scalar),
}

impl Replica {
    /// Adds a family and its first answers.
    ///
    /// # Errors
    /// If this device may not write there, that place is retired, or an answer does not fit the questionnaire.
    pub fn add_record(
        &mut self,
        now: Moment,
        home: SubSls,
        ink: Option<Ink>,
        patch: &Value,
    ) -> Result<(RecordId, ChangeId), ActionError> {
        let record = RecordId::new(home, self.random());
        let change = self.edit(now, &record, ink, patch)?.ok_or(ActionError::Empty)?;
        Ok((record, change))
    }

    /// Edits a record by a JSON merge patch (RFC 7386). Nothing comes of a patch that changes nothing.
    ///
    /// # Errors
    /// If this device may not write there, or an answer does not fit the questionnaire.
    pub fn edit(
        &mut self,
        now: Moment,
        record: &RecordId,
        ink: Option<Ink>,
        patch: &Value,
    ) -> Result<Option<ChangeId>, ActionError> {
        let writer = self.writer(now, record, ink)?;
        if let Some(erased) = self.erasure_of(record)? {
            return Err(ActionError::Erased(Box::new(erased)));
        }
        let (held, reading) = self.held(record)?;
        if held.is_empty() {
            self.is_in_use(&record.home())?;
        }
        let questionnaire = self.questionnaire.as_ref().ok_or(ActionError::NoQuestionnaire)?;
        let entropy = &mut self.entropy;
        let mut member = || {
            let mut bytes = [0; 8];
            rand_chacha::rand_core::Rng::fill_bytes(entropy, &mut bytes);
            MemberId::from_bytes(bytes)
        };
        let draft = edit(&reading, &held, questionnaire, &writer, patch, &mut member)?;
        draft.map(|draft| self.sign_and_admit(record, &writer, draft)).transpose()
    }

    /// Marks a record or one of its members gone. Nothing is deleted.
    ///
    /// # Errors
    /// If this device may not write there or there is no such record or member.
    pub fn mark_gone(
        &mut self,
        now: Moment,
        record: &RecordId,
        member: Option<MemberId>,
        reason: &str,
        ink: Option<Ink>,
    ) -> Result<ChangeId, ActionError> {
        if reason.trim().is_empty() {
            return Err(ActionError::NoReason);
        }
        let (held, reading) = self.held_known(record)?;
        if let Some(member) = member.filter(|member| !reading.all_members().contains(member)) {
            return Err(ActionError::NoMember { record: *record, member });
        }
        let place = Place { member, field: "gone".into() };
        let writes = [(place, Scalar::Text(reason.into()))];
        let writer = self.writer(now, record, ink)?;
        let questionnaire = self.questionnaire.as_ref().ok_or(ActionError::NoQuestionnaire)?;
        let draft = write(&reading, &held, questionnaire, &writer, &writes, "")?.ok_or(ActionError::Empty)?;
        self.sign_and_admit(record, &writer, draft)
    }

    /// The conflicts of a record, remembered as shown: a resolution chooses among these.
    ///
    /// # Errors
    /// If there is no such record.
    pub fn show_conflicts(&mut self, record: &RecordId) -> Result<Vec<Conflict>, ActionError> {
        // Which other records have the same numbers is known from the views alone.
        self.refresh(None, usize::MAX)?;
        let conflicts = self.conflicts_of(record)?;
        let shown = candidates(&conflicts);
        let shown: Vec<u8> = shown.iter().flat_map(|id| *id.as_bytes()).collect();
        self.store.set_setting(&shown_name(record), Some(&shown)).map_err(ReplicaError::from)?;
        Ok(conflicts)
    }

    /// Settles a conflict by an ordinary change that has seen all candidates.
    ///
    /// # Errors
    /// If the candidates were never shown or have changed since, if there is no conflict in that
    /// place, if none there would end by it in that ink, or if this device may not write there.
    pub fn resolve(
        &mut self,
        now: Moment,
        record: &RecordId,
        place: &Place,
        choice: &Choice,
        ink: Option<Ink>,
    ) -> Result<ChangeId, ActionError> {
        self.refresh(None, usize::MAX)?;
        let (held, reading) = self.held_known(record)?;
        let conflicts = self.conflicts_of(record)?;
        let at_place = || conflicts.iter().filter(|conflict| conflict.place.as_ref() == Some(place));
        let among: Vec<&Candidate> = at_place().flat_map(|conflict| &conflict.candidates).collect();
        if among.is_empty() {
            return Err(ActionError::NoConflict { record: *record, place: place.clone() });
        }
        let shown = self.store.setting(&shown_name(record)).map_err(ReplicaError::from)?;
        let shown = shown.ok_or(ActionError::NotShown { record: *record })?;
        if let Some(news) =
            among.iter().find(|candidate| !shown.chunks(32).any(|id| id == candidate.change.as_bytes()))
        {
            return Err(ActionError::NewCandidate { record: *record, change: news.change });
        }
        let value = chosen(choice, &among)?;
        let mut named: Vec<String> = among.iter().map(|candidate| candidate.change.to_string()).collect();
        named.sort_unstable();
        named.dedup();
        let writer = self.writer(now, record, ink)?;
        let questionnaire = self.questionnaire.as_ref().ok_or(ActionError::NoQuestionnaire)?;
        let message = format!("resolve {}", named.join(","));
        let writes = [(place.clone(), value.clone())];
        let draft = write(&reading, &held, questionnaire, &writer, &writes, &message)?;
        if let Some(needed) = ink_needed(&reading, &at_place().collect::<Vec<_>>(), writer.ink, &value) {
            let (record, place) = (*record, place.clone());
            return Err(ActionError::SettlesNothing { record, place, ink: writer.ink, needed });
        }
        self.sign_and_admit(record, &writer, draft.ok_or(ActionError::Empty)?)
    }

    /// Who writes there, in the ink asked for or the usual one of this device's role there.
    fn writer(&mut self, now: Moment, record: &RecordId, ink: Option<Ink>) -> Result<Writer, ActionError> {
        self.renew_incarnation(now)?;
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let home = record.home();
        let roles = trust.roles_at(&self.device(), &home);
        let mut inks = roles.iter().flat_map(|role: &Role| role.inks());
        let usual = *inks.clone().next().ok_or(ActionError::NotGranted { home })?;
        let ink = ink.unwrap_or(usual);
        if !inks.any(|may| *may == ink) {
            let roles = roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
            return Err(ActionError::Ink { ink, roles, usual });
        }
        Ok(Writer { author: self.author(), ink, time_ms: now.wall_ms })
    }

    fn sign_and_admit(
        &mut self,
        record: &RecordId,
        writer: &Writer,
        draft: Draft,
    ) -> Result<ChangeId, ActionError> {
        let survey = self.survey().ok_or(ActionError::NoCharter)?;
        let n = self.store.next_n().map_err(ReplicaError::from)?;
        let Draft { body, seen, .. } = draft;
        let change = Change { author: writer.author, n, record: *record, ink: writer.ink, seen, body };
        let signed =
            sign(&self.keypair, change, &survey).map_err(|error| ActionError::Own(error.to_string()))?;
        let verified =
            VerifiedChange::verify(signed, &survey).map_err(|error| ActionError::Own(error.to_string()))?;
        let id = verified.id();
        match self.admit(verified, None)? {
            Admission::Done(_) => Ok(id),
            Admission::Waits | Admission::NoRoom | Admission::NoStub => {
                Err(ActionError::Own("a cause of it is missing".into()))
            }
        }
    }
}

/// Every change that a conflict of this record offers as a candidate, ascending.
fn candidates(conflicts: &[Conflict]) -> Vec<ChangeId> {
    let candidates = conflicts.iter().flat_map(|conflict| &conflict.candidates);
    let mut ids: Vec<ChangeId> = candidates.map(|candidate| candidate.change).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn chosen(choice: &Choice, among: &[&Candidate]) -> Result<Scalar, ActionError> {
    let change = match choice {
        Choice::Value(value) => return Ok(value.clone()),
        Choice::Pick(change) => *change,
    };
    let picked = among.iter().find(|candidate| candidate.change == change);
    picked.map(|candidate| candidate.value.clone()).ok_or(ActionError::NoCandidate { change })
}

/// The lowest ink above this one in which the value would end any of the conflicts, if in this one it ends
/// none: nobody is to be told that it is done where it all stays. What only a decision ends needs no ink.
fn ink_needed(reading: &Reading, conflicts: &[&Conflict], ink: Ink, value: &Scalar) -> Option<Ink> {
    let ends = |ink: &Ink| conflicts.iter().any(|conflict| reading.can_settle(conflict, *ink, value));
    let mut above = Ink::ALL.into_iter().filter(|above| *above > ink);
    if ends(&ink) { None } else { above.find(ends) }
}

fn shown_name(record: &RecordId) -> String {
    format!("shown/{record}")
}

fn listed(places: &[SubSls]) -> String {
    places.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Why nothing was done. What a person at this device can mend, but for the last two.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// The device is in a survey already.
    #[error("this device takes part in survey {survey} already; use another data folder for another survey")]
    InSurvey {
        /// Which.
        survey: SurveyId,
    },
    /// The charter has not come yet.
    #[error(
        "the survey's charter is not here yet; connect once to the office (rukun peer add HOST:PORT), or found a survey (rukun init)"
    )]
    NoCharter,
    /// The questionnaire has not come yet.
    #[error("the survey's questionnaire is not here yet; connect once to a node that has it")]
    NoQuestionnaire,
    /// A questionnaire that does not parse.
    #[error("the questionnaire can't be used: {0}")]
    Questionnaire(String),
    /// A charter that founds nothing.
    #[error("the charter can't be used: {0}")]
    Charter(String),
    /// A grant that others would refuse.
    #[error("the grant can't be made: {0}")]
    Grant(String),
    /// A grant of nothing: only a hand-over leaves one.
    #[error("a grant needs a region; name it with --region, or take regions away by rukun assign")]
    NoRegion,
    /// A hand-over that would say something else than was asked for.
    #[error(transparent)]
    HandOver(#[from] HandOverError),
    /// A device to which nothing can be handed over.
    #[error(
        "device {device} is revoked and would stay out; hand over to another device, such as its owner's new one"
    )]
    StaysOut {
        /// The device.
        device: DeviceKey,
    },
    /// Nothing that such a grant could rest on.
    #[error(
        "this device has no grant from which it could grant the role {role} in {regions}; ask the tier above, or use the root key for a district"
    )]
    MayNotGrant {
        /// The role.
        role: Role,
        /// Where.
        regions: String,
    },
    /// A place where this device has no role.
    #[error("this device has no role in {home}; ask the office for a grant there")]
    NotGranted {
        /// Where.
        home: SubSls,
    },
    /// An ink that none of this device's roles there writes.
    #[error("the role {roles} does not write {ink} there; its ink is {usual}")]
    Ink {
        /// The ink.
        ink: Ink,
        /// The device's roles there.
        roles: String,
        /// What they write.
        usual: Ink,
    },
    /// A resolution in an ink in which it would end no conflict there.
    #[error(
        "that answer in {ink} settles nothing in {place} of record {record}; settle it in {needed}, or leave it to the {}",
        Role::of_ink(*needed)
    )]
    SettlesNothing {
        /// The record.
        record: RecordId,
        /// The place.
        place: Place,
        /// The ink.
        ink: Ink,
        /// The lowest ink that would do.
        needed: Ink,
    },
    /// No such record.
    #[error("no record {text} is held here; rukun record list shows those that are")]
    NoRecord {
        /// What was given.
        text: String,
    },
    /// A record of which nothing is left to read.
    #[error(
        "record {} was erased by the district ({}); its history is left, and nothing that anybody answered",
        .0.record, .0.reason
    )]
    Erased(Box<Erased>),
    /// An erasure, a transfer or a redrawing by who may not.
    #[error(
        "the district alone erases and moves records and redraws sub-SLS, and this device has no grant as district in {home}; ask the office"
    )]
    NotTheDistrict {
        /// Where.
        home: SubSls,
    },
    /// Places of which no one grant as district covers all.
    #[error(
        "this device is district there by several grants, none of which covers all of it; ask for one that does"
    )]
    SeveralDistricts,
    /// A redrawing that nobody could read.
    #[error("sub-SLS can't be redrawn like that: {0}")]
    Redrawing(#[from] StatementError),
    /// A sub-SLS that there is no more.
    #[error("{home} is retired, split or merged into {}; name the one of these that it is now", listed(.into))]
    Retired {
        /// Which.
        home: SubSls,
        /// Those in use that it went to.
        into: Vec<SubSls>,
    },
    /// A record that is moved to where it is.
    #[error("record {record} lives there already; name another sub-SLS")]
    LivesThere {
        /// The record.
        record: RecordId,
    },
    /// A record that has ended.
    #[error("record {record} is gone: {reason}; move the one that goes on")]
    Gone {
        /// The record.
        record: RecordId,
        /// Why it is gone.
        reason: String,
    },
    /// More than one such record.
    #[error("{text} begins more than one record id, {first} and {second} among them; type more of it")]
    Ambiguous {
        /// What was given.
        text: String,
        /// One.
        first: RecordId,
        /// Another.
        second: RecordId,
    },
    /// No such member.
    #[error("record {record} has no member {member}; rukun record show lists them")]
    NoMember {
        /// The record.
        record: RecordId,
        /// The member.
        member: MemberId,
    },
    /// A mark without a reason.
    #[error("say why it is gone: --reason TEXT")]
    NoReason,
    /// A patch that changes nothing where something must change.
    #[error("nothing to write: every answer given is there already")]
    Empty,
    /// An answer that does not fit.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// No conflict where one was to be resolved.
    #[error("no conflict in {place} of record {record}; rukun conflicts show {record} lists what there is")]
    NoConflict {
        /// The record.
        record: RecordId,
        /// The place.
        place: Place,
    },
    /// Candidates that nobody has looked at.
    #[error("look at the candidates first: rukun conflicts show {record}")]
    NotShown {
        /// The record.
        record: RecordId,
    },
    /// A candidate that came since.
    #[error(
        "the candidates have changed since they were shown (change {change:.12} is new); look again: rukun conflicts show {record}"
    )]
    NewCandidate {
        /// The record.
        record: RecordId,
        /// The new one.
        change: ChangeId,
    },
    /// Picked what is no candidate.
    #[error("change {change:.12} is no candidate there; pick one of those shown, or give --value")]
    NoCandidate {
        /// The change.
        change: ChangeId,
    },
    /// A device that nobody granted anything.
    #[error("no grant is known for device {device}; rukun id on that device shows its id")]
    UnknownDevice {
        /// The device.
        device: DeviceKey,
    },
    /// A superior's key.
    #[error(
        "a {role}'s key can't be rotated, since others were granted through it; let its superior grant a new device and rukun revoke this one"
    )]
    StandsAbove {
        /// The role.
        role: Role,
    },
    /// No grant that a new key could have.
    #[error("this device has no grant in force, so a new key would be nobody's; ask the office for one")]
    NothingToRotate,
    /// Somebody else's to judge.
    #[error(
        "device {device} does not act by a grant that came down through this one; ask the office that granted it"
    )]
    NotAbove {
        /// The device.
        device: DeviceKey,
    },
    /// Somebody else's work to judge.
    #[error(
        "no grant by which device {device} may write {ink} there came down through this one; \
         ask the office that granted it"
    )]
    NotAboveWork {
        /// The author.
        device: DeviceKey,
        /// The ink of the work.
        ink: Ink,
    },
    /// A root key that is none here, or is followed by another.
    #[error(
        "{device} is not the root key of this survey, or is root no more; rukun status shows which one is"
    )]
    NotTheRoot {
        /// The key.
        device: DeviceKey,
    },
    /// Revoked by the same key before.
    #[error("device {device} is revoked by this device already; what came since is settled by rukun uphold")]
    RevokedBefore {
        /// The device.
        device: DeviceKey,
    },
    /// No such change.
    #[error("no change {change:.12} is held here; rukun set-aside lists those that can be settled")]
    NoChange {
        /// The change.
        change: ChangeId,
    },
    /// Evidence that nobody would believe.
    #[error("there is no evidence of the record: {0}")]
    Evidence(#[from] ExportError),
    /// Our own change was refused by our own gate: our fault.
    #[error("this device's own change did not pass the gate: {0}; please report this")]
    Own(String),
    /// The disk's fault: the process must stop.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
}
