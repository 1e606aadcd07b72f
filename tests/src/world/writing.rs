//! What people write, correct and settle in a record, each on the device at hand, in whatever ink they like, and as
//! far as the keyboard lets them.

use rukun_change::{Ink, MemberId, Moment, RecordId, Scalar, SubSls};
use rukun_document::{Conflict, Place};
use rukun_replica::{ActionError, Choice, Replica};
use serde_json::{Map, Value};

use super::Chance;
use super::meant::{Meant, inks_at, int, text};
use super::people::HOMES;
use super::sim::{Checked, World};

/// A record does not grow for ever: what is read of it is compared by the square of its changes.
const CHANGES_OF_RECORD_MAX: usize = 14;
/// What a family is asked, and the greatest number that is an answer.
const QUESTIONS: [(&str, u64); 4] = [("r304", 7), ("r305", 8), ("r302", 90), ("r112", 6)];
/// So few numbers of families and of people that one stands in several records.
const NUMBERS: u64 = 8;

impl World {
    /// Somebody writes something, if the node runs and the keyboard lets them.
    pub(super) fn write(&mut self, node: usize, luck: u64) -> Checked {
        self.come_up(node)?;
        let mut chance = Chance::new(luck);
        let now = self.nodes[node].clock(self.now_ms);
        let open = self.truth.records_of(node).into_iter();
        let open = open.filter(|record| self.truth.changes_of(record) < CHANGES_OF_RECORD_MAX);
        let open: Vec<RecordId> = open.collect();
        let Some(replica) = self.nodes[node].replica.as_mut() else { return Ok(()) };
        if chance.one_in(12) {
            // They look through the list first, which makes up what is shown of every record.
            if let Err(error) = replica.records(None, None, 5) {
                return self.disk_failed(node, &error.to_string());
            }
        }
        let record = chance.place(open.len()).map(|at| open[at]);
        let mut hand = Hand { replica, now, meant: Meant::default(), chance };
        let written = match record.filter(|_| !hand.chance.one_in(5)) {
            Some(record) => hand.change(record),
            None => hand.register(),
        };
        let meant = hand.meant;
        self.trace.note((node, written.is_ok()), || format!("{node} writes: {written:?}"));
        let home = record.map(|record| record.home()).or(meant.home);
        match written {
            Ok(record) => self.is_as_meant(node, now, &record, &meant)?,
            Err(ActionError::Replica(error)) => return self.disk_failed(node, &error.to_string()),
            // The keyboard says no: nothing was written.
            Err(error) => self.may_be_refused(node, &error, &meant, meant.home.or(home))?,
        }
        self.commit(node)
    }

    /// What came of an act is what was meant.
    pub(super) fn is_as_meant(
        &mut self,
        node: usize,
        now: Moment,
        record: &RecordId,
        meant: &Meant,
    ) -> Checked {
        let made = self.made(node, record)?;
        let Some(replica) = self.nodes[node].replica.as_ref() else { return Ok(()) };
        let checked = meant.check(replica, (&self.truth.facts, &self.liars), now, record, &made);
        checked.map_err(|error| format!("{node} wrote in {record} what was not meant: {error}"))
    }

    /// A keyboard says no for a reason, and none of these is the fault of who sits there.
    fn may_be_refused(
        &self,
        node: usize,
        error: &ActionError,
        meant: &Meant,
        home: Option<SubSls>,
    ) -> Checked {
        use rukun_document::EditError;
        let lied = || self.truth.facts.values().any(|fact| self.liars.contains(&fact.author.device));
        let fault = match error {
            ActionError::Own(_)
            | ActionError::Empty
            | ActionError::NoReason
            | ActionError::LongReason { .. }
            | ActionError::NoConflict { .. }
            | ActionError::NotShown { .. }
            | ActionError::NewCandidate { .. }
            | ActionError::NoCandidate { .. }
            | ActionError::Edit(EditError::Body(_)) => true,
            ActionError::Ink { .. } => {
                let may = self.nodes[node].replica.as_ref().zip(home);
                let may = may.map(|(replica, home)| inks_at(replica, &home)).unwrap_or_default();
                meant.ink.is_none_or(|ink| may.contains(&ink))
            }
            ActionError::Edit(EditError::Engine(_)) => !lied(),
            ActionError::SettlesNothing { .. } | ActionError::Edit(EditError::Answers(_)) => {
                meant.settles.is_empty()
            }
            _ => false,
        };
        if fault { Err(format!("{node} refuses {meant}: {error}")) } else { Ok(()) }
    }
}

/// Somebody at a keyboard, and what they mean to write.
struct Hand<'a> {
    replica: &'a mut Replica,
    now: Moment,
    meant: Meant,
    chance: Chance,
}

