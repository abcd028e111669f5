//! `autoneural gate`: a bundle against a committed baseline, for CI.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use autoneural::back::bundle::Bundle;
use autoneural::gate::output::{Located, Statement, github, junit, markdown, sarif, text};
use autoneural::gate::{self, Baseline, Changes, DEFAULT, Date, Facts, Judgement, Thresholds, Verdict};
use autoneural::{Error, Result, contain};
use clap::{Args, ValueHint};
use serde_json::json;

use super::{Session, display};

const AFTER_HELP: &str = "\
The bundle's report, manifest and encodings are held against the baseline: SQNR on the NPU and RMS error of every output, \
layers where they were measured, whole sequences, evaluations, nodes outside the NPU, sizes, encodings that moved, tensors and \
integers that are others, versions, weights and settings. Nothing is compiled or run. How much worse is too much stands in \
the thresholds; an exception there has a reason and a last day.

Exit status: 0 passed; 1 a regression; 2 could not be judged (bad or missing input, a baseline of another model, something \
that was not measured, wrong usage).

--update writes the baseline. Where the new one holds less tightly than the old one (a figure got worse or is gone, fewer \
bits), it is written with --loosen only; without it the command says what would be loosened and ends with status 1.

Examples:
  autoneural gate out/demo --baseline quant-baseline.json --update
  autoneural gate out/demo --baseline quant-baseline.json --junit gate.xml --sarif gate.sarif
  autoneural gate out/demo --baseline quant-baseline.json --github --markdown \"$GITHUB_STEP_SUMMARY\"
  autoneural gate --print-thresholds > gate.toml";

/// Exit status of everything that could not be judged.
const UNJUDGED: u8 = 2;

/// Arguments of `gate`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Gate {
    /// The bundle, verified.
    #[arg(required_unless_present = "print_thresholds", value_hint = ValueHint::DirPath)]
    bundle: Option<PathBuf>,
    /// The baseline: a file that --update wrote.
    #[arg(long, value_name = "FILE.json", value_hint = ValueHint::FilePath, required_unless_present = "print_thresholds")]
    baseline: Option<PathBuf>,
    /// Thresholds that differ from the built-in ones [default: those of --print-thresholds].
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath)]
    thresholds: Option<PathBuf>,
    /// Write the baseline from this bundle, in place of judging it.
    #[arg(long)]
    update: bool,
    /// With --update: write the baseline also where it becomes less strict.
    #[arg(long, requires = "update")]
    loosen: bool,
    /// Write JUnit XML: one test case for each check.
    #[arg(long, value_name = "FILE.xml", value_hint = ValueHint::FilePath, conflicts_with = "update")]
    junit: Option<PathBuf>,
    /// Write SARIF 2.1.0.
    #[arg(long, value_name = "FILE.sarif", value_hint = ValueHint::FilePath, conflicts_with = "update")]
    sarif: Option<PathBuf>,
    /// Write Markdown, for the summary of a CI job.
    #[arg(long, value_name = "FILE.md", value_hint = ValueHint::FilePath, conflicts_with = "update")]
    markdown: Option<PathBuf>,
    /// Print annotations of GitHub Actions.
    #[arg(long, conflicts_with_all = ["update", "json"])]
    github: bool,
    /// Print the built-in thresholds, a file with comments.
    #[arg(long, exclusive = true)]
    print_thresholds: bool,
}

impl Gate {
    /// Runs the command. Whatever fails, a bundle that could not be judged has not passed, and is no regression.
    pub fn run(&self, session: &Session) -> ExitCode {
        let result = contain::contain(|| self.execute(session))
            .unwrap_or_else(|panic| Err(Error::internal("gate", format!("the program panicked: {panic}"))));
        match result {
            Ok(status) => ExitCode::from(status),
            Err(error) => {
                let error = one_line(session.named.explain(error));
                display::error_with_status(&error, session.general.json, UNJUDGED);
                ExitCode::from(UNJUDGED)
            }
        }
    }

