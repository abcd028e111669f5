//! Every operator alone, on the float model's own values: in the quantized model, and in float on exactly the numbers
//! that the integers stand for. So a difference comes from the operator itself, and not from its inputs.
//!
//! The operators of a part stand beside each other in one model, with inputs of their own, so that it takes one
//! compilation and one run.

use std::collections::{BTreeMap, HashMap};

use super::bias;
use super::chain::span;
use super::net::Net;
use super::pair::Pairing;
use super::units::{Encodings, Unit, decode, encode};
use crate::verify::Sqnr;
use autoneural_base::error::{Kind, Result};
use autoneural_core::encoding::{Encoding, IntegerType};
use autoneural_engines::back::onnx::pb::{NodeProto, TensorProto};
use autoneural_engines::back::qnn::{Place, Runtime};
use autoneural_engines::engine::Array;

/// An encoding of an input that reaches less than this SQNR (dB) is replaced by a sound one.
const UNSOUND_DB: f64 = 30.0;
/// The sound encoding has to be better by this, in dB.
const BETTER_DB: f64 = 6.0;

/// What operators are run on.
pub(crate) struct Alone<'a> {
    /// The float model.
    pub float: &'a Net,
    /// The quantized model.
    pub quantized: &'a Net,
    /// Which values are which.
    pub pairing: &'a Pairing,
    /// Encodings of the quantized model.
    pub encodings: &'a Encodings,
    /// All values of the float model that have counterparts.
    pub values: &'a HashMap<String, Array>,
    /// ONNX Runtime.
    pub runtime: &'a Runtime,
}

/// An operator with the inputs that it gets.
pub(crate) struct Fed<'u> {
    /// The unit.
    pub unit: &'u Unit,
    /// What stands for it in float.
    pub region: Vec<usize>,
    inputs: Vec<Input>,
    /// The bias in steps of the sound encoding of the first input, where that took the place of the model's.
    bias: Option<[TensorProto; 2]>,
}

struct Input {
    border: String,
    dequantizer: Option<usize>,
    /// As the quantized operator gets it.
    given: Array,
    /// As the float operator gets it.
    real: Array,
    /// The encoding that takes the place of the model's.
    instead: Option<Encoding>,
}

