//! QuantizeLinear and DequantizeLinear come off a quantized model (QDQ), so that the float graph remains. What they say
//! of values and constants is kept beside it: a constant in integers becomes the real numbers that they stand for, and
//! its encoding gives exactly these integers again.

use std::collections::{HashMap, HashSet};

use super::model::{Given, Model, Node, is_standard};
use autoneural_base::error::{Error, Result};
use autoneural_base::text::listed;
use autoneural_core::encoding::{Encoding, IntegerType};
use autoneural_core::ir::Constant;
use autoneural_core::ir::ops::Attribute;
use autoneural_core::quantize::Stated;

/// What came off a model.
#[derive(Debug, Default)]
pub struct Taken {
    /// What it says of values and constants.
    pub stated: Stated,
    /// What was changed or could not be kept, in sentences.
    pub said: Vec<String>,
}

impl Taken {
    fn add(&mut self, is_param: bool, name: &str, encoding: Encoding) {
        let map = if is_param { &mut self.stated.params } else { &mut self.stated.activations };
        match map.get(name) {
            Some(known) if *known != encoding => {
                let message = format!("`{name}` is quantized twice, in different ways; the first one counts");
                if !self.said.contains(&message) {
                    self.said.push(message);
                }
            }
            Some(_) => {}
            None => {
                map.insert(name.to_string(), encoding);
            }
        }
    }

    fn rename(&mut self, from: &str, to: &str) {
        if let Some(encoding) = self.stated.activations.remove(from) {
            self.stated.activations.insert(to.to_string(), encoding);
        }
    }
}

/// Takes the pairs off a model. What does not stand in pairs stays, and is told with other operators that are not
/// supported.
///
/// # Errors
/// A pair that is impossible: scales that are not constant or no scales, two halves that disagree.
pub fn taken_off(model: Model) -> Result<(Model, Taken)> {
    if !model.nodes.iter().any(|node| is(node, QUANTIZE) || is(node, DEQUANTIZE)) {
        return Ok((model, Taken::default()));
    }
    let Model { nodes, outputs, .. } = model;
    let names = nodes.iter().flat_map(|node| &node.outputs).chain(model.inputs.iter().map(|input| &input.name));
    let names = names.chain(model.constants.keys()).cloned().collect();
    let mut readers: HashMap<String, Vec<bool>> = HashMap::new();
    for node in &nodes {
        for (at, name) in node.inputs.iter().enumerate() {
            readers.entry(name.clone()).or_default().push(at == 0 && is(node, DEQUANTIZE));
        }
    }
    let model = Model { nodes: vec![], outputs: vec![], ..model };
    let mut taking = Taking {
        model,
        taken: Taken::default(),
        names,
        readers,
        called: HashMap::new(),
        quantized: HashMap::new(),
        turned: HashMap::new(),
        made: HashMap::new(),
        borders: vec![],
    };
    for node in nodes {
        taking.node(node)?;
    }
    if !taking.borders.is_empty() {
        taking.taken.said.push(format!("inputs in integers are taken as float32: {}", listed(&taking.borders)));
    }
    taking.ends(outputs);
    taking.cuts();
    Ok((taking.model, taking.taken))
}

const QUANTIZE: &str = "QuantizeLinear";
const DEQUANTIZE: &str = "DequantizeLinear";

/// Whether a node is of this operator; ONNX Runtime has it in a domain of its own for integers that the standard did
/// not have then.
fn is(node: &Node, op: &str) -> bool {
    node.op_type == op && (is_standard(&node.domain) || node.domain == "com.microsoft")
}

struct Taking {
    model: Model,
    taken: Taken,
    names: HashSet<String>,
    /// For each reader of a name, whether it is a DequantizeLinear that reads integers.
    readers: HashMap<String, Vec<bool>>,
    /// Names that stand for others now.
    called: HashMap<String, String>,
    /// Integers by name: what they stand for, and how.
    quantized: HashMap<String, (String, Encoding, i32)>,
    /// Constants that were integers, by the names that a DequantizeLinear reads.
    turned: HashMap<Vec<String>, String>,
    /// Operator that makes a value.
    made: HashMap<String, String>,
    /// Inputs that were integers.
    borders: Vec<String>,
}

