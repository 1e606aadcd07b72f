//! That the documents speak of what is there: every crate and no ghost, links that lead somewhere,
//! commands that exist.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory};
use rukun::args::Cli;

use crate::tree::{self, File};

const MAP: &str = "docs/architecture.md";

fn documents() -> Vec<File> {
    let mut documents = tree::files("docs", ".md");
    documents.push(File { path: "README.md".into(), text: tree::read("README.md") });
    documents
}

/// What stands in backticks within lines, code blocks left out.
fn code_spans(text: &str) -> Vec<String> {
    let mut in_block = false;
    let mut spans = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            spans.extend(line.split('`').skip(1).step_by(2).map(String::from));
        }
    }
    spans
}

/// The lines of the blocks that are commands for a shell, without the prompt.
fn commands(text: &str) -> Vec<String> {
    let mut in_shell = false;
    let mut commands = Vec::new();
    for line in text.lines() {
        match line.trim() {
            "```sh" | "```console" => in_shell = true,
            "```" => in_shell = false,
            line if in_shell => commands.push(line.strip_prefix("$ ").unwrap_or(line).to_owned()),
            _ => {}
        }
    }
    commands
}

#[test]
fn the_map_names_every_crate_and_no_ghost() {
    let map = tree::read(MAP);
    let there: BTreeSet<String> = tree::crates().into_iter().collect();
    for folder in &there {
        let heading = map.lines().any(|line| line.starts_with("##") && line.contains(&format!("`{folder}`")));
        assert!(heading, "{MAP} has no heading for `{folder}`");
    }
    let words = map.split(|letter: char| !(letter.is_alphanumeric() || "/_-.".contains(letter)));
    let named =
        words.filter_map(|word| word.strip_prefix("crates/")?.trim_end_matches('.').split('/').next());
    let ghosts: BTreeSet<&str> = named
        .filter(|name| !name.is_empty() && !name.contains('.') && !there.contains(&format!("crates/{name}")))
        .collect();
    assert!(ghosts.is_empty(), "{MAP} names crates that are not there: {ghosts:?}");
}

#[test]
fn a_path_that_a_document_names_is_there() {
    for File { path, text } in documents() {
        for span in code_spans(&text) {
            let ours =
                ["crates/", "daemon/", "tests/", "docs/", ".ci/"].iter().any(|top| span.starts_with(top));
            assert!(!ours || tree::exists(&span), "{path} names `{span}`, which is not there");
        }
    }
}

#[test]
fn a_link_from_one_document_to_another_leads_somewhere() {
    for File { path, text } in documents() {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            let elsewhere = target.is_empty() || target.contains("://");
            let target = format!("{folder}/{target}");
            assert!(elsewhere || tree::exists(target.trim_start_matches('/')), "{path} links to {link}");
        }
    }
}

#[test]
fn the_two_commands_of_the_readme_are_there_and_name_what_exists() {
    let commands = commands(&tree::read("README.md"));
    for wanted in ["cargo run --release -- demo", "cargo test --workspace"] {
        assert!(commands.iter().any(|command| command == wanted), "README.md lacks the command {wanted:?}");
    }
    let packages: Vec<String> = tree::crates()
        .iter()
        .map(|folder| tree::read(&format!("{folder}/Cargo.toml")).parse::<toml::Table>().unwrap())
        .map(|manifest| manifest["package"]["name"].as_str().unwrap().to_owned())
        .collect();
    for command in commands.iter().filter(|command| command.starts_with("cargo ")) {
        let words: Vec<&str> = command.split_whitespace().take_while(|word| *word != "--").collect();
        let after = |flag: &str| words.windows(2).find(|pair| pair[0] == flag).map(|pair| pair[1].to_owned());
        if let Some(package) = after("-p") {
            assert!(packages.contains(&package), "README.md: {command:?} names no package of ours");
        }
        if let Some(program) = after("--bin") {
            let file = format!("tests/src/bin/{program}.rs");
            assert!(tree::exists(&file), "README.md: {command:?} names a program that {file} should hold");
        }
    }
}

/// The subcommand that these words begin with; of the words after it nothing is known here.
fn is_command(words: &[&str], command: &Command) -> bool {
    let Some(at) = words.iter().position(|word| !word.starts_with('-')) else { return true };
    match command.find_subcommand(words[at]) {
        Some(verb) => is_command(&words[at + 1..], verb),
        None => command.get_subcommands().next().is_none() || !command.is_subcommand_required_set(),
    }
}

#[test]
fn every_verb_and_flag_that_a_document_names_is_one_of_the_program() {
    let program = Cli::command();
    let mut flags: BTreeSet<String> = BTreeSet::new();
    collect_flags(&program, &mut flags);
    // What is spelt out in the formats are bytes, not commands.
    for File { path, text } in documents().into_iter().filter(|file| file.name() != "formats.md") {
        let spans = code_spans(&text).into_iter().chain(commands(&text));
        for said in spans {
            let words: Vec<&str> = match said.strip_prefix("cargo run --release -- ") {
                Some(rest) => rest.split_whitespace().collect(),
                None => match said.strip_prefix("rukun ") {
                    Some(rest) => rest.split_whitespace().collect(),
                    None => continue,
                },
            };
            assert!(is_command(&words, &program), "{path} says {said:?}, which the program does not have");
            for flag in words.iter().filter(|word| word.starts_with("--") && word.len() > 2) {
                assert!(flags.contains(&flag[2..]), "{path} says {said:?}, but there is no {flag}");
            }
        }
    }
}

fn collect_flags(command: &Command, flags: &mut BTreeSet<String>) {
    flags.extend(["help".into(), "version".into()]);
    flags.extend(command.get_arguments().filter_map(|argument| argument.get_long().map(String::from)));
    for verb in command.get_subcommands() {
        collect_flags(verb, flags);
    }
}

#[test]
fn every_document_is_linked_from_the_readme() {
    let readme = tree::read("README.md");
    for File { path, .. } in tree::files("docs", ".md") {
        assert!(readme.contains(&format!("({path})")), "README.md does not link to {path}");
    }
}

#[test]
fn a_verb_that_is_not_there_is_found() {
    let is_there = |said: &str| is_command(&said.split_whitespace().collect::<Vec<_>>(), &Cli::command());
    assert!(
        is_there("conflicts show RECORD") && is_there("conflicts --kind field") && is_there("--json status")
    );
    assert!(!is_there("frobnicate") && !is_there("record frobnicate 1811"));
}

#[test]
fn commands_and_code_are_told_apart() {
    let text = "`a b` and\n```sh\n$ cargo x\n# note\n```\n```text\n`no`\n```\n`c`";
    assert_eq!(code_spans(text), ["a b", "c"]);
    assert_eq!(commands(text), ["cargo x", "# note"]);
}
