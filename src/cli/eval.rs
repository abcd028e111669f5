//! `autoneural eval`: questions with known answers to a compiled bundle.

use std::path::PathBuf;

use autoneural::engine::EngineKind;
use autoneural::evaluate::{Plan, Set, table};
use autoneural::report::{GoalReport, VerdictState, goal_lines};
use autoneural::{Error, Result, stages};
use clap::{Args, ValueHint};

use super::run::{On, at_least_one, kinds, runtime};
use super::session::Session;
use super::stage::GOALS_HELP;

const AFTER_HELP: &str = "\
A set is a folder with questions.jsonl, one JSON object a line: {\"use\": \"cluster\", \"images\": [\"images/a.png\"], \
\"question\": \"What is the speed?\", \"answer\": \"87 km/h.\"}. Each question goes through the model's chat template; decoding is \
greedy. The figures are exact match, perplexity of the right answers and, with float among the engines, agreement with float. \
They are added to the bundle's report.json.

A run that was stopped goes on where it was, and so does one with a larger --limit.

Examples:
  autoneural eval out/demo --set calibration/demo-eval --on float,simulated
  autoneural eval out/demo --set calibration/demo-eval --on float,simulated,npu --limit 100
  autoneural eval out/demo --set calibration/demo-eval --on float --blank";

/// Arguments of `eval`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Eval {
    /// The bundle.
    #[arg(value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
    /// Folder with questions.jsonl and the pictures it names.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    set: PathBuf,
    /// Engines that answer [default: npu if the bundle has context binaries, else simulated].
    #[arg(long, value_name = "ENGINE", value_enum, value_delimiter = ',')]
    on: Vec<On>,
    /// Ask only the first N questions [default: all].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    limit: Option<usize>,
    /// Show a grey picture in place of every picture: what is still right was guessed from the question.
    #[arg(long)]
    blank: bool,
}

impl Eval {
    /// Runs the command.
    pub fn run(&self, session: &Session) -> Result<()> {
        let mut kinds = kinds(&self.on, &self.bundle)?;
        // What the others are compared with comes first.
        kinds.sort_by_key(|kind| *kind != EngineKind::Float);
        let set = Set::read(&self.set)?;
        let runtime = runtime(session, &kinds)?;
        let plan = Plan { kinds, limit: self.limit, blank: self.blank };
        let found = stages::evaluate(&self.bundle, &set, &plan, runtime.as_ref(), session.progress())?;
        let is_of_evaluation = |goal: &GoalReport| goal.kind.is_of_evaluation();
        let goals = goal_lines(&found.verdict, is_of_evaluation);
        let verdict = match found.verdict.state {
            VerdictState::NoGoal => String::new(),
            _ => format!("\nverdict: {}\n{goals}", found.verdict.sentence()),
        };
        session.print(&found, &format!("{}{verdict}", table(&found.evaluation)))?;
        let missed = found.verdict.goals_in(VerdictState::Missed).filter(|goal| is_of_evaluation(goal));
        let missed: Vec<String> = missed.map(GoalReport::line).collect();
        match missed.is_empty() {
            true => Ok(()),
            false => Err(Error::verification(self.bundle.display(), missed.join("; ")).help(GOALS_HELP)),
        }
    }
}
