//! What one engine made of one sample.

use serde::{Deserialize, Serialize};

use crate::verify::Sqnr;
use autoneural_base::error::Result;
use autoneural_core::closeness::Closeness;
use autoneural_engines::engine::{Data, Tensor};

/// Classes that are kept of a sample, the most likely one first.
pub(crate) const BEST: usize = 5;

/// One sample on one engine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The most likely classes, best first; empty where none are counted.
    pub best: Vec<usize>,
    /// Every output against float, in the order of the graphs and their outputs; empty where float is not known, `None`
    /// for an output that the sample does not reach.
    pub outputs: Vec<Option<Compared>>,
}

/// One output of one sample against float.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Compared {
    /// Signal and noise.
    pub sqnr: Sqnr,
    /// Cosine and largest difference.
    pub closeness: Closeness,
}

impl Compared {
    /// An output against float's.
    ///
    /// # Errors
    /// They have different numbers of elements.
    pub(crate) fn of(float: &[f32], made: &[f32]) -> Result<Self> {
        let mut new = Compared::default();
        new.sqnr.add(float, made)?;
        new.closeness.add(float, made)?;
        Ok(new)
    }
}

/// The elements of an output as real numbers; exact integers are taken as such.
///
/// # Errors
/// They are codes, which is a defect.
pub(crate) fn numbers(tensor: Tensor) -> Result<Vec<f32>> {
    match tensor.data {
        Data::F32(values) => Ok(values),
        Data::I32(values) => Ok(values.into_iter().map(|value| value as f32).collect()),
        _ => tensor.as_f32().map(<[f32]>::to_vec),
    }
}

/// The most likely classes, best first. Of equal ones the first is better, and what is no number is worst.
pub(crate) fn best(scores: &[f32]) -> Vec<usize> {
    let score = |class: usize| if scores[class].is_nan() { f32::NEG_INFINITY } else { scores[class] };
    let better = |a: &usize, b: &usize| score(*b).total_cmp(&score(*a)).then(a.cmp(b));
    let mut classes: Vec<usize> = (0..scores.len()).collect();
    if classes.len() > BEST {
        classes.select_nth_unstable_by(BEST, better);
        classes.truncate(BEST);
    }
    classes.sort_by(better);
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_classes_come_first_and_equal_ones_in_their_order() {
        assert_eq!(best(&[0.0, 3.0, 1.0, 3.0, -1.0, 2.0, 0.5]), [1, 3, 5, 2, 6]);
        assert_eq!(best(&[f32::NAN, 1.0, f32::NEG_INFINITY]), [1, 0, 2]);
        assert_eq!(best(&[-0.0, 0.0, 0.0]), [1, 2, 0]);
    }
}
