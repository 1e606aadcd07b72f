//! Conditions are resolved once, from names to places among the answers, and then evaluated
//! without memory. Logic is Kleene's, with three values: what depends on an unanswered question
//! is `None`, neither true nor false. Numbers are intervals, because a count over members of whom
//! something is unknown still has a least and a greatest.

use std::ops::RangeInclusive;

use rukun_change::Scalar;

use crate::expression::{Condition, Name, Order, Sign, Sum, Term};
use crate::parser::ExpressionError;
use crate::variable::Level;

/// Where a variable's answer stands: in the family's row or in a member's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) level: Level,
    pub(crate) at: usize,
}

/// What resolving needs to know of the variable of a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) place: Place,
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
    pub(crate) fn condition(&self, condition: &Condition<Name>) -> Result<Condition<Place>, ExpressionError> {
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

    fn sum(&self, sum: &Sum<Name>) -> Result<Sum<Place>, ExpressionError> {
        let terms = sum.0.iter().map(|(sign, term)| Ok((*sign, self.term(term)?)));
        terms.collect::<Result<_, _>>().map(Sum)
    }

    fn term(&self, term: &Term<Name>) -> Result<Term<Place>, ExpressionError> {
        Ok(match term {
            Term::Number(number) => Term::Number(*number),
            Term::Answer(name) => Term::Answer(self.number(name)?.place),
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

    fn range(&self, first: &Name, last: &Name) -> Result<(Place, Place), ExpressionError> {
        let (from, to) = (self.number(first)?, self.number(last)?);
        // Between two variables of one level stand as many in the file as in that level's row,
        // unless some of another level are among them.
        let apart = |low: usize, high: usize| high.checked_sub(low);
        let unbroken = apart(from.index, to.index) == apart(from.place.at, to.place.at);
        if from.place.level == to.place.level && from.index <= to.index && unbroken {
            Ok((from.place, to.place))
        } else {
            let (column, first, last) = (first.column.0, first.text.clone(), last.text.clone());
            Err(ExpressionError::Range { column, first, last })
        }
    }

    fn differing(&self, name: &Name) -> Result<Place, ExpressionError> {
        let column = name.column.0;
        if self.level == Level::Member || self.counting {
            return Err(ExpressionError::Members { column });
        }
        match self.variable(name)?.place {
            place @ Place { level: Level::Member, .. } => Ok(place),
            _ => Err(ExpressionError::OfFamily { column, name: name.text.clone() }),
        }
    }

    fn number(&self, name: &Name) -> Result<Found, ExpressionError> {
        let found = self.variable(name)?;
        let column = name.column.0;
        if found.place.level == Level::Member && self.level == Level::Family && !self.counting {
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

/// The answers of one family or member, in the order of the questionnaire. What is null is absent.
pub(crate) type Row<'a> = Vec<Option<&'a Scalar>>;

/// The answers that a condition is evaluated on.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) family: &'a [Option<&'a Scalar>],
    pub(crate) member: &'a [Option<&'a Scalar>],
    pub(crate) members: &'a [Row<'a>],
}

impl<'a> Scope<'a> {
    pub(crate) fn answer(&self, place: Place) -> Option<&'a Scalar> {
        let row = match place.level {
            Level::Family => self.family,
            Level::Member => self.member,
        };
        row.get(place.at).copied().flatten()
    }

    pub(crate) fn number(&self, place: Place) -> Option<i64> {
        match self.answer(place) {
            Some(Scalar::Int(number)) => Some(*number),
            _ => None,
        }
    }
}

impl Condition<Place> {
    /// Whether it holds, if the answers given say so. `always` holds, of `optional` nobody can tell.
    pub(crate) fn truth(&self, scope: &Scope<'_>) -> Option<bool> {
        match self {
            Self::Always => Some(true),
            Self::Optional => None,
            Self::Or(parts) => kleene(true, parts.iter().map(|part| part.truth(scope))),
            Self::And(parts) => kleene(false, parts.iter().map(|part| part.truth(scope))),
            Self::Not(part) => part.truth(scope).map(|truth| !truth),
            Self::Compare(left, order, right) => order.truth(&left.interval(scope)?, &right.interval(scope)?),
            Self::Between(value, low, high) => {
                let value = value.interval(scope);
                let compare =
                    |order: Order, end: &Sum<Place>| order.truth(value.as_ref()?, &end.interval(scope)?);
                let above = compare(Order::GreaterOrEqual, low);
                kleene(false, [above, compare(Order::LessOrEqual, high)].into_iter())
            }
            Self::In(value, codes) => {
                let value = value.interval(scope)?;
                kleene(true, codes.iter().map(|code| Order::Equal.truth(&value, &exactly(*code))))
            }
            Self::AnyOf(first, last, codes) => {
                let answers = (first.at..=last.at).filter_map(|at| scope.number(Place { at, ..*first }));
                any_answer(answers, codes)
            }
            Self::Differ(place) => differ(scope.members, place.at),
        }
    }

    /// Every place that it looks at, in the order in which it names them, some perhaps twice.
    pub(crate) fn each_place(&self, see: &mut dyn FnMut(Place)) {
        match self {
            Self::Always | Self::Optional => {}
            Self::Or(parts) | Self::And(parts) => parts.iter().for_each(|part| part.each_place(see)),
            Self::Not(part) => part.each_place(see),
            Self::Compare(left, _, right) => [left, right].into_iter().for_each(|sum| sum.each_place(see)),
            Self::Between(value, low, high) => {
                [value, low, high].into_iter().for_each(|sum| sum.each_place(see));
            }
            Self::In(value, _) => value.each_place(see),
            Self::AnyOf(first, last, _) => (first.at..=last.at).for_each(|at| see(Place { at, ..*first })),
            Self::Differ(place) => see(*place),
        }
    }
}

/// Kleene's `or` if `decisive` is true, `and` if it is false: one part of that truth decides.
fn kleene(decisive: bool, truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all_known = true;
    for truth in truths {
        if truth == Some(decisive) {
            return truth;
        }
        all_known &= truth.is_some();
    }
    all_known.then_some(!decisive)
}

/// Unanswered questions are left out; if none is answered, nothing is known.
fn any_answer(answers: impl Iterator<Item = i64>, codes: &[i64]) -> Option<bool> {
    let mut found = None;
    for answer in answers {
        if codes.contains(&answer) {
            return Some(true);
        }
        found = Some(false);
    }
    found
}

/// Two members with the same answer settle it, whatever else is unknown.
fn differ(members: &[Row<'_>], at: usize) -> Option<bool> {
    let mut answers: Vec<&Scalar> = members.iter().filter_map(|row| row.get(at).copied().flatten()).collect();
    let all_known = answers.len() == members.len();
    answers.sort_unstable();
    let same = answers.windows(2).any(|pair| matches!(pair, [one, other] if one == other));
    if same { Some(false) } else { all_known.then_some(true) }
}

/// From the least to the greatest that a number can be. Wide enough that no sum overflows.
type Interval = RangeInclusive<i128>;

fn exactly(number: i64) -> Interval {
    number.into()..=number.into()
}

impl Sum<Place> {
    fn each_place(&self, see: &mut dyn FnMut(Place)) {
        for (_, term) in &self.0 {
            match term {
                Term::Answer(place) => see(*place),
                Term::Count(_, Some(condition)) => condition.each_place(see),
                Term::Number(_) | Term::Count(_, None) => {}
            }
        }
    }

    fn interval(&self, scope: &Scope<'_>) -> Option<Interval> {
        let mut sum = exactly(0);
        for (sign, term) in &self.0 {
            let term = term.interval(scope)?;
            sum = match sign {
                Sign::Plus => sum.start() + term.start()..=sum.end() + term.end(),
                Sign::Minus => sum.start() - term.end()..=sum.end() - term.start(),
            };
        }
        Some(sum)
    }
}

impl Term<Place> {
    fn interval(&self, scope: &Scope<'_>) -> Option<Interval> {
        match self {
            Self::Number(number) => Some(exactly(*number)),
            Self::Answer(place) => scope.number(*place).map(exactly),
            Self::Count(_, None) => Some(exactly(scope.members.len() as i64)),
            Self::Count(_, Some(condition)) => {
                let (mut least, mut greatest) = (0, 0);
                for member in scope.members {
                    let truth = condition.truth(&Scope { member, ..*scope });
                    least += i128::from(truth == Some(true));
                    greatest += i128::from(truth != Some(false));
                }
                Some(least..=greatest)
            }
        }
    }
}

impl Order {
    fn truth(self, left: &Interval, right: &Interval) -> Option<bool> {
        let decide = |holds: bool, fails: bool| (holds || fails).then_some(holds);
        let equal = left.start() == left.end() && left == right;
        let apart = left.end() < right.start() || right.end() < left.start();
        match self {
            Self::Equal => decide(equal, apart),
            Self::NotEqual => decide(apart, equal),
            Self::Less => decide(left.end() < right.start(), left.start() >= right.end()),
            Self::LessOrEqual => decide(left.end() <= right.start(), left.start() > right.end()),
            Self::Greater => decide(left.start() > right.end(), left.end() <= right.start()),
            Self::GreaterOrEqual => decide(left.start() >= right.end(), left.end() < right.start()),
        }
    }
}