impl Taking {
    fn node(&mut self, mut node: Node) -> Result<()> {
        for name in &mut node.inputs {
            if let Some(other) = self.called.get(name) {
                name.clone_from(other);
            }
        }
        let is_off = match (is(&node, QUANTIZE), is(&node, DEQUANTIZE)) {
            (true, _) => self.quantize(&node)?,
            (_, true) => self.dequantize(&node)?,
            _ => false,
        };
        if !is_off {
            node.outputs.iter().for_each(|name| drop(self.made.insert(name.clone(), node.op_type.clone())));
            self.model.nodes.push(node);
        }
        Ok(())
    }

    /// Takes the first half of a pair; whether it could be.
    fn quantize(&mut self, node: &Node) -> Result<bool> {
        let (Some(value), Some(codes)) = (node.inputs.first(), node.outputs.first()) else { return Ok(false) };
        // Integers that something else computes with are not those of a pair.
        if self.readers.get(codes).is_some_and(|readers| readers.contains(&false)) {
            return Ok(false);
        }
        let constant = self.model.constants.get(value);
        let shape = constant.map(|constant| constant.shape().to_vec());
        let from_zero_point = node.inputs.get(2).and_then(|name| self.model.integers.get(name)).copied();
        let stated = int(node, "output_dtype").and_then(|to| i32::try_from(to).ok()).filter(|&to| to != 0);
        let kind = from_zero_point.or(stated).unwrap_or(2);
        let encoding = self.encoding(node, kind, shape.as_deref())?;
        self.taken.add(shape.is_some(), value, encoding.clone());
        self.quantized.insert(codes.clone(), (value.clone(), encoding, kind));
        Ok(true)
    }

    /// Takes the second half of a pair; whether it could be.
    fn dequantize(&mut self, node: &Node) -> Result<bool> {
        let (Some(codes), Some(made)) = (node.inputs.first(), node.outputs.first()) else { return Ok(false) };
        if let Some((value, known, kind)) = self.quantized.get(codes).cloned() {
            let shape = self.model.constants.get(&value).map(|constant| constant.shape().to_vec());
            let own = self.encoding(node, kind, shape.as_deref())?;
            // A zero point that is left out is 0 of whatever type the integers have.
            if own.scale != known.scale || own.zero_point != known.zero_point {
                let message = format!("has other scales or zero points than the QuantizeLinear that makes `{codes}`");
                return Err(Error::input(place(node), message)
                    .help("`autoneural diff` names what is wrong in a quantized model"));
            }
            self.called.insert(made.clone(), value);
            return Ok(true);
        }
        if let Some(constant) = self.model.constants.get(codes) {
            let Some(&kind) = self.model.integers.get(codes) else { return Ok(false) };
            if let Some(name) = self.turned.get(&node.inputs) {
                self.called.insert(made.clone(), name.clone());
                return Ok(true);
            }
            let (shape, numbers) = (constant.shape().clone(), constant.to_i64());
            let encoding = self.encoding(node, kind, Some(&shape))?;
            let numbers: Vec<i32> = numbers.into_iter().map(|code| (code - shift(kind)) as i32).collect();
            let real = Constant::from_values(encoding.dequantize(&numbers, &shape), shape);
            let name = self.name_of(codes, made);
            self.turned.insert(node.inputs.clone(), name.clone());
            self.taken.add(true, &name, encoding);
            self.model.constants.insert(name.clone(), real);
            if name != *made {
                self.called.insert(made.clone(), name);
            }
            return Ok(true);
        }
        let Some(at) = self.model.inputs.iter().position(|input| input.name == *codes) else { return Ok(false) };
        if self.readers.get(codes).is_some_and(|readers| readers.contains(&false)) {
            return Ok(false);
        }
        // An input in integers is one in real numbers now.
        let kind = self.model.inputs[at].data_type;
        if kind != FLOAT {
            let encoding = self.encoding(node, kind, None)?;
            self.taken.add(false, codes, encoding);
            self.model.inputs[at].data_type = FLOAT;
            self.borders.push(format!("`{codes}`"));
        }
        self.called.insert(made.clone(), codes.clone());
        Ok(true)
    }

    /// What the constant behind a DequantizeLinear is called: as its integers were before they were quantized, if that
    /// shows and nobody else is called so.
    fn name_of(&mut self, codes: &str, made: &str) -> String {
        let before = ["_quantized", "/q", "_q"].iter().find_map(|end| codes.strip_suffix(end));
        match before.filter(|name| !name.is_empty() && !self.names.contains(*name)) {
            Some(name) => {
                self.names.insert(name.to_string());
                name.to_string()
            }
            None => made.to_string(),
        }
    }

