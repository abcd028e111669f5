//! Masks: numbers so low that what they are added to is nothing behind softmax.

use super::spelled::Spelled;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::{Constant, ops};

/// What is added to scores where ONNX says minus infinity, or a number so low that it means that: behind softmax it is
/// nothing, and it leaves the others enough of the range.
pub const HIDDEN: f32 = crate::MASKED;
/// From here on a number means that something is hidden.
pub const IS_HIDDEN: f32 = -1e4;

/// No network computes with such numbers, but to say that something is hidden.
const NO_NUMBER: f32 = -1e30;

/// A sum with a constant that hides: its numbers that are so low, or minus infinity, become the one that hides here.
pub fn sum<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let (at, constant) = match (told.constant(0), told.constant(1)) {
        (None, Some(constant)) => (1, constant),
        (Some(constant), None) => (0, constant),
        _ => return Ok(None),
    };
    if making.is_own() || !constant.element_type().is_real() {
        return Ok(None);
    }
    let numbers = constant.to_f32();
    let hides = |number: &f32| *number <= IS_HIDDEN;
    let is_mask = numbers.iter().all(|number| *number == 0.0 || hides(number));
    if !numbers.iter().any(|number| if is_mask { hides(number) } else { *number <= NO_NUMBER }) {
        return Ok(None);
    }
    told.onnx.expect(&[], 7)?;
    let numbers = numbers.into_iter().map(|number| if hides(&number) { HIDDEN } else { number }).collect();
    let hidden = Constant::from_values(numbers, constant.shape().clone());
    let hidden = making.changed(&told.node.inputs[at], hidden)?;
    let x = making.input(told, 1 - at)?;
    Ok(Some(vec![Known::Value(making.last(told.name(), ops::Add, &[x, hidden])?)]))
}

/// A mask that is a product: 0 or 1 times a number so low that it hides what it is added to.
pub fn product<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let (at, low) = match (told.number(0), told.number(1)) {
        (None, Some(low)) => (0, low),
        (Some(low), None) => (1, low),
        _ => return Ok(None),
    };
    let broadcast = crate::onnx::fold::broadcast(told.shape(0)?, told.shape(1)?)?;
    if low > IS_HIDDEN || broadcast != *told.shape(at)? {
        return Ok(None);
    }
    let x = making.input(told, at)?;
    if low > NO_NUMBER && !making.is_truth(x) {
        return Ok(None);
    }
    let name = told.name();
    let hidden = making.constant(format!("{name}.hidden"), Constant::from_values(vec![HIDDEN], vec![1]))?;
    Ok(Some(vec![Known::Value(making.last(name, ops::Mul, &[x, hidden])?)]))
}
