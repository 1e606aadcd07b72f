//! Names become slots among the answers, once, when the questionnaire is read. What a condition may
//! look at from where it stands is judged here, so that evaluating it cannot fail.

use crate::condition::{Condition, Name, Sum, Term};
use crate::evaluate::Slot;
use crate::parser::ExpressionError;
use crate::variable::Level;

/// What resolving needs to know of the variable of a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) slot: Slot,
    /// Its position in the file.
    pub(crate) index: usize,
    pub(crate) is_number: bool,
}

/// Resolves the names of a condition at one level.
pub(crate) struct Resolver<'a> {
    pub(crate) level: Level,
    /// Whether a member's answers can be meant: in a member's condition, or while members are counted.
    pub(crate) counting: bool,
    pub(crate) find: &'a dyn Fn(&str) -> Option<Found>,
    pub(crate) nearest: &'a dyn Fn(&str) -> Option<String>,
}

impl Resolver<'_> {
    pub(crate) fn condition(&self, condition: &Condition<Name>) -> Result<Condition<Slot>, ExpressionError> {
        let all = |parts: &[Condition<Name>]| {
            parts.iter().map(|part| self.condition(part)).collect::<Result<_, _>>()
        };
        Ok(match condition {
            Condition::Always => Condition::Always,
            Condition::Optional => Condition::Optional,
            Condition::Or(parts) => Condition::Or(all(parts)?),
            Condition::And(parts) => Condition::And(all(parts)?),
            Condition::Not(part) => Condition::Not(Box::new(self.condition(part)?)),
            Condition::Compare(left, order, right) => {
                Condition::Compare(self.sum(left)?, *order, self.sum(right)?)
            }
            Condition::Between(value, low, high) => {
                Condition::Between(self.sum(value)?, self.sum(low)?, self.sum(high)?)
            }
            Condition::In(value, codes) => Condition::In(self.sum(value)?, codes.clone()),
            Condition::AnyOf(first, last, codes) => {
                let range = self.range(first, last)?;
                Condition::AnyOf(range.0, range.1, codes.clone())
            }
            Condition::Differ(name) => Condition::Differ(self.differing(name)?),
        })
    }

    fn sum(&self, sum: &Sum<Name>) -> Result<Sum<Slot>, ExpressionError> {
        let terms = sum.0.iter().map(|(sign, term)| Ok((*sign, self.term(term)?)));
        terms.collect::<Result<_, _>>().map(Sum)
    }

    fn term(&self, term: &Term<Name>) -> Result<Term<Slot>, ExpressionError> {
        Ok(match term {
            Term::Number(number) => Term::Number(*number),
            Term::Answer(name) => Term::Answer(self.number(name)?.slot),
            Term::Count(column, _) if self.level == Level::Member || self.counting => {
                return Err(ExpressionError::Members { column: column.0 });
            }
            Term::Count(column, None) => Term::Count(*column, None),
            Term::Count(column, Some(condition)) => {
                let counting = Self { counting: true, ..*self };
                Term::Count(*column, Some(Box::new(counting.condition(condition)?)))
            }
        })
    }

    fn range(&self, first: &Name, last: &Name) -> Result<(Slot, Slot), ExpressionError> {
        let (from, to) = (self.number(first)?, self.number(last)?);
        // Between two variables of one level stand as many in the file as in that level's row,
        // unless some of another level are among them.
        let apart = |low: usize, high: usize| high.checked_sub(low);
        let unbroken = apart(from.index, to.index) == apart(from.slot.at, to.slot.at);
        if from.slot.level == to.slot.level && from.index <= to.index && unbroken {
            Ok((from.slot, to.slot))
        } else {
            let (column, first, last) = (first.column.0, first.text.clone(), last.text.clone());
            Err(ExpressionError::Range { column, first, last })
        }
    }

    fn differing(&self, name: &Name) -> Result<Slot, ExpressionError> {
        let column = name.column.0;
        if self.level == Level::Member || self.counting {
            return Err(ExpressionError::Members { column });
        }
        match self.variable(name)?.slot {
            slot @ Slot { level: Level::Member, .. } => Ok(slot),
            _ => Err(ExpressionError::OfFamily { column, name: name.text.clone() }),
        }
    }

    fn number(&self, name: &Name) -> Result<Found, ExpressionError> {
        let found = self.variable(name)?;
        let column = name.column.0;
        if found.slot.level == Level::Member && self.level == Level::Family && !self.counting {
            return Err(ExpressionError::OfMember { column, name: name.text.clone() });
        }
        if !found.is_number {
            return Err(ExpressionError::NoNumber { column, name: name.text.clone() });
        }
        Ok(found)
    }

    fn variable(&self, name: &Name) -> Result<Found, ExpressionError> {
        (self.find)(&name.text).ok_or_else(|| ExpressionError::Unknown {
            column: name.column.0,
            name: name.text.clone(),
            nearest: (self.nearest)(&name.text),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::expression::Expression;

    /// Variables `f0` to `f3` of the family, then `m0` to `m3` of members, `m3` a text.
    fn find(name: &str) -> Option<Found> {
        let (letter, at) = name.split_at_checked(1)?;
        let at: usize = at.parse().ok().filter(|at| *at < 4)?;
        let (level, index) = match letter {
            "f" => (Level::Family, at),
            "m" => (Level::Member, 4 + at),
            _ => return None,
        };
        Some(Found { slot: Slot { level, at }, index, is_number: name != "m3" })
    }

    pub(crate) fn resolve(level: Level, text: &str) -> Result<Condition<Slot>, ExpressionError> {
        let resolver = Resolver { level, counting: false, find: &find, nearest: &|_| None };
        resolver.condition(&Expression::parse(text)?.0)
    }

    #[test]
    fn a_name_must_fit_where_it_stands() {
        for (level, text, message) in [
            (Level::Family, "f0 = 1 or g0 = 1", "character 11: g0 is not a variable of this questionnaire"),
            (Level::Family, "m0 = 1", "character 1: m0 is asked of each member, so"),
            (Level::Family, "any of m0..m1 in (1)", "character 8: m0 is asked of each member, so"),
            (Level::Member, "f0 = 1 and m3 = 1", "character 12: m3 holds no number"),
            (Level::Member, "any of f0..m1 in (1)", "character 8: f0..m1 is no range"),
            (Level::Member, "any of m1..m0 in (1)", "character 8: m1..m0 is no range"),
            (Level::Member, "m0 = count of members", "character 6: only a condition on the family"),
            (Level::Member, "members differ in m0", "character 19: only a condition on the family"),
            (Level::Family, "members differ in f0", "character 19: f0 is asked of the family"),
            (
                Level::Family,
                "count of members with (count of members = 1) = 1",
                "character 24: only a condition on the family",
            ),
        ] {
            let error = resolve(level, text).unwrap_err().to_string();
            assert!(error.starts_with(message), "{text}: {error}");
        }
        assert!(resolve(Level::Member, "f0 = 1 and any of m0..m2 in (1)").is_ok());
    }
}
