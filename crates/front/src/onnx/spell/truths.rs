//! Truths that are computed, as numbers: 1 is true and 0 is not. Of whole numbers a comparison is a difference that is
//! cut to 0..1; of real numbers it is its sign, which an NPU knows as far as its integers tell them apart.

use super::masks::{HIDDEN, IS_HIDDEN};
use super::spelled::Spelled;
use crate::onnx::fold;
use crate::onnx::making::{Known, Making, Told};
use crate::onnx::unsupported::PICKS_TOO;
use autoneural_core::ir::{Constant, ElementType, ValueId, ops};

/// The numbers at an input; a constant of integers or truths becomes one of real numbers.
pub fn number<'m>(making: &mut Making<'m>, told: &Told<'m>, at: usize) -> Result<ValueId, String> {
    if let Some(constant) = told.constant(at).filter(|constant| !constant.element_type().is_real()) {
        return making.changed(&told.node.inputs[at], fold::cast(constant, ElementType::F32));
    }
    let id = making.input(told, at)?;
    if making.b.graph().value(id).element.is_real() {
        return Ok(id);
    }
    let refused = || format!("computes with `{}`{PICKS_TOO}", told.node.inputs[at]);
    making.number_of(id)?.ok_or_else(refused)
}

/// The integers at an input, those of a constant in 32 bits, as inputs have them.
pub fn index<'m>(making: &mut Making<'m>, told: &Told<'m>, at: usize) -> Result<ValueId, String> {
    match told.constant(at).filter(|constant| constant.element_type() == ElementType::I64) {
        Some(constant) => making.changed(&told.node.inputs[at], fold::cast(constant, ElementType::I32)),
        None => making.input(told, at),
    }
}

fn truth<'m>(making: &mut Making<'m>, told: &Told<'m>, at: usize) -> Result<ValueId, String> {
    let id = number(making, told, at)?;
    match making.is_truth(id) {
        true => Ok(id),
        false => Err(format!("takes `{}` for true or false, which is not known to be 0 or 1", told.node.inputs[at])),
    }
}

fn one(making: &mut Making, name: &str, value: f32) -> Result<ValueId, String> {
    making.numbers(format!("{name}.number"), vec![value], vec![1])
}

fn made(making: &mut Making, id: ValueId) -> Spelled {
    making.mark_truth(id);
    Ok(Some(vec![Known::Value(id)]))
}

/// What a difference becomes before it is cut to 0..1: itself if it is whole, else its sign.
fn step<'m>(making: &mut Making<'m>, name: &str, difference: ValueId) -> Result<ValueId, String> {
    match making.is_whole(difference) {
        true => Ok(difference),
        false => {
            let sign = making.step(format!("{name}.sign"), ops::Sign, &[difference])?;
            making.mark_whole(sign);
            Ok(sign)
        }
    }
}

/// The truth of numbers: whether they are not 0.
pub fn of_number<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let x = number(making, told, 0)?;
    if making.is_truth(x) {
        return Ok(Some(vec![Known::Value(x)]));
    }
    let name = told.name();
    let x = step(making, name, x)?;
    let size = making.step(format!("{name}.size"), ops::Abs, &[x])?;
    let id = making.last(name, ops::Clip { min: Some(0.0), max: Some(1.0) }, &[size])?;
    made(making, id)
}

pub fn not<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let x = truth(making, told, 0)?;
    let one = one(making, told.name(), 1.0)?;
    let id = making.last(told.name(), ops::Sub, &[one, x])?;
    made(making, id)
}

pub fn and<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let inputs = [truth(making, told, 0)?, truth(making, told, 1)?];
    let id = making.last(told.name(), ops::Mul, &inputs)?;
    made(making, id)
}

pub fn or<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let inputs = [truth(making, told, 0)?, truth(making, told, 1)?];
    let id = making.last(told.name(), ops::Max, &inputs)?;
    made(making, id)
}

pub fn xor<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let inputs = [truth(making, told, 0)?, truth(making, told, 1)?];
    let difference = making.step(format!("{}.difference", told.name()), ops::Sub, &inputs)?;
    let id = making.last(told.name(), ops::Abs, &[difference])?;
    made(making, id)
}

/// What stands behind a difference: a summand, and limits.
fn compared<'m>(making: &mut Making<'m>, told: &Told<'m>, [first, second]: [usize; 2], plus: f32) -> Spelled {
    let (a, b) = (number(making, told, first)?, number(making, told, second)?);
    let name = told.name();
    let difference = making.step(format!("{name}.difference"), ops::Sub, &[a, b])?;
    let mut difference = step(making, name, difference)?;
    if plus != 0.0 {
        let plus = one(making, name, plus)?;
        difference = making.step(format!("{name}.more"), ops::Add, &[difference, plus])?;
    }
    let id = making.last(name, ops::Clip { min: Some(0.0), max: Some(1.0) }, &[difference])?;
    made(making, id)
}

