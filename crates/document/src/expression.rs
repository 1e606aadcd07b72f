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

use crate::condition::{Condition, Name};
use crate::parser::{self, ExpressionError};

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::condition::{Column, Order, Sign, Sum, Term};

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
