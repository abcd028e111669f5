//! Activation functions that are a few operators in a row.

use super::chain::Chain;
use super::spelled::Spelled;
use super::truths;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::{ValueId, ops};

fn value(id: ValueId) -> Spelled {
    Ok(Some(vec![Known::Value(id)]))
}

/// `x / (1 + |x|)`.
pub fn softsign<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&[], 1)?;
    let (x, name) = (making.input(told, 0)?, told.name());
    let size = making.step(format!("{name}.size"), ops::Abs, &[x])?;
    let one = making.numbers(format!("{name}.one"), vec![1.0], vec![1])?;
    let more = making.step(format!("{name}.more"), ops::Add, &[size, one])?;
    value(making.last(name, ops::Div, &[x, more])?)
}

/// `max(0, x) + min(0, alpha * (exp(x / alpha) - 1))` (Barron, arXiv 1704.07483), which is ELU between two factors.
pub fn celu<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["alpha"], 12)?;
    let alpha = told.onnx.float("alpha", 1.0)?;
    if !(alpha.is_normal() && alpha.recip().is_normal()) {
        return Err(format!("with `alpha` {alpha} is not supported"));
    }
    let (x, name) = (making.input(told, 0)?, told.name());
    let mut chain = Chain::default();
    if alpha != 1.0 {
        let factor = making.numbers(format!("{name}.inverse"), vec![alpha.recip()], vec![1])?;
        chain.then("in", ops::Mul, &[factor]);
    }
    chain.then("elu", ops::Elu { alpha: 1.0 }, &[]);
    if alpha != 1.0 {
        let factor = making.numbers(format!("{name}.alpha"), vec![alpha], vec![1])?;
        chain.then("out", ops::Mul, &[factor]);
    }
    value(chain.of(making, name, x)?)
}

/// `x` where it is above a threshold, else 0.
pub fn thresholded<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["alpha"], 10)?;
    let (x, name) = (making.input(told, 0)?, told.name());
    let alpha = making.numbers(format!("{name}.alpha"), vec![told.onnx.float("alpha", 1.0)?], vec![1])?;
    let is_above = truths::is_above(making, &format!("{name}.above"), x, alpha)?;
    value(making.last(name, ops::Mul, &[x, is_above])?)
}

/// 0 where the size of `x` is not above a threshold, else `x` with its size less a bias.
pub fn shrink<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["lambd", "bias"], 9)?;
    let (x, name) = (making.input(told, 0)?, told.name());
    let bias = told.onnx.float("bias", 0.0)?;
    let limit = making.numbers(format!("{name}.limit"), vec![told.onnx.float("lambd", 0.5)?], vec![1])?;
    let size = making.step(format!("{name}.size"), ops::Abs, &[x])?;
    let is_above = truths::is_above(making, &format!("{name}.above"), size, limit)?;
    if bias == 0.0 {
        return value(making.last(name, ops::Mul, &[x, is_above])?);
    }
    let bias = making.numbers(format!("{name}.bias"), vec![bias], vec![1])?;
    let sign = making.step(format!("{name}.sign"), ops::Sign, &[x])?;
    let less = making.step(format!("{name}.less"), ops::Mul, &[sign, bias])?;
    let moved = making.step(format!("{name}.moved"), ops::Sub, &[x, less])?;
    value(making.last(name, ops::Mul, &[moved, is_above])?)
}
