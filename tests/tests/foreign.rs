//! What a third party proves of a record that has been through everything: three inks, a place that was
//! split, a family that moved, a device that goes on under another key, a root that does, a phone that was
//! revoked, and one of its changes upheld. Proven by this program and by libraries that are not ours, each
//! bit that changes noticed. And what another library opens of a bundle.

// Test code all through: where it is wrong, it should stop and say where.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use data_encoding::HEXLOWER;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rukun_authority::{Drawn, Keypair, Role, Standing};
use rukun_change::{ChangeId, Ink, RecordId, SurveyId};
use rukun_evidence::{SignedEvidence, VerifiedEvidence};
use rukun_replica::NewGrant;
use rukun_tests::by_hand::{Node, World};
use serde_json::{Value, json};

const STEPS: usize = 20_000;
const HERE: &str = "1811010005000300";
const THERE: &str = "1811010005000400";
const SEED: &str = "7";

struct Scene {
    world: World,
    office: Node,
    sri: Node,
    budi: Node,
    citra: Node,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::new(1);
        let office = Node(0);
        let sri = world.add(10, office, Role::Supervisor, &["1811010005"]);
        world.link(sri, office);
        world.settle(STEPS);
        world.cut_all();
        let budi = world.add(20, sri, Role::Enumerator, &["18110100050003", "18110100050004"]);
        let citra = world.add(30, sri, Role::Enumerator, &["18110100050004"]);
        let mut scene = Self { world, office, sri, budi, citra };
        scene.meet();
        scene
    }

    fn meet(&mut self) {
        for _ in 0..2 {
            for (below, above) in [(self.sri, self.office), (self.budi, self.sri), (self.citra, self.sri)] {
                self.world.link(below, above);
            }
            self.world.settle(STEPS);
            self.world.cut_all();
        }
    }

    fn edit(&mut self, node: Node, record: &RecordId, patch: &Value) -> ChangeId {
        let now = self.world.now();
        let change = self.world.replicas[node.0].edit(now, record, None, patch).unwrap().unwrap();
        self.world.commit(node);
        change
    }

    /// The record that goes on, and the change that was upheld.
    fn through_everything(&mut self) -> (RecordId, ChangeId) {
        let (office, sri, budi, citra) = (self.office, self.sri, self.budi, self.citra);
        let now = self.world.now();
        let family = json!({"r108": "Siti", "r304": 1, "members": {"+1": {"r402": "Siti", "r407": 41}}});
        let (old, _) =
            self.world.replicas[budi.0].add_record(now, HERE.parse().unwrap(), None, &family).unwrap();
        self.world.commit(budi);
        self.meet();
        let [origin, goal] = [HERE, THERE].map(|code| code.parse().unwrap());
        let to = [origin, goal].map(|sub_sls| Drawn { sub_sls, name: "RT 003".into() });
        self.world.replicas[office.0].redraw(vec![origin], to.into()).unwrap();
        let moved = self.world.replicas[office.0].transfer(now, &old, goal).unwrap();
        self.world.commit(office);
        self.meet();
        let record = moved.to;
        self.edit(budi, &record, &json!({"r304": 2}));
        self.world.replicas[budi.0].rotate(now, [21; 32]).unwrap();
        self.world.commit(budi);
        self.meet();
        self.edit(budi, &record, &json!({"r305": 3}));
        self.edit(sri, &record, &json!({"r304": 4}));
        let next = Keypair::from_seed(&[31; 32]);
        let root = self.world.root.clone();
        self.world.replicas[office.0].succeed_root(&root, &next).unwrap();
        let again = NewGrant {
            subject: self.world.key(office),
            role: Role::District,
            regions: vec!["1811".parse().unwrap()],
            name: "office".into(),
        };
        self.world.replicas[office.0].grant(Some(&next), again).unwrap();
        self.world.commit(office);
        self.meet();
        let lost = self.world.key(citra);
        self.world.replicas[sri.0].revoke(None, &lost, "hilang").unwrap();
        self.world.commit(sri);
        let late = self.edit(citra, &record, &json!({"r302": 60}));
        self.meet();
        self.world.replicas[office.0].decide(None, &[late], true).unwrap();
        self.world.commit(office);
        self.meet();
        (record, late)
    }
}

