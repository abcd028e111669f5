//! Noise at outputs, in a unit in which the noises of layers add up.

use std::collections::BTreeMap;

use autoneural_base::error::Result;
use autoneural_engines::engine::Tensor;

/// Most rows of a step that divergence is measured on; they are spread evenly.
const ROWS: usize = 32;

/// What noise is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Its power as a share of the signal's, of the output with most of it: SQNR is `-10 log10` of it.
    Power,
    /// Kullback-Leibler divergence between the likelihoods of tokens, in nats for each token: about the logarithm of
    /// how much perplexity rises.
    Divergence,
}

/// Sums of squares of noise and of signal.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ratio {
    noise: f64,
    signal: f64,
}

impl Ratio {
    pub(crate) fn add(&mut self, reference: &[f32], test: &[f32]) {
        for (&reference, &test) in reference.iter().zip(test) {
            let (reference, test) = (f64::from(reference), f64::from(test));
            self.signal += reference * reference;
            self.noise += (reference - test) * (reference - test);
        }
    }

    /// Noise as a share of the signal.
    pub(crate) fn value(&self) -> f64 {
        or_alone(self.noise / self.signal.max(f64::MIN_POSITIVE))
    }
}

/// Noise that is being measured.
pub(crate) struct Noise {
    unit: Unit,
    powers: BTreeMap<usize, Ratio>,
    divergence: f64,
    rows: usize,
}

impl Noise {
    pub(crate) fn new(unit: Unit) -> Self {
        Noise { unit, powers: BTreeMap::new(), divergence: 0.0, rows: 0 }
    }

    /// Adds an output of a step, in float and with noise. Of the rows of a sequence only the first `count` count.
    pub(crate) fn add(&mut self, output: usize, (float, test): (&Tensor, &Tensor), count: Option<usize>) -> Result<()> {
        let (reference, test) = (float.as_f32()?, test.as_f32()?);
        let width = float.shape.last().copied().unwrap_or(1).max(1);
        let is_sequence = float.shape.len() == 3 && float.shape[0] == 1;
        let whole = reference.len() / width;
        let rows = count.filter(|_| is_sequence).map_or(whole, |count| count.min(whole));
        match self.unit {
            Unit::Power => {
                let used = rows * width;
                self.powers.entry(output).or_default().add(&reference[..used], &test[..used]);
            }
            Unit::Divergence => {
                let pairs = reference.chunks_exact(width).zip(test.chunks_exact(width)).take(rows);
                for (float, test) in pairs.step_by(rows.div_ceil(ROWS).max(1)) {
                    self.divergence += divergence(float, test);
                    self.rows += 1;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn value(&self) -> f64 {
        let made = match self.unit {
            Unit::Power => self.powers.values().map(Ratio::value).fold(0.0, f64::max),
            Unit::Divergence => self.divergence / self.rows.max(1) as f64,
        };
        or_alone(made)
    }
}

/// Noise as it counts: what is not finite is noise alone.
pub(crate) fn or_alone(noise: f64) -> f64 {
    if noise.is_finite() { noise } else { 1.0 }
}

/// Kullback-Leibler divergence of the likelihoods that logits stand for, in nats.
fn divergence(float: &[f32], test: &[f32]) -> f64 {
    let most = |row: &[f32]| row.iter().fold(f32::NEG_INFINITY, |most, &logit| most.max(logit));
    let (float_most, test_most) = (most(float), most(test));
    let (mut float_sum, mut test_sum, mut difference) = (0f64, 0f64, 0f64);
    for (&float, &test) in float.iter().zip(test) {
        let (own, other) = (float - float_most, test - test_most);
        let weight = f64::from(own.exp());
        float_sum += weight;
        test_sum += f64::from(other.exp());
        difference += weight * f64::from(own - other);
    }
    let made = difference / float_sum - float_sum.ln() + test_sum.ln();
    // Not `max`, which makes 0 of what is no number: the best figure of the worst noise.
    if made < 0.0 { 0.0 } else { made }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergence_is_that_by_hand() {
        // 1/2 and 1/2 against 3/4 and 1/4.
        let made = divergence(&[0.0, 0.0], &[3f32.ln(), 0.0]);
        let by_hand = 0.5 * (0.5f64 / 0.75).ln() + 0.5 * (0.5f64 / 0.25).ln();
        assert!((made - by_hand).abs() < 1e-6, "{made} {by_hand}");
        assert!(divergence(&[1.0, 2.0], &[5.0, 6.0]).abs() < 1e-6);
        let mut noise = Noise::new(Unit::Divergence);
        let of = |values: [f32; 2]| Tensor::f32(vec![1, 1, 2], values.to_vec());
        noise.add(0, (&of([1.0, 2.0]), &of([f32::NAN, 6.0])), None).unwrap();
        assert_eq!(noise.value(), 1.0, "what is no number is noise alone");
    }

    #[test]
    fn padding_counts_for_nothing() {
        let of = |values: &[f32]| Tensor::f32(vec![1, 2, 2], values.to_vec());
        for unit in [Unit::Power, Unit::Divergence] {
            let mut noise = Noise::new(unit);
            noise.add(0, (&of(&[1.0, 2.0, 3.0, 4.0]), &of(&[1.0, 2.0, 9.0, 0.0])), Some(1)).unwrap();
            assert!(noise.value() < 1e-12, "{unit:?}");
            noise.add(0, (&of(&[1.0, 2.0, 3.0, 4.0]), &of(&[1.0, 2.0, 9.0, 0.0])), Some(2)).unwrap();
            assert!(noise.value() > 0.1, "{unit:?}");
        }
    }
}
