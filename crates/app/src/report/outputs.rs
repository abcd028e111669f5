//! What was found of an output: its figures over all steps together, its lowest step, and what its encoding alone does.

use serde::{Deserialize, Serialize};

use super::by_sample::BySample;
use super::columns::Columns;
use crate::verify::{OutputComparison, Sqnr, StepAt};
use autoneural_bundle::round;
use autoneural_core::closeness::Closeness;

/// What was found of one output. Where nothing else is said its figures are of all steps that were compared together
/// (see [`super::PartitionReport::steps`]), so that steps with large numbers weigh most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputReport {
    /// Name of the output.
    pub name: String,
    /// Signal to quantization noise ratio against the float reference, in dB.
    pub sqnr_db: Columns,
    /// The same as a share of the signal's root mean square.
    pub rms_error_percent: Columns,
    /// Cosine between the output and the float reference's; `None` in a report of a version that did not take it.
    #[serde(default)]
    pub cosine: Columns,
    /// The largest difference of an element from the float reference's, in the output's own unit. It is `None` as for
    /// the cosine.
    #[serde(default)]
    pub largest_difference: Columns,
    /// Signal to noise ratio of the NPU against the simulation, in dB.
    pub npu_to_simulated_db: Option<f64>,
    /// The step in which it is at its lowest, on the NPU where that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowest: Option<LowestStep>,
    /// Sample by sample; `None` where nothing was compared, and in a report of a version that did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_sample: Option<BySample>,
    /// What its encoding alone does to the float numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<OwnEncoding>,
}

/// The step in which an output is at its lowest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LowestStep {
    /// The step.
    #[serde(flatten)]
    pub at: StepAt,
    /// SQNR in this step, in dB.
    pub sqnr_db: Columns,
    /// Share of float numbers outside the encoding's range in this step, in percent.
    pub outside_percent: f64,
}

/// What the encoding of an output does to float numbers before any arithmetic, over all steps that were compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OwnEncoding {
    /// SQNR of the numbers put into the encoding and back: the output cannot be better.
    pub sqnr_db: f64,
    /// The same where they are only cut off at the ends of the range.
    pub cut_off_db: f64,
    /// Share of numbers outside the range, in percent.
    pub outside_percent: f64,
    /// The lowest and the highest number, with 0 among them; `None` if one is not finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<[f32; 2]>,
    /// The step in which the ends of the range cut off most; `None` if no number lies outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_cut: Option<WorstCut>,
}

/// The step in which the ends of a range cut off most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WorstCut {
    /// The step.
    #[serde(flatten)]
    pub at: StepAt,
    /// SQNR of the numbers that are cut off at the ends of the range and nothing else, in dB.
    pub sqnr_db: f64,
    /// Share of numbers outside the range, in percent.
    pub outside_percent: f64,
}

impl OutputReport {
    /// What a comparison found.
    pub fn new(comparison: &OutputComparison) -> Self {
        let columns = |figure: &dyn Fn(&Sqnr) -> f64| Columns {
            simulated: comparison.simulated.as_ref().map(|sqnr| round(figure(sqnr))),
            npu: comparison.npu.as_ref().map(|sqnr| round(figure(sqnr))),
        };
        let [simulated, npu] = comparison.closeness;
        let plain = |figure: fn(&Closeness) -> Option<f64>| Columns {
            simulated: simulated.as_ref().and_then(figure),
            npu: npu.as_ref().and_then(figure),
        };
        OutputReport {
            name: comparison.name.clone(),
            sqnr_db: columns(&Sqnr::db),
            rms_error_percent: columns(&Sqnr::rms_error_percent),
            cosine: plain(Closeness::cosine),
            largest_difference: plain(Closeness::largest_difference),
            npu_to_simulated_db: comparison.npu_to_simulated.as_ref().map(|sqnr| round(sqnr.db())),
            lowest: LowestStep::of(comparison),
            by_sample: BySample::of(comparison),
            encoding: OwnEncoding::of(comparison),
        }
    }
}

impl LowestStep {
    fn of(comparison: &OutputComparison) -> Option<Self> {
        let measured = comparison.steps.iter().filter_map(|step| Some((step.db()?, step)));
        let (_, step) = measured.min_by(|a, b| a.0.total_cmp(&b.0))?;
        let db = |sqnr: Option<Sqnr>| sqnr.map(|sqnr| round(sqnr.db()));
        let sqnr_db = Columns { simulated: db(step.simulated), npu: db(step.npu) };
        Some(LowestStep { at: step.at, sqnr_db, outside_percent: round(step.own.outside_percent()) })
    }
}

impl OwnEncoding {
    fn of(comparison: &OutputComparison) -> Option<Self> {
        let own = comparison.steps.iter().map(|step| step.own).reduce(|mut all, step| {
            all.merge(&step);
            all
        })?;
        let cut = comparison.steps.iter().filter(|step| step.own.outside > 0);
        let worst = cut.min_by(|a, b| a.own.cut_off.db().total_cmp(&b.own.cut_off.db()));
        Some(OwnEncoding {
            sqnr_db: round(own.encoded.db()),
            cut_off_db: round(own.cut_off.db()),
            outside_percent: round(own.outside_percent()),
            reached: own.reached.iter().all(|number| number.is_finite()).then_some(own.reached),
            worst_cut: worst.map(|step| WorstCut {
                at: step.at,
                sqnr_db: round(step.own.cut_off.db()),
                outside_percent: round(step.own.outside_percent()),
            }),
        })
    }
}
