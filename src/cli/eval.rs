//! `autoneural eval`: questions with known answers to a compiled bundle, sets of samples, or a text.

use std::path::{Path, PathBuf};

use autoneural::bundle::Bundle;
use autoneural::drivers::Takes;
use autoneural::engine::EngineKind;
use autoneural::evaluate::{ArraysPlan, Plan, Set, Slices, TextPlan, arrays_table, table, text_table};
use autoneural::recipe::Windows;
use autoneural::report::{GoalReport, VerdictState, goal_lines};
use autoneural::shards::Share;
use autoneural::stages::Evaluated;
use autoneural::{Error, Result, stages};
use clap::{Args, ValueHint};
use serde::Serialize;

use super::run::{On, at_least_one, kinds, runtime};
use super::samples::takes;
use super::session::Session;
use super::stage::GOALS_HELP;

const AFTER_HELP: &str = "\
Of a model that is asked with words, a set is a folder with questions.jsonl, one JSON object a line: {\"use\": \"cluster\", \
\"images\": [\"images/a.png\"], \"question\": \"What is the speed?\", \"answer\": \"87 km/h.\"}. Each question goes \
through the model's chat template; decoding is greedy. The figures are exact match, perplexity of the right answers and, \
with float among the engines, agreement with float.

--text measures how likely a text is to the language model, in perplexity. The file is one row of tokens without any that \
the tokenizer would add; windows of it begin a sequence each, and all tokens of a window but the first are judged. Prefill \
takes them in, in the bundle's own chunks, in a model that is made for this alone: it gives the logits of every token.

Of a model that takes arrays, a set is what --calibration of `compile` takes: pictures, .npz, raw files, lists of them. \
Every output is compared with float: SQNR over all samples, of the worst one and at the 5th percentile, cosine, and \
largest difference. Where samples have labels, right classes are counted, too: top-1, top-5, and how often the class is \
that of float. Labels are the folders that the pictures are in, one for each class; or a .csv or .tsv of `file,label`; or \
an array `labels` beside the inputs of an .npz. They are numbers of classes from 0 on, or names: of as many folders as \
there are classes, in alphabetical order, else of --classes.

With --slice only a share of the set goes through the engines. The bundle is only read, so that slices may run at the same \
time. What they find is in their own folders, and --join takes all of them into the evaluation of the whole set, which \
then has nothing left to compute.

The figures are added to the bundle's report.json, and held against the recipe's `[goal.evaluation]`; a missed goal ends \
with status 6. A run that was stopped goes on where it was, and so does one with a \
larger --limit or other --windows.

Examples:
  autoneural eval out/demo --set calibration/demo-eval --on float,simulated
  autoneural eval out/demo --set calibration/demo-eval --on float,simulated,npu --limit 100
  autoneural eval out/demo --set calibration/demo-eval --on float --blank
  autoneural eval out/classifier --set imagenet/val --classes imagenet/wordnet-ids.txt --on float,npu --limit 500
  autoneural eval out/detector --set photos --on float,simulated,npu
  autoneural eval out/smollm2 --text prose.txt --windows 40..50 --on float,simulated,npu";

/// Arguments of `eval`.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub struct Eval {
    /// The bundle.
    #[arg(value_hint = ValueHint::DirPath)]
    bundle: PathBuf,
    /// Folder with questions.jsonl and the pictures it names; or samples of a model that takes arrays, with labels or
    /// without: a folder, a list (.txt, .csv, .tsv), .npz.
    #[arg(long, value_name = "SET", value_hint = ValueHint::AnyPath, required_unless_present = "text")]
    set: Option<PathBuf>,
    /// A text whose perplexity is measured, in UTF-8.
    #[arg(
        long,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        conflicts_with_all = ["set", "limit", "blank", "classes", "output", "unlabelled"]
    )]
    text: Option<PathBuf>,
    /// Tokens of a window of the text.
    #[arg(long, value_name = "N", default_value_t = 512, requires = "text")]
    window: usize,
    /// The windows that are measured, counted from 0: 40..50 are those from 40 to 49 [default: all].
    #[arg(long, value_name = "A..B", requires = "text")]
    windows: Option<Windows>,
    /// Engines that answer [default: npu if the bundle has context binaries, else simulated; and float, for a model that
    /// takes arrays].
    #[arg(long, value_name = "ENGINE", value_enum, value_delimiter = ',')]
    on: Vec<On>,
    /// Ask only the first N questions, or run only N samples, evenly spread [default: all].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    limit: Option<usize>,
    /// Show a grey picture in place of every picture: what is still right was guessed from the question.
    #[arg(long)]
    blank: bool,
    /// Names of all classes of a model that takes arrays, one on a line in the order of its output.
    #[arg(long, value_name = "FILE.txt", value_hint = ValueHint::FilePath)]
    classes: Option<PathBuf>,
    /// The output whose classes are counted [default: the only one with a number for each class].
    #[arg(long, value_name = "OUTPUT")]
    output: Option<String>,
    /// Evaluate only a share of what is chosen, such as 1/4, the first of four; its figures go into no report.
    #[arg(long, value_name = "I/N", requires = "part")]
    slice: Option<Share>,
    /// Where a slice goes: a new folder, or one that a run of the same slice left when it was stopped.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "slice")]
    part: Option<PathBuf>,
    /// Folders of all slices, whose answers are taken over.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, num_args = 1.., conflicts_with = "slice")]
    join: Vec<PathBuf>,
    /// Leave labels out, and only compare outputs with float.
    #[arg(long, conflicts_with_all = ["classes", "output"])]
    unlabelled: bool,
}

