//! The quantized model: the same nodes between QuantizeLinear and DequantizeLinear, integers at the border.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use autoneural_onnx::{AttributeProto, GraphProto, TensorProto, note_cut_off};

use super::names::{float_name, read_name};
use super::proto::{DataType, axis, int, model, node, small_tensor, tensor, value_info, write};
use super::{DataWriter, gelu, nodes, pair, split, wide};
use autoneural_base::error::Result;
use autoneural_core::encoding::{Encoding, IntegerType};
use autoneural_core::ir::{Graph, Node, Value, ValueId};
use autoneural_core::quantize::{CodeSource, Forms, STEPS, Table, in_steps_of_256, in_steps_of_257, pack, unpack};

/// Writes `path` and appends its weights to `data`.
///
/// Names: the integers of a port have the port's name; inside, a value `v` is `v` as the float that a node makes, `v/q`
/// as integers and `v/dq` as the float that nodes read. An output's integers are those that nodes read, unless one is a
/// convolution.
///
/// The integers of constants are taken from `codes` as they are. `forms` says what is written in another form than
/// it stands.
///
/// # Errors
/// A value without an encoding: the table belongs to another graph. A constant without codes.
pub fn emit_qdq(
    graph: &Graph,
    table: &Table,
    codes: &dyn CodeSource,
    forms: &Forms,
    path: &Path,
    data: &mut DataWriter,
) -> Result<()> {
    let mut emitter = Emitter {
        graph,
        table,
        data,
        forms,
        readers: BTreeMap::new(),
        reach: BTreeMap::new(),
        widened: BTreeSet::new(),
        made: GraphProto { name: graph.name.clone(), ..Default::default() },
    };
    for node in graph.nodes() {
        for id in node.inputs.iter().collect::<BTreeSet<_>>() {
            emitter.readers.entry(*id).or_default().push(node);
        }
    }
    for &id in graph.inputs() {
        let info = emitter.border(id)?;
        emitter.made.input.push(info);
        if graph.value(id).element.is_real() {
            let name = graph.value(id).name.clone();
            let encoding = table.activation(&name)?;
            emitter.parameters(&name, encoding, &[])?;
            emitter.dequantize(&name, &name, vec![]);
        }
    }
    for (id, value) in graph.values() {
        let Some(constant) = value.constant() else { continue };
        if !value.element.is_real() {
            let kind = DataType::of_element(value.element);
            let tensor = tensor(&value.name, kind, &value.shape, &constant.to_le_bytes(), emitter.data)?;
            emitter.made.initializer.push(tensor);
        } else {
            let encoding = table.param(&value.name)?;
            if emitter.halves(id, encoding, codes)? || emitter.bias(id, encoding, codes)? {
                continue;
            }
            emitter.parameters(&value.name, encoding, &value.shape)?;
            let (kind, stored) = (DataType::of(encoding.integer), format!("{}/q", value.name));
            codes.read(value, encoding, &mut |bytes| {
                let made = tensor(&stored, kind, &value.shape, bytes, emitter.data)?;
                emitter.constant(&value.name, encoding, made);
                Ok(())
            })?;
        }
    }
    for ir in graph.nodes() {
        emitter.node(ir)?;
    }
    for &id in graph.outputs() {
        let info = emitter.border(id)?;
        emitter.made.output.push(info);
    }
    write(&model(emitter.made), path)
}

struct Emitter<'a> {
    graph: &'a Graph,
    table: &'a Table,
    data: &'a mut DataWriter,
    forms: &'a Forms,
    /// The nodes that read each value.
    readers: BTreeMap<ValueId, Vec<&'a Node>>,
    /// Of weights that are written as a pair: what the smaller half can add up to.
    reach: BTreeMap<String, pair::Reach>,
    /// Values of 8 bits that stand there in 16 bits, too.
    widened: BTreeSet<ValueId>,
    made: GraphProto,
}

