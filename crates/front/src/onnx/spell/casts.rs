//! What leaves values as they are: identity, dropout when a model is not trained, casts between real numbers.

use super::spelled::Spelled;
use super::{rests, truths};
use crate::onnx::fold;
use crate::onnx::making::{Known, Making, Told};
use crate::onnx::tensors::element_type;
use crate::onnx::unsupported::TRAINS;
use autoneural_core::ir::ops::OnnxForm;
use autoneural_core::ir::{Constant, ElementType};

/// The input itself.
fn same(making: &mut Making, told: &Told) -> Result<Known, String> {
    let name = told.node.inputs.first().ok_or("has no input")?;
    making.known(name).cloned().ok_or_else(|| format!("reads `{name}`, which is not made"))
}

pub fn identity(making: &mut Making, told: &Told) -> Spelled {
    // A change of encoding, which the IR has an operator for.
    let requantizes = making.is_own() && told.node.op_type == "Identity" && told.constant(0).is_none();
    if requantizes && told.onnx.input(0)?.element.is_real() {
        return Ok(None);
    }
    Ok(Some(vec![same(making, told)?]))
}

/// Whatever its ratio is, it does nothing when a model is not trained. A mask that is asked for is all true.
pub fn dropout(making: &mut Making, told: &Told) -> Spelled {
    if told.onnx.has(2) && told.constant(2).is_none_or(|mode| mode.to_i64() != [0]) {
        return Err(TRAINS.into());
    }
    let mut made = vec![same(making, told)?];
    if told.onnx.outputs > 1 {
        let truth = Constant::from_integers(ElementType::Bool, vec![1], vec![1]);
        let shape: Vec<i64> = told.shape(0)?.iter().map(|&size| size as i64).collect();
        made.push(Known::Constant(fold::filled(&shape, &truth)?));
    }
    Ok(Some(made))
}

pub fn cast<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let to = told.onnx.int("to", 0)?;
    let element = i32::try_from(to)
        .ok()
        .and_then(element_type)
        .ok_or_else(|| format!("casts to the type {to} (ONNX TensorProto.DataType), which is not supported"))?;
    if let Some((low, high)) = range(to) {
        let is_within = match told.constant(0) {
            Some(constant) => {
                let numbers = fold::cast(constant, ElementType::I64).to_i64();
                numbers.into_iter().all(|number| (low..=high).contains(&number))
            }
            None if told.onnx.input(0)?.element.is_real() => {
                let x = making.input(told, 0)?;
                making.is_truth(x)
            }
            None => true,
        };
        if !is_within {
            return Err(format!("casts to a type of {low} to {high} what may be beyond; INT32 and INT64 are read"));
        }
    }
    to_element(making, told, element)
}

/// The integers of a type of fewer than 32 bits, by its number in ONNX.
fn range(data_type: i64) -> Option<(i64, i64)> {
    Some(match data_type {
        2 => (0, 0xff),
        3 => (-0x80, 0x7f),
        4 => (0, 0xffff),
        5 => (-0x8000, 0x7fff),
        21 => (0, 0xf),
        22 => (-8, 7),
        _ => return None,
    })
}

pub fn cast_like<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    let (from, to) = (told.onnx.input(0)?.element, told.onnx.input(1)?.element);
    if from.is_real() && !to.is_real() && to != ElementType::Bool {
        return Err("makes integers like those of another value of real numbers; Cast does".into());
    }
    to_element(making, told, to)
}

fn to_element<'m>(making: &mut Making<'m>, told: &Told<'m>, element: ElementType) -> Spelled {
    if let Some(constant) = told.constant(0) {
        return Ok(Some(vec![Known::Constant(fold::cast(constant, element))]));
    }
    let from = told.onnx.input(0)?.element;
    let is_index = |element| matches!(element, ElementType::I32 | ElementType::I64);
    if element == ElementType::Bool && (from.is_real() || is_index(from)) {
        return truths::of_number(making, told);
    }
    // Integers of an operator that makes real numbers here: what this program wrote comes back as it was.
    if making.is_own() && from.is_real() && element.is_real() {
        let x = making.input(told, 0)?;
        if making.b.graph().value(x).name == format!("{}{}", told.name(), OnnxForm::INTEGERS)
            && making.b.rename(x, told.name())
        {
            return Ok(Some(vec![Known::Value(x)]));
        }
    }
    if from.is_real() && !element.is_real() {
        let x = making.input(told, 0)?;
        return match making.is_whole(x) {
            true => identity(making, told),
            false => rests::truncated(making, told),
        };
    }
    if is_index(from) && element.is_real() {
        return Ok(Some(vec![Known::Value(truths::number(making, told, 0)?)]));
    }
    // Real numbers have one type in the IR, and indices of both sizes are read alike.
    match from == element || (is_index(from) && is_index(element)) {
        true => identity(making, told),
        false => Err(format!("casts computed elements from {} to {}", from.name(), element.name())),
    }
}