impl Eval {
    /// Runs the command.
    ///
    /// # Errors
    /// The bundle or the set is missing or unreadable, an engine cannot be loaded or fails, or a goal is missed.
    pub fn run(&self, session: &Session) -> Result<()> {
        match (&self.text, &self.set) {
            (Some(text), _) => self.read(session, text),
            // clap lets it pass, since --text could not stand beside --set.
            _ if self.windows.is_some() => Err(Error::input("--windows", "are those of a --text, which is not given")),
            (None, Some(set)) => match takes(&Bundle::look(&self.bundle)?)? {
                Takes::Words => self.questions(session, set),
                Takes::Arrays { .. } => self.samples(session, set),
            },
            (None, None) => Err(Error::input("eval", "--set or --text is wanted")),
        }
    }

    /// The engines; float comes first, because the others are compared with it.
    fn engines(&self) -> Result<Vec<EngineKind>> {
        let mut kinds = kinds(&self.on, &self.bundle)?;
        kinds.sort_by_key(|kind| *kind != EngineKind::Float);
        Ok(kinds)
    }

    fn slices(&self) -> Slices {
        Slices { own: self.slice.zip(self.part.clone()), joined: self.join.clone() }
    }

    fn read(&self, session: &Session, text: &Path) -> Result<()> {
        let kinds = self.engines()?;
        let runtime = runtime(session, &kinds)?;
        let (text, window, windows) = (text.to_path_buf(), self.window, self.windows);
        let plan = TextPlan { text, window, windows, kinds, slices: self.slices() };
        let found = stages::evaluate_text(&self.bundle, &plan, runtime.as_ref(), session.progress())?;
        session.print(&found, &text_table(&found))
    }

    fn questions(&self, session: &Session, set: &Path) -> Result<()> {
        for (option, is_given) in [
            ("--classes", self.classes.is_some()),
            ("--output", self.output.is_some()),
            ("--unlabelled", self.unlabelled),
        ] {
            if is_given {
                return Err(Error::input(option, "is for models that take arrays; this one is asked with words"));
            }
        }
        let kinds = self.engines()?;
        let set = Set::read(set)?;
        let runtime = runtime(session, &kinds)?;
        let plan = Plan { kinds, limit: self.limit, blank: self.blank, slices: self.slices() };
        let found = stages::evaluate(&self.bundle, &set, &plan, runtime.as_ref(), session.progress())?;
        self.judged(session, &found, &table(&found.evaluation))
    }

    /// Prints what was found with the verdict, and ends with an error where a goal of evaluations is missed. A slice has
    /// no verdict.
    fn judged<T: Serialize>(&self, session: &Session, found: &Evaluated<T>, table: &str) -> Result<()> {
        if self.slice.is_some() {
            return session.print(&found.evaluation, table);
        }
        let is_of_evaluation = |goal: &GoalReport| goal.kind.is_of_evaluation();
        let goals = goal_lines(&found.verdict, is_of_evaluation);
        let verdict = match found.verdict.state {
            VerdictState::NoGoal => String::new(),
            _ => format!("\nverdict: {}\n{goals}", found.verdict.sentence()),
        };
        session.print(found, &format!("{table}{verdict}"))?;
        let missed = found.verdict.goals_in(VerdictState::Missed).filter(|goal| is_of_evaluation(goal));
        let missed: Vec<String> = missed.map(GoalReport::line).collect();
        match missed.is_empty() {
            true => Ok(()),
            false => Err(Error::verification(self.bundle.display(), missed.join("; ")).help(GOALS_HELP)),
        }
    }

    fn samples(&self, session: &Session, set: &Path) -> Result<()> {
        if self.blank {
            return Err(Error::input("--blank", "is for questions; this model takes arrays"));
        }
        let mut kinds = self.engines()?;
        if self.on.is_empty() {
            kinds.insert(0, EngineKind::Float);
        }
        let runtime = runtime(session, &kinds)?;
        let plan = ArraysPlan {
            set: set.to_path_buf(),
            kinds,
            limit: self.limit,
            classes: self.classes.clone(),
            output: self.output.clone(),
            is_unlabelled: self.unlabelled,
            slices: self.slices(),
        };
        let (found, warnings) = stages::evaluate_arrays(&self.bundle, &plan, runtime.as_ref(), session.progress())?;
        warnings.iter().for_each(|warning| session.note(&warning.to_string()));
        self.judged(session, &found, &arrays_table(&found.evaluation))
    }
}
