//! Who lives together: chance becomes a family whose ages, relations and numbers agree.

use rukun_change::SubSls;

use super::Numbers;
use super::dice::Dice;
use super::names::Custom;

/// The day on which everybody is asked; ages are counted on it.
const ASKED: (i64, i64, i64) = (2022, 10, 25);
const MEMBERS_MAX: usize = 8;

pub(super) const HEAD: i64 = 1;
const SPOUSE: i64 = 2;
const CHILD: i64 = 3;
const GRANDCHILD: i64 = 5;
const PARENT: i64 = 6;

pub(super) const SINGLE: i64 = 1;
pub(super) const MARRIED: i64 = 2;
const DIVORCED: i64 = 3;
const WIDOWED: i64 = 4;

/// Lives here; died; moved away.
pub(super) const HERE: i64 = 1;
const DIED: i64 = 2;
const MOVED: i64 = 3;

/// One person.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) nik: String,
    pub(super) woman: bool,
    pub(super) age: i64,
    /// Day, month, year.
    pub(super) born: (i64, i64, i64),
    pub(super) marital: i64,
    pub(super) relation: i64,
    pub(super) presence: i64,
}

/// One family: the head first.
#[derive(Clone, Debug)]
pub(super) struct Household {
    pub(super) kk: String,
    pub(super) people: Vec<Person>,
    /// From 0, poor, to 3, well off: what many answers hang on.
    pub(super) means: i64,
}

impl Household {
    pub(super) fn draw(dice: &mut Dice, numbers: &mut Numbers, home: SubSls) -> Self {
        let district: String = home.to_string().chars().take(4).collect();
        let sub_district: String = home.to_string().chars().skip(5).take(1).collect();
        let custom = Custom::draw(dice);
        let mut family =
            Drawing { dice, numbers, custom, area: format!("{district}0{sub_district}"), people: vec![] };
        family.couple();
        family.children();
        family.others();
        let means = family.dice.code(&[(0, 28), (1, 40), (2, 24), (3, 8)]);
        let issued = (family.dice.between(1, 28), family.dice.between(1, 12), family.dice.between(8, 22));
        let card = format!("{}{:02}{:02}{:02}", family.area, issued.0, issued.1, issued.2);
        let people = family.people;
        Self { kk: numbers.next(&card), people, means }
    }

    pub(super) fn head(&self) -> &Person {
        self.people.first().expect("a household is drawn with its head")
    }
}

struct Drawing<'a> {
    dice: &'a mut Dice,
    numbers: &'a mut Numbers,
    custom: Custom,
    /// The first six digits of numbers given out here.
    area: String,
    people: Vec<Person>,
}

impl Drawing<'_> {
    fn couple(&mut self) {
        let woman = self.dice.chance(13);
        let age = if woman { self.dice.between(38, 84) } else { self.adult_age() };
        let marital = match (woman, self.dice.between(1, 100)) {
            (true, 1..=25) => DIVORCED,
            (false, 1..=4) if age < 35 => SINGLE,
            (true, _) | (false, 1..=8) => WIDOWED,
            (false, _) => MARRIED,
        };
        let order = self.dice.between(0, 3) as usize;
        self.add(woman, age, marital, HEAD, order);
        if marital == MARRIED && self.dice.chance(97) {
            let spouse = (age - self.dice.between(-2, 8)).max(18);
            self.add(true, spouse, MARRIED, SPOUSE, order + 1);
        }
    }

    fn children(&mut self) {
        let Some(mother) = self.people.iter().filter(|person| person.marital != SINGLE).map(|p| p.age).min()
        else {
            return;
        };
        let born = self.dice.code(&[(0, 14), (1, 27), (2, 34), (3, 18), (4, 7)]);
        let oldest = mother - self.dice.between(19, 27);
        for order in 0..born {
            let age = oldest - order * self.dice.between(2, 5);
            // Grown children have mostly left for families of their own.
            let left = if age > 24 {
                80
            } else if age > 19 {
                30
            } else {
                0
            };
            if age >= 0 && !self.dice.chance(left) {
                let woman = self.dice.chance(if age > 19 { 40 } else { 49 });
                self.add(woman, age, SINGLE, CHILD, order as usize);
            }
        }
    }

    fn others(&mut self) {
        let head_age = self.people.first().map_or(0, |head| head.age);
        if head_age < 62 && self.dice.chance(7) {
            let age = (head_age + self.dice.between(20, 30)).min(93);
            self.add(true, age, WIDOWED, PARENT, 0);
        }
        if head_age > 58 && self.dice.chance(16) {
            let age = self.dice.between(2, 16);
            let woman = self.dice.chance(50);
            self.add(woman, age, SINGLE, GRANDCHILD, 0);
        }
        if self.people.len() > 2 && self.dice.chance(3) {
            let gone = if self.dice.chance(40) { DIED } else { MOVED };
            if let Some(last) = self.people.last_mut() {
                last.presence = gone;
            }
        }
    }

    fn adult_age(&mut self) -> i64 {
        let decade = self.dice.code(&[(20, 9), (30, 27), (40, 28), (50, 20), (60, 11), (70, 5)]);
        (decade + self.dice.between(0, 9)).max(22)
    }

    fn add(&mut self, woman: bool, age: i64, marital: i64, relation: i64, birth_order: usize) {
        if self.people.len() == MEMBERS_MAX {
            return;
        }
        let (year, month, day) = ASKED;
        let born = (self.dice.between(1, 28), self.dice.between(1, 12));
        let had_birthday = (born.1, born.0) <= (month, day);
        let born = (born.0, born.1, year - age - i64::from(!had_birthday));
        let name = self.custom.name(self.dice, woman, age, birth_order);
        let shown_day = born.0 + if woman { 40 } else { 0 };
        // Half of the older people were born, and numbered, elsewhere in Lampung.
        let area = if age > 30 && self.dice.chance(50) {
            format!("18{:02}{:02}", self.dice.between(1, 12), self.dice.between(1, 15))
        } else {
            self.area.clone()
        };
        let nik = self.numbers.next(&format!("{area}{shown_day:02}{:02}{:02}", born.1, born.2 % 100));
        self.people.push(Person { name, nik, woman, age, born, marital, relation, presence: HERE });
    }
}
