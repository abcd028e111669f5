//! `autoneural report`: the report of a bundle as a page for people.

use std::path::PathBuf;

use autoneural::back::bundle::Bundle;
use autoneural::error::IoContext;
use autoneural::gate::{self, Baseline, Date, Thresholds};
use autoneural::page::{self, Gate, Subject};
use autoneural::shown::in_line;
use autoneural::{Result, text};
use clap::Args;
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
    bundle: PathBuf,
    /// Write the page to this file, in place of what is there [default: BUNDLE.html, unless --markdown is given].
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
    /// Write the same as Markdown.
    #[arg(long, value_name = "FILE.md")]
    markdown: Option<PathBuf>,
    /// Show this bundle beside it.
    #[arg(long, value_name = "BUNDLE")]
    against: Option<PathBuf>,
    /// Hold it against this baseline.
    #[arg(long, value_name = "FILE.json")]
    baseline: Option<PathBuf>,
    /// Thresholds of the baseline, as for `gate`.
    #[arg(long, value_name = "FILE.toml")]
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
                text::write(file, &made)?;
                lines.push(format!(
                    "report: {} ({})",
                    in_line(&file.display().to_string()),
                    text::bytes(made.len() as u64)
                ));
                files.push(json!({ "file": file.display().to_string(), "bytes": made.len() }));
            }
        }
        session.print(&json!({ "files": files }), &lines.join("\n"))
    }

    /// The bundle's name with `.html`, beside it; `.` has a name, too.
    fn beside(&self) -> Result<PathBuf> {
        // Without a slash at the end.
        let mut named: PathBuf = self.bundle.components().collect();
        if named.file_name().is_none() {
            named = std::fs::canonicalize(&self.bundle).at(&self.bundle)?;
        }
        let mut name = named.into_os_string();
        name.push(".html");
        Ok(name.into())
    }
}