#[test]
fn a_record_that_has_been_through_everything_is_proven_to_who_has_nothing_but_the_file() {
    let mut scene = Scene::new();
    let (record, upheld) = scene.through_everything();
    let now = scene.world.now();
    let bytes = scene.world.replicas[scene.office.0].evidence(now, &record).unwrap();
    let survey = scene.world.replicas[0].survey().unwrap();
    let verified =
        VerifiedEvidence::verify(&SignedEvidence::from_bytes(&bytes).unwrap(), Some(&survey)).unwrap();
    let log = verified.reading().log();
    assert_eq!(verified.reading().inks(), [Ink::Printed, Ink::Pencil, Ink::Red]);
    let of = |id: &ChangeId| log.iter().find(|logged| logged.change == *id).unwrap();
    assert_eq!(of(&upheld).standing, Standing::Upheld);
    assert!(log.iter().all(|logged| logged.standing.is_good()), "{log:?}");
    assert!(verified.trust().came_from(&record).is_some());
    assert_eq!(verified.trust().roots(), [Keypair::from_seed(&[31; 32]).key()]);
    assert_eq!(verified.trust().place_name(&record.home()), Some("RT 003"));
    let pencil: Vec<_> = log.iter().filter(|logged| logged.ink == Ink::Pencil).collect();
    assert_eq!(pencil.len(), 3);
    let authors: std::collections::BTreeSet<_> = pencil.iter().map(|logged| logged.author.device).collect();
    assert_eq!(authors.len(), 3, "two keys of one officer, and the lost phone");

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("siti.evidence");
    std::fs::write(&file, &bytes).unwrap();
    let Some(told) = verify(&file, &survey.to_string(), &[SEED]) else { return };
    let told: Value = serde_json::from_slice(&good(told).stdout).unwrap();
    let ours: Vec<Value> = log.iter().map(|logged| json!(logged.change.to_string())).collect();
    let theirs: Vec<Value> =
        told["changes"].as_array().unwrap().iter().map(|line| line["change"].clone()).collect();
    assert_eq!(theirs, ours);
    let decided: Vec<&Value> = told["changes"].as_array().unwrap().iter().collect();
    for line in decided {
        let expected = if line["change"] == json!(upheld.to_string()) { json!([true]) } else { json!([]) };
        assert_eq!(line["decided"], expected);
    }
    assert_eq!((&told["revocations"], &told["redrawn"]), (&json!(1), &json!(1)));
    let (_, from) = verified.trust().came_from(&record).unwrap();
    assert_eq!(told["came"], json!(from.to_string()));
    assert!(told["flipped"].as_u64().unwrap() > 500, "{told}");
}

#[test]
fn a_bundle_is_opened_by_a_library_that_is_not_ours_with_the_recipients_key_alone() {
    let hex = |seed: [u8; 32]| HEXLOWER.encode(&seed);
    let survey = SurveyId::from_bytes([9; 32]);
    let [sender, recipient] = [[3; 32], [4; 32]].map(|seed| Keypair::from_seed(&seed));
    let frames = vec![b"Siti Aminah".to_vec(), Vec::new(), vec![5; 70_000]];
    let mut entropy = ChaCha20Rng::from_seed([6; 32]);
    let bundle = rukun_bundle::seal(&sender, &survey, &recipient.key(), &frames, &mut entropy).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (file, survey) = (dir.path().join("a.bundle"), hex(*survey.as_bytes()));
    let mut bytes = bundle.to_bytes().unwrap();
    std::fs::write(&file, &bytes).unwrap();
    let Some(opened) = foreign("open_bundle.py", &file, &survey, &[&hex([4; 32])]) else { return };
    let told: Vec<String> = serde_json::from_slice(&good(opened).stdout).unwrap();
    assert_eq!(told, frames.iter().map(|frame| HEXLOWER.encode(frame)).collect::<Vec<_>>());
    let refused = |survey: &str, seed| {
        let ended = foreign("open_bundle.py", &file, survey, &[&hex(seed)]).unwrap();
        assert_eq!(ended.status.code(), Some(1));
        String::from_utf8(ended.stderr).unwrap()
    };
    assert!(refused(&survey, [3; 32]).contains("another device"));
    assert!(refused(&hex([8; 32]), [4; 32]).contains("does not open"));
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    assert!(refused(&survey, [4; 32]).contains("does not open"));
}

/// What the foreign verifier says; nothing where it is not installed.
fn verify(file: &Path, survey: &str, more: &[&str]) -> Option<Output> {
    foreign("verify.py", file, survey, more)
}

fn foreign(script: &str, file: &Path, survey: &str, more: &[&str]) -> Option<Output> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = project.join("target/foreign/bin/python");
    if !python.exists() {
        eprintln!("SKIPPED: no foreign libraries are there to verify with: tests/foreign/install");
        return None;
    }
    let mut command = Command::new(python);
    command.arg(project.join("tests/foreign").join(script)).arg(file).arg(survey).args(more);
    Some(command.stdin(Stdio::null()).output().unwrap())
}

fn good(ended: Output) -> Output {
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    ended
}
