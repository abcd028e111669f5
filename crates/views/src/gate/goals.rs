//! Goals of the recipe against those of the baseline: whoever lowers a goal makes every figure good enough.

use super::check::{Check, Location, Outcome, Rule};
use super::facts::Facts;
use super::judge::Judge;
use autoneural_app::report::GoalKind;

/// A goal of a baseline, and what became of it.
pub(crate) struct GoalFact<'a> {
    /// What it is of, as the baseline has it.
    pub of: &'a str,
    /// What is measured.
    pub kind: GoalKind,
    /// What the baseline wants.
    pub before: f64,
    /// What is wanted now; `None` if the goal is gone.
    pub now: Option<f64>,
}

/// The goals of a baseline beside those of a bundle.
pub(crate) fn goals<'a>(baseline: &'a Facts, now: &'a Facts) -> impl Iterator<Item = GoalFact<'a>> {
    let wanted = |of: &str, kind| now.goals.get(of).and_then(|kinds| kinds.get(&kind)).copied();
    baseline.goals.iter().flat_map(move |(of, kinds)| {
        kinds.iter().map(move |(&kind, &before)| GoalFact { of, kind, before, now: wanted(of, kind) })
    })
}

/// Where a goal is: at an output, or by its name.
pub(crate) fn place_of(of: &str, facts: &Facts) -> Location {
    let output = of.split_once('/').filter(|(partition, _)| facts.partitions.contains_key(*partition));
    output.map_or_else(|| Location::of("", of), |(partition, name)| Location::of(partition, name))
}

impl GoalFact<'_> {
    /// How much less is wanted than in the baseline; below 0 where it is more.
    pub(crate) fn looser_by(&self) -> f64 {
        let by = self.now.map_or(f64::INFINITY, |now| self.before - now);
        if self.kind.is_most() && self.now.is_some() { -by } else { by }
    }

    /// What became of it, in words.
    pub(crate) fn sentence(&self) -> String {
        let (what, unit) = (self.kind.words(), self.kind.unit());
        match self.now {
            None => format!("the goal for {what} is gone, {} {unit} in the baseline", self.before),
            Some(now) if now == self.before => format!("the goal for {what} is {now} {unit}, as in the baseline"),
            Some(now) => format!("the goal for {what} is {now} {unit}, {} in the baseline", self.before),
        }
    }
}

/// Adds a check for every goal of the baseline.
pub(crate) fn check(judge: &mut Judge, baseline: &Facts, now: &Facts) {
    for goal in goals(baseline, now) {
        let by = goal.looser_by();
        let outcome = if by > 0.0 { Outcome::Failed } else { Outcome::Passed };
        let check = Check::new(Rule::GoalLoosened, place_of(goal.of, baseline), outcome, goal.sentence());
        judge.add(Check { baseline: Some(goal.before), now: goal.now, limit: Some(goal.before), worse: by, ..check });
    }
}
