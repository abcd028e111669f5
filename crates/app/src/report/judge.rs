//! Holds the figures of a report against goals: when it is made, and anew when it is read.

use std::collections::BTreeSet;
use std::path::Path;

use super::columns::Columns;
use super::contents::{Demands, Report, SCHEMA};
use super::verdict::{Found, GoalKind, GoalReport, Verdict, VerdictState};
use crate::evaluate::{EngineReport, EvaluationReport};
use autoneural_base::error::Result;
use autoneural_base::json::{LARGEST_JSON, json_of};
use autoneural_bundle::{Bundle, REPORT};
use autoneural_core::goals::EvaluationGoals;
use autoneural_engines::engine::EngineKind;

impl Report {
    /// Holds the figures against the goals that the report states and against demands.
    pub fn judge(&mut self, demands: Demands) {
        self.demands = demands;
        self.verdict = Verdict::of(self);
        self.failures = self.verdict.goals_in(VerdictState::Missed).map(GoalReport::line).collect();
    }

    /// Reads the report of a bundle.
    ///
    /// # Errors
    /// A file that is no report, or one of another schema.
    pub fn read(bundle: &Bundle) -> Result<Self> {
        Self::parse(&bundle.read(REPORT, LARGEST_JSON)?, &bundle.path(REPORT))
    }

    /// A report from the text of its file; `path` is only for messages.
    ///
    /// # Errors
    /// As for [`Report::read`].
    pub fn parse(text: &[u8], path: &Path) -> Result<Self> {
        let mut made: Report = json_of(path, text, SCHEMA, "run `autoneural verify` again")?;
        // One that was written elsewhere may say anything.
        made.verdict = Verdict::of(&made);
        Ok(made)
    }
}

impl Verdict {
    /// Holds a report's figures against its goals and against what was demanded on the command line.
    pub fn of(report: &Report) -> Self {
        let mut goals = outputs(report);
        goals.extend(sequences(report));
        if let Some(wanted) = &report.goals.evaluation {
            goals.extend(evaluations(&report.evaluations, wanted));
        }
        let any = |state| goals.iter().any(|goal| goal.state == state);
        let state = match (any(VerdictState::Missed), any(VerdictState::NotMeasured), goals.is_empty()) {
            (true, ..) => VerdictState::Missed,
            (_, true, _) => VerdictState::NotMeasured,
            (.., true) => VerdictState::NoGoal,
            _ => VerdictState::Met,
        };
        Verdict { state, goals }
    }
}

/// The NPU's figure where there is one.
fn best(columns: Columns) -> Found {
    let npu = columns.npu.map(|figure| (figure, EngineKind::Npu));
    npu.or(columns.simulated.map(|figure| (figure, EngineKind::Simulated)))
}

/// Goals of outputs, of the recipe or of the command line, the stricter one.
fn outputs(report: &Report) -> Vec<GoalReport> {
    let (goals, demands) = (&report.goals, &report.demands);
    let mut made = Vec::new();
    for partition in &report.partitions {
        for output in &partition.outputs {
            let of = format!("{}/{}", partition.name, output.name);
            let wanted = [goals.of_output(&partition.name, &output.name), demands.min_sqnr_db];
            if let Some(wanted) = wanted.into_iter().flatten().reduce(f64::max) {
                made.push(GoalReport::new(GoalKind::OutputSqnr, &of, wanted, best(output.sqnr_db)));
            }
            if let Columns { simulated: Some(simulated), npu: Some(npu) } = output.sqnr_db
                && (simulated - npu).abs() > demands.max_difference_db
                && npu < demands.enough_db
            {
                let apart = Some(((simulated - npu).abs(), EngineKind::Npu));
                let mut goal = GoalReport::new(GoalKind::Difference, &of, demands.max_difference_db, apart);
                goal.note = Some(format!("simulation ({simulated:.1} dB) and NPU ({npu:.1} dB)"));
                made.push(goal);
            }
        }
    }
    made
}

