//! What came out: figures of each engine over all samples.

use serde::{Deserialize, Serialize};

use super::record::{BEST, Compared, Record};
use super::target::{Counted, Output};
use autoneural_bundle::round;
use autoneural_engines::engine::EngineKind;

/// Most samples whose class is not that of float that are listed.
const MOST_LISTED: usize = 100;

/// What one evaluation of a set of samples found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArraysReport {
    /// Name of the set.
    pub set: String,
    /// Number of samples.
    pub samples: usize,
    /// How many the set has.
    pub in_set: usize,
    /// The output whose classes are counted, as `graph/output`; `None` for a set without labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes_of: Option<String>,
    /// One entry per engine.
    pub engines: Vec<ArraysEngine>,
}

/// One engine's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArraysEngine {
    /// The engine.
    pub engine: EngineKind,
    /// Right classes; `None` for a set without labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
    /// Every output against float; empty for float itself, and where float was not asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Agreement>,
}

/// How many samples get the right class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Classes {
    /// Samples whose most likely class is the right one.
    pub top1_percent: f64,
    /// Samples whose right class is among the five most likely ones.
    pub top5_percent: f64,
    /// Samples whose most likely class is that of float; `None` for float itself, and where float was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement_percent: Option<f64>,
    /// Samples whose class is not that of float, the first hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<Differs>,
}

/// A sample whose class is not that of float.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Differs {
    /// The sample.
    pub sample: String,
    /// Its right class.
    pub right: usize,
    /// Float's class.
    pub float: usize,
    /// This engine's class.
    pub said: usize,
}

/// An output against float, over all samples that reach it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The output, as `graph/output`.
    pub output: String,
    /// SQNR in dB, signal and noise of all samples together, so that samples with large numbers weigh most.
    pub sqnr_db: f64,
    /// SQNR in dB of the worst sample.
    pub worst_db: f64,
    /// The worst sample.
    pub worst: String,
    /// SQNR in dB below which are 5 % of the samples: the 5th percentile by nearest rank.
    pub percentile5_db: f64,
    /// Cosine between all samples' outputs and float's; `None` where it is not defined.
    pub cosine: Option<f64>,
    /// The largest difference of an element, in the output's own unit; `None` if an element was NaN or infinite.
    pub largest_difference: Option<f64>,
}

/// What was found of each sample: its name, its right class if that is known, and what each engine made of it, in the
/// order of the engines.
pub(crate) struct Found {
    /// Its name.
    pub name: String,
    /// Its right class.
    pub right: Option<usize>,
    /// One for each engine.
    pub records: Vec<Record>,
}

impl ArraysReport {
    /// The figures of what was found. Float is the first of the engines where it is among them.
    pub(crate) fn new(
        (set, in_set): (&str, usize),
        kinds: &[EngineKind],
        (outputs, counted): (&[Output], Option<&Counted>),
        found: &[Found],
    ) -> Self {
        let float = kinds.iter().position(|kind| *kind == EngineKind::Float);
        let engine = |(at, &kind): (usize, &EngineKind)| {
            let float = float.filter(|float| *float != at);
            ArraysEngine {
                engine: kind,
                classes: counted.map(|_| Classes::of(found, at, float)),
                outputs: match float {
                    Some(_) => outputs.iter().enumerate().filter_map(|of| Agreement::of(found, at, of)).collect(),
                    None => vec![],
                },
            }
        };
        ArraysReport {
            set: set.to_string(),
            samples: found.len(),
            in_set,
            classes_of: counted.map(|counted| counted.name.clone()),
            engines: kinds.iter().enumerate().map(engine).collect(),
        }
    }

    /// Whether another evaluation asked the same.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        (&self.set, self.samples, &self.classes_of) == (&other.set, other.samples, &other.classes_of)
    }

    /// What it is called with one of its engines, in tables and baselines.
    pub fn name_on(&self, engine: EngineKind) -> String {
        let labelled = if self.classes_of.is_some() { " labelled" } else { "" };
        format!("{}{labelled} samples of {} on {}", self.samples, self.set, engine.name())
    }
}

impl Classes {
    fn of(found: &[Found], at: usize, float: Option<usize>) -> Self {
        let share = |is: &dyn Fn(&Found) -> bool| {
            round(100.0 * found.iter().filter(|one| is(one)).count() as f64 / found.len().max(1) as f64)
        };
        let top = |one: &Found, engine: usize| one.records[engine].best.first().copied();
        let is_other = |one: &&Found, float: usize| top(one, at) != top(one, float);
        let differs = |one: &Found| {
            Some(Differs { sample: one.name.clone(), right: one.right?, float: top(one, float?)?, said: top(one, at)? })
        };
        Classes {
            top1_percent: share(&|one| one.right.is_some() && top(one, at) == one.right),
            top5_percent: share(&|one| one.records[at].best.iter().take(BEST).any(|class| Some(*class) == one.right)),
            agreement_percent: float.map(|float| share(&|one| !is_other(&one, float))),
            differs: match float {
                Some(float) => {
                    found.iter().filter(|one| is_other(one, float)).filter_map(differs).take(MOST_LISTED).collect()
                }
                None => vec![],
            },
        }
    }
}

