//! Recurrent layers, whose steps are written out: as many cells as there are steps, which is known when a model is read.
//! What all steps make of the input is one product.

use super::spelled::Spelled;
use super::truths::number;
use crate::onnx::making::{Known, Making, Told};
use autoneural_core::ir::{Constant, Op, ValueId, ops};

/// Most steps that are written out.
const MOST_STEPS: usize = 256;

/// Which layer it is, with the number of its gates.
#[derive(Clone, Copy, PartialEq)]
enum Layer {
    Lstm,
    Gru,
    Rnn,
}

impl Layer {
    fn gates(self) -> usize {
        match self {
            Layer::Lstm => 4,
            Layer::Gru => 3,
            Layer::Rnn => 1,
        }
    }

    /// The functions that ONNX takes where none are named.
    fn functions(self) -> &'static [&'static str] {
        match self {
            Layer::Lstm => &["Sigmoid", "Tanh", "Tanh"],
            Layer::Gru => &["Sigmoid", "Tanh"],
            Layer::Rnn => &["Tanh"],
        }
    }
}

/// Sizes of a layer.
struct Sizes {
    steps: usize,
    batch: usize,
    input: usize,
    hidden: usize,
}

pub fn lstm<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    layer(making, told, Layer::Lstm)
}

pub fn gru<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    layer(making, told, Layer::Gru)
}

pub fn rnn<'m>(making: &mut Making<'m>, told: &Told<'m>) -> Spelled {
    layer(making, told, Layer::Rnn)
}

fn layer<'m>(making: &mut Making<'m>, told: &Told<'m>, layer: Layer) -> Spelled {
    let known = ["direction", "hidden_size", "linear_before_reset", "input_forget", "layout", "activations"];
    told.onnx.expect(&known, 7)?;
    told.onnx.demand_int("layout", 0)?;
    told.onnx.demand_int("input_forget", 0)?;
    let named = told.onnx.texts("activations")?.unwrap_or_default();
    let is_relu = layer == Layer::Rnn && !named.is_empty() && named.iter().all(|name| name == "Relu");
    if !is_relu && !named.chunks(layer.functions().len()).all(|names| names == layer.functions()) {
        return Err(format!("computes with the functions {named:?}; {:?} are supported", layer.functions()));
    }
    let &[steps, batch, input] = told.shape(0)?.as_slice() else { return Err("wants steps of rows".into()) };
    let &[directions, _, hidden] = told.shape(2)?.as_slice() else { return Err("has weights of no direction".into()) };
    let sizes = Sizes { steps, batch, input, hidden };
    let all_steps = |constant: &Constant| constant.to_i64().iter().all(|&length| length == steps as i64);
    if told.onnx.has(4) && !told.constant(4).is_some_and(all_steps) {
        return Err("ends some rows before others (`sequence_lens`)".into());
    }
    if told.onnx.has(7) {
        return Err("has weights from cells to gates (`P`)".into());
    }
    if steps > MOST_STEPS {
        return Err(format!("has {steps} steps; at most {MOST_STEPS} are written out"));
    }
    let is_reverse: &[bool] = match told.onnx.text("direction", "forward")?.as_str() {
        "forward" => &[false],
        "reverse" => &[true],
        "bidirectional" => &[false, true],
        other => return Err(format!("has the direction `{other}`")),
    };
    if directions != is_reverse.len() {
        return Err(format!("has weights for {directions} directions"));
    }
    let x = number(making, told, 0)?;
    let rows =
        making.step(format!("{}.rows", told.name()), ops::Reshape { shape: vec![steps * batch, input] }, &[x])?;
    let (mut of_steps, mut of_hidden, mut of_cells) = (vec![], vec![], vec![]);
    for (direction, &is_reverse) in is_reverse.iter().enumerate() {
        let way = Way { is_relu, ..Way::of(making, told, layer, &sizes, direction)? };
        let (made, hidden, cell) = way.run(making, &sizes, rows, is_reverse)?;
        of_steps.push(made);
        of_hidden.push(hidden);
        of_cells.extend(cell);
    }
    // An output that nobody wants has no name.
    let mut outputs = vec![Known::Failed; told.node.outputs.len()];
    for (at, (parts, axis)) in [(of_steps, 1), (of_hidden, 0), (of_cells, 0)].into_iter().enumerate() {
        let Some(name) = told.node.outputs.get(at).filter(|name| !name.is_empty()) else { continue };
        let joined = match parts.as_slice() {
            [one] => {
                let shape = making.shape(*one).clone();
                making.reshaped(name, *one, shape)?
            }
            _ => making.last(name, ops::Concat { axis }, &parts)?,
        };
        outputs[at] = Known::Value(joined);
    }
    Ok(Some(outputs))
}

