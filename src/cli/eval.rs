//! `autoneural eval`: questions with known answers to a compiled bundle.

use std::path::{Path, PathBuf};

use autoneural::engine::EngineKind;
use autoneural::evaluate::{Plan, Set, TextPlan, table, text_table};
use autoneural::recipe::Windows;
use autoneural::report::{GoalReport, VerdictState, goal_lines};
use autoneural::{Error, Result, stages};
use clap::{Args, ValueHint};

use super::run::{On, at_least_one, kinds, runtime};
use super::session::Session;
use super::stage::GOALS_HELP;

const AFTER_HELP: &str = "\
A set is a folder with questions.jsonl, one JSON object a line: {\"use\": \"cluster\", \"images\": [\"images/a.png\"], \
\"question\": \"What is the speed?\", \"answer\": \"87 km/h.\"}. Each question goes through the model's chat template; \
decoding is greedy. The figures are exact match, perplexity of the right answers and, with float among the engines, \
agreement with float. They are added to the bundle's report.json.

--text measures how likely a text is to the language model, in perplexity. The file is one row of tokens without any that \
the tokenizer would add; windows of it begin a sequence each, and all tokens of a window but the first are judged. Prefill \
takes them in, in the bundle's own chunks, in a model that is made for this alone: it gives the logits of every token.

A run that was stopped goes on where it was, and so does one with a larger --limit or other --windows.

Examples:
  autoneural eval out/demo --set calibration/demo-eval --on float,simulated
  autoneural eval out/demo --set calibration/demo-eval --on float,simulated,npu --limit 100
  autoneural eval out/demo --set calibration/demo-eval --on float --blank
  autoneural eval out/smollm2 --text prose.txt --windows 40..50 --on float,simulated,npu";

/// Arguments of `eval`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Eval {
    /// The bundle.
    #[arg(value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
    /// Folder with questions.jsonl and the pictures it names.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, required_unless_present = "text")]
    set: Option<PathBuf>,
    /// A text whose perplexity is measured, in UTF-8.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["set", "limit", "blank"])]
    text: Option<PathBuf>,
    /// Tokens of a window of the text.
    #[arg(long, value_name = "N", default_value_t = 512, requires = "text")]
    window: usize,
    /// The windows that are measured, counted from 0: 40..50 are those from 40 to 49 [default: all].
    #[arg(long, value_name = "A..B", requires = "text")]
    windows: Option<Windows>,
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
    ///
    /// # Errors
    /// The bundle or the set is missing or unreadable, an engine cannot be loaded or fails, or a goal is missed.
    pub fn run(&self, session: &Session) -> Result<()> {
        match (&self.text, &self.set) {
            (Some(text), _) => self.read(session, text),
            (None, Some(set)) => self.ask(session, set),
            (None, None) => Err(Error::input("eval", "--set or --text is wanted")),
        }
    }

    /// The engines; float comes first, because the others are compared with it.
    fn engines(&self) -> Result<Vec<EngineKind>> {
        let mut kinds = kinds(&self.on, &self.bundle)?;
        kinds.sort_by_key(|kind| *kind != EngineKind::Float);
        Ok(kinds)
    }

    fn read(&self, session: &Session, text: &Path) -> Result<()> {
        let kinds = self.engines()?;
        let runtime = runtime(session, &kinds)?;
        let plan = TextPlan { text: text.to_path_buf(), window: self.window, windows: self.windows, kinds };
        let found = stages::evaluate_text(&self.bundle, &plan, runtime.as_ref(), session.progress())?;
        session.print(&found, &text_table(&found))
    }

    fn ask(&self, session: &Session, set: &Path) -> Result<()> {
        let kinds = self.engines()?;
        let set = Set::read(set)?;
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
