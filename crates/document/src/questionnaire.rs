//! The questionnaire: a file of comma-separated values becomes variables and rules, checked
//! whole, so that nothing can go wrong later for the file's sake. The columns are
//! `variable,block,level,label_id,label_en,kind,min,max,required_when`; a row of kind `rule` is a
//! check across answers, its last column what must hold. No form, no order of asking: those are an
//! app's.

use std::collections::BTreeMap;

use rukun_change::{Scalar, is_field_name};

use crate::evaluate::{Found, Place, Resolver};
use crate::expression::{Condition, Expression, KEYWORDS};
use crate::parser::ExpressionError;
use crate::table::{self, Cells, QuestionnaireError, QuestionnaireFault};
use crate::variable::{AnswerError, Bound, Identity, Kind, Level, Variable};

/// The most variables and rules together.
const ROWS_MAX: usize = 1024;
/// Names that mean something in a record.
const RESERVED: [&str; 2] = ["gone", "members"];
/// How many letters a slip may change.
const SLIP_LETTERS_MAX: usize = 2;

/// All variables and rules of a survey.
#[derive(Clone, Debug)]
pub struct Questionnaire {
    pub(crate) questions: Vec<Question>,
    pub(crate) checks: Vec<Check>,
    by_name: BTreeMap<String, usize>,
}

/// A variable, resolved.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) variable: Variable,
    pub(crate) place: Place,
    pub(crate) required: Condition<Place>,
    pub(crate) max: Option<Place>,
}

/// A rule, resolved.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) rule: Rule,
    pub(crate) holds: Condition<Place>,
}

/// A check across answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, such as `k_members`.
    pub name: String,
    /// Whether it is checked once, or for each member.
    pub level: Level,
    /// What is wrong when it does not hold, in Indonesian.
    pub label_id: String,
    /// What is wrong when it does not hold, in English.
    pub label_en: String,
    /// What must hold.
    pub holds: Expression,
    /// The variables it looks at, in the order in which it names them.
    pub variables: Vec<String>,
}

impl Questionnaire {
    /// Reads a questionnaire.
    ///
    /// # Errors
    /// If anything in the file is wrong, with the line and the column.
    pub fn parse(file: &[u8]) -> Result<Self, QuestionnaireError> {
        let mut rows = Rows::default();
        for cells in table::read(file)? {
            rows.add(&cells)?;
        }
        rows.resolve()
    }

    /// The variable of this name.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.question(name).map(|question| &question.variable)
    }

    /// All variables, in the order of the file.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.questions.iter().map(|question| &question.variable)
    }

    /// All rules, in the order of the file.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.checks.iter().map(|check| &check.rule)
    }

    /// Whether this answer can be typed here: the variable exists, is asked on this level, and
    /// takes such a value. What depends on other answers is left to the rules.
    ///
    /// # Errors
    /// If it cannot, with what would.
    pub fn check(&self, variable: &str, level: Level, value: &Scalar) -> Result<(), AnswerError> {
        let Some(found) = self.variable(variable) else {
            let nearest = self.nearest(variable, level);
            return Err(AnswerError::Unknown { name: variable.into(), nearest });
        };
        match (found.level, level) {
            (Level::Member, Level::Family) => Err(AnswerError::OfMember { variable: found.title() }),
            (Level::Family, Level::Member) => Err(AnswerError::OfFamily { variable: found.title() }),
            _ => found.check(value),
        }
    }

    pub(crate) fn question(&self, name: &str) -> Option<&Question> {
        self.by_name.get(name).and_then(|index| self.questions.get(*index))
    }

    /// The variable of that level whose name is nearest, if one is near.
    pub(crate) fn nearest(&self, name: &str, level: Level) -> Option<String> {
        nearest(name, self.variables().filter(|variable| variable.level == level))
    }
}

/// Variables and rules as read, before names are resolved.
#[derive(Default)]
struct Rows {
    variables: Vec<(u64, Variable)>,
    rules: Vec<(u64, Rule)>,
    /// Where each name stands: the line, and the variable's place unless it is a rule.
    names: BTreeMap<String, (u64, Option<Found>)>,
    families: usize,
    members: usize,
}