/// One direction of a layer.
struct Way {
    name: String,
    layer: Layer,
    /// `[input, gates]` and `[hidden, gates]`.
    of_input: Constant,
    of_hidden: Constant,
    /// What is added to both products.
    biases: [Option<Constant>; 2],
    /// The state before the first step; none where it is all zero.
    hidden: Option<ValueId>,
    cell: Option<ValueId>,
    /// Whether cells end with a Relu.
    is_relu: bool,
    /// Whether a GRU multiplies by its reset gate behind the product.
    resets_behind: bool,
}

/// A part of a constant along its first axis, without that axis.
fn part(constant: &Constant, at: usize) -> Constant {
    let shape = constant.shape()[1..].to_vec();
    constant.sliced(0, at, at + 1).reshaped(shape)
}

/// A matrix, turned.
fn turned(constant: &Constant) -> Constant {
    constant.permuted(&[1, 0])
}

impl Way {
    fn of<'m>(
        making: &mut Making<'m>,
        told: &Told<'m>,
        layer: Layer,
        sizes: &Sizes,
        direction: usize,
    ) -> Result<Self, String> {
        let gates = layer.gates() * sizes.hidden;
        let weights = |at: usize, from: usize| {
            let constant = told.constant(at).ok_or("has weights that are computed; constants are supported")?;
            let fits = constant.shape().get(1..) == Some(&[gates, from]) && direction < constant.shape()[0];
            match fits {
                true => Ok(turned(&part(constant, direction))),
                false => Err(format!("has weights of the shape {:?}", constant.shape())),
            }
        };
        let (of_input, of_hidden) = (weights(1, sizes.input)?, weights(2, sizes.hidden)?);
        let mut biases = [None, None];
        if told.onnx.has(3) {
            let both = told.constant(3).ok_or("has biases that are computed; constants are supported")?;
            if both.shape().get(1) != Some(&(2 * gates)) {
                return Err(format!("has biases of the shape {:?}", both.shape()));
            }
            let both = part(both, direction);
            biases = [0, gates].map(|start| Some(both.sliced(0, start, start + gates)));
        }
        let resets_behind = told.onnx.int("linear_before_reset", 0)? != 0;
        // What no product stands between is added to the product of the input.
        let is_one_sum = layer != Layer::Gru || !resets_behind;
        if let ([Some(a), Some(b)], true) = (&biases, is_one_sum) {
            let sum = Op::from(ops::Add).evaluate(&[a.clone(), b.clone()])?.swap_remove(0);
            biases = [Some(sum), None];
        }
        let name = match direction {
            0 => told.name().to_string(),
            _ => format!("{}.back", told.name()),
        };
        let mut state = |at: usize| -> Result<Option<ValueId>, String> {
            let is_zero = |constant: &Constant| constant.to_f32().iter().all(|&value| value == 0.0);
            if !told.onnx.has(at) || told.constant(at).is_some_and(is_zero) {
                return Ok(None);
            }
            let all = number(making, told, at)?;
            let op = ops::Slice { axis: 0, start: direction, end: direction + 1 };
            let one = making.step(format!("{name}.state{at}"), op, &[all])?;
            let shape = vec![sizes.batch, sizes.hidden];
            making.step(format!("{name}.first{at}"), ops::Reshape { shape }, &[one]).map(Some)
        };
        let hidden = state(5)?;
        let cell = if layer == Layer::Lstm { state(6)? } else { None };
        Ok(Way { name, layer, of_input, of_hidden, biases, hidden, cell, is_relu: false, resets_behind })
    }

    /// All steps of the output, the last state, and the last cells of an LSTM.
    fn run(
        self,
        making: &mut Making,
        sizes: &Sizes,
        rows: ValueId,
        is_reverse: bool,
    ) -> Result<(ValueId, ValueId, Option<ValueId>), String> {
        let &Sizes { steps, batch, hidden, .. } = sizes;
        let name = &self.name;
        let weights = making.constant(format!("{name}.of_input"), self.of_input.clone())?;
        let mut of_input = making.step(format!("{name}.input"), ops::MatMul, &[rows, weights])?;
        if let Some(bias) = &self.biases[0] {
            let bias = making.constant(format!("{name}.bias"), bias.clone())?;
            of_input = making.step(format!("{name}.biased"), ops::Add, &[of_input, bias])?;
        }
        let recurrent = making.constant(format!("{name}.of_hidden"), self.of_hidden.clone())?;
        let later = match &self.biases[1] {
            Some(bias) => Some(making.constant(format!("{name}.later_bias"), bias.clone())?),
            None => None,
        };
        let (mut state, mut cell) = (self.hidden, self.cell);
        let mut made = vec![None; steps];
        let order: Vec<usize> = if is_reverse { (0..steps).rev().collect() } else { (0..steps).collect() };
        for at in order {
            let called = format!("{name}.step{at}");
            let op = ops::Slice { axis: 0, start: at * batch, end: (at + 1) * batch };
            let input = making.step(called.clone(), op, &[of_input])?;
            let mut step = Step { making, name: called, hidden };
            let product = match state {
                Some(state) => {
                    let product = step.node("product", ops::MatMul, &[state, recurrent])?;
                    Some(match later {
                        Some(bias) => step.node("later", ops::Add, &[product, bias])?,
                        None => product,
                    })
                }
                // A product with zeros.
                None => later,
            };
            let next = match self.layer {
                Layer::Rnn => step.rnn(input, product, self.is_relu)?,
                Layer::Gru => step.gru(input, product, state, (!self.resets_behind).then_some(recurrent))?,
                Layer::Lstm => {
                    let (next, cells) = step.lstm(input, product, cell)?;
                    cell = Some(cells);
                    next
                }
            };
            state = Some(next);
            made[at] = Some(making.step(
                format!("{name}.out{at}"),
                ops::Reshape { shape: vec![1, 1, batch, hidden] },
                &[next],
            )?);
        }
        let made: Vec<ValueId> = made.into_iter().flatten().collect();
        let (Some(state), shape) = (state, vec![1, batch, hidden]) else { return Err("has no steps".into()) };
        let all = match made.as_slice() {
            [one] => *one,
            _ => making.step(format!("{name}.all"), ops::Concat { axis: 0 }, &made)?,
        };
        let last = making.step(format!("{name}.last"), ops::Reshape { shape: shape.clone() }, &[state])?;
        let cells =
            cell.map(|cell| making.step(format!("{name}.cells"), ops::Reshape { shape }, &[cell])).transpose()?;
        Ok((all, last, cells))
    }
}

