//! The units of a quantized model: each operator with the DequantizeLinear before and the QuantizeLinear behind it,
//! so that what passes from unit to unit are integers.

use std::collections::{HashMap, HashSet};

use super::net::{Net, label};
use autoneural_base::error::Result;
use autoneural_core::encoding::{Encoding, IntegerType};
use autoneural_engines::back::onnx::pb::NodeProto;
use autoneural_engines::back::qnn::{Place, Runtime};
use autoneural_engines::engine::{Array, Elements};

/// What a unit reads.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    /// The value that the operator reads.
    pub value: String,
    /// What comes from another unit: the integers behind `value`, or the value itself.
    pub border: String,
    /// The DequantizeLinear between the two.
    pub dequantizer: Option<usize>,
}

/// What a unit makes.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// The value that the operator makes.
    pub value: String,
    /// What others read: its integers, or the value itself.
    pub border: String,
    /// The QuantizeLinear that makes them; several where readers want different ones.
    pub quantizers: Vec<usize>,
    /// Names that the value has on the way: as the operator makes it, as integers, as float again.
    pub names: Vec<String>,
    /// Whether it is read as it is, too.
    pub is_read_as_is: bool,
}

/// An operator with its conversions, or a conversion that stands alone.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    /// Name of the node.
    pub name: String,
    /// The operator.
    pub op: String,
    /// The node.
    pub node: usize,
    /// The activation behind it that makes one operator with it: quantizers leave out the integers between the two.
    pub activation: Option<usize>,
    /// Whether the node is itself a QuantizeLinear: of an input, or to another encoding.
    pub is_conversion: bool,
    /// What it reads that follows from the inputs.
    pub reads: Vec<Read>,
    /// What it makes.
    pub makes: Vec<Made>,
}

impl Unit {
    /// The node and its activation.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.node).chain(self.activation)
    }
}

/// Whether a node makes integers.
pub(crate) fn quantizes(node: &NodeProto) -> bool {
    node.op_type == "QuantizeLinear"
}

/// Whether a node makes float of integers.
pub(crate) fn dequantizes(node: &NodeProto) -> bool {
    node.op_type == "DequantizeLinear"
}

/// The units of a model, in order.
pub(crate) fn units(net: &Net) -> Vec<Unit> {
    let live = (0..net.nodes.len()).filter(|&at| net.is_live(at) && !dequantizes(&net.nodes[at]));
    let live: Vec<usize> = live.collect();
    let activations: HashMap<usize, usize> = live.iter().filter_map(|&at| Some((at, activation(net, at)?))).collect();
    let joined: HashSet<usize> = activations.values().copied().collect();
    live.into_iter()
        .filter(|at| !joined.contains(at))
        .filter_map(|at| {
            let node = &net.nodes[at];
            let activation = activations.get(&at).copied();
            let is_conversion = quantizes(node);
            if is_conversion && is_of_operator(net, &node.input[0]) {
                return None;
            }
            let mut reads: Vec<Read> = Vec::new();
            for value in net.live_inputs(at) {
                if !reads.iter().any(|read| read.value == *value) {
                    reads.push(read(net, value));
                }
            }
            let last = activation.map_or(node, |at| &net.nodes[at]);
            let outputs = last.output.iter().filter(|name| !name.is_empty());
            let makes = match is_conversion {
                true => vec![Made {
                    value: node.output[0].clone(),
                    border: node.output[0].clone(),
                    quantizers: vec![at],
                    names: names(net, &node.output[0]),
                    is_read_as_is: false,
                }],
                false => outputs.map(|value| made(net, value)).collect(),
            };
            let name = label(node).to_string();
            Some(Unit { name, op: node.op_type.clone(), node: at, activation, is_conversion, reads, makes })
        })
        .collect()
}

/// Operators that cut what comes in, so that integers before them tell nothing more than those behind.
const CUTS: [&str; 2] = ["Relu", "Clip"];

/// The activation behind a node that computes on integers: where it alone reads what the node makes, and integers are
/// made of it only behind the activation. The NPU's compiler joins the two.
fn activation(net: &Net, at: usize) -> Option<usize> {
    let node = &net.nodes[at];
    let [value] = node.output.as_slice() else { return None };
    let [next] = net.readers(value) else { return None };
    let is_border = |name: &String| net.outputs.contains(name);
    let of_integers = |name: &String| net.maker(name).is_some_and(|at| dequantizes(&net.nodes[at]));
    let cut = &net.nodes[*next];
    let is_cut = CUTS.contains(&cut.op_type.as_str()) && cut.input.first() == Some(value) && !is_border(value);
    let made = cut.output.first().filter(|_| is_cut && net.live_inputs(*next).count() == 1)?;
    let is_quantized = net.readers(made).iter().any(|&at| quantizes(&net.nodes[at]));
    let is_operator = !quantizes(node) && !CUTS.contains(&node.op_type.as_str());
    (is_operator && is_quantized && net.live_inputs(at).any(of_integers)).then_some(*next)
}

/// Whether a value is made by an operator, and by no conversion.
fn is_of_operator(net: &Net, value: &str) -> bool {
    net.maker(value).is_some_and(|at| !dequantizes(&net.nodes[at]) && !quantizes(&net.nodes[at]))
}

fn read(net: &Net, value: &str) -> Read {
    let dequantizer = net.maker(value).filter(|&at| dequantizes(&net.nodes[at]));
    let border = dequantizer.map_or(value, |at| &net.nodes[at].input[0]);
    Read { value: value.to_string(), border: border.to_string(), dequantizer }
}

