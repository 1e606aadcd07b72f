//! What the manifests may say. The table of crates is the trust boundary: what can't be named can't
//! be called.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::source::tokens;
use crate::tree;

/// Which crates of this workspace each may name, along the data path. `wire` and `reconcile` never see
/// a checked change, `store` and `document` never an unchecked one.
const MAY_NAME: [(&str, &[&str]); 12] = [
    ("rukun-change", &[]),
    ("rukun-wire", &["rukun-change"]),
    ("rukun-authority", &["rukun-change"]),
    ("rukun-reconcile", &["rukun-change", "rukun-wire"]),
    ("rukun-enrolment", &["rukun-change", "rukun-wire", "rukun-authority"]),
    ("rukun-bundle", &["rukun-change", "rukun-authority"]),
    ("rukun-store", &["rukun-change", "rukun-authority"]),
    ("rukun-document", &["rukun-change", "rukun-authority"]),
    ("rukun-evidence", &["rukun-change", "rukun-authority", "rukun-document"]),
    (
        "rukun-replica",
        &[
            "rukun-change",
            "rukun-wire",
            "rukun-authority",
            "rukun-reconcile",
            "rukun-enrolment",
            "rukun-store",
            "rukun-document",
            "rukun-evidence",
            "rukun-bundle",
        ],
    ),
    ("rukun", &["rukun-replica", "rukun-evidence", "rukun-document", "rukun-authority", "rukun-change"]),
    (
        "rukun-tests",
        &[
            "rukun",
            "rukun-replica",
            "rukun-evidence",
            "rukun-bundle",
            "rukun-document",
            "rukun-store",
            "rukun-reconcile",
            "rukun-enrolment",
            "rukun-authority",
            "rukun-wire",
            "rukun-change",
        ],
    ),
];

/// A large library and the one crate that names it.
struct Pillar {
    library: &'static str,
    home: &'static str,
    /// Whether tests of other crates may hold their own work against it.
    is_oracle: bool,
}

const PILLARS: [Pillar; 11] = [
    Pillar { library: "automerge", home: "rukun-document", is_oracle: true },
    Pillar { library: "ed25519-dalek", home: "rukun-authority", is_oracle: true },
    Pillar { library: "redb", home: "rukun-store", is_oracle: false },
    Pillar { library: "chacha20poly1305", home: "rukun-store", is_oracle: false },
    Pillar { library: "argon2", home: "rukun-store", is_oracle: false },
    Pillar { library: "zstd", home: "rukun-wire", is_oracle: false },
    Pillar { library: "quinn", home: "rukun", is_oracle: false },
    Pillar { library: "rustls", home: "rukun", is_oracle: false },
    Pillar { library: "tokio", home: "rukun", is_oracle: false },
    Pillar { library: "axum", home: "rukun", is_oracle: false },
    Pillar { library: "clap", home: "rukun", is_oracle: false },
];

/// Tests cross every boundary: that is what they are for.
const TESTS: &str = "rukun-tests";

/// What one manifest says.
struct Manifest {
    path: String,
    name: String,
    table: Table,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    section: String,
    name: String,
    value: Value,
}

impl Dependency {
    fn is_for_tests(&self) -> bool {
        self.section.ends_with("dev-dependencies")
    }
}

fn manifests() -> Vec<Manifest> {
    tree::crates().into_iter().map(|folder| Manifest::read(format!("{folder}/Cargo.toml"))).collect()
}

impl Manifest {
    fn read(path: String) -> Self {
        let table: Table = tree::read(&path).parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        let name = table["package"]["name"].as_str().unwrap().to_owned();
        let mut dependencies = dependencies_in(&table, "");
        if let Some(Value::Table(targets)) = table.get("target") {
            for (target, table) in targets {
                dependencies.extend(dependencies_in(table.as_table().unwrap(), &format!("{target} ")));
            }
        }
        Self { path, name, table, dependencies }
    }
}

fn dependencies_in(table: &Table, prefix: &str) -> Vec<Dependency> {
    let mut found = Vec::new();
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(Value::Table(named)) = table.get(section) else { continue };
        found.extend(named.iter().map(|(key, value)| {
            let renamed = value.get("package").and_then(Value::as_str);
            let name = renamed.unwrap_or(key).to_owned();
            Dependency { section: format!("{prefix}{section}"), name, value: value.clone() }
        }));
    }
    found
}

#[test]
fn a_crate_names_only_those_that_the_table_allows() {
    let manifests = manifests();
    let ours: BTreeSet<&str> = manifests.iter().map(|manifest| manifest.name.as_str()).collect();
    let listed: BTreeSet<&str> = MAY_NAME.iter().map(|(name, _)| *name).collect();
    assert_eq!(ours, listed, "the table in this file and the crates of the workspace differ");
    for Manifest { path, name, dependencies, .. } in &manifests {
        let (_, allowed) = MAY_NAME.iter().find(|(listed, _)| listed == name).unwrap();
        for Dependency { section, name: named, .. } in dependencies {
            assert!(
                !ours.contains(named.as_str()) || allowed.contains(&named.as_str()),
                "{path} names {named} under [{section}], but {name} may name only {allowed:?}: what it needs \
                 belongs in a crate that it may name, or the data path has changed and docs/architecture.md \
                 with it"
            );
        }
    }
}

