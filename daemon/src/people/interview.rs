//! What a family says: a household becomes the answers of a whole interview, each asked where the
//! questionnaire asks it and nowhere else. Most answers are the common one, as in the field.

use serde_json::{Map, Value, json};

use super::dice::Dice;
use super::household::{HEAD, HERE, Household, MARRIED, Person, SINGLE};

const YES: i64 = 1;
const NO: i64 = 2;
const FLOOR_AREAS: [(i64, i64); 9] =
    [(36, 14), (42, 12), (48, 18), (54, 14), (60, 14), (72, 12), (80, 6), (90, 6), (120, 4)];

/// Codes, each with how often it is met.
type Weighted = [(i64, i64)];

/// Adds all answers beyond the prelist's to the patch.
pub(super) fn answer(dice: &mut Dice, household: &Household, answers: &mut Map<String, Value>) {
    let mut form = Form { dice, household, answers };
    form.set("r115", 1);
    form.dwelling();
    form.water_and_light();
    form.aid();
    form.goods();
    let members = household.people.iter().enumerate();
    let insured = form.dice.code(&[(1, 55), (2, 20), (15, 25)]);
    let members: Map<String, Value> = members
        .map(|(at, person)| {
            let mut answers = Map::new();
            Form { dice: &mut *form.dice, household, answers: &mut answers }.member(at, person, insured);
            (format!("+{}", at + 1), Value::Object(answers))
        })
        .collect();
    answers.insert("members".into(), Value::Object(members));
}

struct Form<'a> {
    dice: &'a mut Dice,
    household: &'a Household,
    answers: &'a mut Map<String, Value>,
}

