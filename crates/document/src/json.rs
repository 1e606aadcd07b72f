//! A record as JSON for people and programs: a reading becomes an object of the effective values,
//! and a merge patch (RFC 7386) in the same form becomes writes, or all that is wrong with it.

use std::collections::BTreeMap;

use rukun_change::{MemberId, RecordId, Scalar};
use serde_json::{Map, Value};

use crate::place::{GONE, Place};
use crate::questionnaire::Questionnaire;
use crate::reading::Reading;
use crate::variable::{AnswerError, Level};

/// The key under which a record's members stand.
const MEMBERS: &str = "members";

impl Reading {
    /// What the office reads, as an object in the form of a merge patch: the family's answers under
    /// their variables' names, each member's under `members` and its id. Nulls, and members that are
    /// gone, are left out.
    pub fn to_json(&self) -> Value {
        let mut family = Map::new();
        let mut members: BTreeMap<MemberId, Map<String, Value>> =
            self.members().iter().map(|member| (*member, Map::new())).collect();
        for (place, answer) in self.answers().iter().filter(|(place, _)| !place.is_gone()) {
            let fields = match &place.member {
                None => Some(&mut family),
                Some(member) => members.get_mut(member),
            };
            if let (Some(fields), Some(value)) = (fields, to_value(&answer.effective().value)) {
                fields.insert(place.field.clone(), value);
            }
        }
        if !members.is_empty() {
            let members = members.into_iter().map(|(id, fields)| (id.to_string(), Value::Object(fields)));
            family.insert(MEMBERS.into(), Value::Object(members.collect()));
        }
        Value::Object(family)
    }
}

fn to_value(scalar: &Scalar) -> Option<Value> {
    match scalar {
        Scalar::Null => None,
        Scalar::Int(number) => Some((*number).into()),
        Scalar::Text(text) => Some(text.as_str().into()),
    }
}

/// What a merge patch asks for.
#[derive(Debug, Default)]
pub(crate) struct Patch {
    pub(crate) writes: Vec<(Place, Scalar)>,
    pub(crate) new_members: Vec<MemberId>,
}

impl Patch {
    /// Reads a patch of this record, or tells all that is wrong with it.
    pub(crate) fn read(
        reading: &Reading,
        questionnaire: &Questionnaire,
        patch: &Value,
        new_members: &mut dyn FnMut() -> MemberId,
    ) -> Result<Self, Vec<AnswerFault>> {
        let mut reader = PatchReader { reading, questionnaire, patch: Self::default(), faults: Vec::new() };
        match patch {
            Value::Object(fields) => reader.record(fields, new_members),
            _ => reader.faults.push(AnswerFault::NoObject),
        }
        if reader.faults.is_empty() { Ok(reader.patch) } else { Err(reader.faults) }
    }
}

struct PatchReader<'a> {
    reading: &'a Reading,
    questionnaire: &'a Questionnaire,
    patch: Patch,
    faults: Vec<AnswerFault>,
}

impl PatchReader<'_> {
    fn record(&mut self, fields: &Map<String, Value>, new_members: &mut dyn FnMut() -> MemberId) {
        for (field, value) in fields {
            match (field.as_str(), value) {
                (MEMBERS, Value::Object(members)) => {
                    for (key, fields) in members {
                        self.member(key, fields, new_members);
                    }
                }
                (MEMBERS, _) => self.faults.push(AnswerFault::NoMembers),
                _ => self.field(None, None, field, value),
            }
        }
    }

    fn member(&mut self, key: &str, fields: &Value, new_members: &mut dyn FnMut() -> MemberId) {
        let member = match self.which_member(key, new_members) {
            Ok(member) => member,
            Err(fault) => return self.faults.push(fault),
        };
        match fields {
            Value::Object(fields) => {
                for (field, value) in fields {
                    self.field(Some(member), Some(key), field, value);
                }
            }
            Value::Null => {
                self.faults.push(AnswerFault::MemberNull { record: *self.reading.id(), member });
            }
            _ => self.faults.push(AnswerFault::NoMember { member: key.into() }),
        }
    }

    fn which_member(
        &mut self,
        key: &str,
        new_members: &mut dyn FnMut() -> MemberId,
    ) -> Result<MemberId, AnswerFault> {
        let known = self.reading.all_members();
        if key.starts_with('+') {
            let member = new_members();
            if known.binary_search(&member).is_ok() || self.patch.new_members.contains(&member) {
                return Err(AnswerFault::MemberTaken { member });
            }
            self.patch.new_members.push(member);
            return Ok(member);
        }
        let found = key.parse().ok().filter(|member| known.binary_search(member).is_ok());
        found.ok_or_else(|| AnswerFault::UnknownMember { member: key.into(), known: known.to_vec() })
    }

    fn field(&mut self, member: Option<MemberId>, key: Option<&str>, field: &str, value: &Value) {
        let shown = key.map_or_else(|| field.to_owned(), |key| format!("{key}/{field}"));
        if field == GONE {
            let record = *self.reading.id();
            return self.faults.push(AnswerFault::Gone { record, member });
        }
        let scalar = match from_value(value) {
            Ok(scalar) => scalar,
            Err(found) => return self.faults.push(AnswerFault::NoScalar { place: shown, found }),
        };
        match check(self.questionnaire, member.is_some(), field, &scalar) {
            Ok(()) => self.patch.writes.push((Place { member, field: field.into() }, scalar)),
            Err(source) => {
                self.faults.push(AnswerFault::Answer { member: key.map(String::from), source });
            }
        }
    }
}