    /// The encoding of half a pair, whose integers are of this ONNX type; `shape` is that of a constant.
    fn encoding(&self, node: &Node, kind: i32, shape: Option<&[usize]>) -> Result<Encoding> {
        let refused = |message: String| Error::input(place(node), message);
        let constant = |at: usize| match node.inputs.get(at).filter(|name| !name.is_empty()) {
            None => Ok(None),
            Some(name) => match self.model.constants.get(name) {
                Some(constant) => Ok(Some(constant)),
                None => Err(refused(format!("its scale or zero point `{name}` is not constant"))),
            },
        };
        let integer = integer(kind).ok_or_else(|| refused(format!("elements of the type {kind} are not supported")))?;
        let scale = constant(1)?.ok_or_else(|| refused("has no scale".into()))?;
        let zero_point = constant(2)?.map(Constant::to_i64);
        let (dims, scale) = (scale.shape().clone(), scale.to_f32());
        let zero_point = zero_point.unwrap_or_else(|| vec![0; scale.len()]);
        let zero_point: Vec<i64> = zero_point.into_iter().map(|zero_point| zero_point - shift(kind)).collect();
        let (least, most) = integer.limits();
        if scale.is_empty() || zero_point.len() != scale.len() {
            let message = format!("has {} scales and {} zero points", scale.len(), zero_point.len());
            return Err(refused(message));
        }
        if let Some(scale) = scale.iter().find(|scale| !(scale.is_finite() && **scale > 0.0)) {
            return Err(refused(format!("has the scale {scale}, which is impossible")));
        }
        if let Some(zero_point) = zero_point.iter().find(|zero_point| !(least..=most).contains(zero_point)) {
            return Err(refused(format!("has the zero point {zero_point}, which is no {}", integer.name())));
        }
        let block = int(node, "block_size").and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0);
        if scale.len() == 1 && block.is_none() {
            return Ok(Encoding { integer, scale, zero_point, axis: None, block: None });
        }
        let Some(shape) = shape else {
            return Err(refused("has several scales for what is no constant, which is not supported".into()));
        };
        let axis = int(node, "axis").unwrap_or(1);
        let axis = if axis < 0 { axis + shape.len() as i64 } else { axis };
        let axis = usize::try_from(axis).ok().filter(|&axis| axis < shape.len());
        let axis = axis.ok_or_else(|| refused(format!("has scales along an axis that {shape:?} has not")))?;
        let made = Encoding { integer, scale, zero_point, axis: Some(axis), block };
        let fits = match block {
            None => made.scale.len() == shape[axis],
            // Blocks that do not divide the axis are not written by anybody known.
            Some(block) => shape[axis].is_multiple_of(block) && dims[..] == made.scale_shape(shape)[..],
        };
        match fits {
            true => Ok(made),
            false => Err(refused(format!("has scales of the shape {dims:?}, which do not fit {shape:?}"))),
        }
    }

    /// Outputs keep their names, whatever was taken off before them.
    fn ends(&mut self, outputs: Vec<String>) {
        for name in &outputs {
            let behind = self.called.get(name).or_else(|| self.quantized.get(name).map(|(value, ..)| value)).cloned();
            let Some(value) = behind else { continue };
            let is_made = self.made.contains_key(&value) && !outputs.contains(&value);
            if is_made {
                let all = self.model.nodes.iter_mut().flat_map(|node| node.inputs.iter_mut().chain(&mut node.outputs));
                all.filter(|other| **other == value).for_each(|other| other.clone_from(name));
                if let Some(op) = self.made.remove(&value) {
                    self.made.insert(name.clone(), op);
                }
                self.taken.rename(&value, name);
                for (other, ..) in self.quantized.values_mut().filter(|(other, ..)| *other == value) {
                    other.clone_from(name);
                }
                self.called.values_mut().filter(|other| **other == value).for_each(|other| other.clone_from(name));
                self.called.remove(name);
            } else {
                self.model.nodes.push(plain("Identity", &value, name));
            }
        }
        self.model.outputs = outputs;
    }

    /// Puts back what ONNX Runtime's quantizer takes out: an activation that cuts at 0, where integers cannot stand for
    /// less anyway.
    fn cuts(&mut self) {
        if self.model.is_own {
            return;
        }
        let is_cut = |name: &str, op: &str| {
            let encoding = self.taken.stated.activations.get(name)?;
            let starts_at_zero = encoding.zero_point[0] == encoding.integer.limits().0;
            (starts_at_zero && SUMS.contains(&op)).then(|| encoding.range()[1])
        };
        let mut cut: HashMap<String, f32> =
            self.made.iter().filter_map(|(name, op)| Some((name.clone(), is_cut(name, op)?))).collect();
        cut.retain(|name, _| !self.is_cut_behind(name));
        if cut.is_empty() {
            return;
        }
        let mut nodes = Vec::with_capacity(self.model.nodes.len() + cut.len());
        let (mut at_zero, mut at_six) = (0, 0);
        for mut node in std::mem::take(&mut self.model.nodes) {
            let Some((name, &most)) = node.outputs.first().and_then(|name| cut.get_key_value(name)) else {
                nodes.push(node);
                continue;
            };
            let mut before = format!("{name}/sum");
            while !self.names.insert(before.clone()) {
                before.push('_');
            }
            node.outputs[0].clone_from(&before);
            nodes.push(node);
            let mut activation = plain("Relu", &before, name);
            at_zero += 1;
            if (most - 6.0).abs() < 6e-3 {
                at_six += 1;
                activation.op_type = "Clip".into();
                for (bound, value) in [("least", 0.0), ("most", 6.0)] {
                    let constant = format!("{before}/{bound}");
                    self.model.constants.insert(constant.clone(), Constant::from_values(vec![value], vec![]));
                    activation.inputs.push(constant);
                }
            }
            nodes.push(activation);
        }
        self.model.nodes = nodes;
        let six = if at_six > 0 { format!(", {at_six} of them at 6, too") } else { String::new() };
        self.taken.said.push(format!(
            "{at_zero} sums whose integers begin at 0 are cut there (Relu){six}: quantizers leave such activations out"
        ));
    }

    /// Whether a value only goes into activations that cut at 0 themselves, as AIMET leaves them.
    fn is_cut_behind(&self, name: &str) -> bool {
        let mut readers =
            self.model.nodes.iter().filter(|node| node.inputs.iter().any(|input| input == name)).peekable();
        let starts_at_zero = |node: &Node| {
            let least = node.inputs.get(1).and_then(|least| self.model.constants.get(least));
            least.is_some_and(|least| least.to_f32().first().is_some_and(|least| *least >= 0.0))
        };
        let cuts = |node: &Node| node.op_type == "Relu" || (node.op_type == "Clip" && starts_at_zero(node));
        !self.model.outputs.iter().any(|output| output == name) && readers.peek().is_some() && readers.all(cuts)
    }
}

