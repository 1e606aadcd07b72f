//! What is wrong with a family's answers as a whole: answers that are missing, or given where
//! none was asked for, out of range, or at odds with each other. Answers become [`Violation`]s in
//! a fixed order. Unknown is never wrong: only what the answers given decide is reported.

use std::collections::BTreeMap;

use rukun_change::{MemberId, Scalar};

use crate::evaluate::{Row, Scope};
use crate::questionnaire::{Check, Question, Questionnaire};
use crate::variable::{Level, Variable};

/// The field that marks a record or a member gone. It is no answer.
const GONE: &str = "gone";

/// The answers of one family, as read. Members that are gone are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The family's own.
    pub family: BTreeMap<String, Scalar>,
    /// Each member's.
    pub members: BTreeMap<MemberId, BTreeMap<String, Scalar>>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// With which member; none if with the family.
    pub member: Option<MemberId>,
    /// In which way.
    pub kind: ViolationKind,
    /// Which variables are involved.
    pub fields: Vec<String>,
    /// A sentence that says so.
    pub text: String,
}

/// In which way answers are wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ViolationKind {
    /// Answers that must be there are not: all of one family or member in one.
    Missing,
    /// An answer to what was not asked.
    NotAsked,
    /// An answer outside its range, or of the wrong type.
    Range,
    /// The rule of this name does not hold.
    Rule(String),
}

impl Questionnaire {
    /// All that is wrong: with the family, then with each member; in each, what is missing, then
    /// variable by variable, then rule by rule in the order of the file.
    pub fn violations(&self, answers: &Answers) -> Vec<Violation> {
        let family = self.row(Level::Family, &answers.family);
        let members: Vec<Row<'_>> =
            answers.members.values().map(|given| self.row(Level::Member, given)).collect();
        let mut found = Vec::new();
        let scope = Scope { family: &family, member: &[], members: &members };
        self.inspect(Level::Family, None, &answers.family, &scope, &mut found);
        for ((id, given), member) in answers.members.iter().zip(&members) {
            self.inspect(Level::Member, Some(*id), given, &Scope { member, ..scope }, &mut found);
        }
        found
    }

    fn row<'a>(&self, level: Level, given: &'a BTreeMap<String, Scalar>) -> Row<'a> {
        let questions = self.questions.iter().filter(|question| question.place.level == level);
        let mut row = vec![None; questions.count()];
        for (name, value) in given.iter().filter(|(_, value)| **value != Scalar::Null) {
            let place = self.question(name).map(|question| question.place);
            let at = place.filter(|place| place.level == level).map(|place| place.at);
            if let Some(cell) = at.and_then(|at| row.get_mut(at)) {
                *cell = Some(value);
            }
        }
        row
    }

    fn inspect(
        &self,
        level: Level,
        member: Option<MemberId>,
        given: &BTreeMap<String, Scalar>,
        scope: &Scope<'_>,
        found: &mut Vec<Violation>,
    ) {
        let mut add = |kind, fields, text| found.push(Violation { member, kind, fields, text });
        let questions = || self.questions.iter().filter(|question| question.place.level == level);
        let missing: Vec<&Variable> = questions()
            .filter(|question| question.is_missing(scope))
            .map(|question| &question.variable)
            .collect();
        if !missing.is_empty() {
            let fields = missing.iter().map(|variable| variable.name.clone()).collect();
            add(ViolationKind::Missing, fields, format!("no answer to {}", titles(&missing)));
        }
        for question in questions() {
            if let Some(text) = question.not_asked(scope) {
                add(ViolationKind::NotAsked, vec![question.variable.name.clone()], text);
            }
            if let Some((fields, text)) = self.out_of_range(question, scope) {
                add(ViolationKind::Range, fields, text);
            }
        }
        for (name, text) in self.strangers(level, given) {
            add(ViolationKind::NotAsked, vec![name], text);
        }
        for check in self.checks.iter().filter(|check| check.rule.level == level) {
            if check.holds.truth(scope) == Some(false) {
                let kind = ViolationKind::Rule(check.rule.name.clone());
                add(kind, check.rule.variables.clone(), self.rule_text(check));
            }
        }
    }

    fn out_of_range(&self, question: &Question, scope: &Scope<'_>) -> Option<(Vec<String>, String)> {
        let variable = &question.variable;
        let value = scope.answer(question.place)?;
        if let Err(error) = variable.check(value) {
            return Some((vec![variable.name.clone()], error.to_string()));
        }
        let (max, number) = (question.max?, scope.number(question.place)?);
        let greatest = scope.number(max).filter(|greatest| number > *greatest)?;
        let bound = &self.questions.iter().find(|question| question.place == max)?.variable;
        let text = format!("{}: {number} is above {}, which is {greatest}", variable.title(), bound.title());
        Some((vec![variable.name.clone(), bound.name.clone()], text))
    }

    /// Answers to what the questionnaire does not ask on this level.
    fn strangers(&self, level: Level, given: &BTreeMap<String, Scalar>) -> Vec<(String, String)> {
        let answers = given.iter().filter(|(name, value)| **value != Scalar::Null && *name != GONE);
        let unasked = answers.filter(|(name, _)| self.question(name).is_none_or(|q| q.place.level != level));
        let text =
            |name: &String| self.check(name, level, &Scalar::Null).err().map(|error| error.to_string());
        unasked.filter_map(|(name, _)| Some((name.clone(), text(name)?))).collect()
    }

    fn rule_text(&self, check: &Check) -> String {
        let rule = &check.rule;
        let variables: Vec<&Variable> =
            rule.variables.iter().filter_map(|name| self.variable(name)).collect();
        if variables.is_empty() {
            format!("{}: {}", rule.name, rule.label_en)
        } else {
            format!("{}: {}; see {}", rule.name, rule.label_en, titles(&variables))
        }
    }
}

impl Question {
    fn is_missing(&self, scope: &Scope<'_>) -> bool {
        scope.answer(self.place).is_none() && self.required.truth(scope) == Some(true)
    }

    fn not_asked(&self, scope: &Scope<'_>) -> Option<String> {
        scope.answer(self.place)?;
        let required = &self.variable.required;
        (self.required.truth(scope) == Some(false))
            .then(|| format!("{} is answered, but it is asked only where {required}", self.variable.title()))
    }
}

fn titles(variables: &[&Variable]) -> String {
    let titles: Vec<String> = variables.iter().map(|variable| variable.title()).collect();
    titles.join(", ")
}
