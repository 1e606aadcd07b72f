//! What is wrong with a family's answers as a whole: answers that are missing, or given where
//! none was asked for, out of range, or at odds with each other. Answers become [`Violation`]s in
//! a fixed order. Unknown is never wrong: only what the answers given decide is reported.

use std::collections::BTreeMap;

use rukun_change::{MemberId, Scalar};

use crate::evaluate::{Row, Scope};
use crate::place::GONE;
use crate::questionnaire::{Check, Question, Questionnaire};
use crate::variable::{Level, Variable};

/// The answers of one family, as read. Members that are gone are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The family's own.
    pub family: BTreeMap<String, Scalar>,
    /// Each member's.
    pub members: BTreeMap<MemberId, BTreeMap<String, Scalar>>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// With which member; none if with the family.
    pub member: Option<MemberId>,
    /// In which way.
    pub kind: ViolationKind,
    /// Which variables are involved.
    pub fields: Vec<String>,
    /// A sentence that says so.
    pub text: String,
}

/// In which way answers are wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ViolationKind {
    /// Answers that must be there are not: all of one family or member in one.
    Missing,
    /// An answer to what was not asked.
    NotAsked,
    /// An answer outside its range, or of the wrong type.
    Range,
    /// The rule of this name does not hold.
    Rule(String),
}

impl Questionnaire {
    /// All that is wrong: with the family, then with each member; in each, what is missing, then
    /// variable by variable, then rule by rule in the order of the file.
    pub fn violations(&self, answers: &Answers) -> Vec<Violation> {
        let family = self.row(Level::Family, &answers.family);
        let members: Vec<Row<'_>> =
            answers.members.values().map(|given| self.row(Level::Member, given)).collect();
        let mut found = Vec::new();
        let scope = Scope { family: &family, member: &[], members: &members };
        self.inspect(Level::Family, None, &answers.family, &scope, &mut found);
        for ((id, given), member) in answers.members.iter().zip(&members) {
            self.inspect(Level::Member, Some(*id), given, &Scope { member, ..scope }, &mut found);
        }
        found
    }

    fn row<'a>(&self, level: Level, given: &'a BTreeMap<String, Scalar>) -> Row<'a> {
        let questions = self.questions.iter().filter(|question| question.slot.level == level);
        let mut row = vec![None; questions.count()];
        for (name, value) in given.iter().filter(|(_, value)| **value != Scalar::Null) {
            let slot = self.question(name).map(|question| question.slot);
            let at = slot.filter(|slot| slot.level == level).map(|slot| slot.at);
            if let Some(cell) = at.and_then(|at| row.get_mut(at)) {
                *cell = Some(value);
            }
        }
        row
    }

    fn inspect(
        &self,
        level: Level,
        member: Option<MemberId>,
        given: &BTreeMap<String, Scalar>,
        scope: &Scope<'_>,
        found: &mut Vec<Violation>,
    ) {
        let mut add = |kind, fields, text| found.push(Violation { member, kind, fields, text });
        let questions = || self.questions.iter().filter(|question| question.slot.level == level);
        let missing: Vec<&Variable> = questions()
            .filter(|question| question.is_missing(scope))
            .map(|question| &question.variable)
            .collect();
        if !missing.is_empty() {
            let fields = missing.iter().map(|variable| variable.name.clone()).collect();
            add(ViolationKind::Missing, fields, format!("no answer to {}", titles(&missing)));
        }
        for question in questions() {
            if let Some(text) = question.not_asked(scope) {
                add(ViolationKind::NotAsked, vec![question.variable.name.clone()], text);
            }
            if let Some((fields, text)) = self.out_of_range(question, scope) {
                add(ViolationKind::Range, fields, text);
            }
        }
        for (name, text) in self.strangers(level, given) {
            add(ViolationKind::NotAsked, vec![name], text);
        }
        for check in self.checks.iter().filter(|check| check.rule.level == level) {
            if check.holds.truth(scope) == Some(false) {
                let kind = ViolationKind::Rule(check.rule.name.clone());
                add(kind, check.rule.variables.clone(), self.rule_text(check));
            }
        }
    }

    fn out_of_range(&self, question: &Question, scope: &Scope<'_>) -> Option<(Vec<String>, String)> {
        let variable = &question.variable;
        let value = scope.answer(question.slot)?;
        if let Err(error) = variable.check(value) {
            return Some((vec![variable.name.clone()], error.to_string()));
        }
        let (max, number) = (question.max?, scope.number(question.slot)?);
        let greatest = scope.number(max).filter(|greatest| number > *greatest)?;
        let bound = &self.questions.iter().find(|question| question.slot == max)?.variable;
        let text = format!("{}: {number} is above {}, which is {greatest}", variable.title(), bound.title());
        Some((vec![variable.name.clone(), bound.name.clone()], text))
    }

    /// Answers to what the questionnaire does not ask on this level.
    fn strangers(&self, level: Level, given: &BTreeMap<String, Scalar>) -> Vec<(String, String)> {
        let answers = given.iter().filter(|(name, value)| **value != Scalar::Null && *name != GONE);
        let unasked = answers.filter(|(name, _)| self.question(name).is_none_or(|q| q.slot.level != level));
        let text =
            |name: &String| self.check(name, level, &Scalar::Null).err().map(|error| error.to_string());
        unasked.filter_map(|(name, _)| Some((name.clone(), text(name)?))).collect()
    }

    fn rule_text(&self, check: &Check) -> String {
        let rule = &check.rule;
        let variables: Vec<&Variable> =
            rule.variables.iter().filter_map(|name| self.variable(name)).collect();
        if variables.is_empty() {
            format!("{}: {}", rule.name, rule.label_en)
        } else {
            format!("{}: {}; see {}", rule.name, rule.label_en, titles(&variables))
        }
    }
}

