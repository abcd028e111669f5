//! What the gate found.

use super::cause::Cause;
use super::check::{Check, GateVerdict, Outcome};
use super::exception::ExceptionReport;

/// All checks with what they come to.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Judgement {
    /// What they come to.
    pub verdict: GateVerdict,
    /// Every check, the worst first.
    pub checks: Vec<Check>,
    /// What failed, grouped: the checks that follow from no other, each with those that follow from it. Every failed
    /// check stands in one of them once.
    pub causes: Vec<Cause>,
    /// The exceptions, in the order of the thresholds.
    pub exceptions: Vec<ExceptionReport>,
}

impl Judgement {
    /// Number of checks with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.checks.iter().filter(|check| check.outcome == outcome).count()
    }
}
