//! The gate: a bundle that was verified and a baseline go in, a verdict comes out, with a check for everything that was
//! looked at. The baseline is what another bundle of the same model, target and recipe was found to be when people
//! accepted it.
//!
//! What stands in reports and baselines is other people's text: it is shown as text only, see [`plain`].

mod baseline;
mod cause;
mod changes;
mod check;
mod date;
mod exception;
mod facts;
mod figures;
mod flow;
mod goals;
mod judge;
mod judgement;
mod look;
pub mod output;
mod plain;
mod rule;
mod set_facts;
mod sets;
mod tensor;
mod thresholds;
mod unique;
mod update;

pub use baseline::{Baseline, text_of};
pub use cause::{Cause, CauseKind};
pub use check::{Check, Excepted, GateVerdict, Location, Outcome, Rule};
pub use date::Date;
pub use exception::{Exception, ExceptionReport, State, unknown_check};
pub use facts::{ChainFacts, EvaluationFacts, Facts, OutputFacts, PartitionFacts, evaluation_name, text_name};
pub use flow::Flow;
pub use judgement::Judgement;
pub use plain::plain;
pub use set_facts::{SetFacts, SetOutput};
pub use tensor::TensorFact;
pub use thresholds::{DEFAULT, Thresholds};
pub use update::{Change, Changes, Group, update};

use autoneural_app::report::Report;
use autoneural_base::error::{Error, Result};
use judge::Judge;
use look::look;

/// Holds the facts of a bundle against a baseline.
///
/// # Errors
/// The baseline is of another model, target or recipe, or of other samples.
pub fn judge(
    now: &Facts,
    report: &Report,
    baseline: &Baseline,
    thresholds: &Thresholds,
    today: Date,
) -> Result<Judgement> {
    refuse_incomparable(now, baseline)?;
    let mut judge = Judge::new(thresholds, today);
    look(&mut judge, &baseline.facts, now, report);
    let (checks, exceptions) = judge.finish();
    let causes = cause::causes(&checks, &now.flow);
    Ok(Judgement { verdict: GateVerdict::of(&checks), checks, causes, exceptions })
}

/// Refuses a baseline whose figures are not of the same thing.
///
/// # Errors
/// It is of another model, target or recipe, or of other samples; the message names both.
pub fn refuse_incomparable(now: &Facts, baseline: &Baseline) -> Result<()> {
    let before = &baseline.facts;
    let samples = |facts: &Facts| format!("{} with {} steps behind each", facts.samples, facts.steps);
    for (what, before, now) in [
        ("model", &before.model, &now.model),
        ("target", &before.target, &now.target),
        ("recipe", &before.recipe, &now.recipe),
        ("number of verification samples", &samples(before), &samples(now)),
    ] {
        if before != now {
            let message = format!("is of another {what}: {before}, the bundle has {now}");
            return Err(Error::input(baseline.path.display(), message)
                .help("name the baseline of this bundle, or write a new one with --update to another file"));
        }
    }
    Ok(())
}
