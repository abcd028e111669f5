//! What the noise of a weak output comes from.

use serde::{Deserialize, Serialize};

use super::columns::Columns;
use crate::verify::StepAt;

/// What noise comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Numbers lie outside the range that calibration saw.
    Saturated,
    /// The range is far wider than the numbers are.
    Unused,
    /// Weights in 4 bits.
    FewBits,
    /// An activation in 8 bits.
    EightBits,
    /// A product of two activations of 16 bits, which the NPU does not compute to 16 bits.
    Product,
    /// The NPU's arithmetic, for another reason.
    Npu,
    /// Rounding to the integers chosen.
    Rounding,
}

/// An output that is weak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeakOutput {
    /// Its name.
    pub output: String,
    /// The least that is wanted of it, in dB; none where no goal is stated for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted_db: Option<f64>,
    /// What it reaches in the one step in which layers were measured: the figure to hold beside those of layers.
    #[serde(default)]
    pub layer_step_db: Columns,
    /// What its noise comes from, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<CauseReport>,
}

/// Where noise comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CauseReport {
    /// What it comes from.
    pub cause: Cause,
    /// The layer that adds most, or the output whose encoding does.
    pub layer: String,
    /// The layer's operator; empty where it is the encoding of an output.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub op: String,
    /// The step that the figures are of; none where they are of all steps of verification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepAt>,
    /// SQNR of the layer in dB, on the NPU where that was measured; of an output's encoding, what that alone leaves.
    pub sqnr_db: f64,
    /// Noise that it adds, in percent of its signal.
    pub added_percent: f64,
    /// Others on the way with the same cause.
    pub others: usize,
    /// What was found of it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What to change, where that is known to change this tensor; what it gains was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Cause {
    /// The cause in words.
    pub fn words(self) -> &'static str {
        match self {
            Cause::Saturated => "numbers outside the range that calibration saw",
            Cause::Unused => "a range far wider than the numbers",
            Cause::FewBits => "weights in 4 bits",
            Cause::EightBits => "an activation in 8 bits",
            Cause::Product => "a product of two 16-bit activations on the NPU",
            Cause::Npu => "the NPU's own arithmetic",
            Cause::Rounding => "rounding to the integers chosen",
        }
    }
}

impl CauseReport {
    /// The cause in a line. The step of layers is said elsewhere.
    pub fn line(&self) -> String {
        let what = match (self.op.is_empty(), self.step) {
            (true, Some(step)) => format!("the encoding of {} alone, in {step},", self.layer),
            (true, None) => format!("the encoding of {} alone, over all steps,", self.layer),
            (false, _) => format!("{} ({})", self.layer, self.op),
        };
        let others = match self.others {
            0 => String::new(),
            1 => "; 1 other is alike".into(),
            others => format!("; {others} others are alike"),
        };
        let found = self.found.as_ref().map(|found| format!(": {found}")).unwrap_or_default();
        let (words, db, added) = (self.cause.words(), self.sqnr_db, self.added_percent);
        format!("{what} {db:.1} dB, adds {added:.1} %: {words}{found}{others}")
    }
}