impl Agreement {
    /// `None` if no sample reaches the output.
    fn of(found: &[Found], at: usize, (place, output): (usize, &Output)) -> Option<Self> {
        let reached = |one: &&Found| one.records[at].outputs.get(place).is_some_and(Option::is_some);
        let reached: Vec<&Found> = found.iter().filter(reached).collect();
        let mut all = Compared::default();
        let mut each: Vec<(f64, &str)> = Vec::with_capacity(reached.len());
        for one in reached {
            let compared = one.records[at].outputs[place]?;
            all.sqnr.merge(&compared.sqnr);
            all.closeness.merge(&compared.closeness);
            each.push((compared.sqnr.db(), &one.name));
        }
        each.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (worst_db, worst) = *each.first()?;
        // Nearest rank: the least of the samples that 5 % of them do not exceed.
        let rank = each.len().div_ceil(20) - 1;
        Some(Agreement {
            output: output.name.clone(),
            sqnr_db: round(all.sqnr.db()),
            worst_db: round(worst_db),
            worst: worst.to_string(),
            percentile5_db: round(each[rank].0),
            cosine: all.closeness.cosine(),
            largest_difference: all.closeness.largest_difference(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(float: &[f32], made: &[f32]) -> Option<Compared> {
        Some(Compared::of(float, made).unwrap())
    }

    fn found(name: &str, right: usize, float: usize, quantized: &[usize], noise: f32) -> Found {
        let record = Record { best: quantized.to_vec(), outputs: vec![compared(&[1.0, 0.0], &[1.0 + noise, 0.0])] };
        let float = Record { best: vec![float], outputs: vec![] };
        Found { name: name.into(), right: Some(right), records: vec![float, record] }
    }

    fn report(all: &[Found]) -> ArraysReport {
        let output = Output { name: "net/out".into(), partition: 0, port: 0, shape: vec![1, 2] };
        let counted = Counted { name: "net/out".into(), at: 0, classes: 2 };
        let kinds = [EngineKind::Float, EngineKind::Npu];
        ArraysReport::new(("set", 9), &kinds, (&[output], Some(&counted)), all)
    }

    #[test]
    fn classes_are_counted_against_labels_and_against_float() {
        let made = report(&[
            found("a", 1, 1, &[1, 0], 0.1),
            found("b", 1, 0, &[0, 1], 0.1),
            found("c", 0, 0, &[1, 0], 0.1),
            found("d", 7, 1, &[1, 0], 0.1),
        ]);
        let [float, npu] = made.engines.as_slice() else { panic!("{made:?}") };
        let of = |engine: &ArraysEngine| engine.classes.clone().unwrap();
        assert_eq!((of(float).top1_percent, of(float).agreement_percent), (50.0, None));
        assert_eq!((of(npu).top1_percent, of(npu).top5_percent), (25.0, 75.0));
        assert_eq!(of(npu).agreement_percent, Some(75.0));
        assert_eq!(of(npu).differs, [Differs { sample: "c".into(), right: 0, float: 0, said: 1 }]);
        assert!(float.outputs.is_empty());
    }

    #[test]
    fn the_worst_samples_of_an_output_are_named() {
        let all: Vec<Found> = (0..40).map(|at| found(&at.to_string(), 0, 0, &[0], 0.01 * (at + 1) as f32)).collect();
        let made = report(&all);
        let output = &made.engines[1].outputs[0];
        assert_eq!(output.worst, "39");
        assert!((output.worst_db - 20.0 * 2.5f64.log10()).abs() < 1e-3, "{output:?}");
        // The second of forty.
        assert!((output.percentile5_db + 20.0 * 0.39f64.log10()).abs() < 1e-3, "{output:?}");
        assert!(output.sqnr_db > output.worst_db, "{output:?}");
        // Of all samples as one vector, whose parts are longer by 1 to 40 %: 1.205 / sqrt(1.46535).
        assert!((output.cosine.unwrap() - 0.995_443).abs() < 1e-6, "{output:?}");
        assert!((output.largest_difference.unwrap() - 0.4).abs() < 1e-6);
        assert_eq!(report(&all[..1]).engines[1].outputs[0].percentile5_db, 40.0);
    }
}
