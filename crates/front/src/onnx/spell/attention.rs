//! Attention as ONNX has it since operator set 23, in products and a softmax. Those of one sequence become one operator
//! again where patterns are looked for.

use super::masks::HIDDEN;
use super::spelled::Spelled;
use crate::onnx::fold;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::{Constant, ElementType, ValueId, ops};

/// `softmax(scale * q k^T + mask) v`. Keys and values of before come first, and go out with the new ones.
pub fn attention<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let known = ["is_causal", "kv_num_heads", "q_num_heads", "qk_matmul_output_mode", "scale", "softcap"];
    told.onnx.expect(&[&known[..], &["softmax_precision"]].concat(), 23)?;
    if told.onnx.has(6) {
        return Err("has a number of valid keys; a mask is supported".into());
    }
    if told.onnx.outputs > 3 {
        return Err("gives its scores; the result, keys and values are supported".into());
    }
    let name = told.name();
    let is_flat = told.shape(0)?.len() == 3;
    let q = heads(making, told, 0, "q_num_heads")?;
    let (k, v) = (heads(making, told, 1, "kv_num_heads")?, heads(making, told, 2, "kv_num_heads")?);
    let past = |making: &mut Making<'m>, at: usize, new: ValueId| -> Result<ValueId, String> {
        if !told.onnx.has(at) {
            return Ok(new);
        }
        let old = making.input(told, at)?;
        making.step(format!("{name}.all{at}"), ops::Concat { axis: 2 }, &[old, new])
    };
    let offset = if told.onnx.has(4) { told.shape(4)?[2..].first().copied().unwrap_or(0) } else { 0 };
    let (k, v) = (past(making, 4, k)?, past(making, 5, v)?);
    let (query, key) = (making.shape(q).clone(), making.shape(k).clone());
    let &[batch, heads, rows, width] = query.as_slice() else { return Err("has queries of another rank".into()) };
    let keys = key[2];
    let scale = told.onnx.float("scale", 1.0 / (width as f32).sqrt())?;
    let wide_k = repeated(making, &format!("{name}.keys"), k, heads)?;
    let wide_v = repeated(making, &format!("{name}.values"), v, heads)?;
    let turned = making.step(format!("{name}.turned"), ops::Transpose { perm: vec![0, 1, 3, 2] }, &[wide_k])?;
    let mut scores = making.step(format!("{name}.products"), ops::MatMul, &[q, turned])?;
    let factor = making.numbers(format!("{name}.scale"), vec![scale], vec![1])?;
    scores = making.step(format!("{name}.scores"), ops::Mul, &[scores, factor])?;
    let cap = told.onnx.float("softcap", 0.0)?;
    if cap != 0.0 {
        let inverse = making.numbers(format!("{name}.inverse"), vec![1.0 / cap], vec![1])?;
        scores = making.step(format!("{name}.small"), ops::Mul, &[scores, inverse])?;
        scores = making.step(format!("{name}.capped"), ops::Tanh, &[scores])?;
        let cap = making.numbers(format!("{name}.cap"), vec![cap], vec![1])?;
        scores = making.step(format!("{name}.wide"), ops::Mul, &[scores, cap])?;
    }
    if told.onnx.int("is_causal", 0)? != 0 {
        fold::counted(&[rows, keys])?;
        let hides = |at: usize| if at % keys > at / keys + offset { HIDDEN } else { 0.0 };
        let mask = Constant::from_values((0..rows * keys).map(hides).collect(), vec![1, 1, rows, keys]);
        let mask = making.computed(format!("{name}.causal"), mask)?;
        scores = making.step(format!("{name}.before"), ops::Add, &[scores, mask])?;
    }
    if told.onnx.has(3) {
        let mask = mask(making, told, [batch, heads, rows, keys])?;
        scores = making.step(format!("{name}.masked"), ops::Add, &[scores, mask])?;
    }
    let shares = making.step(format!("{name}.shares"), ops::Softmax { axis: 3 }, &[scores])?;
    let mut made = match is_flat {
        true => making.step(format!("{name}.mixed"), ops::MatMul, &[shares, wide_v])?,
        false => making.last(name, ops::MatMul, &[shares, wide_v])?,
    };
    if is_flat {
        let depth = making.shape(made)[3];
        made = making.step(format!("{name}.rows"), ops::Transpose { perm: vec![0, 2, 1, 3] }, &[made])?;
        made = making.reshaped(name, made, vec![batch, rows, heads * depth])?;
    }
    Ok(Some(vec![Known::Value(made), Known::Value(k), Known::Value(v)]))
}

