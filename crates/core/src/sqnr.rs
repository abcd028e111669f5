//! Signal to quantization noise ratio.

use serde::{Deserialize, Serialize};

use autoneural_base::error::{Error, Result};

/// Sums over all elements of all samples, from which the ratio is taken at the end.
///
/// ```
/// use autoneural_core::sqnr::Sqnr;
///
/// # fn main() -> Result<(), autoneural_base::error::Error> {
/// let mut sums = Sqnr::default();
/// sums.add(&[10.0, -10.0], &[11.0, -11.0])?; // the error is a tenth of the signal
/// sums.add(&[20.0], &[18.0])?;
/// assert!((sums.db() - 20.0).abs() < 1e-9);
/// assert_eq!(sums.count(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sqnr {
    signal: f64,
    noise: f64,
    count: u64,
    non_finite: u64,
}

/// Ratios are cut off here: equal tensors have no noise, and JSON has no infinity.
const HIGHEST_DB: f64 = 200.0;
/// Ratios are cut off here when a result is not even finite.
const LOWEST_DB: f64 = -200.0;

impl Sqnr {
    /// Adds one pair of tensors.
    ///
    /// # Errors
    /// The two have different numbers of elements: they are not the same output.
    pub fn add(&mut self, reference: &[f32], test: &[f32]) -> Result<()> {
        if reference.len() != test.len() {
            let message = format!("{} elements are compared with {}", test.len(), reference.len());
            return Err(Error::internal("SQNR", message));
        }
        self.count += reference.len() as u64;
        for (&reference, &test) in reference.iter().zip(test) {
            let (r, t) = (f64::from(reference), f64::from(test));
            if r.is_finite() && t.is_finite() {
                self.signal += r * r;
                self.noise += (r - t) * (r - t);
            } else {
                self.non_finite += 1;
            }
        }
        Ok(())
    }

    /// Adds the sums of another.
    pub fn merge(&mut self, other: &Sqnr) {
        self.signal += other.signal;
        self.noise += other.noise;
        self.count += other.count;
        self.non_finite += other.non_finite;
    }

    /// Root mean square of the signal; 0 of nothing.
    pub fn rms(&self) -> f64 {
        (self.signal / self.count.max(1) as f64).sqrt()
    }

    /// Number of elements compared.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// `10 * log10(sum(ref^2) / sum((ref - test)^2))` in dB, within -200..=200; -200 if any element was not finite.
    pub fn db(&self) -> f64 {
        if self.non_finite > 0 {
            return LOWEST_DB;
        }
        match (self.signal > 0.0, self.noise > 0.0) {
            (_, false) => HIGHEST_DB,
            (false, true) => LOWEST_DB,
            _ => (10.0 * (self.signal / self.noise).log10()).clamp(LOWEST_DB, HIGHEST_DB),
        }
    }

    /// The same as a share of the signal's root mean square, in percent: `100 * 10^(-SQNR/20)`.
    pub fn rms_error_percent(&self) -> f64 {
        100.0 * 10f64.powf(-self.db() / 20.0)
    }

    /// The ratio of one pair of tensors, in dB.
    ///
    /// # Errors
    /// As for [`Sqnr::add`].
    pub fn of(reference: &[f32], test: &[f32]) -> Result<f64> {
        let mut made = Sqnr::default();
        made.add(reference, test)?;
        Ok(made.db())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_signal_as_noise_is_twenty_db() {
        assert!((Sqnr::of(&[10.0, -10.0], &[11.0, -11.0]).unwrap() - 20.0).abs() < 1e-9);
        let mut sum = Sqnr::default();
        sum.add(&[10.0, -10.0], &[11.0, -11.0]).unwrap();
        assert!((sum.rms_error_percent() - 10.0).abs() < 1e-9);
    }

    #[test]
    fn equal_dead_and_broken_results_have_finite_ratios() {
        assert_eq!(Sqnr::of(&[1.0], &[1.0]).unwrap(), 200.0);
        assert_eq!(Sqnr::of(&[0.0], &[1.0]).unwrap(), -200.0);
        assert_eq!(Sqnr::of(&[1.0], &[f32::NAN]).unwrap(), -200.0);
        assert!(Sqnr::of(&[1.0, 2.0], &[0.0, 0.0]).unwrap().abs() < 1e-9);
    }

    #[test]
    fn tensors_of_different_sizes_are_not_compared() {
        assert!(Sqnr::of(&[1.0, 2.0], &[1.0]).is_err());
    }
}
