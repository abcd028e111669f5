//! Whether a model can ship: its figures against the goals that its recipe states. Terminal, page, JSON and gate
//! show what was judged.

use serde::{Deserialize, Serialize};

use autoneural_engines::engine::EngineKind;

/// Whether figures reach goals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictState {
    /// Every goal is met, by figures of the NPU.
    Met,
    /// A goal is missed.
    Missed,
    /// No goal is missed, but one was not measured on the NPU.
    NotMeasured,
    /// The recipe states no goal.
    #[default]
    NoGoal,
}

/// The answer to "can this ship?".
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// All in all.
    pub state: VerdictState,
    /// Every goal, in the order of the report's figures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goals: Vec<GoalReport>,
}

/// What a goal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GoalKind {
    /// SQNR of an output against float, in dB.
    OutputSqnr,
    /// How far simulation and NPU are apart at an output, in dB. It is named only where it is missed.
    Difference,
    /// SQNR of the logits of whole sequences against float, in dB.
    SequenceSqnr,
    /// Steps of whole sequences whose most likely token is that of float, in percent.
    SequenceTokens,
    /// Answers that are right letter by letter, in percent.
    ExactMatch,
    /// How far that is below float, in percentage points.
    ExactMatchLoss,
    /// How far perplexity is above float's, in percent.
    PerplexityIncrease,
    /// Tokens of right answers at which the most likely token is that of float, in percent.
    TokenAgreement,
    /// Samples whose most likely class is the right one, in percent.
    Top1,
    /// How far that is below float, in percentage points.
    Top1Loss,
    /// Samples whose right class is among the five most likely ones, in percent.
    Top5,
    /// How far that is below float, in percentage points.
    Top5Loss,
    /// Samples whose most likely class is that of float, in percent.
    SameClass,
}

/// One goal, and what was reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoalReport {
    /// What is measured.
    pub kind: GoalKind,
    /// Where: `partition/output`, `sequences`, or the name of a set of questions or samples.
    pub of: String,
    /// What is wanted: at least this much, or at most (see [`GoalKind::is_most`]).
    pub wanted: f64,
    /// What was reached; `None` if it was not measured at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<f64>,
    /// What the figure is of: the NPU where that was measured, else the simulation, which meets no goal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineKind>,
    /// [`VerdictState::Met`], [`VerdictState::Missed`] or [`VerdictState::NotMeasured`].
    pub state: VerdictState,
    /// Why it counts as not measured, where that is not plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A figure with what it is of.
pub(crate) type Found = Option<(f64, EngineKind)>;

impl Verdict {
    /// Goals in a state.
    pub fn goals_in(&self, state: VerdictState) -> impl Iterator<Item = &GoalReport> {
        self.goals.iter().filter(move |goal| goal.state == state)
    }

    /// The verdict as one sentence, without a full stop.
    pub fn sentence(&self) -> String {
        let (count, all) = (self.goals_in(self.state).count(), self.goals.len());
        let of_all = |verb: [&str; 2]| match all {
            1 => format!("the goal {}", verb[0]),
            _ => format!("{count} of {all} goals {}", verb[usize::from(count != 1)]),
        };
        match self.state {
            VerdictState::Met if all == 1 => "the goal is met on the NPU".into(),
            VerdictState::Met => format!("all {all} goals are met on the NPU"),
            VerdictState::Missed => of_all(["is missed", "are missed"]),
            VerdictState::NotMeasured => of_all(["was not measured on the NPU", "were not measured on the NPU"]),
            VerdictState::NoGoal => "no goal stated".into(),
        }
    }

    /// What to do next, a sentence or command a line; `bundle` is its path. Empty if every goal is met.
    pub fn todo(&self, bundle: &str) -> Vec<String> {
        if self.state == VerdictState::NoGoal {
            let bundle = shlex::try_quote(bundle).unwrap_or_default();
            return vec![format!(
                "state what is good enough in the recipe, for example `[goal.sqnr_db]` with `\"*\" = 20`, then run \
                 `autoneural verify {bundle} --calibration RECIPE.toml`: nothing is measured anew"
            )];
        }
        let mut made: Vec<String> = Vec::new();
        for goal in self.goals_in(VerdictState::NotMeasured) {
            let command = goal.command(bundle);
            if !made.contains(&command) {
                made.push(command);
            }
        }
        made
    }
}