impl<'a> Emitter<'a> {
    fn readers(&self, id: ValueId) -> Vec<&'a Node> {
        self.readers.get(&id).cloned().unwrap_or_default()
    }

    fn border(&self, id: ValueId) -> Result<autoneural_onnx::ValueInfoProto> {
        let value = self.graph.value(id);
        let kind = match value.element.is_real() {
            true => DataType::of(self.table.activation(&value.name)?.integer),
            false => DataType::of_element(value.element),
        };
        Ok(value_info(&value.name, kind, &value.shape))
    }

    /// The scale and zero point tensors of a value; its shape counts for blocks only.
    fn parameters(&mut self, name: &str, encoding: &Encoding, value_shape: &[usize]) -> Result<()> {
        let shape = encoding.scale_shape(value_shape);
        let shape = shape.as_slice();
        let scale: Vec<u8> = encoding.scale.iter().flat_map(|s| s.to_le_bytes()).collect();
        let zero_point: Vec<i32> = encoding.zero_point.iter().map(|&z| z as i32).collect();
        let scale = tensor(&format!("{name}/scale"), DataType::FLOAT, shape, &scale, self.data)?;
        let kind = DataType::of(encoding.integer);
        let zero_point =
            tensor(&format!("{name}/zero_point"), kind, shape, &pack(encoding.integer, &zero_point), self.data)?;
        self.made.initializer.extend([scale, zero_point]);
        Ok(())
    }

    fn convert(&mut self, op: &str, value: &str, from: String, to: String, attributes: Vec<AttributeProto>) {
        let inputs = vec![from, format!("{value}/scale"), format!("{value}/zero_point")];
        self.made.node.push(node(op, &format!("{to}/node"), inputs, vec![to], attributes));
    }

    /// `along`: the attributes that say where scales differ.
    fn dequantize(&mut self, value: &str, from: &str, along: Vec<AttributeProto>) {
        self.convert("DequantizeLinear", value, from.to_string(), format!("{value}/dq"), along);
    }

    /// The integers of a constant, and the float that nodes read of them.
    fn constant(&mut self, name: &str, encoding: &Encoding, integers: TensorProto) {
        let (stored, rank) = (integers.name.clone(), integers.dims.len());
        self.made.initializer.push(integers);
        let along = encoding.axis.map(|at| axis(at, rank));
        let blocks = encoding.block.map(|size| int("block_size", size));
        self.dequantize(name, &stored, along.into_iter().chain(blocks).collect());
    }

    /// A constant that nodes with pairs alone read: the halves of weights, or the bias of the larger half. Gives whether it
    /// is one.
    fn halves(&mut self, id: ValueId, encoding: &Encoding, codes: &dyn CodeSource) -> Result<bool> {
        let (graph, value) = (self.graph, self.graph.value(id));
        let name = &value.name;
        let readers = self.readers(id);
        let pair_of = |node: &&Node| self.forms.pair(graph, node, self.table);
        let Some(pair) = readers.first().and_then(pair_of) else { return Ok(false) };
        if readers.iter().any(|node| pair_of(node).is_none()) {
            return Ok(false);
        }
        let axes = readers[0].op.weight_axes(value.shape.len());
        let whole = integers(codes, value, encoding)?;
        if pair.name != *name {
            let steps = STEPS as i32;
            let bias: Vec<i32> = whole.iter().map(|code| (code + steps / 2).div_euclid(steps)).collect();
            self.half((value, pair::HALVES[0]), &pair::of_bias(encoding), &bias)?;
            return Ok(true);
        }
        let halves = pair::halves(&whole);
        let channels = axes.and_then(|axes| axes.output);
        self.reach.insert(name.clone(), pair::Reach::of(encoding, &halves[1], (&value.shape, channels)));
        for ((half, encoding), codes) in pair::HALVES.into_iter().zip(pair::of_weights(encoding)).zip(&halves) {
            self.half((value, half), &encoding, codes)?;
        }
        Ok(true)
    }

    fn half(&mut self, (value, half): (&Value, &str), encoding: &Encoding, codes: &[i32]) -> Result<()> {
        let name = format!("{}/{half}", value.name);
        self.parameters(&name, encoding, &value.shape)?;
        let stored = format!("{name}/q");
        let bytes = pack(encoding.integer, codes);
        let made = tensor(&stored, DataType::of(encoding.integer), &value.shape, &bytes, self.data)?;
        self.constant(&name, encoding, made);
        Ok(())
    }

    /// The bias of a node whose sums the chip cuts off. Gives whether it is one.
    fn bias(&mut self, id: ValueId, encoding: &Encoding, codes: &dyn CodeSource) -> Result<bool> {
        let [node] = self.readers(id)[..] else { return Ok(false) };
        let Some((at, cut_off)) = self.forms.cut_off(self.graph, node, self.table) else { return Ok(false) };
        if node.inputs[at] != id {
            return Ok(false);
        }
        let value = self.graph.value(id);
        let kept = cut_off.codes(&integers(codes, value, encoding)?);
        self.parameters(&value.name, encoding, &value.shape)?;
        let stored = format!("{}/q", value.name);
        let bytes = pack(encoding.integer, &kept);
        let mut made = small_tensor(&stored, DataType::of(encoding.integer), &value.shape, bytes);
        note_cut_off(&mut made, cut_off.step);
        self.constant(&value.name, encoding, made);
        Ok(true)
    }

    /// A node whose weights are a pair: one with each half, and the sum of both.
    fn pair(&mut self, ir: &Node, weights: &Value) -> Result<()> {
        let (graph, made) = (self.graph, &self.graph.value(ir.outputs[0]).name);
        let data = self.table.activation(&graph.value(ir.inputs[0]).name)?;
        let (sum, table) = (self.table.activation(made)?, self.table.param(&weights.name)?);
        let most = self.reach.get(&weights.name).map_or(0.0, |reach| reach.most(data.range()));
        let least = table.scale.iter().fold(f32::INFINITY, |least, &scale| least.min(scale));
        let multiplier = f64::from(data.scale[0]) * f64::from(least) / f64::from(sum.scale[0]);
        for (half, encoding) in pair::HALVES.into_iter().zip(pair::of_sums(sum, most, multiplier)) {
            self.parameters(&pair::sum_name(made, half), &encoding, &[])?;
        }
        self.made.node.extend(pair::nodes(graph, ir)?);
        self.quantize(ir.outputs[0], float_name(graph, ir.outputs[0]))
    }

    /// Integers of a computed value, and the float that others read of them.
    fn quantize(&mut self, id: ValueId, from: String) -> Result<()> {
        let name = self.graph.value(id).name.clone();
        let encoding = self.table.activation(&name)?;
        self.parameters(&name, encoding, &[])?;
        let readers = self.readers(id);
        let is_output = self.graph.outputs().contains(&id);
        // A convolution reads integers of its own: onnxruntime-qnn 2.7.0 refuses graphs in which it reads an output
        // behind a transposition ("inserted using the NHWC format …, but was not selected by that EP").
        let convolves = |node: &&Node| node.op.signature().reads_image && node.op.signature().has_weights();
        let is_shared = is_output && !readers.iter().any(convolves);
        let read = if is_shared { name.clone() } else { format!("{name}/q") };
        // The output's integers are made of these: a node whose float is quantized twice is computed in float, and a
        // convolution of weights per channel not at all. Of what only moves values, they are made of the float, which
        // costs nothing there: of the other integers, they would be joined with them again, and refused as above.
        let is_own = is_output && !is_shared;
        let moves = |node: &Node| node.outputs.contains(&id) && node.op.moves_data_only();
        let is_moved = is_own && self.graph.nodes().iter().any(moves);
        if is_moved {
            self.convert("QuantizeLinear", &name, from.clone(), name.clone(), vec![]);
        }
        self.convert("QuantizeLinear", &name, from, read.clone(), vec![]);
        if !readers.is_empty() {
            self.dequantize(&name, &read, vec![]);
        }
        if is_own && !is_moved {
            self.convert("QuantizeLinear", &name, format!("{name}/dq"), name.clone(), vec![]);
        }
        Ok(())
    }

    fn node(&mut self, ir: &Node) -> Result<()> {
        let graph = self.graph;
        let inputs: Vec<String> = ir.inputs.iter().map(|&id| read_name(graph, id)).collect();
        if ir.op.requantizes() {
            // A change of encoding is the next QuantizeLinear reading the last DequantizeLinear.
            return self.quantize(ir.outputs[0], inputs[0].clone());
        }
        if let Some(weights) = self.forms.pair(graph, ir, self.table) {
            return self.pair(ir, weights);
        }
        if self.forms.splits(graph, ir, self.table) {
            let (second, made) = (&graph.value(ir.inputs[1]).name, &graph.value(ir.outputs[0]).name);
            let first = &graph.value(ir.inputs[0]).name;
            let of = |name: &str| self.table.activation(name);
            let between =
                split::encodings(made, [of(first)?, of(second)?, of(made)?], self.forms.split.multiplier_bits);
            for (name, encoding) in &between {
                self.parameters(name, encoding, &[])?;
            }
            self.made.node.extend(split::nodes(graph, ir));
            return self.quantize(ir.outputs[0], float_name(graph, ir.outputs[0]));
        }
        if self.forms.spells(graph, ir, self.table) {
            for (name, encoding) in &gelu::encodings(graph, ir) {
                self.parameters(name, encoding, &[])?;
            }
            self.made.initializer.extend(gelu::tensors(graph, ir));
            self.made.node.extend(gelu::nodes(graph, ir));
            return self.quantize(ir.outputs[0], float_name(graph, ir.outputs[0]));
        }
        let shapes: Vec<_> = ir.inputs.iter().map(|&id| &graph.value(id).shape).collect();
        let outputs: Vec<String> = ir.outputs.iter().map(|&id| float_name(graph, id)).collect();
        let is_widened = self.forms.widens(graph, ir, self.table);
        let inputs = if is_widened { self.wide_inputs(ir)? } else { inputs };
        let (nodes, extra) = nodes::emit(ir, &shapes, inputs, outputs.clone())?;
        self.made.node.extend(nodes);
        self.made.initializer.extend(extra);
        for (&id, from) in ir.outputs.iter().zip(outputs) {
            // Integers are what they are.
            if graph.value(id).element.is_real() {
                let from = if is_widened { self.narrowed(id, from)? } else { from };
                self.quantize(id, from)?;
            }
        }
        Ok(())
    }

    /// What a node in 16 bits reads of its inputs.
    fn wide_inputs(&mut self, ir: &Node) -> Result<Vec<String>> {
        let graph = self.graph;
        let mut names = Vec::new();
        for &id in &ir.inputs {
            let (value, own) = (graph.value(id), read_name(graph, id));
            if value.constant().is_some() || self.table.integer_of(value)? != IntegerType::Uint8 {
                names.push(own);
                continue;
            }
            let name = wide::read(&value.name);
            if self.widened.insert(id) {
                let encoding = in_steps_of_256(self.table.activation(&value.name)?);
                self.change(&name, &encoding, own)?;
            }
            names.push(format!("{name}/dq"));
        }
        Ok(names)
    }

    /// The float of what a node in 16 bits makes, from which its own integers are made.
    fn narrowed(&mut self, id: ValueId, from: String) -> Result<String> {
        let value = self.graph.value(id);
        let encoding = self.table.activation(&value.name)?;
        if encoding.integer != IntegerType::Uint8 {
            return Ok(from);
        }
        let name = wide::made(&value.name);
        self.change(&name, &in_steps_of_257(encoding), from)?;
        Ok(format!("{name}/dq"))
    }

    /// A float as the integers of an encoding, and what they stand for.
    fn change(&mut self, name: &str, encoding: &Encoding, from: String) -> Result<()> {
        self.parameters(name, encoding, &[])?;
        let integers = format!("{name}/q");
        self.convert("QuantizeLinear", name, from, integers.clone(), vec![]);
        self.dequantize(name, &integers, vec![]);
        Ok(())
    }
}

/// The integers of a constant.
fn integers(codes: &dyn CodeSource, value: &Value, encoding: &Encoding) -> Result<Vec<i32>> {
    let mut made = Vec::new();
    codes.read(value, encoding, &mut |bytes| {
        made = unpack(encoding.integer, bytes, value.shape.iter().product());
        Ok(())
    })?;
    Ok(made)
}
