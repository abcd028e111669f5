//! An output sample by sample: the worst one, and what all but one in twenty reach.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::columns::Columns;
use crate::verify::{OutputComparison, Sqnr};
use autoneural_bundle::round;

/// Fewest samples of which the 5th percentile is another one than the worst.
pub const FEWEST: usize = 20;

/// An output over the samples, each with all of its steps together. Figures of one engine may be of another sample than
/// those of the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BySample {
    /// Samples that were compared.
    pub samples: usize,
    /// SQNR of the worst sample, in dB.
    pub worst_db: Columns,
    /// The place among the verification samples of the one that is worst on the NPU, or else in simulation.
    pub worst: usize,
    /// SQNR below which are at most 5 % of the samples: the 5th percentile by nearest rank, in dB. None of fewer than
    /// twenty samples, where it would be the worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentile5_db: Option<Columns>,
}

impl BySample {
    /// Of a comparison; `None` if no step was compared.
    pub(super) fn of(comparison: &OutputComparison) -> Option<Self> {
        let each = |of: &dyn Fn(usize) -> Option<Sqnr>| {
            let mut pooled: BTreeMap<usize, Sqnr> = BTreeMap::new();
            for (at, step) in comparison.steps.iter().enumerate() {
                if let Some(sqnr) = of(at) {
                    pooled.entry(step.at.sample).or_default().merge(&sqnr);
                }
            }
            let mut sorted: Vec<(f64, usize)> = pooled.into_iter().map(|(at, sqnr)| (round(sqnr.db()), at)).collect();
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
            sorted
        };
        let simulated = each(&|at| comparison.steps[at].simulated);
        let npu = each(&|at| comparison.steps[at].npu);
        let samples = simulated.len().max(npu.len());
        let figure = |sorted: &[(f64, usize)], at: usize| sorted.get(at).map(|one| one.0);
        let at = |of: fn(usize) -> usize| Columns {
            simulated: figure(&simulated, of(simulated.len())),
            npu: figure(&npu, of(npu.len())),
        };
        Some(BySample {
            samples,
            worst_db: at(|_| 0),
            worst: npu.first().or(simulated.first())?.1,
            // Nearest rank.
            percentile5_db: (samples >= FEWEST).then(|| at(|count| count.div_ceil(FEWEST).saturating_sub(1))),
        })
    }

    /// The worst sample in words, and what all but one in twenty reach, on the best engine.
    pub fn words(&self) -> Option<String> {
        let (worst, sample) = (self.worst_db.best()?, self.worst);
        let fifth = self.percentile5_db.and_then(|columns| columns.best());
        let fifth = fifth.map_or(String::new(), |fifth| format!(", 5th percentile {fifth:.1} dB"));
        Some(format!("{worst:.1} dB (verification[{sample}]){fifth}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{StepAt, StepComparison};

    /// A comparison of one step for each of these errors of a signal of 1, of the samples in order, two steps a sample.
    fn comparison(errors: &[f32]) -> OutputComparison {
        let step = |(at, error): (usize, &f32)| {
            let mut sqnr = Sqnr::default();
            sqnr.add(&[1.0], &[1.0 + error]).unwrap();
            let at = StepAt { sample: at / 2, ..StepAt::default() };
            StepComparison { at, simulated: Some(sqnr), npu: None, own: Default::default() }
        };
        OutputComparison { steps: errors.iter().enumerate().map(step).collect(), ..Default::default() }
    }

    #[test]
    fn the_steps_of_a_sample_are_pooled_and_the_worst_sample_is_named() {
        let made = BySample::of(&comparison(&[0.1, 0.1, 0.1, 0.3, 0.2, 0.0])).unwrap();
        assert_eq!((made.samples, made.worst, made.worst_db.npu), (3, 1, None));
        // (0.1^2 + 0.3^2) / 2 = 0.05.
        assert!((made.worst_db.simulated.unwrap() - 13.01).abs() < 0.01, "{made:?}");
        assert_eq!(made.percentile5_db, None);
        assert_eq!(made.words().unwrap(), "13.0 dB (verification[1])");
        assert_eq!(BySample::of(&comparison(&[])), None);
    }

    #[test]
    fn the_fifth_percentile_is_told_from_twenty_samples_on() {
        let errors: Vec<f32> = (0..42).map(|at| 0.01 * (1 + at / 2) as f32).collect();
        let made = BySample::of(&comparison(&errors)).unwrap();
        // The second of twenty-one is the one with an error of 0.2.
        assert!((made.percentile5_db.unwrap().simulated.unwrap() - 13.98).abs() < 0.01, "{made:?}");
        assert!((made.worst_db.simulated.unwrap() - 13.56).abs() < 0.01, "{made:?}");
        assert!(made.words().unwrap().ends_with(", 5th percentile 14.0 dB"), "{made:?}");
    }
}