impl Question {
    fn is_missing(&self, scope: &Scope<'_>) -> bool {
        scope.answer(self.slot).is_none() && self.required.truth(scope) == Some(true)
    }

    fn not_asked(&self, scope: &Scope<'_>) -> Option<String> {
        scope.answer(self.slot)?;
        let required = &self.variable.required;
        (self.required.truth(scope) == Some(false))
            .then(|| format!("{} is answered, but it is asked only where {required}", self.variable.title()))
    }
}

fn titles(variables: &[&Variable]) -> String {
    let titles: Vec<String> = variables.iter().map(|variable| variable.title()).collect();
    titles.join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::variable::Kind;

    const FAMILY: &str = "r101=18 r102=11 r103=010 r104=005 r105=0003 r106=RT-3 r108=SUYADI r110=1 r111=1 r112=3 \
        r114=1811010101200001 r115=1 r301a=1 r301b=1 r302=60 r303=3 r304=1 r305=3 r306a=4 r306b=2 r307a=1 r307b1=2 \
        r308=4 r309a=1 r309b=1 r310=1 r501a=1 r501b=2 r501c=2 r501d=1 r501e=2 r501a_bln=9 r501a_thn=2022 \
        r501d_bln=10 r501d_thn=2021 r502a=2 r502b=1 r502c=2 r502d=2 r502e=2 r502f=2 r502g=2 r502h=2 r502i=1 r502j=1 \
        r502k=2 r502l=2 r502m=2 r502n=1 r503a=2 r503b=2 r504a=0 r504b=0 r504c=0 r504d=0 r504e=2 r505=2 r506=1";
    const HEAD: &str = "r401=1 r402=SUYADI r403=1811010101820001 r404=1 r405=1 r406tgl=31 r406bln=1 r406thn=1982 \
        r407=40 r408=2 r409=1 r411=2 r412=3 r413=5 r414=3 r415=5 r416a=1 r416b=40 r417=1 r418=1 r419=1 r420=1 r421=1 \
        r422=0 r423=1 r424=1 r425=1 r426=0 r428a=4 r428b=4 r428c=4 r428d=4 r428f=4 r428g=4 r428h=4 r428i=4 r428j=4 \
        r430=1 r431a=1 r431b=2 r431c=2 r431d=2 r431f=2";
    const WIFE: &str = "r401=2 r402=SUTINAH r403=1811014107870002 r404=1 r405=2 r406tgl=1 r406bln=12 r406thn=1986 \
        r407=35 r408=2 r409=2 r410=2 r411=2 r412=3 r413=5 r414=3 r415=5 r416a=2 r420=2 r428a=4 r428b=4 r428c=4 \
        r428d=4 r428f=4 r428g=4 r428h=4 r428i=4 r428j=4 r430=1 r431b=2 r431c=2 r431d=2 r431f=2";
    const CHILD: &str = "r401=3 r402=BUDI r403=1811010101190003 r404=4 r405=1 r406tgl=29 r406bln=2 r406thn=2019 \
        r407=3 r408=1 r409=3 r411=1 r412=1 r416a=2 r420=2 r427=8 r428a=4 r428b=4 r428c=4 r428d=4 r428f=4 r430=1";

    fn questionnaire() -> Questionnaire {
        Questionnaire::parse(include_bytes!("../../../daemon/data/regsosek-k.csv")).unwrap()
    }

    fn set(questionnaire: &Questionnaire, given: &mut BTreeMap<String, Scalar>, answers: &str) {
        for answer in answers.split_whitespace() {
            let (name, text) = answer.split_once('=').unwrap();
            let is_integer = |name| {
                questionnaire
                    .variable(name)
                    .is_none_or(|variable| matches!(variable.kind, Kind::Integer { .. }))
            };
            let value = match text {
                "-" => Scalar::Null,
                _ => text
                    .parse()
                    .ok()
                    .filter(|_| is_integer(name))
                    .map_or(Scalar::Text(text.into()), Scalar::Int),
            };
            given.insert(name.into(), value);
        }
    }

    fn id(member: u8) -> MemberId {
        MemberId::from_bytes([member; 8])
    }

    fn answers(questionnaire: &Questionnaire, family: &str, members: &[&str]) -> Answers {
        let mut answers = Answers::default();
        set(questionnaire, &mut answers.family, family);
        for (at, member) in (1..).zip(members) {
            set(questionnaire, answers.members.entry(id(at)).or_default(), member);
        }
        answers
    }

    /// What is wrong with the good family after these answers are changed: of the family (0) or
    /// of its first, second or third member.
    fn wrong(changes: &[(u8, &str)]) -> Vec<String> {
        let questionnaire = questionnaire();
        let mut answers = answers(&questionnaire, FAMILY, &[HEAD, WIFE, CHILD]);
        for (whose, change) in changes {
            let given = match whose {
                0 => &mut answers.family,
                member => answers.members.get_mut(&id(*member)).unwrap(),
            };
            set(&questionnaire, given, change);
        }
        let violations = questionnaire.violations(&answers);
        violations
            .iter()
            .map(|violation| {
                let whose = violation.member.map_or(0, |member| member.as_bytes()[0]);
                let kind = match &violation.kind {
                    ViolationKind::Rule(name) => name.clone(),
                    kind => format!("{kind:?}"),
                };
                format!("{whose} {kind}: {}", violation.fields.join(" "))
            })
            .collect()
    }

    #[test]
    fn a_consistent_family_has_nothing_wrong() {
        assert_eq!(wrong(&[]), [""; 0]);
    }

    #[test]
    fn each_planted_mistake_is_found_and_nothing_else() {
        for (whose, change, expected) in [
            (0, "r304=-", "0 Missing: r304"),
            (0, "r304=- r305=- r506=-", "0 Missing: r304 r305 r506"),
            (0, "r304=9", "0 Range: r304"),
            (0, "r304=bata", "0 Range: r304"),
            (0, "r101=18x", "0 Range: r101"),
            (0, "r114=18110101012000", "0 Range: r114"),
            (0, "r301a=2", "0 NotAsked: r301b"),
            (0, "r501b_bln=9", "0 NotAsked: r501b_bln"),
            (0, "r306a=9", "0 NotAsked: r306b"),
            (0, "r112=4", "0 k_members: r112"),
            (0, "r308=3", "0 k_gas: r308 r502a"),
            (0, "r501a_bln=11", "0 k_aid_a: r501a_thn r501a_bln"),
            (0, "r501d_bln=9", "0 k_aid_d: r501d_thn r501d_bln"),
            (0, "r501d_thn=2020", "0 Range: r501d_thn"),
            (0, "r402=SUYADI", "0 NotAsked: r402"),
            (0, "r999=1", "0 NotAsked: r999"),
            (1, "r403=-", "1 Missing: r403"),
            (1, "r403=1811010101190003", "0 k_nik: r403"),
            (1, "r409=8", "0 k_head: r404 r409"),
            (2, "r409=1", "0 k_head: r404 r409"),
            (2, "r401=3", "0 k_numbers: r401"),
            (2, "r401=4", "2 Range: r401 r112"),
            (2, "r407=34", "2 k_age: r406thn r407"),
            (2, "r406bln=11 r406tgl=31", "2 k_date: r406tgl r406bln"),
            (2, "r406bln=13 r406tgl=31", "2 Range: r406bln"),
            (2, "r408=1", "2 NotAsked: r410"),
            (1, "r410=2", "1 NotAsked: r410"),
            (1, "r428a=2", "1 Missing: r429"),
            (1, "r429=1", "1 NotAsked: r429"),
            (3, "r428j=4", "3 NotAsked: r428j"),
            (3, "r427=-", "3 Missing: r427"),
            (3, "r301a=1", "3 NotAsked: r301a"),
        ] {
            assert_eq!(wrong(&[(whose, change)]), [expected], "{whose} {change}");
        }
    }

    #[test]
    fn pregnancy_is_asked_of_women_of_10_to_54_who_have_been_married() {
        for (age, year, expected) in
            [("9", "2013", "NotAsked"), ("10", "2012", ""), ("54", "1968", ""), ("55", "1967", "NotAsked")]
        {
            let found = wrong(&[(2, &format!("r407={age} r406thn={year}"))]);
            let pregnancy: Vec<&String> =
                found.iter().filter(|violation| violation.contains("r410")).collect();
            assert_eq!(!pregnancy.is_empty(), expected == "NotAsked", "{age}: {found:?}");
        }
        assert_eq!(wrong(&[(2, "r410=-")]), ["2 Missing: r410"]);
        // Unmarried settles it, whatever else is unknown.
        assert_eq!(wrong(&[(2, "r408=1 r405=-")]), ["2 Missing: r405", "2 NotAsked: r410"]);
        // Nobody knows whether she was to be asked.
        assert_eq!(wrong(&[(2, "r408=-")]), ["2 Missing: r408"]);
    }

    #[test]
    fn a_caregiver_is_asked_about_from_60_on_and_for_each_difficulty() {
        assert_eq!(wrong(&[(1, "r407=60 r406thn=1962")]), ["1 Missing: r429"]);
        assert_eq!(wrong(&[(1, "r407=60 r406thn=1962 r429=1")]), [""; 0]);
        assert_eq!(wrong(&[(1, "r407=59 r406thn=1963 r429=1")]), ["1 NotAsked: r429"]);
        for field in ["a", "b", "c", "d", "f", "g", "h", "i", "j"] {
            assert_eq!(wrong(&[(1, &format!("r428{field}=1 r429=2"))]), [""; 0]);
            assert_eq!(wrong(&[(1, &format!("r428{field}=3 r429=2"))]), ["1 NotAsked: r429"]);
        }
        // A child of one year is asked about no difficulty: nothing says whether there is one.
        let infant = "r407=1 r406thn=2021 r428a=- r428b=- r428c=- r428d=- r428f=- r429=1";
        assert_eq!(wrong(&[(3, infant)]), [""; 0]);
    }

    #[test]
    fn the_oldest_age_stands_for_all_beyond() {
        let old = |year: u32| wrong(&[(1, &format!("r407=98 r429=1 r406thn={year}"))]);
        assert_eq!(old(1924), [""; 0]);
        assert_eq!(old(1901), [""; 0]);
        assert_eq!(old(1925), ["1 k_age: r406thn r407"]);
    }

    #[test]
    fn violations_come_in_the_order_of_the_file_and_say_what_is_wrong() {
        let questionnaire = questionnaire();
        let mut answers = answers(&questionnaire, FAMILY, &[HEAD, WIFE, CHILD]);
        set(&questionnaire, &mut answers.family, "r112=2 r304=9 r301a=2 r506=- gone=moved");
        let child = answers.members.get_mut(&id(3)).unwrap();
        set(&questionnaire, child, "r403=18110101011900031 r407=4 gone=-");
        let texts: Vec<String> =
            questionnaire.violations(&answers).into_iter().map(|violation| violation.text).collect();
        assert_eq!(
            texts,
            [
                "no answer to r506 (Rekening aktif)",
                "r301b (Jenis bukti kepemilikan) is answered, but it is asked only where r301a = 1",
                "r304 (Jenis dinding terluas): 9 is outside 1..7",
                "k_members: The number of members listed is not that of r112; see r112 (Jumlah anggota keluarga)",
                "r401 (Nomor urut anggota): 3 is above r112 (Jumlah anggota keluarga), which is 2",
                "r403 (NIK): a NIK has 16 digits, not 17",
                "k_age: The age does not agree with the year of birth; see r406thn (Tahun lahir), r407 (Umur)",
            ]
        );
    }

    #[test]
    fn an_empty_family_misses_what_is_always_asked_and_breaks_no_rule_about_the_unknown() {
        let questionnaire = questionnaire();
        let always = |level| {
            let variables = questionnaire.variables().filter(move |variable| variable.level == level);
            variables.filter(|variable| variable.required.is_always()).map(|variable| variable.name.clone())
        };
        let violations = questionnaire.violations(&answers(&questionnaire, "", &[""]));
        let [family, member] = violations.as_slice() else { panic!("{violations:?}") };
        assert_eq!(family.fields, always(Level::Family).collect::<Vec<_>>());
        assert_eq!(member.fields, always(Level::Member).collect::<Vec<_>>());
        assert_eq!((family.member, member.member), (None, Some(id(1))));
        assert!(violations.iter().all(|violation| violation.kind == ViolationKind::Missing));
    }

    proptest! {
        #[test]
        fn every_answer_the_keyboard_takes_is_in_range(number in -3_i64..2_100, at in 0_usize..113) {
            let questionnaire = questionnaire();
            let variable = questionnaire.variables().nth(at).unwrap();
            let value = Scalar::Int(number);
            let given = BTreeMap::from([(variable.name.clone(), value.clone())]);
            let mut answers = Answers::default();
            match variable.level {
                Level::Family => answers.family = given,
                Level::Member => drop(answers.members.insert(id(1), given)),
            }
            let violations = questionnaire.violations(&answers);
            let in_range = violations.iter().all(|violation| violation.kind != ViolationKind::Range);
            let taken = questionnaire.check(&variable.name, variable.level, &value).is_ok();
            prop_assert_eq!(in_range, taken);
        }
    }
}
