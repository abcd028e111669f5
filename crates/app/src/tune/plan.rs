//! What tuning is asked for.

use serde::{Deserialize, Serialize};

use super::noise::Unit;
use super::part::MeasuredParts;
use crate::drivers::Source;
use crate::evaluate::TextPlan;
use autoneural_core::recipe::Recipe;
use autoneural_core::target::Target;
use autoneural_engines::back::qnn::Compiler;

/// What an assignment must reach, at as few bytes as possible, or how many bytes it may take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Least SQNR of the main outputs of every group against float, in dB.
    Db(f64),
    /// Most that perplexity may be above that of float, in percent of it.
    PerplexityPercent(f64),
    /// Most bytes of the weights of all layers, with their scales; what is computed twice counts as bytes, too.
    Bytes(u64),
}

impl Goal {
    /// The most noise, in the unit of the goal's figure; `None` for a goal of bytes.
    pub(crate) fn most_noise(&self) -> Option<f64> {
        match self {
            Goal::Db(db) => Some(10f64.powf(-db / 10.0)),
            Goal::PerplexityPercent(percent) => Some((1.0 + percent / 100.0).ln()),
            Goal::Bytes(_) => None,
        }
    }
}

/// The figure that assignments are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// SQNR of outputs, in dB.
    Db,
    /// Perplexity above that of float, in percent.
    PerplexityPercent,
}

impl Figure {
    /// The figure of a noise: of a share of the signal's power, or of nats for each token.
    pub fn of(self, noise: f64) -> f64 {
        match self {
            Figure::PerplexityPercent => 100.0 * (noise.exp() - 1.0),
            Figure::Db => -10.0 * noise.max(1e-20).log10(),
        }
    }

    /// Such a figure with its unit.
    pub fn words(self, noise: f64) -> String {
        match self {
            Figure::PerplexityPercent => format!("perplexity {:+.1} %", self.of(noise)),
            Figure::Db => format!("{:.1} dB", self.of(noise)),
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Goal::Db(db) => write!(f, "{db} dB"),
            Goal::PerplexityPercent(percent) => write!(f, "perplexity at most {percent} % above float"),
            Goal::Bytes(bytes) => write!(f, "at most {}", autoneural_base::text::bytes(*bytes)),
        }
    }
}

/// The engines that take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// The float reference alone: what is chosen is predicted.
    Predicted,
    /// What is chosen is checked in simulation, and corrected.
    Simulated,
    /// It is compiled in the end, and the NPU's own figure is taken.
    Npu,
}

/// What is tuned.
pub struct TunePlan<'a> {
    /// What the bundle is made of.
    pub source: &'a dyn Source,
    /// The target and the text that states it.
    pub target: (&'a Target, &'a str),
    /// The recipe to begin with.
    pub recipe: &'a Recipe,
    /// What is to be reached.
    pub goal: Goal,
    /// The text that perplexity is judged on; without it SQNR judges.
    pub text: Option<TextPlan>,
    /// What shares of the layers were measured to be; without them all are measured.
    pub measured: Option<&'a MeasuredParts>,
    /// Whether the bits of computed values are chosen, too.
    pub has_widths: bool,
    /// Most assignments that are checked.
    pub rounds: usize,
    /// What takes part.
    pub depth: Depth,
    /// What makes context binaries; without it there are none.
    pub compiler: Option<&'a dyn Compiler>,
}

impl TunePlan<'_> {
    /// What noise is measured in.
    pub(crate) fn unit(&self) -> Unit {
        if self.text.is_some() { Unit::Divergence } else { Unit::Power }
    }

    /// What judges.
    pub(crate) fn figure(&self) -> Figure {
        if self.text.is_some() { Figure::PerplexityPercent } else { Figure::Db }
    }
}
