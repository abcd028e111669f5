//! Values whose integers are those of the activation behind them: what they have beyond is cut off by both, and is no
//! error of the operator that makes them.

use std::collections::{HashMap, HashSet};

use super::net::Net;
use super::units::{Encodings, Unit, constants, dequantizes};
use autoneural_base::error::Result;
use autoneural_core::quantize::left;
use autoneural_engines::back::onnx::pb::NodeProto;
use autoneural_engines::back::qnn::Runtime;
use autoneural_engines::engine::Array;

/// The ranges that values are cut to where they are made, by the names of the borders.
pub(crate) struct Cuts(HashMap<String, [f32; 2]>);

impl Cuts {
    /// Finds them in a quantized model.
    ///
    /// # Errors
    /// Limits of a Clip that are not where the file says.
    pub(crate) fn of(net: &Net, units: &[Unit], encodings: &Encodings, runtime: &Runtime) -> Result<Self> {
        let found: Vec<(String, usize)> = units.iter().filter_map(|unit| activation(net, unit, encodings)).collect();
        let inputs = found.iter().flat_map(|(_, at)| net.nodes[*at].input.iter().skip(1));
        let inputs: Vec<String> = inputs.filter(|name| net.is_constant(name)).cloned().collect();
        let known = constants(net, inputs, runtime)?;
        let of = |(border, at): (String, usize)| {
            let limits = limits(&net.nodes[at], &known)?;
            let made = units.iter().flat_map(|unit| &unit.makes).find(|made| made.border == border)?;
            Some((border, left(limits, &encodings.of_made(net, made)?.0)))
        };
        Ok(Cuts(found.into_iter().filter_map(of).collect()))
    }

    /// Cuts an array that stands for what a border has.
    pub(crate) fn apply(&self, border: &str, array: &mut Array) {
        if let (Some([low, high]), Some(mut values)) = (self.0.get(border), array.reals()) {
            values.iter_mut().for_each(|value| *value = value.max(*low).min(*high));
            *array = Array::f32(array.shape.clone(), values);
        }
    }
}

/// What a unit makes for an activation alone, in the integers behind that, with the node of the activation.
fn activation(net: &Net, unit: &Unit, encodings: &Encodings) -> Option<(String, usize)> {
    let [made] = unit.makes.as_slice() else { return None };
    let is_output = |name: &str| net.outputs.iter().any(|output| output == name);
    let only = |name: &str| match net.readers(name) {
        [one] if !is_output(name) => Some(*one),
        _ => None,
    };
    only(&made.value)?;
    let dequantizer = only(&made.border).filter(|&at| dequantizes(&net.nodes[at]))?;
    let cut = only(net.nodes[dequantizer].output.first()?)?;
    let own = encodings.of_made(net, made)?;
    let behind = net.nodes[cut].output.first()?;
    let quantizers: HashSet<usize> = net.readers(behind).iter().copied().collect();
    let is_same = |at: &usize| encodings.of(*at) == Some(&own.0);
    let is_joined = !unit.is_conversion && own.0 == own.1 && !quantizers.is_empty() && quantizers.iter().all(is_same);
    is_joined.then(|| (made.border.clone(), cut))
}

/// What an activation that only cuts leaves at most.
fn limits(node: &NodeProto, known: &HashMap<String, Array>) -> Option<[f32; 2]> {
    let given = |at: usize, name: &str| -> Option<f32> {
        let attribute = || node.attribute.iter().find(|one| one.name == name).map(|one| one.f);
        node.input.get(at).and_then(|input| known.get(input)?.reals()?.first().copied()).or_else(attribute)
    };
    match node.op_type.as_str() {
        "Relu" => Some([0.0, f32::INFINITY]),
        "Clip" => Some([given(1, "min").unwrap_or(f32::NEG_INFINITY), given(2, "max").unwrap_or(f32::INFINITY)]),
        _ => None,
    }
}
