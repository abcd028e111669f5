//! One ONNX node per IR node, in the form that its operator gives; two where ONNX makes integers of what is real here.
//! Float and quantized models differ only in the names given here.

use autoneural_onnx::{NodeProto, TensorProto};

use super::proto::{DataType, attribute, int, node, small_tensor};
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::ops::{Extra, OnnxForm};
use autoneural_core::ir::{Node, Shape};

/// The ONNX nodes for an IR node, with the small tensors they need. The last one makes the outputs.
///
/// # Errors
/// A composite operator: legalization was not run.
pub(crate) fn emit(
    ir: &Node,
    shapes: &[&Shape],
    mut inputs: Vec<String>,
    outputs: Vec<String>,
) -> Result<(Vec<NodeProto>, Vec<TensorProto>)> {
    let Some(form) = ir.op.to_onnx(shapes) else {
        return Err(Error::internal(&ir.name, format!("{} was not legalized", ir.op.name())));
    };
    let mut tensors = Vec::new();
    for extra in form.extra {
        match extra {
            Extra::Absent => inputs.push(String::new()),
            Extra::Real(what, value) => {
                let name = format!("{}/{what}", ir.name);
                tensors.push(small_tensor(&name, DataType::FLOAT, &[], value.to_le_bytes().to_vec()));
                inputs.push(name);
            }
            Extra::Integers(what, values) => {
                let name = format!("{}/{what}", ir.name);
                let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                tensors.push(small_tensor(&name, DataType::INT64, &[values.len()], bytes));
                inputs.push(name);
            }
        }
    }
    let attributes = form.attributes.iter().map(|(name, value)| attribute(name, value)).collect();
    if !form.is_of_integers {
        return Ok((vec![node(form.op_type, &ir.name, inputs, outputs, attributes)], tensors));
    }
    let integers = format!("{}{}", ir.name, OnnxForm::INTEGERS);
    let made = node(form.op_type, &integers, inputs, vec![integers.clone()], attributes);
    let to = int("to", DataType::FLOAT.0 as usize);
    Ok((vec![made, node("Cast", &ir.name, vec![integers], outputs, vec![to])], tensors))
}
