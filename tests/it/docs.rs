//! The documentation does what it says: commands are run as they stand, links lead somewhere, and everything that the
//! program can do is mentioned.
//!
//! In README.md and `docs`, a fenced block of `sh` or `console` is commands. Words behind the language say more:
//! `status=1` is how the last command ends, `norun=REASON` that the tests cannot run it (see [`REASONS`]), and
//! `file=NAME` at any language that the reader has the block in a file of that name. A block of `text shown` is part of
//! what the commands of `docs/convert.md` print.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::common::documents::{Document, all, command_lines, guides, is_commands};
use crate::common::{autoneural, root, stderr, stdout};

/// Why a block of commands is not run here.
const REASONS: &[(&str, &str)] = &[
    ("install", "installs packages, which the test of the wheel does"),
    ("checkout", "builds and tests the whole project"),
    ("models", "needs models of the reader's own"),
    ("packages", "needs Python packages that the tests have not"),
    ("terminal", "waits for somebody at a terminal"),
];

/// Most blocks that are not run.
const MOST_NOT_RUN: usize = 7;

/// README fits on two screens.
const README_LINES: usize = 95;
const README_BYTES: usize = 6 * 1024;

/// Blocks that are not run have a reason that is known, and are few; words behind a language are those that mean
/// something.
#[test]
fn blocks_say_what_is_done_with_them() {
    let mut left_out = 0;
    for document in guides() {
        for block in &document.blocks {
            let place = format!("{}:{}", document.name, block.line);
            assert!(!block.language.is_empty(), "{place}: a block without a language");
            let known = block.notes.keys().all(|key| matches!(key.as_str(), "file" | "norun" | "shown" | "status"));
            assert!(known, "{place}: {:?}", block.notes);
            if let Some(reason) = block.note("norun") {
                assert!(REASONS.iter().any(|(known, _)| *known == reason), "{place}: {reason}");
                left_out += 1;
            }
            if let Some(name) = block.note("file") {
                assert!(autoneural::text::stays_inside(Path::new(name)), "{place}: {name}");
            }
        }
    }
    assert!(left_out <= MOST_NOT_RUN, "{left_out} blocks are not run");
}

/// Command lines that are not run are at least understood: the command is there, and has these options.
#[test]
fn commands_that_are_not_run_are_understood() {
    let folder = TempDir::new().unwrap();
    for document in guides() {
        for block in document.blocks.iter().filter(|block| is_commands(block) && block.note("norun").is_some()) {
            for (line, command) in command_lines(block) {
                let joined = command.replace("\\\n", " ");
                let words = shlex::split(&joined).unwrap_or_else(|| panic!("{}:{line}: {joined}", document.name));
                let Some(at) = words.iter().position(|word| word == "autoneural" || word.ends_with("/autoneural"))
                else {
                    continue;
                };
                // A pipe or a redirection ends what is the program's.
                let own = words[at + 1..].iter().take_while(|word| !matches!(word.as_str(), "|" | ">" | "&&"));
                let output = Command::new(env!("CARGO_BIN_EXE_autoneural"))
                    .args(own)
                    .arg("--help")
                    .current_dir(folder.path())
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{}:{line}: {joined}\n{}", document.name, stderr(&output));
            }
        }
    }
}

