//! Compares the figures of a report with its goals, when it is made and again whenever it is read.

use std::path::Path;

use super::columns::Columns;
use super::contents::{Demands, Report, SCHEMA};
use super::judge_evaluations::of_evaluations;
use super::verdict::{Found, GoalKind, GoalReport, Verdict, VerdictState};
use autoneural_base::error::Result;
use autoneural_base::json::{LARGEST_JSON, json_of};
use autoneural_bundle::{Bundle, REPORT};
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
            goals.extend(of_evaluations((&report.evaluations, &report.array_evaluations), wanted));
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
