//! Evaluate: questions with known answers, or sets of samples; the figures go into the report.

use std::path::Path;

use serde::Serialize;

use crate::evaluate::{ArraysPlan, ArraysReport, EvaluationReport, Plan, Set};
use crate::loading::check;
use crate::report::{Report, Verdict};
use crate::runner::Model;
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_base::warning::Warning;
use autoneural_bundle::{Bundle, Held, REPORT, Stage};
use autoneural_engines::back::qnn::Runtime;

/// What an evaluation found, and how the bundle's goals stand then.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluated<T> {
    /// What it found.
    #[serde(flatten)]
    pub evaluation: T,
    /// All goals.
    pub verdict: Verdict,
}

/// Evaluates a bundle and adds what was found to its report. A run that was stopped goes on where it was. Nobody else
/// works on the bundle meanwhile, and it has the new report at once or not at all. A slice of the set only reads the
/// bundle, and its figures are in no report.
///
/// # Errors
/// A bundle without a report or on which another run works, an engine whose stage has not run, a question that cannot
/// be asked.
pub fn evaluate(
    path: &Path,
    set: &Set,
    plan: &Plan,
    runtime: Option<&Runtime>,
    progress: &dyn Progress,
) -> Result<Evaluated<EvaluationReport>> {
    let held = (!plan.slices.is_slice()).then(|| Held::take(path)).transpose()?;
    let model = Model::open(path, &plan.kinds, progress)?;
    let mut report = report_of(model.bundle(), path)?;
    let made = crate::evaluate::evaluate(&model, set, plan, runtime, progress)?;
    model.bundle().refuse_replaced()?;
    drop(model);
    let Some(held) = held else { return Ok(Evaluated { evaluation: made, verdict: report.verdict }) };
    report.evaluations.retain(|other| !other.asks_the_same(&made));
    report.evaluations.push(made.clone());
    put(held, &mut report, progress)?;
    Ok(Evaluated { evaluation: made, verdict: report.verdict })
}

/// Evaluates a bundle of a model that takes arrays, as [`evaluate`] does. Returns what was found, and what a person
/// should know of the samples.
///
/// # Errors
/// As for [`evaluate`]; samples that do not fit, labels that are no classes.
pub fn evaluate_arrays(
    path: &Path,
    plan: &ArraysPlan,
    runtime: Option<&Runtime>,
    progress: &dyn Progress,
) -> Result<(Evaluated<ArraysReport>, Vec<Warning>)> {
    let held = (!plan.slices.is_slice()).then(|| Held::take(path)).transpose()?;
    let looked = Bundle::look(path)?;
    check(&looked, path, &plan.kinds, progress)?;
    let mut report = report_of(&looked, path)?;
    let (made, warnings) = crate::evaluate::evaluate_arrays(&looked, plan, runtime, progress)?;
    looked.refuse_replaced()?;
    drop(looked);
    let Some(held) = held else { return Ok((Evaluated { evaluation: made, verdict: report.verdict }, warnings)) };
    report.array_evaluations.retain(|other| !other.asks_the_same(&made));
    report.array_evaluations.push(made.clone());
    put(held, &mut report, progress)?;
    Ok((Evaluated { evaluation: made, verdict: report.verdict }, warnings))
}

/// The report that figures are added to. One that cannot be read is better told before a run than after it.
pub(super) fn report_of(bundle: &Bundle, path: &Path) -> Result<Report> {
    match bundle.manifest.has(Stage::Verify.name()) {
        true => Report::read(bundle),
        false => {
            Err(Error::input(path.display(), "has no report: `verify` has not run")
                .help("run `autoneural verify` first"))
        }
    }
}

/// Judges the report, and puts it into the bundle.
pub(super) fn put(held: Held, report: &mut Report, progress: &dyn Progress) -> Result<()> {
    let bundle = held.open(progress)?;
    report.judge(report.demands);
    bundle.put(REPORT, &report.text()?)?;
    bundle.commit().map(drop)
}