#[test]
fn links_lead_somewhere() {
    let documents = all();
    let anchors: BTreeMap<PathBuf, &BTreeSet<String>> =
        documents.iter().map(|document| (root(&document.name).canonicalize().unwrap(), &document.anchors)).collect();
    assert!(documents.len() > 10);
    let mut wrong = Vec::new();
    for document in &documents {
        for link in &document.links {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').map_or((link.as_str(), None), |(path, name)| (path, Some(name)));
            let own = root(&document.name);
            let target = if path.is_empty() { own } else { own.with_file_name(path) };
            let Ok(target) = target.canonicalize() else {
                wrong.push(format!("{}: {link}", document.name));
                continue;
            };
            if anchor.is_some_and(|anchor| anchors.get(&target).is_none_or(|known| !known.contains(anchor))) {
                wrong.push(format!("{}: {link} (no such heading)", document.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every command and option, as the program's own help lists them.
fn help() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut commands, mut options) = (BTreeSet::new(), BTreeSet::new());
    let mut open = vec![vec![]];
    while let Some(command) = open.pop() {
        let words: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let output = autoneural(&words);
        // A line of prose may begin as a command does.
        if !output.status.success() {
            continue;
        }
        let text = stdout(&output);
        let has_commands = text.contains("<COMMAND>");
        for line in text.lines() {
            options.extend(option_of(line));
            let named = line.strip_prefix("  ").filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
            let name = named.and_then(|rest| rest.split("  ").next()).filter(|name| !name.contains(' '));
            if let Some(name) = name.filter(|name| *name != "help" && has_commands) {
                open.push([&command[..], &[name.to_string()]].concat());
            }
        }
        if !command.is_empty() {
            commands.insert(command.join(" "));
        }
    }
    assert!(commands.len() > 15 && options.len() > 30, "{commands:?} {options:?}");
    (commands, options)
}

/// The option that a line of a help text begins with.
fn option_of(line: &str) -> Option<String> {
    let line = line.strip_prefix("  ")?.trim_start();
    let long = match line.split_once(", ") {
        Some((short, long)) if short.len() == 2 && short.starts_with('-') => long,
        _ => line,
    };
    let name: String = long.strip_prefix("--")?.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
    Some(format!("--{name}"))
}

#[test]
fn every_command_and_option_is_mentioned() {
    let documents = guides();
    // What stands in backticks, and what is typed.
    let mut texts: Vec<&str> = Vec::new();
    for document in &documents {
        texts.extend(document.code.iter().map(String::as_str));
        texts.extend(document.blocks.iter().filter(|block| is_commands(block)).map(|block| block.text.as_str()));
    }
    let words: BTreeSet<&str> =
        texts.iter().flat_map(|text| text.split(|c: char| c.is_whitespace() || c == '=')).collect();
    let (commands, options) = help();
    let is_named =
        |command: &String| texts.iter().any(|text| text == command || text.contains(&format!("autoneural {command}")));
    let unnamed: Vec<&String> = commands.iter().filter(|command| !is_named(command)).collect();
    assert!(unnamed.is_empty(), "commands that no document mentions: {unnamed:?}");
    let unnamed: Vec<&String> = options
        .iter()
        .filter(|option| !words.contains(option.as_str()) && *option != "--help" && *option != "--version")
        .collect();
    assert!(unnamed.is_empty(), "options that no document mentions: {unnamed:?}");
}

/// What a document calls an option of the program is one.
#[test]
fn options_that_are_mentioned_exist() {
    let (_, known) = help();
    let mut wrong = Vec::new();
    for document in guides() {
        for code in document.code.iter().filter(|code| code.starts_with("--")) {
            let name: String = code.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            if !known.contains(&name) {
                wrong.push(format!("{}: `{code}`", document.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Files and folders of the project that documents name are there, those in a sketch of it among them.
#[test]
fn paths_that_are_mentioned_exist() {
    // A reader's own project has folders of the same names as the others.
    const FOLDERS: [&str; 7] = ["crates/", "src/", "tests/", "tools/", "docs/", "graphs/", "workflows/"];
    let mut wrong = Vec::new();
    for document in all() {
        let sketches = document.blocks.iter().filter(|block| block.language == "text").map(|block| &block.text);
        let words = document.code.iter().chain(sketches).flat_map(|text| text.split([' ', '\n', ',', '(', ')', '`']));
        for word in words {
            let is_pattern = word.contains(['*', '…', '{', '<']) || word.chars().any(|c| c.is_ascii_uppercase());
            let is_path = FOLDERS.iter().any(|folder| word.starts_with(folder));
            if is_path && !is_pattern && !root(word).exists() {
                wrong.push(format!("{}: {word}", document.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_readme_fits_on_two_screens() {
    let readme = Document::read(&root("README.md"));
    let lines = readme.text.lines().count();
    assert!(lines <= README_LINES && readme.text.len() <= README_BYTES, "{lines} lines, {} bytes", readme.text.len());
    for wanted in ["make demo", "make test", "autoneural demo"] {
        assert!(readme.blocks.iter().any(|block| block.text.contains(wanted)), "{wanted}");
    }
    let unlinked: Vec<String> = guides()
        .into_iter()
        .map(|document| document.name)
        .filter(|name| name != "README.md" && !readme.links.contains(name))
        .collect();
    assert!(unlinked.is_empty(), "README.md does not lead to {unlinked:?}");
}

#[test]
fn nothing_is_left_to_be_measured() {
    for document in all() {
        assert!(!document.text.contains(concat!("TODO", "-MEASURE")), "{}", document.name);
    }
}
