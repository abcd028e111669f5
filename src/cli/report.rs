//! `autoneural report`: the report of a bundle as a page for people.

use std::io::Read;
use std::path::{Path, PathBuf};

use autoneural::bundle::Bundle;
use autoneural::error::IoContext;
use autoneural::files;
use autoneural::gate::{self, Baseline, Date, Thresholds};
use autoneural::page::{self, Gate, Subject};
use autoneural::shown::in_line;
use autoneural::{Error, Result, text};
use clap::{Args, ValueHint};
use serde_json::json;

use super::session::Session;

const AFTER_HELP: &str = "\
Every run writes the page anew: one HTML file that needs nothing else and loads nothing. It goes beside the bundle as \
BUNDLE.html, or where --out says; --markdown writes a Markdown file of the same as well. The page is held against what this \
command line names and nothing else. If it replaces a page that was held against something else, the command says so.

The page answers: can it ship (by the goals of the recipe), how good are the outputs and the layers, what changed \
(--baseline, --against), how large is it. It is a view of report.json and the bundle's other files; what was not measured is \
shown as not measured. Comparisons are this bundle against the other: more than 0 is better. A difference within the \
tolerances of `autoneural gate` counts as the same.

Examples:
  autoneural report out/demo
  autoneural report out/demo --out demo.html --markdown demo.md --baseline quant-baseline.json
  autoneural report out/new --against out/old --out both.html";

/// Most bytes of a page that are looked at for what it was held against.
const BEGINNING: u64 = 4096;

/// Arguments of `report`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Report {
    /// The bundle, verified.
    #[arg(value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
    /// Write the page to this file, in place of what is there [default: BUNDLE.html].
    #[arg(long, value_name = "FILE.html", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
    /// Write a Markdown file of the same as well.
    #[arg(long, value_name = "FILE.md", value_hint = ValueHint::FilePath)]
    markdown: Option<PathBuf>,
    /// Compare with this bundle.
    #[arg(long, value_name = "BUNDLE", value_hint = ValueHint::DirPath)]
    against: Option<PathBuf>,
    /// Compare with this baseline, as `autoneural gate` does.
    #[arg(long, value_name = "FILE.json", value_hint = ValueHint::FilePath)]
    baseline: Option<PathBuf>,
    /// Thresholds, as for `gate`: up to where figures count as the same.
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath)]
    thresholds: Option<PathBuf>,
}

impl Report {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let thresholds = Thresholds::read(self.thresholds.as_deref())?;
        let bundle = Bundle::look(&self.bundle)?;
        let against = self.against.as_ref().map(|path| Ok((Bundle::look(path)?, path.display().to_string())));
        let against = against.transpose()?;
        let against = against.as_ref().map(|(bundle, name)| (bundle, name.as_str()));
        let name = self.bundle.display().to_string();
        let mut subject = Subject::read(&bundle, &name, against, &thresholds)?;
        [Some(&bundle), against.map(|(other, _)| other)].into_iter().flatten().try_for_each(Bundle::refuse_replaced)?;
        if let Some(file) = &self.baseline {
            let baseline = Baseline::read(file)?;
            let today = Date::today(std::env::var("SOURCE_DATE_EPOCH").ok().as_deref())?;
            let (facts, report) = subject.facts();
            let judgement = gate::judge(facts, report, &baseline, &thresholds, today)?;
            let file = file.display().to_string();
            subject = subject.with_gate(Gate { file, baseline: baseline.facts, judgement });
        }
        let out = self.out.clone().map_or_else(|| self.beside(), Ok)?;
        let html = page::html(&subject)?;
        let before = compared_before(&out).filter(|before| page::compared_with(&html).as_ref() != Some(before));
        let (mut lines, mut files, mut is_taken) = (Vec::new(), Vec::new(), false);
        let markdown = self.markdown.as_ref().map(|file| (file, page::markdown(&subject)));
        for (file, made) in [Some((&out, html)), markdown].into_iter().flatten() {
            if session.write(file, &made)? {
                is_taken = true;
                continue;
            }
            let named = file.display().to_string();
            lines.push(format!("report: {} ({})", in_line(&named), text::bytes(made.len() as u64)));
            files.push(json!({ "file": named, "bytes": made.len() }));
        }
        if let Some(before) = before {
            session.note(&format!(
                "{}: the page that was there was made with {}; this one was not",
                out.display(),
                in_line(&before)
            ));
        }
        // Standard output that took a page takes nothing else.
        if is_taken { Ok(()) } else { session.print(&json!({ "files": files }), &lines.join("\n")) }
    }

    /// The bundle's name with `.html`, beside it; `.` has a name, too. What the user did not name is not written
    /// through a link, which may have come with the bundle.
    fn beside(&self) -> Result<PathBuf> {
        // Without a slash at the end.
        let mut named: PathBuf = self.bundle.components().collect();
        if named.file_name().is_none() {
            named = std::fs::canonicalize(&self.bundle).reading(&self.bundle)?;
        }
        let mut name = named.into_os_string();
        name.push(".html");
        let page = PathBuf::from(name);
        if page.is_symlink() {
            return Err(Error::input(page.display(), "is a link, which the page is not written through unasked")
                .help("remove it, or name it with --out"));
        }
        Ok(page)
    }
}

/// What the page that is there was held against; none where there is no page, or one that was held against nothing.
fn compared_before(page: &Path) -> Option<String> {
    if !page.is_file() {
        return None;
    }
    let mut beginning = Vec::new();
    files::open(page).ok()?.take(BEGINNING).read_to_end(&mut beginning).ok()?;
    page::compared_with(&String::from_utf8_lossy(&beginning))
}
