//! Sums.

use serde::{Deserialize, Serialize};

use super::pairwise::{Second, pairwise};

/// Elementwise sum with broadcasting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Add;

pairwise!(Add, 7, Second::Real, |a, b| a + b);

#[cfg(test)]
mod tests {
    use super::super::operator::Operator;
    use super::*;

    #[test]
    fn shapes_broadcast_as_onnx_says() {
        assert_eq!(Add.shapes(&[&vec![1, 4, 3, 7], &vec![1, 1, 3, 7]]).unwrap(), [[1, 4, 3, 7]]);
        assert!(Add.shapes(&[&vec![2, 3], &vec![3, 2]]).is_err());
    }
}
