//! What leaves values as they are: identity, dropout when a model is not trained, casts between real numbers.

use super::spelled::Spelled;
use crate::onnx::fold;
use crate::onnx::making::{Known, Making, Told};
use crate::onnx::tensors::element_type;
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
        return Err("is in training mode; export the model for inference".into());
    }
    let mut made = vec![same(making, told)?];
    if told.onnx.outputs > 1 {
        let truth = Constant::from_integers(ElementType::Bool, vec![1], vec![1]);
        let shape: Vec<i64> = told.shape(0)?.iter().map(|&size| size as i64).collect();
        made.push(Known::Constant(fold::filled(&shape, &truth)?));
    }
    Ok(Some(made))
}

pub fn cast(making: &mut Making, told: &Told) -> Spelled {
    let to = told.onnx.int("to", 0)?;
    let element = i32::try_from(to)
        .ok()
        .and_then(element_type)
        .ok_or_else(|| format!("casts to the type {to} (ONNX TensorProto.DataType), which is not supported"))?;
    to_element(making, told, element)
}

pub fn cast_like(making: &mut Making, told: &Told) -> Spelled {
    to_element(making, told, told.onnx.input(1)?.element)
}

fn to_element(making: &mut Making, told: &Told, element: ElementType) -> Spelled {
    if let Some(constant) = told.constant(0) {
        return Ok(Some(vec![Known::Constant(fold::cast(constant, element))]));
    }
    let from = told.onnx.input(0)?.element;
    let is_index = |element| matches!(element, ElementType::I32 | ElementType::I64);
    // Real numbers have one type in the IR, and indices of both sizes are read alike.
    match from == element || (is_index(from) && is_index(element)) {
        true => identity(making, told),
        false => Err(format!("casts computed elements from {} to {}", from.name(), element.name())),
    }
}
