//! Evaluate: questions with known answers; the figures go into the report.

use std::path::Path;

use crate::back::bundle::{Bundle, REPORT, Stage};
use crate::back::qnn::Runtime;
use crate::error::{Error, Result};
use crate::evaluate::{EvaluationReport, Plan, Set};
use crate::progress::Progress;
use crate::report::Report;
use crate::runner::Model;

/// Evaluates a bundle and adds what was found to its report. A run that was stopped goes on where it was.
///
/// # Errors
/// A bundle without a report, an engine whose stage has not run, a question that cannot be asked.
pub fn evaluate(
    bundle: &Path,
    set: &Set,
    plan: &Plan,
    runtime: Option<&Runtime>,
    progress: &dyn Progress,
) -> Result<EvaluationReport> {
    let model = Model::open(bundle, &plan.kinds, progress)?;
    if !model.bundle().manifest.has(Stage::Verify.name()) {
        return Err(
            Error::input(bundle.display(), "has no report: `verify` has not run").help("run `autoneural verify` first")
        );
    }
    let kept = model.bundle().evaluation_folder()?;
    let made = crate::evaluate::evaluate(&model, &kept, set, plan, runtime, progress)?;
    drop(model);
    let mut bundle = Bundle::look(bundle)?;
    let mut report = Report::read(&bundle.path(REPORT))?;
    report.evaluations.retain(|other| !other.asks_the_same(&made));
    report.evaluations.push(made.clone());
    bundle.update_file(REPORT, |path| report.write(path))?;
    Ok(made)
}
