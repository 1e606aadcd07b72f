//! That no modules of a crate form a circle: whoever reads one must be able to stop at what it
//! names. Only siblings are held against each other; a module and its own children may know one
//! another. Tests don't count.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::source::{paths_at, tokens};
use crate::tree::{self, File};

/// The path of a module within its crate; empty for the crate's root.
type Module = Vec<String>;

/// The modules of one crate: their tokens, without tests.
struct Modules {
    tokens: BTreeMap<Module, Vec<String>>,
    /// What each module gives out under another module's name.
    given: BTreeMap<Module, BTreeMap<String, Module>>,
}

/// That one module names another, and where.
#[derive(Clone, Debug)]
struct Step {
    to: Module,
    named: String,
}

impl Modules {
    /// Files by their path below `src`.
    fn of<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut modules = BTreeMap::new();
        let mut only_tests = Vec::new();
        for (path, text) in files {
            let is_program = path == "main.rs" || path.starts_with("bin/");
            if is_program {
                continue;
            }
            let module = module_of(path);
            let (tokens, tests) = without_tests(&tokens(text));
            only_tests.extend(tests.into_iter().map(|name| child(&module, &name)));
            modules.insert(module, tokens);
        }
        modules.retain(|module, _| !only_tests.iter().any(|tests| module.starts_with(tests)));
        let mut modules = Self { tokens: modules, given: BTreeMap::new() };
        // Twice, so that what is given out again is followed to where it comes from.
        for (module, tokens) in modules.tokens.iter().chain(&modules.tokens) {
            let given = modules.given_by(module, tokens);
            modules.given.insert(module.clone(), given);
        }
        modules
    }

    /// What a module re-exports: the name, and the module that it comes from.
    fn given_by(&self, module: &Module, tokens: &[String]) -> BTreeMap<String, Module> {
        let mut given = BTreeMap::new();
        let uses = (1..tokens.len())
            .filter(|at| tokens[*at] == "use" && (tokens[*at - 1] == "pub" || tokens[*at - 1] == ")"));
        for at in uses {
            for path in paths_at(tokens, at + 1) {
                let from = match path.segments[0].as_str() {
                    "crate" | "self" | "super" => self.resolve(module, &path.segments),
                    name if self.tokens.contains_key(&child(module, name)) => {
                        let (first, rest) = path.segments.split_first().unwrap();
                        self.walk(child(module, first), rest)
                    }
                    _ => continue,
                };
                given.insert(path.name, from);
            }
        }
        given
    }

    /// The module that defines what a path names.
    fn resolve(&self, from: &Module, segments: &[String]) -> Module {
        let mut at = from.clone();
        let mut rest = segments;
        while let Some((first, more)) = rest.split_first() {
            match first.as_str() {
                "crate" => at.clear(),
                "super" => drop(at.pop()),
                "self" => {}
                _ => break,
            }
            rest = more;
        }
        self.walk(at, rest)
    }

    fn walk(&self, mut at: Module, segments: &[String]) -> Module {
        for segment in segments {
            let inner = child(&at, segment);
            if self.tokens.contains_key(&inner) {
                at = inner;
            } else if let Some(from) = self.given.get(&at).and_then(|given| given.get(segment)) {
                at.clone_from(from);
            } else {
                break;
            }
        }
        at
    }

    /// Who names whom among siblings, with an example each.
    fn steps(&self) -> BTreeMap<Module, Vec<Step>> {
        let mut steps: BTreeMap<Module, Vec<Step>> = BTreeMap::new();
        for (module, tokens) in &self.tokens {
            for at in 0..tokens.len() {
                let begins = ["crate", "super", "self"].contains(&tokens[at].as_str())
                    && tokens.get(at + 1).is_some_and(|next| next == "::")
                    && (at == 0 || tokens[at - 1] != "::");
                if !begins {
                    continue;
                }
                for path in paths_at(tokens, at) {
                    let named = self.resolve(module, &path.segments);
                    let common = module.iter().zip(&named).take_while(|(one, other)| one == other).count();
                    if common == module.len() || common == named.len() {
                        continue;
                    }
                    let (from, to) = (module[..=common].to_vec(), named[..=common].to_vec());
                    let known = steps.entry(from).or_default();
                    if known.iter().all(|step| step.to != to) {
                        let named = format!("{}.rs names {}", module.join("/"), path.segments.join("::"));
                        known.push(Step { to, named });
                    }
                }
            }
        }
        steps
    }

    /// The shortest circle through each module that is in one, each circle once.
    fn circles(&self) -> Vec<String> {
        let steps = self.steps();
        let mut told: BTreeSet<BTreeSet<Module>> = BTreeSet::new();
        let mut circles = Vec::new();
        for start in steps.keys() {
            let Some(circle) = shortest_circle(&steps, start) else { continue };
            if told.insert(circle.iter().map(|step| step.to.clone()).collect()) {
                let told: Vec<&str> = circle.iter().map(|step| step.named.as_str()).collect();
                circles.push(told.join(", "));
            }
        }
        circles
    }
}

