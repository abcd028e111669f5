//! Markdown files of the project as the tests read them: blocks of code, links, headings and their anchors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd};

use crate::common::root;

/// A Markdown file.
pub struct Document {
    /// Path from the project's folder.
    pub name: String,
    pub text: String,
    pub blocks: Vec<Block>,
    /// Where links and pictures lead.
    pub links: Vec<String>,
    /// Words in backticks.
    pub code: Vec<String>,
    pub anchors: BTreeSet<String>,
}

/// A fenced block of code.
pub struct Block {
    /// Line of the first line of its text in the file, from 1.
    pub line: usize,
    pub language: String,
    /// Words behind the language: `key=value`, or `key` alone.
    pub notes: BTreeMap<String, String>,
    pub text: String,
}

impl Document {
    pub fn read(path: &Path) -> Self {
        let name = path.strip_prefix(root(".")).unwrap().to_str().expect("UTF-8").to_string();
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut document = Document {
            name,
            text: String::new(),
            blocks: Vec::new(),
            links: Vec::new(),
            code: Vec::new(),
            anchors: BTreeSet::new(),
        };
        let mut heading: Option<String> = None;
        let mut block: Option<Block> = None;
        let options = Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS;
        for (event, place) in Parser::new_ext(&text, options).into_offset_iter() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => document.add_anchor(&heading.take().unwrap_or_default()),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    document.links.push(dest_url.into_string());
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    let CodeBlockKind::Fenced(info) = kind else {
                        panic!("{}: a block of code that is indented has no language; fence it", document.name)
                    };
                    let first = text[..place.start].lines().count() + 2;
                    block = Some(Block::begin(first, &info));
                }
                Event::End(TagEnd::CodeBlock) => document.blocks.extend(block.take()),
                Event::Text(part) => {
                    if let Some(block) = &mut block {
                        block.text.push_str(&part);
                    }
                    if let Some(heading) = &mut heading {
                        heading.push_str(&part);
                    }
                }
                Event::Code(part) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&part);
                    }
                    document.code.push(part.into_string());
                }
                _ => {}
            }
        }
        document.text = text;
        document
    }

    /// The anchor that GitHub gives a heading.
    fn add_anchor(&mut self, heading: &str) {
        let kept = heading.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let again = (1..).map(|count| format!("{anchor}-{count}"));
        let free = std::iter::once(anchor.clone()).chain(again).find(|name| !self.anchors.contains(name));
        self.anchors.extend(free);
    }
}

impl Block {
    fn begin(line: usize, info: &CowStr) -> Self {
        let mut words = info.split_whitespace();
        let language = words.next().unwrap_or_default().to_string();
        let notes = words.map(|word| word.split_once('=').unwrap_or((word, ""))).map(|(a, b)| (a.into(), b.into()));
        Block { line, language, notes: notes.collect(), text: String::new() }
    }

    pub fn note(&self, key: &str) -> Option<&str> {
        self.notes.get(key).map(String::as_str)
    }
}

/// The documents whose commands are run: README.md and those in `docs`.
pub fn guides() -> Vec<Document> {
    let mut paths: Vec<PathBuf> = markdown_in(&root("docs"));
    paths.push(root("README.md"));
    paths.iter().map(|path| Document::read(path)).collect()
}

/// Every Markdown file that belongs to the project, that is, none of what is built or installed.
pub fn all() -> Vec<Document> {
    let mut paths = Vec::new();
    let mut folders = vec![root(".")];
    while let Some(folder) = folders.pop() {
        paths.extend(markdown_in(&folder));
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().expect("UTF-8");
            let is_ours = !matches!(name, "target" | "out" | "dist" | ".git" | ".vendor");
            if is_ours && path.is_dir() && !path.is_symlink() {
                folders.push(path);
            }
        }
    }
    paths.iter().map(|path| Document::read(path)).collect()
}

fn markdown_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    found.sort();
    found
}

/// A command of a document, and what the document shows of what it prints.
pub struct Step {
    pub line: usize,
    pub command: String,
    pub shown: Vec<String>,
}

/// Whether a block has commands that can be run here.
pub fn is_run(block: &Block) -> bool {
    is_commands(block) && block.note("norun").is_none()
}

pub fn is_commands(block: &Block) -> bool {
    matches!(block.language.as_str(), "sh" | "console")
}

/// Every command line of a block.
pub fn command_lines(block: &Block) -> Vec<(usize, String)> {
    steps(block).into_iter().map(|step| (step.line, step.command)).collect()
}

/// A block of `sh` is commands alone; in a `console` block they stand behind `$ `, and the lines below are what they
/// print. A command goes on where a line ends with `\`.
pub fn steps(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut is_open = false;
    for (at, line) in block.text.lines().enumerate() {
        let fresh = match block.language.as_str() {
            "console" => line.strip_prefix("$ "),
            _ => Some(line).filter(|line| !line.trim().is_empty()),
        };
        if is_open {
            let step = steps.last_mut().unwrap();
            step.command.push('\n');
            step.command.push_str(line);
            is_open = line.ends_with('\\');
        } else if let Some(command) = fresh {
            steps.push(Step { line: block.line + at, command: command.into(), shown: Vec::new() });
            is_open = command.ends_with('\\');
        } else if let Some(step) = steps.last_mut() {
            step.shown.push(line.into());
        }
    }
    assert!(!steps.is_empty(), "line {}: a block of commands without a command", block.line);
    steps
}
