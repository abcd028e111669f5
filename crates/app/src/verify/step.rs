//! Single steps of verification: where each stands, what each engine made of an output in it, and what the output's
//! encoding alone does to the float numbers.

use serde::{Deserialize, Serialize};

use super::Sqnr;
use super::spread::{outside, range};
use autoneural_base::error::Result;
use autoneural_core::encoding::Encoding;
use autoneural_core::program::Step;

/// A step of verification.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAt {
    /// The sample's place in the recipe's `verification`, from 0 on.
    pub sample: usize,
    /// Tokens of the sequence before the step; `None` if it is of no sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// Tokens of the step; `None` if it is of no sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<usize>,
}

impl StepAt {
    /// Where a step of a partition stands.
    pub fn of(step: &Step) -> Self {
        let (position, tokens) = step.tokens.map(|tokens| (tokens.position, tokens.count)).unzip();
        StepAt { sample: step.sample, position, tokens }
    }
}

impl std::fmt::Display for StepAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "verification[{}]", self.sample)?;
        match (self.position, self.tokens) {
            (Some(at), Some(tokens)) if tokens > 1 => write!(f, ", positions {at} to {}", at + tokens - 1),
            (Some(at), _) => write!(f, ", position {at}"),
            (None, _) => Ok(()),
        }
    }
}

/// Comparison of one output in one step.
#[derive(Debug, Clone)]
pub struct StepComparison {
    /// The step.
    pub at: StepAt,
    /// Simulation against float.
    pub simulated: Option<Sqnr>,
    /// NPU against float.
    pub npu: Option<Sqnr>,
    /// What the encoding alone does.
    pub own: Own,
}

impl StepComparison {
    /// SQNR in dB, on the NPU where that ran; `None` if nothing did.
    pub fn db(&self) -> Option<f64> {
        self.npu.or(self.simulated).map(|sqnr| sqnr.db())
    }
}

/// What an encoding does to float numbers, before any arithmetic.
#[derive(Debug, Clone, Copy, Default)]
pub struct Own {
    /// The numbers put into the encoding and back, against themselves.
    pub encoded: Sqnr,
    /// The numbers cut off at the ends of its range, against themselves.
    pub cut_off: Sqnr,
    /// Numbers outside the range.
    pub outside: usize,
    /// The lowest and the highest number, with 0 among them.
    pub reached: [f32; 2],
}

impl Own {
    /// The figures of the numbers of one step under an encoding.
    ///
    /// # Errors
    /// The encoding gives another number of elements, which is a defect.
    pub fn of(values: &[f32], encoding: &Encoding) -> Result<Self> {
        let shape = [values.len()];
        let encoded = encoding.through(values, &shape);
        let [low, high] = encoding.range();
        let cut_off: Vec<f32> = values.iter().map(|value| value.max(low).min(high)).collect();
        let mut made = Own { outside: outside(values, encoding), reached: range(values), ..Own::default() };
        made.encoded.add(values, &encoded)?;
        made.cut_off.add(values, &cut_off)?;
        Ok(made)
    }

    /// Adds what was found in another step.
    pub fn merge(&mut self, other: &Own) {
        self.encoded.merge(&other.encoded);
        self.cut_off.merge(&other.cut_off);
        self.outside += other.outside;
        let ([low, high], [other_low, other_high]) = (self.reached, other.reached);
        self.reached = [low.min(other_low), high.max(other_high)];
    }

    /// Share of numbers outside the range, in percent.
    pub fn outside_percent(&self) -> f64 {
        100.0 * self.outside as f64 / self.encoded.count().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoneural_core::encoding::IntegerType;

    #[test]
    fn numbers_outside_the_range_are_told_from_rounding() {
        let encoding = Encoding::of_range(IntegerType::Uint16, -1.0, 1.0);
        let inside = Own::of(&[0.3, -0.7, 0.9], &encoding).unwrap();
        assert!(inside.outside == 0 && inside.encoded.db() > 80.0 && inside.cut_off.db() == 200.0, "{inside:?}");
        let mut both = Own::of(&[0.3, 4.0, -0.1], &encoding).unwrap();
        assert!(both.outside == 1 && both.encoded.db() < 3.0, "{both:?}");
        assert!((both.encoded.db() - both.cut_off.db()).abs() < 0.01, "{both:?}");
        both.merge(&inside);
        assert_eq!((both.outside, both.reached), (1, [-0.7, 4.0]));
        assert!((both.outside_percent() - 100.0 / 6.0).abs() < 1e-9);
    }
}
