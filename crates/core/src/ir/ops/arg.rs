//! What operators have in common that find a place along an axis.

use super::arithmetic::one;
use super::onnx::OnnxNode;
use crate::ir::constant::Constant;
use crate::ir::types::Shape;

/// The places of what is found in rows along an axis, as real numbers; `is_better` compares an element with the one
/// found so far.
pub fn places(x: &Constant, axis: usize, shapes: Vec<Shape>, is_better: impl Fn(f32, f32) -> bool) -> Vec<Constant> {
    let (shape, values) = (x.shape(), x.to_f32());
    let (size, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    let place = |at: usize| {
        let row = |place: usize| values[at / inner * size * inner + place * inner + at % inner];
        let found = (1..size).fold(0, |found, place| if is_better(row(place), row(found)) { place } else { found });
        found as f32
    };
    one((0..values.len() / size).map(place).collect(), shapes)
}

/// Axis, and whether it stays with size 1.
///
/// # Errors
/// Says in words what of the node is not taken.
pub fn read(node: &OnnxNode) -> Result<(usize, bool), String> {
    node.expect(&["axis", "keepdims", "select_last_index"], 1)?;
    node.demand_int("select_last_index", 0)?;
    Ok((node.axis(Some(0))?, node.int("keepdims", 1)? != 0))
}

/// Makes a type with the fields `axis` and `keepdims` the operator of ONNX of the same name. In come the type, and
/// whether an element is better than another.
macro_rules! arg {
    ($name:ident, $is_better:expr) => {
        impl $crate::ir::ops::Operator for $name {
            const SIGNATURE: $crate::ir::ops::Signature =
                $crate::ir::ops::Signature::new(stringify!($name), &[$crate::ir::ops::Input::data("x")]);

            fn shapes(&self, inputs: &[&$crate::ir::Shape]) -> Result<Vec<$crate::ir::Shape>, String> {
                Ok(vec![$crate::ir::ops::reduction::reduced(inputs[0], &[self.axis], self.keepdims)?])
            }

            fn work(&self) -> $crate::ir::ops::Work {
                $crate::ir::ops::Work::Computes
            }

            fn range(&self, inputs: &[&$crate::ir::Shape]) -> Option<[f32; 2]> {
                Some([0.0, (inputs[0][self.axis].max(2) - 1) as f32])
            }

            fn evaluate(
                &self,
                inputs: &[$crate::ir::Constant],
                shapes: Vec<$crate::ir::Shape>,
            ) -> Vec<$crate::ir::Constant> {
                $crate::ir::ops::arg::places(&inputs[0], self.axis, shapes, $is_better)
            }

            fn to_onnx(&self, inputs: &[&$crate::ir::Shape]) -> Option<$crate::ir::ops::OnnxForm> {
                let form = $crate::ir::ops::OnnxForm::new(stringify!($name)).axis(self.axis, inputs[0].len());
                Some(form.flag("keepdims", self.keepdims).of_integers())
            }

            fn from_onnx(node: &$crate::ir::ops::OnnxNode) -> Result<$crate::ir::ops::Imported<Self>, String> {
                let (axis, keepdims) = $crate::ir::ops::arg::read(node)?;
                Ok($crate::ir::ops::Imported::new($name { axis, keepdims }, 1))
            }

            fn samples(_: $crate::ir::ops::Constants) -> Vec<$crate::ir::ops::Sample<Self>> {
                let sample = |name, axis, keepdims, shape: &[usize]| {
                    let operator = $name { axis, keepdims };
                    $crate::ir::ops::Sample::new(name, operator, vec![$crate::ir::ops::sample::read(shape)])
                };
                vec![sample("last axis", 2, false, &[1, 16, 64]), sample("channels", 1, true, &[1, 16, 8, 8])]
            }

            fn draw(chance: &mut $crate::ir::ops::Chance) -> $crate::ir::ops::Sample<Self> {
                let shape = chance.shape();
                let operator = $name { axis: chance.of(0..=shape.len() - 1), keepdims: chance.yes() };
                $crate::ir::ops::Sample::new("", operator, vec![$crate::ir::ops::sample::read(shape)])
            }
        }
    };
}
pub(super) use arg;