impl GoalKind {
    /// What is measured, in words.
    pub fn words(self) -> &'static str {
        match self {
            GoalKind::OutputSqnr => "SQNR",
            GoalKind::Difference => "simulation and NPU apart",
            GoalKind::SequenceSqnr => "SQNR of logits",
            GoalKind::SequenceTokens => "same token as float",
            GoalKind::ExactMatch => "exact match",
            GoalKind::ExactMatchLoss => "exact match below float",
            GoalKind::PerplexityIncrease => "perplexity above float",
            GoalKind::TokenAgreement => "tokens as float",
            GoalKind::Top1 => "top-1",
            GoalKind::Top1Loss => "top-1 below float",
            GoalKind::Top5 => "top-5",
            GoalKind::Top5Loss => "top-5 below float",
            GoalKind::SameClass => "class as float",
        }
    }

    /// Its unit.
    pub fn unit(self) -> &'static str {
        match self {
            GoalKind::OutputSqnr | GoalKind::Difference | GoalKind::SequenceSqnr => "dB",
            GoalKind::ExactMatchLoss | GoalKind::Top1Loss | GoalKind::Top5Loss => "points",
            _ => "%",
        }
    }

    /// Whether a goal is the most that is allowed, not the least that is wanted.
    pub fn is_most(self) -> bool {
        use GoalKind::*;
        matches!(self, Difference | ExactMatchLoss | PerplexityIncrease | Top1Loss | Top5Loss)
    }

    /// Whether `autoneural eval` measures it, and not `verify`.
    pub fn is_of_evaluation(self) -> bool {
        use GoalKind::*;
        self.is_of_classes() || matches!(self, ExactMatch | ExactMatchLoss | PerplexityIncrease | TokenAgreement)
    }

    /// Whether it is about samples with labels, and not about questions.
    pub fn is_of_classes(self) -> bool {
        use GoalKind::*;
        matches!(self, Top1 | Top1Loss | Top5 | Top5Loss | SameClass)
    }

    /// A figure with its unit.
    pub fn figure(self, figure: f64) -> String {
        let digits = if self == GoalKind::PerplexityIncrease { 2 } else { 1 };
        format!("{figure:.digits$} {}", self.unit())
    }
}

impl GoalReport {
    /// A goal held against what was found.
    pub fn new(kind: GoalKind, of: &str, wanted: f64, found: Found) -> Self {
        let falls_short = |figure: f64| if kind.is_most() { figure > wanted } else { figure < wanted };
        let state = match found {
            Some((figure, _)) if falls_short(figure) => VerdictState::Missed,
            Some((_, EngineKind::Npu)) => VerdictState::Met,
            _ => VerdictState::NotMeasured,
        };
        let (reached, engine) = found.unzip();
        GoalReport { kind, of: of.into(), wanted, reached, engine, state, note: None }
    }

    /// What is wanted, in words.
    pub fn wanted_text(&self) -> String {
        let (most, wanted) = (self.kind.is_most(), self.wanted);
        format!("{} {wanted} {}", if most { "at most" } else { "at least" }, self.kind.unit())
    }

    /// What was reached, in words.
    pub fn reached_text(&self) -> String {
        let simulated = if self.engine == Some(EngineKind::Simulated) { " simulated" } else { "" };
        let figure = |figure: f64| {
            let short = self.kind.figure(figure);
            // A figure that rounding lifts to its goal is shown in full.
            let hides = self.state == VerdictState::Missed && short == self.kind.figure(self.wanted);
            if hides { format!("{figure} {}", self.kind.unit()) } else { short }
        };
        let reached = self.reached.map(|reached| format!("{}{simulated}", figure(reached)));
        match (reached, self.state, &self.note) {
            (Some(reached), VerdictState::NotMeasured, Some(note)) => format!("{reached}, {note}"),
            (Some(reached), VerdictState::NotMeasured, None) => format!("{reached}, not measured on the NPU"),
            (Some(reached), ..) => reached,
            (None, _, Some(note)) => format!("not measured: {note}"),
            (None, ..) => "not measured".into(),
        }
    }

    /// The goal in a line: where, what, reached, wanted.
    pub fn line(&self) -> String {
        if let (GoalKind::Difference, Some(note)) = (self.kind, &self.note) {
            return format!("{}: {note} differ by more than {} dB", self.of, self.wanted);
        }
        format!("{}: {} {}, wanted {}", self.of, self.kind.words(), self.reached_text(), self.wanted_text())
    }

    /// The command that measures it; `bundle` is the bundle's path.
    pub fn command(&self, bundle: &str) -> String {
        // No path of a process has a NUL byte, which is what cannot be quoted.
        let bundle = shlex::try_quote(bundle).unwrap_or_default();
        match self.kind.is_of_evaluation() {
            true if self.kind.is_of_classes() => format!("autoneural eval {bundle} --set SET --on float,npu"),
            true => format!("autoneural eval {bundle} --set DIR --on float,npu"),
            false => format!("autoneural verify {bundle} --calibration RECIPE.toml --require-npu"),
        }
    }
}