impl Hand<'_> {
    /// A new family.
    fn register(&mut self) -> Result<RecordId, ActionError> {
        let home: SubSls = self.chance.pick(&HOMES).parse().expect("a sub-SLS of this world");
        self.meant.home = Some(home);
        self.meant.writes = vec![(Place::family("r108"), text("Keluarga"))];
        let answers = answers(&mut self.chance, None).into_iter();
        self.meant.writes.extend(answers.filter(|(_, value)| *value != Scalar::Null));
        let made = self.replica.add_record(self.now, home, None, &patch(&self.meant))?;
        Ok(made.0)
    }

    /// Something about a family that is there.
    fn change(&mut self, record: RecordId) -> Result<RecordId, ActionError> {
        let before = self.replica.reading(&record).ok();
        let members = before.as_ref().map(|before| before.members().to_vec()).unwrap_or_default();
        let (meant, chance) = (&mut self.meant, &mut self.chance);
        let member = chance.place(members.len()).map(|at| members[at]);
        meant.before = before;
        meant.ink = chance.one_in(8).then(|| *chance.pick(&Ink::ALL));
        match chance.below(10) {
            0 => {
                meant.member = vec![("r402", text("Anggota")), ("r407", int(chance.between(1, 90)))];
                meant.member.push(("r403", number(chance)));
            }
            1 => meant.writes = member.map(|member| answers(chance, Some(member))).unwrap_or_default(),
            2 => return self.mark_gone(record, member),
            3 | 4 => return self.settle(record),
            5 => {
                // Everything at once.
                meant.writes = answers(chance, None);
                meant.writes.extend(member.map(|member| answers(chance, Some(member))).unwrap_or_default());
                meant.member = vec![("r402", text("Bayi")), ("r403", number(chance))];
            }
            _ => meant.writes = answers(chance, None),
        }
        if meant.writes.is_empty() && meant.member.is_empty() {
            return Ok(record);
        }
        self.replica.edit(self.now, &record, meant.ink, &patch(meant)).map(|_| record)
    }

    /// Mostly the member, if there is one.
    fn mark_gone(&mut self, record: RecordId, member: Option<MemberId>) -> Result<RecordId, ActionError> {
        let member = member.filter(|_| !self.chance.one_in(3));
        self.meant.writes.push((Place { member, field: "gone".into() }, text("pindah")));
        self.replica.mark_gone(self.now, &record, member, "pindah", self.meant.ink).map(|_| record)
    }

    /// Chooses among what the first conflict offers, or says something else.
    fn settle(&mut self, record: RecordId) -> Result<RecordId, ActionError> {
        let shown = self.replica.show_conflicts(&record)?;
        let among = shown.iter().find_map(|one| Some((one.place.clone()?, &one.candidates)));
        let Some((place, candidates)) = among else { return Ok(record) };
        let Some(at) = self.chance.place(candidates.len()) else { return Ok(record) };
        let candidate = &candidates[at];
        let other = if self.chance.one_in(3) { another(&mut self.chance, &place) } else { None };
        let there = shown.iter().filter(|one: &&Conflict| one.place.as_ref() == Some(&place));
        self.meant.settles = there.flat_map(|one| one.candidates.iter().cloned()).collect();
        let value = other.clone().unwrap_or_else(|| candidate.value.clone());
        self.meant.writes.push((place.clone(), value));
        let choice = other.map_or(Choice::Pick(candidate.change), Choice::Value);
        self.replica.resolve(self.now, &record, &place, &choice, self.meant.ink).map(|_| record)
    }
}

/// What could be said at this place as well.
fn another(chance: &mut Chance, place: &Place) -> Option<Scalar> {
    match place.field.as_str() {
        "gone" if chance.one_in(2) => Some(Scalar::Null),
        "gone" | "r108" | "r402" => Some(text("lain")),
        "r403" | "r114" => Some(number(chance)),
        field if field.starts_with('r') => Some(int(chance.between(1, 7))),
        _ => None,
    }
}

/// One to three answers of the family or of a member; now and then one is taken back.
fn answers(chance: &mut Chance, member: Option<MemberId>) -> Vec<(Place, Scalar)> {
    let mut answers = Vec::new();
    let count = if chance.one_in(3) { chance.between(2, 3) } else { 1 };
    for _ in 0..count {
        let (field, value) = match member {
            Some(_) if chance.one_in(3) => ("r403", number(chance)),
            Some(_) => ("r407", int(chance.between(1, 90))),
            None if chance.one_in(8) => ("r114", number(chance)),
            None => {
                let (field, most) = *chance.pick(&QUESTIONS);
                (field, int(chance.between(1, most)))
            }
        };
        let value = if chance.one_in(10) { Scalar::Null } else { value };
        let place = Place { member, field: field.into() };
        answers.retain(|(other, _)| *other != place);
        answers.push((place, value));
    }
    answers
}

/// All that is meant, as it is typed.
fn patch(meant: &Meant) -> Value {
    let (mut family, mut members) = (Map::new(), Map::new());
    let mut of = |key: String, field: &str, value: &Scalar| {
        let fields = members.entry(key).or_insert_with(|| Value::Object(Map::new()));
        if let Some(fields) = fields.as_object_mut() {
            fields.insert(field.into(), json(value));
        }
    };
    for (field, value) in &meant.member {
        of("+1".into(), field, value);
    }
    for (place, value) in &meant.writes {
        match place.member {
            Some(member) => of(member.to_string(), &place.field, value),
            None => drop(family.insert(place.field.clone(), json(value))),
        }
    }
    if !members.is_empty() {
        family.insert("members".into(), Value::Object(members));
    }
    Value::Object(family)
}

fn json(value: &Scalar) -> Value {
    match value {
        Scalar::Null => Value::Null,
        Scalar::Int(number) => (*number).into(),
        Scalar::Text(text) => text.as_str().into(),
    }
}

fn number(chance: &mut Chance) -> Scalar {
    text(&format!("18110101012000{:02}", chance.between(1, NUMBERS)))
}
