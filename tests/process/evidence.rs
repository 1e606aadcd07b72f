//! Promise 3 for those who have no node: the real program writes a record in three inks into a file, and
//! the program itself without any folder, and a verifier made of libraries that are not ours, come to
//! believe the same and notice each bit that changes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "here daemons are neither killed nor broken")]
mod daemon;
#[expect(dead_code, reason = "here one record is written")]
mod district;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use daemon::Daemon;
use district::{District, Officer, add, edit, point, records, wait};
use rukun::verbs::{LogShape, ProofShape, RecordShape, Request};
use rukun_authority::Role;
use serde_json::{Value, json};

const HOME: &str = "1811010005000300";
const OFFICERS: [Officer; 2] = [
    Officer { name: "Sri", role: Role::Supervisor, region: "1811010005" },
    Officer { name: "Budi", role: Role::Enumerator, region: "18110100050003" },
];
/// Each checked by a process of its own, so they are few; the crate's own test flips every bit.
const FLIPS: usize = 24;
const SEED: &str = "4";

/// A record in pencil, red and black, as the office holds it, and its evidence.
struct Written {
    survey: String,
    file: PathBuf,
    log: LogShape,
    record: RecordShape,
}

#[test]
fn a_record_in_three_inks_is_proven_to_who_has_nothing_but_the_file() {
    let parent = tempfile::tempdir().unwrap();
    let written = Written::in_three_inks(parent.path());
    written.the_program_proves_it_without_a_folder();
    written.another_survey_is_refused();
    written.a_bit_that_changes_is_noticed(parent.path());
    written.foreign_libraries_prove_the_same(parent.path());
}

impl Written {
    fn in_three_inks(parent: &Path) -> Self {
        let district = District::found(parent, &OFFICERS);
        let office = Daemon::start(&district.office);
        let officers: Vec<Daemon> = district.officers.iter().map(|dir| Daemon::start(dir)).collect();
        for officer in &officers {
            point(officer, &office);
        }
        let holds = |daemon: &Daemon, record: &str, changes: usize| {
            let log = daemon.try_ask::<LogShape>(Request::Log { record: record.into() });
            log.is_ok_and(|log| log.changes.len() == changes)
        };
        wait("the questionnaire", || {
            officers.iter().all(|officer| officer.status().survey.is_some_and(|held| held.questionnaire))
        });
        let [sri, budi] = &officers[..] else { panic!("two officers") };
        let (record, _) = add(budi, HOME);
        wait("the supervisor to hold it", || holds(sri, &record, 1));
        edit(sri, &record, 3);
        wait("the office to hold both", || holds(&office, &record, 2));
        edit(&office, &record, 4);
        assert_eq!(records(&office).len(), 1);

        let file = parent.join("siti.evidence");
        let survey = district.survey.to_string();
        let write = |out: &Path| {
            rukun(&["evidence", &record[..20], "--json", "--dir", text(&district.office), "--out", text(out)])
        };
        let told: Value = serde_json::from_slice(&good(write(&file)).stdout).unwrap();
        let bytes = fs::metadata(&file).unwrap().len();
        let said = [&told["record"], &told["survey"], &told["changes"], &told["statements"], &told["bytes"]];
        assert_eq!(said.map(Clone::clone), [json!(record), json!(survey), json!(3), json!(4), json!(bytes)]);
        assert!(refusal(&write(&file)).contains("is there already"), "it overwrites nothing");
        let nobody = ["evidence", "9999", "--dir", text(&district.office), "--out", text(&file)];
        assert!(refusal(&rukun(&nobody)).contains("rukun record list"));
        let log = office.ask(Request::Log { record: record.clone() });
        let record = office.ask(Request::RecordShow { record });
        Self { survey, file, log, record }
    }

    fn verify(&self, file: &Path, options: &[&str]) -> Output {
        rukun(&[&["evidence", "verify", text(file), "--survey", &self.survey][..], options].concat())
    }

    fn the_program_proves_it_without_a_folder(&self) {
        let told = good(self.verify(&self.file, &["--json"])).stdout;
        let proof: ProofShape = serde_json::from_slice(&told).unwrap();
        let changes = |told: &LogShape| -> Vec<(String, String, String)> {
            let line = |line: &rukun::verbs::LogLine| {
                (line.change.clone(), line.who.author.clone(), line.standing.clone())
            };
            told.changes.iter().map(line).collect()
        };
        let proven = LogShape {
            record: proof.record.clone(),
            name: proof.name.clone(),
            reached: String::new(),
            came: None,
            changes: proof.changes.iter().map(|change| change.line.clone()).collect(),
        };
        assert_eq!(changes(&proven), changes(&self.log));
        assert_eq!((&proof.answers, &proof.members), (&self.record.answers, &self.record.members));
        let inks: Vec<&str> = proof.changes.iter().map(|change| change.line.ink.as_str()).collect();
        assert_eq!(inks, ["pencil", "red", "black"]);
        let path = |at: usize| -> Vec<&str> {
            proof.changes[at].granted.iter().map(|grant| grant.name.as_str()).collect()
        };
        let office = "BPS Kabupaten Mesuji";
        assert_eq!([path(0), path(1), path(2)], [vec![office, "Budi"], vec![office, "Sri"], vec![office]]);
        assert!(proof.survey_given && proof.exporter.author == office);
        let text = String::from_utf8(good(self.verify(&self.file, &[])).stdout).unwrap();
        let path = "good; granted by root key > BPS Kabupaten Mesuji (district of 1811) > Sri (supervisor of 1811010005)";
        assert!(text.contains(path) && text.contains("all of it holds"), "{text}");
    }

