//! Generated families: a seed becomes whole interviews of people who don't exist. Names and identity numbers come
//! from the program's own population; every coded answer is drawn again, uniformly over its range, wherever the
//! questionnaire asks it, so that nothing compresses better than it would in the worst field. No file is read, and
//! nothing here knows how any contestant keeps a record.

use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context, bail};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rukun::people::Population;
use rukun::survey::BUILT_IN;
use rukun_change::{MemberId, Scalar, SubSls};
use rukun_document::{Answers, Bound, Kind, Questionnaire, ViolationKind};
use serde_json::{Map, Value, json};

use crate::scene::Way;

/// What is measured is drawn from this seed. What anything is ever trained on must come from another one.
pub const MEASURING_SEED: u64 = 20_221_015;
/// How many edits one side makes between two meetings.
pub const EDITS: usize = 30;
/// What an enumerator finds and edits in a day, and the office corrects.
const FOUND_A_DAY: usize = 9;
const EDITS_A_DAY: usize = 20;
const CORRECTIONS_A_DAY: usize = 40;
/// The region in which all families live.
pub const REGION: &str = "1811010";
/// Of a hundred families those with one member, with two and so on: 3.4 members a family.
const SIZES: [i64; 8] = [8, 20, 27, 24, 14, 4, 2, 1];
/// How many families one sub-SLS has.
const SUB_SLS_FAMILIES: usize = 60;
/// How many SLS one village has.
const VILLAGE_SLS: usize = 40;
/// What the form leaves open: it prints no codes for where the family's card is from.
const OPEN_RANGE: (i64, i64) = (1, 3);
/// Answers that decide which others are asked are drawn first, these rounds suffice.
const ROUNDS_MAX: usize = 12;

/// One family.
#[derive(Clone, Debug)]
pub struct Family {
    /// Where it lives.
    pub home: SubSls,
    /// Its interview: answers by variable, and under `members` those of each member.
    pub interview: Value,
}

/// A source of families: the same seed gives the same ones in the same order.
pub struct Families {
    population: Population,
    questionnaire: Questionnaire,
    chance: ChaCha20Rng,
    drawn: usize,
    /// Names and NIK of people who live nowhere yet.
    people: VecDeque<(String, String)>,
}

impl Families {
    /// Those of this seed.
    ///
    /// # Errors
    /// If the program's questionnaire can't be read.
    pub fn new(seed: u64) -> anyhow::Result<Self> {
        let questionnaire = Questionnaire::parse(BUILT_IN.1)?;
        let chance = ChaCha20Rng::seed_from_u64(!seed);
        let population = Population::new(seed);
        Ok(Self { population, questionnaire, chance, drawn: 0, people: VecDeque::new() })
    }

    /// The next family.
    ///
    /// # Errors
    /// If the questionnaire never comes to an end.
    pub fn draw(&mut self) -> anyhow::Result<Family> {
        let home = home(self.drawn)?;
        let number = u32::try_from(self.drawn % SUB_SLS_FAMILIES)? + 1;
        self.drawn += 1;
        let prelist = self.population.family(home, number, number);
        self.people.extend(prelist.members);
        let size = self.size();
        while self.people.len() < size {
            self.people.extend(self.population.family(home, number, number).members);
        }
        let mut answers = Answers::default();
        for (name, value) in prelist.prelist.as_object().context("a prelist is an object")? {
            answers.family.insert(name.clone(), scalar(value)?);
        }
        let members: Vec<_> = self.people.drain(..size).collect();
        answers.family.insert("r108".into(), Scalar::Text(members[0].0.clone()));
        answers.family.insert("r112".into(), Scalar::Int(size as i64));
        for (at, (name, nik)) in (1..).zip(members) {
            let given =
                [("r401", Scalar::Int(at)), ("r402", Scalar::Text(name)), ("r403", Scalar::Text(nik))];
            let given = given.map(|(field, value)| (field.to_owned(), value));
            answers.members.insert(MemberId::from_bytes(at.to_be_bytes()), given.into());
        }
        self.answer(&mut answers)?;
        Ok(Family { home, interview: interview(&answers) })
    }

    /// How many members the next family has.
    fn size(&mut self) -> usize {
        let mut left = between(&mut self.chance, 0, SIZES.iter().sum::<i64>() - 1);
        let beyond = SIZES.iter().take_while(|weight| {
            left -= **weight;
            left >= 0
        });
        beyond.count() + 1
    }

