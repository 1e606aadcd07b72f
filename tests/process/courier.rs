//! A courier's way over the real program: who has no link gives a file to a colleague, whose device takes it along,
//! gives it to the district by itself, and brings the receipt back when both devices are linked again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "here daemons are not killed")]
mod daemon;
#[expect(dead_code, reason = "here nobody reads or changes records one by one")]
mod district;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use daemon::Daemon;
use district::{District, Officer, add, records, wait};
use rukun::verbs::{BundleTakenShape, ParcelShape, ParcelsShape, PeersShape, Request};
use rukun_authority::Role;
use serde::de::DeserializeOwned;

const OFFICERS: [Officer; 2] = [
    Officer { name: "Budi", role: Role::Enumerator, region: "18110100050001" },
    Officer { name: "Nurhayati", role: Role::Enumerator, region: "18110100050002" },
];
const HOME: &str = "1811010005000100";

#[test]
fn a_colleagues_phone_brings_a_file_to_the_district_and_the_receipt_back() {
    let parent = tempfile::tempdir().unwrap();
    let district = District::found(parent.path(), &OFFICERS);
    let (office, budi) = (Daemon::start(&district.office), Daemon::start(&district.officers[0]));
    let nurhayati_dir = &district.officers[1];
    let nurhayati = Daemon::start(nurhayati_dir);
    let dials = |daemon: &Daemon, to: &Daemon| {
        let _: PeersShape = daemon.ask(Request::PeerAdd { address: to.address() });
    };
    dials(&nurhayati, &office);
    wait("the questionnaire", || nurhayati.status().survey.is_some_and(|held| held.questionnaire));

    // Budi's device was never linked with anything.
    let file = |name: &str| parent.path().join(name).to_str().unwrap().to_owned();
    let (joining, day) = (file("joining.bundle"), file("day.bundle"));
    let _: serde_json::Value = rukun(&district.office, &["bundle", "export", "--for", "Budi", &joining]);
    let _: BundleTakenShape = rukun(&district.officers[0], &["bundle", "import", &joining]);
    for _ in 0..3 {
        add(&budi, HOME);
    }
    let _: serde_json::Value = rukun(&district.officers[0], &["bundle", "export", "--for", "district", &day]);

    let taken: ParcelShape = rukun(nurhayati_dir, &["courier", "take", &day]);
    assert_eq!((taken.from.author.as_str(), taken.state.as_str()), ("Budi", "carried"));
    wait("Budi's work at the office", || records(&office).len() == 3);
    assert!(records(&nurhayati).is_empty(), "she reads nothing of it");
    let list = || rukun::<ParcelsShape>(nurhayati_dir, &["courier", "list"]).bundles;
    wait("the answer", || list().iter().any(|parcel| parcel.is_answer && parcel.recipient.author == "Budi"));

    let alone = |daemon: &Daemon| daemon.status().custody.alone;
    assert_eq!(alone(&budi), 3);
    dials(&budi, &nurhayati);
    wait("the receipt", || alone(&budi) == 0);
    wait("an empty list", || list().is_empty());

    // The same by hand, there and back.
    let (more, back) = (file("more.bundle"), file("back.bundle"));
    add(&budi, HOME);
    let _: serde_json::Value =
        rukun(&district.officers[0], &["bundle", "export", "--for", "district", &more]);
    let _: BundleTakenShape = rukun(&district.office, &["bundle", "import", &more]);
    let _: serde_json::Value = rukun(&district.office, &["bundle", "export", "--for", "Budi", &back]);
    let taken: BundleTakenShape = rukun(&district.officers[0], &["bundle", "import", &back]);
    assert_eq!((taken.changes_new, taken.receipted), (0, 1), "{taken:?}");
    for daemon in [nurhayati, budi, office] {
        daemon.stop();
    }
}

#[test]
fn what_can_not_be_carried_says_why_and_what_to_do() {
    let parent = tempfile::tempdir().unwrap();
    let district = District::found(parent.path(), &OFFICERS);
    let file = parent.path().join("joining.bundle").to_str().unwrap().to_owned();
    let _: serde_json::Value = rukun(&district.office, &["bundle", "export", "--for", "Budi", &file]);
    let says = |dir: &Path, args: &[&str]| {
        let said = run(dir, args);
        assert!(!said.status.success(), "{args:?} was done");
        String::from_utf8(said.stderr).unwrap()
    };
    let own = says(&district.office, &["courier", "take", &file]);
    assert!(own.contains("this device made it") && own.contains("give the file to somebody"), "{own}");
    let charterless = says(&district.officers[1], &["courier", "take", &file]);
    assert!(
        charterless.contains("charter is not here yet") && charterless.contains("linked once"),
        "{charterless}"
    );
    let none = says(&district.office, &["courier", "take", "/nowhere"]);
    assert!(none.contains("/nowhere can't be read"), "{none}");
    for args in [&["courier", "drop", "3f9a0c"][..], &["courier", "give", "3f9a0c", "/tmp/x"]] {
        let unknown = says(&district.office, args);
        assert!(unknown.contains("no bundle") && unknown.contains("rukun courier list"), "{unknown}");
    }
    let short = says(&district.office, &["courier", "drop", "3f"]);
    assert!(short.contains("too short"), "{short}");
}

fn rukun<T: DeserializeOwned>(dir: &Path, args: &[&str]) -> T {
    let said = run(dir, args);
    assert!(said.status.success(), "{args:?}: {}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
}

fn run(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rukun"));
    command.arg("--dir").arg(dir).arg("--json").args(args);
    command.stdin(Stdio::null()).output().unwrap()
}
