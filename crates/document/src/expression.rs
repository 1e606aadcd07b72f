//! The conditions of a questionnaire: when an answer must be there, and what must hold across
//! answers. Text becomes a tree; the tree prints as the text that gives it back. No arithmetic
//! beyond sums, no loops, no functions, and nothing that needs memory to evaluate.
//!
//! ```text
//! expression  = "always" | "optional" | disjunction
//! disjunction = conjunction { "or" conjunction }
//! conjunction = negation { "and" negation }
//! negation    = "not" negation | "(" disjunction ")" | predicate
//! predicate   = "any" "of" variable ".." variable "in" codes     a range in the file's order
//!             | "members" "differ" "in" variable                 no two members have the same answer
//!             | sum ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) sum
//!             | sum "between" sum "and" sum                      both ends included
//!             | sum "in" codes
//! sum         = term { ( "+" | "-" ) term }
//! term        = number | variable | "count" "of" "members" [ "with" "(" disjunction ")" ]
//! codes       = "(" number { number } ")"
//! number      = [ "-" ] digits
//! ```
//!
//! `and` binds closer than `or`. What compares an unanswered variable is neither true nor false
//! (see `evaluate`). Inside `with ( )`, variables of members are those of the member counted.

use std::fmt;

use crate::parser::{self, ExpressionError};

/// The deepest nesting of parentheses and `not`.
pub(crate) const DEPTH_MAX: usize = 64;
/// The most words, numbers and signs.
pub(crate) const TOKENS_MAX: usize = 512;
/// Words that mean something here, so that no variable can be called so.
pub(crate) const KEYWORDS: [&str; 13] = [
    "always", "and", "any", "between", "count", "differ", "in", "members", "not", "of", "optional", "or",
    "with",
];

/// A condition on answers, as written in a questionnaire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression(pub(crate) Condition<Name>);

impl Expression {
    /// Parses a condition. Whether its variables exist is the questionnaire's to say.
    ///
    /// # Errors
    /// If the text is no condition, or a too long or too deep one.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        parser::parse(text).map(Self)
    }

    /// Whether the condition is the word `always`.
    pub fn is_always(&self) -> bool {
        self.0 == Condition::Always
    }

    /// Whether the condition is the word `optional`.
    pub fn is_optional(&self) -> bool {
        self.0 == Condition::Optional
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// At which character something stands, from 1. It is for messages: trees that differ only here
/// are equal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column(pub(crate) usize);

impl PartialEq for Column {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Column {}

/// A variable as an expression names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) column: Column,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The tree. `V` is a name as parsed, or a place among the answers once it is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition<V> {
    Always,
    Optional,
    Or(Vec<Condition<V>>),
    And(Vec<Condition<V>>),
    Not(Box<Condition<V>>),
    Compare(Sum<V>, Order, Sum<V>),
    Between(Sum<V>, Sum<V>, Sum<V>),
    In(Sum<V>, Vec<i64>),
    AnyOf(V, V, Vec<i64>),
    Differ(V),
}

/// Terms to add up or take away, at least one; the first is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sum<V>(pub(crate) Vec<(Sign, Term<V>)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Term<V> {
    Number(i64),
    Answer(V),
    Count(Column, Option<Box<Condition<V>>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    pub(crate) const ALL: [(Self, &str); 6] = [
        (Self::Equal, "="),
        (Self::NotEqual, "!="),
        (Self::Less, "<"),
        (Self::LessOrEqual, "<="),
        (Self::Greater, ">"),
        (Self::GreaterOrEqual, ">="),
    ];
}

impl<V: fmt::Display> fmt::Display for Condition<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Optional => f.write_str("optional"),
            Self::Or(parts) => write_joined(f, parts, " or ", |part| matches!(part, Self::Or(_))),
            Self::And(parts) => {
                write_joined(f, parts, " and ", |part| matches!(part, Self::Or(_) | Self::And(_)))
            }
            Self::Not(part) if matches!(**part, Self::Or(_) | Self::And(_)) => write!(f, "not ({part})"),
            Self::Not(part) => write!(f, "not {part}"),
            Self::Compare(left, order, right) => write!(f, "{left} {order} {right}"),
            Self::Between(value, low, high) => write!(f, "{value} between {low} and {high}"),
            Self::In(value, codes) => write!(f, "{value} in {}", Codes(codes)),
            Self::AnyOf(first, last, codes) => write!(f, "any of {first}..{last} in {}", Codes(codes)),
            Self::Differ(variable) => write!(f, "members differ in {variable}"),
        }
    }
}

