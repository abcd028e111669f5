//! What operators have in common that are a function of each element by itself, without attributes.

use super::sample::{Chance, Sample, SampleInput, positive, unary};

/// Which numbers the function is shown in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Any.
    Real,
    /// Those above zero, where it is defined, or bounded.
    Positive,
    /// Any, and once more such large ones that its bounded result reaches the ends.
    ToTheEnds,
}

impl Over {
    /// Samples of the operator.
    pub fn samples<O: Clone>(self, operator: O) -> Vec<Sample<O>> {
        match self {
            Over::Real => unary(operator),
            Over::Positive => vec![Sample::new("", operator, vec![positive([1, 16, 64])])],
            Over::ToTheEnds => {
                let usual = unary(operator);
                let wide: Vec<_> = usual.iter().cloned().map(Sample::to_the_ends).collect();
                [usual, wide].concat()
            }
        }
    }

    /// A random input.
    pub fn draw(self, chance: &mut Chance) -> SampleInput {
        match self {
            Over::Real | Over::ToTheEnds => chance.read(),
            Over::Positive => positive(chance.shape()),
        }
    }
}

/// Makes a type the operator of ONNX of the same name. In come the type, the operator set since which ONNX means this
/// by it, the numbers that it is shown, and the function.
macro_rules! elementwise {
    ($name:ident, $since:literal, $over:expr, $function:expr) => {
        impl $crate::ir::ops::Operator for $name {
            const SIGNATURE: $crate::ir::ops::Signature =
                $crate::ir::ops::Signature::new(stringify!($name), &[$crate::ir::ops::Input::data("x")]);

            fn shapes(&self, inputs: &[&$crate::ir::Shape]) -> Result<Vec<$crate::ir::Shape>, String> {
                Ok(vec![inputs[0].clone()])
            }

            fn work(&self) -> $crate::ir::ops::Work {
                $crate::ir::ops::Work::Elementwise
            }

            fn evaluate(
                &self,
                inputs: &[$crate::ir::Constant],
                shapes: Vec<$crate::ir::Shape>,
            ) -> Vec<$crate::ir::Constant> {
                $crate::ir::ops::arithmetic::each(inputs, shapes, $function)
            }

            fn to_onnx(&self, _: &[&$crate::ir::Shape]) -> Option<$crate::ir::ops::OnnxForm> {
                Some($crate::ir::ops::OnnxForm::new(stringify!($name)))
            }

            fn from_onnx(node: &$crate::ir::ops::OnnxNode) -> Result<$crate::ir::ops::Imported<Self>, String> {
                node.plain($name, 1, $since)
            }

            fn samples(_: $crate::ir::ops::Constants) -> Vec<$crate::ir::ops::Sample<Self>> {
                $over.samples($name)
            }

            fn draw(chance: &mut $crate::ir::ops::Chance) -> $crate::ir::ops::Sample<Self> {
                $crate::ir::ops::Sample::new("", $name, vec![$over.draw(chance)])
            }
        }
    };
}
pub(super) use elementwise;
