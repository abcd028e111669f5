//! Sets of samples of models that take arrays, as a baseline has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::unique::unique;
use autoneural_app::evaluate::{Agreement, ArraysEngine, ArraysReport};

/// Sets of samples by name and engine.
pub(crate) type Sets = BTreeMap<String, SetFacts>;

/// Of a set of samples on one engine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetFacts {
    /// Samples whose most likely class is the right one, in percent; `None` for a set without labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top1_percent: Option<f64>,
    /// Samples whose right class is among the five most likely ones, in percent; a baseline of a version before has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5_percent: Option<f64>,
    /// Samples whose most likely class is that of float, in percent; `None` where float was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_class_percent: Option<f64>,
    /// Outputs against float, by `graph/output`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "unique")]
    pub outputs: BTreeMap<String, SetOutput>,
}

/// Of an output over the samples of a set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetOutput {
    /// SQNR of all samples together, in dB.
    pub sqnr_db: f64,
    /// SQNR of the worst sample, in dB.
    pub worst_db: f64,
}

/// The facts of all engines of an evaluation.
pub(crate) fn facts(report: &ArraysReport) -> Vec<(String, SetFacts)> {
    let output = |one: &Agreement| (one.output.clone(), SetOutput { sqnr_db: one.sqnr_db, worst_db: one.worst_db });
    let of = |engine: &ArraysEngine| {
        let facts = SetFacts {
            top1_percent: engine.classes.as_ref().map(|classes| classes.top1_percent),
            top5_percent: engine.classes.as_ref().map(|classes| classes.top5_percent),
            same_class_percent: engine.classes.as_ref().and_then(|classes| classes.agreement_percent),
            outputs: engine.outputs.iter().map(output).collect(),
        };
        (report.name_on(engine.engine), facts)
    };
    // Of float alone nothing is held where there are no labels.
    report.engines.iter().map(of).filter(|(_, facts)| *facts != SetFacts::default()).collect()
}

/// The figures that no run can give, with what they are and their place.
pub(crate) fn impossible(sets: &Sets) -> Option<String> {
    for (name, set) in sets {
        let percents =
            [("top-1", set.top1_percent), ("top-5", set.top5_percent), ("same class", set.same_class_percent)];
        for (what, figure) in percents {
            if let Some(figure) = figure.filter(|figure| !(0.0..=100.0).contains(figure)) {
                return Some(format!("says {what} {figure} of {name}, which is impossible (0 to 100)"));
            }
        }
        for (output, facts) in &set.outputs {
            let is_impossible = |db: &f64| !(-200.0..=200.0).contains(db);
            if let Some(db) = [facts.sqnr_db, facts.worst_db].into_iter().find(is_impossible) {
                return Some(format!("says SQNR {db} of {name}: {output}, which is impossible (-200 to 200)"));
            }
        }
    }
    None
}
