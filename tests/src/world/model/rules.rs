//! What is wrong with a family's answers by the questionnaire of the worlds, which stands here once more: its
//! ranges, what it always asks, and its one rule. And the identity numbers that the office reads.

use std::collections::BTreeMap;

use rukun_change::{Ink, MemberId, Scalar};

use super::{Conflict, Expected, Kind, Place};

/// What is asked: which answers are in range, and whether there has to be one.
struct Asked {
    field: &'static str,
    takes: Takes,
    always: bool,
}

#[derive(Clone, Copy)]
enum Takes {
    Text,
    Number(i64, i64),
    Identity,
}

const FAMILY: [Asked; 6] = [
    Asked { field: "r108", takes: Takes::Text, always: true },
    Asked { field: "r112", takes: Takes::Number(1, i64::MAX), always: true },
    Asked { field: "r114", takes: Takes::Identity, always: false },
    Asked { field: "r302", takes: Takes::Number(1, 997), always: true },
    Asked { field: "r304", takes: Takes::Number(1, 7), always: true },
    Asked { field: "r305", takes: Takes::Number(1, 8), always: false },
];

const MEMBER: [Asked; 3] = [
    Asked { field: "r402", takes: Takes::Text, always: true },
    Asked { field: "r403", takes: Takes::Identity, always: false },
    Asked { field: "r407", takes: Takes::Number(0, 98), always: true },
];

/// The longest text that is an answer.
const TEXT_BYTES_MAX: usize = 4_096;

/// All conflicts with the questionnaire, sorted; none of a record that is gone, or that nobody visited.
pub fn broken<'a>(read: &Expected<'a>) -> Vec<Conflict<'a>> {
    let visits = |logged: &&super::Logged<'_>| logged.standing.is_good() && logged.ink != Ink::Printed;
    if read.gone.is_some() || !read.log.iter().filter(visits).any(|logged| !logged.writes.is_empty()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for whose in [None].into_iter().chain(read.members.iter().copied().map(Some)) {
        let asked = if whose.is_some() { &MEMBER[..] } else { &FAMILY[..] };
        let given = given(read, whose);
        let missing = asked.iter().filter(|asked| asked.always && !given.contains_key(asked.field));
        let missing: Vec<&str> = missing.map(|asked| asked.field).collect();
        if let [first, more @ ..] = &missing[..] {
            let place = more.is_empty().then_some((whose, *first));
            found.push(Conflict { kind: Kind::Rule, place, member: whose, candidates: Vec::new() });
        }
        for (field, value) in &given {
            let here = asked.iter().find(|asked| asked.field == *field);
            if here.is_none_or(|asked| !asked.takes(value)) {
                found.push(at(read, (whose, field)));
            }
        }
    }
    let listed = read.members.len() as i64;
    if let Some(Scalar::Int(members)) = given(read, None).get("r112")
        && *members != listed
    {
        found.push(at(read, (None, "r112")));
    }
    found.sort();
    found
}

/// The identity numbers that the office reads, with where they stand; none of what is gone.
pub fn identities<'a>(read: &Expected<'a>) -> Vec<(Place<'a>, &'a str)> {
    if read.gone.is_some() {
        return Vec::new();
    }
    // Whoever writes a number where another is asked has claimed it all the same.
    let places = read.answers.iter().filter(|((member, field), _)| {
        member.is_none_or(|member| read.members.contains(&member)) && matches!(*field, "r403" | "r114")
    });
    let numbers = places.filter_map(|(place, answers)| match answers[0].value {
        Scalar::Text(number) => Some((*place, number.as_str())),
        Scalar::Null | Scalar::Int(_) => None,
    });
    numbers.collect()
}

/// What is read of the family, or of one member.
fn given<'a>(read: &Expected<'a>, whose: Option<MemberId>) -> BTreeMap<&'a str, &'a Scalar> {
    let here = read.answers.iter().filter(|((member, field), _)| *member == whose && *field != "gone");
    let given = here.map(|((_, field), answers)| (*field, answers[0].value));
    given.filter(|(_, value)| **value != Scalar::Null).collect()
}

fn at<'a>(read: &Expected<'a>, place: Place<'a>) -> Conflict<'a> {
    let answer = &read.answers[&place][0];
    let candidates = vec![(answer.change, answer.value)];
    Conflict { kind: Kind::Rule, place: Some(place), member: place.0, candidates }
}

impl Asked {
    fn takes(&self, value: &Scalar) -> bool {
        match (self.takes, value) {
            (_, Scalar::Null) => true,
            (Takes::Number(min, max), Scalar::Int(number)) => (min..=max).contains(number),
            (Takes::Text, Scalar::Text(text)) => !text.trim().is_empty() && text.len() <= TEXT_BYTES_MAX,
            (Takes::Identity, Scalar::Text(number)) => {
                number.len() == 16 && number.bytes().all(|digit| digit.is_ascii_digit())
            }
            (Takes::Number(..), Scalar::Text(_)) | (Takes::Text | Takes::Identity, Scalar::Int(_)) => false,
        }
    }
}