/// One step in the making.
struct Step<'a, 'm> {
    making: &'a mut Making<'m>,
    name: String,
    hidden: usize,
}

impl Step<'_, '_> {
    fn node(&mut self, what: &str, op: impl Into<Op>, inputs: &[ValueId]) -> Result<ValueId, String> {
        self.making.step(format!("{}.{what}", self.name), op, inputs)
    }

    fn sum(&mut self, what: &str, a: ValueId, b: Option<ValueId>) -> Result<ValueId, String> {
        b.map_or(Ok(a), |b| self.node(what, ops::Add, &[a, b]))
    }

    /// Some of the gates, side by side.
    fn gates(&mut self, what: &str, x: ValueId, gates: std::ops::Range<usize>) -> Result<ValueId, String> {
        let axis = self.making.shape(x).len() - 1;
        let (start, end) = (gates.start * self.hidden, gates.end * self.hidden);
        self.node(what, ops::Slice { axis, start, end }, &[x])
    }

    fn rnn(&mut self, input: ValueId, product: Option<ValueId>, is_relu: bool) -> Result<ValueId, String> {
        let sum = self.sum("sum", input, product)?;
        match is_relu {
            true => self.node("hidden", ops::Relu, &[sum]),
            false => self.node("hidden", ops::Tanh, &[sum]),
        }
    }

