//! The bias of an operator whose input gets another encoding: its steps are those of the input times those of the
//! weights, and the NPU takes them to be so.

use super::net::Net;
use super::units::{constants, dequantizes};
use autoneural_base::error::Result;
use autoneural_engines::back::onnx::pb::{AttributeProto, NodeProto, TensorProto};
use autoneural_engines::back::qnn::Runtime;
use autoneural_engines::engine::{Array, Elements};

/// The place of a bias among the inputs of an operator.
pub(crate) const INPUT: usize = 2;
/// Numbers of ONNX types.
const FLOAT: i32 = 1;
const INT32: i32 = 6;

/// The bias of a node in steps of an input's scale times those of the weights: codes and scales. `None` if it has no bias
/// of int32, or its weights no scales of their own.
///
/// # Errors
/// Constants that are not where the file says.
pub(crate) fn rescaled(net: &Net, node: &NodeProto, input: f32, runtime: &Runtime) -> Result<Option<[TensorProto; 2]>> {
    let maker = |at: usize| {
        let name = node.input.get(at).filter(|name| net.is_constant(name))?;
        net.maker(name).map(|at| &net.nodes[at]).filter(|node| dequantizes(node))
    };
    let (Some(weights), Some(bias)) = (maker(1), maker(INPUT)) else { return Ok(None) };
    let (Some(scale), Some(codes)) = (weights.input.get(1), bias.input.first()) else { return Ok(None) };
    let (value, scale, codes) = (bias.output[0].clone(), scale.clone(), codes.clone());
    let known = constants(net, vec![value.clone(), scale.clone(), codes.clone()], runtime)?;
    let is_int32 = matches!(known.get(&codes), Some(Array { elements: Elements::Int32(_), .. }));
    let reals = |name: &String| known.get(name).and_then(Array::reals);
    let (Some(values), Some(scales)) = (reals(&value).filter(|_| is_int32), reals(&scale)) else { return Ok(None) };
    let steps: Vec<f32> = scales.iter().map(|scale| scale * input).collect();
    let of = |at: usize| steps.get(at).or(steps.first().filter(|_| steps.len() == 1));
    let codes: Option<Vec<i32>> =
        values.iter().enumerate().map(|(at, value)| of(at).map(|step| (value / step).round() as i32)).collect();
    let Some(codes) = codes.filter(|_| steps.len() == 1 || steps.len() == values.len()) else { return Ok(None) };
    let tensor = |name: &str, data_type: i32, dims: Vec<i64>, raw_data: Vec<u8>| TensorProto {
        name: name.into(),
        data_type,
        dims,
        raw_data,
        ..TensorProto::default()
    };
    let count = |all: usize| if steps.len() == 1 && all == 1 { vec![] } else { vec![all as i64] };
    let codes = codes.iter().flat_map(|code| code.to_le_bytes()).collect();
    let shape = vec![values.len() as i64];
    let codes = tensor("bias/codes", INT32, shape, codes);
    let made = steps.iter().flat_map(|step| step.to_le_bytes()).collect();
    Ok(Some([codes, tensor("bias/scales", FLOAT, count(steps.len()), made)]))
}

/// The node that makes float of it.
pub(crate) fn dequantizer(value: &str, codes: &TensorProto, scales: &TensorProto) -> NodeProto {
    let axis = AttributeProto { name: "axis".into(), r#type: 2, i: 0, ..AttributeProto::default() };
    NodeProto {
        name: format!("{value}/node"),
        op_type: "DequantizeLinear".into(),
        input: vec![codes.name.clone(), scales.name.clone()],
        output: vec![value.to_string()],
        attribute: vec![axis],
        ..NodeProto::default()
    }
}