/// Operators behind which quantizers leave out an activation.
const SUMS: [&str; 6] = ["Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "BatchNormalization"];

const FLOAT: i32 = 1;
const UINT4: i32 = 21;

/// The integers of an ONNX type (`TensorProto.DataType`).
fn integer(kind: i32) -> Option<IntegerType> {
    Some(match kind {
        2 => IntegerType::Uint8,
        3 => IntegerType::Int8,
        4 => IntegerType::Uint16,
        5 => IntegerType::Int16,
        6 => IntegerType::Int32,
        UINT4 | 22 => IntegerType::Int4,
        _ => return None,
    })
}

/// How far the integers here are from those of an ONNX type: four bits without a sign are the same grid with one.
fn shift(kind: i32) -> i64 {
    if kind == UINT4 { 8 } else { 0 }
}

fn place(node: &Node) -> String {
    format!("node `{}`", node.title())
}

fn int(node: &Node, name: &str) -> Option<i64> {
    node.attributes.iter().find_map(|(known, given)| match given {
        Given::Plain(Attribute::Int(value)) if known == name => Some(*value),
        _ => None,
    })
}

fn plain(op: &str, from: &str, to: &str) -> Node {
    Node {
        name: String::new(),
        op_type: op.into(),
        domain: String::new(),
        inputs: vec![from.to_string()],
        outputs: vec![to.to_string()],
        attributes: vec![],
    }
}

#[cfg(test)]
mod tests;
