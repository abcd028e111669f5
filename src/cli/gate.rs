//! `autoneural gate`: a bundle against a committed baseline, for CI.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use autoneural::bundle::Bundle;
use autoneural::gate::output::{
    Located, Statement, Written, github, junit, list_json, list_text, markdown, sarif, snippets, text, update,
};
use autoneural::gate::{self, Baseline, Changes, DEFAULT, Date, Facts, GateVerdict, Judgement, Thresholds};
use autoneural::{Error, Result, contain};
use clap::{Args, ValueHint};
use serde_json::json;

use super::display;
use super::session::Session;

const AFTER_HELP: &str = "\
The bundle's report, manifest and encodings are held against the baseline: SQNR on the NPU and RMS error of every output, \
layers where they were measured, whole sequences, evaluations, nodes outside the NPU, sizes, encodings that moved, tensors and \
integers that are others, versions, weights and settings. Nothing is compiled or run, and the vendor toolkit is not needed. How \
much worse is too much stands in the thresholds; --list-checks lists the checks with their limits. Of many checks that fail, the \
first in the graph is told, and under it those that follow from it.

An exception in the thresholds accepts what a check finds at some places, with a reason and a last day; --print-exceptions prints \
those that a bundle needs to pass. Exceptions are always shown. After its last day an exception fails.

Exit status: 0 passed; 1 a regression, or an update that was refused; 2 could not be judged (bad or missing input, a baseline of \
another model, something that was not measured, wrong usage).

--update writes the baseline. It refuses, with status 1, by the thresholds: where a figure is worse than they allow or gone, or a \
tensor has fewer bits, it is written with --loosen only. A figure that is worse within the thresholds, and an encoding that moved \
within them, stay in the baseline as they were accepted, so that many updates drift no further than one bundle may; what is \
better is taken. --loosen takes everything as the bundle has it.

Examples:
  autoneural gate out/demo --baseline quant-baseline.json --update
  autoneural gate out/demo --baseline quant-baseline.json --junit gate.xml --sarif gate.sarif
  autoneural gate out/demo --baseline quant-baseline.json --github --markdown \"$GITHUB_STEP_SUMMARY\"
  autoneural gate --print-thresholds > gate.toml
  autoneural gate --list-checks
  autoneural gate out/demo --baseline quant-baseline.json --print-exceptions >> gate.toml";

/// The variable that reproducible builds set.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Exit status of everything that could not be judged.
const UNJUDGED: u8 = 2;

