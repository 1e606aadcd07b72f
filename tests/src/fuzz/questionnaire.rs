//! Questionnaires: any file is refused with line and column, or judges any answers.

use std::collections::BTreeMap;

use rukun_change::{MemberId, Scalar};
use rukun_document::{Answers, Expression, Level, Questionnaire};

/// A whole file, and each of its lines as an expression.
pub(super) fn run(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        for line in text.lines().take(8) {
            if let Err(error) = Expression::parse(line) {
                assert!(!error.to_string().is_empty());
            }
        }
    }
    let questionnaire = match Questionnaire::parse(data) {
        Ok(questionnaire) => questionnaire,
        Err(error) => return assert!(error.to_string().contains("line"), "{error}"),
    };
    let values = || {
        let numbers = [0, 1, -1, 8, 2022, i64::MAX, i64::MIN].map(Scalar::Int);
        let texts = ["", "x", "1811010101100001"].map(|text| Scalar::Text(text.into()));
        numbers.into_iter().chain(texts).chain([Scalar::Null])
    };
    for variable in questionnaire.variables() {
        assert_eq!(questionnaire.variable(&variable.name), Some(variable));
        for value in values() {
            for level in [Level::Family, Level::Member] {
                drop(questionnaire.check(&variable.name, level, &value).map_err(|error| error.to_string()));
            }
        }
        drop(questionnaire.check(&format!("{}x", variable.name), variable.level, &Scalar::Null));
    }
    for rule in questionnaire.rules() {
        assert!(!rule.name.is_empty());
    }
    for shift in 0..values().count() {
        violations(&questionnaire, &values().cycle().skip(shift).take(40).collect::<Vec<_>>());
    }
}

fn violations(questionnaire: &Questionnaire, values: &[Scalar]) {
    let of = |level: Level, from: usize| -> BTreeMap<String, Scalar> {
        let variables = questionnaire.variables().filter(|variable| variable.level == level);
        let value = |at: usize| values[(at + from) % values.len()].clone();
        variables.enumerate().map(|(at, variable)| (variable.name.clone(), value(at))).collect()
    };
    let members = (0..3).map(|member| (MemberId::from_bytes([member; 8]), of(Level::Member, member.into())));
    let answers = Answers { family: of(Level::Family, 0), members: members.collect() };
    for violation in questionnaire.violations(&answers) {
        assert!(!violation.text.is_empty());
    }
    drop(questionnaire.violations(&Answers::default()));
}