impl Form<'_> {
    fn set(&mut self, variable: &str, code: i64) {
        self.answers.insert(variable.into(), code.into());
    }

    /// The answer is drawn from these codes by weight.
    fn draw(&mut self, variable: &str, weighted: &Weighted) -> i64 {
        let code = self.dice.code(weighted);
        self.set(variable, code);
        code
    }

    fn yes(&mut self, variable: &str, percent: i64) -> bool {
        let yes = self.dice.chance(percent);
        self.set(variable, if yes { YES } else { NO });
        yes
    }

    /// Of four percentages the one for this family's means.
    fn by_means(&self, percent: [i64; 4]) -> i64 {
        percent.get(self.household.means as usize).copied().unwrap_or_default()
    }

    fn dwelling(&mut self) {
        if self.draw("r301a", &[(1, 88), (2, 3), (3, 8), (4, 1)]) == 1 {
            self.draw("r301b", &[(1, 50), (2, 25), (5, 20), (6, 5)]);
        }
        self.draw("r302", &FLOOR_AREAS);
        let (floor, wall): (&Weighted, &Weighted) = match self.household.means {
            0 => (&[(5, 55), (8, 25), (3, 20)], &[(3, 50), (1, 40), (2, 10)]),
            1 => (&[(5, 60), (3, 35), (8, 5)], &[(1, 85), (3, 15)]),
            _ => (&[(3, 80), (1, 5), (5, 15)], &[(1, 98), (2, 2)]),
        };
        self.draw("r303", floor);
        self.draw("r304", wall);
        self.draw("r305", &[(2, 72), (4, 16), (3, 8), (1, 4)]);
    }

    fn water_and_light(&mut self) {
        let water = self.draw("r306a", &[(4, 30), (5, 38), (2, 18), (1, 6), (9, 8)]);
        if (4..=8).contains(&water) {
            self.draw("r306b", &[(1, 25), (2, 60), (8, 15)]);
        }
        if self.draw("r307a", &[(1, 92), (2, 4), (3, 3), (4, 1)]) == 1 {
            let power = if self.household.means < 2 { &[(1, 45), (2, 55)][..] } else { &[(2, 60), (3, 40)] };
            self.draw("r307b1", power);
        }
        let gas = self.by_means([0, 2, 12, 35]);
        let fuel = if self.dice.chance(gas) { 3 } else { self.dice.code(&[(4, 78), (10, 20), (1, 2)]) };
        self.set("r308", fuel);
        let owned = self.by_means([0, 1, 4, 15]);
        let cylinder = fuel == 3 || self.dice.chance(owned);
        self.set("r502a", if cylinder { YES } else { NO });
        let toilet = self.draw("r309a", &[(1, 88), (2, 5), (3, 2), (6, 5)]);
        if (1..=3).contains(&toilet) {
            self.draw("r309b", &[(1, 86), (3, 12), (4, 2)]);
            self.draw("r310", &[(1, 62), (4, 34), (3, 4)]);
        }
    }

    fn aid(&mut self) {
        let percents = [[55, 24, 5, 0], [42, 16, 3, 0], [22, 12, 3, 0], [60, 40, 12, 2], [6, 3, 1, 0]];
        for (letter, percent) in ["a", "b", "c", "d", "e"].into_iter().zip(percents) {
            let percent = self.by_means(percent);
            let program = format!("r501{letter}");
            if self.yes(&program, percent) {
                // Nearly all were last paid in the months before the interview.
                let month = self.dice.code(&[(9, 60), (8, 15), (7, 10), (6, 5), (10, 5), (11, 3), (12, 2)]);
                self.set(&format!("{program}_bln"), month);
                self.set(&format!("{program}_thn"), if month > 10 { 2021 } else { 2022 });
            }
        }
    }

    fn goods(&mut self) {
        let goods = [
            ("r502b", [18, 52, 84, 97]),
            ("r502c", [0, 0, 4, 38]),
            ("r502d", [0, 0, 0, 4]),
            ("r502e", [0, 0, 0, 2]),
            ("r502f", [3, 12, 38, 80]),
            ("r502g", [3, 9, 26, 62]),
            ("r502h", [1, 5, 22, 66]),
            ("r502i", [62, 90, 98, 99]),
            ("r502j", [30, 36, 40, 44]),
            ("r502k", [0, 2, 14, 68]),
            ("r502l", [2, 2, 1, 0]),
            ("r502m", [1, 1, 1, 0]),
            ("r502n", [58, 86, 97, 99]),
            ("r503a", [10, 30, 54, 72]),
            ("r503b", [0, 1, 5, 22]),
        ];
        for (good, percent) in goods {
            let percent = self.by_means(percent);
            self.yes(good, percent);
        }
        self.draw("r504a", &[(0, 86), (1, 6), (2, 6), (3, 2)]);
        self.draw("r504b", &[(0, 99), (1, 1)]);
        self.set("r504c", 0);
        self.draw("r504d", &[(0, 97), (2, 3)]);
        self.draw("r504e", &[(0, 82), (2, 8), (3, 5), (5, 5)]);
        self.draw("r505", &[(0, 18), (2, 76), (1, 6)]);
        let account = self.by_means([48, 60, 82, 98]);
        self.yes("r506", account);
    }

    fn member(&mut self, at: usize, person: &Person, insured: i64) {
        self.set("r401", at as i64 + 1);
        self.answers.insert("r402".into(), json!(person.name));
        self.answers.insert("r403".into(), json!(person.nik));
        self.set("r404", person.presence);
        let here = person.presence == HERE;
        let cards = if person.age >= 17 { &[(2, 96), (0, 4)] } else { &[(1, 42), (0, 58)] };
        if here {
            self.set("r405", if person.woman { 2 } else { 1 });
            self.set("r406tgl", person.born.0);
            self.set("r406bln", person.born.1);
            self.set("r406thn", person.born.2);
            self.set("r407", person.age);
            self.set("r408", person.marital);
            self.set("r409", person.relation);
            if person.woman && (10..=54).contains(&person.age) && person.marital != SINGLE {
                let percent = if person.marital == MARRIED && person.age < 40 { 5 } else { 0 };
                self.yes("r410", percent);
            }
        }
        self.draw("r411", cards);
        self.school(person);
        self.work(person);
        if here {
            self.health(person);
        }
        let ill = if person.age > 50 {
            &[(1, 74), (2, 16), (4, 6), (3, 4)]
        } else {
            &[(1, 97), (3, 1), (4, 1), (5, 1)]
        };
        self.draw("r430", ill);
        self.set("r431a", insured);
        if here {
            self.programmes(person);
        }
    }

    fn school(&mut self, person: &Person) {
        let (attending, never) = match person.age {
            0..=4 => (0, 100),
            5..=6 => (30, 70),
            7..=12 => (99, 1),
            13..=15 => (94, 0),
            16..=18 => (72, 0),
            19..=22 => (14, 1),
            23..=59 => (0, 2),
            _ => (0, 22),
        };
        let state = self.draw("r412", &[(1, never), (2, attending), (3, 100 - attending - never)]);
        if state == 1 {
            return;
        }
        let reached =
            if state == 2 { person.age } else { self.dice.code(&[(11, 30), (14, 30), (17, 33), (21, 7)]) };
        let (level, before) = match reached.min(person.age) {
            ..=12 => (3, 23),
            13..=15 => (8, 3),
            16..=18 => (if self.dice.chance(60) { 13 } else { 15 }, 8),
            _ => (19, 13),
        };
        self.set("r413", level);
        let grade = match (state, level) {
            (2, 3) => (person.age - 6).clamp(1, 6),
            (2, 8) => (person.age - 12).clamp(1, 3),
            (2, 13 | 15) => (person.age - 15).clamp(1, 3),
            (2, _) => (person.age - 18).clamp(1, 4),
            _ => 8,
        };
        self.set("r414", grade);
        self.set("r415", if state == 2 { before } else { level });
    }

    fn work(&mut self, person: &Person) {
        let percent = match (person.age, person.woman, person.relation == HEAD) {
            (..15, _, _) => 0,
            (15..=18, _, _) => 12,
            (19..=64, false, _) | (19..=64, _, true) => 93,
            (19..=64, true, _) => 44,
            (_, _, true) => 55,
            _ => 18,
        };
        if person.presence == HERE && self.yes("r416a", percent) {
            self.draw("r416b", &[(40, 30), (35, 20), (42, 15), (48, 20), (24, 15)]);
            self.draw("r417", &[(2, 24), (3, 40), (7, 6), (12, 14), (1, 8), (8, 8)]);
            self.draw("r418", &[(1, 32), (2, 22), (4, 22), (5, 16), (6, 8)]);
            self.draw("r419", &[(3, 88), (1, 12)]);
        } else {
            self.set("r416a", NO);
        }
        let owner = if percent > 50 { self.by_means([4, 10, 24, 48]) } else { 0 };
        if person.presence == HERE && self.yes("r420", owner) {
            self.draw("r421", &[(12, 62), (14, 18), (8, 12), (25, 8)]);
            self.draw("r422", &[(0, 86), (1, 8), (2, 6)]);
            self.draw("r423", &[(0, 48), (1, 46), (2, 6)]);
            self.draw("r424", &[(12, 86), (1, 14)]);
            self.draw("r425", &[(1, 78), (2, 20), (3, 2)]);
            self.draw("r426", &[(0, 82), (2, 18)]);
        } else {
            self.set("r420", NO);
        }
    }

    fn health(&mut self, person: &Person) {
        if person.age < 5 {
            self.draw("r427", &[(8, 80), (4, 16), (1, 2), (2, 2)]);
        }
        let mut cared_for = person.age >= 60;
        let hard = if person.age > 70 {
            9
        } else if person.age > 55 {
            3
        } else {
            0
        };
        let groups = [(1, &["a", "b", "c", "d", "f"][..]), (4, &["g", "h", "i", "j"])];
        for (_, letters) in groups.into_iter().filter(|(age_over, _)| person.age > *age_over) {
            for letter in letters {
                let difficulty = self.draw(
                    &format!("r428{letter}"),
                    &[(4, 990 - 20 * hard), (3, 8 + 15 * hard), (2, 2 + 5 * hard)],
                );
                cared_for |= difficulty <= 2;
            }
        }
        if cared_for {
            self.yes("r429", 38);
        }
    }

    fn programmes(&mut self, person: &Person) {
        if person.age > 4 {
            self.draw("r431b", &[(8, 97), (1, 3)]);
            self.draw("r431c", &[(8, 95), (1, 5)]);
            self.draw("r431d", &[(8, 99), (1, 1)]);
        }
        if (5..=30).contains(&person.age) {
            self.draw("r431e", &[(8, 84), (1, 16)]);
        }
        if person.age > 14 {
            self.draw("r431f", &[(31, 94), (1, 6)]);
        }
    }
}
