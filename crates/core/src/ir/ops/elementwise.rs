//! What operators have in common that are a function of each element by itself, with real attributes or without.

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

/// A function of an element, with the attributes of an operator filled in.
pub fn of_attributes<const N: usize>(
    attributes: [f64; N],
    function: impl Fn(f64, [f64; N]) -> f64,
) -> impl Fn(f64) -> f64 {
    move |x| function(x, attributes)
}

/// Makes a type the operator of ONNX of the same name. In come the type, the operator set since which ONNX means this
/// by it, the numbers that it is shown, and the function. Behind the type stand its real attributes, if it has any:
/// each with what ONNX takes where it is absent, and with those of random cases; the function then gets them, too.
macro_rules! elementwise {
    ($name:ident, $since:literal, $over:expr, $function:expr) => {
        $crate::ir::ops::elementwise::elementwise!($name {}, $since, $over, |x, []| {
            let function: fn(f64) -> f64 = $function;
            function(x)
        });
    };
    (
        $name:ident { $($attribute:ident: $usual:literal of $drawn:expr),* },
        $since:literal, $over:expr, $function:expr
    ) => {
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
                let attributes = [$(f64::from(self.$attribute)),*];
                let function = $crate::ir::ops::elementwise::of_attributes(attributes, $function);
                $crate::ir::ops::arithmetic::each(inputs, shapes, function)
            }

            fn to_onnx(&self, _: &[&$crate::ir::Shape]) -> Option<$crate::ir::ops::OnnxForm> {
                let form = $crate::ir::ops::OnnxForm::new(stringify!($name));
                Some(form$(.float(stringify!($attribute), self.$attribute))*)
            }

            fn from_onnx(node: &$crate::ir::ops::OnnxNode) -> Result<$crate::ir::ops::Imported<Self>, String> {
                node.expect(&[$(stringify!($attribute)),*], $since)?;
                let operator = $name { $($attribute: node.float(stringify!($attribute), $usual)?),* };
                Ok($crate::ir::ops::Imported::new(operator, 1))
            }

            fn samples(_: $crate::ir::ops::Constants) -> Vec<$crate::ir::ops::Sample<Self>> {
                $over.samples($name { $($attribute: $usual),* })
            }

            fn draw(chance: &mut $crate::ir::ops::Chance) -> $crate::ir::ops::Sample<Self> {
                let operator = $name { $($attribute: chance.one(&$drawn)),* };
                $crate::ir::ops::Sample::new("", operator, vec![$over.draw(chance)])
            }
        }
    };
}
pub(super) use elementwise;
