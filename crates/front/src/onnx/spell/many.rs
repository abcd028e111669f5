//! Operators on any number of operands, and choices that are known.

use super::masks::{HIDDEN, IS_HIDDEN};
use super::spelled::Spelled;
use super::truths;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::ops::OpKind;
use autoneural_core::ir::{Constant, Op, ValueId, ops};

/// One operand after the other.
fn chained<'m>(making: &mut Making<'m>, told: &Told<'m>, name: &str, op: &Op) -> Result<ValueId, String> {
    let mut made = making.input(told, 0)?;
    let last = told.node.inputs.len() - 1;
    for at in 1..=last {
        let next = making.input(told, at)?;
        made = match at == last {
            true => making.last(name, op.clone(), &[made, next])?,
            false => making.step(format!("{name}.to{at}"), op.clone(), &[made, next])?,
        };
    }
    Ok(made)
}

pub fn sum<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&[], 8)?;
    match told.onnx.inputs.len() {
        0 | 1 => super::casts::identity(making, told),
        _ => Ok(Some(vec![Known::Value(chained(making, told, told.name(), &ops::Add.into())?)])),
    }
}

pub fn mean<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    told.onnx.expect(&[], 8)?;
    let count = told.onnx.inputs.len();
    if count < 2 {
        return super::casts::identity(making, told);
    }
    let name = making.fresh(format!("{}.sum", told.name()));
    let sum = chained(making, told, &name, &ops::Add.into())?;
    let share = making.numbers(format!("{}.share", told.name()), vec![1.0 / count as f32], vec![1])?;
    Ok(Some(vec![Known::Value(making.last(told.name(), ops::Mul, &[sum, share])?)]))
}

/// `Max` and `Min` of another number of operands than two.
pub fn folded<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let count = told.onnx.inputs.len();
    match count {
        2 => Ok(None),
        0 | 1 => super::casts::identity(making, told),
        _ => {
            let kind = OpKind::of_onnx(&told.onnx.op_type).ok_or("is not supported")?;
            let mut two = told.onnx.clone();
            two.inputs.truncate(2);
            let op = (kind.from_onnx)(&two)?.operator;
            Ok(Some(vec![Known::Value(chained(making, told, told.name(), &op)?)]))
        }
    }
}

/// A choice by a constant: of the one, of the other, or element by element by factors of 0 and 1.
pub fn choose<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let Some(condition) = told.constant(0) else { return truths::choose(making, told) };
    let truths = condition.to_i64();
    let (yes, no) = (told.shape(1)?, told.shape(2)?);
    let shape = crate::onnx::fold::broadcast(condition.shape(), &crate::onnx::fold::broadcast(yes, no)?)?;
    for (at, truth) in [(1, 1), (2, 0)] {
        if truths.iter().all(|&value| (value != 0) == (truth != 0)) && *told.shape(at)? == shape {
            let known = making.known(&told.node.inputs[at]).cloned();
            return Ok(Some(vec![known.ok_or("reads what is not made")?]));
        }
    }
    // Something that is computed, or a number.
    let (computed, number, keep) = match (told.number(1), told.number(2)) {
        (None, Some(number)) if told.onnx.input(1)?.element.is_real() => (1, number, 1),
        (Some(number), None) if told.onnx.input(2)?.element.is_real() => (2, number, 0),
        _ => return truths::choose(making, told),
    };
    let keeps: Vec<bool> = truths.iter().map(|&value| i64::from(value != 0) == keep).collect();
    let name = told.name();
    let of = |yes: f32, no: f32| keeps.iter().map(|&keep| if keep { yes } else { no }).collect::<Vec<f32>>();
    let x = making.input(told, computed)?;
    if number <= IS_HIDDEN {
        let mask = making
            .constant(format!("{name}.mask"), Constant::from_values(of(0.0, HIDDEN), condition.shape().clone()))?;
        return Ok(Some(vec![Known::Value(making.last(name, ops::Add, &[x, mask])?)]));
    }
    let factors =
        making.constant(format!("{name}.factors"), Constant::from_values(of(1.0, 0.0), condition.shape().clone()))?;
    if number == 0.0 {
        return Ok(Some(vec![Known::Value(making.last(name, ops::Mul, &[x, factors])?)]));
    }
    let kept = making.step(format!("{name}.kept"), ops::Mul, &[x, factors])?;
    let rest =
        making.constant(format!("{name}.rest"), Constant::from_values(of(0.0, number), condition.shape().clone()))?;
    Ok(Some(vec![Known::Value(making.last(name, ops::Add, &[kept, rest])?)]))
}
