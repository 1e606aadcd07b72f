//! A stolen data folder without what opens it. Families are registered and delivered by daemons that log all
//! they would ever log, backups are taken and put back, processes are killed; then whatever any of it left
//! on a disk is searched for what people said, and opened without its passphrase.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "here every daemon is started in its own surroundings")]
mod daemon;
#[expect(dead_code, reason = "here families are registered whole")]
mod district;
mod finder;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use daemon::Daemon;
use district::{District, Officer, fingerprints, point, records, wait};
use finder::{Finder, TEXT_CHARS_MIN, files};
use rukun::client::ClientError;
use rukun::disk::Folder;
use rukun::people::Population;
use rukun::verbs::{Edit, LogShape, Request, WrittenShape};
use rukun_authority::Role;
use serde_json::{Value, json};

const OFFICERS: [Officer; 1] = [Officer { name: "Budi", role: Role::Enumerator, region: SCOPE }];
const SCOPE: &str = "18110100050001";
const HOME: &str = "1811010005000100";
const FAMILIES: u32 = 24;
/// How often a backup and a restore are cut off, to leave behind what they leave behind.
const CUT_OFF: usize = 4;
const PASSPHRASE: &str = "kopi tubruk tanpa gula";
/// What is typed by mistake where a number belongs: it is refused, and told nobody either.
const REFUSED: &str = "Bapak Sugeng di seberang jalan";

/// Where a district works that has passphrases.
struct Scene {
    parent: tempfile::TempDir,
    district: District,
    /// The file with the passphrase. It is with its owner, and not stolen.
    words: PathBuf,
    /// Home, temporary folder and working folder of every process.
    elsewhere: PathBuf,
}

#[test]
fn a_stolen_folder_without_its_passphrase_tells_nothing_that_people_said() {
    let scene = Scene::begin();
    let (dir, parent) = (&scene.district.officers[0], scene.parent.path());
    let (office, device) = (scene.start(&scene.district.office), scene.start(dir));
    point(&device, &office);
    let finder = Finder::new(register(&device));
    wait("the office to hold all", || {
        fingerprints(&office, SCOPE).fingerprints == fingerprints(&device, SCOPE).fingerprints
    });
    // What the node tells its owner is what nobody else may be told.
    let told: Vec<u8> = records(&office)
        .into_iter()
        .flat_map(|record| serde_json::to_vec(&office.ask::<LogShape>(Request::Log { record })).unwrap())
        .collect();
    assert!(finder.find(&told).len() > 3 * FAMILIES as usize);
    let [backup, again] = ["budi.redb", "again.redb"].map(|name| parent.join(name));
    scene.done(dir, &["backup", backup.to_str().unwrap()]);
    for running in [dir, &scene.district.office] {
        writes_nowhere_else(running);
    }
    device.kill();
    office.stop();
    let restored = parent.join("restored");
    for _ in 0..CUT_OFF {
        scene.cut_off(dir, &["backup", again.to_str().unwrap()], || again.exists());
        scene.cut_off(&restored, &["restore", backup.to_str().unwrap()], || {
            restored.join("rukun.redb").exists()
        });
    }
    if !restored.join("rukun.redb").exists() {
        scene.done(&restored, &["restore", backup.to_str().unwrap()]);
    }
    let device = scene.start(&restored);
    assert_eq!(records(&device).len(), FAMILIES as usize);
    device.kill();

    assert_eq!(files(&scene.elsewhere), Vec::<PathBuf>::new(), "no process writes outside its folder");
    finder.finds_each_hidden_in_a_file(&parent.join("hidden"));
    let mut searched: BTreeMap<String, usize> = BTreeMap::new();
    for path in files(parent).into_iter().filter(|path| *path != scene.words) {
        let bytes = fs::read(&path).unwrap();
        let found = finder.find(&bytes);
        assert!(found.is_empty(), "{} tells {found:?}", path.display());
        assert!(!path.ends_with("key"), "where a passphrase opens a store there is no key file");
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert!(mode == 0o600 || path.extension().is_some_and(|name| name == "log"), "{}", path.display());
        *searched.entry(path.file_name().unwrap().to_str().unwrap().to_owned()).or_default() += bytes.len();
    }
    let log = fs::read_to_string(dir.with_extension("log")).unwrap();
    assert!(log.contains("TRACE") && searched.contains_key("daemon.json"), "{searched:?}");
    assert!(searched["rukun.redb"] > 1 << 19 && searched["budi.redb"] > 1 << 17, "{searched:?}");
    eprintln!("{} words and numbers are in none of these: {searched:?}", finder.wanted());
    scene.opens_for_nobody_else(&restored);
}

