//! The tree of a condition, and the text it prints as: the one that parses to the same tree. What
//! the text may be is drawn in `expression`.

use std::fmt;

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