/// Arguments of `gate`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Gate {
    /// The bundle, verified.
    #[arg(required_unless_present_any = ["print_thresholds", "list_checks"], value_hint = ValueHint::DirPath)]
    bundle: Option<PathBuf>,
    /// The baseline: a file that --update wrote.
    #[arg(long, value_name = "FILE.json", value_hint = ValueHint::FilePath,
        required_unless_present_any = ["print_thresholds", "list_checks"])]
    baseline: Option<PathBuf>,
    /// Thresholds that differ from the built-in ones [default: those of --print-thresholds].
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath)]
    thresholds: Option<PathBuf>,
    /// Write the baseline anew from this bundle, in place of judging: what is better is taken.
    #[arg(long)]
    update: bool,
    /// With --update: take everything as the bundle has it, also what is worse.
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
    /// Print the exceptions that the bundle needs to pass, to be put into the thresholds, in place of the summary.
    #[arg(long, conflicts_with_all = ["update", "json", "github"])]
    print_exceptions: bool,
    /// List the checks: what each looks at, its limit in the thresholds, how an exception names it. Needs no bundle.
    #[arg(long, conflicts_with_all = ["bundle", "baseline", "update", "junit", "sarif", "markdown", "github",
        "print_exceptions"])]
    list_checks: bool,
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
        if self.list_checks {
            let thresholds = Thresholds::read(self.thresholds.as_deref())?;
            session.print(&list_json(&thresholds), &list_text(&thresholds))?;
            return Ok(0);
        }
        let (Some(bundle), Some(file)) = (&self.bundle, &self.baseline) else {
            session.output.exactly(DEFAULT)?;
            return Ok(0);
        };
        if self.update {
            return self.update(bundle, file, session);
        }
        let mut baseline = None;
        let mut day = Date::of_seconds(0);
        let result = today().and_then(|today| {
            day = today;
            self.judge(bundle, file, &mut baseline, today)
        });
        let workspace = std::env::var_os("GITHUB_WORKSPACE").filter(|path| !path.is_empty()).map(PathBuf::from);
        let statement = |result| Statement {
            bundle: bundle.display().to_string(),
            file: file.display().to_string(),
            located: Located::find(file, workspace.as_deref()),
            baseline: baseline.as_ref(),
            result,
            today: day,
            is_day_given: std::env::var_os(EPOCH).is_some(),
            all: session.general.verbose,
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
            "verdict": judgement.verdict, "exit_status": judgement.verdict.exit_status(),
            "bundle": bundle.display().to_string(), "baseline": file.display().to_string(),
            "causes": judgement.causes, "exceptions": judgement.exceptions, "checks": judgement.checks,
        });
        if self.print_exceptions {
            session.output.exactly(&snippets(&judgement, statement.today))?;
            return Ok(judgement.verdict.exit_status());
        }
        if session.general.quiet && judgement.verdict != GateVerdict::Passed && !session.general.json {
            // Quiet is for what is well.
            session.output.text(&text(&statement))?;
        } else {
            session.print(&value, &text(&statement))?;
        }
        Ok(judgement.verdict.exit_status())
    }

    fn judge(&self, bundle: &Path, file: &Path, baseline: &mut Option<Baseline>, today: Date) -> Result<Judgement> {
        let thresholds = Thresholds::read(self.thresholds.as_deref())?;
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
        let (thresholds, today) = (Thresholds::read(self.thresholds.as_deref())?, today()?);
        let bundle = Bundle::look(bundle)?;
        let (now, report) = Facts::of(&bundle)?;
        bundle.refuse_replaced()?;
        // What is no regular file, such as standard output, holds no baseline.
        let (facts, changes, written) = match file.is_file() {
            true => {
                let baseline = Baseline::read(file)?;
                gate::refuse_incomparable(&now, &baseline)?;
                let (kept, changes) = gate::update(&baseline.facts, &now, &report, &thresholds, today);
                match (self.loosen, changes.looser.is_empty()) {
                    (true, _) => (now, changes, Written::Loosened),
                    (false, true) => (kept, changes, Written::Kept),
                    (false, false) => (now, changes, Written::Refused),
                }
            }
            false => (now, Changes::default(), Written::New),
        };
        let is_refused = written == Written::Refused;
        if !is_refused && session.write(file, &gate::text_of(&facts)?)? {
            return Ok(0);
        }
        let file = file.display().to_string();
        let is_known = (written != Written::New).then_some(&changes);
        let value = json!({ "baseline": file, "written": !is_refused, "changes": is_known });
        let text = update(&changes, &gate::plain(&file), written, session.general.verbose);
        if is_refused && session.general.quiet && !session.general.json {
            session.output.text(&text)?;
        } else {
            session.print(&value, &text)?;
        }
        Ok(u8::from(is_refused))
    }
}

/// Today, or the day that `SOURCE_DATE_EPOCH` says.
fn today() -> Result<Date> {
    Date::today(std::env::var(EPOCH).ok().as_deref())
}

/// An error in one line: systems of CI show no more.
fn one_line(mut error: Error) -> Error {
    let help = error.help.take().map_or(String::new(), |help| format!("; {help}"));
    error.message = gate::plain(&format!("{}{help}", error.message.trim_end().replace('\n', " ")));
    error.place = gate::plain(&error.place);
    error
}