impl Rows {
    fn add(&mut self, cells: &Cells) -> Result<(), QuestionnaireError> {
        let name = cells.need("variable")?;
        if !is_field_name(name) {
            return Err(cells.fault("variable", QuestionnaireFault::Name { name: name.into() }));
        }
        if RESERVED.contains(&name) || KEYWORDS.contains(&name) {
            return Err(cells.fault("variable", QuestionnaireFault::Reserved { name: name.into() }));
        }
        if let Some((line, _)) = self.names.get(name) {
            let fault = QuestionnaireFault::Twice { name: name.into(), line: *line };
            return Err(cells.fault("variable", fault));
        }
        if self.names.len() == ROWS_MAX {
            return Err(cells.fault("variable", QuestionnaireFault::Rows { max: ROWS_MAX }));
        }
        let level = match cells.need("level")? {
            "family" => Level::Family,
            "member" => Level::Member,
            other => return Err(cells.fault("level", QuestionnaireFault::Level { found: other.into() })),
        };
        let found = if cells.get("kind") == "rule" {
            self.rules.push((cells.line(), rule(cells, level)?));
            None
        } else {
            let variable = variable(cells, level)?;
            let found = self.place(&variable);
            self.variables.push((cells.line(), variable));
            Some(found)
        };
        self.names.insert(name.into(), (cells.line(), found));
        Ok(())
    }

    fn place(&mut self, variable: &Variable) -> Found {
        let before = match variable.level {
            Level::Family => &mut self.families,
            Level::Member => &mut self.members,
        };
        let place = Place { level: variable.level, at: *before };
        *before += 1;
        let is_number = matches!(variable.kind, Kind::Integer { .. });
        Found { place, index: self.variables.len(), is_number }
    }

    fn resolve(self) -> Result<Questionnaire, QuestionnaireError> {
        let mut questions = Vec::new();
        let mut by_name = BTreeMap::new();
        for (line, variable) in &self.variables {
            let required = self.condition(*line, variable.level, &variable.required)?;
            let max = self.max(*line, variable)?;
            let place = self.find(&variable.name).expect("every variable was placed").place;
            by_name.insert(variable.name.clone(), questions.len());
            questions.push(Question { variable: variable.clone(), place, required, max });
        }
        let mut checks = Vec::new();
        for (line, rule) in &self.rules {
            let holds = self.condition(*line, rule.level, &rule.holds)?;
            let mut places = Vec::new();
            holds.each_place(&mut |place| places.push(place));
            let mut rule = rule.clone();
            for place in places {
                let named = questions.iter().find(|question| question.place == place);
                let name = named.map(|question| &question.variable.name);
                rule.variables.extend(name.filter(|name| !rule.variables.contains(name)).cloned());
            }
            checks.push(Check { rule, holds });
        }
        Ok(Questionnaire { questions, checks, by_name })
    }

    fn condition(
        &self,
        line: u64,
        level: Level,
        expression: &Expression,
    ) -> Result<Condition<Place>, QuestionnaireError> {
        let variables = || self.variables.iter().map(|(_, variable)| variable);
        let resolver = Resolver {
            level,
            counting: false,
            find: &|name| self.find(name),
            nearest: &|name| nearest(name, variables()),
        };
        let condition: Result<_, ExpressionError> = resolver.condition(&expression.0);
        condition.map_err(|error| QuestionnaireError { line, column: "required_when", fault: error.into() })
    }

    fn max(&self, line: u64, variable: &Variable) -> Result<Option<Place>, QuestionnaireError> {
        let Kind::Integer { max: Some(Bound::Variable(name)), .. } = &variable.kind else {
            return Ok(None);
        };
        match self.find(name) {
            Some(Found { place, is_number: true, .. })
                if *name != variable.name
                    && (place.level == variable.level || place.level == Level::Family) =>
            {
                Ok(Some(place))
            }
            _ => Err(QuestionnaireError {
                line,
                column: "max",
                fault: QuestionnaireFault::Max { found: name.clone() },
            }),
        }
    }

