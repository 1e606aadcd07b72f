//! The real program as a script reads it: with `--json`, standard output has one answer and nothing else.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "here no daemon runs")]
#[path = "../../tests/process/daemon.rs"]
mod daemon;
#[expect(dead_code, reason = "here nobody reads or changes records")]
#[path = "../../tests/process/district.rs"]
mod district;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use district::{District, Officer};
use rukun::verbs::{ParcelShape, ParcelsShape, RecordsShape};
use rukun_authority::Role;
use serde_json::Value;

const OFFICERS: [Officer; 3] = [
    Officer { name: "Budi", role: Role::Enumerator, region: "18110100050001" },
    Officer { name: "Nurhayati", role: Role::Enumerator, region: "18110100050002" },
    Officer { name: "Sri", role: Role::Enumerator, region: "18110100050003" },
];

#[test]
fn several_bundles_that_are_taken_along_are_one_answer() {
    let parent = tempfile::tempdir().unwrap();
    let district = District::found(parent.path(), &OFFICERS);
    let [budi, nurhayati, sri] = OFFICERS.map(|officer| {
        let file = parent.path().join(officer.name).with_extension("bundle").to_str().unwrap().to_owned();
        done(&district.office, &["bundle", "export", "--for", officer.name, &file]);
        file
    });
    let courier = &district.officers[2];
    done(courier, &["bundle", "import", &sri]);
    let both: ParcelsShape =
        serde_json::from_value(done(courier, &["courier", "take", &budi, &nurhayati])).unwrap();
    let to: Vec<&str> = both.bundles.iter().map(|parcel| parcel.recipient.author.as_str()).collect();
    assert_eq!(to, ["Budi", "Nurhayati"]);
    let one: ParcelShape = serde_json::from_value(done(courier, &["courier", "take", &budi])).unwrap();
    assert_eq!(one.recipient.author, "Budi");
    let some = rukun(courier, &["courier", "take", &budi, "/nowhere"]);
    assert!(!some.status.success());
    let taken: ParcelsShape = serde_json::from_slice(&some.stdout).unwrap();
    assert_eq!(taken.bundles.len(), 1, "what was taken before is told of");
    let error: Value = serde_json::from_slice(&some.stderr).unwrap();
    assert!(error["error"].as_str().unwrap().contains("/nowhere"), "{error}");
}

#[test]
fn another_family_in_the_same_house_is_a_bad_row_and_a_family_of_a_slip_is_none() {
    let parent = tempfile::tempdir().unwrap();
    let office = District::found(parent.path(), &OFFICERS).office;
    let file = parent.path().join("usb stick.csv");
    let rows = [
        "region,r108,r110,r111,r114",
        "1811010005000300,Andi,11,1,1811010101200001",
        "1811010005000300,Bambang,11,1,1811010101200002",
        "1811010005000300,Andi,11,1,",
    ];
    std::fs::write(&file, rows.join("\n")).unwrap();
    let import = rukun(&office, &["import", file.to_str().unwrap()]);
    assert_eq!(import.status.code(), Some(3));
    let report: Value = serde_json::from_slice(&import.stdout).unwrap();
    assert_eq!(
        (&report["added"], &report["there"], &report["bad"]),
        (&1.into(), &1.into(), &1.into()),
        "{report}"
    );
    assert!(report["bad_rows"][0]["message"].as_str().unwrap().contains("another KK number"), "{report}");
    let andi = report["there_rows"][0]["record"].as_str().unwrap();
    done(&office, &["record", "set", andi, "r114=1811010101200003"]);
    let again = rukun(&office, &["import", file.to_str().unwrap()]);
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(
        (&again["there"], &again["bad"]),
        (&2.into(), &1.into()),
        "known by what was printed: {again}"
    );
    let slip = "1811010005000300-00000000000000aa";
    let set = rukun(&office, &["record", "set", slip, "--json-patch", r#"{"r304":3}"#]);
    assert!(!set.status.success(), "a slip in an id begins no family");
    let list: RecordsShape = serde_json::from_value(done(&office, &["record", "list"])).unwrap();
    assert_eq!(list.records.len(), 1);
}

#[test]
fn the_demonstration_leaves_standard_output_to_its_answer() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rukun"));
    command.args(["demo", "--json"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut demo = command.spawn().unwrap();
    let mut story = BufReader::new(demo.stderr.take().unwrap());
    let mut told = String::new();
    while !told.contains("Five devices") {
        assert_ne!(story.read_line(&mut told).unwrap(), 0, "it tells its story on standard error: {told}");
    }
    assert!(Command::new("kill").arg(demo.id().to_string()).status().unwrap().success());
    story.read_to_string(&mut told).unwrap();
    let ended = demo.wait_with_output().unwrap();
    assert!(!ended.status.success() && told.contains("interrupted"), "{told}");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "", "it was cut off before there was an answer");
}

fn done(dir: &Path, args: &[&str]) -> Value {
    let said = rukun(dir, args);
    assert!(said.status.success(), "{args:?}: {}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
}

fn rukun(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rukun"));
    command.arg("--dir").arg(dir).arg("--json").args(args);
    command.stdin(Stdio::null()).output().unwrap()
}
