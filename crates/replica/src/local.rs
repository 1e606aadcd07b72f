//! What this device's own people do to records: an edit becomes a change, is signed and goes
//! through the same gate as a stranger's. The keyboard refuses what others would set aside.

use rukun_authority::limits::LINE_BYTES_MAX;
use rukun_authority::{HandOverError, Role, StatementError, VerifiedChange, sign};
use rukun_change::{Change, ChangeId, DeviceKey, Ink, MemberId, Moment, RecordId, Scalar, SubSls, SurveyId};
use rukun_document::{Draft, EditError, Place, Writer, edit, write};
use rukun_evidence::ExportError;
use serde_json::Value;

use crate::erased::Erased;
use crate::replica::{Replica, ReplicaError};
use crate::take::Admission;

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
        let drafted = self.draft_edit(now, record, ink, patch)?;
        drafted.map(|(writer, draft)| self.sign_and_admit(record, &writer, draft)).transpose()
    }

    pub(crate) fn draft_edit(
        &mut self,
        now: Moment,
        record: &RecordId,
        ink: Option<Ink>,
        patch: &Value,
    ) -> Result<Option<(Writer, Draft)>, ActionError> {
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
        Ok(draft.map(|draft| (writer, draft)))
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
        let (writer, draft) = self.draft_gone(now, record, member, reason, ink)?;
        self.sign_and_admit(record, &writer, draft)
    }

    pub(crate) fn draft_gone(
        &mut self,
        now: Moment,
        record: &RecordId,
        member: Option<MemberId>,
        reason: &str,
        ink: Option<Ink>,
    ) -> Result<(Writer, Draft), ActionError> {
        if reason.trim().is_empty() {
            return Err(ActionError::NoReason);
        }
        let (held, reading) = self.held_known(record)?;
        if let Some(member) = member.filter(|member| !reading.all_members().contains(member)) {
            return Err(ActionError::NoMember { record: *record, member });
        }
        let member = member.filter(|_| !cfg!(planted = "family-gone"));
        let place = Place { member, field: "gone".into() };
        let writes = [(place, Scalar::Text(reason.into()))];
        let writer = self.writer(now, record, ink)?;
        let questionnaire = self.questionnaire.as_ref().ok_or(ActionError::NoQuestionnaire)?;
        let draft = write(&reading, &held, questionnaire, &writer, &writes, "")?.ok_or(ActionError::Empty)?;
        Ok((writer, draft))
    }

    /// Who writes there, in the ink asked for or the usual one of this device's role there.
    pub(crate) fn writer(
        &mut self,
        now: Moment,
        record: &RecordId,
        ink: Option<Ink>,
    ) -> Result<Writer, ActionError> {
        self.renew_incarnation(now)?;
        let trust = self.trust.as_ref().ok_or(ActionError::NoCharter)?;
        let home = record.home();
        let roles = trust.roles_at(&self.device(), &home);
        let mut inks = roles.iter().flat_map(|role: &Role| role.inks());
        let usual = *inks.clone().next().ok_or(ActionError::NotGranted { home })?;
        let ink = ink.unwrap_or(usual);
        if !inks.any(|may| *may == ink) && !cfg!(planted = "any-ink-written") {
            let roles = roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
            return Err(ActionError::Ink { ink, roles, usual });
        }
        Ok(Writer { author: self.author(), ink, time_ms: now.wall_ms })
    }

    pub(crate) fn sign_and_admit(
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

/// A reason as a statement can carry it: one line, not empty.
///
/// # Errors
/// If it is none, longer than a statement's lines may be, or of several lines.
pub fn reason_line(reason: &str) -> Result<&str, ActionError> {
    match reason.trim() {
        "" => Err(ActionError::NoReason),
        long if long.len() > LINE_BYTES_MAX || long.contains(char::is_control) => {
            Err(ActionError::LongReason { bytes: long.len() })
        }
        line => Ok(line),
    }
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
    /// A device to which nothing can be given.
    #[error(
        "device {device} is revoked and would stay out; name another device, such as its owner's new one"
    )]
    StaysOut {
        /// The device.
        device: DeviceKey,
    },
    /// A key to which nothing can be given, since another took its place.
    #[error("device {device} has a new key since (rukun key rotate); name {newest} instead")]
    Followed {
        /// The old key.
        device: DeviceKey,
        /// The new one; several, if somebody else had the old key, too.
        newest: String,
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
    /// A beginning that may be anything.
    #[error(
        "{text:?} is too short for a record; type at least {min} letters of its id, or of what follows its -"
    )]
    ShortRecord {
        /// What was given.
        text: String,
        /// How long it must be.
        min: usize,
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
    #[error("say why: --reason TEXT")]
    NoReason,
    /// A reason that no statement can carry.
    #[error(
        "that reason has several lines, or more than {LINE_BYTES_MAX} bytes (it has {bytes}); say it in one short line"
    )]
    LongReason {
        /// How many bytes it has.
        bytes: usize,
    },
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
    /// A key that would follow too many others.
    #[error(
        "this grant has gone over to another key {max} times, and can no more; ask for a new grant, and rotate then"
    )]
    RotatedTooOften {
        /// As often as may be.
        max: usize,
    },
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