/// Whether the questionnaire takes this answer here.
pub(crate) fn check(
    questionnaire: &Questionnaire,
    of_member: bool,
    field: &str,
    value: &Scalar,
) -> Result<(), AnswerError> {
    let level = if of_member { Level::Member } else { Level::Family };
    questionnaire.check(field, level, value)
}

fn from_value(value: &Value) -> Result<Scalar, &'static str> {
    match value {
        Value::Null => Ok(Scalar::Null),
        Value::String(text) => Ok(Scalar::Text(text.clone())),
        Value::Number(number) => number.as_i64().map(Scalar::Int).ok_or("a number that is not whole"),
        Value::Bool(_) => Err("true or false"),
        Value::Array(_) => Err("a list"),
        Value::Object(_) => Err("an object"),
    }
}

/// What is wrong with one answer. It never repeats a text or an identity number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFault {
    /// The patch itself is no object.
    #[error("a patch is a JSON object such as {{\"r112\": 3}}")]
    NoObject,
    /// What stands under `members` is no object.
    #[error("\"members\" holds an object of members, such as {{\"+1\": {{\"r402\": \"...\"}}}}")]
    NoMembers,
    /// What stands for a member is no object.
    #[error("{member}: a member is an object of answers, such as {{\"r402\": \"...\"}}")]
    NoMember {
        /// The member, as given.
        member: String,
    },
    /// The questionnaire does not take it.
    #[error("{}{source}", member.as_ref().map(|member| format!("{member}: ")).unwrap_or_default())]
    Answer {
        /// The member, as given; none is the family.
        member: Option<String>,
        /// Why not.
        source: AnswerError,
    },
    /// Something that no answer can be.
    #[error("{place}: {found} is given where an answer is a whole number, a text or null")]
    NoScalar {
        /// Where.
        place: String,
        /// What was given.
        found: &'static str,
    },
    /// A member that the record does not have.
    #[error(
        "{} is no member of this record; it has {}; a key that starts with + makes a new one",
        member.escape_debug(),
        listed(known)
    )]
    UnknownMember {
        /// The member, as given.
        member: String,
        /// Those that it has.
        known: Vec<MemberId>,
    },
    /// A random id that is in use.
    #[error("the id {member} drawn for a new member is in use; try again")]
    MemberTaken {
        /// The id.
        member: MemberId,
    },
    /// A member to be taken away.
    #[error("members are never deleted; to mark one gone: rukun record gone {record} {member} --reason ...")]
    MemberNull {
        /// The record.
        record: RecordId,
        /// The member.
        member: MemberId,
    },
    /// A mark of being gone among answers.
    #[error(
        "gone is no answer; to mark gone: rukun record gone {record}{} --reason ...",
        member.map(|member| format!(" {member}")).unwrap_or_default()
    )]
    Gone {
        /// The record.
        record: RecordId,
        /// The member; none is the record itself.
        member: Option<MemberId>,
    },
    /// A mark of being gone without a reason.
    #[error("{place}: what is gone has a reason, a text that is not empty; null takes the mark away")]
    NoReason {
        /// Where.
        place: Place,
    },
}

fn listed(members: &[MemberId]) -> String {
    if members.is_empty() {
        return "none".into();
    }
    members.iter().map(MemberId::to_string).collect::<Vec<_>>().join(", ")
}
