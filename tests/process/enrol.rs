//! Enrolment over the real program: an office imports a file of officers, prints cards, and runs; a
//! device that types what its card says is given its role, and its region's families come by themselves.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "here daemons are not killed")]
mod daemon;
#[expect(dead_code, reason = "here devices are not granted but enrolled")]
mod district;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use daemon::Daemon;
use district::{District, add, records, wait};
use rukun::verbs::{EnrolledShape, OfficersShape, Request};
use rukun_replica::Code;
use serde_json::{Value, json};

const OFFICERS: &str = "name,role,regions,phone\n\
    Siti Aminah,PPL,18110100050003,0812-3456-7890\n\
    Budi,petugas,1811,\n\
    Sri Lestari,PML,1811010005 1811010006,0813-1111-2222\n\
    Wayan,Koseka,1805010,\n";

struct Office {
    _parent: tempfile::TempDir,
    parent: PathBuf,
    dir: PathBuf,
    daemon: Option<Daemon>,
}

impl Office {
    fn start() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let district = District::found(parent.path(), &[]);
        let daemon = Some(Daemon::start(&district.office));
        fs::write(parent.path().join("officers.csv"), OFFICERS).unwrap();
        Self { parent: parent.path().into(), _parent: parent, dir: district.office, daemon }
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    /// Imports the file of officers; the page, if there is one, and what was said.
    fn import(&self) -> (Option<String>, Value) {
        let unsaid = rukun(&self.dir, &["officers", "import", "officers.csv"]);
        let why = String::from_utf8_lossy(&unsaid.stderr).into_owned();
        assert!(why.contains("--relay"), "no other device finds a node by its loopback address: {why}");
        let relay = self.daemon().address();
        let said = rukun(&self.dir, &["officers", "import", "officers.csv", "--relay", &relay]);
        assert_eq!(
            said.status.code(),
            Some(3),
            "two rows are bad: {}",
            String::from_utf8_lossy(&said.stderr)
        );
        let report: Value = serde_json::from_slice(&said.stdout).unwrap();
        let page = report["page"].as_str().map(|path| {
            let path = self.parent.join(path);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "codes are secret");
            fs::read_to_string(path).unwrap()
        });
        (page, report)
    }

    fn officers(&self) -> OfficersShape {
        self.daemon().ask(Request::Officers)
    }

    fn state(&self, name: &str) -> String {
        let officers = self.officers().officers;
        let of_name = officers.into_iter().rev().find(|officer| officer.name == name);
        of_name.unwrap().state
    }
}

fn rukun(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rukun"));
    // Files are named as a person in their folder does.
    command.current_dir(dir.parent().unwrap());
    command.arg("--dir").arg(dir).arg("--json").args(args).stdin(Stdio::null());
    command.output().unwrap()
}

/// What the card of this officer says to type, without the program's name.
fn typed(page: &str, name: &str) -> Vec<String> {
    let card = page.split("<article>").find(|card| card.contains(name)).unwrap();
    let (_, command) = card.split_once("rukun join ").unwrap();
    let command = command.split("</").next().unwrap().replace("<span>", "");
    let words = ["join".to_owned()].into_iter().chain(command.split_whitespace().map(String::from));
    words.collect()
}

fn join(dir: &Path, typed: &[String]) -> Result<EnrolledShape, Value> {
    let said = rukun(dir, &typed.iter().map(String::as_str).collect::<Vec<_>>());
    if said.status.success() {
        return Ok(serde_json::from_slice(&said.stdout).unwrap());
    }
    Err(serde_json::from_slice(&said.stderr)
        .unwrap_or_else(|_| json!({ "error": String::from_utf8_lossy(&said.stderr) })))
}

