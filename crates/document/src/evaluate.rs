//! Resolved conditions and answers become truths, without memory taken. Logic is Kleene's, with three values: what depends on an unanswered question
//! is `None`, neither true nor false. Numbers are intervals, because a count over members of whom
//! something is unknown still has a least and a greatest.

use std::ops::RangeInclusive;

use rukun_change::Scalar;

use crate::condition::{Condition, Order, Sign, Sum, Term};
use crate::variable::Level;

/// Where a variable's answer stands: in the family's row or in a member's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) level: Level,
    pub(crate) at: usize,
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
    pub(crate) fn answer(&self, slot: Slot) -> Option<&'a Scalar> {
        let row = match slot.level {
            Level::Family => self.family,
            Level::Member => self.member,
        };
        row.get(slot.at).copied().flatten()
    }

    pub(crate) fn number(&self, slot: Slot) -> Option<i64> {
        match self.answer(slot) {
            Some(Scalar::Int(number)) => Some(*number),
            _ => None,
        }
    }
}

impl Condition<Slot> {
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
                    |order: Order, end: &Sum<Slot>| order.truth(value.as_ref()?, &end.interval(scope)?);
                let above = compare(Order::GreaterOrEqual, low);
                kleene(false, [above, compare(Order::LessOrEqual, high)].into_iter())
            }
            Self::In(value, codes) => {
                let value = value.interval(scope)?;
                kleene(true, codes.iter().map(|code| Order::Equal.truth(&value, &exactly(*code))))
            }
            Self::AnyOf(first, last, codes) => {
                let answers = (first.at..=last.at).filter_map(|at| scope.number(Slot { at, ..*first }));
                any_answer(answers, codes)
            }
            Self::Differ(slot) => differ(scope.members, slot.at),
        }
    }

    /// Every slot that it looks at, in the order in which it names them, some perhaps twice.
    pub(crate) fn each_slot(&self, see: &mut dyn FnMut(Slot)) {
        match self {
            Self::Always | Self::Optional => {}
            Self::Or(parts) | Self::And(parts) => parts.iter().for_each(|part| part.each_slot(see)),
            Self::Not(part) => part.each_slot(see),
            Self::Compare(left, _, right) => [left, right].into_iter().for_each(|sum| sum.each_slot(see)),
            Self::Between(value, low, high) => {
                for sum in [value, low, high] {
                    sum.each_slot(see);
                }
            }
            Self::In(value, _) => value.each_slot(see),
            Self::AnyOf(first, last, _) => (first.at..=last.at).for_each(|at| see(Slot { at, ..*first })),
            Self::Differ(slot) => see(*slot),
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

impl Sum<Slot> {
    fn each_slot(&self, see: &mut dyn FnMut(Slot)) {
        for (_, term) in &self.0 {
            match term {
                Term::Answer(slot) => see(*slot),
                Term::Count(_, Some(condition)) => condition.each_slot(see),
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

impl Term<Slot> {
    fn interval(&self, scope: &Scope<'_>) -> Option<Interval> {
        match self {
            Self::Number(number) => Some(exactly(*number)),
            Self::Answer(slot) => scope.number(*slot).map(exactly),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::resolve::tests::resolve;

    /// The truth for a family and members whose answers are given as `name=number`.
    fn truth(text: &str, family: &str, members: &[&str]) -> Option<bool> {
        let parse = |answers: &str| {
            let pairs = answers.split_whitespace().map(|answer| answer.split_once('=').unwrap());
            pairs.map(|(at, value)| (at.parse().unwrap(), Scalar::Int(value.parse().unwrap()))).collect()
        };
        let answers: Vec<BTreeMap<usize, Scalar>> =
            [family].iter().chain(members).map(|answers| parse(answers)).collect();
        let mut rows = answers.iter().map(|given| (0..4).map(|at| given.get(&at)).collect::<Row<'_>>());
        let family = rows.next().unwrap();
        let members: Vec<Row<'_>> = rows.collect();
        let scope = Scope { family: &family, member: &[], members: &members };
        resolve(Level::Family, text).unwrap().truth(&scope)
    }

    #[test]
    fn logic_has_three_values() {
        let word = |truth: Option<bool>| match truth {
            Some(true) => "f0 = 1",
            Some(false) => "f0 = 2",
            None => "f1 = 1",
        };
        let (t, f, u) = (Some(true), Some(false), None);
        for (left, right, and, or) in [
            (t, t, t, t),
            (t, f, f, t),
            (t, u, u, t),
            (f, t, f, t),
            (f, f, f, f),
            (f, u, f, u),
            (u, t, u, t),
            (u, f, f, u),
            (u, u, u, u),
        ] {
            assert_eq!(truth(&format!("{} and {}", word(left), word(right)), "0=1", &[]), and);
            assert_eq!(truth(&format!("{} or {}", word(left), word(right)), "0=1", &[]), or);
        }
        for (part, not) in [(t, f), (f, t), (u, u)] {
            assert_eq!(truth(&format!("not {}", word(part)), "0=1", &[]), not);
        }
    }

    #[test]
    fn every_form_of_condition_is_evaluated() {
        let (t, f, u) = (Some(true), Some(false), None);
        for (text, expected) in [
            ("always", t),
            ("optional", u),
            ("f0 = 3", t),
            ("f0 != 3", f),
            ("f0 < 3", f),
            ("f0 <= 3", t),
            ("f0 > 2", t),
            ("f0 >= 4", f),
            ("f2 = 0", u),
            ("f0 + f1 - 1 = 7", t),
            ("f0 - f1 = -2", t),
            ("f0 + f2 = 7", u),
            ("f0 between 3 and f1", t),
            ("f0 between 4 and f2", f),
            ("f0 between f2 and 9", u),
            ("f2 between 1 and 2", u),
            ("f0 in (1 2 3)", t),
            ("f0 in (1 -3)", f),
            ("f2 in (1)", u),
            ("f0 = 9 or f0 = 3 and f1 = 5", t),
            ("(f0 = 3 or f0 = 9) and f1 = 9", f),
            ("9223372036854775807 + 9223372036854775807 > 1", t),
        ] {
            assert_eq!(truth(text, "0=3 1=5", &[]), expected, "{text}");
        }
    }

    #[test]
    fn any_of_a_range_looks_only_at_what_is_answered() {
        assert_eq!(truth("any of f0..f2 in (1 2)", "0=4 2=2", &[]), Some(true));
        assert_eq!(truth("any of f0..f2 in (1 2)", "0=4", &[]), Some(false));
        assert_eq!(truth("any of f0..f2 in (1 2)", "3=1", &[]), None);
    }

    #[test]
    fn a_count_is_decided_as_soon_as_what_is_unknown_cannot_change_it() {
        let heads = "count of members with (m0 = 1) = 1";
        assert_eq!(truth("count of members = f0", "0=2", &["", ""]), Some(true));
        assert_eq!(truth("count of members = f0", "0=3", &["", ""]), Some(false));
        assert_eq!(truth("count of members = f0", "", &["", ""]), None);
        assert_eq!(truth(heads, "", &["0=1", "0=2"]), Some(true));
        assert_eq!(truth(heads, "", &["0=2"]), Some(false));
        assert_eq!(truth(heads, "", &["0=1", ""]), None);
        assert_eq!(truth(heads, "", &["0=1", "0=1", ""]), Some(false));
        assert_eq!(truth("count of members with (m0 > f0) in (0)", "0=5", &["0=1", "0=6"]), Some(false));
    }

    #[test]
    fn members_differ_until_two_are_known_to_agree() {
        assert_eq!(truth("members differ in m0", "", &[]), Some(true));
        assert_eq!(truth("members differ in m0", "", &["0=1", "0=2"]), Some(true));
        assert_eq!(truth("members differ in m0", "", &["0=1", ""]), None);
        assert_eq!(truth("members differ in m3", "", &["3=1", "", "3=1"]), Some(false));
    }
}
