//! One ONNX node per IR node, one arm per operator. Float and quantized models differ only in the names given here.

use tract_onnx::pb::{NodeProto, TensorProto};

use super::proto::{DataType, axis, float, int, ints, node, small_tensor, string};
use crate::error::{Error, Result};
use crate::ir::{GeluKind, Interpolation, Node, Op};

/// The ONNX node for an IR node, with the small integer tensors it needs.
///
/// # Errors
/// A composite operator: legalization was not run.
pub fn emit(
    ir: &Node,
    shapes: &[&[usize]],
    mut inputs: Vec<String>,
    outputs: Vec<String>,
) -> Result<(NodeProto, Vec<TensorProto>)> {
    let mut extra = Vec::new();
    let rank = shapes[0].len();
    let mut integers = |what: &str, values: &[usize]| -> String {
        let name = format!("{}/{what}", ir.name);
        let bytes = values.iter().flat_map(|&value| (value as i64).to_le_bytes()).collect();
        extra.push(small_tensor(&name, DataType::INT64, &[values.len()], bytes));
        name
    };
    let attributes = match &ir.op {
        Op::Conv { strides, pads, groups } => {
            let kernel = &shapes[1][2..];
            vec![ints("kernel_shape", kernel), ints("strides", strides), ints("pads", pads), int("group", *groups)]
        }
        Op::RmsNorm { axis: a, epsilon } => vec![axis(*a, rank), float("epsilon", *epsilon)],
        Op::LayerNorm { epsilon } => vec![axis(rank - 1, rank), float("epsilon", *epsilon)],
        Op::Gelu { kind: GeluKind::Erf } => vec![string("approximate", "none")],
        Op::Gelu { kind: GeluKind::Tanh } => vec![string("approximate", "tanh")],
        Op::Softmax { axis: a } | Op::Concat { axis: a } | Op::Gather { axis: a } => vec![axis(*a, rank)],
        Op::Reshape { shape } => {
            inputs.push(integers("shape", shape));
            vec![]
        }
        Op::Transpose { perm } => vec![ints("perm", perm)],
        Op::Split { axis: a, parts } => vec![axis(*a, rank), int("num_outputs", *parts)],
        Op::Slice { axis: a, start, end } => {
            inputs.push(integers("starts", &[*start]));
            inputs.push(integers("ends", &[*end]));
            inputs.push(integers("axes", &[*a]));
            vec![]
        }
        Op::AveragePool { kernel, strides } => vec![ints("kernel_shape", kernel), ints("strides", strides)],
        Op::Resize { interpolation, size } => {
            inputs.extend([String::new(), String::new()]);
            inputs.push(integers("sizes", &[shapes[0][0], shapes[0][1], size[0], size[1]]));
            match interpolation {
                Interpolation::Nearest => vec![
                    string("mode", "nearest"),
                    string("coordinate_transformation_mode", "asymmetric"),
                    string("nearest_mode", "floor"),
                ],
                Interpolation::Linear => {
                    vec![string("mode", "linear"), string("coordinate_transformation_mode", "half_pixel")]
                }
            }
        }
        Op::MatMul | Op::Add | Op::Mul | Op::Neg | Op::Sigmoid | Op::Requantize => vec![],
        Op::Silu | Op::Attention { .. } | Op::Rope => {
            return Err(Error::internal(&ir.name, format!("{} was not legalized", ir.op.name())));
        }
    };
    let name = if ir.op == Op::Requantize { "Identity" } else { ir.op.name() };
    Ok((node(name, &ir.name, inputs, outputs, attributes), extra))
}
