//! What operators have in common that are a function of each two elements of tensors that broadcast, without
//! attributes.

use super::sample::{Chance, Constants, Sample, SampleInput, broadcast_pair, pairs};

/// Which numbers the second input has in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Second {
    /// Any.
    Real,
    /// Those above zero, as what is divided by.
    Positive,
}

impl Second {
    /// Samples of the operator.
    pub fn samples<O: Clone>(self, operator: &O, constants: Constants) -> Vec<Sample<O>> {
        let made = pairs(constants).into_iter();
        made.map(|(name, inputs)| Sample::new(name, operator.clone(), self.with(inputs))).collect()
    }

    /// Random inputs.
    pub fn draw(self, chance: &mut Chance) -> Vec<SampleInput> {
        self.with(broadcast_pair(chance))
    }

    fn with(self, mut inputs: Vec<SampleInput>) -> Vec<SampleInput> {
        if let (Second::Positive, [_, second]) = (self, inputs.as_mut_slice()) {
            *second = match second.clone() {
                SampleInput::Read(shape) => SampleInput::Positive(shape),
                SampleInput::Constant(shape, _) => SampleInput::PositiveConstant(shape),
                other => other,
            };
        }
        inputs
    }
}

/// Makes a type the operator of ONNX of the same name. In come the type, the operator set since which ONNX means this
/// by it, the numbers that its second input is shown, and the function.
macro_rules! pairwise {
    ($name:ident, $since:literal, $second:expr, $function:expr) => {
        impl $crate::ir::ops::Operator for $name {
            const SIGNATURE: $crate::ir::ops::Signature = $crate::ir::ops::Signature::new(
                stringify!($name),
                &[$crate::ir::ops::Input::operand("a"), $crate::ir::ops::Input::operand("b")],
            );

            fn shapes(&self, inputs: &[&$crate::ir::Shape]) -> Result<Vec<$crate::ir::Shape>, String> {
                Ok(vec![$crate::ir::ops::shapes::broadcast(inputs[0], inputs[1])?])
            }

            fn work(&self) -> $crate::ir::ops::Work {
                $crate::ir::ops::Work::Elementwise
            }

            fn evaluate(
                &self,
                inputs: &[$crate::ir::Constant],
                shapes: Vec<$crate::ir::Shape>,
            ) -> Vec<$crate::ir::Constant> {
                $crate::ir::ops::arithmetic::pairs(inputs, shapes, $function)
            }

            fn to_onnx(&self, _: &[&$crate::ir::Shape]) -> Option<$crate::ir::ops::OnnxForm> {
                Some($crate::ir::ops::OnnxForm::new(stringify!($name)))
            }

            fn from_onnx(node: &$crate::ir::ops::OnnxNode) -> Result<$crate::ir::ops::Imported<Self>, String> {
                node.demand_inputs(2)?;
                node.plain($name, 2, $since)
            }

            fn samples(constants: $crate::ir::ops::Constants) -> Vec<$crate::ir::ops::Sample<Self>> {
                $second.samples(&$name, constants)
            }

            fn draw(chance: &mut $crate::ir::ops::Chance) -> $crate::ir::ops::Sample<Self> {
                $crate::ir::ops::Sample::new("", $name, $second.draw(chance))
            }
        }
    };
}
pub(super) use pairwise;