    /// The gates of an LSTM are input, output, forget and cell.
    fn lstm(
        &mut self,
        input: ValueId,
        product: Option<ValueId>,
        cell: Option<ValueId>,
    ) -> Result<(ValueId, ValueId), String> {
        let sum = self.sum("sum", input, product)?;
        let open = self.gates("open", sum, 0..3)?;
        let open = self.node("gates", ops::Sigmoid, &[open])?;
        let entry = self.gates("entry", open, 0..1)?;
        let exit = self.gates("exit", open, 1..2)?;
        let new = self.gates("new", sum, 3..4)?;
        let new = self.node("bounded", ops::Tanh, &[new])?;
        let mut cells = self.node("entered", ops::Mul, &[entry, new])?;
        if let Some(cell) = cell {
            let keep = self.gates("keep", open, 2..3)?;
            let kept = self.node("kept", ops::Mul, &[keep, cell])?;
            cells = self.node("cells", ops::Add, &[kept, cells])?;
        }
        let shown = self.node("shown", ops::Tanh, &[cells])?;
        Ok((self.node("hidden", ops::Mul, &[exit, shown])?, cells))
    }

    /// The gates of a GRU are update, reset and hidden. With `recurrent` it resets before the product.
    fn gru(
        &mut self,
        input: ValueId,
        product: Option<ValueId>,
        state: Option<ValueId>,
        recurrent: Option<ValueId>,
    ) -> Result<ValueId, String> {
        let of_input = self.gates("open", input, 0..2)?;
        let of_state = product.map(|product| self.gates("recurrent", product, 0..2)).transpose()?;
        let open = self.sum("opened", of_input, of_state)?;
        let open = self.node("gates", ops::Sigmoid, &[open])?;
        let update = self.gates("update", open, 0..1)?;
        let new = self.gates("new", input, 2..3)?;
        let reset = self.gates("reset", open, 1..2)?;
        let recalled = match (recurrent, state, product) {
            (Some(recurrent), Some(state), _) => {
                let less = self.node("less", ops::Mul, &[reset, state])?;
                let weights = self.gates("weights", recurrent, 2..3)?;
                Some(self.node("recalled", ops::MatMul, &[less, weights])?)
            }
            (None, _, Some(product)) => {
                let part = self.gates("part", product, 2..3)?;
                Some(self.node("recalled", ops::Mul, &[reset, part])?)
            }
            _ => None,
        };
        let new = self.sum("renewed", new, recalled)?;
        let new = self.node("bounded", ops::Tanh, &[new])?;
        // `new + update (state - new)`
        match state {
            Some(state) => {
                let away = self.node("away", ops::Sub, &[state, new])?;
                let kept = self.node("kept", ops::Mul, &[update, away])?;
                self.node("hidden", ops::Add, &[new, kept])
            }
            None => {
                let kept = self.node("kept", ops::Mul, &[update, new])?;
                self.node("hidden", ops::Sub, &[new, kept])
            }
        }
    }
}
