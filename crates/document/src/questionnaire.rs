//! The questionnaire: a file of comma-separated values becomes variables and rules, checked
//! whole, so that nothing can go wrong later for the file's sake. The columns are
//! `variable,block,level,label_id,label_en,kind,min,max,required_when`; a row of kind `rule` is a
//! check across answers, its last column what must hold. No form, no order of asking: those are an
//! app's.

use std::collections::BTreeMap;

use rukun_change::{Scalar, is_field_name};

use crate::condition::Condition;
use crate::evaluate::Slot;
use crate::expression::Expression;
use crate::parser::{ExpressionError, KEYWORDS};
use crate::resolve::{Found, Resolver};
use crate::slip::nearest;
use crate::table::{self, Cells, QuestionnaireError, QuestionnaireFault};
use crate::variable::{AnswerError, Bound, Identity, Kind, Level, Variable};

/// The most variables and rules together.
const ROWS_MAX: usize = 1024;
/// Names that mean something in a record.
const RESERVED: [&str; 2] = ["gone", "members"];

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
    pub(crate) slot: Slot,
    pub(crate) required: Condition<Slot>,
    pub(crate) max: Option<Slot>,
}

/// A rule, resolved.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) rule: Rule,
    pub(crate) holds: Condition<Slot>,
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
        let variables = self.variables().filter(|variable| variable.level == level);
        nearest(name, variables.map(|variable| variable.name.as_str()))
    }
}

