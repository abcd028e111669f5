//! What is left of a division, and numbers without their fractions.

use super::spelled::Spelled;
use super::truths::number;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::{ValueId, ops};

/// A number without its fraction: that of its size, with its sign.
fn cut(making: &mut Making, name: &str, last: Option<&str>, x: ValueId) -> Result<ValueId, String> {
    let size = making.step(format!("{name}.size"), ops::Abs, &[x])?;
    let floor = making.step(format!("{name}.floor"), ops::Floor, &[size])?;
    let sign = making.step(format!("{name}.sign"), ops::Sign, &[x])?;
    match last {
        Some(last) => making.last(last, ops::Mul, &[floor, sign]),
        None => making.step(format!("{name}.cut"), ops::Mul, &[floor, sign]),
    }
}

/// Real numbers as integers, which have no fractions.
pub fn truncated<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let x = making.input(told, 0)?;
    Ok(Some(vec![Known::Value(cut(making, told.name(), Some(told.name()), x)?)]))
}

/// `a - b * (a / b)`, in which the quotient is rounded down, or for `fmod` towards 0.
pub fn rest<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["fmod"], 10)?;
    let (a, b, name) = (number(making, told, 0)?, number(making, told, 1)?, told.name());
    let quotient = making.step(format!("{name}.quotient"), ops::Div, &[a, b])?;
    let whole = match told.onnx.int("fmod", 0)? {
        0 => making.step(format!("{name}.floor"), ops::Floor, &[quotient])?,
        _ => cut(making, name, None, quotient)?,
    };
    let part = making.step(format!("{name}.part"), ops::Mul, &[whole, b])?;
    Ok(Some(vec![Known::Value(making.last(name, ops::Sub, &[a, part])?)]))
}

/// A power; whole exponents become real numbers.
pub fn power<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    if told.onnx.inputs.iter().flatten().all(|input| input.element.is_real()) {
        return Ok(None);
    }
    told.onnx.expect(&[], 7)?;
    let (base, exponent) = (number(making, told, 0)?, number(making, told, 1)?);
    Ok(Some(vec![Known::Value(making.last(told.name(), ops::Pow, &[base, exponent])?)]))
}
