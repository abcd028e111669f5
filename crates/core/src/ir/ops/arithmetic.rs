//! Plain loops over small tensors, for the float reference of operators. Sums are kept in double precision.

use crate::ir::constant::{Constant, index_of};
use crate::ir::types::Shape;

/// Each element on its own.
pub fn each(inputs: &[Constant], shapes: Vec<Shape>, function: impl Fn(f64) -> f64) -> Vec<Constant> {
    let values = inputs[0].to_f32().into_iter().map(|x| function(f64::from(x)) as f32).collect();
    one(values, shapes)
}

/// Two elements each, of tensors that broadcast.
pub fn pairs(inputs: &[Constant], shapes: Vec<Shape>, with: impl Fn(f32, f32) -> f32) -> Vec<Constant> {
    let (a, b) = (inputs[0].to_f32(), inputs[1].to_f32());
    let shape = &shapes[0];
    let values = (0..shape.iter().product())
        .map(|at| with(a[source(at, shape, inputs[0].shape())], b[source(at, shape, inputs[1].shape())]))
        .collect();
    one(values, shapes)
}

/// Rows along one axis, each changed in place.
pub fn along(input: &Constant, axis: usize, shapes: Vec<Shape>, change: impl Fn(&mut [f64])) -> Vec<Constant> {
    let (shape, mut values) = (input.shape(), input.to_f32());
    let (size, inner) = (shape[axis], shape[axis + 1..].iter().product::<usize>());
    for block in values.chunks_exact_mut(size * inner) {
        for at in 0..inner {
            let mut row: Vec<f64> = (0..size).map(|index| f64::from(block[index * inner + at])).collect();
            change(&mut row);
            row.into_iter().enumerate().for_each(|(index, value)| block[index * inner + at] = value as f32);
        }
    }
    one(values, shapes)
}

/// Elements of any type from other places: `from` gives the index in the input for an index in the output.
pub fn picked(input: &Constant, shape: &Shape, from: impl Fn(Vec<usize>) -> Vec<usize>) -> Constant {
    let count = shape.iter().product();
    let places = (0..count).map(|at| {
        let index = from(index_of(at, shape));
        index.iter().zip(input.shape()).fold(0, |position, (at, size)| position * size + at)
    });
    if input.element_type().is_real() {
        let values = input.to_f32();
        return Constant::from_values(places.map(|at| values[at]).collect(), shape.clone());
    }
    let values = input.to_i64();
    Constant::from_integers(input.element_type(), places.map(|at| values[at]).collect(), shape.clone())
}

/// One output of these values.
pub fn one(values: Vec<f32>, shapes: Vec<Shape>) -> Vec<Constant> {
    shapes.into_iter().next().map(|shape| Constant::from_values(values, shape)).into_iter().collect()
}

/// Position in a broadcast operand of element `at` of the result.
pub fn source(at: usize, shape: &[usize], operand: &[usize]) -> usize {
    let (mut rest, mut stride, mut position) = (at, 1, 0);
    let missing = shape.len() - operand.len();
    for axis in (0..shape.len()).rev() {
        let index = rest % shape[axis];
        rest /= shape[axis];
        if axis >= missing {
            let size = operand[axis - missing];
            if size > 1 {
                position += index * stride;
            }
            stride *= size;
        }
    }
    position
}

/// Logistic function.
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The error function, to 1e-15: its power series near 0, the continued fraction of its complement further out
/// (Abramowitz & Stegun, 7.1.6 and 7.1.14).
pub fn erf(x: f64) -> f64 {
    let size = x.abs();
    let scale = 2.0 / std::f64::consts::PI.sqrt() * (-size * size).exp();
    let found = if size < 3.0 {
        let (mut term, mut sum, mut count) = (size, size, 0.0);
        while term > sum * 1e-17 {
            count += 1.0;
            term *= 2.0 * size * size / (2.0 * count + 1.0);
            sum += term;
        }
        scale * sum
    } else {
        let fraction = (1..60).rev().fold(size, |below, count| size + f64::from(count) / 2.0 / below);
        1.0 - scale / 2.0 / fraction
    };
    found.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_has_its_known_values() {
        // DLMF, table 7.23.
        for (x, wanted) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (-2.0, -0.995_322_265_018_952_7),
            (3.5, 0.999_999_256_901_627_6),
        ] {
            assert!((erf(x) - wanted).abs() < 1e-14, "{x}: {}", erf(x));
        }
    }
}