/// The truth of whether one value is above another.
pub fn is_above(making: &mut Making, name: &str, a: ValueId, b: ValueId) -> Result<ValueId, String> {
    let difference = making.step(format!("{name}.difference"), ops::Sub, &[a, b])?;
    let difference = step(making, name, difference)?;
    let id = making.step(name.to_string(), ops::Clip { min: Some(0.0), max: Some(1.0) }, &[difference])?;
    making.mark_truth(id);
    Ok(id)
}

pub fn greater<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    compared(making, told, [0, 1], 0.0)
}

pub fn less<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    compared(making, told, [1, 0], 0.0)
}

pub fn greater_or_equal<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    compared(making, told, [0, 1], 1.0)
}

pub fn less_or_equal<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    compared(making, told, [1, 0], 1.0)
}

pub fn equal<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let (a, b) = (number(making, told, 0)?, number(making, told, 1)?);
    let name = told.name();
    let difference = making.step(format!("{name}.difference"), ops::Sub, &[a, b])?;
    let difference = step(making, name, difference)?;
    let distance = making.step(format!("{name}.distance"), ops::Abs, &[difference])?;
    let differs = making.step(format!("{name}.differs"), ops::Clip { min: Some(0.0), max: Some(1.0) }, &[distance])?;
    let one = one(making, name, 1.0)?;
    let id = making.last(name, ops::Sub, &[one, differs])?;
    made(making, id)
}

/// Nothing that is computed here is no number, and nothing is infinite: masks hide by finite numbers, so that even a row of which all is hidden
/// has shares.
pub fn is_nan<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let shape: Vec<i64> = told.shape(0)?.iter().map(|&size| size as i64).collect();
    let none = fold::filled(&shape, &Constant::from_integers(ElementType::Bool, vec![0], vec![1]))?;
    making.count(std::slice::from_ref(&none))?;
    Ok(Some(vec![Known::Constant(none)]))
}

/// A choice element by element: `truth * yes + (1 - truth) * no`, or an addend where one of them means hidden.
pub fn choose<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let is = truth(making, told, 0)?;
    let name = told.name();
    let single = |at: usize| told.number(at).map(|value| if value <= IS_HIDDEN { HIDDEN } else { value });
    let shape = fold::broadcast(told.shape(0)?, &fold::broadcast(told.shape(1)?, told.shape(2)?)?)?;
    // `truth * (yes - no) + no`
    let spread = |making: &mut Making<'m>, last: Option<&str>, yes: f32, no: f32| {
        let factor = one(making, name, yes - no)?;
        let scaled = making.step(format!("{name}.scaled"), ops::Mul, &[is, factor])?;
        let no = one(making, name, no)?;
        match last {
            Some(name) => making.last(name, ops::Add, &[scaled, no]),
            None => making.step(format!("{name}.mask"), ops::Add, &[scaled, no]),
        }
    };
    let id = match (single(1), single(2)) {
        (Some(yes), Some(no)) => spread(making, Some(name), yes, no)?,
        (None, Some(HIDDEN)) => {
            let (x, mask) = (number(making, told, 1)?, spread(making, None, 0.0, HIDDEN)?);
            making.last(name, ops::Add, &[x, mask])?
        }
        (Some(HIDDEN), None) => {
            let (x, mask) = (number(making, told, 2)?, spread(making, None, HIDDEN, 0.0)?);
            making.last(name, ops::Add, &[x, mask])?
        }
        (None, Some(0.0)) => {
            let x = number(making, told, 1)?;
            making.last(name, ops::Mul, &[x, is])?
        }
        (yes, _) => {
            let other = spread(making, None, 0.0, 1.0)?;
            let no = number(making, told, 2)?;
            if yes == Some(0.0) {
                making.last(name, ops::Mul, &[no, other])?
            } else {
                let yes = number(making, told, 1)?;
                let yes = making.step(format!("{name}.yes"), ops::Mul, &[yes, is])?;
                let no = making.step(format!("{name}.no"), ops::Mul, &[no, other])?;
                making.last(name, ops::Add, &[yes, no])?
            }
        }
    };
    match *making.shape(id) == shape {
        true => Ok(Some(vec![Known::Value(id)])),
        false => Err(format!("chooses for the shape {shape:?}, which only single numbers have")),
    }
}