impl Scene {
    fn begin() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let district = District::found(parent.path(), &OFFICERS);
        let (words, elsewhere) = (parent.path().join("words"), parent.path().join("elsewhere"));
        own_file(&words, PASSPHRASE);
        fs::create_dir(&elsewhere).unwrap();
        let scene = Self { parent, district, words, elsewhere };
        for dir in scene.district.officers.iter().chain([&scene.district.office]) {
            scene.done(dir, &["key", "passphrase", "--new", scene.words.to_str().unwrap()]);
        }
        scene
    }

    /// What a process is started under: it has nowhere to write but its folder and here.
    fn under(&self) -> Vec<String> {
        let elsewhere = self.elsewhere.display();
        let mut words = vec!["env".into(), format!("--chdir={elsewhere}")];
        words.extend(["HOME", "TMPDIR", "XDG_DATA_HOME"].map(|name| format!("{name}={elsewhere}")));
        words.push("RUST_LOG=trace".into());
        words.push(format!("RUKUN_PASSPHRASE_FILE={}", self.words.display()));
        words
    }

    fn start(&self, dir: &Path) -> Daemon {
        let under = self.under();
        let under: Vec<&str> = under.iter().map(String::as_str).collect();
        Daemon::try_start(dir, "127.0.0.1:0", &under)
            .unwrap_or_else(|status| panic!("{status}: {}", daemon::last_words(dir)))
    }

    fn command(&self, dir: &Path, words: &[&str]) -> Command {
        let under = self.under();
        let mut command = Command::new(&under[0]);
        command.args(&under[1..]).arg(env!("CARGO_BIN_EXE_rukun")).arg("--dir").arg(dir).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn done(&self, dir: &Path, words: &[&str]) {
        let done = self.command(dir, words).output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", said(&done));
    }

    /// Kills a verb once anything new is there, whatever it is, unless it was faster.
    fn cut_off(&self, dir: &Path, words: &[&str], over: impl Fn() -> bool) {
        if over() {
            return;
        }
        let there = || files(self.parent.path()).len();
        let before = there();
        let mut child = self.command(dir, words).spawn().unwrap();
        wait("the verb to begin", || there() > before || child.try_wait().unwrap().is_some());
        // One that has ended can't be killed any more.
        let _ = child.kill();
        child.wait().unwrap();
    }

    /// Neither without a passphrase nor with another one; and trying leaves everything as it was.
    fn opens_for_nobody_else(&self, dir: &Path) {
        // What was killed is first brought in order by its owner.
        self.done(dir, &["status"]);
        let contents = || -> BTreeMap<PathBuf, Vec<u8>> {
            files(dir).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
        };
        let before = contents();
        let wrong = self.parent.path().join("wrong");
        own_file(&wrong, "teh manis di teras rumah");
        let by_wrong = ["--passphrase-file", wrong.to_str().unwrap(), "status"];
        let refused = self.command(dir, &by_wrong).output().unwrap();
        assert!(
            !refused.status.success() && said(&refused).contains("passphrase does not fit"),
            "{}",
            said(&refused)
        );
        let bare = Command::new(env!("CARGO_BIN_EXE_rukun"))
            .env_remove("RUKUN_PASSPHRASE_FILE")
            .arg("--dir")
            .arg(dir)
            .arg("status")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(!bare.status.success() && said(&bare).contains("--passphrase-file"), "{}", said(&bare));
        assert!(contents() == before, "trying touches nothing");
    }
}

/// No file that a daemon has open, and no memory that it shares, lies outside its folder; nor would a
/// core file, since it leaves none.
fn writes_nowhere_else(dir: &Path) {
    let process = PathBuf::from(format!("/proc/{}", Folder::at(dir).note().unwrap().unwrap().pid));
    let open: Vec<PathBuf> = fs::read_dir(process.join("fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter(|path| path.is_absolute() && !path.starts_with("/dev"))
        .collect();
    let log = dir.with_extension("log");
    assert!(open.contains(&log) && open.contains(&dir.join("rukun.redb")), "{open:?}");
    let outside: Vec<_> = open.iter().filter(|path| !path.starts_with(dir) && **path != log).collect();
    assert!(outside.is_empty(), "{outside:?} is open in {}", process.display());
    let limits = fs::read_to_string(process.join("limits")).unwrap();
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert!(core.split_whitespace().take(2).all(|bytes| bytes == "0"), "it may leave a core file: {core}");
    let maps = fs::read_to_string(process.join("maps")).unwrap();
    let is_shared = |line: &&str| line.split(' ').nth(1).is_some_and(|rights| rights.ends_with('s'));
    let shared: Vec<&str> = maps.lines().filter(is_shared).collect();
    assert!(maps.contains("rukun") && shared.is_empty(), "{shared:?}");
}

/// Registers families, each a whole interview, and mistypes one answer. Gives all that was said.
fn register(device: &Daemon) -> BTreeSet<String> {
    wait("the questionnaire", || device.status().survey.is_some_and(|survey| survey.questionnaire));
    let mut population = Population::new(0x1811);
    let mut wanted = BTreeSet::from([REFUSED, PASSPHRASE].map(String::from));
    for number in 1..=FAMILIES {
        let family = population.family(HOME.parse().unwrap(), number, number);
        texts(&family.interview, &mut wanted);
        wanted.insert(family.kk.clone());
        let (ink, patch, set) = (None, Some(family.interview), Vec::new());
        let added: WrittenShape =
            device.ask(Request::RecordAdd { region: HOME.into(), ink: ink.clone(), patch, set });
        let patch = Some(json!({"r304": REFUSED}));
        let refused = device.try_ask::<WrittenShape>(Request::RecordSet(Edit {
            record: added.record,
            ink,
            patch,
            set: Vec::new(),
        }));
        assert!(matches!(refused, Err(ClientError::Refused { .. })), "{refused:?}");
    }
    let numbers = wanted.iter().filter(|text| text.len() == 16 && text.parse::<u64>().is_ok()).count();
    assert!(numbers > 2 * FAMILIES as usize && wanted.len() > numbers + FAMILIES as usize, "{wanted:?}");
    wanted
}

/// Every answer in words, or in digits that nobody has by chance.
fn texts(answers: &Value, wanted: &mut BTreeSet<String>) {
    match answers {
        Value::Object(fields) => fields.values().for_each(|value| texts(value, wanted)),
        Value::String(text) if text.chars().count() >= TEXT_CHARS_MIN => drop(wanted.insert(text.clone())),
        _ => {}
    }
}

fn own_file(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