    fn find(&self, name: &str) -> Option<Found> {
        self.names.get(name).and_then(|(_, found)| *found)
    }
}

fn variable(cells: &Cells, level: Level) -> Result<Variable, QuestionnaireError> {
    let kind = match (cells.need("kind")?, level) {
        ("integer", _) => integer(cells)?,
        ("text", _) => Kind::Text,
        ("region", _) => Kind::Region,
        ("digits16", Level::Member) => Kind::Digits16(Identity::Nik),
        ("digits16", Level::Family) => Kind::Digits16(Identity::Kk),
        (other, _) => return Err(cells.fault("kind", QuestionnaireFault::Kind { found: other.into() })),
    };
    if !matches!(kind, Kind::Integer { .. }) {
        cells.need_empty("min")?;
        cells.need_empty("max")?;
    }
    Ok(Variable {
        name: cells.need("variable")?.into(),
        block: cells.get("block").into(),
        level,
        label_id: cells.need("label_id")?.into(),
        label_en: cells.need("label_en")?.into(),
        kind,
        required: expression(cells)?,
    })
}

fn integer(cells: &Cells) -> Result<Kind, QuestionnaireError> {
    let min = match cells.get("min") {
        "" => None,
        text => Some(
            number(text)
                .ok_or_else(|| cells.fault("min", QuestionnaireFault::Number { found: text.into() }))?,
        ),
    };
    let max = match cells.get("max") {
        "" => None,
        text if is_field_name(text) => Some(Bound::Variable(text.into())),
        text => match number(text) {
            Some(max) => Some(Bound::Number(max)),
            None => return Err(cells.fault("max", QuestionnaireFault::Number { found: text.into() })),
        },
    };
    match (min, &max) {
        (Some(min), Some(Bound::Number(max))) if min > *max => {
            Err(cells.fault("max", QuestionnaireFault::Range { min, max: *max }))
        }
        _ => Ok(Kind::Integer { min, max }),
    }
}

fn number(text: &str) -> Option<i64> {
    if text.starts_with('+') { None } else { text.parse().ok() }
}

fn rule(cells: &Cells, level: Level) -> Result<Rule, QuestionnaireError> {
    cells.need_empty("min")?;
    cells.need_empty("max")?;
    let holds = expression(cells)?;
    if holds.is_always() || holds.is_optional() {
        return Err(cells.fault("required_when", QuestionnaireFault::Idle));
    }
    Ok(Rule {
        name: cells.need("variable")?.into(),
        level,
        label_id: cells.need("label_id")?.into(),
        label_en: cells.need("label_en")?.into(),
        holds,
        variables: Vec::new(),
    })
}

fn expression(cells: &Cells) -> Result<Expression, QuestionnaireError> {
    let text = cells.need("required_when")?;
    Expression::parse(text).map_err(|error| cells.fault("required_when", error.into()))
}

fn nearest<'a>(name: &str, variables: impl Iterator<Item = &'a Variable>) -> Option<String> {
    let near = variables.filter_map(|variable| Some((slips(name, &variable.name)?, &variable.name)));
    near.min_by_key(|(slips, _)| *slips).map(|(_, name)| name.clone())
}

/// How many letters must be changed, put in or left out to get from one name to the other
/// (Levenshtein's distance), if they are few.
fn slips(typed: &str, name: &str) -> Option<usize> {
    if typed.len().abs_diff(name.len()) > SLIP_LETTERS_MAX {
        return None;
    }
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (at, letter) in typed.bytes().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        let (first, rest) = row.split_first_mut()?;
        *first = left;
        for (cell, other) in rest.iter_mut().zip(name.bytes()) {
            let above = *cell;
            left = (diagonal + usize::from(letter != other)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
    }
    row.last().copied().filter(|slips| *slips <= SLIP_LETTERS_MAX)
}