fn made(net: &Net, value: &str) -> Made {
    let (quantizers, others): (Vec<usize>, Vec<usize>) = net
        .readers(value)
        .iter()
        .copied()
        .partition(|&at| quantizes(&net.nodes[at]) && net.nodes[at].input[0] == value);
    let border = quantizers.first().map_or(value, |&at| &net.nodes[at].output[0]).to_string();
    let mut all = vec![value.to_string()];
    quantizers.iter().for_each(|&at| all.extend(names(net, &net.nodes[at].output[0])));
    let is_read_as_is = quantizers.is_empty() || !others.is_empty() || net.outputs.iter().any(|name| name == value);
    Made { value: value.to_string(), border, quantizers, names: all, is_read_as_is }
}

/// The names of integers, and of the float that is made of them.
fn names(net: &Net, codes: &str) -> Vec<String> {
    let readers = net.readers(codes).iter().filter(|&&at| dequantizes(&net.nodes[at]));
    std::iter::once(codes.to_string()).chain(readers.map(|&at| net.nodes[at].output[0].clone())).collect()
}

/// The encodings of live conversions that have one scale, by node.
pub(crate) struct Encodings(HashMap<usize, Encoding>);

impl Encodings {
    /// Reads them from a model.
    ///
    /// # Errors
    /// Constants that are not where the file says.
    pub(crate) fn read(net: &Net, runtime: &Runtime) -> Result<Self> {
        let live = |at: &usize| net.is_live(*at) && (quantizes(&net.nodes[*at]) || dequantizes(&net.nodes[*at]));
        let nodes: Vec<usize> = (0..net.nodes.len()).filter(live).collect();
        let mut names: Vec<String> = nodes.iter().flat_map(|&at| net.nodes[at].input.iter().skip(1).cloned()).collect();
        names.retain(|name| net.is_constant(name));
        let known = constants(net, names, runtime)?;
        let of = |&at: &usize| Some((at, encoding(&net.nodes[at], &known)?));
        Ok(Encodings(nodes.iter().filter_map(of).collect()))
    }

    /// The encoding of a node.
    pub(crate) fn of(&self, node: usize) -> Option<&Encoding> {
        self.0.get(&node)
    }

    /// How the codes of what a unit makes come about, and how its readers take them.
    pub(crate) fn of_made(&self, net: &Net, made: &Made) -> Option<(Encoding, Encoding)> {
        let written = self.of(*made.quantizers.first()?)?;
        let reader = net.readers(&made.border).iter().find(|&&at| dequantizes(&net.nodes[at]));
        Some((written.clone(), reader.and_then(|&at| self.of(at)).unwrap_or(written).clone()))
    }
}

/// Constants of a model by name.
///
/// # Errors
/// Constants that are not where the file says, or that the engine does not compute.
pub(crate) fn constants(net: &Net, mut names: Vec<String>, runtime: &Runtime) -> Result<HashMap<String, Array>> {
    names.sort();
    names.dedup();
    names.retain(|name| !name.is_empty());
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let copy = |name: &String| format!("{name}/copied");
    let nodes = names.iter().map(|name| NodeProto {
        op_type: "Identity".into(),
        input: vec![name.clone()],
        output: vec![copy(name)],
        ..NodeProto::default()
    });
    let outputs: Vec<String> = names.iter().map(copy).collect();
    let model = net.model(nodes.collect(), vec![], &[], &outputs)?;
    let place = net.path.display().to_string();
    let made = runtime.run_model(&place, (&model, Place::Cpu), &[], &outputs)?;
    Ok(names.into_iter().zip(made).collect())
}

fn encoding(node: &NodeProto, known: &HashMap<String, Array>) -> Option<Encoding> {
    let scale = known.get(node.input.get(1)?)?.reals()?;
    let (integer, zero_point) = match node.input.get(2).and_then(|name| known.get(name)) {
        Some(array) => {
            let integer = match array.elements {
                Elements::Uint8(_) => IntegerType::Uint8,
                Elements::Int8(_) => IntegerType::Int8,
                Elements::Uint16(_) => IntegerType::Uint16,
                Elements::Int16(_) => IntegerType::Int16,
                Elements::Int32(_) => IntegerType::Int32,
                _ => return None,
            };
            (integer, array.codes()?)
        }
        None => (IntegerType::Uint8, vec![0]),
    };
    let ([scale], [zero_point]) = (scale.as_slice(), zero_point.as_slice()) else { return None };
    let is_sound = scale.is_finite() && *scale > 0.0;
    is_sound.then(|| Encoding {
        integer,
        scale: vec![*scale],
        zero_point: vec![i64::from(*zero_point)],
        axis: None,
        block: None,
    })
}

/// The integers of real numbers, as an array.
pub(crate) fn encode(values: &[f32], shape: &[usize], encoding: &Encoding) -> Array {
    let codes = encoding.quantize(values, shape);
    let elements = match encoding.integer {
        IntegerType::Uint8 => Elements::Uint8(codes.into_iter().map(|code| code as u8).collect()),
        IntegerType::Int8 | IntegerType::Int4 => Elements::Int8(codes.into_iter().map(|code| code as i8).collect()),
        IntegerType::Uint16 => Elements::Uint16(codes.into_iter().map(|code| code as u16).collect()),
        IntegerType::Int16 => Elements::Int16(codes.into_iter().map(|code| code as i16).collect()),
        IntegerType::Int32 => Elements::Int32(codes),
    };
    Array { shape: shape.to_vec(), elements }
}

/// The real numbers that an array of integers stands for; `None` if it holds no integers.
pub(crate) fn decode(array: &Array, encoding: &Encoding) -> Option<Vec<f32>> {
    Some(encoding.dequantize(&array.codes()?, &array.shape))
}
