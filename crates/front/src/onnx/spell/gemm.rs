//! Matrix products: `Gemm` as product and sum, and products with vectors.

use super::spelled::Spelled;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::{Constant, ValueId, ops};

/// `alpha * A' * B' + beta * C`. Constants take transposition and factors; a bias is one number for each column.
pub fn gemm<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&["alpha", "beta", "transA", "transB", "broadcast"], 7)?;
    let (alpha, beta) = (told.onnx.float("alpha", 1.0)?, told.onnx.float("beta", 1.0)?);
    for at in [0, 1] {
        if told.shape(at)?.len() != 2 {
            return Err(format!("multiplies {:?}, which is no matrix", told.shape(at)?));
        }
    }
    let turned = |making: &mut Making<'m>, at: usize, attribute: &str| -> Result<ValueId, String> {
        let factor = if at == 1 { alpha } else { 1.0 };
        let transposes = told.onnx.int(attribute, 0)? != 0;
        let name = &told.node.inputs[at];
        if let Some(constant) = told.constant(at).filter(|_| transposes || factor != 1.0) {
            let moved = if transposes { constant.permuted(&[1, 0]) } else { constant.clone() };
            let scaled = if factor == 1.0 { moved } else { moved.scaled(0, vec![factor; moved.shape()[0]].into()) };
            return making.changed(name, scaled);
        }
        let id = making.input(told, at)?;
        match transposes {
            true => making.step(format!("{}.{attribute}", told.name()), ops::Transpose { perm: vec![1, 0] }, &[id]),
            false => Ok(id),
        }
    };
    let (a, b) = (turned(making, 0, "transA")?, turned(making, 1, "transB")?);
    let is_scaled = alpha != 1.0 && told.constant(1).is_none();
    if !told.onnx.has(2) && !is_scaled {
        return Ok(Some(vec![Known::Value(making.last(told.name(), ops::MatMul, &[a, b])?)]));
    }
    let mut made = making.step(format!("{}.product", told.name()), ops::MatMul, &[a, b])?;
    if is_scaled {
        let factor = making.numbers(format!("{}.alpha", told.name()), vec![alpha], vec![1])?;
        made = match told.onnx.has(2) {
            true => making.step(format!("{}.scaled", told.name()), ops::Mul, &[made, factor])?,
            false => return Ok(Some(vec![Known::Value(making.last(told.name(), ops::Mul, &[made, factor])?)])),
        };
    }
    let bias = bias(making, told, beta, making.shape(made)[1])?;
    Ok(Some(vec![Known::Value(making.last(told.name(), ops::Add, &[made, bias])?)]))
}

/// What is added, times `beta`; a row of one number for each column without its other axes.
fn bias<'m>(making: &mut Making<'m>, told: &Told<'m>, beta: f32, columns: usize) -> Result<ValueId, String> {
    let Some(constant) = told.constant(2) else {
        let bias = making.input(told, 2)?;
        if beta == 1.0 {
            return Ok(bias);
        }
        let factor = making.numbers(format!("{}.beta", told.name()), vec![beta], vec![1])?;
        return making.step(format!("{}.bias", told.name()), ops::Mul, &[bias, factor]);
    };
    let is_row = constant.shape().len() != 1 && constant.shape().iter().product::<usize>() == columns;
    if beta == 1.0 && !is_row {
        return making.input(told, 2);
    }
    let row = constant.reshaped(if is_row { vec![columns] } else { constant.shape().clone() });
    let scaled = match row.shape().last() {
        _ if beta == 1.0 => row,
        Some(&last) => row.scaled(row.shape().len() - 1, vec![beta; last].into()),
        None => Constant::from_values(vec![row.to_f32()[0] * beta], vec![1]),
    };
    making.changed(&told.node.inputs[2], scaled)
}

/// A vector is a matrix of one row on the left, of one column on the right; that axis vanishes again.
pub fn mat_mul<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let ranks = [told.shape(0)?.len(), told.shape(1)?.len()];
    if ranks.iter().all(|&rank| rank >= 2) {
        return Ok(None);
    }
    if ranks.contains(&0) {
        return Err("multiplies single numbers".into());
    }
    let mut ids = [making.input(told, 0)?, making.input(told, 1)?];
    for (at, what) in ["row", "column"].into_iter().enumerate() {
        if let &[size] = making.shape(ids[at]).as_slice() {
            let shape = if at == 0 { vec![1, size] } else { vec![size, 1] };
            ids[at] = making.step(format!("{}.{what}", told.name()), ops::Reshape { shape }, &[ids[at]])?;
        }
    }
    let product = making.step(format!("{}.product", told.name()), ops::MatMul, &ids)?;
    let mut shape = making.shape(product).clone();
    let rank = shape.len();
    if ranks[1] == 1 {
        shape.remove(rank - 1);
    }
    if ranks[0] == 1 {
        shape.remove(rank - 2);
    }
    Ok(Some(vec![Known::Value(making.reshaped(told.name(), product, shape)?)]))
}
