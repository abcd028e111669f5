//! `autoneural report`: the report of a bundle as a page for people.

use std::path::PathBuf;

use autoneural::back::bundle::Bundle;
use autoneural::error::IoContext;
use autoneural::gate::{self, Baseline, Date, Thresholds};
use autoneural::page::{self, Gate, Subject};
use autoneural::shown::in_line;
use autoneural::{Error, Result, text};
use clap::{Args, ValueHint};
use serde_json::json;

use super::Session;

const AFTER_HELP: &str = "\
The page is one HTML file that needs nothing else and loads nothing: verdict, every layer with its encoding and neighbours, \
sizes, partitions, samples, provenance. It is a view of report.json and the bundle's other files; what was not measured is \
shown so. With --baseline the verdict is that of `autoneural gate`.

Examples:
  autoneural report out/demo
  autoneural report out/demo --out demo.html --markdown demo.md --baseline quant-baseline.json
  autoneural report out/new --against out/old --out both.html";

/// Arguments of `report`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Report {
    /// The bundle, verified.
    #[arg(value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
    /// Write the page to this file, in place of what is there [default: BUNDLE.html, unless --markdown is given].
    #[arg(long, value_name = "FILE.html", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
    /// Write the same as Markdown.
    #[arg(long, value_name = "FILE.md", value_hint = ValueHint::FilePath)]
    markdown: Option<PathBuf>,
    /// Compare with this other bundle.
    #[arg(long, value_name = "BUNDLE", value_hint = ValueHint::DirPath)]
    against: Option<PathBuf>,
    /// Compare with this baseline, as `gate` does.
    #[arg(long, value_name = "FILE.json", value_hint = ValueHint::FilePath)]
    baseline: Option<PathBuf>,
    /// Thresholds for the baseline, as for `gate`.
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
        let mut subject = Subject::read(&bundle, &name, against, thresholds.outputs.floor_db)?;
        [Some(&bundle), against.map(|(other, _)| other)].into_iter().flatten().try_for_each(Bundle::refuse_replaced)?;
        if let Some(file) = &self.baseline {
            let baseline = Baseline::read(file)?;
            let today = Date::today(std::env::var("SOURCE_DATE_EPOCH").ok().as_deref())?;
            let (facts, report) = subject.facts();
            let judgement = gate::judge(facts, report, &baseline, &thresholds, today)?;
            let file = file.display().to_string();
            subject = subject.with_gate(Gate { file, baseline: baseline.facts, judgement });
        }
        let out = match (&self.out, &self.markdown) {
            (Some(out), _) => Some(out.clone()),
            (None, Some(_)) => None,
            (None, None) => Some(self.beside()?),
        };
        let (mut lines, mut files) = (Vec::new(), Vec::new());
        for (file, is_page) in [(out.as_ref(), true), (self.markdown.as_ref(), false)] {
            if let Some(file) = file {
                let made = if is_page { page::html(&subject)? } else { page::markdown(&subject) };
                if session.write(file, &made)? {
                    continue;
                }
                let named = file.display().to_string();
                lines.push(format!("report: {} ({})", in_line(&named), text::bytes(made.len() as u64)));
                files.push(json!({ "file": named, "bytes": made.len() }));
            }
        }
        // Standard output that took a page takes nothing else.
        if files.is_empty() { Ok(()) } else { session.print(&json!({ "files": files }), &lines.join("\n")) }
    }

    /// The bundle's name with `.html`, beside it; `.` has a name, too. What the user did not name is not written through a link,
    /// which may have come with the bundle.
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
