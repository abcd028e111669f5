//! Sets of samples of a new baseline.

use super::changes::{Change, Group};
use super::held::{Held, Update};
use crate::gate::check::Location;
use crate::gate::facts::Facts;
use crate::gate::judge::Measure;
use crate::gate::rule::Rule;
use crate::gate::set_facts::SetFacts;
use crate::gate::sets::{self, Of};

impl Update<'_> {
    pub(crate) fn sets(&mut self, before: &Facts, now: &Facts, made: &mut Facts) {
        for (name, old) in &before.sets {
            let new = now.sets.get(name);
            if new.is_none() && !self.judge.thresholds.evaluation.required {
                made.sets.insert(name.clone(), old.clone());
                let (place, message) = (Location::of("", name), "was not evaluated".to_string());
                self.changes.kept.push(Change { group: Group::Evaluations, place, message, size: 0.0 });
                continue;
            }
            let mut kept = new.unwrap_or(old).clone();
            for found in sets::held(name, Some(old), new) {
                let (rule, unit) = (found.line.rule, found.line.unit);
                let held = Held { group: Group::Evaluations, rule, what: "", measure: Measure::Drop, unit };
                let limit = sets::limit(&self.judge, rule);
                let figure = self.figure(&held, &found.place, limit, found.figures.baseline, found.figures.now);
                put(&mut kept, &found, figure, old);
            }
            made.sets.insert(name.clone(), kept);
        }
        for name in now.sets.keys().filter(|name| !before.sets.contains_key(*name)) {
            self.first(Group::Evaluations, &Location::of("", name), "the evaluation is new");
        }
    }
}

/// Puts a figure as the baseline is to have it.
fn put(kept: &mut SetFacts, found: &sets::Held, figure: Option<f64>, old: &SetFacts) {
    match found.line.of {
        Of::Set(_, slot) => *slot(kept) = figure,
        Of::Output(_) => {
            let before = old.outputs.get(found.output).copied();
            let slot = match (kept.outputs.get_mut(found.output), before) {
                (Some(slot), _) => slot,
                (None, Some(before)) => kept.outputs.entry(found.output.to_string()).or_insert(before),
                (None, None) => return,
            };
            match (found.line.rule, figure) {
                (Rule::WorstSample, Some(figure)) => slot.worst_db = figure,
                (_, Some(figure)) => slot.sqnr_db = figure,
                (_, None) => {}
            }
        }
    }
}