#[test]
fn each_large_library_is_named_in_one_manifest() {
    let manifests = manifests();
    for Pillar { library, home, is_oracle } in PILLARS {
        for manifest in manifests.iter().filter(|manifest| manifest.name != TESTS && manifest.name != home) {
            let named = manifest
                .dependencies
                .iter()
                .find(|dependency| dependency.name == library && !(is_oracle && dependency.is_for_tests()));
            assert!(
                named.is_none(),
                "{} names {library}, which belongs to {home} alone: ask that crate for what is needed",
                manifest.path
            );
        }
        let home = manifests.iter().find(|manifest| manifest.name == home).unwrap();
        assert!(
            home.dependencies.iter().any(|dependency| dependency.name == library),
            "{} no longer names {library}: take the pillar out of this test",
            home.path
        );
    }
}

#[test]
fn a_crate_is_called_as_its_folder_and_shares_the_workspace_s_settings() {
    for Manifest { path, name, table, .. } in manifests() {
        let folder = path.strip_suffix("/Cargo.toml").unwrap();
        let expected = match folder.strip_prefix("crates/") {
            Some(name) => format!("rukun-{name}"),
            None if folder == "daemon" => "rukun".into(),
            None => format!("rukun-{folder}"),
        };
        assert_eq!(name, expected, "{path}: the folder and the package are called differently");
        let shares = |value: Option<&Value>| value.and_then(|value| value.get("workspace")?.as_bool());
        assert_eq!(shares(table.get("lints")), Some(true), "{path} lacks [lints] workspace = true");
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            let value = table["package"].get(key);
            assert_eq!(shares(value), Some(true), "{path} lacks {key}.workspace = true");
        }
    }
}

#[test]
fn versions_of_libraries_stand_in_the_root_manifest_alone() {
    for Manifest { path, dependencies, .. } in manifests() {
        for Dependency { section, name, value } in dependencies {
            assert_eq!(
                value.get("workspace").and_then(Value::as_bool),
                Some(true),
                "{path}: [{section}] {name} has a version or path of its own; put it into the root's \
                 [workspace.dependencies] and write {name}.workspace = true"
            );
        }
    }
}

/// The fuzzer's programs are built outside of this workspace, and take from here what they attack with.
#[test]
fn the_fuzzer_s_manifest_names_what_its_targets_use() {
    let named = |path: &str| -> BTreeSet<String> {
        let dependencies = Manifest::read(path.into()).dependencies.into_iter();
        dependencies.map(|dependency| dependency.name.replace('-', "_")).collect()
    };
    let (ours, fuzzer) = (named("tests/Cargo.toml"), named("tests/fuzz/Cargo.toml"));
    let targets = tree::files("tests/src/fuzz", ".rs");
    assert!(!targets.is_empty(), "the targets have moved: this test no longer sees them");
    for file in targets {
        for pair in tokens(&file.text).windows(2) {
            let [library, colons] = pair else { continue };
            assert!(
                colons != "::" || !ours.contains(library) || fuzzer.contains(library),
                "{} uses {library}, which tests/fuzz/Cargo.toml does not name",
                file.path
            );
        }
    }
}

#[test]
fn clippy_bans_the_world_below_the_daemon() {
    let path = "crates/clippy.toml";
    let table: Table = tree::read(path).parse().unwrap();
    let banned: BTreeSet<&str> = ["disallowed-types", "disallowed-methods"]
        .into_iter()
        .flat_map(|list| table.get(list).and_then(Value::as_array).into_iter().flatten())
        .map(|entry| entry.get("path").unwrap_or(entry).as_str().unwrap())
        .collect();
    let world = [
        ("a clock", "std::time::Instant::now"),
        ("a clock", "std::time::SystemTime::now"),
        ("the order of a hash map", "std::collections::HashMap"),
        ("the order of a hash set", "std::collections::HashSet"),
        ("a socket", "std::net::TcpStream"),
        ("a socket", "std::net::TcpListener"),
        ("a socket", "std::net::UdpSocket"),
        ("a file", "std::fs::File"),
        ("a file", "std::fs::read"),
        ("a file", "std::fs::write"),
        ("a thread", "std::thread::spawn"),
        ("the environment", "std::env::var"),
    ];
    for (what, item) in world {
        assert!(banned.contains(item), "{path} no longer bans {item}, which is {what}");
    }
    let below = manifests().into_iter().filter(|manifest| manifest.path.starts_with("crates/"));
    for Manifest { path, dependencies, .. } in below {
        for library in ["getrandom", "rand", "tempfile", "tracing-subscriber"] {
            let named = dependencies.iter().find(|dependency| dependency.name == library);
            assert!(
                named.is_none_or(Dependency::is_for_tests),
                "{path} names {library}: entropy and files are the daemon's"
            );
        }
    }
}

#[test]
fn no_crate_turns_the_lints_off() {
    let root: Table = tree::read("Cargo.toml").parse().unwrap();
    let rust = &root["workspace"]["lints"]["rust"];
    assert_eq!(rust["unsafe_code"].as_str(), Some("forbid"), "the root manifest must forbid unsafe code");
    for lint in ["unwrap_used", "indexing_slicing"] {
        let level = root["workspace"]["lints"]["clippy"].get(lint).and_then(Value::as_str);
        assert_eq!(level, Some("warn"), "the root manifest must warn of clippy::{lint}");
    }
    for folder in tree::crates().iter().filter(|folder| *folder != "tests") {
        for file in tree::files(&format!("{folder}/src"), ".rs") {
            let allows = file.text.lines().any(|line| line.trim_start().starts_with("#![allow("));
            assert!(!allows, "{} allows a lint for a whole file; use #[expect] on the item", file.path);
        }
    }
}