/// Variables and rules as read, before names are resolved.
#[derive(Default)]
struct Rows {
    variables: Vec<(u64, Variable)>,
    rules: Vec<(u64, Rule)>,
    /// Where each name stands: the line, and the variable's slot unless it is a rule.
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
            let found = self.slot(&variable);
            self.variables.push((cells.line(), variable));
            Some(found)
        };
        self.names.insert(name.into(), (cells.line(), found));
        Ok(())
    }

    fn slot(&mut self, variable: &Variable) -> Found {
        let before = match variable.level {
            Level::Family => &mut self.families,
            Level::Member => &mut self.members,
        };
        let slot = Slot { level: variable.level, at: *before };
        *before += 1;
        let is_number = matches!(variable.kind, Kind::Integer { .. });
        Found { slot, index: self.variables.len(), is_number }
    }

    fn resolve(self) -> Result<Questionnaire, QuestionnaireError> {
        let mut questions = Vec::new();
        let mut by_name = BTreeMap::new();
        for (line, variable) in &self.variables {
            let required = self.condition(*line, variable.level, &variable.required)?;
            let max = self.max(*line, variable)?;
            let slot = self.find(&variable.name).expect("every variable was placed").slot;
            by_name.insert(variable.name.clone(), questions.len());
            questions.push(Question { variable: variable.clone(), slot, required, max });
        }
        let mut checks = Vec::new();
        for (line, rule) in &self.rules {
            let holds = self.condition(*line, rule.level, &rule.holds)?;
            let mut slots = Vec::new();
            holds.each_slot(&mut |slot| slots.push(slot));
            let mut rule = rule.clone();
            for slot in slots {
                let named = questions.iter().find(|question| question.slot == slot);
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
    ) -> Result<Condition<Slot>, QuestionnaireError> {
        let names = || self.variables.iter().map(|(_, variable)| variable.name.as_str());
        let resolver = Resolver {
            level,
            counting: false,
            find: &|name| self.find(name),
            nearest: &|name| nearest(name, names()),
        };
        let condition: Result<_, ExpressionError> = resolver.condition(&expression.0);
        condition.map_err(|error| QuestionnaireError { line, column: "required_when", fault: error.into() })
    }

    fn max(&self, line: u64, variable: &Variable) -> Result<Option<Slot>, QuestionnaireError> {
        let Kind::Integer { max: Some(Bound::Variable(name)), .. } = &variable.kind else {
            return Ok(None);
        };
        match self.find(name) {
            Some(Found { slot, is_number: true, .. })
                if *name != variable.name
                    && (slot.level == variable.level || slot.level == Level::Family) =>
            {
                Ok(Some(slot))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "variable,block,level,label_id,label_en,kind,min,max,required_when\n";
    const SHIPPED: &[u8] = include_bytes!("../../../daemon/data/regsosek-k.csv");

    fn error(rows: &str) -> String {
        Questionnaire::parse(format!("{HEADER}{rows}").as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn the_shipped_questionnaire_is_read_whole() {
        let questionnaire = Questionnaire::parse(SHIPPED).unwrap();
        let of = |level| questionnaire.variables().filter(|variable| variable.level == level).count();
        assert_eq!((of(Level::Family), of(Level::Member), questionnaire.rules().count()), (66, 47, 12));
        assert_eq!(questionnaire.variables().next().unwrap().name, "r101");
        assert_eq!(questionnaire.variable("r403").unwrap().kind, Kind::Digits16(Identity::Nik));
        assert_eq!(questionnaire.variable("r114").unwrap().kind, Kind::Digits16(Identity::Kk));
        assert_eq!(questionnaire.variable("r502a").unwrap().label_id, "Tabung gas 5,5 kg atau lebih");
        let bound = Some(Bound::Variable("r112".into()));
        assert_eq!(questionnaire.variable("r401").unwrap().kind, Kind::Integer { min: Some(1), max: bound });
        assert!(questionnaire.variable("r307b2").unwrap().required.is_optional());
        let age = questionnaire.rules().find(|rule| rule.name == "k_age").unwrap();
        assert_eq!(
            (age.level, age.variables.as_slice()),
            (Level::Member, &["r406thn".into(), "r407".into()][..])
        );
        let head = questionnaire.rules().find(|rule| rule.name == "k_head").unwrap();
        assert_eq!((head.level, head.variables.join(" ").as_str()), (Level::Family, "r404 r409"));
    }

    #[test]
    fn what_the_file_says_is_printed_as_it_says_it() {
        let file = String::from_utf8(SHIPPED.to_vec()).unwrap();
        let questionnaire = Questionnaire::parse(SHIPPED).unwrap();
        let variables = questionnaire.variables().map(|variable| variable.required.to_string());
        let printed = variables.chain(questionnaire.rules().map(|rule| rule.holds.to_string()));
        for (line, printed) in file.lines().skip(1).zip(printed) {
            assert!(line.ends_with(&format!(",{printed}")), "{line}: {printed}");
        }
    }

    #[test]
    fn a_slip_at_the_keyboard_is_named_with_its_remedy() {
        let questionnaire = Questionnaire::parse(SHIPPED).unwrap();
        let check = |name, level, value| match questionnaire.check(name, level, &Scalar::Int(value)) {
            Ok(()) => "ok".into(),
            Err(error) => error.to_string(),
        };
        assert_eq!(check("r304", Level::Family, 7), "ok");
        assert_eq!(check("r304", Level::Family, 9), "r304 (Jenis dinding terluas): 9 is outside 1..7");
        assert_eq!(check("r110", Level::Family, 0), "r110 (No. urut bangunan tempat tinggal): 0 is below 1");
        assert_eq!(check("r401", Level::Member, 30), "ok");
        assert_eq!(check("x", Level::Family, 1), "x is not a variable of this questionnaire");
        assert_eq!(
            check("r3044", Level::Family, 1),
            "r3044 is not a variable of this questionnaire; did you mean r304?"
        );
        assert_eq!(
            check("R407", Level::Member, 1),
            "R407 is not a variable of this questionnaire; did you mean r407?"
        );
        assert_eq!(check("k_age", Level::Member, 1), "k_age is not a variable of this questionnaire");
        assert_eq!(check("r407", Level::Family, 1), "r407 (Umur) is asked of each member, not of the family");
        assert_eq!(
            check("r304", Level::Member, 1),
            "r304 (Jenis dinding terluas) is asked of the family, not of a member"
        );
    }

    #[test]
    fn every_fault_of_the_file_is_named_with_line_and_column() {
        let good = "a,I,family,A,A,integer,1,2,always\n";
        for (rows, message) in [
            ("", "line 1, column variable: there is no variable"),
            ("a,I,family,A,A,integer,1,2\n", "line 2, column required_when: the row has 8 cells where 9 are"),
            (",I,family,A,A,text,,,always\n", "line 2, column variable: the cell is empty"),
            ("R1,I,family,A,A,text,,,always\n", "line 2, column variable: \"R1\" is no name"),
            ("gone,I,family,A,A,text,,,always\n", "line 2, column variable: \"gone\" means something else"),
            ("count,I,family,A,A,text,,,always\n", "line 2, column variable: \"count\" means something else"),
            (&format!("{good}{good}"), "line 3, column variable: \"a\" is already on line 2"),
            ("a,I,house,A,A,text,,,always\n", "line 2, column level: \"house\" is no level; write family or"),
            ("a,I,family,,A,text,,,always\n", "line 2, column label_id: the cell is empty"),
            ("a,I,family,A,A,date,,,always\n", "line 2, column kind: \"date\" is no kind; write integer"),
            ("a,I,family,A,A,text,1,,always\n", "line 2, column min: \"1\" limits what is text"),
            ("a,I,family,A,A,integer,+1,,always\n", "line 2, column min: \"+1\" is no whole number"),
            ("a,I,family,A,A,integer,1,2 3,always\n", "line 2, column max: \"2 3\" is no whole number"),
            (
                "a,I,family,A,A,integer,3,2,always\n",
                "line 2, column max: 2 is below 3, the least: exchange them",
            ),
            ("a,I,family,A,A,integer,1,b,always\n", "line 2, column max: \"b\" is no other variable"),
            ("a,I,family,A,A,integer,1,a,always\n", "line 2, column max: \"a\" is no other variable"),
            (
                "a,I,family,A,A,integer,1,m,always\nm,I,member,M,M,integer,,,always\n",
                "line 2, column max: \"m\" is no other variable",
            ),
            ("a,I,family,A,A,text,,,\n", "line 2, column required_when: the cell is empty"),
            ("a,I,family,A,A,text,,,a =\n", "line 2, column required_when: character 4: expected a variable"),
            (
                "abc,I,family,A,A,integer,,,always\n\"b\",I,family,\"B, b\",B,integer,,,abd = 1\n",
                "line 3, column required_when: character 1: abd is not a variable of this questionnaire; did you mean abc?",
            ),
            (
                "m,I,member,M,M,integer,,,always\na,I,family,A,A,text,,,1 < m\n",
                "line 3, column required_when: character 5: m is asked of each member",
            ),
            (
                &format!("{good}r,,family,A,A,rule,,,optional\n"),
                "line 3, column required_when: a rule must say",
            ),
            (
                &format!("{good}r,,family,A,A,rule,1,,a = 1\n"),
                "line 3, column min: \"1\" limits what is rule",
            ),
            (
                "a,I,family,\"A,A,text,,,always\nb\",I,family",
                "line 2, column required_when: the row has 6 cells",
            ),
            ("a,I,family,\"A\nA\",A,text,,,always\n", "line 2, column label_id: a line break within a cell"),
        ] {
            let said = error(rows);
            assert!(said.starts_with(message), "{rows}: {said}");
        }
        let no_header = Questionnaire::parse(good.as_bytes()).unwrap_err().to_string();
        assert!(
            no_header.starts_with("line 1, column variable: the first line must be variable,block"),
            "{no_header}"
        );
        let latin = [HEADER.as_bytes(), b"a,I,family,\xe9,A,text,,,always\n"].concat();
        let said = Questionnaire::parse(&latin).unwrap_err().to_string();
        assert_eq!(said, "line 2, column label_id: not UTF-8; save the file as UTF-8");
    }

    #[test]
    fn a_file_without_end_is_refused() {
        let rows: Vec<String> = (0..=ROWS_MAX).map(|n| format!("a{n},I,family,A,A,text,,,always")).collect();
        assert!(error(&rows.join("\n")).contains("more than 1024 variables and rules"));
        assert!(error(&"x".repeat(2 * 1024 * 1024)).contains("a questionnaire has at most 1048576"));
    }

    proptest! {
        #[test]
        fn no_file_makes_the_reader_panic(rows in "([a-c]{0,2},|family,|\"|\n|integer,|1,|a = 1|é){0,40}") {
            let _ = Questionnaire::parse(format!("{HEADER}{rows}").as_bytes());
        }
    }
}
