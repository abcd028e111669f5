//! Sets of samples of models that take arrays, held against a baseline.

use std::collections::BTreeSet;

use super::check::{Check, Location, Outcome, Rule};
use super::judge::{Figures, Judge, Measure, SAME_CLASS, SET_DB, TOP1, TOP5, Unit, WORST_DB};
use super::set_facts::{SetFacts, SetOutput, Sets};

/// A figure that is held: its rule, its unit, and where it is found in facts.
pub(crate) struct Line {
    /// The rule.
    pub rule: Rule,
    /// The unit.
    pub unit: Unit,
    /// The figure of the whole set, or of one of its outputs.
    pub of: Of,
}

/// Where a figure is found.
pub(crate) enum Of {
    /// In the facts of the set: where it is read, and where it is put.
    Set(fn(&SetFacts) -> Option<f64>, fn(&mut SetFacts) -> &mut Option<f64>),
    /// In those of each output.
    Output(fn(&SetOutput) -> f64),
}

/// All figures that are held; each falls short by being lower.
pub(crate) const LINES: [Line; 5] = [
    Line { rule: Rule::Accuracy, unit: TOP1, of: Of::Set(|set| set.top1_percent, |set| &mut set.top1_percent) },
    Line { rule: Rule::Top5, unit: TOP5, of: Of::Set(|set| set.top5_percent, |set| &mut set.top5_percent) },
    Line {
        rule: Rule::SameClass,
        unit: SAME_CLASS,
        of: Of::Set(|set| set.same_class_percent, |set| &mut set.same_class_percent),
    },
    Line { rule: Rule::SetSqnr, unit: SET_DB, of: Of::Output(|output| output.sqnr_db) },
    Line { rule: Rule::WorstSample, unit: WORST_DB, of: Of::Output(|output| output.worst_db) },
];

/// One figure at one place, before and now.
pub(crate) struct Held<'a> {
    /// What is held.
    pub line: &'a Line,
    /// The output; empty for the whole set.
    pub output: &'a str,
    /// Where.
    pub place: Location,
    /// The figures.
    pub figures: Figures,
}

/// Every figure of a set that the baseline or the report has.
pub(crate) fn held<'a>(name: &str, before: Option<&'a SetFacts>, now: Option<&'a SetFacts>) -> Vec<Held<'a>> {
    let both = [before, now];
    let names: BTreeSet<&str> = both.iter().flatten().flat_map(|set| set.outputs.keys().map(String::as_str)).collect();
    let mut made = Vec::new();
    for line in &LINES {
        match line.of {
            Of::Set(of, _) => {
                let [baseline, now] = both.map(|set| set.and_then(of));
                if baseline.is_some() || now.is_some() {
                    let place = Location::of("", name);
                    made.push(Held { line, output: "", place, figures: Figures { baseline, now } });
                }
            }
            Of::Output(of) => made.extend(names.iter().map(|&output| {
                let [baseline, now] = both.map(|set| set.and_then(|set| set.outputs.get(output)).map(of));
                let place = Location::of("", &format!("{name}: {output}"));
                Held { line, output, place, figures: Figures { baseline, now } }
            })),
        }
    }
    made
}

/// How far the figure of a rule may fall.
pub(crate) fn limit(judge: &Judge, rule: Rule) -> f64 {
    let limits = &judge.thresholds.evaluation;
    match rule {
        Rule::SameClass => limits.same_class_drop_points,
        Rule::SetSqnr => limits.sqnr_drop_db,
        Rule::WorstSample => limits.worst_sample_drop_db,
        _ => limits.accuracy_drop_points,
    }
}

/// Adds the checks of all sets of the baseline and of the report.
pub(crate) fn look(judge: &mut Judge, baseline: &Sets, now: &Sets) {
    let names: BTreeSet<&String> = baseline.keys().chain(now.keys()).collect();
    for name in names {
        let (before, after) = (baseline.get(name), now.get(name));
        if after.is_none() && !judge.thresholds.evaluation.required {
            judge.add(Check::new(Rule::Accuracy, Location::of("", name), Outcome::Skipped, "was not evaluated"));
            continue;
        }
        for Held { line, place, figures, .. } in held(name, before, after) {
            let limit = limit(judge, line.rule);
            judge.hold(line.rule, place, Measure::Drop, line.unit, figures, limit);
        }
    }
}
