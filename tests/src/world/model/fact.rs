//! A signed change, decoded once: all that the model ever asks of it.

use rukun_change::{
    ActorId, Author, Body, BodyError, CauseHash, ChangeId, Ink, MakeMap, RecordId, SignedChange, SurveyId,
    Write,
};

/// A change as the model sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its identity everywhere.
    pub id: ChangeId,
    /// Whose it is.
    pub author: Author,
    /// The author's own running number.
    pub n: u64,
    /// Which family.
    pub record: RecordId,
    /// In which ink.
    pub ink: Ink,
    /// By which others name it as a cause.
    pub hash: CauseHash,
    /// The changes of its ink that it directly follows.
    pub deps: Vec<CauseHash>,
    /// The heads of lower inks that its author saw.
    pub seen: Vec<CauseHash>,
    /// Who wrote it, as operations name their makers.
    pub actor: ActorId,
    /// Its number among the actor's in this record and ink.
    pub seq: u64,
    /// The members that it makes a map for.
    pub maps: Vec<MakeMap>,
    /// What it writes, in order: of two writes to one field the later stands.
    pub writes: Vec<Write>,
    /// When its author says it was made.
    pub time_ms: i64,
    /// Its message.
    pub message: String,
}

impl Fact {
    /// The fact of a change whose id is known.
    ///
    /// # Errors
    /// If no node may ever admit it, whoever signed it.
    pub fn of(signed: &SignedChange, id: ChangeId) -> Result<Self, NotAFact> {
        let change = &signed.change;
        let body = Body::decode(&change.body)?;
        if body.actor != change.author.actor() {
            return Err(NotAFact::Actor);
        }
        if change.n == 0 {
            return Err(NotAFact::Number);
        }
        let names_seen = matches!(change.ink, Ink::Red | Ink::Green | Ink::Black);
        let ascends = change.seen.windows(2).all(|pair| pair[0] < pair[1]);
        if change.seen.len() > 128 || !ascends || (!names_seen && !change.seen.is_empty()) {
            return Err(NotAFact::Seen);
        }
        Ok(Self {
            id,
            author: change.author,
            n: change.n,
            record: change.record,
            ink: change.ink,
            hash: body.hash,
            deps: body.deps,
            seen: change.seen.clone(),
            actor: body.actor,
            seq: body.seq,
            maps: body.maps,
            writes: body.writes,
            time_ms: body.time_ms,
            message: body.message,
        })
    }

    /// The fact of a change in this survey.
    ///
    /// # Errors
    /// If no node may ever admit it, whoever signed it.
    pub fn in_survey(signed: &SignedChange, survey: &SurveyId) -> Result<Self, NotAFact> {
        Self::of(signed, ChangeId::of(&signed.change.to_be_signed(survey)?))
    }
}

/// Why a change is none, whoever signed it: every node must refuse it for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAFact {
    /// Malformed, over a limit, or outside the shape of a record.
    Body(BodyError),
    /// Another's Automerge actor.
    Actor,
    /// Numbers start at 1.
    Number,
    /// Heads seen in an ink that names none, unsorted, or too many.
    Seen,
}

impl From<BodyError> for NotAFact {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}
