//! Goals of what `eval` measured: of questions with known answers, and of samples with labels.

use std::collections::BTreeSet;

use super::verdict::{Found, GoalKind, GoalReport};
use crate::evaluate::{ArraysEngine, ArraysReport, EngineReport, EvaluationReport};
use autoneural_core::goals::EvaluationGoals;
use autoneural_engines::engine::EngineKind;

/// A goal that the recipe may state.
type Stated = (GoalKind, Option<f64>);

/// What is asked of a kind of sets.
struct Wanted<'a> {
    /// What the sets are of, in the plural.
    of: &'static str,
    /// What was done with them.
    done: &'static str,
    /// The set; `None` for every one.
    set: Option<&'a str>,
    /// How many are enough; `None` for all of a set.
    least: Option<usize>,
    goals: Vec<Stated>,
}

/// One evaluation.
struct Asked<'a> {
    set: &'a str,
    count: usize,
    in_set: Option<usize>,
    /// A figure of one of the engines.
    figure: Box<dyn Fn(GoalKind, EngineKind) -> Option<f64> + 'a>,
}

/// The goals of an evaluation, held against those that were made.
pub(crate) fn of_evaluations(
    (questions, samples): (&[EvaluationReport], &[ArraysReport]),
    goals: &EvaluationGoals,
) -> Vec<GoalReport> {
    let of_questions = Wanted {
        of: "questions",
        done: "asked",
        set: goals.set.as_deref(),
        least: goals.questions,
        goals: vec![
            (GoalKind::ExactMatch, goals.exact_match_percent),
            (GoalKind::ExactMatchLoss, goals.exact_match_loss_points),
            (GoalKind::PerplexityIncrease, goals.perplexity_increase_percent),
            (GoalKind::TokenAgreement, goals.token_agreement_percent),
        ],
    };
    let of_samples = Wanted {
        of: "samples",
        done: "run",
        set: goals.set.as_deref(),
        least: goals.samples,
        goals: vec![
            (GoalKind::Top1, goals.top1_percent),
            (GoalKind::Top1Loss, goals.top1_loss_points),
            (GoalKind::Top5, goals.top5_percent),
            (GoalKind::Top5Loss, goals.top5_loss_points),
            (GoalKind::SameClass, goals.same_class_percent),
        ],
    };
    let asked = questions.iter().filter(|one| !one.blank).map(|one| Asked {
        set: &one.set,
        count: one.questions,
        in_set: one.in_set,
        figure: Box::new(|kind, engine| {
            let find = |kind| one.engines.iter().find(|found| found.engine == kind);
            of_answers(kind, find(engine)?, find(EngineKind::Float))
        }),
    });
    let mut made = of_questions.held(&asked.collect::<Vec<_>>());
    let run = samples.iter().filter(|one| one.classes_of.is_some()).map(|one| Asked {
        set: &one.set,
        count: one.samples,
        in_set: Some(one.in_set),
        figure: Box::new(|kind, engine| {
            let find = |kind| one.engines.iter().find(|found| found.engine == kind);
            of_classes(kind, find(engine)?, find(EngineKind::Float))
        }),
    });
    made.extend(of_samples.held(&run.collect::<Vec<_>>()));
    made
}

/// A figure of an engine, with float's where it answered the same questions.
fn of_answers(kind: GoalKind, of: &EngineReport, float: Option<&EngineReport>) -> Option<f64> {
    match kind {
        GoalKind::ExactMatch => Some(of.total.exact_match_percent),
        GoalKind::ExactMatchLoss => Some(float?.total.exact_match_percent - of.total.exact_match_percent),
        GoalKind::PerplexityIncrease => Some(100.0 * (of.total.perplexity / float?.total.perplexity - 1.0)),
        GoalKind::TokenAgreement => of.total.token_agreement_percent,
        _ => None,
    }
}

/// A figure of an engine, with float's where it ran the same samples.
fn of_classes(kind: GoalKind, of: &ArraysEngine, float: Option<&ArraysEngine>) -> Option<f64> {
    let (of, float) = (of.classes.as_ref()?, float.and_then(|float| float.classes.as_ref()));
    match kind {
        GoalKind::Top1 => Some(of.top1_percent),
        GoalKind::Top1Loss => Some(float?.top1_percent - of.top1_percent),
        GoalKind::Top5 => Some(of.top5_percent),
        GoalKind::Top5Loss => Some(float?.top5_percent - of.top5_percent),
        GoalKind::SameClass => of.agreement_percent,
        _ => None,
    }
}

impl Wanted<'_> {
    /// The goals of every set that they are about. If no such set was evaluated, they are listed once, as not measured.
    fn held(&self, asked: &[Asked]) -> Vec<GoalReport> {
        let counts = |one: &&Asked| self.set.is_none_or(|set| set == one.set);
        let of_sets: BTreeSet<&str> = asked.iter().filter(counts).map(|one| one.set).collect();
        let any = self.set.unwrap_or(self.of);
        let sets: Vec<&str> = if of_sets.is_empty() { vec![any] } else { of_sets.into_iter().collect() };
        let mut made = Vec::new();
        for set in sets {
            let of_set: Vec<&Asked> = asked.iter().filter(counts).filter(|one| one.set == set).collect();
            let is_enough = |one: &&&Asked| match self.least {
                Some(least) => one.count >= least,
                None => one.in_set.is_some_and(|all| one.count >= all),
            };
            let enough: Vec<&Asked> = of_set.iter().filter(is_enough).copied().collect();
            let note = (enough.is_empty() && !of_set.is_empty()).then(|| self.too_few(&of_set));
            for &(kind, wanted) in &self.goals {
                let Some(wanted) = wanted else { continue };
                let mut goal = GoalReport::new(kind, set, wanted, best_of(&enough, kind));
                goal.note = note.clone().filter(|_| goal.reached.is_none());
                made.push(goal);
            }
        }
        made
    }

    fn too_few(&self, asked: &[&Asked]) -> String {
        let most = asked.iter().max_by_key(|one| one.count);
        let (count, all) = most.map_or((0, None), |one| (one.count, one.in_set));
        let Wanted { of, done, .. } = self;
        match (self.least, all) {
            (Some(wanted), _) => format!("{count} {of} were {done}, {wanted} are wanted"),
            (None, Some(all)) => format!("{count} of {all} {of} were {done}"),
            (None, None) => format!("{count} {of} were {done}, whether that is the whole set is not known"),
        }
    }
}

/// A figure of the evaluation with the most questions or samples that has it of the NPU, else simulated.
fn best_of(asked: &[&Asked], kind: GoalKind) -> Found {
    let of = |engine: EngineKind| {
        let having = asked.iter().filter_map(|one| {
            let found = (one.figure)(kind, engine)?;
            // What JSON has no number for falls short of every goal.
            let found = if found.is_finite() { found } else { f64::MAX };
            Some((one.count, found))
        });
        having.max_by_key(|(count, _)| *count).map(|(_, found)| (autoneural_bundle::round(found), engine))
    };
    of(EngineKind::Npu).or_else(|| of(EngineKind::Simulated))
}