    /// Draws what is asked and not answered, until nothing is.
    fn answer(&mut self, answers: &mut Answers) -> anyhow::Result<()> {
        for _ in 0..ROUNDS_MAX {
            let violations = self.questionnaire.violations(answers);
            let missing: Vec<_> =
                violations.into_iter().filter(|found| found.kind == ViolationKind::Missing).collect();
            if missing.is_empty() {
                return Ok(());
            }
            for found in missing {
                for field in found.fields {
                    let value = Scalar::Int(self.code(&field)?);
                    let given = match &found.member {
                        Some(member) => answers.members.get_mut(member).context("a member is there")?,
                        None => &mut answers.family,
                    };
                    given.insert(field, value);
                }
            }
        }
        bail!("the questionnaire still asks after {ROUNDS_MAX} rounds")
    }

    fn code(&mut self, field: &str) -> anyhow::Result<i64> {
        let variable = self.questionnaire.variable(field).context("a variable that is asked is known")?;
        let (least, most) = match &variable.kind {
            Kind::Integer { min: Some(min), max: Some(Bound::Number(max)) } => (*min, *max),
            Kind::Integer { .. } => OPEN_RANGE,
            kind => bail!("{field} is {kind} and was not given"),
        };
        Ok(between(&mut self.chance, least, most))
    }
}

/// Where the family of this number lives.
///
/// # Errors
/// If there is no such sub-SLS.
pub fn home(at: usize) -> anyhow::Result<SubSls> {
    let sls = at / SUB_SLS_FAMILIES;
    Ok(format!("{REGION}{:03}{:04}00", sls / VILLAGE_SLS + 1, sls % VILLAGE_SLS + 1).parse()?)
}

/// Who makes an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Editor {
    /// The officer in the field.
    Phone,
    /// The office.
    Office,
}

impl Editor {
    /// Who sits on this side.
    pub fn at(way: Way) -> Self {
        match way {
            Way::Dial => Self::Phone,
            Way::Listen => Self::Office,
        }
    }
}

/// The edits of one side: the numbers of families, drawn evenly, and five answers of each, likewise. A third of those
/// that the office edits are edited on the phone as well.
pub fn edits(records: usize, editor: Editor) -> Vec<(usize, Value)> {
    let mut chance = ChaCha20Rng::seed_from_u64(MEASURING_SEED + 1);
    let phone = drawn(EDITS, records, &[], &mut chance);
    let mut office = drawn(EDITS, records, &phone, &mut chance);
    office.splice(..EDITS / 3, phone.iter().copied().take(EDITS / 3));
    let mut chance = ChaCha20Rng::seed_from_u64(MEASURING_SEED + 2 + editor as u64);
    let edited = if editor == Editor::Phone { phone } else { office };
    edited.into_iter().map(|at| (at, five_answers(&mut chance))).collect()
}

/// What one side writes in a day.
#[derive(Clone, Debug)]
pub struct Day {
    /// Families that are found and interviewed; the office finds none.
    pub found: Vec<Family>,
    /// The numbers of families that were there already, and five answers of each.
    pub edits: Vec<(usize, Value)>,
}

/// The day of this seed, beside so many families that are there already. Who corrects at the office does not look what
/// is edited on the phone.
///
/// # Errors
/// If a family can't be drawn.
pub fn day(seed: u64, records: usize, editor: Editor) -> anyhow::Result<Day> {
    let (finds, edits) = match editor {
        Editor::Phone => (FOUND_A_DAY, EDITS_A_DAY),
        Editor::Office => (0, CORRECTIONS_A_DAY),
    };
    let mut families = Families::new(MEASURING_SEED)?;
    let days = usize::try_from(seed)?;
    for _ in 0..records + FOUND_A_DAY * days {
        families.draw()?;
    }
    let found = (0..finds).map(|_| families.draw()).collect::<anyhow::Result<_>>()?;
    let mut chance = ChaCha20Rng::seed_from_u64(MEASURING_SEED ^ !(2 * seed + editor as u64));
    let edited = drawn(edits, records, &[], &mut chance);
    let edits = edited.into_iter().map(|at| (at, five_answers(&mut chance))).collect();
    Ok(Day { found, edits })
}

