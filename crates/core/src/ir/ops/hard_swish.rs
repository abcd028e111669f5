//! Hard swish.

use serde::{Deserialize, Serialize};

use super::elementwise::{Over, elementwise};

/// `x * clamp(x / 6 + 1/2, 0, 1)`: SiLU in straight lines (Howard et al., arXiv 1905.02244).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HardSwish;

elementwise!(HardSwish, 14, Over::Real, |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0));

#[cfg(test)]
mod tests {
    use super::super::operator::Operator;
    use super::*;
    use crate::ir::constant::Constant;

    #[test]
    fn it_is_straight_beyond_three() {
        let x = Constant::from_values(vec![-4.0, -3.0, -1.5, 0.0, 3.0, 4.0], vec![6]);
        assert_eq!(HardSwish.evaluate(&[x], vec![vec![6]])[0].to_f32(), [0.0, 0.0, -0.375, 0.0, 3.0, 4.0]);
    }
}
