//! Text becomes the tree of an [`crate::Expression`]: a lexer and a parser by recursive descent,
//! bounded in length and depth. Every error says at which character. The grammar is drawn in
//! `expression`.

use std::iter::Peekable;
use std::str::CharIndices;

use crate::condition::{Column, Condition, Name, Order, Sign, Sum, Term};

/// The deepest nesting of parentheses and `not`.
const DEPTH_MAX: usize = 64;
/// The most words, numbers and signs.
const TOKENS_MAX: usize = 512;
/// Words that mean something here, so that no variable can be called so.
pub(crate) const KEYWORDS: [&str; 13] = [
    "always", "and", "any", "between", "count", "differ", "in", "members", "not", "of", "optional", "or",
    "with",
];

pub(crate) fn parse(text: &str) -> Result<Condition<Name>, ExpressionError> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, depth: 0, end: text.chars().count() + 1 };
    let condition = if parser.take_word("always") {
        Condition::Always
    } else if parser.take_word("optional") {
        Condition::Optional
    } else {
        parser.disjunction()?
    };
    match parser.peek() {
        None => Ok(condition),
        Some(_) => Err(parser.expected("\"and\", \"or\" or the end")),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Digits(&'a str),
    Sign(&'a str),
}

impl<'a> Token<'a> {
    fn text(self) -> &'a str {
        match self {
            Self::Word(text) | Self::Digits(text) | Self::Sign(text) => text,
        }
    }
}

struct Parser<'a> {
    tokens: Vec<(usize, Token<'a>)>,
    next: usize,
    depth: usize,
    end: usize,
}

impl<'a> Parser<'a> {
    fn disjunction(&mut self) -> Result<Condition<Name>, ExpressionError> {
        let first = self.conjunction()?;
        self.more("or", first, Self::conjunction, Condition::Or)
    }

    fn conjunction(&mut self) -> Result<Condition<Name>, ExpressionError> {
        let first = self.negation()?;
        self.more("and", first, Self::negation, Condition::And)
    }

    fn more(
        &mut self,
        word: &str,
        first: Condition<Name>,
        part: fn(&mut Self) -> Result<Condition<Name>, ExpressionError>,
        join: fn(Vec<Condition<Name>>) -> Condition<Name>,
    ) -> Result<Condition<Name>, ExpressionError> {
        if !self.take_word(word) {
            return Ok(first);
        }
        let mut parts = vec![first, part(self)?];
        while self.take_word(word) {
            parts.push(part(self)?);
        }
        Ok(join(parts))
    }

    fn negation(&mut self) -> Result<Condition<Name>, ExpressionError> {
        if self.take_word("not") {
            self.deeper(|parser| Ok(Condition::Not(Box::new(parser.negation()?))))
        } else if self.take_sign("(") {
            self.deeper(|parser| {
                let inner = parser.disjunction()?;
                parser.need_sign(")", "\")\"")?;
                Ok(inner)
            })
        } else {
            self.predicate()
        }
    }

    fn predicate(&mut self) -> Result<Condition<Name>, ExpressionError> {
        if self.take_word("any") {
            self.need_word("of", "\"of\"")?;
            let first = self.name()?;
            self.need_sign("..", "\"..\" and the last variable of the range")?;
            let last = self.name()?;
            self.need_word("in", "\"in\"")?;
            return Ok(Condition::AnyOf(first, last, self.codes()?));
        }
        if self.take_word("members") {
            self.need_word("differ", "\"differ in\" and a variable")?;
            self.need_word("in", "\"in\" and a variable")?;
            return Ok(Condition::Differ(self.name()?));
        }
        let left = self.sum()?;
        if self.take_word("in") {
            return Ok(Condition::In(left, self.codes()?));
        }
        if self.take_word("between") {
            let low = self.sum()?;
            self.need_word("and", "\"and\" and the upper end")?;
            return Ok(Condition::Between(left, low, self.sum()?));
        }
        let sign = self.peek();
        let order = Order::ALL.iter().find(|(_, text)| sign == Some(Token::Sign(text)));
        let Some((order, _)) = order else {
            return Err(self.expected("a comparison (=, !=, <, <=, >, >=, \"between\" or \"in\")"));
        };
        self.next += 1;
        Ok(Condition::Compare(left, *order, self.sum()?))
    }

    fn sum(&mut self) -> Result<Sum<Name>, ExpressionError> {
        let mut terms = vec![(Sign::Plus, self.term()?)];
        loop {
            let sign = if self.take_sign("+") {
                Sign::Plus
            } else if self.take_sign("-") {
                Sign::Minus
            } else {
                return Ok(Sum(terms));
            };
            terms.push((sign, self.term()?));
        }
    }

    fn term(&mut self) -> Result<Term<Name>, ExpressionError> {
        let column = Column(self.column());
        if self.take_word("count") {
            self.need_word("of", "\"of members\"")?;
            self.need_word("members", "\"members\"")?;
            return Ok(Term::Count(column, self.counted()?));
        }
        match self.peek() {
            Some(Token::Digits(_) | Token::Sign("-")) => self.number().map(Term::Number),
            _ => self.name().map(Term::Answer),
        }
    }

    fn counted(&mut self) -> Result<Option<Box<Condition<Name>>>, ExpressionError> {
        if !self.take_word("with") {
            return Ok(None);
        }
        self.need_sign("(", "\"(\" and which members to count")?;
        self.deeper(|parser| {
            let condition = parser.disjunction()?;
            parser.need_sign(")", "\")\"")?;
            Ok(Some(Box::new(condition)))
        })
    }

    fn codes(&mut self) -> Result<Vec<i64>, ExpressionError> {
        self.need_sign("(", "codes in parentheses, such as (1 2 3)")?;
        let mut codes = vec![self.number()?];
        while !self.take_sign(")") {
            codes.push(self.number()?);
        }
        Ok(codes)
    }

    fn number(&mut self) -> Result<i64, ExpressionError> {
        let minus = self.take_sign("-");
        let Some(Token::Digits(digits)) = self.peek() else {
            return Err(self.expected("a number"));
        };
        let number: i64 = digits.parse().map_err(|_| ExpressionError::Number { column: self.column() })?;
        self.next += 1;
        Ok(if minus { -number } else { number })
    }

    fn name(&mut self) -> Result<Name, ExpressionError> {
        let column = Column(self.column());
        match self.peek() {
            Some(Token::Word(word)) if !KEYWORDS.contains(&word) => {
                self.next += 1;
                Ok(Name { text: word.into(), column })
            }
            _ => Err(self.expected("a variable")),
        }
    }

    fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, ExpressionError>,
    ) -> Result<T, ExpressionError> {
        if self.depth == DEPTH_MAX {
            return Err(ExpressionError::TooDeep { column: self.column(), max: DEPTH_MAX });
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn take(&mut self, token: Token<'_>) -> bool {
        let taken = self.peek() == Some(token);
        self.next += usize::from(taken);
        taken
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.take(Token::Word(word))
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        self.take(Token::Sign(sign))
    }

    fn need_word(&mut self, word: &str, expected: &'static str) -> Result<(), ExpressionError> {
        if self.take_word(word) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn need_sign(&mut self, sign: &str, expected: &'static str) -> Result<(), ExpressionError> {
        if self.take_sign(sign) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.next).map(|(_, token)| *token)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(column, _)| *column)
    }

    fn expected(&self, expected: &'static str) -> ExpressionError {
        let found = self.peek().map_or("the end".into(), |token| format!("{:?}", token.text()));
        ExpressionError::Expected { column: self.column(), expected, found }
    }
}

fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut rest = text.char_indices().peekable();
    let mut column = 1;
    while let Some((start, first)) = rest.next() {
        let at = column;
        column += 1;
        if first == ' ' {
            continue;
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        column += match first {
            c if is_word(c) => skip(&mut rest, usize::MAX, is_word),
            '!' | '<' | '>' => skip(&mut rest, 1, |c| c == '='),
            '.' => skip(&mut rest, 1, |c| c == '.'),
            _ => 0,
        };
        let end = rest.peek().map_or(text.len(), |(end, _)| *end);
        let piece = text.get(start..end).expect("both ends are boundaries of characters");
        let token = match piece {
            "(" | ")" | "+" | "-" | ".." | "=" | "!=" | "<" | "<=" | ">" | ">=" => Token::Sign(piece),
            _ if piece.bytes().all(|byte| byte.is_ascii_digit()) => Token::Digits(piece),
            _ if first.is_ascii_alphabetic() || first == '_' => Token::Word(piece),
            _ => return Err(ExpressionError::Stray { column: at, found: piece.into() }),
        };
        if tokens.len() == TOKENS_MAX {
            return Err(ExpressionError::TooLong { column: at, max: TOKENS_MAX });
        }
        tokens.push((at, token));
    }
    Ok(tokens)
}

/// Skips at most `max` characters that are wanted: how many there were.
fn skip(rest: &mut Peekable<CharIndices<'_>>, max: usize, wanted: impl Fn(char) -> bool) -> usize {
    let mut skipped = 0;
    while skipped < max && rest.next_if(|(_, c)| wanted(*c)).is_some() {
        skipped += 1;
    }
    skipped
}

/// Why a text is no condition of this questionnaire. Columns are characters, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// Characters that no expression has.
    #[error("character {column}: {found:?} means nothing in a condition")]
    Stray {
        /// Where.
        column: usize,
        /// What stands there.
        found: String,
    },
    /// Something else is needed there.
    #[error("character {column}: expected {expected}, found {found}")]
    Expected {
        /// Where.
        column: usize,
        /// What is needed.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A number that does not fit 64 bits.
    #[error("character {column}: the number is too large")]
    Number {
        /// Where.
        column: usize,
    },
    /// More words, numbers and signs than allowed.
    #[error("character {column}: the condition is longer than {max} words, numbers and signs")]
    TooLong {
        /// Where.
        column: usize,
        /// How many are allowed.
        max: usize,
    },
    /// Nested deeper than allowed.
    #[error("character {column}: the condition is nested deeper than {max}")]
    TooDeep {
        /// Where.
        column: usize,
        /// How deep is allowed.
        max: usize,
    },
    /// A variable that the questionnaire lacks.
    #[error(
        "character {column}: {name} is not a variable of this questionnaire{}",
        crate::slip::did_you_mean(nearest.as_deref())
    )]
    Unknown {
        /// Where.
        column: usize,
        /// How it is called.
        name: String,
        /// A variable whose name is nearly that.
        nearest: Option<String>,
    },
    /// An answer of a member where no member is meant.
    #[error(
        "character {column}: {name} is asked of each member, so a condition on the family can only use it in \"count of members with ( )\" or \"members differ in\""
    )]
    OfMember {
        /// Where.
        column: usize,
        /// The variable.
        name: String,
    },
    /// An answer of the family where each member's is meant.
    #[error("character {column}: {name} is asked of the family, so members cannot differ in it")]
    OfFamily {
        /// Where.
        column: usize,
        /// The variable.
        name: String,
    },
    /// Members counted or compared in a condition on one member.
    #[error("character {column}: only a condition on the family can count or compare members")]
    Members {
        /// Where.
        column: usize,
    },
    /// A variable that holds no number.
    #[error("character {column}: {name} holds no number, so it cannot be compared with one")]
    NoNumber {
        /// Where.
        column: usize,
        /// The variable.
        name: String,
    },
    /// The ends of a range in the wrong order, or on different levels.
    #[error(
        "character {column}: {first}..{last} is no range: both ends and all between them must be asked on one level, in the order of the file"
    )]
    Range {
        /// Where.
        column: usize,
        /// The first variable.
        first: String,
        /// The last.
        last: String,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_error_names_the_character_and_what_would_fit() {
        for (text, message) in [
            ("", "character 1: expected a variable, found the end"),
            (
                "r301a",
                "character 6: expected a comparison (=, !=, <, <=, >, >=, \"between\" or \"in\"), found the end",
            ),
            ("r301a = 1 r", "character 11: expected \"and\", \"or\" or the end, found \"r\""),
            ("always or a = 1", "character 8: expected \"and\", \"or\" or the end, found \"or\""),
            ("a = 1 and (b = 2", "character 17: expected \")\", found the end"),
            ("a in ()", "character 7: expected a number, found \")\""),
            ("a in 1", "character 6: expected codes in parentheses, such as (1 2 3), found \"1\""),
            ("é = 1", "character 1: \"é\" means nothing in a condition"),
            ("a = 1x", "character 5: \"1x\" means nothing in a condition"),
            ("a = 99999999999999999999", "character 5: the number is too large"),
            (
                "any of a in (1)",
                "character 10: expected \"..\" and the last variable of the range, found \"in\"",
            ),
            ("a between 1 or 2", "character 13: expected \"and\" and the upper end, found \"or\""),
            ("and = 1", "character 1: expected a variable, found \"and\""),
            (
                "count of members with a = 1",
                "character 23: expected \"(\" and which members to count, found \"a\"",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn a_hostile_condition_is_refused_before_it_fills_the_stack() {
        let deep = format!("{}a = 1", "not ".repeat(100_000));
        assert!(matches!(parse(&deep), Err(ExpressionError::TooLong { .. })));
        let nested = |depth: usize| format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(DEPTH_MAX)).is_ok());
        assert!(matches!(parse(&nested(DEPTH_MAX + 1)), Err(ExpressionError::TooDeep { .. })));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn no_run_of_words_makes_the_parser_panic(
            words in prop::collection::vec(prop::sample::select(vec![
                "a", "b", "1", "-", "+", "(", ")", "=", "<=", "..", "and", "or", "not", "in", "between", "any",
                "of", "count", "members", "with", "differ", "always", "é",
            ]), 0..40),
        ) {
            if let Ok(tree) = parse(&words.join(" ")) {
                prop_assert_eq!(parse(&tree.to_string()), Ok(tree));
            }
        }
    }
}