impl<'a> Alone<'a> {
    /// The inputs of a unit, where all of them have counterparts and float nodes compute the same of them.
    ///
    /// # Errors
    /// Constants that are not where the file says.
    pub(crate) fn feed<'u>(&self, unit: &'u Unit) -> Result<Option<Fed<'u>>> {
        let Some((region, inputs)) = self.inputs(unit) else { return Ok(None) };
        let first = self.quantized.nodes[unit.node].input.first();
        let replaced = unit.reads.iter().zip(&inputs).find(|(read, _)| Some(&read.value) == first);
        let scale = replaced.and_then(|(_, input)| Some(input.instead.as_ref()?.scale[0]));
        let bias = match scale {
            Some(scale) => bias::rescaled(self.quantized, &self.quantized.nodes[unit.node], scale, self.runtime)?,
            None => None,
        };
        Ok(Some(Fed { unit, region, inputs, bias }))
    }

    fn inputs(&self, unit: &Unit) -> Option<(Vec<usize>, Vec<Input>)> {
        let region = self.pairing.region(self.float, unit)?;
        let mut inputs = Vec::new();
        for read in &unit.reads {
            let value = self.values.get(self.pairing.get(&read.border)?)?;
            let input = match read.dequantizer {
                None => Input {
                    border: read.border.clone(),
                    dequantizer: None,
                    given: value.clone(),
                    real: value.clone(),
                    instead: None,
                },
                Some(at) => {
                    let own = self.encodings.of(at)?;
                    let reals = value.reals()?;
                    let instead = sound(&reals, &value.shape, own);
                    let used = instead.as_ref().unwrap_or(own);
                    let given = encode(&reals, &value.shape, used);
                    let real = Array::f32(value.shape.clone(), decode(&given, used)?);
                    Input { border: read.border.clone(), dequantizer: Some(at), given, real, instead }
                }
            };
            inputs.push(input);
        }
        Some((region, inputs))
    }

    /// What these make in float, by the names of the quantized model's borders.
    ///
    /// # Errors
    /// The engine does not run it.
    pub(crate) fn in_float(&self, fed: &[Fed]) -> Result<HashMap<String, Array>> {
        let (mut nodes, mut inputs, mut outputs, mut names) = (vec![], vec![], vec![], vec![]);
        for (place, one) in fed.iter().enumerate() {
            let own = |name: &str| format!("{place}/{name}");
            let given: HashMap<&str, &Array> =
                (one.inputs.iter()).filter_map(|input| Some((self.pairing.get(&input.border)?, &input.real))).collect();
            let made: Vec<&String> = one.region.iter().flat_map(|&at| &self.float.nodes[at].output).collect();
            for &at in &one.region {
                let mut node = self.float.nodes[at].clone();
                node.name = own(&node.name);
                for name in node.input.iter_mut().chain(&mut node.output) {
                    if !name.is_empty()
                        && (given.contains_key(name.as_str()) || made.iter().any(|one| one.as_str() == name.as_str()))
                    {
                        *name = own(name);
                    }
                }
                nodes.push(node);
            }
            let outside = given.into_iter().filter(|(name, _)| !made.iter().any(|one| one.as_str() == *name));
            inputs.extend(outside.map(|(name, array)| (own(name), array)));
            for made in &one.unit.makes {
                if let Some(name) = self.pairing.get(&made.border) {
                    outputs.push(own(name));
                    names.push(made.border.clone());
                }
            }
        }
        if nodes.is_empty() {
            return Ok(HashMap::new());
        }
        let model = self.float.model(nodes, vec![], &inputs, &outputs)?;
        let place = self.float.path.display().to_string();
        let arrays = self.runtime.run_model(&place, (&model, Place::Cpu), &inputs, &outputs)?;
        Ok(names.into_iter().zip(arrays).collect())
    }

    /// What these make in the quantized model on an engine, by the names of borders. What the engine refuses is
    /// missing, and noted in `refused`.
    ///
    /// # Errors
    /// The CPU does not run it.
    pub(crate) fn quantized(
        &self,
        place: Place,
        fed: &[&Fed],
        refused: &mut BTreeMap<String, String>,
    ) -> Result<HashMap<String, Array>> {
        let units: Vec<&Unit> = fed.iter().map(|one| one.unit).collect();
        let (mut nodes, mut more, mut inputs, mut outputs) = (vec![], vec![], vec![], vec![]);
        for (at, one) in fed.iter().enumerate() {
            self.add(at, one, &mut nodes, &mut more, &mut inputs);
            for made in &one.unit.makes {
                let quantizer = made.quantizers.first().map(|&at| self.quantized.nodes[at].clone());
                nodes.extend(quantizer);
                outputs.push(made.border.clone());
            }
        }
        if nodes.is_empty() {
            return Ok(HashMap::new());
        }
        let model = self.quantized.model(nodes, more, &inputs, &outputs)?;
        let name = format!("{}: {}", self.quantized.path.display(), span(&units));
        match (self.runtime.run_model(&name, (&model, place), &inputs, &outputs), place, fed) {
            (Ok(arrays), ..) => Ok(outputs.into_iter().zip(arrays).collect()),
            (Err(error), Place::Npu(_), fed) if error.kind == Kind::Toolkit => match fed {
                [one] => {
                    refused.entry(one.unit.name.clone()).or_insert(error.message);
                    Ok(HashMap::new())
                }
                _ => {
                    let (first, second) = fed.split_at(fed.len() / 2);
                    let mut made = self.quantized(place, first, refused)?;
                    made.extend(self.quantized(place, second, refused)?);
                    Ok(made)
                }
            },
            (Err(error), ..) => Err(error),
        }
    }

    /// The conversions and the operator of a unit, whose inputs have names of their own.
    fn add<'f>(
        &self,
        at: usize,
        fed: &'f Fed,
        nodes: &mut Vec<NodeProto>,
        more: &mut Vec<TensorProto>,
        inputs: &mut Vec<(String, &'f Array)>,
    ) {
        let mut node = self.quantized.nodes[fed.unit.node].clone();
        for (read, input) in fed.unit.reads.iter().zip(&fed.inputs) {
            let border = format!("{at}/{}", input.border);
            let value = match input.dequantizer {
                None => border.clone(),
                Some(from) => {
                    let value = format!("{at}/{}/float", input.border);
                    let mut one = self.quantized.nodes[from].clone();
                    one.name = format!("{value}/node");
                    (one.input[0], one.output[0]) = (border.clone(), value.clone());
                    if let Some(encoding) = &input.instead {
                        let [scale, zero_point] = parameters(&value, encoding);
                        one.input.truncate(1);
                        one.input.extend([scale.name.clone(), zero_point.name.clone()]);
                        more.extend([scale, zero_point]);
                    }
                    nodes.push(one);
                    value
                }
            };
            node.input.iter_mut().filter(|name| **name == read.value).for_each(|name| name.clone_from(&value));
            if !inputs.iter().any(|(name, _)| *name == border) {
                inputs.push((border, &input.given));
            }
        }
        if let Some([codes, scales]) = &fed.bias {
            let value = format!("{at}/bias");
            let rename = |tensor: &TensorProto| TensorProto { name: format!("{at}/{}", tensor.name), ..tensor.clone() };
            let [codes, scales] = [codes, scales].map(rename);
            nodes.push(bias::dequantizer(&value, &codes, &scales));
            node.input[bias::INPUT].clone_from(&value);
            more.extend([codes, scales]);
        }
        nodes.push(node);
        nodes.extend(fed.unit.activation.map(|at| self.quantized.nodes[at].clone()));
    }
}

/// A sound encoding in place of one that loses too much of these numbers.
fn sound(values: &[f32], shape: &[usize], own: &Encoding) -> Option<Encoding> {
    let of = |encoding: &Encoding| Sqnr::of(values, &encoding.through(values, shape)).unwrap_or_default();
    if own.integer == IntegerType::Int32 {
        return None;
    }
    let found = of(own);
    let [low, high] = crate::verify::range(values);
    let fresh = Encoding::of_range(own.integer, low, high);
    (found < UNSOUND_DB && of(&fresh) > found + BETTER_DB).then_some(fresh)
}

/// Scale and zero point as constants of a model.
pub(crate) fn parameters(name: &str, encoding: &Encoding) -> [TensorProto; 2] {
    let (kind, bytes) = (encode(&[], &[0], encoding).elements.data_type(), encoding.integer.bits() as usize / 8);
    let zero_point = encoding.zero_point[0].to_le_bytes()[..bytes].to_vec();
    let constant = |what: &str, data_type: i32, raw_data: Vec<u8>| TensorProto {
        name: format!("{name}/{what}"),
        data_type,
        raw_data,
        ..TensorProto::default()
    };
    [constant("scale", 1, encoding.scale[0].to_le_bytes().to_vec()), constant("zero_point", kind, zero_point)]
}
