//! What operators have in common that make one number of all numbers along some axes.

use super::arithmetic::one;
use super::onnx::OnnxNode;
use super::sample::Chance;
use crate::ir::constant::{Constant, index_of};
use crate::ir::types::Shape;

/// The shape of what is made.
///
/// # Errors
/// Axes that the input does not have, or that do not ascend.
pub fn reduced(shape: &[usize], axes: &[usize], keepdims: bool) -> Result<Shape, String> {
    let ascend = axes.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascend || axes.iter().any(|&axis| axis >= shape.len()) {
        return Err(format!("{shape:?} is not reduced over the axes {axes:?}: they ascend, and each is one of it"));
    }
    let sizes = shape.iter().enumerate().filter_map(|(axis, &size)| match (axes.contains(&axis), keepdims) {
        (false, _) => Some(size),
        (true, true) => Some(1),
        (true, false) => None,
    });
    Ok(sizes.collect())
}

/// One number of each row along the axes.
pub fn over(input: &Constant, axes: &[usize], shapes: Vec<Shape>, function: impl Fn(&[f64]) -> f64) -> Vec<Constant> {
    let (values, shape) = (input.to_f32(), input.shape());
    let count: usize = shapes.iter().flatten().product();
    let mut rows = vec![Vec::new(); count];
    for (at, value) in values.into_iter().enumerate() {
        let index = index_of(at, shape).into_iter().zip(shape).enumerate();
        let row = index.filter(|(axis, _)| !axes.contains(axis)).fold(0, |row, (_, (at, size))| row * size + at);
        rows[row].push(f64::from(value));
    }
    one(rows.iter().map(|row| function(row) as f32).collect(), shapes)
}

/// Axes, in ascending order, and whether they stay; the axes are an input from this operator set on.
///
/// # Errors
/// Says in words what of the node is not taken.
pub fn read(node: &OnnxNode, inputs_since: i64) -> Result<(Vec<usize>, bool), String> {
    node.expect(&["axes", "keepdims", "noop_with_empty_axes"], 1)?;
    let stated = if node.opset < inputs_since { node.signed("axes")? } else { node.integers(1)? };
    let mut axes =
        stated.unwrap_or_default().iter().map(|&axis| node.from_front(axis)).collect::<Result<Vec<_>, _>>()?;
    if axes.is_empty() && node.int("noop_with_empty_axes", 0)? == 0 {
        axes = (0..node.rank()?).collect();
    }
    axes.sort_unstable();
    Ok((axes, node.int("keepdims", 1)? != 0))
}

/// Random axes of a shape, at least one, and whether they stay.
pub fn draw(chance: &mut Chance, shape: &[usize]) -> (Vec<usize>, bool) {
    let always = chance.of(0..=shape.len() - 1);
    let axes = (0..shape.len()).filter(|&axis| axis == always || chance.yes()).collect();
    (axes, chance.yes())
}

/// Makes a type with the fields `axes` and `keepdims` the operator of ONNX of the same name. In come the type, the
/// operator set since which ONNX has the axes as an input, and the function from numbers to one.
macro_rules! reduction {
    ($name:ident, $inputs_since:literal, $function:expr) => {
        impl $crate::ir::ops::Operator for $name {
            const SIGNATURE: $crate::ir::ops::Signature =
                $crate::ir::ops::Signature::new(stringify!($name), &[$crate::ir::ops::Input::data("x")]);

            fn shapes(&self, inputs: &[&$crate::ir::Shape]) -> Result<Vec<$crate::ir::Shape>, String> {
                Ok(vec![$crate::ir::ops::reduction::reduced(inputs[0], &self.axes, self.keepdims)?])
            }

            fn work(&self) -> $crate::ir::ops::Work {
                $crate::ir::ops::Work::Computes
            }

            fn evaluate(
                &self,
                inputs: &[$crate::ir::Constant],
                shapes: Vec<$crate::ir::Shape>,
            ) -> Vec<$crate::ir::Constant> {
                $crate::ir::ops::reduction::over(&inputs[0], &self.axes, shapes, $function)
            }

            fn to_onnx(&self, _: &[&$crate::ir::Shape]) -> Option<$crate::ir::ops::OnnxForm> {
                let form = $crate::ir::ops::OnnxForm::new(stringify!($name)).flag("keepdims", self.keepdims);
                // No axes would else stand for all.
                let form = if self.axes.is_empty() { form.flag("noop_with_empty_axes", true) } else { form };
                Some(form.integers("axes", &self.axes))
            }

            fn from_onnx(node: &$crate::ir::ops::OnnxNode) -> Result<$crate::ir::ops::Imported<Self>, String> {
                let (axes, keepdims) = $crate::ir::ops::reduction::read(node, $inputs_since)?;
                Ok($crate::ir::ops::Imported::new($name { axes, keepdims }, 1))
            }

            fn samples(_: $crate::ir::ops::Constants) -> Vec<$crate::ir::ops::Sample<Self>> {
                let sample = |name, axes: &[usize], keepdims, shape: &[usize]| {
                    let operator = $name { axes: axes.to_vec(), keepdims };
                    $crate::ir::ops::Sample::new(name, operator, vec![$crate::ir::ops::sample::read(shape)])
                };
                vec![
                    sample("last axis", &[2], true, &[1, 16, 64]),
                    sample("picture", &[2, 3], true, &[1, 16, 8, 8]),
                    sample("rows", &[1], true, &[1, 16, 64]),
                ]
            }

            fn draw(chance: &mut $crate::ir::ops::Chance) -> $crate::ir::ops::Sample<Self> {
                let shape = chance.shape();
                let (axes, keepdims) = $crate::ir::ops::reduction::draw(chance, &shape);
                $crate::ir::ops::Sample::new("", $name { axes, keepdims }, vec![$crate::ir::ops::sample::read(shape)])
            }
        }
    };
}
pub(super) use reduction;
