//! The project's files as the tests read them: folders become lists of paths and texts, sorted.

use std::fs;
use std::path::{Path, PathBuf};

/// A file, its path relative to the project's root with `/` between the parts.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// The last part of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

pub(crate) fn exists(path: &str) -> bool {
    root().join(path).exists()
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The folders of the crates: `crates/change`, ..., `daemon`, `tests`.
pub(crate) fn crates() -> Vec<String> {
    let mut folders: Vec<String> = names("crates")
        .into_iter()
        .map(|name| format!("crates/{name}"))
        .filter(|folder| exists(&format!("{folder}/Cargo.toml")))
        .collect();
    folders.extend(["daemon".into(), "tests".into()]);
    folders
}

/// All files with this ending below a folder; none if there is no such folder.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<File> {
    let mut found = Vec::new();
    for name in names(folder) {
        let path = format!("{folder}/{name}");
        if root().join(&path).is_dir() {
            found.extend(files(&path, ending));
        } else if path.ends_with(ending) {
            let text = read(&path);
            found.push(File { path, text });
        }
    }
    found
}

fn names(folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}
