//! A copy of the workspace becomes worlds, each with one bug in its product. A compiler wrapper adds the `--cfg`; only
//! crates that name the bug, or the one before it, and what depends on those are compiled, and of them what is
//! another. What they depend on comes from the workspace's own builds. The workspace itself is only read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::workspace;

/// As for tests, whose libraries are taken over.
const PROFILE: [&str; 1] = ["profile.dev.debug=false"];
/// What the wrapper reads the name of the bug from.
const VARIABLE: &str = "RUKUN_PLANTED";

/// A copy of the workspace, in which bugs are planted.
#[derive(Debug)]
pub struct Scratch {
    /// Where everything of it lies: the copy, the wrapper, the world that was built last.
    folder: PathBuf,
    /// Which crates name which bug.
    crates: BTreeMap<String, BTreeSet<PathBuf>>,
}

impl Scratch {
    /// A copy of the workspace as it is, committed or not.
    ///
    /// # Panics
    /// If git cannot say what belongs to the workspace, or the disk does not take the copy.
    pub fn of_workspace() -> Self {
        let folder = workspace().join("target/planted");
        let copy = folder.join("workspace");
        let files = files_of(&workspace());
        for file in &files {
            refresh(&workspace().join(file), &copy.join(file));
        }
        remove_others(&copy, &copy, &files);
        let wrapper = folder.join("rustc");
        let text = format!("#!/bin/sh\nexec \"$@\" ${{{VARIABLE}:+--cfg \"planted=\\\"${VARIABLE}\\\"\"}}\n");
        fs::write(&wrapper, text).expect("a wrapper is written");
        fs::set_permissions(&wrapper, PermissionsExt::from_mode(0o755)).expect("a wrapper can be run");
        let crates = crates_by_bug(&copy, &files);
        Self { folder, crates }
    }

    /// The world with this bug in it, or none: the program's path, until the next is built.
    ///
    /// # Panics
    /// If it does not compile.
    pub fn build(&self, bug: Option<&str>) -> PathBuf {
        self.mark(bug.unwrap_or_default());
        let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
        let target = workspace().join("target");
        let built = Command::new(cargo)
            .args(["build", "--quiet", "-p", "rukun-tests", "--bin", "world", "--target-dir"])
            .arg(&target)
            .args(PROFILE.iter().flat_map(|line| ["--config", line]))
            .env("RUSTC_WORKSPACE_WRAPPER", self.folder.join("rustc"))
            .env(VARIABLE, bug.unwrap_or_default())
            .env("CARGO_INCREMENTAL", "1")
            .current_dir(self.folder.join("workspace"))
            .status();
        assert!(built.expect("cargo starts").success(), "{} does not compile", bug.unwrap_or("the product"));
        // Whoever builds in the workspace meanwhile puts another program in its place.
        let program = self.folder.join("world");
        drop(fs::remove_file(&program));
        let built = target.join("debug/world");
        fs::copy(&built, &program).expect("the world was built");
        // Whoever types its name next has it built again, and does not run the bug's.
        drop(fs::remove_file(&built));
        program
    }

    /// Has those crates compiled again that name the bug, or the one that was planted before. The name is written down
    /// first: a build that is broken off leaves what it did not come to marked.
    fn mark(&self, bug: &str) {
        let now = self.folder.join("now");
        let before = fs::read_to_string(&now).unwrap_or_default();
        fs::write(&now, bug).expect("a name is written");
        if before == bug {
            return;
        }
        for lib in [before.as_str(), bug].iter().filter_map(|name| self.crates.get(*name)).flatten() {
            let file = File::options().append(true).open(lib).expect("a crate has a root");
            file.set_modified(SystemTime::now()).expect("a file of ours takes a time");
        }
    }
}

/// What belongs to the workspace, by git's word: what is ignored does not.
fn files_of(folder: &Path) -> BTreeSet<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(folder)
        .output()
        .expect("git starts");
    assert!(listed.status.success(), "git does not say what belongs to {}", folder.display());
    let text = String::from_utf8(listed.stdout).expect("our files have names in UTF-8");
    let files = text.split_terminator('\0').map(PathBuf::from);
    files.filter(|file| folder.join(file).is_file()).collect()
}

/// Copies what is not the same: what is keeps its time, and is not compiled again.
fn refresh(from: &Path, to: &Path) {
    let content = fs::read(from).expect("a file of the workspace can be read");
    if fs::read(to).is_ok_and(|held| held == content) {
        return;
    }
    fs::create_dir_all(to.parent().expect("a file lies in a folder")).expect("a folder is made");
    fs::copy(from, to).expect("a file is copied");
    let file = File::options().append(true).open(to).expect("a copy can be opened");
    file.set_modified(SystemTime::now()).expect("a file of ours takes a time");
}

/// Removes what the workspace no longer has: a program found in its folder would be built.
fn remove_others(copy: &Path, folder: &Path, files: &BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the copy can be listed") {
        let path = entry.expect("the copy can be listed").path();
        if path.is_dir() {
            remove_others(copy, &path, files);
        } else if !files.contains(path.strip_prefix(copy).expect("it lies in the copy")) {
            fs::remove_file(&path).expect("a file of ours can be removed");
        }
    }
}

/// The root files of the crates whose sources name a bug.
fn crates_by_bug(copy: &Path, files: &BTreeSet<PathBuf>) -> BTreeMap<String, BTreeSet<PathBuf>> {
    let mut found = BTreeMap::<String, BTreeSet<PathBuf>>::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "rs")) {
        let mut parts = file.iter();
        let (Some(first), Some(name), Some(src)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        if first != "crates" || src != "src" {
            continue;
        }
        let lib = copy.join(first).join(name).join("src/lib.rs");
        let text = fs::read_to_string(copy.join(file)).expect("a source is text");
        for bug in text.split("cfg!(planted = \"").skip(1).filter_map(|rest| rest.split('"').next()) {
            found.entry(bug.to_owned()).or_default().insert(lib.clone());
        }
    }
    found
}