/// The value at an input as `[B,H,S,D]`.
fn heads<'m>(making: &mut Making<'m>, told: &Told<'m>, at: usize, count: &str) -> Result<ValueId, String> {
    let shape = told.shape(at)?.clone();
    let id = making.input(told, at)?;
    let &[batch, rows, size] = shape.as_slice() else {
        return match shape.len() {
            4 => Ok(id),
            _ => Err(format!("reads {shape:?}; three or four axes are wanted")),
        };
    };
    let heads = match usize::try_from(told.onnx.int(count, 0)?) {
        Ok(heads) if heads > 0 && size.is_multiple_of(heads) => heads,
        _ => return Err(format!("does not say by `{count}` how many heads {size} elements are of")),
    };
    let shape = vec![batch, rows, heads, size / heads];
    let parted = making.step(format!("{}.heads{at}", told.name()), ops::Reshape { shape }, &[id])?;
    making.step(format!("{}.in{at}", told.name()), ops::Transpose { perm: vec![0, 2, 1, 3] }, &[parted])
}

/// Keys or values of groups, once for each head.
fn repeated(making: &mut Making, name: &str, id: ValueId, heads: usize) -> Result<ValueId, String> {
    let shape = making.shape(id).clone();
    let &[batch, groups, rows, width] = shape.as_slice() else { return Err("has keys of another rank".into()) };
    if groups == heads {
        return Ok(id);
    }
    if groups == 0 || !heads.is_multiple_of(groups) {
        return Err(format!("has {groups} groups of keys for {heads} heads"));
    }
    let single = vec![batch, groups, 1, rows * width];
    let id = making.step(format!("{name}.groups"), ops::Reshape { shape: single }, &[id])?;
    let id = making.step(format!("{name}.each"), ops::Concat { axis: 2 }, &vec![id; heads / groups])?;
    making.step(format!("{name}.heads"), ops::Reshape { shape: vec![batch, heads, rows, width] }, &[id])
}

/// What is added to scores: numbers as they are, truths as 0 where they are true.
fn mask<'m>(
    making: &mut Making<'m>,
    told: &Told<'m>,
    [batch, heads, rows, keys]: [usize; 4],
) -> Result<ValueId, String> {
    let shape = told.shape(3)?.clone();
    let name = told.name();
    if shape.last() != Some(&keys) {
        return Err(format!("has a mask of {shape:?} for {keys} keys; one for all of them is supported"));
    }
    if fold::broadcast(&shape, &[batch, heads, rows, keys])?.len() != 4 {
        return Err(format!("has a mask of {shape:?} for scores of {:?}", [batch, heads, rows, keys]));
    }
    let Some(constant) = told.constant(3) else {
        let id = making.input(told, 3)?;
        let is_truth = told.node.inputs.get(3).is_some() && making.is_truth(id);
        if !is_truth {
            return Ok(id);
        }
        let range = making.numbers(format!("{name}.range"), vec![-HIDDEN], vec![1])?;
        let scaled = making.step(format!("{name}.mask.scaled"), ops::Mul, &[id, range])?;
        let low = making.numbers(format!("{name}.low"), vec![HIDDEN], vec![1])?;
        return making.step(format!("{name}.mask"), ops::Add, &[scaled, low]);
    };
    let numbers = match constant.element_type() {
        ElementType::F32 => constant.to_f32().into_iter().map(|number| number.max(HIDDEN)).collect(),
        _ => constant.to_i64().into_iter().map(|truth| if truth != 0 { 0.0 } else { HIDDEN }).collect(),
    };
    making.numbers(format!("{name}.mask"), numbers, shape)
}