fn sequences(report: &Report) -> Vec<GoalReport> {
    let Some(goals) = &report.goals.sequences else { return vec![] };
    let chain = &report.chain;
    let stated = [
        (GoalKind::SequenceSqnr, goals.logits_sqnr_db, chain.logits_sqnr_db),
        (GoalKind::SequenceTokens, goals.same_token_percent, chain.top1_agreement_percent),
    ];
    let goal = |(kind, wanted, found): (GoalKind, Option<f64>, Columns)| {
        Some(GoalReport::new(kind, "sequences", wanted?, best(found)))
    };
    stated.into_iter().filter_map(goal).collect()
}

/// Goals of every set of questions that counts; of none where none was asked.
fn evaluations(found: &[EvaluationReport], goals: &EvaluationGoals) -> Vec<GoalReport> {
    let counts = |one: &&EvaluationReport| !one.blank && goals.set.as_ref().is_none_or(|set| *set == one.set);
    let of_sets: BTreeSet<&str> = found.iter().filter(counts).map(|one| one.set.as_str()).collect();
    let any = goals.set.as_deref().unwrap_or("questions");
    let sets: Vec<&str> = if of_sets.is_empty() { vec![any] } else { of_sets.into_iter().collect() };
    let mut made = Vec::new();
    for set in sets {
        let of_set: Vec<&EvaluationReport> = found.iter().filter(counts).filter(|one| one.set == set).collect();
        let is_enough = |one: &&&EvaluationReport| match goals.questions {
            Some(least) => one.questions >= least,
            None => one.in_set.is_some_and(|all| one.questions >= all),
        };
        let enough: Vec<&EvaluationReport> = of_set.iter().filter(is_enough).copied().collect();
        let note = (enough.is_empty() && !of_set.is_empty()).then(|| too_few(&of_set, goals));
        let stated: [(GoalKind, Option<f64>, Figure); 4] = [
            (GoalKind::ExactMatch, goals.exact_match_percent, |of, _| Some(of.total.exact_match_percent)),
            (GoalKind::ExactMatchLoss, goals.exact_match_loss_points, |of, float| {
                Some(float?.total.exact_match_percent - of.total.exact_match_percent)
            }),
            (GoalKind::PerplexityIncrease, goals.perplexity_increase_percent, |of, float| {
                Some(100.0 * (of.total.perplexity / float?.total.perplexity - 1.0))
            }),
            (GoalKind::TokenAgreement, goals.token_agreement_percent, |of, _| of.total.token_agreement_percent),
        ];
        for (kind, wanted, figure) in stated {
            let Some(wanted) = wanted else { continue };
            let mut goal = GoalReport::new(kind, set, wanted, best_of(&enough, figure));
            goal.note = note.clone().filter(|_| goal.reached.is_none());
            made.push(goal);
        }
    }
    made
}

/// A figure of an engine, with float's where it answered the same questions.
type Figure = fn(&EngineReport, Option<&EngineReport>) -> Option<f64>;

/// A figure of the evaluation with the most questions that has it of the NPU, else simulated.
fn best_of(evaluations: &[&EvaluationReport], figure: Figure) -> Found {
    let of = |kind: EngineKind| {
        let having = evaluations.iter().filter_map(|one| {
            let engine = |kind| one.engines.iter().find(|engine| engine.engine == kind);
            let found = figure(engine(kind)?, engine(EngineKind::Float))?;
            // What JSON has no number for falls short of every goal.
            let found = if found.is_finite() { found } else { f64::MAX };
            Some((one.questions, found))
        });
        having.max_by_key(|(questions, _)| *questions).map(|(_, found)| (autoneural_bundle::round(found), kind))
    };
    of(EngineKind::Npu).or_else(|| of(EngineKind::Simulated))
}

fn too_few(asked: &[&EvaluationReport], goals: &EvaluationGoals) -> String {
    let most = asked.iter().max_by_key(|one| one.questions);
    let (asked, all) = most.map_or((0, None), |one| (one.questions, one.in_set));
    match (goals.questions, all) {
        (Some(wanted), _) => format!("{asked} questions were asked, {wanted} are wanted"),
        (None, Some(all)) => format!("{asked} of {all} questions were asked"),
        (None, None) => format!("{asked} questions were asked, whether that is the whole set is not known"),
    }
}