    fn another_survey_is_refused(&self) {
        let file = text(&self.file);
        let told = good(rukun(&["evidence", "verify", file])).stdout;
        let told = String::from_utf8(told).unwrap();
        assert!(told.contains("give --survey SURVEY-ID"), "{told}");
        let other = rukun_change::SurveyId::from_bytes([9; 32]).to_string();
        let refused = rukun(&["evidence", "verify", file, "--survey", &other]);
        let refused = refusal(&refused);
        assert!(refused.contains(&self.survey) && refused.contains(&other), "{refused}");
    }

    fn a_bit_that_changes_is_noticed(&self, parent: &Path) {
        let bytes = fs::read(&self.file).unwrap();
        let spoilt = parent.join("spoilt.evidence");
        let step = bytes.len() / FLIPS;
        for flip in 0..FLIPS {
            let mut other = bytes.clone();
            other[flip * step] ^= 1 << (flip % 8);
            fs::write(&spoilt, other).unwrap();
            assert!(refusal(&self.verify(&spoilt, &[])).contains("proves nothing"));
        }
        for (other, why) in [(&bytes[..bytes.len() / 2], "cut off"), (b"a letter", "no evidence of rukun")] {
            fs::write(&spoilt, other).unwrap();
            let refused = refusal(&self.verify(&spoilt, &[]));
            assert!(refused.contains(why), "{refused}");
        }
        fs::write(&spoilt, [&bytes[..], b"\n"].concat()).unwrap();
        assert!(refusal(&self.verify(&spoilt, &[])).contains("added to its end"));
    }

    fn foreign_libraries_prove_the_same(&self, parent: &Path) {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let python = project.join("target/foreign/bin/python");
        if !python.exists() {
            eprintln!("SKIPPED: no foreign libraries are there to verify with: tests/foreign/install");
            return;
        }
        let verify = |file: &Path, survey: &str, more: &[&str]| {
            let mut command = Command::new(&python);
            command.arg(project.join("tests/foreign/verify.py")).arg(file).arg(survey).args(more);
            command.stdin(Stdio::null()).output().unwrap()
        };
        let told: Value =
            serde_json::from_slice(&good(verify(&self.file, &self.survey, &[SEED])).stdout).unwrap();
        let ids = |of: &Value| -> Vec<Value> {
            of.as_array().unwrap().iter().map(|change| change["change"].clone()).collect()
        };
        let ours: Vec<Value> = self.log.changes.iter().map(|line| json!(line.change)).collect();
        assert_eq!((ids(&told["changes"]), &told["record"]), (ours, &json!(self.log.record)));
        let flipped = told["flipped"].as_u64().unwrap();
        assert!(flipped > 500, "{flipped} bits flipped, each noticed");
        eprintln!("foreign libraries: 3 changes proven, {flipped} flipped bits noticed");

        let other = rukun_change::SurveyId::from_bytes([9; 32]).to_string();
        assert!(refusal(&verify(&self.file, &other, &[])).contains("it is of survey"));
        let golden = fs::read_to_string(project.join("crates/evidence/golden/v1/evidence.hex")).unwrap();
        let golden = data_encoding::HEXLOWER.decode(golden.trim_end().as_bytes()).unwrap();
        let signed = rukun_evidence::SignedEvidence::from_bytes(&golden).unwrap();
        let survey = signed.evidence.statements[0].id(None);
        let survey = rukun_change::SurveyId::from_bytes(*survey.as_bytes()).to_string();
        let file = parent.join("golden.evidence");
        fs::write(&file, golden).unwrap();
        good(verify(&file, &survey, &[SEED]));
    }
}

/// The program where there is no folder, unless it is told one.
fn rukun(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rukun"));
    for name in ["RUKUN_DIR", "XDG_DATA_HOME", "HOME"] {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null()).output().unwrap()
}

fn good(ended: Output) -> Output {
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    ended
}

/// What it says when it ends with 1.
fn refusal(ended: &Output) -> String {
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!((ended.status.code(), ended.stdout.is_empty()), (Some(1), true), "{said}");
    said.into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