#[test]
fn an_officer_types_what_the_card_says_and_the_region_s_families_come() {
    let mut office = Office::start();
    let homes = ["1811010005000300", "1811010005000400"];
    let [inside, _outside] = homes.map(|home| add(office.daemon(), home).0);
    let (page, report) = office.import();
    let page = page.unwrap();
    let bad: Vec<(u64, &str)> = report["bad"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bad| (bad["line"].as_u64().unwrap(), bad["column"].as_str().unwrap()))
        .collect();
    assert_eq!(bad, [(3, "role"), (5, "regions")]);
    assert_eq!(page.matches("<article>").count(), 2);

    // The same file again invites nobody twice.
    let (again, report) = office.import();
    assert_eq!((again, report["there"].as_array().unwrap().len()), (None, 2));

    let siti = office.parent.join("siti");
    let card = typed(&page, "Siti Aminah");
    let enrolled = join(&siti, &card).unwrap();
    assert_eq!((enrolled.grant.name.as_str(), enrolled.grant.role.as_str()), ("Siti Aminah", "enumerator"));
    assert_eq!(enrolled.grant.in_force, ["18110100050003"]);
    // The answer is lost: what was typed is typed again, and comes to the same.
    assert_eq!(join(&siti, &card).unwrap().grant.grant, enrolled.grant.grant);
    let device = Daemon::start(&siti);
    wait("the region's families", || records(&device).contains(&inside));
    assert_eq!(records(&device).len(), 1, "and no others");
    wait("the questionnaire", || device.status().survey.unwrap().questionnaire);
    add(&device, homes[0]);
    wait("the device's own work", || records(office.daemon()).len() == 3);
    assert!(join(&siti, &card).unwrap_err()["remedy"].as_str().unwrap().contains("stop it first"));

    // Somebody else has the same card.
    let refused = join(&office.parent.join("thief"), &card).unwrap_err();
    assert!(refused["error"].as_str().unwrap().contains("another device has used this code"), "{refused}");
    assert_eq!((office.state("Siti Aminah"), office.state("Sri Lestari")), ("used".into(), "open".into()));
    let used = office.officers().officers.into_iter().find(|officer| officer.name == "Siti Aminah").unwrap();
    assert_eq!(used.device.as_ref(), Some(&enrolled.device));

    // Whose device is lost gets another card with the file, and is named with that device.
    let revoked = rukun(&office.dir, &["revoke", "Siti Aminah", "--reason", "lost", "--yes"]);
    assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
    let (_, report) = office.import();
    let invited = report["invited"].as_array().unwrap();
    let expected = (&Value::from("Siti Aminah"), &Value::from(used.device.unwrap()), 1);
    assert_eq!((&invited[0]["name"], &invited[0]["revoked"], invited.len()), expected, "{report}");

    // A card that is lost is taken back, and another one printed.
    let withdrawn = rukun(&office.dir, &["officers", "withdraw", "sri lestari"]);
    assert!(withdrawn.status.success(), "{}", String::from_utf8_lossy(&withdrawn.stderr));
    let sri = office.parent.join("sri");
    let refused = join(&sri, &typed(&page, "Sri Lestari")).unwrap_err();
    assert!(refused["error"].as_str().unwrap().contains("taken this code back"), "{refused}");
    let (page, _) = office.import();
    let page = page.unwrap();
    assert_eq!(page.matches("<article>").count(), 1);
    let card = typed(&page, "Sri Lestari");

    // A relay that is started again knows its invitations, and what became of them.
    office.daemon.take().unwrap().stop();
    office.daemon = Some(Daemon::start_at(&office.dir, &card[3]));
    assert_eq!(join(&sri, &card).unwrap().grant.role, "supervisor");
}

#[test]
fn wrong_codes_are_told_apart_from_slips_and_refused_from_the_sixth_on() {
    let office = Office::start();
    let page = office.import().0.unwrap();
    let card = typed(&page, "Siti Aminah");
    let dir = office.parent.join("guesser");
    let mut slip = card.clone();
    let last = slip[1].pop().unwrap();
    slip[1].push(if last == '7' { '8' } else { '7' });
    let said = join(&dir, &slip).unwrap_err();
    assert!(said["error"].as_str().unwrap().contains("group 5 of 5"), "{said}");
    assert!(office.officers().wrong_tries.is_empty(), "a slip never leaves the device");
    for guess in 0..5 {
        let mut wrong = card.clone();
        wrong[1] = Code::from_random(&[guess; 20]).text().to_string();
        let said = join(&dir, &wrong).unwrap_err();
        assert!(said["error"].as_str().unwrap().contains("no invitation has this code"), "{said}");
    }
    let said = join(&dir, &card).unwrap_err();
    assert!(said["error"].as_str().unwrap().contains("too many wrong codes"), "{said}");
    let listed = office.officers().wrong_tries;
    assert_eq!((listed[0].address.as_str(), listed[0].tries), ("127.0.0.1", 5));
    assert!(listed[0].refused_until.is_some() && office.state("Siti Aminah") == "open");
}
