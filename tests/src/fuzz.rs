//! Fuzzing: for every decoder that reads bytes from a peer or a file one function that takes any
//! bytes and holds what comes out to its promises. A fuzzer calls them with what it makes up, and
//! ordinary tests with what was kept. How to run one is in `tests/fuzz/`.

mod body;
mod bundle;
mod change;
mod chunk;
mod enrolment;
mod evidence;
mod frame;
mod image;
mod input;
mod officers;
mod patch;
mod people;
mod pool;
mod prelist;
mod questionnaire;
mod seeds;
mod session;
mod statement;
mod store;
mod survey;

/// A decoder under attack.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, under which seeds and findings are kept.
    pub name: &'static str,
    /// Takes any bytes; panics where a promise is broken.
    pub run: fn(&[u8]),
    /// Inputs to start from, by name.
    pub seeds: fn() -> Vec<(String, Vec<u8>)>,
}

/// All of them.
pub const TARGETS: [Target; 14] = [
    Target { name: "frame", run: frame::run, seeds: seeds::frame },
    Target { name: "body", run: body::run, seeds: seeds::body },
    Target { name: "change", run: change::run, seeds: seeds::change },
    Target { name: "statement", run: statement::run, seeds: seeds::statement },
    Target { name: "evidence", run: evidence::run, seeds: seeds::evidence },
    Target { name: "bundle", run: bundle::run, seeds: seeds::bundle },
    Target { name: "session", run: session::run, seeds: seeds::session },
    Target { name: "enrolment", run: enrolment::run, seeds: seeds::enrolment },
    Target { name: "patch", run: patch::run, seeds: seeds::patch },
    Target { name: "questionnaire", run: questionnaire::run, seeds: seeds::questionnaire },
    Target { name: "prelist", run: prelist::run, seeds: seeds::prelist },
    Target { name: "officers", run: officers::run, seeds: seeds::officers },
    Target { name: "survey", run: survey::run, seeds: seeds::survey },
    Target { name: "store", run: store::run, seeds: seeds::store },
];

/// The target of this name.
///
/// # Panics
/// If there is none.
pub fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.name == name).expect("the target is in the list")
}