    fn execute(&self, session: &Session) -> Result<u8> {
        let (Some(bundle), Some(file)) = (&self.bundle, &self.baseline) else {
            session.output.exactly(DEFAULT)?;
            return Ok(0);
        };
        if self.update {
            return self.update(bundle, file, session);
        }
        let mut baseline = None;
        let result = self.judge(bundle, file, &mut baseline);
        let workspace = std::env::var_os("GITHUB_WORKSPACE").filter(|path| !path.is_empty()).map(PathBuf::from);
        let statement = |result| Statement {
            bundle: bundle.display().to_string(),
            file: file.display().to_string(),
            located: Located::find(file, workspace.as_deref()),
            baseline: baseline.as_ref(),
            result,
        };
        let judgement = match result {
            Ok(judgement) => judgement,
            Err(error) => {
                let error = one_line(error);
                self.write(&statement(Err(&error.to_string())), session)?;
                return Err(error);
            }
        };
        let statement = statement(Ok(&judgement));
        if self.write(&statement, session)? {
            return Ok(judgement.verdict.exit_status());
        }
        let value = json!({
            "verdict": judgement.verdict, "bundle": bundle.display().to_string(), "baseline": file.display().to_string(), "checks": judgement.checks,
            "exit_status": judgement.verdict.exit_status(),
        });
        if session.general.quiet && judgement.verdict != Verdict::Passed && !session.general.json {
            // Quiet is for what is well.
            session.output.text(&text(&statement))?;
        } else {
            session.print(&value, &text(&statement))?;
        }
        Ok(judgement.verdict.exit_status())
    }

    fn judge(&self, bundle: &Path, file: &Path, baseline: &mut Option<Baseline>) -> Result<Judgement> {
        let thresholds = Thresholds::read(self.thresholds.as_deref())?;
        let today = Date::today(std::env::var("SOURCE_DATE_EPOCH").ok().as_deref())?;
        if std::fs::metadata(file).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return Err(Error::input(file.display(), "there is no baseline").help("--update writes one"));
        }
        let baseline = baseline.insert(Baseline::read(file)?);
        let bundle = Bundle::look(bundle)?;
        let (now, report) = Facts::of(&bundle)?;
        bundle.refuse_replaced()?;
        gate::judge(&now, &report, baseline, &thresholds, today)
    }

    /// Writes the forms that are wanted. Whether one went to standard output, which then gets nothing else.
    fn write(&self, statement: &Statement, session: &Session) -> Result<bool> {
        let mut is_taken = false;
        for (file, made) in
            [(&self.junit, junit(statement)), (&self.sarif, sarif(statement)?), (&self.markdown, markdown(statement))]
        {
            if let Some(file) = file {
                is_taken |= session.write(file, &made)?;
            }
        }
        if self.github {
            session.output.exactly(&github(statement))?;
        }
        Ok(is_taken)
    }

    fn update(&self, bundle: &Path, file: &Path, session: &Session) -> Result<u8> {
        let bundle = Bundle::look(bundle)?;
        let (now, _) = Facts::of(&bundle)?;
        bundle.refuse_replaced()?;
        // What is no regular file, such as standard output, holds no baseline.
        let changes = match file.is_file() {
            true => {
                let baseline = Baseline::read(file)?;
                gate::refuse_incomparable(&now, &baseline)?;
                Some(gate::changes(&baseline.facts, &now))
            }
            false => None,
        };
        let refused = !self.loosen && changes.as_ref().is_some_and(|changes| !changes.looser.is_empty());
        if !refused && session.write(file, &gate::text_of(&now)?)? {
            return Ok(0);
        }
        let text = told(changes.as_ref(), &file.display().to_string(), refused);
        let value = json!({ "baseline": file.display().to_string(), "written": !refused, "changes": changes });
        session.print(&value, &gate_lines(&text))?;
        Ok(u8::from(refused))
    }
}

/// An error in one line: systems of CI show no more.
fn one_line(mut error: Error) -> Error {
    let help = error.help.take().map_or(String::new(), |help| format!("; {help}"));
    error.message = gate::plain(&format!("{}{help}", error.message.trim_end().replace('\n', " ")));
    error.place = gate::plain(&error.place);
    error
}

/// Lines of text in which names of other people stand.
fn gate_lines(text: &str) -> String {
    text.lines().map(gate::plain).collect::<Vec<_>>().join("\n")
}

fn told(changes: Option<&Changes>, file: &str, refused: bool) -> String {
    let Some(changes) = changes else { return format!("baseline: {file} (new)") };
    let mut text = match (refused, changes.is_empty()) {
        (true, _) => format!("baseline: {file} was not written: it would hold less tightly; --loosen writes it\n"),
        (false, true) => format!("baseline: {file} (the same figures)\n"),
        (false, false) => format!("baseline: {file}\n"),
    };
    for (title, lines) in [("loosened", &changes.looser), ("tightened", &changes.tighter), ("others", &changes.others)]
    {
        if !lines.is_empty() {
            let title = if refused && title == "loosened" { "would be loosened" } else { title };
            text.push_str(&format!("{title}:\n"));
            lines.iter().for_each(|line| text.push_str(&format!("  {}\n", line.replace('\n', " "))));
        }
    }
    text
}
