//! Generated people: a seed becomes families with plausible names, numbers of the right structure
//! and whole, consistent interviews, for demonstrations and for load. Nobody in here lives; the
//! names are drawn from lists of given names, the numbers from a counter.

mod dice;
mod household;
mod interview;
mod names;

use std::collections::BTreeMap;

use rukun_change::SubSls;
use serde_json::{Value, json};

use dice::Dice;
use household::Household;

/// A source of families: the same seed gives the same people in the same order.
#[derive(Debug)]
pub struct Population {
    dice: Dice,
    numbers: Numbers,
}

/// A family as the office's prelist has it and as an enumerator would find it.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Where it lives.
    pub home: SubSls,
    /// Name of the head.
    pub head: String,
    /// Number of the family card, 16 digits.
    pub kk: String,
    /// Names and NIK of the members, head first.
    pub members: Vec<(String, String)>,
    /// What the prelist says, as a merge patch: the answers that are printed on the form.
    pub prelist: Value,
    /// The whole interview, as a merge patch on an empty record.
    pub interview: Value,
}

impl Population {
    /// The population of this seed.
    pub fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed), numbers: Numbers::default() }
    }

    /// The next family, in this sub-SLS, in the dwelling and under the family number of the form.
    pub fn family(&mut self, home: SubSls, building: u32, number: u32) -> Family {
        let household = Household::draw(&mut self.dice, &mut self.numbers, home);
        let prelist = prelist(&household, home, building, number);
        let mut interview = prelist.clone();
        if let Some(answers) = interview.as_object_mut() {
            interview::answer(&mut self.dice, &household, answers);
        }
        let members = household.people.iter().map(|person| (person.name.clone(), person.nik.clone()));
        let (head, kk) = (household.head().name.clone(), household.kk.clone());
        Family { home, head, kk, members: members.collect(), prelist, interview }
    }
}

impl Family {
    /// The heading of a prelist file that has the rows of [`Family::prelist_row`].
    pub const PRELIST_HEADING: &str = "region,r106,r108,r110,r111,r112,r114";

    /// The family's row in a prelist file.
    pub fn prelist_row(&self) -> String {
        let shown = |name: &str| match self.prelist.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        let cells = ["r106", "r108", "r110", "r111", "r112", "r114"].map(shown);
        format!("{},{}", self.home, cells.join(","))
    }
}

/// What the form says before anybody knocks: place, head, numbers.
fn prelist(household: &Household, home: SubSls, building: u32, number: u32) -> Value {
    let code = home.to_string();
    let part = |from: usize, to: usize| code.get(from..to).unwrap_or_default().to_owned();
    json!({
        "r101": part(0, 2), "r102": part(2, 4), "r103": part(4, 7), "r104": part(7, 10),
        "r105": part(10, 16), "r106": sls_name(&code), "r108": household.head().name,
        "r110": building, "r111": number, "r112": household.people.len(), "r114": household.kk,
    })
}

/// Neighbourhood units are numbered; four of them make a neighbourhood.
fn sls_name(code: &str) -> String {
    let sls: u32 = code.get(10..14).and_then(|digits| digits.parse().ok()).unwrap_or_default();
    format!("RT {:03} RW {:03}", sls.max(1), sls.max(1).div_ceil(4))
}

/// Hands out numbers of the structure region, date, serial: none twice.
#[derive(Debug, Default)]
struct Numbers {
    serials: BTreeMap<String, u16>,
}

impl Numbers {
    /// The next number under these twelve digits.
    fn next(&mut self, head: &str) -> String {
        let serial = self.serials.entry(head.to_owned()).or_default();
        *serial += 1;
        format!("{head}{serial:04}")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rukun_change::{MemberId, Scalar};
    use rukun_document::{Answers, Level, Questionnaire};

    use super::*;

    fn families(count: u32) -> Vec<Family> {
        let mut population = Population::new(7);
        let home = "1811010005000300".parse().unwrap();
        (1..=count).map(|number| population.family(home, number, number)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_people() {
        assert_eq!(families(50), families(50));
        let other = Population::new(8).family("1811010005000300".parse().unwrap(), 1, 1);
        assert_ne!(families(1)[0], other);
    }

    #[test]
    fn every_interview_is_one_with_which_the_questionnaire_finds_nothing_wrong() {
        let questionnaire = Questionnaire::parse(include_bytes!("../data/regsosek-k.csv")).unwrap();
        for family in families(2_000) {
            let answers = answers(&family.interview);
            assert_eq!(questionnaire.violations(&answers), [], "{:#}", family.interview);
            for (name, value) in &answers.family {
                questionnaire.check(name, Level::Family, value).unwrap();
            }
        }
    }

    fn answers(interview: &Value) -> Answers {
        let mut answers = Answers::default();
        for (name, value) in interview.as_object().unwrap() {
            if name != "members" {
                answers.family.insert(name.clone(), scalar(value));
            }
        }
        for (at, member) in interview["members"].as_object().unwrap().values().enumerate() {
            let given = member.as_object().unwrap().iter();
            let given = given.map(|(name, value)| (name.clone(), scalar(value))).collect();
            answers.members.insert(MemberId::from_bytes([at as u8; 8]), given);
        }
        answers
    }

    fn scalar(value: &Value) -> Scalar {
        value.as_i64().map_or_else(|| Scalar::Text(value.as_str().unwrap().into()), Scalar::Int)
    }

    #[test]
    fn no_number_of_a_person_or_a_card_is_given_out_twice() {
        let families = families(2_000);
        let people: Vec<&String> =
            families.iter().flat_map(|family| family.members.iter().map(|(_, nik)| nik)).collect();
        let numbers: BTreeSet<&String> =
            people.iter().copied().chain(families.iter().map(|family| &family.kk)).collect();
        assert_eq!(numbers.len(), people.len() + families.len());
        assert!(numbers.iter().all(|number| number.len() == 16 && number.starts_with("18")));
    }

    #[test]
    fn families_have_one_to_eight_members_and_the_size_of_those_in_mesuji() {
        let families = families(2_000);
        let sizes: Vec<usize> = families.iter().map(|family| family.members.len()).collect();
        assert!(sizes.iter().all(|size| (1..=8).contains(size)));
        let mean = sizes.iter().sum::<usize>() as f64 / sizes.len() as f64;
        assert!((2.9..3.8).contains(&mean), "{mean}");
    }

    #[test]
    fn the_nik_of_a_woman_is_told_by_the_day_plus_forty() {
        let mut women = 0;
        for family in families(200) {
            let members = family.interview["members"].as_object().unwrap().values();
            for member in members.filter(|member| member["r404"] == 1) {
                let nik = member["r403"].as_str().unwrap();
                let day: i64 = nik[6..8].parse().unwrap();
                let woman = member["r405"] == 2;
                women += i32::from(woman);
                assert_eq!(day, member["r406tgl"].as_i64().unwrap() + if woman { 40 } else { 0 });
                assert_eq!(nik[8..10].parse::<i64>().unwrap(), member["r406bln"].as_i64().unwrap());
            }
        }
        assert!(women > 200, "{women}");
    }

    #[test]
    fn a_prelist_row_has_the_cells_that_its_heading_names() {
        let family = families(1).remove(0);
        let row = family.prelist_row();
        assert_eq!(row.split(',').count(), Family::PRELIST_HEADING.split(',').count());
        assert!(row.starts_with("1811010005000300,RT 003 RW 001,"), "{row}");
        assert!(row.ends_with(&family.kk));
    }
}