fn write_joined<V: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    parts: &[Condition<V>],
    word: &str,
    in_parentheses: impl Fn(&Condition<V>) -> bool,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        if in_parentheses(part) { write!(f, "({part})")? } else { write!(f, "{part}")? }
    }
    Ok(())
}

impl<V: fmt::Display> fmt::Display for Sum<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (sign, term)) in self.0.iter().enumerate() {
            match (index, sign) {
                (0, _) => term.fmt(f)?,
                (_, Sign::Plus) => write!(f, " + {term}")?,
                (_, Sign::Minus) => write!(f, " - {term}")?,
            }
        }
        Ok(())
    }
}

impl<V: fmt::Display> fmt::Display for Term<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Answer(variable) => variable.fmt(f),
            Self::Count(_, None) => f.write_str("count of members"),
            Self::Count(_, Some(condition)) => write!(f, "count of members with ({condition})"),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Self::ALL.iter().find(|(order, _)| order == self).map(|(_, text)| *text);
        f.write_str(text.expect("every order is in the table"))
    }
}

struct Codes<'a>(&'a [i64]);

impl fmt::Display for Codes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        write!(f, "({})", codes.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum() -> impl Strategy<Value = Sum<Name>> {
        let term = prop_oneof![
            any::<i32>().prop_map(|number| Term::Number(number.into())),
            "r[0-9]{3}[a-f]?".prop_map(|text| Term::Answer(Name { text, column: Column(0) })),
            Just(Term::Count(Column(0), None)),
        ];
        let sign = prop_oneof![Just(Sign::Plus), Just(Sign::Minus)];
        prop::collection::vec((sign, term), 1..4).prop_map(|mut terms| {
            terms[0].0 = Sign::Plus;
            Sum(terms)
        })
    }

    fn condition() -> impl Strategy<Value = Condition<Name>> {
        let codes = || prop::collection::vec(any::<i32>().prop_map(i64::from), 1..4);
        let name = || "r[0-9]{3}[a-f]?".prop_map(|text| Name { text, column: Column(0) });
        let order = prop::sample::select(Order::ALL.map(|(order, _)| order).to_vec());
        let leaf = prop_oneof![
            (sum(), order, sum()).prop_map(|(left, order, right)| Condition::Compare(left, order, right)),
            (sum(), sum(), sum()).prop_map(|(value, low, high)| Condition::Between(value, low, high)),
            (sum(), codes()).prop_map(|(value, codes)| Condition::In(value, codes)),
            (name(), name(), codes()).prop_map(|(first, last, codes)| Condition::AnyOf(first, last, codes)),
            name().prop_map(Condition::Differ),
        ];
        leaf.prop_recursive(4, 16, 3, |part| {
            let counted = part.clone().prop_map(|part| {
                let count = Term::Count(Column(0), Some(Box::new(part)));
                Condition::In(Sum(vec![(Sign::Plus, count)]), vec![1])
            });
            prop_oneof![
                prop::collection::vec(part.clone(), 2..4).prop_map(Condition::Or),
                prop::collection::vec(part.clone(), 2..4).prop_map(Condition::And),
                part.prop_map(|part| Condition::Not(Box::new(part))),
                counted,
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same_tree(tree in condition()) {
            let text = tree.to_string();
            match parser::parse(&text) {
                Ok(parsed) => prop_assert_eq!(parsed, tree, "{}", text),
                Err(error) => prop_assert!(matches!(error, ExpressionError::TooLong { .. }), "{}: {}", text, error),
            }
        }
    }

    #[test]
    fn parentheses_are_printed_only_where_they_are_needed() {
        for (text, printed) in [
            ("((a = 1))", "a = 1"),
            ("a=1 or (b=2 and c=3)", "a = 1 or b = 2 and c = 3"),
            ("(a = 1 or b = 2) and not (c = 3)", "(a = 1 or b = 2) and not c = 3"),
            ("a-1 - -2>=b", "a - 1 - -2 >= b"),
            ("always", "always"),
            ("optional", "optional"),
        ] {
            assert_eq!(Expression::parse(text).unwrap().to_string(), printed);
        }
    }
}