fn shortest_circle(steps: &BTreeMap<Module, Vec<Step>>, start: &Module) -> Option<Vec<Step>> {
    let mut ways = VecDeque::from([(start, Vec::new())]);
    let mut seen = BTreeSet::new();
    while let Some((at, way)) = ways.pop_front() {
        for step in steps.get(at).into_iter().flatten() {
            let way: Vec<Step> = way.iter().chain([step]).cloned().collect();
            if step.to == *start {
                return Some(way);
            }
            if seen.insert(&step.to) {
                ways.push_back((&step.to, way));
            }
        }
    }
    None
}

fn module_of(path: &str) -> Module {
    let parts: Module = path.trim_end_matches(".rs").split('/').map(String::from).collect();
    if parts == ["lib"] { Vec::new() } else { parts }
}

fn child(module: &Module, name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// The tokens outside tests, and the names of modules that are tests in files of their own.
fn without_tests(tokens: &[String]) -> (Vec<String>, Vec<String>) {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut files = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !tokens[at..].iter().take(mark.len()).eq(mark.iter()) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += mark.len();
        let end = tokens[at..].iter().position(|token| token == ";" || token == "{").map(|end| at + end);
        let Some(end) = end else { break };
        if tokens[end] == ";" {
            let name = tokens[at..end].windows(2).find(|pair| pair[0] == "mod").map(|pair| pair[1].clone());
            files.extend(name);
            at = end + 1;
            continue;
        }
        let mut depth = 0;
        at = end;
        while at < tokens.len() {
            depth += i32::from(tokens[at] == "{") - i32::from(tokens[at] == "}");
            at += 1;
            if depth == 0 {
                break;
            }
        }
    }
    (kept, files)
}

#[test]
fn no_modules_of_a_crate_form_a_circle() {
    let mut circles = Vec::new();
    for folder in tree::crates() {
        let src = format!("{folder}/src");
        let files: Vec<File> = tree::files(&src, ".rs");
        let below = |file: &'_ File| file.path[src.len() + 1..].to_owned();
        let files: Vec<(String, &str)> = files.iter().map(|file| (below(file), file.text.as_str())).collect();
        let modules = Modules::of(files.iter().map(|(path, text)| (path.as_str(), *text)));
        circles.extend(modules.circles().into_iter().map(|circle| format!("{src}: {circle}")));
    }
    assert!(
        circles.is_empty(),
        "{} circle(s) of modules; move what both need into a module that names neither:\n{}",
        circles.len(),
        circles.join("\n")
    );
}

#[test]
fn a_circle_is_found_through_a_re_export_and_a_nested_module() {
    let files = [
        ("lib.rs", "mod a; pub use a::{A, Aa as Other}; mod b; mod c;"),
        ("a.rs", "use crate::b::{self, B};"),
        ("b.rs", "mod deep;"),
        ("b/deep.rs", "fn f() -> crate::Other { super::super::c::g() }"),
        ("c.rs", "use super::a;"),
    ];
    let circles = Modules::of(files.into_iter()).circles();
    let expected = [
        "a.rs names crate::b, b/deep.rs names crate::Other",
        "c.rs names super::a, a.rs names crate::b, b/deep.rs names super::super::c::g",
    ];
    assert_eq!(circles, expected);
}

#[test]
fn tests_parents_and_comments_make_no_circle() {
    let files = [
        ("lib.rs", "mod a; mod b; #[cfg(test)] mod fixture;"),
        ("a.rs", "mod inner; pub(crate) use inner::I; use crate::b::B; fn f() -> I {}"),
        ("a/inner.rs", "use super::A; use self::x;"),
        ("b.rs", "// crate::a::A\n#[cfg(test)] mod tests { use crate::a::A; use crate::fixture::F; }"),
        ("fixture.rs", "use crate::a::A; use crate::b::B;"),
    ];
    assert_eq!(Modules::of(files.into_iter()).circles(), Vec::<String>::new());
}