/// So many numbers, none twice and none of these.
fn drawn(count: usize, records: usize, but: &[usize], chance: &mut ChaCha20Rng) -> Vec<usize> {
    let mut drawn = Vec::new();
    while drawn.len() < count {
        let at = between(chance, 0, records as i64 - 1) as usize;
        if !drawn.contains(&at) && !but.contains(&at) {
            drawn.push(at);
        }
    }
    drawn
}

fn five_answers(chance: &mut ChaCha20Rng) -> Value {
    json!({
        "r302": between(chance, 1, 997),
        "r303": between(chance, 1, 9),
        "r304": between(chance, 1, 7),
        "r305": between(chance, 1, 8),
        "r308": between(chance, 0, 11),
    })
}

fn between(chance: &mut ChaCha20Rng, least: i64, most: i64) -> i64 {
    let span = u128::from(most.abs_diff(least)) + 1;
    let drawn = (u128::from(chance.next_u64()) * span) >> 64;
    least + i64::try_from(drawn).expect("what is drawn is below a span of 64 bits")
}

fn scalar(value: &Value) -> anyhow::Result<Scalar> {
    match value {
        Value::String(text) => Ok(Scalar::Text(text.as_str().into())),
        value => Ok(Scalar::Int(value.as_i64().context("a prelist has texts and integers")?)),
    }
}

/// As a merge patch on an empty record.
fn interview(answers: &Answers) -> Value {
    let object = |given: &BTreeMap<String, Scalar>| -> Map<String, Value> {
        given.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
    };
    let mut whole = object(&answers.family);
    let members = answers.members.values().enumerate();
    let members = members.map(|(at, given)| (format!("+{}", at + 1), Value::Object(object(given))));
    whole.insert("members".into(), Value::Object(members.collect()));
    Value::Object(whole)
}

fn plain(value: &Scalar) -> Value {
    match value {
        Scalar::Int(number) => (*number).into(),
        Scalar::Text(text) => text.clone().into(),
        Scalar::Null => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SAMPLE: usize = 3_000;

    fn sample() -> Vec<Family> {
        let mut families = Families::new(MEASURING_SEED).unwrap();
        (0..SAMPLE).map(|_| families.draw().unwrap()).collect()
    }

    #[test]
    fn a_family_has_about_three_and_four_tenths_members_and_each_a_nik_of_its_own() {
        let families = sample();
        let members =
            families.iter().flat_map(|family| family.interview["members"].as_object().unwrap().values());
        let niks: Vec<&str> = members.map(|member| member["r403"].as_str().unwrap()).collect();
        let mean = niks.len() as f64 / families.len() as f64;
        assert!((3.3..3.5).contains(&mean), "{mean}");
        assert_eq!(niks.iter().collect::<BTreeSet<_>>().len(), niks.len());
    }

    #[test]
    fn a_code_is_drawn_evenly_over_its_range() {
        let mut counts = BTreeMap::new();
        for family in sample() {
            *counts.entry(family.interview["r304"].as_i64().unwrap()).or_insert(0_usize) += 1;
        }
        assert_eq!(counts.keys().copied().collect::<Vec<_>>(), (1..=7).collect::<Vec<_>>());
        assert!(counts.values().all(|count| count.abs_diff(SAMPLE / 7) < SAMPLE / 35), "{counts:?}");
    }

    #[test]
    fn every_side_edits_each_of_its_families_once_and_a_third_of_them_both() {
        let [phone, office] = [Editor::Phone, Editor::Office]
            .map(|editor| edits(200, editor).into_iter().map(|(at, _)| at).collect::<BTreeSet<usize>>());
        assert!(phone.len() == EDITS && office.len() == EDITS, "{phone:?} {office:?}");
        assert_eq!(phone.intersection(&office).count(), EDITS / 3);
        assert!(phone.iter().chain(&office).all(|at| *at < 200));
    }

    #[test]
    fn a_day_is_the_same_again_and_another_one_finds_others() {
        let told = |day: Day| format!("{day:?}");
        let phone = |seed| day(seed, 100, Editor::Phone).unwrap();
        assert_eq!(told(phone(1)), told(phone(1)));
        assert_ne!(told(phone(1)), told(phone(2)));
        assert_eq!((phone(1).found.len(), phone(1).edits.len()), (9, 20));
        let office = day(1, 100, Editor::Office).unwrap();
        assert_eq!((office.found.len(), office.edits.len()), (0, 40));
    }
}
