//! How close two results are, in figures that need no knowledge of decibels: the cosine between them and the largest
//! difference.

use serde::{Deserialize, Serialize};

use autoneural_base::error::{Error, Result};

/// The sums from which both figures are computed, over all elements of all samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Closeness {
    product: f64,
    reference: f64,
    test: f64,
    largest: f64,
    non_finite: u64,
}

impl Closeness {
    /// Adds one pair of tensors, the reference first.
    ///
    /// # Errors
    /// The two have different numbers of elements: they are not the same output.
    pub fn add(&mut self, reference: &[f32], test: &[f32]) -> Result<()> {
        if reference.len() != test.len() {
            let message = format!("{} elements are compared with {}", test.len(), reference.len());
            return Err(Error::internal("cosine", message));
        }
        for (&reference, &test) in reference.iter().zip(test) {
            let (r, t) = (f64::from(reference), f64::from(test));
            if r.is_finite() && t.is_finite() {
                self.product += r * t;
                self.reference += r * r;
                self.test += t * t;
                self.largest = self.largest.max((r - t).abs());
            } else {
                self.non_finite += 1;
            }
        }
        Ok(())
    }

    /// Adds what another one summed up.
    pub fn merge(&mut self, other: &Closeness) {
        self.product += other.product;
        self.reference += other.reference;
        self.test += other.test;
        self.largest = self.largest.max(other.largest);
        self.non_finite += other.non_finite;
    }

    /// `sum(ref * test) / sqrt(sum(ref^2) * sum(test^2))`, to nine places: 1 if one is the other times a positive
    /// number, or if both are all zeros. `None` if only one of them is all zeros, or if an element was NaN or infinite.
    pub fn cosine(&self) -> Option<f64> {
        let norm = (self.reference * self.test).sqrt();
        match (self.non_finite, norm > 0.0) {
            (0, true) => Some(((self.product / norm).clamp(-1.0, 1.0) * 1e9).round() / 1e9),
            (0, false) if self.reference == self.test => Some(1.0),
            _ => None,
        }
    }

    /// The largest difference of two elements, in the output's own unit. `None` if an element was NaN or infinite.
    pub fn largest_difference(&self) -> Option<f64> {
        (self.non_finite == 0).then_some(self.largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reference: &[f32], test: &[f32]) -> Closeness {
        let mut made = Closeness::default();
        made.add(reference, test).unwrap();
        made
    }

    #[test]
    fn the_cosine_is_of_directions_and_the_difference_of_elements() {
        let double = of(&[1.0, -2.0, 3.0], &[2.0, -4.0, 6.0]);
        assert_eq!((double.cosine(), double.largest_difference()), (Some(1.0), Some(3.0)));
        assert_eq!(of(&[1.0, 0.0], &[0.0, 1.0]).cosine(), Some(0.0));
        assert_eq!(of(&[1.0, 1.0], &[-1.0, -1.0]).cosine(), Some(-1.0));
        let mut both = of(&[3.0], &[3.0]);
        both.add(&[4.0], &[3.5]).unwrap();
        assert_eq!(both.cosine(), Some((23.0 / (5.0 * 21.25f64.sqrt()) * 1e9).round() / 1e9));
        assert_eq!(both.largest_difference(), Some(0.5));
    }

    #[test]
    fn dead_and_broken_results_have_no_direction() {
        assert_eq!(of(&[0.0], &[0.0]).cosine(), Some(1.0));
        assert_eq!(of(&[1.0], &[0.0]).cosine(), None);
        let broken = of(&[1.0], &[f32::NAN]);
        assert_eq!((broken.cosine(), broken.largest_difference()), (None, None));
        assert!(Closeness::default().add(&[1.0], &[]).is_err());
    }
}
